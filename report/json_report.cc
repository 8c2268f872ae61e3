#include "report/json_report.h"

#include <utility>

#include "report/json_values.h"

namespace mmreplay {
namespace {

constexpr int kJsonVersion = 1;

template <typename T>
Json Array(const std::vector<T>& items) {
  Json array = Json::array();
  for (const T& item : items) array.push_back(ToJson(item));
  return array;
}

// All but the findings.
Json Head(const ReportContent& content) {
  const Verdict& verdict = content.verdict;
  Json json = {{"format", "mmreplay-report"},
               {"version", kJsonVersion},
               {"verdict", VerdictName(verdict)},
               {"exit_code", verdict.ExitCode()}};
  json["grades"] = ToJson(content.grades);
  json["waits"] = ToJson(verdict);
  json["clock"] = ToJson(content.clock);
  json["input"] = ToJson(content.input, content.sources);
  json["groups"] = Array(content.groups);
  json["also_seen"] = Array(content.also_seen);
  json["wait_classes"] = Array(content.waits);
  json["rules"] = Array(content.rules);
  json["not_shown"] = Array(content.not_shown);
  json["fidelity"] = ToJson(content.fidelity);
  json["anomalies"] = Counts(content.anomalies);
  json["migrations"] = Counts(content.migrations);
  json["kernel_reports"] = content.reports;
  json["gaps"] = Array(content.gaps);
  json["issues"] = Array(content.issues);
  return json;
}

}  // namespace

void WriteJsonReport(const Database& database, bool near_misses, const WriteFn& write) {
  std::string head = Dump(Head(ReadContent(database)), 1);
  head.resize(head.size() - 2);  // the findings go before "\n}"
  // Findings of severity info come after the others.
  write(head + ",\n \"findings\": [");
  OrderProofs proofs(database);
  bool first = true;
  bool info = false;
  auto end_array = [&] { write(std::exchange(first, true) ? "]" : "\n ]"); };
  auto begin_info = [&] {
    end_array();
    write(",\n \"info_findings\": [");
    info = true;
  };
  ForEachFinding(database, [&](const Finding& finding) {
    if (!info && finding.severity == "info") begin_info();
    write((first ? "\n  " : ",\n  ") + Dump(ToJson(finding, proofs.Read(finding.id)), -1));
    first = false;
    return true;
  });
  if (!info) begin_info();
  end_array();
  if (near_misses) {
    write(",\n \"near_misses\": [");
    ForEachNearMiss(database, [&](const NearMiss& miss) {
      write((first ? "\n  " : ",\n  ") + Dump(ToJson(miss), -1));
      first = false;
      return true;
    });
    end_array();
  }
  write("\n}\n");
}

}  // namespace mmreplay
