// Inserts many rows with one statement. SQLite fetches the values from a virtual table over them, which takes
// less than half of what binding and stepping row by row does (tests/bench: ceiling against analyze -o).
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "db/database.h"

namespace mmreplay {

class BulkInsert {
 public:
  // Sets the value of a column of a row, by its place in `rows`, with sqlite3_result_*. Not set is NULL.
  // Texts may be borrowed (SQLITE_STATIC) from what lives as long as the rows.
  using Column = void (*)(const void* rows, size_t row, int column, sqlite3_context* value);

  // Into all columns of a table that are not generated, in the schema's order. `database` must outlive it.
  BulkInsert(const Database& database, const std::string& table, Column column);
  BulkInsert(const BulkInsert&) = delete;
  BulkInsert& operator=(const BulkInsert&) = delete;
  ~BulkInsert();

  // `rows` is what `column` is called with, for 0 .. count-1. Throws Error.
  void Insert(const void* rows, size_t count);

 private:
  struct Source;

  std::string module_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<Statement> insert_;
};

}  // namespace mmreplay
