// Many logs as one result: findings grouped over machines, kernels and forms of input, weighed against a
// baseline and suppressions, counted.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "db/database.h"
#include "db/fleet_store.h"
#include "report/content.h"
#include "report/triage_policy.h"
#include "rules/rule.h"

namespace mmreplay {

// Findings of one log that are alike: same fingerprint, grade and wait function.
struct TriageShare {
  std::string rule;
  std::string severity;
  std::string fingerprint;
  std::string grade;
  std::string function;
  int64_t count = 0;
  std::string path;  // of the first
  std::optional<int64_t> line;
  std::string summary;
};

// Puts the findings of one log to those they are like.
class ShareCounter {
 public:
  void Add(const FleetFinding& finding, std::vector<TriageShare>* shares);

 private:
  // By fingerprint, grade and function, where in the shares it is.
  std::map<std::tuple<std::string, std::string, std::string>, size_t> places_;
};

struct TriageLog {
  FleetLog log;
  bool reused = false;  // judged before, by an earlier run into the same fleet database
  std::vector<TriageShare> shares;
};

// The name a finding has in every log that shows the same bug:
//   wait_on_freed_page/caller-keeps-the-page/put-by-another-task
// that is rule, contract class of the wait function, class of the releasing operation (both of them for rules
// that name one); otherwise rule and kind as the rule says. Nothing in it depends on grade, address, task,
// time, function or on what some forms of input lack.
std::string TriageFingerprint(const Rule& rule, std::string_view member, std::string_view function);

// The findings of a judged trace, the strongest first.
void ForEachTriageFinding(const Database& trace, const std::vector<Rule>& rules,
                          const std::function<void(const FleetFinding&)>& visit);

// Facts and verdict of a judged trace; `path` and `content` are the caller's to fill in.
TriageLog ReadTriageLog(const Database& trace, const ExitPolicy& policy);

enum class GroupState : uint8_t { kFound, kNew, kRisen, kKnown, kSuppressed, kInfo };
std::string_view GroupStateName(GroupState state);

struct TriageGroup {
  std::string fingerprint;
  std::string rule;
  std::string severity;
  GradeCounts grades;      // of findings that are not suppressed
  GradeCounts suppressed;  // of those that are
  int64_t logs = 0;        // with any
  std::set<std::string> functions;
  std::set<std::string> kernels;
  std::set<std::string> machines;
  std::set<std::string> inputs;  // formats
  std::string example_log;       // the first log with its highest grade
  std::string example_path;      // and there the first finding
  std::optional<int64_t> example_line;
  std::string example_summary;
  std::optional<std::string> baseline_grade;  // nullopt: not in the baseline, or there is none
  GroupState state = GroupState::kFound;

  std::string HighestGrade() const;
};

// How the findings of one log count.
struct LogWeight {
  GradeCounts failing;
  int64_t known = 0;  // in the baseline, no worse
  int64_t suppressed = 0;
  int64_t info = 0;  // of a severity that does not fail
};

struct TriageCounts {
  int64_t logs = 0;
  int64_t by_status[5] = {};  // of LogStatus
  int64_t reused = 0;
  int64_t files = 0;        // the walk met: see below
  int64_t files_alone = 0;  // are a log by themselves
  int64_t files_in_bundles = 0;
  int64_t files_unused = 0;   // of those in bundles: no part of the recording
  int64_t files_again = 0;    // met before under another name
  int64_t folders_again = 0;  // not entered twice
  GradeCounts failing;
  int64_t failing_logs = 0;
  int64_t known = 0;
  int64_t suppressed = 0;
  int64_t info = 0;

  int64_t of(LogStatus status) const { return by_status[static_cast<size_t>(status)]; }
};

class Triage {
 public:
  Triage(const std::vector<Rule>& rules, TriagePolicy policy);

  // In the order results are to have.
  LogWeight Add(const TriageLog& log);
  // When all are in: settles the state of each group.
  void Finish();

  // The strongest first.
  const std::vector<TriageGroup>& groups() const { return groups_; }
  const TriageCounts& counts() const { return counts_; }
  TriageCounts* mutable_counts() { return &counts_; }
  const TriagePolicy& policy() const { return policy_; }
  // Of rules, "" for an unknown one.
  std::string SummaryOf(const std::string& rule) const;
  // Groups of the baseline that no log showed.
  std::vector<std::string> Gone() const;

  // 1 a finding that is not known or suppressed, 2 a log that could not be read or judged, 3 one that cannot
  // tell, 0.
  int ExitCode() const;

 private:
  void Weigh(const TriageLog& log, const TriageShare& share, LogWeight* weight);

  TriagePolicy policy_;
  std::map<std::string, std::string> rule_summaries_;
  std::map<std::string, TriageGroup> by_fingerprint_;
  std::vector<TriageGroup> groups_;
  TriageCounts counts_;
};

}  // namespace mmreplay
