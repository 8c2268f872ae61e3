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

// What stands before the gaps.
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
  return json;
}

// The members of an object, without its braces: what comes next goes behind them.
std::string Members(const Json& object) {
  std::string text = Dump(object, 1);
  return text.substr(1, text.size() - 3);  // "{", and "\n}"
}

// A value within the array of a member.
std::string Nested(const Json& value) {
  std::string text;
  for (char c : "\n" + Dump(value, 1)) {
    text += c;
    if (c == '\n') text += "  ";
  }
  return text;
}

}  // namespace

void WriteJsonReport(const Database& database, const ReportContent& content, bool near_misses,
                     const WriteFn& write) {
  // Gaps, findings and near misses may be very many: they are written one by one.
  write("{" + Members(Head(content)) + ",\n \"gaps\": [");
  bool first = true;
  ForEachGap(database, [&](const LostEvents& gap) {
    write((first ? "" : ",") + Nested(ToJson(gap)));
    first = false;
  });
  write((std::exchange(first, true) ? "]," : "\n ],") + Members({{"issues", Array(content.issues)}}));
  // Findings of severity info come after the others.
  write(",\n \"findings\": [");
  OrderProofs proofs(database);
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
