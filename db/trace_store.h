// Writes a recording into a database: in bulk, in one pass, complete or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/database.h"
#include "db/event_spool.h"
#include "db/event_table.h"
#include "db/output_file.h"
#include "parser/batch.h"
#include "parser/bundle.h"
#include "parser/console_timeline.h"
#include "parser/ftrace_text.h"
#include "parser/typed_fields.h"
#include "replay/records.h"
#include "replay/shadow_mm.h"

namespace mmreplay {

// Facts of the whole recording, known when it has been read.
struct TraceFacts {
  std::string format;
  TraceHeader header;
  LineCounts lines;
  std::optional<ConsoleOffset> console_offset;  // nullopt: the console's time is not related to the trace's
  std::vector<int64_t> part_lines;              // of each file, where several make up the trace
  std::optional<bool> clock_is_ticks;
  ReplaySummary replay;
  std::vector<TraceIssue> issues;
  std::vector<int64_t> batches;  // events in each
  size_t input_issues = 0;       // of these, the first ones are the reader's
  std::vector<EventKind> kinds;
  std::vector<std::string> recordable;  // events, functions and views: see schema.sql
};

// "info", "warning", "error": trace_issue.severity.
const char* SeverityName(TraceIssue::Severity severity);

// Records about more than one event, each kind by itself: they differ in size by a factor of ten.
struct IntervalRecords {
  void Add(Record&& record);
  // Empty, with the memory it has.
  void Clear();

  size_t count = 0;  // of all
  std::vector<PageLifetime> lives;
  std::vector<PtlHold> holds;
  std::vector<Migration> migrations;
  std::vector<PageWait> waits;
  std::vector<RepairedRef> repaired;
  std::vector<Anomaly> anomalies;
  std::vector<Gap> gaps;
};

// A batch with what the replay made of it. Records borrow from the batch's text.
struct ReplayedBatch {
  ReplayedBatch() = default;
  ReplayedBatch(ReplayedBatch&&) = default;
  ReplayedBatch& operator=(ReplayedBatch&&) = default;
  ReplayedBatch(const ReplayedBatch&) = delete;
  ReplayedBatch& operator=(const ReplayedBatch&) = delete;

  // Before its events are replayed.
  void Begin() { pages.assign(batch.events.size(), {}); }
  // Takes a record made while an event of the batch is replayed. Records about single events are about
  // events of the batch.
  void Add(Record&& record);
  // Empty, with the memory it has.
  void Clear();

  Batch batch;
  std::vector<PageResult> pages;                    // one per event
  std::vector<std::pair<EventId, Pfn>> more_pages;  // of an event that is about another page, too
  IntervalRecords records;
  bool only_records = false;  // of a batch that is still being replayed
};

// Values of event.flags.
constexpr int64_t kInInterrupt = 1;
constexpr int64_t kCopy = 2;
constexpr int64_t kUnreadable = 4;
inline int64_t FlagsOf(const Event& event) {
  return (event.in_interrupt ? kInInterrupt : 0) | (event.copy ? kCopy : 0) |
         (event.unreadable ? kUnreadable : 0);
}

class TraceStore {
 public:
  // Without `path` the database is temporary. With it, everything is loaded under a temporary name
  // beside it; Finish gives it the name. An existing file is replaced if mmreplay wrote it, and
  // refused otherwise.
  explicit TraceStore(const std::optional<std::string>& path);
  // A temporary database in which events and intervals are read from a spool, as far as a report needs them:
  // the table `event` has no typed fields, and there are no stacks and no views of event kinds.
  explicit TraceStore(std::unique_ptr<EventSpool> spool);
  ~TraceStore();

  // Makes the tables and views, before anything is written: some ten milliseconds of work, which need not be
  // done by who waits for it.
  void Begin();

  // Batches in order. One thread at a time.
  void Write(const ReplayedBatch& replayed);

  // Everything that is known at the end only, the indexes and the views.
  void Finish(const Recording& recording, const TraceFacts& facts, const StringTable& strings);

  // After Finish: for rules; after Publish only for reading.
  Database& database() { return *database_; }

  // Commits and gives the file its name. Statements on database() must be gone.
  void Publish();

  // Typed fields are stored with the events.
  bool keeps_fields() const { return !spool_; }
  // Sees to it that the batch's text need not be held until it is written; false: it must be. By another
  // thread than the one that writes, too.
  bool KeepArgs(Batch* batch) {
    if (spool_) spool_->KeepArgs(batch);
    return spool_ != nullptr;
  }
  // Where events may keep their arguments as records; nullptr: nowhere, their text is stored.
  RecordLayouts* layouts() { return spool_ ? spool_->layouts() : nullptr; }

 private:
  struct Intervals;
  struct Statements;

  void WriteMarkers(const Batch& batch);
  void WriteEvents(const ReplayedBatch& replayed);

  std::unique_ptr<PartialFile> partial_;  // outlives the connection
  // So do these.
  std::unique_ptr<EventSpool> spool_;
  std::unique_ptr<EventTable> events_;
  std::unique_ptr<Intervals> intervals_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Statements> statements_;
  int64_t batches_ = 0;
};

// Makes sure that what reports look up is found by index.
void IndexEvidence(Database* database);

// A trace without events, for what only needs the views.
std::unique_ptr<Database> EmptyTraceDatabase();

}  // namespace mmreplay
