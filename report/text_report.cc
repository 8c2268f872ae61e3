#include "report/text_report.h"

#include <fmt/format.h>

#include "replay/text.h"
#include "report/format.h"

namespace mmreplay {
namespace {

constexpr int64_t kFindingsShown = 25;

int64_t Scalar(const Database& db, std::string_view sql) {
  Statement statement(db, sql);
  return statement.Step() ? statement.Int(0) : 0;
}

std::string Plural(int64_t count, const char* one, const char* many) {
  return CountText(count) + " " + (count == 1 ? one : many);
}

std::string Task(std::string_view comm, std::optional<int64_t> pid) {
  return Printable(comm) + "-" + (pid ? std::to_string(*pid) : "?");
}

struct GradeCounts {
  int64_t confirmed = 0;
  int64_t probable = 0;
  int64_t latent = 0;
  int64_t total() const { return confirmed + probable + latent; }
};

GradeCounts CountGrades(const Database& db) {
  GradeCounts counts;
  Statement query(db, "SELECT grade, count(*) FROM findings GROUP BY grade");
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

// confirmed wait_on_freed_page waiter=toucher/3-67 releaser=toucher/0-64 pfn=0x39200 freed=5.794279
//   wait=5.801377..5.801473 events=2337,2351,2354 kernel="Bad page state in process thp mover (waiters)"
void AppendFindings(const Database& db, bool ticks, std::string* out) {
  Statement query(
      db,
      "SELECT f.grade, f.rule, w.comm, w.pid, x.death_comm, x.death_pid, w.pfn, x.death_ts, w.begin_ts, "
      "  w.end_ts, "
      "  (SELECT group_concat(event_id) FROM (SELECT event_id FROM finding_events "
      "     WHERE finding_id = f.id ORDER BY event_id)), "
      "  r.comm, r.flags, r.line, w.outcome, x.event_order, x.order_ns "
      "FROM findings f JOIN page_waits w ON w.id = f.subject_id "
      "JOIN page_wait_evidence x ON x.wait_id = w.id "
      "LEFT JOIN console_reports r ON r.id = x.report_id AND w.outcome LIKE 'freed%' "
      "WHERE f.subject = 'page_waits' "
      "ORDER BY f.grade <> 'confirmed', f.grade <> 'probable', w.begin_event");
  GradeCounts shown;
  int64_t lines = 0;
  while (query.Step() && lines < kFindingsShown) {
    ++lines;
    std::string_view grade = query.Text(0);
    shown.confirmed += grade == "confirmed";
    shown.probable += grade == "probable";
    shown.latent += grade == "latent";
    std::string line =
        fmt::format("{} {} waiter={}", grade, query.Text(1), Task(query.Text(2), query.OptionalInt(3)));
    bool freed = query.Text(14).starts_with("freed") || query.Text(14) == "reused";
    if (freed) line += " releaser=" + Task(query.Text(4), query.OptionalInt(5));
    line += " pfn=" + (query.IsNull(6) ? "?" : HexText(static_cast<uint64_t>(query.Int(6))));
    if (freed) line += " freed=" + TimeText(query.OptionalInt(7), ticks);
    line += " wait=" + TimeText(query.OptionalInt(8), ticks) + ".." + TimeText(query.OptionalInt(9), ticks);
    line += " " + std::string(query.Text(14));
    if (freed && query.Text(15) == "open") line += " order=open";
    line += " events=" + std::string(query.Text(10));
    if (!query.IsNull(11)) {
      line += fmt::format(" kernel=\"Bad page state in process {} ({}), console line {}\"",
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
  int64_t total = Scalar(db, "SELECT count(*) FROM page_waits");
  *out += fmt::format("\nwaits: {}\n", CountText(total));
  // Legal waits by why they are, unknown ones by what is missing.
  Statement query(
      db,
      "SELECT w.verdict, w.function, x.reason, w.outcome, count(*) AS n "
      "FROM page_waits w JOIN page_wait_evidence x ON x.wait_id = w.id "
      "GROUP BY CASE w.verdict WHEN 'benign' THEN 'legal' WHEN 'unknown' THEN 'unknown' ELSE w.verdict END, "
      "  w.function, x.reason, CASE WHEN w.verdict IN ('benign', 'unknown') THEN '' ELSE w.outcome END "
      "ORDER BY CASE w.verdict WHEN 'confirmed' THEN 0 WHEN 'probable' THEN 1 WHEN 'latent' THEN 2 "
      "  WHEN 'unknown' THEN 3 ELSE 4 END, n DESC, w.function, x.reason, w.outcome");
  while (query.Step()) {
    std::string_view verdict = query.Text(0);
    std::string label(verdict == "benign" ? "legal" : verdict);
    std::string line = fmt::format("  {:>9} {:>7}  {}: {}", label, CountText(query.Int(4)),
                                   Printable(query.Text(1)), query.Text(2));
    if (verdict != "benign" && verdict != "unknown") line += fmt::format(" ({})", query.Text(3));
    *out += line + "\n";
  }
}

void AppendMissing(const Database& db, std::string* out) {
  Statement query(db, "SELECT rule, missing FROM rule_results WHERE NOT applicable ORDER BY rule");
  while (query.Step()) {
    *out += fmt::format("not applicable: {}: record {}\n", query.Text(0), query.Text(1));
  }
}

void AppendModel(const Database& db, std::string* out) {
  Statement trace(db,
                  "SELECT t.ref_anchors, t.ref_anchors_matched, b.ref_first_mismatch, "
                  "  (SELECT line FROM events WHERE id = b.ref_first_mismatch) "
                  "FROM traces t JOIN trace b ON b.id = t.id");
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
  int64_t anomalies = Scalar(db, "SELECT count(*) FROM anomalies");
  if (anomalies > 0) {
    *out += "anomalies:";
    Statement query(db, "SELECT invariant, count(*) FROM anomalies GROUP BY 1 ORDER BY 1");
    bool first = true;
    while (query.Step()) {
      *out += fmt::format("{} {} {}", first ? "" : ",", query.Text(0), CountText(query.Int(1)));
      first = false;
    }
    *out += "\n";
  }
}

void AppendInput(const Database& db, bool ticks, std::string* out) {
  Statement trace(db,
                  "SELECT path, format, kernel_release, machine, lines_total, lines_events, lines_comments, "
                  "  lines_continuations, lines_markers, lines_rejected FROM traces");
  if (!trace.Step()) return;
  *out += fmt::format("input: {}, {}", Printable(trace.Text(0)), trace.Text(1));
  if (!trace.IsNull(2)) *out += ", kernel " + Printable(trace.Text(2));
  if (!trace.IsNull(3)) *out += ", " + Printable(trace.Text(3));
  *out += fmt::format("\nlines: {} = {} + {} + {} + {} + {} rejected\n", CountText(trace.Int(4)),
                      Plural(trace.Int(5), "event", "events"), Plural(trace.Int(6), "comment", "comments"),
                      Plural(trace.Int(7), "continuation", "continuations"),
                      Plural(trace.Int(8), "marker", "markers"), CountText(trace.Int(9)));

  Statement gaps(db, "SELECT cpu, from_ts, to_ts, lost FROM gaps ORDER BY cpu, from_ts LIMIT 8");
  int64_t shown = 0;
  while (gaps.Step()) {
    ++shown;
    std::string from = gaps.IsNull(1) ? "the beginning" : TimeText(gaps.OptionalInt(1), ticks);
    std::string to = gaps.IsNull(2) ? "the end" : TimeText(gaps.OptionalInt(2), ticks);
    std::string lost = gaps.IsNull(3) ? "events" : Plural(gaps.Int(3), "event", "events");
    *out += fmt::format("gap: {} of cpu {} lost from {} to {}\n", lost, gaps.Int(0), from, to);
  }
  int64_t all_gaps = Scalar(db, "SELECT count(*) FROM gaps");
  if (all_gaps > shown) *out += fmt::format("gap: ... and {} more\n", CountText(all_gaps - shown));

  Statement issues(db, "SELECT severity, count, text, first_line FROM trace_issues ORDER BY rowid");
  while (issues.Step()) {
    *out += fmt::format("{}: {}", issues.Text(0), Printable(issues.Text(2)));
    if (!issues.IsNull(3))
      *out += fmt::format(" (line {}", issues.Int(3)) +
              (issues.Int(1) > 1 ? fmt::format(", {} times)", CountText(issues.Int(1))) : ")");
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
  Verdict verdict;
  verdict.events = Scalar(database, "SELECT lines_events FROM traces");
  verdict.findings = Scalar(
      database, "SELECT coalesce(sum(findings), 0) FROM rule_results WHERE severity IN ('error', 'warning')");
  verdict.wait_rule_applicable =
      Scalar(database, "SELECT count(*) FROM rule_results WHERE rule = 'wait_on_freed_page' AND applicable") >
      0;
  verdict.unknown_waits = Scalar(database, "SELECT count(*) FROM page_waits WHERE verdict = 'unknown'");
  verdict.waits_in_gaps = Scalar(database, "SELECT count(*) FROM page_wait_evidence WHERE gap");
  return verdict;
}

std::string TextReport(const Database& database) {
  Verdict verdict = ReadVerdict(database);
  bool ticks = Scalar(database, "SELECT clock_unit = 'ticks' FROM traces") != 0;
  std::string out = VerdictLine(database, verdict);
  AppendFindings(database, ticks, &out);
  AppendMissing(database, &out);
  AppendWaits(database, &out);
  AppendModel(database, &out);
  AppendInput(database, ticks, &out);
  return out;
}

}  // namespace mmreplay
