// A triage as JSON lines: a row per log as it is done, then one per group, then the summary.
#include "report/json_values.h"
#include "report/triage_formats.h"

namespace mmreplay {
namespace {

Json Row(const char* kind) {
  return {{"format", kTriageFormat}, {"version", kTriageVersion}, {"row", kind}};
}

std::string Line(const Json& row) {
  return Dump(row) + "\n";
}

}  // namespace

std::string LogRow(const TriageLog& one, const LogWeight& weight) {
  const FleetLog& log = one.log;
  Json row = Row("log");
  row["path"] = log.path;
  row["status"] = LogStatusName(log.status);
  row["reason"] = OrNull(log.reason);
  row["input"] = OrNull(log.format);
  row["kernel_release"] = OrNull(log.kernel_release);
  row["machine"] = OrNull(log.machine);
  row["files"] = log.files;
  row["files_unused"] = log.files_unused;
  row["lines"] = OrNull(log.lines);
  row["events"] = OrNull(log.events);
  row["rejected"] = OrNull(log.rejected);
  row["waits"] = OrNull(log.waits);
  row["unknown_waits"] = OrNull(log.unknown_waits);
  row["failing"] = ToJson(weight.failing);
  row["known"] = weight.known;
  row["suppressed"] = weight.suppressed;
  row["info"] = weight.info;
  row["findings"] = Json::array();
  for (const TriageShare& share : one.shares) {
    row["findings"].push_back({{"fingerprint", share.fingerprint},
                               {"rule", share.rule},
                               {"severity", share.severity},
                               {"grade", share.grade},
                               {"function", OrNull(share.function)},
                               {"count", share.count},
                               {"path", OrNull(share.path)},
                               {"line", OrNull(share.line)}});
  }
  return Line(row);
}

std::string GroupRow(const Triage& triage, const TriageGroup& group) {
  Json row = Row("group");
  row["fingerprint"] = group.fingerprint;
  row["state"] = GroupStateName(group.state);
  row["grade"] = group.HighestGrade();
  row["baseline_grade"] = OrNull(group.baseline_grade);
  row["rule"] = group.rule;
  row["severity"] = group.severity;
  row["summary"] = triage.SummaryOf(group.rule);
  row["logs"] = group.logs;
  row["findings"] = ToJson(group.grades);
  row["suppressed"] = ToJson(group.suppressed);
  row["functions"] = group.functions;
  row["kernels"] = group.kernels;
  row["machines"] = group.machines;
  row["inputs"] = group.inputs;
  row["example"] = {{"log", group.example_log},
                    {"path", OrNull(group.example_path)},
                    {"line", OrNull(group.example_line)},
                    {"summary", group.example_summary}};
  return Line(row);
}

std::string SummaryRow(const Triage& triage) {
  const TriageCounts& counts = triage.counts();
  Json row = Row("summary");
  row["exit_code"] = triage.ExitCode();
  row["logs"] = {{"total", counts.logs},
                 {"found", counts.of(LogStatus::kFound)},
                 {"clean", counts.of(LogStatus::kClean)},
                 {"cannot tell", counts.of(LogStatus::kCannotTell)},
                 {"unreadable", counts.of(LogStatus::kUnreadable)},
                 {"failed", counts.of(LogStatus::kFailed)}};
  row["files"] = {{"total", counts.files},
                  {"alone", counts.files_alone},
                  {"in_bundles", counts.files_in_bundles},
                  {"again", counts.files_again}};
  row["failing"] = ToJson(counts.failing);
  row["known"] = counts.known;
  row["suppressed"] = counts.suppressed;
  row["info"] = counts.info;
  row["groups"] = triage.groups().size();
  row["gone"] = triage.Gone();
  row["suppressions"] = Json::array();
  for (const Suppression& one : triage.policy().suppressions)
    row["suppressions"].push_back({{"where", one.where}, {"reason", one.reason}, {"findings", one.used}});
  return Line(row);
}

std::string BaselineText(const Triage& triage) {
  Baseline known = triage.policy().baseline.value_or(Baseline());
  for (const TriageGroup& group : triage.groups()) {
    if (group.state == GroupState::kSuppressed || group.state == GroupState::kInfo) continue;
    std::string& grade = known[group.fingerprint];
    if (GradeRank(group.HighestGrade()) > GradeRank(grade)) grade = group.HighestGrade();
  }
  std::string text;
  for (const auto& [fingerprint, grade] : known) {
    Json row = Row("group");
    row["fingerprint"] = fingerprint;
    row["state"] = "known";
    row["grade"] = grade;
    text += Line(row);
  }
  Json row = Row("baseline");
  row["groups"] = known.size();
  return text + Line(row);
}

}  // namespace mmreplay
