// The table `event` as a virtual one over a spool, for analyses that keep no database: the same columns but
// the typed fields, found by id and by pfn as through the stored table's indexes.
#pragma once

#include "db/database.h"
#include "db/event_spool.h"

namespace mmreplay {

class EventTable {
 public:
  // The spool must outlive it, and is complete before the table is read.
  explicit EventTable(EventSpool* spool) : spool_(spool) {}

  // Must outlive the connection.
  void CreateIn(Database* database);

  class Cursor;
  const char* declaration() const;
  void BestIndex(sqlite3_index_info* query) const;

 private:
  EventSpool* spool_;
};

}  // namespace mmreplay
