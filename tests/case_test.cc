// Behaviour as case files: a recording with what the analysis must make of it. Format in
// tests/cases/README.md. MMREPLAY_UPDATE_CASES=1 writes what comes out into the files, so that
// reviewing a change of behaviour is reading a diff.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "replay/text.h"
#include "report/format.h"
#include "tests/analysis.h"
#include "tests/case_files.h"

namespace mmreplay {
namespace {

std::vector<std::string> Outcome(const Case& one, const RecordHook& hook = {}) {
  TemporaryFolder folder;
  for (const auto& [name, content] : one.files) folder.Write(name, content);
  Analysis analysis({.inputs = {folder.path()}, .dmesg = {}, .probes = {}}, hook);

  std::vector<std::string> outcome = {"exit: " + std::to_string(analysis.ExitCode())};
  for (const WaitRow& wait : analysis.Waits()) {
    std::string line = "wait: " + wait.verdict + " " + wait.function +
                       " pfn=" + (wait.pfn ? HexText(static_cast<uint64_t>(*wait.pfn)) : "?") + " " +
                       Printable(wait.comm) + "-" + (wait.pid ? std::to_string(*wait.pid) : "?") + " " +
                       wait.protection + " " + wait.outcome;
    if (wait.event_order != "none") line += " order=" + wait.event_order;
    outcome.push_back(line + ": " + wait.reason);
  }
  // A finding of wait_on_freed_page is its wait's verdict, shown above.
  Statement findings(
      analysis.db(),
      "SELECT r.severity, f.rule, f.grade, f.pfn, f.comm, f.pid, f.summary FROM findings f "
      "JOIN rule_results r ON r.rule = f.rule WHERE f.rule <> 'wait_on_freed_page' ORDER BY f.id");
  while (findings.Step()) {
    std::string pfn = findings.IsNull(3) ? "-" : HexText(static_cast<uint64_t>(findings.Int(3)));
    outcome.push_back("finding: " + std::string(findings.Text(0)) + " " + std::string(findings.Text(1)) +
                      " " + std::string(findings.Text(2)) + " pfn=" + pfn + " " +
                      Printable(findings.Text(4)) + "-" + std::string(findings.Text(5)) + ": " +
                      Printable(findings.Text(6)));
  }
  // Orders that neither one cpu's buffer nor one task's program nor the stamps prove.
  Statement proofs(
      analysis.db(),
      "SELECT kind, a.line, b.line FROM proofs p JOIN events a ON a.id = p.first_event "
      "JOIN events b ON b.id = p.second_event WHERE kind NOT IN ('same task', 'same cpu', 'apart', "
      "'open') ORDER BY 2, 3, 1");
  while (proofs.Step()) {
    outcome.push_back("proof: " + std::string(proofs.Text(0)) + ", line " + std::to_string(proofs.Int(1)) +
                      " before line " + std::to_string(proofs.Int(2)));
  }
  Statement anomalies(
      analysis.db(),
      "SELECT invariant, line, detail FROM anomalies a JOIN events e ON e.id = a.event_id ORDER BY a.id");
  while (anomalies.Step()) {
    outcome.push_back("anomaly: " + std::string(anomalies.Text(0)) + " line " +
                      std::to_string(anomalies.Int(1)) + ": " + std::string(anomalies.Text(2)));
  }
  Statement gaps(analysis.db(), "SELECT cpu, lost FROM gaps ORDER BY id");
  while (gaps.Step()) {
    outcome.push_back("gap: cpu " + std::to_string(gaps.Int(0)) + " lost " +
                      (gaps.IsNull(1) ? std::string("?") : std::to_string(gaps.Int(1))));
  }
  Statement reports(analysis.db(), "SELECT pfn, flags, comm FROM console_reports ORDER BY id");
  while (reports.Step()) {
    outcome.push_back("report: pfn=" + HexText(static_cast<uint64_t>(reports.Int(0))) + " " +
                      std::string(reports.Text(1)) + " " + std::string(reports.Text(2)));
  }
  const LineCounts& lines = analysis.facts().lines;
  outcome.push_back("lines: " + std::to_string(lines.total) + " = " + std::to_string(lines.events) + " " +
                    std::to_string(lines.comments) + " " + std::to_string(lines.continuations) + " " +
                    std::to_string(lines.markers) + " " + std::to_string(lines.rejected));
  return outcome;
}

bool IsSilent(const Case& one) {
  return std::none_of(one.expected.begin(), one.expected.end(), [](const std::string& line) {
    return line.starts_with("wait: confirmed") || line.starts_with("wait: probable") ||
           line.starts_with("wait: latent") || line.starts_with("finding: error") ||
           line.starts_with("finding: warning");
  });
}

}  // namespace

TEST_CASE("every case file comes out as it says", "[cases]") {
  bool update = std::getenv("MMREPLAY_UPDATE_CASES") != nullptr;
  std::vector<Case> cases = AllCases();
  REQUIRE(cases.size() > 50);
  for (const Case& one : cases) {
    DYNAMIC_SECTION(one.name) {
      CAPTURE(one.path, one.about);
      std::vector<std::string> outcome = Outcome(one);
      if (update) {
        std::ofstream file(one.path, std::ios::binary);
        file << one.head;
        for (const std::string& line : outcome) file << line << '\n';
        file << '\n' << one.body;
      } else {
        CHECK(outcome == one.expected);
      }
    }
  }
}

TEST_CASE("every case says where it comes from, and a finding has a twin that stays silent", "[cases]") {
  std::vector<Case> cases = AllCases();
  std::map<std::string, const Case*> by_name;
  for (const Case& one : cases) by_name[one.name] = &one;
  for (const Case& one : cases) {
    CAPTURE(one.path);
    CHECK_FALSE(one.about.empty());
    CHECK((one.source == "synthetic" || one.source.starts_with("real: ")));
    if (IsSilent(one)) continue;
    REQUIRE(by_name.contains(one.twin));
    // The twin of a finding is silent, or a finding of another grade whose own twin is silent.
    const Case* twin = by_name[one.twin];
    if (!IsSilent(*twin)) {
      REQUIRE(by_name.contains(twin->twin));
      CHECK(twin->twin == one.name);
    }
  }
}

// The suite is worth something only if a wrong model fails it.
TEST_CASE("a model that calls every bit wait a hazard, or none, fails the cases", "[cases]") {
  auto model_says = [](Protection protection) {
    return [protection](Record* record) {
      auto* wait = std::get_if<PageWait>(record);
      if (wait && wait->bit) wait->protection = protection;  // folio_wait_bit, wait_on_page_bit
    };
  };
  int failed_by_alarmist = 0;
  int failed_by_sleeper = 0;
  for (const Case& one : AllCases()) {
    failed_by_alarmist += Outcome(one, model_says(Protection::kNone)) != one.expected;
    failed_by_sleeper += Outcome(one, model_says(Protection::kReference)) != one.expected;
  }
  CHECK(failed_by_alarmist > 0);
  CHECK(failed_by_sleeper > 0);
}

}  // namespace mmreplay
