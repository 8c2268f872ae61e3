// One pass over a recording: parse, learn, replay, store. The only place that knows all stages, and
// the only seam with threads: reading and storing have a thread each, with the replay between them.
#pragma once

#include <cstdint>

#include <functional>
#include <memory>
#include <thread>

#include "db/trace_store.h"
#include "parser/bundle.h"
#include "parser/event_source.h"
#include "parser/memory_budget.h"

namespace mmreplay {

// Sees every record on its way from the replay to the store, and may change it: the seam at which a
// test puts a wrong model in place of ours.
using RecordHook = std::function<void(Record*)>;

// Where the events come from: the recording's files (parser/event_source.h), or a stored trace.
using SourceOpener = std::function<std::unique_ptr<EventSource>(const Recording&, StringTable*, Decoder*)>;

// Told now and then how many events were read so far.
using ProgressFn = std::function<void(int64_t events)>;

struct IngestOptions {
  RecordHook record = {};
  ProgressFn progress = {};
  SourceOpener open = OpenEventSource;
  MemoryBudget memory = MemoryBudget();
  unsigned cpus = std::thread::hardware_concurrency();  // to share among the stages; 0: not known
};

// A temporary store for that recording: with every event, or with what a report reads.
std::unique_ptr<TraceStore> MakeTemporaryStore(const Recording& recording, bool every_event);

// Reads the whole recording into the store, replayed; indexes and views are built. The store is not
// published.
TraceFacts Ingest(const Recording& recording, TraceStore* store, const IngestOptions& options = {});

}  // namespace mmreplay
