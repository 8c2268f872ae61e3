#include "db/read_only.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <ctime>
#include <utility>

#include "parser/error.h"

namespace mmreplay {
namespace {

constexpr int kStepsPerCall = 10'000;
// Between the request to stop and the last resort.
constexpr std::chrono::seconds kGrace(5);

// Sorting a whole trace of ten million events takes some two of them.
constexpr int64_t kTemporaryBytes = int64_t{8} << 30;
// No event is longer: a line of 64 MiB is read, and a value may be twice that with its row.
constexpr std::array<std::pair<int, int>, 5> kLimits = {{{SQLITE_LIMIT_LENGTH, 128 << 20},
                                                         {SQLITE_LIMIT_SQL_LENGTH, 1 << 20},
                                                         {SQLITE_LIMIT_ATTACHED, 0},
                                                         {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
                                                         {SQLITE_LIMIT_WORKER_THREADS, 0}}};
// Views in views can make a few lines a large statement.
constexpr std::chrono::seconds kPrepareTime(20);
constexpr int64_t kUnlimited = INT64_MAX;

std::atomic<int64_t> temporary_bytes_left{kUnlimited};
std::atomic<LastResort> last_resort{nullptr};

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

std::chrono::nanoseconds CpuTime() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

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
  // A line may be of any length, and hold what moves a terminal's cursor.
  constexpr size_t kBefore = 60;
  constexpr size_t kShown = 160;
  size_t place = at - line_start;
  size_t shown_column = column;
  if (line.size() > kShown) {
    size_t from = place > kBefore ? place - kBefore : 0;
    line = line.substr(from, kShown);
    shown_column = static_cast<size_t>(std::count_if(
        line.begin(), line.begin() + static_cast<std::ptrdiff_t>(std::min(place - from, line.size())),
        is_start));
  }
  auto show = [](std::string_view text) {
    std::string shown(text);
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
        ' ');
    return shown;
  };
  throw Error(source.name + ":" + std::to_string(source.first_line + lines_before) + ":" +
                  std::to_string(column + 1) + ": " + show(what),
              {show(line), std::string(shown_column, ' ') + "^"});
}

std::optional<std::set<std::string>> TablesReadBy(const Database& database, const std::string& sql) {
  std::set<std::string> tables;
  StatementLimits limits(database.handle());
  Restriction restriction(database.handle(), "rule", {.cpu = kPrepareTime}, database.restriction());
  auto note = [](void* to, int action, const char* table, const char*, const char*, const char*) {
    if (action == SQLITE_READ && table) static_cast<std::set<std::string>*>(to)->insert(table);
    return SQLITE_OK;
  };
  sqlite3_set_authorizer(database.handle(), note, &tables);
  sqlite3_stmt* statement = nullptr;
  int code =
      sqlite3_prepare_v2(database.handle(), sql.c_str(), static_cast<int>(sql.size()), &statement, nullptr);
  sqlite3_finalize(statement);
  if (code != SQLITE_OK) return std::nullopt;
  return tables;
}

void SetLastResort(LastResort call) {
  last_resort = call;
}

ssize_t WriteWithinBudget(int fd, const void* data, size_t size, off64_t offset) {
  if (temporary_bytes_left != kUnlimited && (temporary_bytes_left -= static_cast<int64_t>(size)) < 0) {
    errno = ENOSPC;
    return -1;
  }
  return pwrite64(fd, data, size, offset);
}

Restriction::Restriction(sqlite3* db, std::string name, const Budget& budget, Restriction* outer)
    : db_(db), name_(std::move(name)), budget_(budget), outer_(outer), start_(CpuTime()) {
  if (outer_) outer_->suspended_ = true;
  Install();
  if (budget_.cpu.count() > 0) watch_ = std::thread([this] { Watch(); });
}

Restriction::~Restriction() {
  if (watch_.joinable()) {
    {
      std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    watch_.join();
  }
  if (outer_) {
    outer_->Install();  // it counts on from where it was
  } else {
    sqlite3_set_authorizer(db_, nullptr, nullptr);
    sqlite3_progress_handler(db_, 0, nullptr, nullptr);
  }
}

void Restriction::Install() {
  suspended_ = false;
  sqlite3_set_authorizer(db_, &Authorize, this);
  sqlite3_progress_handler(db_, kStepsPerCall, &Count, this);
}

int Restriction::Authorize(void* self, int action, const char* pragma, const char* function, const char*,
                           const char*) {
  switch (action) {
    case SQLITE_FUNCTION:
      return sqlite3_stricmp(function, "load_extension") == 0 ||
                     sqlite3_stricmp(function, "fts3_tokenizer") == 0
                 ? SQLITE_DENY
                 : SQLITE_OK;
    case SQLITE_PRAGMA:
      return static_cast<Restriction*>(self)->budget_.may_check && std::string_view(pragma) == "quick_check"
                 ? SQLITE_OK
                 : SQLITE_DENY;
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    default:
      return SQLITE_DENY;
  }
}

int Restriction::Count(void* self) {
  auto* restriction = static_cast<Restriction*>(self);
  restriction->steps_ += kStepsPerCall;
  return restriction->steps_ > restriction->budget_.steps;
}

void Restriction::Watch() {
  std::chrono::nanoseconds end = start_ + budget_.cpu;
  std::unique_lock lock(mutex_);
  for (;;) {
    std::chrono::nanoseconds now = CpuTime();
    if (suspended_) end = now + budget_.cpu;
    if (now >= end) sqlite3_interrupt(db_);
    LastResort call = last_resort;
    if (now >= end + kGrace && call) call(name_ + ": " + Why());
    std::chrono::nanoseconds wait = now >= end ? std::chrono::milliseconds(100) : end - now;
    if (changed_.wait_for(lock, wait, [this] { return over_; })) return;
  }
}

std::string Restriction::Why() const {
  if (steps_ > budget_.steps) return "stopped: it did not end within its step budget";
  return "stopped: it did not end within " +
         std::to_string(std::chrono::ceil<std::chrono::seconds>(budget_.cpu).count()) + " s";
}

StatementLimits::StatementLimits(sqlite3* db) : db_(db) {
  for (const auto& [what, most] : kLimits) former_.push_back(sqlite3_limit(db, what, most));
  former_heap_ = sqlite3_hard_heap_limit64(sqlite3_memory_used() + kMostHeapBytes);
  temporary_bytes_left = kTemporaryBytes;
}

StatementLimits::~StatementLimits() {
  temporary_bytes_left = kUnlimited;
  sqlite3_hard_heap_limit64(former_heap_);
  sqlite3_soft_heap_limit64(former_heap_);  // the hard limit had lowered it
  for (size_t i = 0; i < kLimits.size(); ++i) sqlite3_limit(db_, kLimits[i].first, former_[i]);
}

ReadOnlyStatement::ReadOnlyStatement(const Database& database, const SqlSource& source, const Budget& budget)
    : database_(database),
      source_(source),
      limits_(database.handle()),
      restriction_(database.handle(), source.name, budget, database.restriction()) {
  if (source.text.find('\0') != std::string::npos) FailInSql(source, "there is a NUL byte in it", 0);
  const char* tail = nullptr;
  sqlite3_stmt* raw = nullptr;
  int code = sqlite3_prepare_v2(database.handle(), source.text.c_str(), static_cast<int>(source.text.size()),
                                &raw, &tail);
  statement_.reset(raw);
  if (code != SQLITE_OK) FailBecauseOf(code, sqlite3_error_offset(database.handle()));
  if (!statement_) FailInSql(source, "there is no statement", 0);
  // VACUUM asks no authorizer.
  if (sqlite3_stmt_readonly(raw) == 0) FailInSql(source, "only reading is allowed here", 0);
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
  FailBecauseOf(code, 0);
}

void ReadOnlyStatement::FailBecauseOf(int code, int offset) const {
  std::string what = sqlite3_errmsg(database_.handle());
  switch (code & 0xff) {
    case SQLITE_INTERRUPT:
      what = restriction_.Why();
      break;
    case SQLITE_AUTH:
      what = "only reading is allowed here";
      break;
    case SQLITE_NOMEM:
      what = "stopped: it needs more than " + std::to_string(kMostHeapBytes >> 20) + " MiB of memory";
      break;
    case SQLITE_FULL:
      if (temporary_bytes_left < 0)
        what = "stopped: it needs more than " + std::to_string(kTemporaryBytes >> 30) +
               " GiB of temporary files";
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      database_.FailDamaged(what);
    default:
      break;
  }
  FailInSql(source_, what, offset >= 0 ? offset : PlaceOf(source_.text, what));
}

int ReadOnlyStatement::Column(std::string_view name) const {
  for (int i = 0; i < columns(); ++i) {
    if (name == Name(i)) return i;
  }
  return -1;
}

std::optional<int64_t> ReadOnlyStatement::Int(int column) const {
  if (Type(column) == SQLITE_NULL) return std::nullopt;
  if (Type(column) != SQLITE_INTEGER) Fail("its column " + std::string(Name(column)) + " holds no integer");
  return sqlite3_column_int64(statement_.get(), column);
}

int64_t ReadOnlyStatement::Bytes(int column) const {
  int type = Type(column);
  return type == SQLITE_TEXT || type == SQLITE_BLOB ? sqlite3_column_bytes(statement_.get(), column) : 0;
}

std::string ReadOnlyStatement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (!text) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

}  // namespace mmreplay
