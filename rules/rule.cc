#include "rules/rule.h"

#include <algorithm>
#include <array>
#include <optional>

#include "parser/error.h"
#include "parser/lines.h"
#include "rules/embedded_rules.h"

namespace mmreplay {
namespace {

constexpr int kStepsPerCall = 10'000;

constexpr std::array<std::string_view, 6> kColumns = {"grade", "subject", "subject_id",
                                                      "pfn",   "pid",     "summary"};
constexpr std::array<std::string_view, 3> kGrades = {"confirmed", "probable", "latent"};

[[noreturn]] void Fail(const std::string& file, int line, int column, const std::string& what) {
  throw Error(file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + what);
}

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> items;
  for (std::string_view word : SplitWords(text)) {
    if (word.ends_with(',')) word.remove_suffix(1);
    if (!word.empty()) items.emplace_back(word);
  }
  return items;
}

// Reading, and nothing but reading. sqlite3_stmt_readonly alone would let ATTACH pass.
int Authorize(void*, int action, const char*, const char*, const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    default:
      return SQLITE_DENY;
  }
}

// While it lives, the connection only reads and only so many steps.
class Restricted {
 public:
  Restricted(sqlite3* db, int64_t max_steps) : db_(db), max_steps_(max_steps) {
    sqlite3_set_authorizer(db_, &Authorize, nullptr);
    sqlite3_progress_handler(db_, kStepsPerCall, &Restricted::Count, this);
  }
  Restricted(const Restricted&) = delete;
  Restricted& operator=(const Restricted&) = delete;
  ~Restricted() {
    sqlite3_set_authorizer(db_, nullptr, nullptr);
    sqlite3_progress_handler(db_, 0, nullptr, nullptr);
  }

 private:
  static int Count(void* self) {
    auto* restricted = static_cast<Restricted*>(self);
    restricted->steps_ += kStepsPerCall;
    return restricted->steps_ > restricted->max_steps_;
  }
  sqlite3* db_;
  int64_t max_steps_;
  int64_t steps_ = 0;
};

// "file:14:9: no such column: w.pfm", the line and a caret below the place.
[[noreturn]] void FailInSql(const Rule& rule, std::string_view what, int offset) {
  size_t at = std::min(static_cast<size_t>(std::max(offset, 0)), rule.sql.size());
  size_t line_start = rule.sql.rfind('\n', at == 0 ? 0 : at - 1);
  line_start = line_start == std::string::npos ? 0 : line_start + 1;
  if (line_start > at) line_start = at;
  auto lines_before =
      std::count(rule.sql.begin(), rule.sql.begin() + static_cast<std::ptrdiff_t>(line_start), '\n');
  std::string line = rule.sql.substr(line_start, rule.sql.find('\n', line_start) - line_start);
  size_t column = at - line_start;
  throw Error(rule.file + ":" + std::to_string(rule.sql_line + lines_before) + ":" +
              std::to_string(column + 1) + ": " + std::string(what) + "\n  " + line + "\n  " +
              std::string(column, ' ') + "^");
}

class PreparedRule {
 public:
  PreparedRule(const Rule& rule, const Database& db) : rule_(rule), db_(db) {
    const char* tail = nullptr;
    int code = sqlite3_prepare_v2(db.handle(), rule.sql.c_str(), static_cast<int>(rule.sql.size()),
                                  &statement_, &tail);
    if (code != SQLITE_OK) {
      FailInSql(rule, code == SQLITE_AUTH ? "a rule may only read" : sqlite3_errmsg(db.handle()),
                sqlite3_error_offset(db.handle()));
    }
    if (!statement_) FailInSql(rule, "a rule is one SELECT", 0);
    std::string_view rest(tail);
    if (rest.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
      sqlite3_finalize(statement_);
      FailInSql(rule, "a rule is one statement", static_cast<int>(tail - rule.sql.c_str()));
    }
  }
  PreparedRule(const PreparedRule&) = delete;
  PreparedRule& operator=(const PreparedRule&) = delete;
  ~PreparedRule() { sqlite3_finalize(statement_); }

  int Column(std::string_view name) const {
    for (int i = 0; i < sqlite3_column_count(statement_); ++i) {
      if (name == sqlite3_column_name(statement_, i)) return i;
    }
    return -1;
  }

  bool Step() {
    int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    if (code == SQLITE_INTERRUPT) FailInSql(rule_, "the rule did not finish within its step budget", 0);
    FailInSql(rule_, sqlite3_errmsg(db_.handle()), 0);
  }

  std::optional<int64_t> Int(int column) const {
    if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_int64(statement_, column);
  }
  std::string Text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return text ? std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement_, column)))
                : std::string();
  }
  int columns() const { return sqlite3_column_count(statement_); }
  std::string_view Name(int column) const { return sqlite3_column_name(statement_, column); }

 private:
  const Rule& rule_;
  const Database& db_;
  sqlite3_stmt* statement_ = nullptr;
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
  std::vector<std::pair<std::string, int64_t>> events;  // role, event
};

std::vector<FoundRow> Select(const Rule& rule, const Database& db) {
  PreparedRule prepared(rule, db);
  std::array<int, kColumns.size()> at{};
  for (size_t i = 0; i < kColumns.size(); ++i) {
    at[i] = prepared.Column(kColumns[i]);
    if (at[i] < 0) FailInSql(rule, "the SELECT returns no column " + std::string(kColumns[i]), 0);
  }
  int comm = prepared.Column("comm");
  int fingerprint = prepared.Column("fingerprint");
  constexpr std::string_view kRoleSuffix = "_event";

  std::vector<FoundRow> rows;
  while (prepared.Step()) {
    FoundRow row{.grade = prepared.Text(at[0]),
                 .subject = prepared.Text(at[1]),
                 .subject_id = prepared.Int(at[2]).value_or(0),
                 .pfn = prepared.Int(at[3]),
                 .pid = prepared.Int(at[4]),
                 .comm = {},
                 .summary = prepared.Text(at[5]),
                 .fingerprint = rule.name,
                 .events = {}};
    if (std::find(kGrades.begin(), kGrades.end(), row.grade) == kGrades.end())
      FailInSql(rule, "grade '" + row.grade + "' is none of confirmed, probable, latent", 0);
    if (comm >= 0) row.comm = prepared.Text(comm);
    if (fingerprint >= 0) row.fingerprint = rule.name + "/" + prepared.Text(fingerprint);
    for (int i = 0; i < prepared.columns(); ++i) {
      std::string_view name = prepared.Name(i);
      if (!name.ends_with(kRoleSuffix)) continue;
      if (auto event = prepared.Int(i)) {
        row.events.emplace_back(std::string(name.substr(0, name.size() - kRoleSuffix.size())), *event);
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
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

Rule ParseRule(const std::string& file, std::string_view text) {
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
    } else {
      Fail(file, line_number, 4, "unknown key '" + key + "' (name severity summary why requires reference)");
    }
    *open = TrimBlanks(content.substr(colon + 2));
  });
  for (const char* key : {"name", "severity", "summary", "why", "requires", "reference"}) {
    if (std::find(seen.begin(), seen.end(), key) == seen.end())
      Fail(file, 1, 1, std::string("the front matter lacks '") + key + "'");
  }
  if (severity == "info") {
    rule.severity = Severity::kInfo;
  } else if (severity == "warning") {
    rule.severity = Severity::kWarning;
  } else if (severity == "error") {
    rule.severity = Severity::kError;
  } else {
    Fail(file, severity_line, 14, "severity is info, warning or error");
  }
  rule.required = SplitList(required);
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

RuleOutcome RunRule(const Rule& rule, Database* database, int64_t max_steps) {
  RuleOutcome outcome{
      .rule = rule.name, .severity = rule.severity, .applicable = true, .missing = Missing(rule, *database)};
  outcome.applicable = outcome.missing.empty();
  std::vector<FoundRow> rows;
  if (outcome.applicable) {
    Restricted restricted(database->handle(), max_steps);
    rows = Select(rule, *database);
  }
  Statement finding(*database, "INSERT INTO finding VALUES(NULL,?,?,?,?,?,?,?,?,?)");
  Statement evidence(*database, "INSERT INTO finding_event VALUES(?,?,?)");
  for (const FoundRow& row : rows) {
    finding.Bind(1, rule.name);
    finding.Bind(2, row.grade);
    finding.Bind(3, row.subject);
    finding.Bind(4, row.subject_id);
    finding.Bind(5, row.pfn);
    finding.Bind(6, row.pid);
    finding.Bind(7, row.comm);
    finding.Bind(8, row.summary);
    finding.Bind(9, row.fingerprint);
    finding.Run();
    int64_t id = sqlite3_last_insert_rowid(database->handle());
    for (const auto& [role, event] : row.events) {
      evidence.Bind(1, id);
      evidence.Bind(2, event);
      evidence.Bind(3, role);
      evidence.Run();
    }
  }
  outcome.findings = static_cast<int64_t>(rows.size());

  std::string missing;
  for (const std::string& name : outcome.missing) missing += (missing.empty() ? "" : " ") + name;
  Statement result(*database, "INSERT INTO rule_result VALUES(?,?,?,?,?)");
  result.Bind(1, rule.name);
  result.Bind(2, SeverityName(rule.severity));
  result.Bind(3, outcome.applicable);
  if (missing.empty()) {
    result.BindNull(4);
  } else {
    result.Bind(4, missing);
  }
  result.Bind(5, outcome.findings);
  result.Run();
  return outcome;
}

}  // namespace mmreplay
