// What a report says, in whatever form: read from the database and nothing else, so that a stored trace
// says what its analysis said.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "db/database.h"
#include "report/evidence.h"
#include "report/race_diagram.h"
#include "report/recording_advice.h"
#include "rules/rule.h"

namespace mmreplay {

// What the user wants an exit code for.
struct ExitPolicy {
  Severity fail_on = Severity::kWarning;  // findings of less do not count
  std::vector<std::string> required;      // rules that must have been applicable, besides wait_on_freed_page
};

// Waits that are alike in what their verdict rests on and what they are counted by: ids of texts.
struct WaitKind {
  std::optional<int64_t> function;
  std::optional<int64_t> call_function;
  std::optional<int64_t> reason;
  int64_t facts = 0;            // as the statement `wait kinds` packs them
  std::optional<int64_t> only;  // the wait, where each is a kind of its own

  auto Key() const { return std::tie(function, call_function, reason, facts, only); }
  bool operator==(const WaitKind&) const = default;
  bool operator<(const WaitKind& other) const { return Key() < other.Key(); }
};
struct WaitsOfKind {
  int64_t first = 0;  // the least id
  int64_t count = 0;

  void Add(const WaitsOfKind& more) {
    first = count == 0 ? more.first : std::min(first, more.first);
    count += more.count;
  }
};

// What the exit code of an analysis follows from.
struct Verdict {
  int64_t findings = 0;  // of severity error or warning, any grade
  bool wait_rule_applicable = false;
  int64_t waits = 0;
  int64_t unknown_waits = 0;
  int64_t waits_in_gaps = 0;
  int64_t events = 0;
  bool incomplete = false;   // a part of the input could not be read: nothing is proven by what was not found
  bool in_disorder = false;  // events are not in the order they were recorded in
  std::map<WaitKind, WaitsOfKind> wait_kinds;  // what the numbers of waits are from

  // 1 a finding, 3 cannot tell, 2 nothing could be read, 0 clean.
  int ExitCode() const;
};
// Goes through all waits.
Verdict ReadVerdict(const Database& database);

// As Verdict::ExitCode, as the policy has it, of the database's own verdict. Required rules are some of those
// that were run.
int ExitCodeFor(const Database& database, Verdict verdict, const ExitPolicy& policy);

struct GradeCounts {
  int64_t confirmed = 0;
  int64_t probable = 0;
  int64_t latent = 0;

  int64_t total() const { return confirmed + probable + latent; }
  // "20 confirmed, 3 probable, 45 latent"
  std::string Text() const;
  void Add(std::string_view grade, int64_t count = 1);
};

struct Evidence {
  int64_t event;
  std::string role;
};

// Wait and fate of the page, for findings about a wait.
struct WaitOfFinding {
  std::string function;
  std::optional<int64_t> begin_ts;
  std::optional<int64_t> end_ts;
  std::string protection;
  std::string outcome;
  bool freed = false;
  std::string releaser_comm;
  std::optional<int64_t> releaser_pid;
  std::optional<int64_t> freed_ts;
  std::string order;                // "same cpu", "apart", "open", "none"
  std::optional<int64_t> distance;  // of the page's death and the wait's beginning, clock units
};

struct Finding {
  int64_t id = 0;
  std::string rule;
  std::string severity;
  std::string grade;
  std::string comm;
  std::optional<int64_t> pid;
  std::optional<int64_t> pfn;
  std::string subject;
  int64_t subject_id = 0;
  std::string summary;
  std::string fingerprint;
  std::optional<WaitOfFinding> wait;
  std::vector<Evidence> evidence;
  std::optional<KernelReport> kernel;
};

// All findings, those of severity error and warning before those of info, each the strongest first, until
// `visit` returns false.
void ForEachFinding(const Database& database, const std::function<bool(const Finding&)>& visit);

struct EvidenceLine {
  std::string role;
  EventLine event;
};

// Findings of one cause.
struct FindingGroup {
  std::string fingerprint;
  std::string rule;
  std::string severity;
  std::string summary;
  std::string why;
  std::string reference;
  GradeCounts grades;
  int64_t pages = 0;
  int64_t tasks = 0;
  std::string functions;
  std::string contract;                  // what kernel versions do there; empty where not known
  int64_t finding = 0;                   // the strongest
  std::optional<RaceDiagram> strongest;  // of findings about a wait
  std::string strongest_summary;         // of others
  std::vector<EvidenceLine> lines;       // its evidence
};

// A rule of severity info and what it found: told, and not counted.
struct AlsoSeen {
  std::string rule;
  std::string summary;
  int64_t findings = 0;
};

// Waits that got the same answer for the same reason.
struct WaitClass {
  std::string verdict;
  std::string function;
  std::string caller;  // the probed function the wait was in; empty where none was
  std::string reason;
  std::string outcome;  // of findings
  std::string contract;
  int64_t count = 0;
};

// A wait that matched all of wait_on_freed_page but one step.
struct NearMiss {
  std::string comm;
  std::optional<int64_t> pid;
  std::optional<int64_t> pfn;
  std::string function;
  std::optional<int64_t> begin_ts;
  std::optional<int64_t> end_ts;
  std::string outcome;
  std::string reason;            // why the step failed
  std::string step;              // "holds no reference"
  std::optional<int64_t> event;  // that decided it
  std::optional<int64_t> line;
};

// In the order of the trace, until `visit` returns false.
void ForEachNearMiss(const Database& database, const std::function<bool(const NearMiss&)>& visit);

// A kind of evidence the recording could not hold.
struct NotShown {
  EvidenceKind kind;
  std::string what;
  std::string consequence;
  std::string record;  // what to record to see it
};

struct RuleAnswer {
  std::string rule;
  bool applicable = false;
  std::string missing;
  int64_t findings = 0;
  std::string severity;
  std::string summary;
  std::string why;
  std::string reference;
};

struct Fidelity {
  int64_t anchors = 0;
  int64_t matched = 0;
  std::optional<int64_t> first_mismatch;  // event
  std::optional<int64_t> first_mismatch_line;
};

struct CountedName {
  std::string name;
  int64_t count = 0;
};

struct LostEvents {
  int64_t cpu = 0;
  std::optional<int64_t> from_ts;
  std::optional<int64_t> to_ts;
  std::optional<int64_t> lost;
};

// Where events were lost, by cpu and time. A trace may tell of it between any two events.
struct Losses {
  static constexpr size_t kMostKept = 1000;

  int64_t gaps = 0;
  int64_t events = 0;  // of the gaps that tell
  bool all_tell = true;
  std::vector<LostEvents> first;  // kMostKept at most; see ForEachGap
};

struct Issue {
  std::string severity;
  std::string kind;
  int64_t count = 0;
  std::string text;
  std::optional<int64_t> first_line;
};

struct SourceFile {
  std::string role;
  std::string path;
  std::optional<int64_t> lines;
};

struct InputFacts {
  std::string path;
  std::string format;
  std::string kernel_release;
  std::string machine;
  int64_t lines = 0;
  int64_t events = 0;
  int64_t comments = 0;
  int64_t continuations = 0;
  int64_t markers = 0;
  int64_t rejected = 0;
};

// Everything but the findings one by one.
struct ReportContent {
  Verdict verdict;
  TraceClock clock;
  InputFacts input;
  std::vector<SourceFile> sources;
  GradeCounts grades;
  std::vector<FindingGroup> groups;  // the strongest first
  std::vector<AlsoSeen> also_seen;
  std::vector<WaitClass> waits;
  std::vector<CountedName> migrations;  // by result
  int64_t reports = 0;                  // of the kernel, on pages
  std::vector<RuleAnswer> rules;
  std::vector<NotShown> not_shown;
  Fidelity fidelity;
  std::vector<CountedName> anomalies;  // by invariant
  Losses losses;
  std::vector<Issue> issues;
};

// Calls visit for each, by cpu and time.
void ForEachGap(const Database& database, const std::function<void(const LostEvents&)>& visit);

ReportContent ReadContent(const Database& database);
// With the database's verdict, which was read before.
ReportContent ReadContent(const Database& database, const Verdict& verdict);

// "FOUND: 68 waits on a page that nothing kept alive: 20 confirmed, 3 probable, 45 latent"
std::string VerdictText(const ReportContent& content);

// What makes a wait safe, where every wait was.
extern const char* const kSafeWaits;
bool AllWaitsAreSafe(const ReportContent& content);

// "12,562 = 1,234 kept + 11,000 left out by --time 5.7..5.8 + 328 left out by --pid 67"; empty where no
// filter was given.
std::string KeptText(const ReportContent& content);
// Trace issues of this kind are part of KeptText.
bool IsFilterIssue(const Issue& issue);

// "577 of 577 certain reference counts predicted (100.00 %)"; empty where there were none.
std::string FidelityText(const Fidelity& fidelity);

// "514 events of cpu 2 lost from the beginning to 0.056743"
std::string GapText(const LostEvents& gap, bool ticks);

// How sure it is that the page was free when the waiter queued: "same-cpu", "27.8 ms apart, clock error 1
// us", "open".
std::string OrderText(const WaitOfFinding& wait, const TraceClock& clock);

}  // namespace mmreplay
