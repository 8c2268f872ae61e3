// What analyze and replay have in common: rules, judgement, report and exit code.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/options.h"
#include "db/trace_store.h"
#include "parser/memory_budget.h"
#include "report/content.h"
#include "report/report.h"
#include "rules/rule.h"

namespace mmreplay {

// --fail-on and --require. Throws Error for a severity there is not.
ExitPolicy ExitPolicyOf(const Arguments& given);
// Throws Error for a --require of none of them: before anything is read, or replaced.
void RequireRules(const ExitPolicy& policy, const std::vector<Rule>& rules);

// --max-memory. Throws Error for what is no number, or too little.
Option MaxMemoryOption();
MemoryBudget MemoryOf(const Arguments& given);

void AddJudgementOptions(std::vector<Option>* options);

class Judgement {
 public:
  // Reads the rules: throws Error before anything else is read.
  explicit Judgement(const Arguments& given);

  // Where the analysis goes: `output`, or a temporary store that holds what the rules and the report read.
  std::unique_ptr<TraceStore> MakeStore(const Recording& recording,
                                        const std::optional<std::string>& output) const;

  // Judges the trace in the store, read from `input`, publishes it and prints the report, and on a terminal how
  // long it took. Returns the exit code.
  int Pronounce(TraceStore* store, const std::string& input, int64_t events) const;

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<Rule> rules_;
  bool own_rules_;
  ExitPolicy policy_;
  ReportFormat format_;
  bool near_misses_;
};

}  // namespace mmreplay
