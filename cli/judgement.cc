#include "cli/judgement.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/allocator.h"
#include "cli/ingest.h"
#include "cli/output.h"
#include "parser/error.h"
#include "parser/numbers.h"
#include "report/content.h"
#include "report/report.h"

namespace mmreplay {

Option MaxMemoryOption() {
  return {
      "max-memory", "MIB",
      "memory to stay within, whatever the input; what does not fit is forgotten, counted and said (default: "
      "300)"};
}

MemoryBudget MemoryOf(const Arguments& given) {
  auto text = given.Text("max-memory");
  if (!text) return MemoryBudget();
  auto mebibytes = ParseDecimal(*text);
  constexpr uint64_t kMost = uint64_t{1} << 24;
  if (!mebibytes || *mebibytes < MemoryBudget::kLeastMebibytes || *mebibytes > kMost) {
    throw Error("--max-memory: " + *text + ": is no number of MiB from " +
                std::to_string(MemoryBudget::kLeastMebibytes) + " to " + std::to_string(kMost));
  }
  if (*mebibytes < MemoryBudget::kDefaultMebibytes) KeepLittleFreeMemory(FreeMemory::kAtOnce);
  return MemoryBudget(*mebibytes);
}

void AddJudgementOptions(std::vector<Option>* options) {
  options->insert(
      options->end(),
      {{"format", ReportFormatNames("|"), "form of the report (default: text)"},
       {"near-misses", "", "waits that matched all but one step of the rule, too"},
       {"rules", "DIR", kRulesOption},
       {"fail-on", "error|warning|info",
        "exit with 1 for findings of this severity and above (default: warning)"},
       {"require", "RULE", "exit with 3 where this rule cannot be judged; may be given several times", true},
       MaxMemoryOption()});
}

ExitPolicy ExitPolicyOf(const Arguments& given) {
  ExitPolicy policy;
  if (auto name = given.Text("fail-on")) {
    auto severity = SeverityOf(*name);
    if (!severity) throw Error("--fail-on: " + *name + ": is none of error, warning, info");
    policy.fail_on = *severity;
  }
  policy.required = given.List("require");
  return policy;
}

void RequireRules(const ExitPolicy& policy, const std::vector<Rule>& rules) {
  for (const std::string& name : policy.required) {
    auto same = [&](const Rule& rule) { return rule.name == name; };
    if (std::none_of(rules.begin(), rules.end(), same))
      throw Error("--require: " + name + ": there is no rule of that name");
  }
}

Judgement::Judgement(const Arguments& given)
    : rules_(LoadRules(given.Text("rules"))),
      own_rules_(given.Has("rules")),
      policy_(ExitPolicyOf(given)),
      format_(ReportFormatOf(given.Text("format").value_or("text"))),
      near_misses_(given.Has("near-misses")) {
  RequireRules(policy_, rules_);
}

std::unique_ptr<TraceStore> Judgement::MakeStore(const Recording& recording,
                                                 const std::optional<std::string>& output) const {
  if (output) {
    KeepLittleFreeMemory(FreeMemory::kSoon);
    return std::make_unique<TraceStore>(output);
  }
  // Perfetto's tracks of cpus are made of every task switch. The rules that come with mmreplay need not be
  // asked.
  bool every_event = format_ == ReportFormat::kPerfetto || (own_rules_ && NeedEveryEvent(rules_));
  return MakeTemporaryStore(recording, every_event);
}

int Judgement::Pronounce(TraceStore* store, const std::string& input, int64_t events) const {
  JudgeTrace(rules_, &store->database());
  store->Publish();
  Verdict verdict = ReadVerdict(store->database());
  int exit_code = ExitCodeFor(store->database(), verdict, policy_);

  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
  BufferedOutput out(BufferedOutput::WithoutReader::kGoOn);
  WriteReport(store->database(),
              {.format = format_, .style = OutputStyle(), .near_misses = near_misses_, .verdict = verdict},
              out.writer());
  out.Flush();
  // The text begins with it; who asked for another form looks at the exit code first.
  if (events == 0 && format_ != ReportFormat::kText) Tell(input + ": no event in it could be read");
  // For people only: a report of the same bytes is the same bytes.
  if (!IsErrorTerminal()) return exit_code;
  auto rate = static_cast<int64_t>(static_cast<double>(events) / seconds.count());
  Tell(
      fmt::format("{} events in {:.2f} s, {} events/s", CountText(events), seconds.count(), CountText(rate)));
  return exit_code;
}

}  // namespace mmreplay
