#include "db/read_only.h"

#include <algorithm>
#include <cctype>

#include "parser/error.h"

namespace mmreplay {
namespace {

constexpr int kStepsPerCall = 10'000;

// Where SQLite names no place: the last word of its message ("no such table: main.nosuch") as the query has
// it, or its end for one that is not complete.
int PlaceOf(std::string_view sql, std::string_view message) {
  if (message == "incomplete input") return static_cast<int>(sql.size());
  size_t colon = message.rfind(": ");
  if (colon == std::string_view::npos) return 0;
  std::string_view word = message.substr(colon + 2);
  if (size_t dot = word.rfind('.'); dot != std::string_view::npos) word.remove_prefix(dot + 1);
  auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  auto found = std::search(sql.begin(), sql.end(), word.begin(), word.end(), same);
  return word.empty() || found == sql.end() ? 0 : static_cast<int>(found - sql.begin());
}

}  // namespace

void FailInSql(const SqlSource& source, std::string_view what, int offset) {
  const std::string& sql = source.text;
  size_t at = std::min(static_cast<size_t>(std::max(offset, 0)), sql.size());
  size_t line_start = at == 0 ? std::string::npos : sql.rfind('\n', at - 1);
  line_start = line_start == std::string::npos ? 0 : line_start + 1;
  auto lines_before = std::count(sql.begin(), sql.begin() + static_cast<std::ptrdiff_t>(line_start), '\n');
  std::string line = sql.substr(line_start, sql.find('\n', line_start) - line_start);
  // Columns as a terminal counts them.
  auto is_start = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  auto column = static_cast<size_t>(std::count_if(sql.begin() + static_cast<std::ptrdiff_t>(line_start),
                                                  sql.begin() + static_cast<std::ptrdiff_t>(at), is_start));
  throw Error(source.name + ":" + std::to_string(source.first_line + lines_before) + ":" +
              std::to_string(column + 1) + ": " + std::string(what) + "\n  " + line + "\n  " +
              std::string(column, ' ') + "^");
}

std::optional<std::set<std::string>> TablesReadBy(const Database& database, const std::string& sql) {
  std::set<std::string> tables;
  auto note = [](void* to, int action, const char* table, const char*, const char*, const char*) {
    if (action == SQLITE_READ && table) static_cast<std::set<std::string>*>(to)->insert(table);
    return SQLITE_OK;
  };
  sqlite3_set_authorizer(database.handle(), note, &tables);
  sqlite3_stmt* statement = nullptr;
  int code =
      sqlite3_prepare_v2(database.handle(), sql.c_str(), static_cast<int>(sql.size()), &statement, nullptr);
  sqlite3_finalize(statement);
  sqlite3_set_authorizer(database.handle(), nullptr, nullptr);
  if (code != SQLITE_OK) return std::nullopt;
  return tables;
}

ReadOnlyStatement::Restriction::Restriction(sqlite3* db, int64_t max_steps) : db_(db), max_steps_(max_steps) {
  sqlite3_set_authorizer(db_, &Authorize, nullptr);
  sqlite3_progress_handler(db_, kStepsPerCall, &Count, this);
}

ReadOnlyStatement::Restriction::~Restriction() {
  sqlite3_set_authorizer(db_, nullptr, nullptr);
  sqlite3_progress_handler(db_, 0, nullptr, nullptr);
}

int ReadOnlyStatement::Restriction::Authorize(void*, int action, const char*, const char*, const char*,
                                              const char*) {
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

int ReadOnlyStatement::Restriction::Count(void* self) {
  auto* restriction = static_cast<Restriction*>(self);
  restriction->steps_ += kStepsPerCall;
  return restriction->steps_ > restriction->max_steps_;
}

ReadOnlyStatement::ReadOnlyStatement(const Database& database, const SqlSource& source, int64_t max_steps)
    : database_(database), source_(source), restriction_(database.handle(), max_steps) {
  const char* tail = nullptr;
  sqlite3_stmt* raw = nullptr;
  int code = sqlite3_prepare_v2(database.handle(), source.text.c_str(), static_cast<int>(source.text.size()),
                                &raw, &tail);
  statement_.reset(raw);
  if (code != SQLITE_OK) {
    std::string what =
        code == SQLITE_AUTH ? "only reading is allowed here" : sqlite3_errmsg(database.handle());
    int offset = sqlite3_error_offset(database.handle());
    FailInSql(source, what, offset >= 0 ? offset : PlaceOf(source.text, what));
  }
  if (!statement_) FailInSql(source, "there is no statement", 0);
  // What follows may be blanks and comments: nothing that makes a statement.
  while (*tail) {
    const char* rest = nullptr;
    sqlite3_stmt* more = nullptr;
    int second = sqlite3_prepare_v2(database.handle(), tail, -1, &more, &rest);
    bool nothing = second == SQLITE_OK && !more;
    sqlite3_finalize(more);
    if (!nothing) FailInSql(source, "one statement only", static_cast<int>(tail - source.text.c_str()));
    tail = rest;
  }
}

bool ReadOnlyStatement::Step() {
  int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  if (code == SQLITE_INTERRUPT) FailInSql(source_, "stopped: it did not end within its step budget", 0);
  FailInSql(source_, sqlite3_errmsg(database_.handle()), 0);
}

int ReadOnlyStatement::Column(std::string_view name) const {
  for (int i = 0; i < columns(); ++i) {
    if (name == Name(i)) return i;
  }
  return -1;
}

std::optional<int64_t> ReadOnlyStatement::Int(int column) const {
  if (Type(column) == SQLITE_NULL) return std::nullopt;
  return sqlite3_column_int64(statement_.get(), column);
}

std::string ReadOnlyStatement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (!text) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

}  // namespace mmreplay
