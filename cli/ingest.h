// One pass over a recording: parse, learn, replay, store. The only place that knows all stages, and
// the only seam with threads: parsing and the replay run here, SQLite runs behind a bounded queue.
#pragma once

#include <cstdint>

#include "db/trace_store.h"
#include "parser/bundle.h"

namespace mmreplay {

// Reads the whole recording into the store, replayed; indexes and views are built. The store is not
// published.
TraceFacts Ingest(const Recording& recording, TraceStore* store);

}  // namespace mmreplay
