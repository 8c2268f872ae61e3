#include "report/content.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <tuple>

#include "parser/error.h"
#include "parser/event_filter.h"
#include "parser/input_format.h"
#include "parser/probe_signatures.h"
#include "replay/kernel_contracts.h"
#include "report/format.h"
#include "report/report_sql.h"

namespace mmreplay {
namespace {

std::string String(std::string_view text) {
  return std::string(text);
}

GradeCounts CountGrades(const Database& db) {
  GradeCounts counts;
  Statement query(db, ReportSql("grades"));
  while (query.Step()) counts.Add(query.Text(0), query.Int(1));
  return counts;
}

InputFacts ReadInput(const Database& db) {
  Statement query(db, ReportSql("input"));
  if (!query.Step()) return {};
  return {.path = String(query.Text(0)),
          .format = String(query.Text(1)),
          .kernel_release = String(query.Text(2)),
          .machine = String(query.Text(3)),
          .lines = query.Int(4),
          .events = query.Int(5),
          .comments = query.Int(6),
          .continuations = query.Int(7),
          .markers = query.Int(8),
          .rejected = query.Int(9)};
}

// Of each group, by its fingerprint.
using TextsOfGroups = std::map<std::string, std::string, std::less<>>;

// Of several texts of a group a list.
TextsOfGroups ReadTexts(const Database& db, std::string_view sql) {
  TextsOfGroups texts;
  Statement query(db, ReportSql(sql));
  while (query.Step()) {
    std::string& text = texts[String(query.Text(0))];
    text.append(text.empty() ? "" : ", ").append(query.Text(1));
  }
  return texts;
}

struct Strongest {
  int64_t finding = 0;
  std::string summary;
};

std::map<std::string, Strongest, std::less<>> ReadStrongest(const Database& db) {
  std::map<std::string, Strongest, std::less<>> strongest;
  Statement query(db, ReportSql("strongest of groups"));
  while (query.Step()) strongest[String(query.Text(0))] = {query.Int(1), String(query.Text(2))};
  return strongest;
}

std::vector<EvidenceLine> ReadEvidence(const Database& db, const TraceClock& clock, int64_t finding) {
  std::vector<EvidenceLine> lines;
  EventLines events(db, clock.ticks);
  Statement evidence(db, ReportSql("evidence"));
  evidence.Bind(1, finding);
  while (evidence.Step()) {
    if (auto event = events.Read(evidence.Int(0)))
      lines.push_back({String(evidence.Text(1)), std::move(*event)});
  }
  return lines;
}

std::vector<FindingGroup> ReadGroups(const Database& db, const TraceClock& clock) {
  std::vector<FindingGroup> groups;
  const TextsOfGroups functions = ReadTexts(db, "functions of groups");
  const TextsOfGroups contracts = ReadTexts(db, "contracts of groups");
  auto text_of = [](const TextsOfGroups& texts, std::string_view fingerprint) {
    auto found = texts.find(fingerprint);
    return found == texts.end() ? std::string() : found->second;
  };
  const std::map<std::string, Strongest, std::less<>> strongest = ReadStrongest(db);
  Statement query(db, ReportSql("groups"));
  while (query.Step()) {
    FindingGroup group{.fingerprint = String(query.Text(0)),
                       .rule = String(query.Text(1)),
                       .severity = String(query.Text(2)),
                       .summary = String(query.Text(3)),
                       .why = String(query.Text(4)),
                       .reference = String(query.Text(5)),
                       .grades = {query.Int(6), query.Int(7), query.Int(8)},
                       .pages = query.Int(9),
                       .tasks = query.Int(10),
                       .functions = text_of(functions, query.Text(0)),
                       .contract = text_of(contracts, query.Text(0)),
                       .finding = 0,
                       .strongest = {},
                       .strongest_summary = {},
                       .lines = {}};
    if (auto found = strongest.find(query.Text(0)); found != strongest.end()) {
      group.finding = found->second.finding;
      group.strongest = MakeDiagram(db, clock, group.finding);
      if (!group.strongest) {
        group.strongest_summary = found->second.summary;
        group.lines = ReadEvidence(db, clock, group.finding);
      }
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

int VerdictRank(std::string_view verdict) {
  constexpr std::array<std::string_view, 5> kOrder = {"confirmed", "probable", "latent", "unknown", "benign"};
  return static_cast<int>(std::find(kOrder.begin(), kOrder.end(), verdict) - kOrder.begin());
}

std::map<WaitKind, WaitsOfKind> ReadWaitKinds(const Database& db) {
  // SQLite would sort them all to group them.
  std::map<WaitKind, WaitsOfKind> kinds;
  Statement query(db, ReportSql("wait kinds"));
  auto last = kinds.end();
  while (query.Step()) {
    auto facts = query.OptionalInt(4);
    if (!facts) db.FailDamaged("a wait has a verdict that no analysis writes");
    WaitKind kind{query.OptionalInt(1), query.OptionalInt(2), query.OptionalInt(3), *facts,
                  query.OptionalInt(5)};
    if (last == kinds.end() || last->first != kind) last = kinds.try_emplace(kind).first;
    last->second.Add({.first = query.Int(0), .count = 1});
  }
  return kinds;
}

void CountWaits(Verdict* verdict) {
  for (const auto& [kind, waits] : verdict->wait_kinds) {
    bool judged = (kind.facts & 1) != 0;
    bool in_gap = (kind.facts & 8) != 0;
    bool protection_unknown = (kind.facts >> 4 & 7) == 0;
    verdict->waits += waits.count;
    if (judged && protection_unknown) verdict->unknown_waits += waits.count;
    if (in_gap) verdict->waits_in_gaps += waits.count;
  }
}

std::vector<WaitClass> ReadWaits(const Database& db, const std::map<WaitKind, WaitsOfKind>& kinds) {
  // Verdict, function, caller, reason and what became of the page.
  using Class = std::tuple<std::string, std::optional<int64_t>, std::optional<int64_t>,
                           std::optional<int64_t>, std::string>;
  std::map<Class, WaitsOfKind> classes;
  Statement verdict(db, ReportSql("verdict of wait"));
  for (const auto& [kind, of_kind] : kinds) {
    verdict.Bind(1, of_kind.first);
    if (!verdict.Step()) continue;
    classes[{String(verdict.Text(0)), kind.function, kind.call_function, kind.reason,
             String(verdict.Text(1))}]
        .Add(of_kind);
    verdict.Reset();
  }
  std::vector<WaitClass> waits;
  Statement texts(db, ReportSql("texts of wait"));
  for (const auto& [of_class, all] : classes) {
    texts.Bind(1, all.first);
    if (texts.Step()) {
      WaitClass& one = waits.emplace_back();
      one.verdict = std::get<0>(of_class);
      one.outcome = std::get<4>(of_class);
      one.function = texts.Text(0);
      one.caller = texts.Text(1);
      one.reason = texts.Text(2);
      one.contract = texts.Text(3);
      one.count = all.count;
    }
    texts.Reset();
  }
  std::sort(waits.begin(), waits.end(), [](const WaitClass& a, const WaitClass& b) {
    auto key = [](const WaitClass& one) {
      return std::tuple(VerdictRank(one.verdict), -one.count, std::string_view(one.function),
                        std::string_view(one.caller), std::string_view(one.reason),
                        std::string_view(one.outcome));
    };
    return key(a) < key(b);
  });
  return waits;
}

std::vector<CountedName> ReadMigrations(const Database& db) {
  std::vector<CountedName> results;
  Statement query(db, ReportSql("migrations"));
  while (query.Step()) {
    if (query.Int(1) > 0) results.push_back({String(query.Text(0)), query.Int(1)});
  }
  return results;
}

Losses ReadLosses(const Database& db) {
  Losses losses;
  ForEachGap(db, [&](const LostEvents& gap) {
    ++losses.gaps;
    losses.all_tell &= gap.lost.has_value();
    // Any number may stand there.
    int64_t lost = std::max<int64_t>(gap.lost.value_or(0), 0);
    losses.events += std::min(lost, std::numeric_limits<int64_t>::max() - losses.events);
    if (losses.first.size() < Losses::kMostKept) losses.first.push_back(gap);
  });
  return losses;
}

// Of the names a query returns, one by one.
std::vector<CountedName> CountNames(const Database& db, std::string_view sql) {
  std::map<std::string, int64_t, std::less<>> counts;
  Statement query(db, ReportSql(sql));
  auto last = counts.end();
  while (query.Step()) {
    std::string_view name = query.Text(0);
    if (last == counts.end() || last->first != name) last = counts.try_emplace(std::string(name)).first;
    ++last->second;
  }
  std::vector<CountedName> names;
  names.reserve(counts.size());
  for (const auto& [name, count] : counts) names.push_back({name, count});
  return names;
}

// What a recording may lack, most telling first. `shown_by`: any of these names in `recordable`.
struct RecordableEvidence {
  EvidenceKind kind;
  const char* what;
  std::vector<std::string_view> shown_by;
  const char* consequence;
  const char* record;
};

const std::vector<RecordableEvidence>& RecordableKinds() {
  static const std::vector<RecordableEvidence> kinds = {
      {EvidenceKind::kReferenceCounts,
       "reference counts",
       {"page_refs"},
       "whether a waiter held a reference is known only where the wait function itself settles it, or the "
       "page was "
       "freed under the waiter",
       "the page_ref events (kernels with CONFIG_DEBUG_PAGE_REF), or let the wait probe fetch the count: "
       "ref=+52($arg1):s32 (+28 before 4.18)"},
      {EvidenceKind::kFreesAndAllocations,
       "frees and allocations of pages",
       {"page_lifetimes"},
       "a page that was freed under its waiter looks alive",
       "kmem:mm_page_free and kmem:mm_page_alloc"},
      {EvidenceKind::kPageTableLocks,
       "page-table locks",
       {"ptl_holds"},
       "which lock a waiter dropped before it waited, and when, is not on record",
       "lock:lock_acquire, lock_acquired and lock_release with the filter name ~ \"ptlock*\" (kernels with "
       "CONFIG_LOCK_STAT); on others the probes below do"},
      {EvidenceKind::kFaults,
       "the faults in which tasks wait",
       {"do_huge_pmd_numa_page", "migration_entry_wait", "__migration_entry_wait", "pmd_migration_entry_wait",
        "migration_entry_wait_huge"},
       "how the waiter found its page is inferred from the wait function alone",
       "entry and return probes on do_huge_pmd_numa_page, __migration_entry_wait and "
       "pmd_migration_entry_wait"},
      {EvidenceKind::kMigrations,
       "migrations",
       {"migrations"},
       "who moved a page, and how the attempt ended, is not on record",
       "thp:set_migration_pmd and thp:remove_migration_pmd (5.19 and later), or probes on the "
       "functions of "
       "those names and on migrate_misplaced_transhuge_page"},
      {EvidenceKind::kScheduling,
       "sleeping and waking",
       {"sched_switch", "sched_waking", "sched_wakeup"},
       "when a waiter slept, and who woke it, is not on record",
       "sched:sched_switch and sched:sched_waking"},
  };
  return kinds;
}

std::vector<NotShown> ReadNotShown(const Database& db, const ReportContent& content) {
  std::set<std::string, std::less<>> recordable;
  Statement query(db, ReportSql("recordable"));
  while (query.Step()) recordable.emplace(query.Text(0));

  std::vector<NotShown> missing;
  std::set<std::string> watched;
  for (const WaitClass& waits : content.waits) watched.insert(waits.function);
  for (const std::string& name : recordable) {
    if (IsWaitFunction(FunctionOfSymbol(name))) watched.insert(name);
  }
  if (watched.empty()) {
    missing.push_back({EvidenceKind::kWaits, "waits on pages", "without them nothing can be judged",
                       "entry and return probes on the kernel's wait functions: wait_on_page_bit (to 5.15), "
                       "folio_wait_bit (5.16 and later), put_and_wait_on_page_locked (5.0 to 5.15), "
                       "migration_entry_wait_on_locked (5.17 and later)"});
  }
  const char* const kWaitProbes =
      "entry and return probes on the kernel's wait functions: wait_on_page_bit (to 5.15), folio_wait_bit "
      "(5.16 "
      "and later)";
  if (!watched.empty() && !recordable.contains("page_waits") && recordable.contains("probes_never_hit")) {
    missing.push_back(
        {EvidenceKind::kWaitProbes, "whether waits on pages were recorded",
         "a probe on a wait function is defined, but neither it nor another one was ever hit: they "
         "may have been off",
         "enable the probes (events/kprobes/enable) before tracing_on"});
  } else if (recordable.contains("page_waits") && !recordable.contains("caller_kept_waits")) {
    missing.push_back({EvidenceKind::kWaits, "waits that their callers must make safe",
                       "the wait functions that were probed keep the page themselves, in every kernel",
                       kWaitProbes});
  }
  for (const RecordableEvidence& kind : RecordableKinds()) {
    bool shown = std::any_of(kind.shown_by.begin(), kind.shown_by.end(),
                             [&](std::string_view name) { return recordable.contains(name); });
    if (!shown) missing.push_back({kind.kind, kind.what, kind.consequence, kind.record});
  }
  Statement ended(db, ReportSql("waits that ended"));
  if (content.verdict.waits > 0 && ended.Step() && ended.Int(0) == 0) {
    missing.push_back({EvidenceKind::kWaitEnds, "the ends of waits",
                       "whether a page was freed during a wait or after it stays open",
                       "return probes on the wait functions (r256:..., they block for long)"});
  }
  bool console = content.input.format == FormatName(InputFormat::kConsoleLog) ||
                 std::any_of(content.sources.begin(), content.sources.end(),
                             [](const SourceFile& s) { return s.role == "console"; });
  if (!console)
    missing.push_back({EvidenceKind::kConsole, "the console",
                       "what the kernel itself reported about pages is not known", "dmesg, with --dmesg"});
  return missing;
}

Fidelity ReadFidelity(const Database& db) {
  Statement query(db, ReportSql("fidelity"));
  if (!query.Step()) return {};
  return {query.Int(0), query.Int(1), query.OptionalInt(2), query.OptionalInt(3)};
}

// "68 waits on a page that nothing kept alive", "76 findings of 2 rules"
std::string Subject(const ReportContent& content) {
  std::set<std::string> rules;
  for (const FindingGroup& group : content.groups) rules.insert(group.rule);
  int64_t total = content.grades.total();
  if (rules == std::set<std::string>{"wait_on_freed_page"})
    return Plural(total, "wait", "waits") + " on a page that nothing kept alive";
  return Plural(total, "finding", "findings") + " of " +
         Plural(static_cast<int64_t>(rules.size()), "rule", "rules");
}

}  // namespace

int Verdict::ExitCode() const {
  if (events == 0) return 2;
  if (findings > 0) return 1;
  if (!wait_rule_applicable || unknown_waits > 0 || waits_in_gaps > 0 || incomplete) return 3;
  return 0;
}

Verdict ReadVerdict(const Database& database) {
  Statement query(database, ReportSql("verdict"));
  Verdict verdict;
  if (!query.Step()) return verdict;
  verdict.events = query.Int(0);
  verdict.findings = query.Int(1);
  verdict.wait_rule_applicable = query.Int(2) > 0;
  verdict.incomplete = query.Int(3) != 0;
  verdict.in_disorder = query.Int(4) != 0;
  verdict.wait_kinds = ReadWaitKinds(database);
  CountWaits(&verdict);
  return verdict;
}

int ExitCodeFor(const Database& database, Verdict verdict, const ExitPolicy& policy) {
  verdict.findings = 0;
  const std::vector<std::string>& required = policy.required;
  Statement rules(database, ReportSql("rules"));
  while (rules.Step()) {
    auto severity = SeverityOf(rules.Text(4));
    if (severity && *severity >= policy.fail_on) verdict.findings += rules.Int(3);
    bool is_required = std::find(required.begin(), required.end(), rules.Text(0)) != required.end();
    if (is_required && rules.Int(1) == 0) verdict.wait_rule_applicable = false;
  }
  return verdict.ExitCode();
}

std::string GradeCounts::Text() const {
  std::string list;
  auto add = [&](int64_t count, const char* grade) {
    if (count == 0) return;
    if (!list.empty()) list += ", ";
    list += CountText(count) + " " + grade;
  };
  add(confirmed, "confirmed");
  add(probable, "probable");
  add(latent, "latent");
  return list;
}

void GradeCounts::Add(std::string_view grade, int64_t count) {
  if (grade == "confirmed") confirmed += count;
  if (grade == "probable") probable += count;
  if (grade == "latent") latent += count;
}

void ForEachFinding(const Database& database, const std::function<bool(const Finding&)>& visit) {
  Statement query(database, ReportSql("findings"));
  Statement evidence(database, ReportSql("evidence"));
  while (query.Step()) {
    Finding finding{.id = query.Int(0),
                    .rule = String(query.Text(1)),
                    .severity = String(query.Text(21)),
                    .grade = String(query.Text(2)),
                    .comm = String(query.Text(3)),
                    .pid = query.OptionalInt(4),
                    .pfn = query.OptionalInt(5),
                    .subject = String(query.Text(6)),
                    .subject_id = query.Int(7),
                    .summary = String(query.Text(8)),
                    .fingerprint = String(query.Text(9)),
                    .wait = {},
                    .evidence = {},
                    .kernel = {}};
    if (!query.IsNull(10)) {
      std::string outcome = String(query.Text(14));
      bool freed = outcome.starts_with("freed") || outcome == "reused";
      finding.wait = WaitOfFinding{.function = String(query.Text(10)),
                                   .begin_ts = query.OptionalInt(11),
                                   .end_ts = query.OptionalInt(12),
                                   .protection = String(query.Text(13)),
                                   .outcome = outcome,
                                   .freed = freed,
                                   .releaser_comm = freed ? String(query.Text(15)) : "",
                                   .releaser_pid = freed ? query.OptionalInt(16) : std::nullopt,
                                   .freed_ts = freed ? query.OptionalInt(17) : std::nullopt,
                                   .order = String(query.Text(18)),
                                   .distance = query.OptionalInt(19)};
    }
    evidence.Bind(1, finding.id);
    while (evidence.Step()) finding.evidence.push_back({evidence.Int(0), String(evidence.Text(1))});
    evidence.Reset();
    if (auto id = query.OptionalInt(20)) finding.kernel = ReadKernelReport(database, *id);
    if (!visit(finding)) return;
  }
}

void ForEachNearMiss(const Database& database, const std::function<bool(const NearMiss&)>& visit) {
  Statement query(database, ReportSql("near misses"));
  while (query.Step()) {
    NearMiss miss{.comm = String(query.Text(0)),
                  .pid = query.OptionalInt(1),
                  .pfn = query.OptionalInt(2),
                  .function = String(query.Text(3)),
                  .begin_ts = query.OptionalInt(4),
                  .end_ts = query.OptionalInt(5),
                  .outcome = String(query.Text(6)),
                  .reason = String(query.Text(7)),
                  .step = String(query.Text(8)),
                  .event = query.OptionalInt(9),
                  .line = query.OptionalInt(10)};
    if (!visit(miss)) return;
  }
}

void ForEachGap(const Database& database, const std::function<void(const LostEvents&)>& visit) {
  Statement gaps(database, ReportSql("gaps"));
  while (gaps.Step()) visit({gaps.Int(0), gaps.OptionalInt(1), gaps.OptionalInt(2), gaps.OptionalInt(3)});
}

ReportContent ReadContent(const Database& database) {
  return ReadContent(database, ReadVerdict(database));
}

ReportContent ReadContent(const Database& database, const Verdict& verdict) {
  ReportContent content;
  content.verdict = verdict;
  content.clock = ReadClock(database);
  content.input = ReadInput(database);
  Statement sources(database, ReportSql("sources"));
  while (sources.Step())
    content.sources.push_back({String(sources.Text(0)), String(sources.Text(1)), sources.OptionalInt(2)});
  content.grades = CountGrades(database);
  content.groups = ReadGroups(database, content.clock);
  Statement also(database, ReportSql("also seen"));
  while (also.Step()) content.also_seen.push_back({String(also.Text(0)), String(also.Text(1)), also.Int(2)});
  content.waits = ReadWaits(database, verdict.wait_kinds);
  content.migrations = ReadMigrations(database);
  Statement reports(database, ReportSql("reports"));
  if (reports.Step()) content.reports = reports.Int(0);
  Statement rules(database, ReportSql("rules"));
  while (rules.Step()) {
    content.rules.push_back({.rule = String(rules.Text(0)),
                             .applicable = rules.Int(1) != 0,
                             .missing = String(rules.Text(2)),
                             .findings = rules.Int(3),
                             .severity = String(rules.Text(4)),
                             .summary = String(rules.Text(5)),
                             .why = String(rules.Text(6)),
                             .reference = String(rules.Text(7))});
  }
  content.not_shown = ReadNotShown(database, content);
  content.fidelity = ReadFidelity(database);
  content.anomalies = CountNames(database, "anomalies");
  content.losses = ReadLosses(database);
  Statement issues(database, ReportSql("issues"));
  while (issues.Step()) {
    content.issues.push_back({String(issues.Text(0)), String(issues.Text(1)), issues.Int(2),
                              String(issues.Text(3)), issues.OptionalInt(4)});
  }
  return content;
}

const char* const kSafeWaits =
    "A task that waits for a page must keep it from being freed until it is on the wait queue: by a "
    "reference of its own, or by queueing while it holds the page-table lock. Each of these waits did.";

namespace {

// Of what wait_on_freed_page requires: "page_waits" where no wait function was probed, "all_events" where
// nothing is judged for the sake of filters or of the events' order.
bool IsMissing(const ReportContent& content, std::string_view name) {
  return std::any_of(content.rules.begin(), content.rules.end(), [&](const RuleAnswer& rule) {
    return rule.rule == "wait_on_freed_page" && rule.missing.find(name) != std::string::npos;
  });
}

bool Lacks(const ReportContent& content, EvidenceKind kind) {
  return std::any_of(content.not_shown.begin(), content.not_shown.end(),
                     [&](const NotShown& one) { return one.kind == kind; });
}

bool HasIssue(const ReportContent& content, std::string_view kind) {
  return std::any_of(content.issues.begin(), content.issues.end(),
                     [&](const Issue& issue) { return issue.kind == kind; });
}

// There may be some without a finding: a rule of the user's may have the name of wait_on_freed_page.
int64_t UnprotectedWaits(const ReportContent& content) {
  int64_t count = 0;
  for (const WaitClass& one : content.waits) {
    if (one.verdict != "benign" && one.verdict != "unknown") count += one.count;
  }
  return count;
}

}  // namespace

bool AllWaitsAreSafe(const ReportContent& content) {
  return content.verdict.ExitCode() == 0 && content.verdict.waits > 0 && UnprotectedWaits(content) == 0;
}

std::string VerdictText(const ReportContent& content) {
  const Verdict& verdict = content.verdict;
  switch (verdict.ExitCode()) {
    case 1:
      return fmt::format("FOUND: {}: {}", Subject(content), content.grades.Text());
    case 2:
      return "NOTHING READ: no event in the input could be read";
    case 3:
      if (verdict.in_disorder && !IsMissing(content, "page_waits"))
        return "CANNOT TELL: events are not in the order they were recorded in, so no wait can be judged";
      if (!verdict.in_disorder && IsMissing(content, "all_events"))
        return "CANNOT TELL: events that decide were left out, so no wait can be judged";
      if (Lacks(content, EvidenceKind::kWaitProbes))
        return "CANNOT TELL: no probe was ever hit, so those on wait functions may have been off";
      if (verdict.waits == 0 && HasIssue(content, "waits of nobody"))
        return "CANNOT TELL: the lines of waits name no task, so no wait can be judged";
      if (!verdict.wait_rule_applicable && HasIssue(content, "arguments not understood") &&
          !Lacks(content, EvidenceKind::kWaits))
        return "CANNOT TELL: no wait could be read (arguments are damaged or cut off), so none can be judged";
      if (!verdict.wait_rule_applicable)
        return "CANNOT TELL: no wait function was probed, so no wait can be judged";
      if (verdict.unknown_waits > 0) {
        return fmt::format("CANNOT TELL: no finding, but the recording leaves {} open",
                           Plural(verdict.unknown_waits, "wait", "waits"));
      }
      if (verdict.waits_in_gaps == 0)
        return "CANNOT TELL: no finding, but a part of the input could not be read";
      return fmt::format("CANNOT TELL: no finding, but events were lost during {}",
                         Plural(verdict.waits_in_gaps, "wait", "waits"));
    default:
      if (verdict.waits == 0) return "NO FINDING: no task waited on a page in this recording";
      if (int64_t blamed = UnprotectedWaits(content); blamed > 0)
        return fmt::format("NO FINDING: no rule reports any of {} on pages, {} of them without protection",
                           Plural(verdict.waits, "wait", "waits"), CountText(blamed));
      return fmt::format("NO FINDING: {} on pages, every one of them safe",
                         Plural(verdict.waits, "wait", "waits"));
  }
}

bool IsFilterIssue(const Issue& issue) {
  return issue.kind == kFilteredIssue;
}

std::string KeptText(const ReportContent& content) {
  std::string text;
  int64_t kept = content.input.events;
  for (const Issue& issue : content.issues) {
    if (!IsFilterIssue(issue)) continue;
    kept -= issue.count;
    text += " + " + CountText(issue.count) + " " + issue.text;
  }
  if (text.empty()) return text;
  return CountText(content.input.events) + " = " + CountText(kept) + " kept" + text;
}

std::string FidelityText(const Fidelity& fidelity) {
  if (fidelity.anchors == 0) return {};
  // Hundredths of a percent, rounded down: 100.00 means all of them.
  int64_t share = fidelity.matched * 10000 / fidelity.anchors;
  std::string miss;
  if (fidelity.first_mismatch)
    miss = fmt::format("; first miss at event {}, line {}", *fidelity.first_mismatch,
                       fidelity.first_mismatch_line.value_or(0));
  return fmt::format("{} of {} certain reference counts predicted ({}.{:02} %){}",
                     CountText(fidelity.matched), CountText(fidelity.anchors), share / 100, share % 100,
                     miss);
}

std::string GapText(const LostEvents& gap, bool ticks) {
  return fmt::format("{} of cpu {} lost from {} to {}",
                     gap.lost ? Plural(*gap.lost, "event", "events") : "events", gap.cpu,
                     gap.from_ts ? TimeText(gap.from_ts, ticks) : "the beginning",
                     gap.to_ts ? TimeText(gap.to_ts, ticks) : "the end");
}

std::string OrderText(const WaitOfFinding& wait, const TraceClock& clock) {
  if (wait.order == "same cpu") return "same-cpu";
  if (wait.order == "count") return "count 0 at the wait";
  if (wait.order == "lock hand-over" || wait.order == "wake-up" || wait.order == "fork") return wait.order;
  if (wait.order != "apart" || !wait.distance) return "open";
  return fmt::format("{} apart, clock error {}", DurationText(*wait.distance, clock.ticks),
                     DurationText(clock.error, clock.ticks));
}

}  // namespace mmreplay
