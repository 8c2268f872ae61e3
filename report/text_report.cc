#include "report/text_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/content.h"
#include "report/evidence.h"

namespace mmreplay {
namespace {

constexpr size_t kGroupsDrawn = 3;
constexpr size_t kListed = 10;  // gaps

std::string InQuotes(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\\x22") : std::string(1, c);
  return quoted + "\"";
}

// In quotes where it holds blanks, so that the line can be split at blanks.
std::string Quoted(const std::string& text) {
  return text.find_first_of(" \"") == std::string::npos ? text : InQuotes(text);
}

// Words carry the meaning, colours only help the eye: vermilion, yellow and blue differ for everybody.
std::string Coloured(const std::string& text, int exit_code, TextStyle style) {
  return Inked(text, exit_code == 1 ? Ink::kRed : exit_code == 0 ? Ink::kBlue : Ink::kYellow, style);
}

void WriteGroups(const ReportContent& content, TextStyle style, const WriteFn& write) {
  for (size_t i = 0; i < content.groups.size() && i < kGroupsDrawn; ++i)
    WriteGroup(content.groups[i], content.clock, style, write);
  if (content.groups.size() > kGroupsDrawn)
    write(fmt::format("\n... and {}: mmreplay query DB @groups\n",
                      Plural(static_cast<int64_t>(content.groups.size() - kGroupsDrawn), "further cause",
                             "further causes")));
}

void WriteFindings(const Database& database, const ReportContent& content, const WriteFn& write) {
  if (content.grades.total() == 0) return;
  write("\n");
  GradeCounts rest = content.grades;
  int64_t shown = 0;
  ForEachFinding(database, [&](const Finding& finding) {
    write(FindingLine(finding, content.clock));
    rest.Add(finding.grade, -1);
    return ++shown < std::min(kFindingsShown, content.grades.total());
  });
  if (rest.total() > 0)
    write(fmt::format("... and {} more: {} (mmreplay query DB @findings)\n", CountText(rest.total()),
                      rest.Text()));
}

//   84 legal      migration_entry_wait_on_locked in pmd_migration_entry_wait: queues while the lock is held
//                   mm/filemap.c:migration_entry_wait_on_locked, 5.17 and later: ...
void WriteWaits(const ReportContent& content, const WriteFn& write) {
  write(fmt::format("\nwaits on pages: {}\n", CountText(content.verdict.waits)));
  for (const WaitClass& waits : content.waits) {
    bool legal = waits.verdict == "benign";
    std::string place = waits.function;
    if (!waits.caller.empty() && waits.caller != waits.function) place += " in " + waits.caller;
    std::string outcome = waits.outcome.empty() ? "" : " (" + waits.outcome + ")";
    write(Wrap(fmt::format("{:>6} {:<9} {}: {}{}", CountText(waits.count), legal ? "legal" : waits.verdict,
                           place, waits.reason, outcome),
               0, 17));
    if (legal && !waits.contract.empty()) write(Wrap(waits.contract, 19, 19));
  }
}

// near-miss wait_on_freed_page waiter=toucher/1-71 pfn=0x28000 wait=3.1..3.2 woken_alive
//   step="holds no reference" fails: reference taken under the page-table lock, event 2384, line 2396
void WriteNearMisses(const Database& database, const ReportContent& content, const WriteFn& write) {
  int64_t count = 0;
  std::string shown;
  ForEachNearMiss(database, [&](const NearMiss& miss) {
    if (++count > kFindingsShown) return true;
    shown +=
        fmt::format("near-miss wait_on_freed_page waiter={} pfn={} wait={}..{} {} step={} fails: {}",
                    Quoted(TaskText(miss.comm, miss.pid)), PfnText(miss.pfn),
                    TimeText(miss.begin_ts, content.clock.ticks), TimeText(miss.end_ts, content.clock.ticks),
                    Printable(miss.outcome), InQuotes(Printable(miss.step)), Printable(miss.reason));
    if (miss.event) shown += fmt::format(", event {}, line {}", *miss.event, miss.line.value_or(0));
    shown += "\n";
    return true;
  });
  write(fmt::format("\nnear misses: {} matched all of wait_on_freed_page but one step\n",
                    Plural(count, "wait", "waits")));
  write(shown);
  if (count > kFindingsShown)
    write(
        fmt::format("... and {} more (mmreplay query DB @near_misses)\n", CountText(count - kFindingsShown)));
}

// also seen (info): 24 migration_aborted, 1 long_ptl_hold (mmreplay query DB @findings)
void WriteAlsoSeen(const ReportContent& content, const WriteFn& write) {
  if (content.also_seen.empty()) return;
  std::string list;
  for (const AlsoSeen& seen : content.also_seen)
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", CountText(seen.findings), seen.rule);
  write("\n" + Wrap("also seen (info): " + list + " (mmreplay query DB @findings)", 0, 2));
}

// "page_waits all_events" without the latter, which another order of the events would give.
std::string MissingBesidesOrder(std::string missing) {
  for (std::string_view order : {" all_events", "all_events ", "all_events"}) {
    if (size_t at = missing.find(order); at != std::string::npos) missing.erase(at, order.size());
  }
  return missing;
}

// Without wait_on_freed_page nothing is judged, so what it misses is said; the others are named.
void WriteNotApplicable(const ReportContent& content, const WriteFn& write) {
  std::string others;
  bool blinded = false;
  for (const RuleAnswer& rule : content.rules) {
    if (rule.applicable) continue;
    std::string missing = content.verdict.in_disorder ? MissingBesidesOrder(rule.missing) : rule.missing;
    if (missing.empty() || missing.find("all_events") != std::string::npos) {
      blinded = true;
    } else if (rule.rule == "wait_on_freed_page") {
      write(Wrap(fmt::format("not applicable: {}: record {}", rule.rule, missing), 0, 2));
    } else {
      others += (others.empty() ? "" : ", ") + rule.rule;
    }
  }
  if (blinded && content.verdict.in_disorder) {
    write(
        Wrap("not judged: events are not in the order they were recorded in; analyze each recording by "
             "itself, as the kernel wrote it",
             0, 2));
  } else if (blinded) {
    write(Wrap(
        "not judged: events that decide were left out, such as a reference taken; analyze without --event, "
        "--comm, --pid and --cpu for a verdict (--time leaves one), and with more --max-memory where it is "
        "among the issues",
        0, 2));
  }
  if (!others.empty())
    write(Wrap("not applicable to what was recorded: " + others + " (mmreplay query DB @rules)", 0, 2));
}

void WriteNotShown(const ReportContent& content, const WriteFn& write) {
  if (content.not_shown.empty()) return;
  write("\nnot in this recording\n");
  for (const NotShown& missing : content.not_shown)
    write(
        Wrap(fmt::format("{}: {}. To see it: {}", missing.what, missing.consequence, missing.record), 2, 4));
}

std::string CountList(const std::vector<CountedName>& counts) {
  std::string list;
  for (const CountedName& count : counts)
    list += (list.empty() ? "" : ", ") + Printable(count.name) + " " + CountText(count.count);
  return list;
}

void WriteModel(const ReportContent& content, const WriteFn& write) {
  const Fidelity& fidelity = content.fidelity;
  if (fidelity.anchors == 0) {
    write("\nreplay: reference counts not applicable (no reference events)\n");
  } else {
    write("\n" + Wrap("replay: " + FidelityText(fidelity), 0, 2));
  }
  if (!content.anomalies.empty())
    write("anomalies: " + CountList(content.anomalies) + " (mmreplay query DB @anomalies)\n");
  if (!content.migrations.empty()) write("migrations: " + CountList(content.migrations) + "\n");
  if (content.reports > 0) write(fmt::format("kernel reports on pages: {}\n", CountText(content.reports)));
}

void WriteInput(const ReportContent& content, const WriteFn& write) {
  const InputFacts& input = content.input;
  std::string line = fmt::format("input: {}, {}", input.path, input.format);
  if (!input.kernel_release.empty()) line += ", kernel " + input.kernel_release;
  if (!input.machine.empty()) line += ", " + input.machine;
  if (!content.clock.name.empty()) line += ", clock " + content.clock.name;
  write(Printable(line) + "\n");
  write(fmt::format("lines: {} = {} + {} + {} + {} + {} rejected\n", CountText(input.lines),
                    Plural(input.events, "event", "events"), Plural(input.comments, "comment", "comments"),
                    Plural(input.continuations, "continuation", "continuations"),
                    Plural(input.markers, "marker", "markers"), CountText(input.rejected)));
  if (std::string kept = KeptText(content); !kept.empty()) write(Wrap("events: " + Printable(kept), 0, 2));
  const Losses& losses = content.losses;
  for (size_t i = 0; i < losses.first.size() && i < kListed; ++i)
    write("gap: " + GapText(losses.first[i], content.clock.ticks) + "\n");
  if (int64_t more = losses.gaps - static_cast<int64_t>(kListed); more > 0)
    write(fmt::format("gap: ... and {} more (mmreplay query DB @loss)\n", CountText(more)));
  for (const Issue& issue : content.issues) {
    if (IsFilterIssue(issue)) continue;
    std::string where = issue.first_line ? fmt::format("line {}", *issue.first_line) : "";
    if (issue.first_line && issue.count > 1) where += fmt::format(", {} times", CountText(issue.count));
    write(Wrap(fmt::format("{}: {}{}", issue.severity, issue.text, where.empty() ? "" : " (" + where + ")"),
               0, 2));
  }
}

}  // namespace

void WriteGroup(const FindingGroup& group, const TraceClock& clock, TextStyle style, const WriteFn& write) {
  std::string counts = fmt::format("{}; {}, {}", group.grades.Text(), Plural(group.pages, "page", "pages"),
                                   Plural(group.tasks, "task", "tasks"));
  if (!group.functions.empty()) counts += "; in " + group.functions;
  write("\n" + Wrap(group.rule + ": " + group.summary, 0, 2));
  write(Wrap(counts, 2, 4));
  if (group.strongest) write("\n" + DrawDiagram(*group.strongest, clock, style));
  if (!group.strongest_summary.empty()) write(Wrap(group.strongest_summary, 2, 4));
  for (const EvidenceLine& line : group.lines) {
    write(
        fmt::format("    {} (event {}, line {})\n", Printable(line.role), line.event.event, line.event.line));
    write(Wrap(line.event.Original(), 6, 8));
  }
  write(Wrap("why it matters: " + group.why, 2, 4));
  if (!group.contract.empty()) write(Wrap("kernels: " + group.contract, 2, 4));
  write(Wrap("reference: " + group.reference, 2, 4));
}

// confirmed wait_on_freed_page waiter=toucher/3-67 releaser=toucher/0-64 pfn=0x39200 freed=5.794279
//   wait=5.801402..5.801475 freed_before_queue order="7.1 ms apart, clock error 1 us"
//   events=2366,2383,2384,2401,2402 kernel="BUG: Bad page state in process thp mover ..."
std::string FindingLine(const Finding& finding, const TraceClock& clock) {
  std::string line = finding.grade + " " + finding.rule;
  std::string task = Quoted(TaskText(finding.comm, finding.pid));
  if (finding.wait) {
    const WaitOfFinding& wait = *finding.wait;
    line += " waiter=" + task;
    if (wait.freed) line += " releaser=" + Quoted(TaskText(wait.releaser_comm, wait.releaser_pid));
    line += " pfn=" + PfnText(finding.pfn);
    if (wait.freed) line += " freed=" + TimeText(wait.freed_ts, clock.ticks);
    line += fmt::format(" wait={}..{} {}", TimeText(wait.begin_ts, clock.ticks),
                        TimeText(wait.end_ts, clock.ticks), wait.outcome);
    if (wait.outcome == "freed_before_queue") line += " order=" + Quoted(OrderText(wait, clock));
  } else {
    line += " task=" + task;
    if (finding.pfn) line += " pfn=" + PfnText(finding.pfn);
    line += " " + finding.subject + "=" + std::to_string(finding.subject_id);
  }
  line += " events=";
  for (size_t i = 0; i < finding.evidence.size(); ++i)
    line += (i ? "," : "") + std::to_string(finding.evidence[i].event);
  if (!finding.wait) line += " summary=" + Quoted(Printable(finding.summary));
  if (finding.kernel)
    line += " kernel=" + InQuotes(fmt::format("{}, console line {}", KernelReportText(*finding.kernel),
                                              finding.kernel->line));
  return Printable(line) + "\n";
}

void WriteBelowFindings(const Database& database, const ReportContent& content, bool near_misses,
                        const WriteFn& write) {
  WriteWaits(content, write);
  if (near_misses) WriteNearMisses(database, content, write);
  WriteAlsoSeen(content, write);
  WriteNotApplicable(content, write);
  WriteNotShown(content, write);
  WriteModel(content, write);
  WriteInput(content, write);
}

void WriteTextReport(const Database& database, const ReportContent& content, TextStyle style,
                     bool near_misses, const WriteFn& write) {
  write(Coloured(VerdictText(content), content.verdict.ExitCode(), style) + "\n");
  if (AllWaitsAreSafe(content)) write(Wrap(kSafeWaits, 2, 2));
  WriteGroups(content, style, write);
  WriteFindings(database, content, write);
  WriteBelowFindings(database, content, near_misses, write);
}

}  // namespace mmreplay
