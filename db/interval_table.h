// Tables of intervals (page_lifetime, ptl_hold, migration, page_wait) as virtual ones over a spool, for
// analyses that keep no database: columns as in schema.sql, found as through the indexes of stored tables.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/database.h"
#include "db/interval_spool.h"

namespace mmreplay {

class IntervalTable {
 public:
  // Takes the place of the table, which is empty; its first column is the id. The database is to outlive it,
  // the files are to outlive the database. It is complete before it is read; rows that are read then stay in
  // memory, if all of them have room in that many bytes.
  IntervalTable(Database* database, const std::string& table, SpoolFile* file, TextSpool* texts,
                size_t room = 0);

  IntervalSpool& rows() { return rows_; }

  class Cursor;
  const char* declaration() const { return declaration_.c_str(); }
  void BestIndex(sqlite3_index_info* query) const;

 private:
  // Columns rows are found by: the first by value, the second by a range. Without a second one it is the id,
  // as in SQLite's own indexes.
  struct Key {
    int first;
    std::optional<int> second;
    std::unique_ptr<IntervalIndex> index;  // made when it is first asked for
  };

  std::string declaration_;
  uint64_t texts_ = 0;  // a bit for each column that is one
  IntervalSpool rows_;
  size_t room_;
  std::vector<Key> keys_;
};

}  // namespace mmreplay
