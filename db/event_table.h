// The table `event` as a virtual one over a spool, for analyses that keep no database: the same columns but
// the typed fields, found by id and by pfn as through the stored table's indexes.
#pragma once

#include "db/database.h"
#include "db/event_spool.h"

namespace mmreplay {

// Creates it. The spool must outlive the connection and is complete before the table is read.
void CreateEventTable(Database* database, EventSpool* spool);

}  // namespace mmreplay
