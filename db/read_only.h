// One SELECT from a stranger: a rule, a query. It may read and nothing else, and it ends.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "db/database.h"

namespace mmreplay {

// Where a statement comes from, for errors: "rules/x.sql:14:9: no such column: w.pfm", the line and a
// caret below the place.
struct SqlSource {
  std::string name;    // file, or "query"
  int first_line = 1;  // of the statement, in that file
  std::string text;
};

[[noreturn]] void FailInSql(const SqlSource& source, std::string_view what, int offset);

// What the process has taken of the processors.
std::chrono::nanoseconds CpuTime();

// What reading may take.
struct Budget {
  int64_t steps = INT64_MAX;        // instructions of SQLite's machine: the same on every machine
  std::chrono::nanoseconds cpu{0};  // of the process; 0: as long as it takes
  bool may_check = false;           // PRAGMA quick_check, for code of ours
};

// Some functions of SQL run for hours on one long text, and nothing of SQLite stops them. What is set here is
// then called, from another thread, with a sentence about it; it has to end the process. Without it they run
// on.
using LastResort = void (*)(const std::string& message);
void SetLastResort(LastResort call);

// While it lives, a connection reads and does nothing else, within its budget. Where several are there, the
// youngest counts.
class Restriction {
 public:
  // `name` is whom to blame; `outer` is the one this takes the place of, if any.
  Restriction(sqlite3* db, std::string name, const Budget& budget, Restriction* outer);
  Restriction(const Restriction&) = delete;
  Restriction& operator=(const Restriction&) = delete;
  ~Restriction();

  int64_t steps() const { return steps_; }
  // Why it was stopped.
  std::string Why() const;

 private:
  static int Authorize(void*, int action, const char*, const char*, const char*, const char*);
  static int Count(void* self);
  void Install();
  void Watch();

  sqlite3* db_;
  std::string name_;
  Budget budget_;
  Restriction* outer_;
  int64_t steps_ = 0;
  std::chrono::nanoseconds start_;
  std::atomic<bool> suspended_{false};  // another takes its place
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread watch_;  // of the cpu time, where that is limited
};

// What SQLite calls to write: temporary files of a restricted statement must not fill the disk.
ssize_t WriteWithinBudget(int fd, const void* data, size_t size, off64_t offset);

// The tables a statement reads, through views too; nullopt where it cannot be prepared.
std::optional<std::set<std::string>> TablesReadBy(const Database& database, const std::string& sql);

// Of the connection and of all of SQLite, while it lives.
class StatementLimits {
 public:
  explicit StatementLimits(sqlite3* db);
  StatementLimits(const StatementLimits&) = delete;
  StatementLimits& operator=(const StatementLimits&) = delete;
  ~StatementLimits();

 private:
  sqlite3* db_;
  std::vector<int> former_;
  int64_t former_heap_;
};

class ReadOnlyStatement {
 public:
  // Prepares the one statement in `source`; both must outlive this. The connection is restricted to
  // reading while this lives: an authorizer allows SELECT, READ, FUNCTION and RECURSIVE (that a
  // statement is read-only is not enough: ATTACH is). So are memory, temporary files and the length of
  // values, with SQLite's own limits. Throws Error as FailInSql does.
  ReadOnlyStatement(const Database& database, const SqlSource& source, const Budget& budget);

  bool Step();
  int columns() const { return sqlite3_column_count(statement_.get()); }
  std::string_view Name(int column) const { return sqlite3_column_name(statement_.get(), column); }
  // -1 where there is no such column.
  int Column(std::string_view name) const;
  int Type(int column) const { return sqlite3_column_type(statement_.get(), column); }
  // nullopt for NULL. Throws Error for what is no integer.
  std::optional<int64_t> Int(int column) const;
  double Real(int column) const { return sqlite3_column_double(statement_.get(), column); }
  std::string Text(int column) const;  // empty for NULL
  int64_t Bytes(int column) const;     // of a text

  int64_t steps() const { return restriction_.steps(); }

  // Ends the statement with a sentence about what it returned.
  [[noreturn]] void Fail(std::string_view what) const { FailInSql(source_, what, 0); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  [[noreturn]] void FailBecauseOf(int code, int offset) const;

  const Database& database_;
  const SqlSource& source_;
  StatementLimits limits_;
  Restriction restriction_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace mmreplay
