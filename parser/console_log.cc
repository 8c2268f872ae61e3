#include "parser/console_log.h"

#include <re2/re2.h>

#include <algorithm>

#include "parser/disguise.h"
#include "parser/latency_text.h"
#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

// A report's page dump follows its BUG line directly; other printks may slip in between.
constexpr int64_t kLinesOfOneReport = 40;

re2::StringPiece Piece(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

std::string PageFlagNames(std::string_view flags_line) {
  size_t open = flags_line.find('(');
  size_t close = flags_line.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  std::string names;
  std::string_view list = flags_line.substr(open + 1, close - open - 1);
  while (!list.empty()) {
    size_t bar = list.find('|');
    std::string_view item = list.substr(0, bar);
    if (!item.empty() && item.find('=') == std::string_view::npos) {
      if (!names.empty()) names += '|';
      names += item;
    }
    list.remove_prefix(bar == std::string_view::npos ? list.size() : bar + 1);
  }
  return names;
}

namespace {

// Mon .. Sun, Jan .. Dec
bool StartsWithDayOrMonth(std::string_view text) {
  static constexpr std::string_view kNames =
      "Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
  return text.size() > 4 && text[3] == ' ' && kNames.find(text.substr(0, 4)) % 4 == 0;
}

// "Nov 22 10:00:00 host kernel: ", "2026-11-22T10:00:00+0000 host kernel: ", "host kernel: " behind a time:
// the length of it, 0 if there is none.
size_t SyslogPrefix(std::string_view line, bool after_time) {
  constexpr size_t kLongest = 120;
  size_t at = line.substr(0, kLongest).find(" kernel");
  if (at == std::string_view::npos) return 0;
  size_t end = at + 7;
  if (line.substr(end).starts_with('[')) {  // kernel[0]:
    while (end < line.size() && line[end] != ']') ++end;
    ++end;
  }
  if (end >= line.size() || line[end] != ':') return 0;
  std::string_view before = line.substr(0, at);
  bool dated = StartsWithDayOrMonth(before) ||
               (before.size() > 10 && IsDigit(before[0]) && before[4] == '-' && before[7] == '-');
  bool host_only = !before.empty() && before.find_first_of(" \t:") == std::string_view::npos;
  if (!dated && !(host_only && after_time)) return 0;
  ++end;
  return end < line.size() && line[end] == ' ' ? end + 1 : end;
}

// "kern  :emerg : ": dmesg -x.
size_t FacilityPrefix(std::string_view line) {
  if (!line.starts_with("kern  :") && !line.starts_with("user  :") && !line.starts_with("daemon:")) return 0;
  size_t colon = line.find(": ", 7);
  return colon > 16 ? 0 : colon + 2;  // npos is above all
}

// "4,1234,12345678,-;": level, sequence number, microseconds.
size_t KmsgPrefix(std::string_view line, std::optional<int64_t>* printk_ts) {
  size_t semicolon = line.substr(0, 64).find(';');
  if (semicolon == std::string_view::npos || !IsDigit(line[0])) return 0;
  std::string_view rest = line.substr(0, semicolon);
  std::string_view fields[3];
  for (std::string_view& field : fields) {
    size_t comma = rest.find(',');
    if (comma == std::string_view::npos) return 0;
    field = rest.substr(0, comma);
    rest.remove_prefix(comma + 1);
  }
  auto us = ParseDecimal(fields[2]);
  if (!ParseDecimal(fields[0]) || !ParseDecimal(fields[1]) || !us || *us > INT64_MAX / 1000) return 0;
  if (!*printk_ts) *printk_ts = static_cast<int64_t>(*us) * 1000;
  return semicolon + 1;
}

// "[   12.345678]", "[   T12]", "[    C1]", "[Mon Nov 22 10:00:00 2026]", and of dmesg -d
// "[   12.345678 <    0.000100>]"
size_t BracketPrefix(std::string_view line, std::optional<int64_t>* printk_ts) {
  size_t close = line.substr(0, 60).find(']');
  if (close == std::string_view::npos) return 0;
  std::string_view inside = TrimBlanks(line.substr(1, close - 1));
  if (size_t delta = inside.find(" <"); delta != std::string_view::npos && inside.ends_with('>'))
    inside = inside.substr(0, delta);
  // task or cpu that printed (CONFIG_PRINTK_CALLER)
  bool caller = (inside.starts_with('T') || inside.starts_with('C')) && ParseDecimal(inside.substr(1));
  if (!caller && !StartsWithDayOrMonth(inside)) {
    auto ts = ParseTimeStamp(inside);
    if (!ts || ts->is_ticks) return 0;
    if (!*printk_ts) *printk_ts = ts->value;
  }
  return close + 1;
}

// "[2026-11-22 10:00:01] [   12.345678] text": the kernel's own time behind what terminals and collectors of
// logs put before it. 0 where there is none.
size_t ForeignPrefix(std::string_view line, std::optional<int64_t>* printk_ts) {
  constexpr size_t kLongest = 120;
  std::string_view head = line.substr(0, kLongest);
  for (size_t open = head.find('['); open != std::string_view::npos; open = head.find('[', open + 1)) {
    size_t close = head.find(']', open);
    if (close == std::string_view::npos) return 0;
    std::string_view inside = head.substr(open + 1, close - open - 1);
    while (inside.starts_with(' ')) inside.remove_prefix(1);
    // kernel/printk/printk.c: print_time, "[%5lu.%06lu]"
    size_t dot = inside.find('.');
    bool printed = dot != std::string_view::npos && dot > 0 && inside.size() - dot == 7;
    auto ts = printed ? ParseTimeStamp(inside) : std::nullopt;
    if (!ts || ts->is_ticks) continue;
    if (!*printk_ts) *printk_ts = ts->value;
    return close + 1;
  }
  return 0;
}

size_t LevelPrefix(std::string_view line) {
  size_t close = line.find('>');
  if (close > 4 || !ParseDecimal(line.substr(1, close - 1))) return 0;
  return close + 1;
}

}  // namespace

std::string_view StripConsolePrefix(std::string_view line, std::optional<int64_t>* printk_ts) {
  std::optional<int64_t> unwanted;
  if (!printk_ts) printk_ts = &unwanted;
  // A terminal's carriage returns and a mail's quotes.
  while (!line.empty() && (line[0] == '\r' || line[0] == '>')) {
    line.remove_prefix(1);
    if (line.starts_with(" >") || line.starts_with(" [") || line.starts_with(" <")) line.remove_prefix(1);
  }
  // Each at most once, in any order; the kernel's own text may begin with a bracket again.
  for (int prefixes = 0; prefixes < 5 && !line.empty(); ++prefixes) {
    size_t length = 0;
    if (line[0] == '<') {
      length = LevelPrefix(line);
    } else if (line[0] == '[') {
      length = BracketPrefix(line, printk_ts);
      if (length > 0 && line.substr(length).starts_with(' ')) ++length;
    } else if (line[0] != ' ') {
      length = KmsgPrefix(line, printk_ts);
      if (length == 0) length = FacilityPrefix(line);
      if (length == 0) length = SyslogPrefix(line, printk_ts->has_value());
    } else if (line.starts_with(" [")) {
      length = BracketPrefix(line.substr(1), printk_ts);  // "[   12.345678] [   T12] text" has been cut once
      if (length > 0) length += 1;
    }
    if (length == 0) break;
    line.remove_prefix(length);
  }
  return line;
}

std::string_view StripForeignPrefix(std::string_view line, std::optional<int64_t>* printk_ts) {
  std::optional<int64_t> unwanted;
  if (!printk_ts) printk_ts = &unwanted;
  line = StripConsolePrefix(line, printk_ts);
  if (*printk_ts) return line;
  line.remove_prefix(ForeignPrefix(line, printk_ts));
  if (*printk_ts && line.starts_with(' ')) line.remove_prefix(1);
  return StripConsolePrefix(line);  // the task or cpu that printed
}

namespace {

// Puts the reports of one console log together, line by line.
class ReportReader {
 public:
  explicit ReportReader(ConsoleFacts* facts) : facts_(facts) {}

  void Read(std::string_view raw) {
    ++facts_->lines;
    printk_ts_.reset();
    if (TraceLine dumped; SplitLatencyLine(StripConsolePrefix(raw), &dumped)) {
      ++facts_->dump_events;
      return;
    }
    std::string_view line = StripForeignPrefix(raw, &printk_ts_);
    bool reports = line.find("BUG: ") != std::string_view::npos || IsOfReport(line);
    if (foreign_ > 0 && (open_ || dump_) && !reports) {
      std::string_view rest = line.substr(std::min(foreign_, line.size()));
      if (IsOfReport(rest)) line = rest;
    }
    ReadFacts(line);
    // page:ffffea00002a8000 refcount:0 mapcount:0 mapping:0000000000000000 index:0x7 pfn:0xaa00
    if (line.starts_with("page:") || line.starts_with("head:") || line.starts_with("page: ")) {
      ReadPageLine(line);
      return;
    }
    if (ReadBug(line)) return;
    if (open_ && facts_->lines - open_since_ > kLinesOfOneReport) open_ = false;
    if (open_) ReadReportLine(line);
    if (dump_ && facts_->lines - dump_->line > kLinesOfOneReport) dump_.reset();
    if (dump_) ReadDumpLine(line);
  }

 private:
  ConsoleReport& report() { return facts_->reports.back(); }

  static bool IsOfReport(std::string_view line) {
    constexpr std::string_view kBegin[] = {"page:", "head:", "flags: ", "page dumped because: ", "CPU: "};
    return line.find(" flags: 0x") < 16 ||
           std::any_of(std::begin(kBegin), std::end(kBegin),
                       [&](std::string_view begin) { return line.starts_with(begin); });
  }

  bool ReadBug(std::string_view line) {
    size_t at = line.find("BUG: Bad page state");
    if (at == std::string_view::npos) {
      if (line.starts_with("BUG: ")) open_ = false;
      return false;
    }
    // BUG: Bad page state in process thp mover  pfn:39200
    static const RE2 bad_page(R"(BUG: Bad page state in process (.*?)\s+pfn:([0-9a-f]+))");
    static const RE2 suppressed(R"(BUG: Bad page state: (\d+) messages suppressed)");
    std::string comm;
    std::string digits;
    line.remove_prefix(at);
    foreign_ = at;
    open_ = false;
    dump_.reset();
    if (RE2::PartialMatch(Piece(line), bad_page, &comm, &digits)) {
      auto pfn = ParseHexDigits(digits);
      if (!pfn) return true;
      if (!MayReport()) return true;
      facts_->reports.push_back({.line = facts_->lines,
                                 .kind = "bad_page_state",
                                 .pfn = static_cast<Pfn>(*pfn),
                                 .comm = comm,
                                 .pid = {},
                                 .flags = {},
                                 .reason = {},
                                 .printk_ts = printk_ts_,
                                 .page = {}});
      open_ = true;
      open_since_ = facts_->lines;
    } else if (RE2::PartialMatch(Piece(line), suppressed, &digits)) {
      if (auto count = ParseSigned(digits)) facts_->suppressed = facts_->suppressed.value_or(0) + *count;
    }
    return true;
  }

  // The first line of a page dump: of the open report, or of a VM_BUG_ON_PAGE to come.
  void ReadPageLine(std::string_view line) {
    static const RE2 printed_pfn(R"(\spfn:0x([0-9a-f]+))");
    static const RE2 raw_pointer(R"(^page:(?:0x)?([0-9a-f]{16})\s)");
    std::optional<KernelAddress> page;
    std::string digits;
    if (RE2::PartialMatch(Piece(line), raw_pointer, &digits)) {
      auto address = ParseHexDigits(digits);
      // A hashed pointer fits 32 bits.
      if (address && *address >> 47 != 0) page = static_cast<KernelAddress>(*address);
    }
    if (open_ && !report().page && line.starts_with("page:")) {
      report().page = page;
      return;
    }
    if (!line.starts_with("page:")) return;
    dump_ = ConsoleReport{.line = facts_->lines,
                          .kind = "vm_bug_on_page",
                          .pfn = {},
                          .comm = {},
                          .pid = {},
                          .flags = {},
                          .reason = {},
                          .printk_ts = printk_ts_,
                          .page = page};
    if (RE2::PartialMatch(Piece(line), printed_pfn, &digits)) {
      if (auto pfn = ParseHexDigits(digits)) dump_->pfn = static_cast<Pfn>(*pfn);
    }
  }

  static bool ReadFlags(std::string_view line, std::string* flags) {
    // flags: 0x4fffc00000000080(waiters)     anon flags: 0x...(...)     flags:
    // 0xe0bffe000080(waiters|node=1|...
    static const RE2 pattern(R"(^(?:\w+ )?flags: 0x[0-9a-f]+\()");
    if (!flags->empty() || !RE2::PartialMatch(Piece(line), pattern)) return false;
    *flags = PageFlagNames(line);
    return true;
  }

  void ReadReportLine(std::string_view line) {
    static const RE2 reason(R"(^page dumped because: (.*?)\s*$)");
    std::string why;
    if (ReadFlags(line, &report().flags)) return;
    if (RE2::PartialMatch(Piece(line), reason, &why)) {
      report().reason = why;
    } else if (!report().pid) {
      std::string comm;
      ReadVictim(line, &report().pid, &comm);
    }
  }

  bool MayReport() {
    if (facts_->reports.size() < kMostPageReports) return true;
    ++facts_->reports_left_out;
    return false;
  }

  // A page dump without a BUG line before it: a report once it says VM_BUG_ON, which the kernel does not
  // survive.
  //   page dumped because: VM_BUG_ON_PAGE(page->flags & ((((1UL << 23) - 1) & ~0) | (((...      (may be cut)
  void ReadDumpLine(std::string_view line) {
    constexpr std::string_view kBecause = "page dumped because: ";
    if (ReadFlags(line, &dump_->flags)) return;
    if (!line.starts_with(kBecause)) return;
    std::string_view why = TrimBlanks(line.substr(kBecause.size()));
    if (!why.starts_with("VM_BUG_ON_PAGE(") && !why.starts_with("VM_BUG_ON_FOLIO(")) {
      dump_.reset();
      return;
    }
    dump_->reason = why;
    if (!MayReport()) {
      dump_.reset();
      return;
    }
    facts_->reports.push_back(std::move(*dump_));
    dump_.reset();
    open_ = true;
    open_since_ = facts_->lines;
  }

  // CPU: 2 PID: 69 Comm: thp mover Tainted: G        W          6.1.192 #2
  void ReadVictim(std::string_view line, std::optional<Pid>* pid, std::string* comm) {
    static const RE2 victim(R"(^CPU: \d+ (?:UID: \d+ )?PID: (\d+) Comm: (.*?)(?: Not tainted| Tainted:|$))");
    std::string digits;
    if (!RE2::PartialMatch(Piece(line), victim, &digits, comm)) return;
    if (auto value = ParseDecimal(digits); value && *value <= INT32_MAX)
      *pid = static_cast<Pid>(static_cast<int32_t>(*value));
    if (report().comm.empty()) report().comm = *comm;
  }

  void ReadFacts(std::string_view line) {
    static const RE2 banner(R"(Linux version (\d+\.\d+\S*))");
    std::string word;
    if (!facts_->kernel_release && line.find("Linux version ") != std::string_view::npos &&
        RE2::PartialMatch(Piece(line), banner, &word)) {
      facts_->kernel_release = word;
    }
    // CPU: 3 PID: 1317 Comm: syz-executor0 Not tainted 4.11.0-rc4-00002-g34b0849 #3
    static const RE2 of_victim(R"(^CPU: .* (?:Not tainted|Tainted: [A-Z ]*) *(\d+\.\d+\S*) #)");
    if (!facts_->kernel_release && line.starts_with("CPU: ") &&
        RE2::PartialMatch(Piece(line), of_victim, &word))
      facts_->kernel_release = word;
    if (line.find("(ftrace buffer empty)") != std::string_view::npos) facts_->empty_dump = true;
    if (facts_->machine) return;
    // arm64 boot: "Booting Linux on physical CPU 0x0000000000 [0x411fd070]"; x86: "x86/fpu: ..."
    if (line.find("Booting Linux on physical CPU") != std::string_view::npos) facts_->machine = "aarch64";
    if (line.starts_with("x86/") || line.find("BIOS-e820:") != std::string_view::npos)
      facts_->machine = "x86_64";
  }

  ConsoleFacts* facts_;
  std::optional<int64_t> printk_ts_;
  bool open_ = false;  // lines belong to the last report
  int64_t open_since_ = 0;
  // Characters of a prefix that is not known, before the lines of a report: the kernel begins its first one
  // with "BUG:" (mm/page_alloc.c: bad_page).
  size_t foreign_ = 0;
  std::optional<ConsoleReport> dump_;  // a page dump that may become a report
};

// Kernels before 5.9 print no pfn in a page dump. Where all reports that have both agree on the array of
// struct page, it tells the pfn: page = base + 64 * pfn.
void DerivePfns(std::vector<ConsoleReport>* reports) {
  std::optional<uint64_t> base;
  int pairs = 0;
  for (const ConsoleReport& report : *reports) {
    if (!report.pfn || !report.page) continue;
    uint64_t its_base = Value(*report.page) - 64 * Value(*report.pfn);
    if (base && *base != its_base) return;
    base = its_base;
    ++pairs;
  }
  if (pairs < 2) return;
  for (ConsoleReport& report : *reports) {
    if (report.pfn || !report.page || Value(*report.page) < *base) continue;
    report.pfn = static_cast<Pfn>((Value(*report.page) - *base) / 64);
  }
}

}  // namespace

ConsoleFacts ReadConsoleLog(std::string_view text) {
  ConsoleFacts facts;
  ReportReader reader(&facts);
  Disguise disguise(text);
  ForEachLine(text, [&](std::string_view line) {
    if (disguise.any() && disguise.IsOn(line)) {
      reader.Read(disguise.TakeOff(line));
    } else {
      reader.Read(line);
    }
  });
  DerivePfns(&facts.reports);
  return facts;
}

}  // namespace mmreplay
