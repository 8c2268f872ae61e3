// One SELECT from a stranger: a rule, a query. It may read and nothing else, and it ends.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

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

// The tables a statement reads, through views too; nullopt where it cannot be prepared.
std::optional<std::set<std::string>> TablesReadBy(const Database& database, const std::string& sql);

class ReadOnlyStatement {
 public:
  // Prepares the one statement in `source`; both must outlive this. The connection is restricted to
  // reading while this lives: an authorizer allows SELECT, READ, FUNCTION and RECURSIVE (that a
  // statement is read-only is not enough: ATTACH is). Throws Error as FailInSql does.
  // `max_steps`: instructions of SQLite's machine after which it is stopped.
  ReadOnlyStatement(const Database& database, const SqlSource& source, int64_t max_steps);

  bool Step();
  int columns() const { return sqlite3_column_count(statement_.get()); }
  std::string_view Name(int column) const { return sqlite3_column_name(statement_.get(), column); }
  // -1 where there is no such column.
  int Column(std::string_view name) const;
  int Type(int column) const { return sqlite3_column_type(statement_.get(), column); }
  std::optional<int64_t> Int(int column) const;
  double Real(int column) const { return sqlite3_column_double(statement_.get(), column); }
  std::string Text(int column) const;  // empty for NULL

 private:
  // While it lives, the connection only reads, and only so many steps.
  class Restriction {
   public:
    Restriction(sqlite3* db, int64_t max_steps);
    Restriction(const Restriction&) = delete;
    Restriction& operator=(const Restriction&) = delete;
    ~Restriction();

   private:
    static int Authorize(void*, int action, const char*, const char*, const char*, const char*);
    static int Count(void* self);

    sqlite3* db_;
    int64_t max_steps_;
    int64_t steps_ = 0;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  const Database& database_;
  const SqlSource& source_;
  Restriction restriction_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace mmreplay
