// Rules: one .sql file each, with strict front matter. C++ replay establishes facts, SQL decides what
// is a finding. The front matter is the comment block the file begins with.
//
//   -- name: wait_on_freed_page
//   -- severity: error
//   -- summary: one line
//   -- why: what it does to a machine, may go on over several lines
//   --   indented like this
//   -- requires: page_waits
//   -- reference: commit, source or report
//   -- releases: optional; what lets the page go, for grouping over many logs: see fingerprints in README.md
//
//   SELECT grade, subject, subject_id, pfn, pid, summary, begin_event AS wait_event FROM ...
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/database.h"

namespace mmreplay {

enum class Severity : uint8_t { kInfo, kWarning, kError };

struct Rule {
  std::string file;  // as shown in errors
  std::string name;
  Severity severity = Severity::kError;
  std::string summary;
  std::string why;
  std::vector<std::string> required;  // names in the table `recordable`, all of them needed
  std::string reference;
  std::string releases;  // class of the releasing operation; empty where the rule names none
  std::string sql;       // the SELECT
  int sql_line = 1;      // line of the file on which it begins
};

std::string_view SeverityName(Severity severity);
// nullopt for anything but info, warning and error.
std::optional<Severity> SeverityOf(std::string_view name);

// Throws Error "file:line:col: what" for a key that is unknown, missing or given twice, and for an
// unknown severity.
Rule ParseRule(const std::string& file, std::string_view text);

// The rules that come with mmreplay, by name.
std::vector<Rule> BuiltInRules();

// Those and the .sql files of `folder`, which take the place of a rule of the same name. Throws Error for
// a folder or file that cannot be read, and for two files with one name.
std::vector<Rule> LoadRules(const std::optional<std::string>& folder);

// One file. Throws Error as ParseRule does, and where it cannot be read.
Rule ReadRule(const std::string& path);

struct RuleCheck {
  bool prepared;    // false: the database has no view of a kind of event the rule reads
  bool applicable;  // the recording could have shown what the rule requires
  int64_t findings = 0;
};
// Prepares and runs the rule on a database; throws as RunRule does. Stores nothing.
RuleCheck CheckRule(const Rule& rule, const Database& database);

struct RuleOutcome {
  std::string rule;
  Severity severity;
  bool applicable;
  std::vector<std::string> missing;  // of what it requires
  int64_t findings = 0;
  // What it took of its budget.
  int64_t steps = 0;  // instructions of SQLite's machine
  size_t finding_bytes = 0;
};

// Runs the rule read-only on a trace database and stores its findings and result. Throws Error with
// file:line:col and a caret for SQL that does not prepare, does more than read, returns other
// columns than a rule must, or takes more than `budget` allows.
inline constexpr int64_t kMaxRuleSteps = 2'000'000'000;  // about a minute
inline constexpr int64_t kMaxStepsOfAllRules = 2 * kMaxRuleSteps;
inline constexpr std::chrono::seconds kMaxRuleTime(120);  // of the processor, to prepare and to run
inline constexpr std::chrono::seconds kMaxTimeOfAllRules = 2 * kMaxRuleTime;
inline constexpr size_t kMaxFindingBytes = size_t{64} << 20;  // of all rules
struct RuleBudget {
  int64_t steps = kMaxRuleSteps;
  std::chrono::nanoseconds cpu = kMaxRuleTime;
  size_t finding_bytes = kMaxFindingBytes;
};
RuleOutcome RunRule(const Rule& rule, Database* database, const RuleBudget& budget = {});

// A rule reads events one by one, by kind or with their stacks: it can be judged only where all are stored.
// The rules that come with mmreplay read intervals.
bool NeedEveryEvent(const std::vector<Rule>& rules);

// Runs them all, then proves the order of their evidence (rules/proof.h). Once per database.
void JudgeTrace(const std::vector<Rule>& rules, Database* database);

}  // namespace mmreplay
