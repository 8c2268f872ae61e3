#include "db/read_only.h"

#include <algorithm>

#include "parser/error.h"

namespace mmreplay {
namespace {

constexpr int kStepsPerCall = 10'000;

}  // namespace

void FailInSql(const SqlSource& source, std::string_view what, int offset) {
  const std::string& sql = source.text;
  size_t at = std::min(static_cast<size_t>(std::max(offset, 0)), sql.size());
  size_t line_start = at == 0 ? std::string::npos : sql.rfind('\n', at - 1);
  line_start = line_start == std::string::npos ? 0 : line_start + 1;
  auto lines_before = std::count(sql.begin(), sql.begin() + static_cast<std::ptrdiff_t>(line_start), '\n');
  std::string line = sql.substr(line_start, sql.find('\n', line_start) - line_start);
  size_t column = at - line_start;
  throw Error(source.name + ":" + std::to_string(source.first_line + lines_before) + ":" +
              std::to_string(column + 1) + ": " + std::string(what) + "\n  " + line + "\n  " +
              std::string(column, ' ') + "^");
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
    bool denied = code == SQLITE_AUTH;
    FailInSql(source, denied ? "only reading is allowed here" : sqlite3_errmsg(database.handle()),
              sqlite3_error_offset(database.handle()));
  }
  if (!statement_) FailInSql(source, "there is no statement", 0);
  if (std::string_view(tail).find_first_not_of(" \t\r\n;") != std::string_view::npos)
    FailInSql(source, "one statement only", static_cast<int>(tail - source.text.c_str()));
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
