#include "report/text_report.h"

#include <fmt/format.h>

#include "replay/text.h"
#include "report/format.h"
#include "report/report_sql.h"

namespace mmreplay {
namespace {

constexpr int64_t kFindingsShown = 25;

std::string Plural(int64_t count, const char* one, const char* many) {
  return CountText(count) + " " + (count == 1 ? one : many);
}

// "toucher/3-67"; in quotes where the comm holds blanks, so that the line can be split at blanks.
std::string Task(std::string_view comm, std::optional<int64_t> pid) {
  std::string task = Printable(comm) + "-" + (pid ? std::to_string(*pid) : "?");
  return task.find_first_of(" \"") == std::string::npos ? task : "\"" + task + "\"";
}

struct Clock {
  bool ticks = false;
  int64_t error = 0;  // see trace.clock_error
};

struct GradeCounts {
  int64_t confirmed = 0;
  int64_t probable = 0;
  int64_t latent = 0;
  int64_t total() const { return confirmed + probable + latent; }
};

GradeCounts CountGrades(const Database& db) {
  GradeCounts counts;
  Statement query(db, ReportSql("grades"));
  while (query.Step()) {
    if (query.Text(0) == "confirmed") counts.confirmed = query.Int(1);
    if (query.Text(0) == "probable") counts.probable = query.Int(1);
    if (query.Text(0) == "latent") counts.latent = query.Int(1);
  }
  return counts;
}

std::string GradeList(const GradeCounts& counts) {
  std::string list;
  auto add = [&](int64_t count, const char* grade) {
    if (count == 0) return;
    if (!list.empty()) list += ", ";
    list += CountText(count) + " " + grade;
  };
  add(counts.confirmed, "confirmed");
  add(counts.probable, "probable");
  add(counts.latent, "latent");
  return list;
}

std::string VerdictLine(const Database& db, const Verdict& verdict) {
  GradeCounts counts = CountGrades(db);
  switch (verdict.ExitCode()) {
    case 1:
      return fmt::format("FOUND: {} on a page that nothing kept alive: {}\n",
                         Plural(counts.total(), "wait", "waits"), GradeList(counts));
    case 2:
      return "NOTHING READ: no event in the input could be read\n";
    case 3:
      if (!verdict.wait_rule_applicable)
        return "CANNOT TELL: no wait function was probed, so no wait can be judged\n";
      if (verdict.unknown_waits > 0) {
        return fmt::format("CANNOT TELL: no finding, but the recording leaves {} open\n",
                           Plural(verdict.unknown_waits, "wait", "waits"));
      }
      return fmt::format("CANNOT TELL: no finding, but events were lost during {}\n",
                         Plural(verdict.waits_in_gaps, "wait", "waits"));
    default:
      return "NO FINDING: every wait in this recording was safe\n";
  }
}

// How sure it is that the page was free when the waiter queued.
std::string OrderText(std::string_view order, std::optional<int64_t> distance, const Clock& clock) {
  if (order == "same cpu") return "same-cpu";
  if (order != "apart" || !distance) return "open";
  return fmt::format("\"{} apart, clock error {}\"", DurationText(*distance, clock.ticks),
                     DurationText(clock.error, clock.ticks));
}

// confirmed wait_on_freed_page waiter=toucher/3-67 releaser=toucher/0-64 pfn=0x39200 freed=5.794279
//   wait=5.801402..5.801475 freed_before_queue order="7.1 ms apart, clock error 1 us"
//   events=2366,2383,2384,2401,2402 kernel="Bad page state in process thp mover (waiters), console line 329"
void AppendFindings(const Database& db, const Clock& clock, std::string* out) {
  Statement query(db, ReportSql("wait findings"));
  GradeCounts shown;
  while (shown.total() < kFindingsShown && query.Step()) {
    std::string_view grade = query.Text(0);
    shown.confirmed += grade == "confirmed";
    shown.probable += grade == "probable";
    shown.latent += grade == "latent";
    std::string line =
        fmt::format("{} {} waiter={}", grade, query.Text(1), Task(query.Text(2), query.OptionalInt(3)));
    std::string_view outcome = query.Text(14);
    bool freed = outcome.starts_with("freed") || outcome == "reused";
    if (freed) line += " releaser=" + Task(query.Text(4), query.OptionalInt(5));
    line += " pfn=" + (query.IsNull(6) ? "?" : HexText(static_cast<uint64_t>(query.Int(6))));
    if (freed) line += " freed=" + TimeText(query.OptionalInt(7), clock.ticks);
    line += " wait=" + TimeText(query.OptionalInt(8), clock.ticks) + ".." +
            TimeText(query.OptionalInt(9), clock.ticks);
    line += " " + std::string(outcome);
    if (outcome == "freed_before_queue")
      line += " order=" + OrderText(query.Text(15), query.OptionalInt(16), clock);
    line += " events=" + std::string(query.Text(10));
    if (!query.IsNull(11)) {
      std::string_view what = query.Text(17) == "vm_bug_on_page" ? "VM_BUG_ON_PAGE" : "Bad page state";
      line += fmt::format(" kernel=\"{} in process {} ({}), console line {}\"", what,
                          Printable(query.Text(11)), Printable(query.Text(12)), query.Int(13));
    }
    *out += line + "\n";
  }
  GradeCounts all = CountGrades(db);
  GradeCounts rest{all.confirmed - shown.confirmed, all.probable - shown.probable, all.latent - shown.latent};
  if (rest.total() > 0)
    *out += fmt::format("... and {} more: {}\n", CountText(rest.total()), GradeList(rest));
}

void AppendWaits(const Database& db, std::string* out) {
  std::string classes;
  int64_t total = 0;
  Statement query(db, ReportSql("wait classes"));
  while (query.Step()) {
    std::string_view verdict = query.Text(0);
    total += query.Int(4);
    classes += fmt::format("  {:>9} {:>7}  {}: {}", verdict == "benign" ? "legal" : verdict,
                           CountText(query.Int(4)), Printable(query.Text(1)), query.Text(2));
    if (!query.Text(3).empty()) classes += fmt::format(" ({})", query.Text(3));
    classes += "\n";
  }
  *out += fmt::format("\nwaits: {}\n{}", CountText(total), classes);
}

void AppendMissing(const Database& db, std::string* out) {
  Statement query(db, ReportSql("missing"));
  while (query.Step()) *out += fmt::format("not applicable: {}: record {}\n", query.Text(0), query.Text(1));
}

void AppendModel(const Database& db, std::string* out) {
  Statement trace(db, ReportSql("fidelity"));
  if (!trace.Step()) return;
  int64_t anchors = trace.Int(0);
  int64_t matched = trace.Int(1);
  if (anchors == 0) {
    *out += "replay: reference counts not applicable (no reference events)\n";
  } else {
    // Hundredths of a percent, rounded down: 100.00 means all of them.
    int64_t share = matched * 10000 / anchors;
    *out += fmt::format("replay: {} of {} certain reference counts predicted ({}.{:02} %)",
                        CountText(matched), CountText(anchors), share / 100, share % 100);
    if (!trace.IsNull(2))
      *out += fmt::format("; first miss at event {}, line {}", trace.Int(2), trace.Int(3));
    *out += "\n";
  }
  std::string anomalies;
  Statement query(db, ReportSql("anomalies"));
  while (query.Step())
    anomalies +=
        fmt::format("{} {} {}", anomalies.empty() ? "" : ",", query.Text(0), CountText(query.Int(1)));
  if (!anomalies.empty()) *out += "anomalies:" + anomalies + "\n";
}

void AppendInput(const Database& db, const Clock& clock, std::string* out) {
  Statement trace(db, ReportSql("input"));
  if (!trace.Step()) return;
  *out += fmt::format("input: {}, {}", Printable(trace.Text(0)), trace.Text(1));
  if (!trace.IsNull(2)) *out += ", kernel " + Printable(trace.Text(2));
  if (!trace.IsNull(3)) *out += ", " + Printable(trace.Text(3));
  *out += fmt::format("\nlines: {} = {} + {} + {} + {} + {} rejected\n", CountText(trace.Int(4)),
                      Plural(trace.Int(5), "event", "events"), Plural(trace.Int(6), "comment", "comments"),
                      Plural(trace.Int(7), "continuation", "continuations"),
                      Plural(trace.Int(8), "marker", "markers"), CountText(trace.Int(9)));

  Statement gaps(db, ReportSql("gaps"));
  int64_t more = 0;
  for (int64_t shown = 1; gaps.Step(); ++shown) {
    std::string from = gaps.IsNull(1) ? "the beginning" : TimeText(gaps.OptionalInt(1), clock.ticks);
    std::string to = gaps.IsNull(2) ? "the end" : TimeText(gaps.OptionalInt(2), clock.ticks);
    std::string lost = gaps.IsNull(3) ? "events" : Plural(gaps.Int(3), "event", "events");
    *out += fmt::format("gap: {} of cpu {} lost from {} to {}\n", lost, gaps.Int(0), from, to);
    more = gaps.Int(4) - shown;
  }
  if (more > 0) *out += fmt::format("gap: ... and {} more\n", CountText(more));

  Statement issues(db, ReportSql("issues"));
  while (issues.Step()) {
    *out += fmt::format("{}: {}", issues.Text(0), Printable(issues.Text(2)));
    std::string times = issues.Int(1) > 1 ? fmt::format(", {} times", CountText(issues.Int(1))) : "";
    if (!issues.IsNull(3)) *out += fmt::format(" (line {}{})", issues.Int(3), times);
    *out += "\n";
  }
}

}  // namespace

int Verdict::ExitCode() const {
  if (events == 0) return 2;
  if (findings > 0) return 1;
  if (!wait_rule_applicable || unknown_waits > 0 || waits_in_gaps > 0) return 3;
  return 0;
}

Verdict ReadVerdict(const Database& database) {
  Statement query(database, ReportSql("verdict"));
  Verdict verdict;
  if (!query.Step()) return verdict;
  verdict.events = query.Int(0);
  verdict.findings = query.Int(1);
  verdict.wait_rule_applicable = query.Int(2) > 0;
  verdict.unknown_waits = query.Int(3);
  verdict.waits_in_gaps = query.Int(4);
  return verdict;
}

std::string TextReport(const Database& database) {
  Statement query(database, ReportSql("clock"));
  Clock clock;
  if (query.Step()) clock = {query.Int(0) != 0, query.Int(1)};
  std::string out = VerdictLine(database, ReadVerdict(database));
  AppendFindings(database, clock, &out);
  AppendMissing(database, &out);
  AppendWaits(database, &out);
  AppendModel(database, &out);
  AppendInput(database, clock, &out);
  return out;
}

}  // namespace mmreplay
