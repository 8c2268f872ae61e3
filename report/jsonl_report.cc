#include "report/jsonl_report.h"

#include "report/json_values.h"
#include "report/version.h"

namespace mmreplay {
namespace {

constexpr int kJsonlVersion = 1;

class Lines {
 public:
  explicit Lines(const WriteFn& write) : write_(write) {}

  // {"type": "gap", "version": 1, "gap": {...}}
  void Add(const char* type, Json value) {
    Json line = {{"type", type}, {"version", kJsonlVersion}};
    line[type] = std::move(value);
    write_(Dump(line, -1) + "\n");
  }

  template <typename T>
  void AddAll(const char* type, const std::vector<T>& items) {
    for (const T& item : items) Add(type, ToJson(item));
  }

 private:
  const WriteFn& write_;
};

Json Header(const ReportContent& content) {
  return {{"format", "mmreplay-report-lines"},
          {"tool", {{"name", "mmreplay"}, {"version", kProgramVersion}}},
          {"verdict", VerdictName(content.verdict)},
          {"exit_code", content.verdict.ExitCode()},
          {"grades", ToJson(content.grades)},
          {"waits", ToJson(content.verdict)},
          {"clock", ToJson(content.clock)},
          {"input", ToJson(content.input, content.sources)}};
}

struct Written {
  int64_t findings = 0;
  int64_t info_findings = 0;
  int64_t near_misses = 0;
};

Json Summary(const ReportContent& content, const Written& written) {
  return {{"verdict", VerdictName(content.verdict)},  {"exit_code", content.verdict.ExitCode()},
          {"groups", content.groups.size()},          {"findings", written.findings},
          {"info_findings", written.info_findings},   {"near_misses", written.near_misses},
          {"issues", content.issues.size()},          {"gaps", content.losses.gaps},
          {"fidelity", ToJson(content.fidelity)},     {"anomalies", Counts(content.anomalies)},
          {"migrations", Counts(content.migrations)}, {"kernel_reports", content.reports}};
}

}  // namespace

void WriteJsonLines(const Database& database, const ReportContent& content, bool near_misses,
                    const WriteFn& write) {
  Lines lines(write);
  Written written;
  lines.Add("header", Header(content));
  lines.AddAll("group", content.groups);
  OrderProofs proofs(database);
  ForEachFinding(database, [&](const Finding& finding) {
    lines.Add("finding", ToJson(finding, proofs.Read(finding.id)));
    ++(finding.severity == "info" ? written.info_findings : written.findings);
    return true;
  });
  if (near_misses) {
    ForEachNearMiss(database, [&](const NearMiss& miss) {
      lines.Add("near_miss", ToJson(miss));
      ++written.near_misses;
      return true;
    });
  }
  lines.AddAll("also_seen", content.also_seen);
  lines.AddAll("wait_class", content.waits);
  lines.AddAll("rule", content.rules);
  lines.AddAll("not_shown", content.not_shown);
  ForEachGap(database, [&](const LostEvents& gap) { lines.Add("gap", ToJson(gap)); });
  lines.AddAll("issue", content.issues);
  lines.Add("summary", Summary(content, written));
}

}  // namespace mmreplay
