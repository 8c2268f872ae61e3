#include "parser/console_log.h"

#include <re2/re2.h>

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

std::string_view StripPrintkPrefix(std::string_view line, std::optional<int64_t>* printk_ts) {
  for (;;) {
    if (line.starts_with('<')) {
      size_t close = line.find('>');
      if (close == std::string_view::npos || close > 4 || !ParseDecimal(line.substr(1, close - 1)))
        return line;
      line.remove_prefix(close + 1);
    } else if (line.starts_with('[')) {
      size_t close = line.find(']');
      if (close == std::string_view::npos || close > 24) return line;
      std::string_view inside = TrimBlanks(line.substr(1, close - 1));
      // [   T12] task or [    C1] cpu that printed (CONFIG_PRINTK_CALLER)
      bool caller = (inside.starts_with('T') || inside.starts_with('C')) && ParseDecimal(inside.substr(1));
      auto ts = ParseTimeStamp(inside);
      if (!caller && (!ts || ts->is_ticks)) return line;
      if (ts && !caller && !*printk_ts) *printk_ts = ts->value;
      line.remove_prefix(close + 1);
      if (line.starts_with(' ')) line.remove_prefix(1);
    } else {
      return line;
    }
  }
}

ConsoleFacts ReadConsoleLog(std::string_view text) {
  // BUG: Bad page state in process thp mover  pfn:39200
  static const RE2 bad_page(R"(^BUG: Bad page state in process (.*?)\s+pfn:([0-9a-f]+))");
  static const RE2 suppressed(R"(^BUG: Bad page state: (\d+) messages suppressed)");
  // flags: 0x4fffc00000000080(waiters)     anon flags: 0x...(...)
  static const RE2 flags(R"(^(?:\w+ )?flags: 0x[0-9a-f]+\()");
  static const RE2 reason(R"(^page dumped because: (.*?)\s*$)");
  // CPU: 2 PID: 69 Comm: thp mover Tainted: G        W          6.1.192 #2
  static const RE2 victim(R"(^CPU: \d+ (?:UID: \d+ )?PID: (\d+) Comm: )");
  static const RE2 banner(R"(Linux version (\d+\.\d+\S*))");

  ConsoleFacts facts;
  ConsoleReport* open = nullptr;
  ForEachLine(text, [&](std::string_view raw) {
    ++facts.lines;
    std::optional<int64_t> printk_ts;
    std::string_view line = StripPrintkPrefix(raw, &printk_ts);

    std::string comm;
    std::string digits;
    if (RE2::PartialMatch(Piece(line), bad_page, &comm, &digits)) {
      auto pfn = ParseHexDigits(digits);
      if (!pfn) return;
      facts.reports.push_back({.line = facts.lines,
                               .kind = "bad_page_state",
                               .pfn = static_cast<Pfn>(*pfn),
                               .comm = comm,
                               .pid = {},
                               .flags = {},
                               .reason = {},
                               .printk_ts = printk_ts});
      open = &facts.reports.back();
      return;
    }
    if (line.starts_with("BUG: ")) {
      open = nullptr;
      if (RE2::PartialMatch(Piece(line), suppressed, &digits)) {
        if (auto count = ParseSigned(digits)) facts.suppressed = facts.suppressed.value_or(0) + *count;
      }
      return;
    }
    if (open && facts.lines - open->line > kLinesOfOneReport) open = nullptr;
    if (open) {
      std::string why;
      std::string pid;
      if (open->flags.empty() && RE2::PartialMatch(Piece(line), flags)) {
        open->flags = PageFlagNames(line);
      } else if (RE2::PartialMatch(Piece(line), reason, &why)) {
        open->reason = why;
      } else if (!open->pid && RE2::PartialMatch(Piece(line), victim, &pid)) {
        if (auto value = ParseDecimal(pid); value && *value <= INT32_MAX)
          open->pid = static_cast<Pid>(static_cast<int32_t>(*value));
      }
    }
    std::string word;
    if (!facts.kernel_release && line.find("Linux version ") != std::string_view::npos &&
        RE2::PartialMatch(Piece(line), banner, &word)) {
      facts.kernel_release = word;
    }
    if (!facts.machine) {
      // arm64 boot: "Booting Linux on physical CPU 0x0000000000 [0x411fd070]"; x86: "x86/fpu: ..."
      if (line.find("Booting Linux on physical CPU") != std::string_view::npos) facts.machine = "aarch64";
      if (line.starts_with("x86/") || line.find("BIOS-e820:") != std::string_view::npos)
        facts.machine = "x86_64";
    }
  });
  return facts;
}

}  // namespace mmreplay
