#include "report/triage.h"

#include <algorithm>
#include <cassert>
#include <tuple>

#include "db/named_sql.h"
#include "parser/probe_signatures.h"
#include "replay/kernel_contracts.h"
#include "report/report_sql.h"

namespace mmreplay {
namespace {

// "put by another task" -> "put-by-another-task": one word, to be matched by a pattern and cut out of a line.
std::string OneWord(std::string_view text) {
  std::string word;
  for (char c : text) word += c == ' ' || c == '\t' || c == '\n' ? '-' : c;
  return word;
}

// What a wait function promises by itself. Its caller may promise more, but not every recording shows
// callers.
std::string_view ContractClass(std::string_view function) {
  const WaitContract* contract = FindContract(FunctionOfSymbol(function), KernelFunction::kOther);
  return contract ? contract->reason : "caller keeps the page";
}

std::string WhyCannotTell(const Verdict& verdict) {
  if (verdict.in_disorder && verdict.waits > 0)
    return "its events are not in the order they were recorded in";
  constexpr const char* kDamaged = "a part of it could not be read";
  if (verdict.incomplete && verdict.waits == 0) return kDamaged;
  if (!verdict.wait_rule_applicable)
    return "no wait on a page could be seen in it, or a required rule not be judged";
  if (verdict.unknown_waits > 0) {
    return CountText(verdict.unknown_waits) + " of " + Plural(verdict.waits, "wait", "waits") +
           ": what kept the page alive is not on record";
  }
  if (verdict.waits_in_gaps == 0) return kDamaged;
  return "events were lost during " + Plural(verdict.waits_in_gaps, "wait", "waits");
}

LogStatus StatusOfExitCode(int code) {
  switch (code) {
    case 0:
      return LogStatus::kClean;
    case 1:
      return LogStatus::kFound;
    case 2:
      return LogStatus::kUnreadable;
    default:
      return LogStatus::kCannotTell;
  }
}

GroupState StateOf(const TriageGroup& group, const TriagePolicy& policy) {
  auto severity = SeverityOf(group.severity);
  if (severity && *severity < policy.fail_on) return GroupState::kInfo;
  if (group.grades.total() == 0) return GroupState::kSuppressed;
  if (!policy.baseline) return GroupState::kFound;
  if (!group.baseline_grade) return GroupState::kNew;
  return GradeRank(group.HighestGrade()) > GradeRank(*group.baseline_grade) ? GroupState::kRisen
                                                                            : GroupState::kKnown;
}

void AddIfKnown(const std::string& name, std::set<std::string>* names) {
  if (!name.empty()) names->insert(name);
}

}  // namespace

void ShareCounter::Add(const FleetFinding& finding, std::vector<TriageShare>* shares) {
  auto [place, is_new] =
      places_.try_emplace({finding.fingerprint, finding.grade, finding.function}, shares->size());
  if (is_new) {
    shares->push_back({.rule = finding.rule,
                       .severity = finding.severity,
                       .fingerprint = finding.fingerprint,
                       .grade = finding.grade,
                       .function = finding.function,
                       .path = finding.path,
                       .line = finding.line,
                       .summary = finding.summary});
  }
  ++(*shares)[place->second].count;
}

std::string TriageFingerprint(const Rule& rule, std::string_view member, std::string_view function) {
  if (rule.releases.empty()) return OneWord(member);
  std::string print = rule.name;
  if (!function.empty()) print += "/" + OneWord(ContractClass(function));
  return print + "/" + OneWord(rule.releases);
}

void ForEachTriageFinding(const Database& trace, const std::vector<Rule>& rules,
                          const std::function<void(const FleetFinding&)>& visit) {
  Statement query(trace, ReportSql("triage findings"));
  FleetFinding finding;
  while (query.Step()) {
    finding.rule = query.Text(0);
    finding.severity = query.Text(1);
    finding.grade = query.Text(2);
    finding.member = query.Text(3);
    finding.function = query.Text(4);
    finding.outcome = query.Text(5);
    finding.comm = query.Text(6);
    finding.pid = query.OptionalInt(7);
    finding.pfn = query.OptionalInt(8);
    finding.summary = query.Text(9);
    finding.path = query.Text(10);
    finding.line = query.OptionalInt(11);
    auto rule =
        std::find_if(rules.begin(), rules.end(), [&](const Rule& r) { return r.name == finding.rule; });
    assert(rule != rules.end());
    finding.fingerprint = TriageFingerprint(*rule, finding.member, finding.function);
    visit(finding);
  }
}

TriageLog ReadTriageLog(const Database& trace, const ExitPolicy& policy) {
  TriageLog result;
  FleetLog& log = result.log;
  Statement query(trace, ReportSql("triage trace"));
  if (query.Step()) {
    log.format = query.Text(0);
    log.kernel_release = query.Text(1);
    log.machine = query.Text(2);
    log.lines = query.Int(3);
    log.events = query.Int(4);
    log.rejected = query.Int(5);
    log.files = query.Int(6);
    log.files_unused = query.Int(7);
  }
  Verdict verdict = ReadVerdict(trace);
  log.waits = verdict.waits;
  log.unknown_waits = verdict.unknown_waits;
  log.status = StatusOfExitCode(ExitCodeFor(trace, verdict, policy));
  if (log.status == LogStatus::kUnreadable) log.reason = "no event could be read from it";
  if (log.status == LogStatus::kCannotTell) log.reason = WhyCannotTell(verdict);
  return result;
}

std::string_view GroupStateName(GroupState state) {
  switch (state) {
    case GroupState::kFound:
      return "found";
    case GroupState::kNew:
      return "new";
    case GroupState::kRisen:
      return "risen";
    case GroupState::kKnown:
      return "known";
    case GroupState::kSuppressed:
      return "suppressed";
    case GroupState::kInfo:
      return "info";
  }
  return "found";
}

std::string TriageGroup::HighestGrade() const {
  const GradeCounts& counts = grades.total() > 0 ? grades : suppressed;
  return counts.confirmed > 0 ? "confirmed" : counts.probable > 0 ? "probable" : "latent";
}

Triage::Triage(const std::vector<Rule>& rules, TriagePolicy policy) : policy_(std::move(policy)) {
  for (const Rule& rule : rules) rule_summaries_[rule.name] = rule.summary;
}

std::string Triage::SummaryOf(const std::string& rule) const {
  auto found = rule_summaries_.find(rule);
  return found == rule_summaries_.end() ? std::string() : found->second;
}

void Triage::Weigh(const TriageLog& log, const TriageShare& share, LogWeight* weight) {
  TriageGroup& group = by_fingerprint_[share.fingerprint];
  if (group.fingerprint.empty()) {
    group.fingerprint = share.fingerprint;
    group.rule = share.rule;
    group.severity = share.severity;
    if (policy_.baseline) {
      auto known = policy_.baseline->find(share.fingerprint);
      if (known != policy_.baseline->end()) group.baseline_grade = known->second;
    }
  }
  int best = GradeRank(group.grades.total() + group.suppressed.total() == 0 ? "" : group.HighestGrade());
  bool only_suppressed = group.grades.total() == 0;
  AddIfKnown(share.function, &group.functions);
  AddIfKnown(log.log.kernel_release, &group.kernels);
  AddIfKnown(log.log.machine, &group.machines);
  AddIfKnown(log.log.format, &group.inputs);

  auto severity = SeverityOf(share.severity);
  bool info = severity && *severity < policy_.fail_on;
  bool suppressed = false;
  for (Suppression& one : policy_.suppressions) {
    if (info || suppressed || !one.Matches(share.fingerprint, log.log.path, share.function, share.grade))
      continue;
    suppressed = true;
    one.used += share.count;
  }
  (suppressed ? group.suppressed : group.grades).Add(share.grade, share.count);
  if (info) {
    weight->info += share.count;
  } else if (suppressed) {
    weight->suppressed += share.count;
  } else if (group.baseline_grade && GradeRank(share.grade) <= GradeRank(*group.baseline_grade)) {
    weight->known += share.count;
  } else {
    weight->failing.Add(share.grade, share.count);
  }
  // What is not suppressed is the better example.
  bool better = GradeRank(share.grade) > best || (only_suppressed && !suppressed);
  if (!better || (suppressed && !only_suppressed)) return;
  group.example_log = log.log.path;
  group.example_path = share.path;
  group.example_line = share.line;
  group.example_summary = share.summary;
}

LogWeight Triage::Add(const TriageLog& log) {
  LogWeight weight;
  ++counts_.logs;
  ++counts_.by_status[static_cast<size_t>(log.log.status)];
  counts_.reused += log.reused;
  counts_.files_unused += log.log.files_unused;
  std::set<std::string> groups;
  for (const TriageShare& share : log.shares) {
    Weigh(log, share, &weight);
    if (groups.insert(share.fingerprint).second) ++by_fingerprint_[share.fingerprint].logs;
  }
  counts_.failing.confirmed += weight.failing.confirmed;
  counts_.failing.probable += weight.failing.probable;
  counts_.failing.latent += weight.failing.latent;
  counts_.failing_logs += weight.failing.total() > 0;
  counts_.known += weight.known;
  counts_.suppressed += weight.suppressed;
  counts_.info += weight.info;
  return weight;
}

void Triage::Finish() {
  groups_.clear();
  for (auto& [fingerprint, group] : by_fingerprint_) {
    group.state = StateOf(group, policy_);
    groups_.push_back(group);
  }
  auto rank = [](const TriageGroup& group) {
    constexpr int kOfState[] = {1, 0, 0, 2, 3, 4};  // new and risen, found, known, suppressed, info
    return std::tuple(kOfState[static_cast<size_t>(group.state)], -GradeRank(group.HighestGrade()),
                      -group.grades.total(), std::string_view(group.fingerprint));
  };
  std::sort(groups_.begin(), groups_.end(),
            [&](const TriageGroup& a, const TriageGroup& b) { return rank(a) < rank(b); });
}

std::vector<std::string> Triage::Gone() const {
  std::vector<std::string> gone;
  if (!policy_.baseline) return gone;
  for (const auto& [fingerprint, grade] : *policy_.baseline) {
    if (!by_fingerprint_.contains(fingerprint)) gone.push_back(fingerprint);
  }
  return gone;
}

int Triage::ExitCode() const {
  if (counts_.failing.total() > 0) return 1;
  if (counts_.logs == 0 || counts_.of(LogStatus::kUnreadable) > 0 || counts_.of(LogStatus::kFailed) > 0)
    return 2;
  return counts_.of(LogStatus::kCannotTell) > 0 ? 3 : 0;
}

}  // namespace mmreplay
