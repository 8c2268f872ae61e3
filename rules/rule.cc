#include "rules/rule.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <optional>
#include <set>

#include "db/output_file.h"
#include "db/read_only.h"
#include "db/trace_store.h"
#include "parser/error.h"
#include "parser/lines.h"
#include "parser/small_file.h"
#include "rules/embedded_rules.h"
#include "rules/proof.h"

namespace mmreplay {
namespace {

constexpr std::array<std::string_view, 6> kColumns = {"grade", "subject", "subject_id",
                                                      "pfn",   "pid",     "summary"};
// What a folder of rules may be; shipped rules are some KiB each.
constexpr size_t kLongestRule = size_t{1} << 20;
constexpr size_t kMostRules = 1000;
constexpr size_t kLongestFolder = size_t{16} << 20;
constexpr size_t kLongestName = 100;
constexpr size_t kLongestValue = size_t{16} << 10;  // of the front matter
constexpr size_t kMostRequired = 64;
// Of one text of a finding. Reports escape it, and show it several times.
constexpr size_t kLongestText = size_t{64} << 10;
// What one rule may find: what is more is a mistake in its SELECT, and would have to be held in memory.
constexpr size_t kMostFindings = 1'000'000;
// A fingerprint names a class of findings, which are reported together.
constexpr size_t kMostFingerprints = 1'000;
// Of one finding: each is set beside each in its proof.
constexpr size_t kMostEvidence = 64;
constexpr size_t kUsualEvidence = 8;  // rules that come with mmreplay name no more
constexpr size_t kPairBytes = 32;     // what the pairs of more are counted as

constexpr std::array<std::string_view, 3> kGrades = {"confirmed", "probable", "latent"};

[[noreturn]] void Fail(const std::string& file, int line, int column, const std::string& what) {
  throw Error(file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + what);
}

// Each once, in their order.
std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> items;
  for (std::string_view word : SplitWords(text)) {
    if (word.ends_with(',')) word.remove_suffix(1);
    if (!word.empty() && std::find(items.begin(), items.end(), word) == items.end()) items.emplace_back(word);
    if (items.size() > kMostRequired) break;
  }
  return items;
}

struct Evidence {
  size_t role;  // the column that names it
  int64_t event;
};

struct FoundRow {
  std::string grade;
  std::string subject;
  int64_t subject_id;
  std::optional<int64_t> pfn;
  std::optional<int64_t> pid;
  std::optional<std::string> comm;
  std::string summary;
  std::string fingerprint;
  std::vector<Evidence> events;
};

struct Found {
  std::vector<std::string> roles;  // by column; empty: it is none
  std::vector<FoundRow> rows;
};

// Whether the SELECT names it, comments aside.
bool Reads(const Rule& rule, std::string_view name) {
  auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  bool found = false;
  ForEachLine(rule.sql, [&](std::string_view line) {
    line = line.substr(0, line.find("--"));
    for (size_t at = line.find(name); at != std::string_view::npos; at = line.find(name, at + 1)) {
      size_t end = at + name.size();
      found |= (at == 0 || !is_word(line[at - 1])) && (end == line.size() || !is_word(line[end]));
    }
  });
  return found;
}

// A kind of event that was on and never hit is evidence, and has no view: nothing to find there. What a rule
// requires and does not read (a probed function, a fact about the recording) need not have one.
bool HasAllViews(const Rule& rule, const Database& db) {
  Statement view(db, "SELECT 1 FROM sqlite_schema WHERE name = ? COLLATE NOCASE");
  return std::all_of(rule.required.begin(), rule.required.end(), [&](const std::string& name) {
    if (!Reads(rule, name)) return true;
    view.Bind(1, name);
    bool found = view.Step();
    view.Reset();
    return found;
  });
}

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
}

Found Select(const Rule& rule, const Database& db, const RuleBudget& budget, RuleOutcome* outcome) {
  SqlSource source{rule.file, rule.sql_line, rule.sql};
  ReadOnlyStatement query(db, source, {.steps = budget.steps, .cpu = budget.cpu});
  std::array<int, kColumns.size()> at{};
  for (size_t i = 0; i < kColumns.size(); ++i) {
    at[i] = query.Column(kColumns[i]);
    if (at[i] < 0) FailInSql(source, "the SELECT returns no column " + std::string(kColumns[i]), 0);
  }
  int comm = query.Column("comm");
  int fingerprint = query.Column("fingerprint");
  constexpr std::string_view kRoleSuffix = "_event";

  Found found;
  std::vector<FoundRow>& rows = found.rows;
  for (int i = 0; i < query.columns(); ++i) {
    std::string_view name = query.Name(i);
    bool is_role = name.ends_with(kRoleSuffix);
    if (is_role && name.size() > kLongestName)
      FailInSql(source, "the name of a column of events has more than 100 bytes", 0);
    found.roles.emplace_back(is_role ? name.substr(0, name.size() - kRoleSuffix.size()) : "");
  }
  std::set<std::string, std::less<>> fingerprints;
  size_t bytes = 0;
  auto count = [&](size_t more) {
    bytes += more;
    if (bytes > budget.finding_bytes)
      query.Fail("returns more than can be a finding each: those of all rules may take " +
                 std::to_string(kMaxFindingBytes >> 20) + " MiB");
  };
  while (query.Step()) {
    if (rows.size() == kMostFindings) {
      query.Fail("returns more than can be a finding each: " + std::to_string(rows.size()) +
                 " rows were read, and there are more");
    }
    // Before they are copied.
    for (int column : {at[0], at[1], at[5], comm, fingerprint}) {
      if (column < 0) continue;
      auto size = static_cast<size_t>(query.Bytes(column));
      if (size > kLongestText) query.Fail("a text of a finding has more than 64 KiB");
      count(size);
    }
    FoundRow row{.grade = query.Text(at[0]),
                 .subject = query.Text(at[1]),
                 .subject_id = query.Int(at[2]).value_or(0),
                 .pfn = query.Int(at[3]),
                 .pid = query.Int(at[4]),
                 .comm = {},
                 .summary = query.Text(at[5]),
                 .fingerprint = rule.name,
                 .events = {}};
    if (std::find(kGrades.begin(), kGrades.end(), row.grade) == kGrades.end())
      FailInSql(source,
                "grade '" + row.grade.substr(0, kLongestName) + "' is none of confirmed, probable, latent",
                0);
    if (comm >= 0) row.comm = query.Text(comm);
    if (fingerprint >= 0) row.fingerprint = rule.name + "/" + query.Text(fingerprint);
    if (fingerprints.insert(row.fingerprint).second && fingerprints.size() > kMostFingerprints)
      query.Fail("returns more than " + std::to_string(kMostFingerprints) +
                 " fingerprints: one is for a class of findings");
    for (int i = 0; i < query.columns(); ++i) {
      const std::string& role = found.roles[static_cast<size_t>(i)];
      auto event = role.empty() ? std::nullopt : query.Int(i);
      if (!event) continue;
      auto same = [&](const Evidence& other) {
        return other.event == *event && found.roles[other.role] == role;
      };
      if (std::any_of(row.events.begin(), row.events.end(), same)) continue;
      if (row.events.size() == kMostEvidence)
        query.Fail("names more than " + std::to_string(kMostEvidence) + " events as evidence of one finding");
      count(sizeof(Evidence) + role.size());
      // Each of them makes a pair with every other one, which is to be proven.
      if (row.events.size() >= kUsualEvidence) count(row.events.size() * kPairBytes);
      row.events.push_back({static_cast<size_t>(i), *event});
    }
    rows.push_back(std::move(row));
  }
  outcome->steps = query.steps();
  outcome->finding_bytes = bytes;
  return found;
}

std::vector<std::string> Missing(const Rule& rule, const Database& db) {
  std::vector<std::string> missing;
  Statement known(db, "SELECT 1 FROM recordable WHERE name = ?");
  for (const std::string& name : rule.required) {
    known.Bind(1, name);
    if (!known.Step()) missing.push_back(name);
    known.Reset();
  }
  return missing;
}

}  // namespace

std::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "error";
}

std::optional<Severity> SeverityOf(std::string_view name) {
  for (Severity severity : {Severity::kInfo, Severity::kWarning, Severity::kError}) {
    if (name == SeverityName(severity)) return severity;
  }
  return std::nullopt;
}

Rule ParseRule(const std::string& file, std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Rule rule;
  rule.file = file;
  std::vector<std::string> seen;
  std::string* open = nullptr;  // a value that may go on
  std::string required;
  std::string severity;
  int severity_line = 1;
  int line_number = 0;
  bool in_front = true;
  ForEachLine(text, [&](std::string_view line) {
    ++line_number;
    if (!in_front) return;
    if (!line.starts_with("--")) {
      in_front = false;
      rule.sql_line = line_number;
      return;
    }
    std::string_view content = line.substr(2);
    if (content.starts_with("   ") && open) {
      *open += ' ';
      *open += TrimBlanks(content);
      return;
    }
    if (TrimBlanks(content).empty()) {
      open = nullptr;
      return;
    }
    if (!content.starts_with(' ')) Fail(file, line_number, 3, "front matter lines read '-- key: value'");
    content.remove_prefix(1);
    size_t colon = content.find(": ");
    if (colon == std::string_view::npos)
      Fail(file, line_number, 4, "front matter lines read '-- key: value'");
    std::string key(content.substr(0, colon));
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      Fail(file, line_number, 4, "'" + key + "' is given twice");
    seen.push_back(key);
    if (key == "name") {
      open = &rule.name;
    } else if (key == "severity") {
      open = &severity;
      severity_line = line_number;
    } else if (key == "summary") {
      open = &rule.summary;
    } else if (key == "why") {
      open = &rule.why;
    } else if (key == "requires") {
      open = &required;
    } else if (key == "reference") {
      open = &rule.reference;
    } else if (key == "releases") {
      open = &rule.releases;
    } else {
      Fail(file, line_number, 4,
           "unknown key '" + key + "' (name severity summary why requires reference releases)");
    }
    *open = TrimBlanks(content.substr(colon + 2));
  });
  for (const std::string* value : {&rule.summary, &rule.why, &rule.reference, &rule.releases, &required}) {
    if (value->size() > kLongestValue) Fail(file, 1, 1, "a value of the front matter has more than 16 KiB");
  }
  for (const char* key : {"name", "severity", "summary", "why", "requires", "reference"}) {
    if (std::find(seen.begin(), seen.end(), key) == seen.end())
      Fail(file, 1, 1, std::string("the front matter lacks '") + key + "'");
  }
  if (rule.name.empty() || rule.name.size() > kLongestName ||
      !std::all_of(rule.name.begin(), rule.name.end(), IsNameCharacter))
    Fail(file, 1, 1, "the name of a rule is made of letters, digits, '_', '-' and '.', 100 at most");
  auto known = SeverityOf(severity);
  if (!known) Fail(file, severity_line, 14, "severity is info, warning or error");
  rule.severity = *known;
  rule.required = SplitList(required);
  if (rule.required.size() > kMostRequired) Fail(file, 1, 1, "it requires more than 64 names");
  // The SQL keeps its place in the file, so that errors can name it.
  std::string_view rest = text;
  for (int skip = 1; skip < rule.sql_line; ++skip) rest.remove_prefix(rest.find('\n') + 1);
  if (in_front) rest = {};
  rule.sql = rest;
  if (in_front || rule.sql.find_first_not_of(" \t\r\n") == std::string::npos)
    Fail(file, line_number + 1, 1, "there is no SELECT below the front matter");
  return rule;
}

std::vector<Rule> BuiltInRules() {
  std::vector<Rule> rules;
  for (const EmbeddedSql& file : EmbeddedRules()) {
    rules.push_back(ParseRule("rules/" + std::string(file.name), file.text));
  }
  std::sort(rules.begin(), rules.end(), [](const Rule& a, const Rule& b) { return a.name < b.name; });
  return rules;
}

Rule ReadRule(const std::string& path) {
  RequireRegularFile(path);
  return ParseRule(path, ReadSmallFile(path, kLongestRule));
}

std::vector<Rule> LoadRules(const std::optional<std::string>& folder) {
  std::vector<Rule> rules = BuiltInRules();
  if (!folder) return rules;
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(*folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".sql") paths.push_back(entry->path().string());
    if (paths.size() > kMostRules)
      throw Error(*folder + ": has more than " + std::to_string(kMostRules) + " .sql files in it");
  }
  if (error) throw Error(*folder + ": " + error.message());
  if (paths.empty()) throw Error(*folder + ": has no .sql files in it");
  std::sort(paths.begin(), paths.end());
  std::vector<Rule> own;
  size_t bytes = 0;
  for (const std::string& path : paths) {
    Rule rule = ReadRule(path);
    bytes += rule.sql.size();
    if (bytes > kLongestFolder) throw Error(*folder + ": its rules have more than 16 MiB");
    auto same_name = [&](const Rule& other) { return other.name == rule.name; };
    auto twice = std::find_if(own.begin(), own.end(), same_name);
    if (twice != own.end()) throw Error(path + ": rule " + rule.name + " is in " + twice->file + " already");
    std::erase_if(rules, same_name);
    own.push_back(std::move(rule));
  }
  std::move(own.begin(), own.end(), std::back_inserter(rules));
  std::sort(rules.begin(), rules.end(), [](const Rule& a, const Rule& b) { return a.name < b.name; });
  return rules;
}

RuleCheck CheckRule(const Rule& rule, const Database& database) {
  RuleCheck check{.prepared = HasAllViews(rule, database), .applicable = Missing(rule, database).empty()};
  if (!check.prepared) return check;
  RuleOutcome outcome{};
  auto findings = static_cast<int64_t>(Select(rule, database, {}, &outcome).rows.size());
  if (check.applicable) check.findings = findings;
  return check;
}

RuleOutcome RunRule(const Rule& rule, Database* database, const RuleBudget& budget) {
  RuleOutcome outcome{
      .rule = rule.name, .severity = rule.severity, .applicable = true, .missing = Missing(rule, *database)};
  outcome.applicable = outcome.missing.empty();
  Found found;
  if (outcome.applicable && HasAllViews(rule, *database)) found = Select(rule, *database, budget, &outcome);
  Statement finding = InsertInto(*database, "finding");
  Statement evidence = InsertInto(*database, "finding_event");
  for (const FoundRow& row : found.rows) {
    finding.Bind(2, rule.name);
    finding.Bind(3, row.grade);
    finding.Bind(4, row.subject);
    finding.Bind(5, row.subject_id);
    finding.Bind(6, row.pfn);
    finding.Bind(7, row.pid);
    finding.Bind(8, row.comm);
    finding.Bind(9, row.summary);
    finding.Bind(10, row.fingerprint);
    finding.Run();
    int64_t id = sqlite3_last_insert_rowid(database->handle());
    for (const auto& [role, event] : row.events) {
      evidence.Bind(1, id);
      evidence.Bind(2, event);
      evidence.Bind(3, found.roles[role]);
      evidence.Run();
    }
  }
  outcome.findings = static_cast<int64_t>(found.rows.size());

  std::string missing;
  for (const std::string& name : outcome.missing) missing += (missing.empty() ? "" : " ") + name;
  Statement result = InsertInto(*database, "rule_result");
  result.Bind(1, rule.name);
  result.Bind(2, SeverityName(rule.severity));
  result.Bind(3, rule.summary);
  result.Bind(4, rule.why);
  result.Bind(5, rule.reference);
  result.Bind(6, outcome.applicable);
  if (!missing.empty()) result.Bind(7, missing);
  result.Bind(8, outcome.findings);
  result.Run();
  return outcome;
}

bool NeedEveryEvent(const std::vector<Rule>& rules) {
  std::unique_ptr<Database> empty = EmptyTraceDatabase();
  const std::chrono::nanoseconds start = CpuTime();
  return std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) {
    if (CpuTime() - start > kMaxRuleTime) return true;  // to prepare them takes longer than one may take
    auto tables = TablesReadBy(*empty, rule.sql);
    if (!tables) return true;  // a kind of event has its view only where it occurs
    return tables->contains("event") || tables->contains("stack");
  });
}

void JudgeTrace(const std::vector<Rule>& rules, Database* database) {
  // Each may take its time, all of them together no more than a few.
  int64_t steps_left = kMaxStepsOfAllRules;
  size_t bytes_left = kMaxFindingBytes;
  int64_t findings = 0;
  const std::chrono::nanoseconds start = CpuTime();
  for (const Rule& rule : rules) {
    std::chrono::nanoseconds left = kMaxTimeOfAllRules - (CpuTime() - start);
    RuleOutcome outcome = RunRule(
        rule, database,
        {.steps = std::min(steps_left, kMaxRuleSteps),
         .cpu = std::clamp<std::chrono::nanoseconds>(left, std::chrono::milliseconds(1), kMaxRuleTime),
         .finding_bytes = bytes_left});
    steps_left -= outcome.steps;
    bytes_left -= outcome.finding_bytes;
    findings += outcome.findings;
  }
  if (findings == 0) return;
  IndexEvidence(database);
  ProveFindings(database);
}

}  // namespace mmreplay
