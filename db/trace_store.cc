#include "db/trace_store.h"

#include <algorithm>
#include <cassert>
#include <type_traits>

#include "db/bulk_insert.h"
#include "db/embedded_sql.h"
#include "db/event_table.h"
#include "db/interval_table.h"
#include "db/kind_views.h"
#include "db/output_file.h"
#include "parser/error.h"
#include "parser/overloaded.h"

namespace mmreplay {

// Phrases are numbered when the wait is taken.
struct StoredWait {
  const PageWait* wait;
  int64_t contract;
  int64_t reason;
};

namespace {

template <typename T>
std::optional<int64_t> OptionalValue(const std::optional<T>& id) {
  if (!id) return std::nullopt;
  return static_cast<int64_t>(*id);
}

std::optional<int64_t> EventOf(const std::optional<Moment>& moment) {
  if (!moment) return std::nullopt;
  return Value(moment->event);
}
std::optional<int64_t> TimeOf(const std::optional<Moment>& moment) {
  if (!moment) return std::nullopt;
  return moment->ts;
}
std::optional<int64_t> PidOf(const std::optional<Moment>& moment) {
  if (!moment) return std::nullopt;
  return OptionalValue(moment->pid);
}

// What exists under the name is replaced if mmreplay wrote it, in whatever state it is.
void RequireReplaceable(const std::string& path) {
  auto header = ReadDatabaseHeader(path);
  if (!header) return;
  if (header->application_id == kFleetApplicationId)
    throw Error(path + ": is a fleet database of many logs; give the result another name");
  if (header->application_id != kApplicationId)
    throw Error(path + ": is not a database mmreplay wrote; give the result another name");
}

// Values of columns: of a statement, see BulkInsert::Column, or of a row that is spooled.
void Set(sqlite3_context* to, int64_t value) {
  sqlite3_result_int64(to, value);
}
void Set(sqlite3_context* to, std::string_view text) {
  // A null pointer would be NULL; an empty view may carry one.
  sqlite3_result_text64(to, text.data() ? text.data() : "", text.size(), SQLITE_STATIC, SQLITE_UTF8);
}
void Set(IntervalSpool::Writer to, int64_t value) {
  to.Set(value);
}
void Set(IntervalSpool::Writer to, std::string_view text) {
  to.Set(text);
}
template <typename To, typename T>
void Set(To to, const std::optional<T>& value) {
  if (value) Set(to, static_cast<int64_t>(*value));
}
template <typename To>
void Set(To to, const std::optional<std::string_view>& value) {
  if (value) Set(to, *value);
}
void Set(sqlite3_context* to, const FieldValue& value) {
  if (value.type == FieldValue::Type::kInteger) Set(to, value.number);
  if (value.type == FieldValue::Type::kText) Set(to, value.text);
}
template <typename T>
std::optional<int64_t> If(bool there, T value) {
  if (!there) return std::nullopt;
  return static_cast<int64_t>(value);
}

std::optional<int64_t> Difference(const std::optional<int64_t>& later,
                                  const std::optional<int64_t>& earlier) {
  if (!later || !earlier) return std::nullopt;
  return *later - *earlier;
}

void EventColumn(const void* rows, size_t row, int column, sqlite3_context* to) {
  const auto& replayed = *static_cast<const ReplayedBatch*>(rows);
  const Event& event = replayed.batch.events[row];
  const PageResult& page = replayed.pages[row];
  constexpr int kFirstField = 18;
  if (column >= kFirstField) {
    auto field = static_cast<uint32_t>(column - kFirstField);
    if (field < event.field_count) Set(to, replayed.batch.fields[event.first_field + field]);
    return;
  }
  switch (column) {
    case 0:
      return Set(to, Value(event.id));
    case 1:
      return Set(to, event.ts);
    case 2:
      return Set(to, event.cpu);
    case 3:
      return Set(to, event.pid);
    case 4:
      return Set(to, event.tgid);
    case 5:
      return Set(to, static_cast<int64_t>(event.comm));
    case 6:
      return Set(to, int64_t{event.kind});
    case 7:
      return Set(to, replayed.batch.Args(event));
    case 8:
      return Set(to, event.line);
    case 9:
      return Set(to, static_cast<int64_t>(event.context));
    case 10:
      return Set(to, int64_t{1} + event.source);
    case 11:
      return Set(to, FlagsOf(event));
    case 12:
      return Set(to, page.pfn);
    case 13:
      return Set(to, page.lifetime);
    case 14:
      return Set(to, page.delta);
    case 15:
      return Set(to, page.replayed);
    case 16:
      return Set(to, page.replayed_lo);
    case 17:
      return Set(to, page.replayed_hi);
    default:
      return;
  }
}

template <typename To>
void SetColumn(const PageLifetime& life, int column, To to) {
  switch (column) {
    case 0:
      return Set(to, Value(life.id));
    case 1:
      return Set(to, static_cast<int64_t>(Value(life.pfn)));
    case 2:
      return Set(to, life.order);
    case 3:
      return Set(to, EventOf(life.alloc));
    case 4:
      return Set(to, EventOf(life.free));
    case 5:
      return Set(to, TimeOf(life.alloc));
    case 6:
      return Set(to, TimeOf(life.free));
    case 7:
      return Set(to, PidOf(life.alloc));
    case 8:
      return Set(to, PidOf(life.free));
    case 9:
      return Set(to, static_cast<int64_t>(life.quality));
    default:
      return;
  }
}

template <typename To>
void SetColumn(const PtlHold& hold, int column, To to) {
  switch (column) {
    case 0:
      return Set(to, Value(hold.id));
    case 1:
      return Set(to, static_cast<int64_t>(Value(hold.lock)));
    case 2:
      return Set(to, hold.pid);
    case 3:
      return Set(to, static_cast<int64_t>(hold.comm));
    case 4:
      return Set(to, EventOf(hold.acquire));
    case 5:
      return Set(to, EventOf(hold.release));
    case 6:
      return Set(to, TimeOf(hold.acquire));
    case 7:
      return Set(to, TimeOf(hold.release));
    case 8:
      return Set(to, hold.contended_ts);
    case 9:
      return Set(to, NullIfEmpty(hold.protects));
    case 10:  // generated, as the next one, where the table is SQLite's own
      return Set(to, Difference(TimeOf(hold.release), TimeOf(hold.acquire)));
    case 11:
      return Set(to, Difference(TimeOf(hold.acquire), hold.contended_ts));
    default:
      return;
  }
}

template <typename To>
void SetColumn(const StoredWait& one, int column, To to) {
  const PageWait& w = *one.wait;
  switch (column) {
    case 0:
      return Set(to, Value(w.id));
    case 1:
      return Set(to, w.pid);
    case 2:
      return Set(to, static_cast<int64_t>(w.comm));
    case 3:
      return Set(to, w.pfn);
    case 4:
      return Set(to, w.lifetime);
    case 5:
      return Set(to, w.frame_life);
    case 6:
      return Set(to, static_cast<int64_t>(w.function));
    case 7:
      return Set(to, w.bit);
    case 8:
      return Set(to, int64_t{w.judged});
    case 9:
      return Set(to, Value(w.begin.event));
    case 10:
      return Set(to, EventOf(w.end));
    case 11:
      return Set(to, w.begin.ts);
    case 12:
      return Set(to, TimeOf(w.end));
    case 13:
      return Set(to, w.call);
    case 14:
      return Set(to, If(w.call.has_value(), w.call_function));
    case 15:
      return Set(to, w.hold);
    case 16:
      return Set(to, w.hold_release);
    case 17:
      return Set(to, w.reference);
    case 18:
      return Set(to, w.asleep);
    case 19:
      return Set(to, EventOf(w.woken));
    case 20:
      return Set(to, TimeOf(w.woken));
    case 21:
      return Set(to, static_cast<int64_t>(w.protection));
    case 22:
      return Set(to, static_cast<int64_t>(w.outcome));
    case 23:
      return Set(to, EventOf(w.death));
    case 24:
      return Set(to, TimeOf(w.death));
    case 25:
      return Set(to, PidOf(w.death));
    case 26:
      return Set(to, If(w.death.has_value(), w.death ? w.death->comm : StringId{}));
    case 27:
      return Set(to, w.death ? OptionalValue(w.death->cpu) : std::nullopt);
    case 28:
      return Set(to, w.free);
    case 29:
      return Set(to, static_cast<int64_t>(w.order));
    case 30:
      return Set(to, w.order_ns);
    case 31:
      return Set(to, int64_t{w.gap});
    case 32:
      return Set(to, int64_t{w.weakened});
    case 33:
      return Set(to, one.contract);
    case 34:
      return Set(to, one.reason);
    case 35:
      return Set(to, std::string_view(w.why));
    case 36:
      return Set(to, static_cast<int64_t>(w.path));
    case 37:
      return Set(to, EventOf(w.unlocked));
    case 38:
      return Set(to, TimeOf(w.unlocked));
    case 39:
      return Set(to, EventOf(w.over));
    case 40:
      return Set(to, TimeOf(w.over));
    case 41:  // generated
      return Set(to, Difference(TimeOf(w.end), w.begin.ts));
    default:
      return;
  }
}

template <typename To>
void SetColumn(const Migration& moved, int column, To to) {
  switch (column) {
    case 1:
      return Set(to, moved.pid);
    case 2:
      return Set(to, static_cast<int64_t>(moved.comm));
    case 3:
      return Set(to, moved.source);
    case 4:
      return Set(to, moved.destination);
    case 5:
      return Set(to, NullIfEmpty(moved.reason));
    case 6:
      return Set(to, EventOf(moved.begin));
    case 7:
      return Set(to, EventOf(moved.end));
    case 8:
      return Set(to, TimeOf(moved.begin));
    case 9:
      return Set(to, TimeOf(moved.end));
    case 10:
      return Set(to, static_cast<int64_t>(moved.result));
    case 11:
      return Set(to, NullIfEmpty(moved.why));
    case 12:
      return Set(to, int64_t{moved.holders.count});
    case 13:
      return Set(to, moved.holders.latest);
    case 14:
      return Set(to, If(moved.holders.taken.has_value(), moved.holders.comm));
    case 15:
      return Set(to, moved.holders.taken);
    default:
      return;  // id: numbered by SQLite
  }
}

// Of rows that are inserted together.
template <typename Row>
void ColumnOf(const void* rows, size_t row, int column, sqlite3_context* to) {
  SetColumn((*static_cast<const std::vector<Row>*>(rows))[row], column, to);
}

}  // namespace

// The tables that are spooled.
struct TraceStore::Intervals {
  // Rules and reports go through the waits several times. The replay has ended then, and took more.
  static constexpr size_t kWaitsInMemory = size_t{64} << 20;

  Intervals(Database* database, SpoolFile* file)
      : texts(file),
        lives(database, "page_lifetime", file, &texts),
        holds(database, "ptl_hold", file, &texts),
        migrations(database, "migration", file, &texts),
        waits(database, "page_wait", file, &texts, kWaitsInMemory) {}

  void Put(const PageLifetime& life) { Put<10>(&lives, Value(life.id), life); }
  void Put(const PtlHold& held) { Put<12>(&holds, Value(held.id), held); }
  void Put(const StoredWait& wait) { Put<42>(&waits, Value(wait.wait->id), wait); }
  void Put(const Migration& moved) {
    Put<16>(&migrations, std::max<int64_t>(migrations.rows().last_id(), 0) + 1, moved);
  }

  TextSpool texts;
  IntervalTable lives;
  IntervalTable holds;
  IntervalTable migrations;
  IntervalTable waits;

 private:
  template <int kColumns, typename Row>
  static void Put(IntervalTable* table, int64_t id, const Row& row) {
    assert(table->rows().columns() == kColumns);
    table->rows().Put<kColumns>(
        id, [&](int column, const IntervalSpool::Writer& to) { SetColumn(row, column, to); });
  }
};

struct TraceStore::Statements {
  // Without `intervals` all is stored in the database.
  Statements(const Database& db, Intervals* intervals)
      : spooled(intervals),
        stack(InsertInto(db, "stack")),
        event_page(InsertInto(db, "event_page")),
        marker(InsertInto(db, "trace_marker")),
        repaired_ref(InsertInto(db, "repaired_ref")),
        anomaly(InsertInto(db, "anomaly")),
        gap(InsertInto(db, "gap")) {
    if (spooled) return;
    event.emplace(db, "event", EventColumn);
    event_more.emplace(InsertInto(db, "event_more"));
    lifetime.emplace(db, "page_lifetime", ColumnOf<PageLifetime>);
    hold.emplace(db, "ptl_hold", ColumnOf<PtlHold>);
    migration.emplace(db, "migration", ColumnOf<Migration>);
    wait.emplace(db, "page_wait", ColumnOf<StoredWait>);
  }

  int64_t PhraseId(std::string_view phrase) { return -1 - static_cast<int64_t>(phrases.Intern(phrase)); }

  void InsertAll(const IntervalRecords& records) {
    waits.clear();
    for (const PageWait& w : records.waits) waits.push_back({&w, PhraseId(w.contract), PhraseId(w.reason)});
    if (spooled) {
      for (const PageLifetime& life : records.lives) spooled->Put(life);
      for (const PtlHold& held : records.holds) spooled->Put(held);
      for (const Migration& moved : records.migrations) spooled->Put(moved);
      for (const StoredWait& row : waits) spooled->Put(row);
    } else {
      lifetime->Insert(&records.lives, records.lives.size());
      hold->Insert(&records.holds, records.holds.size());
      migration->Insert(&records.migrations, records.migrations.size());
      wait->Insert(&waits, waits.size());
    }
    for (const RepairedRef& ref : records.repaired) Insert(ref);
    for (const Anomaly& found : records.anomalies) Insert(found);
    for (const Gap& lost : records.gaps) Insert(lost);
  }

  void Insert(const RepairedRef& ref) {
    repaired_ref.Bind(1, Value(ref.event));
    repaired_ref.Bind(2, Value(ref.place));
    repaired_ref.Bind(3, ref.replayed);
    repaired_ref.Run();
  }

  void Insert(const Anomaly& found) {
    anomaly.Bind(2, Value(found.at.event));
    anomaly.Bind(3, found.at.ts);
    anomaly.Bind(4, found.invariant);
    anomaly.Bind(5, OptionalValue(found.pfn));
    anomaly.Bind(6, OptionalValue(found.at.pid));
    anomaly.Bind(7, found.detail);
    anomaly.Bind(8, found.kind);
    anomaly.Bind(9, static_cast<int64_t>(found.certainty));
    anomaly.Bind(10, static_cast<int64_t>(found.at.comm));
    anomaly.Bind(11, OptionalValue(found.earlier));
    anomaly.Bind(12, OptionalValue(found.lifetime));
    anomaly.Run();
  }

  void Insert(const Gap& lost) {
    gap.Bind(2, lost.cpu);
    gap.Bind(3, lost.from_ts);
    gap.Bind(4, lost.to_ts);
    gap.Bind(5, lost.lost);
    gap.Run();
  }

  Intervals* spooled;
  StringTable phrases;  // the model's own
  std::vector<StoredWait> waits;
  // Where all is stored.
  std::optional<BulkInsert> event;
  std::optional<Statement> event_more;
  std::optional<BulkInsert> lifetime;
  std::optional<BulkInsert> hold;
  std::optional<BulkInsert> migration;
  std::optional<BulkInsert> wait;
  Statement stack;
  Statement event_page;
  Statement marker;
  Statement repaired_ref;
  Statement anomaly;
  Statement gap;
};

const char* SeverityName(TraceIssue::Severity severity) {
  switch (severity) {
    case TraceIssue::Severity::kInfo:
      return "info";
    case TraceIssue::Severity::kWarning:
      return "warning";
    case TraceIssue::Severity::kError:
      return "error";
  }
  return "info";
}

TraceStore::TraceStore(const std::optional<std::string>& path) {
  if (path) {
    RequireReplaceable(OutputFile(*path));
    RequireFreeName(OutputFile(*path));
    partial_ = std::make_unique<PartialFile>(*path);
  }
  database_ = partial_ ? std::make_unique<Database>(partial_->partial(), Database::Mode::kCreate,
                                                    partial_->published())
                       : std::make_unique<Database>("", Database::Mode::kCreate);
}

TraceStore::TraceStore(std::unique_ptr<EventSpool> spool)
    : spool_(std::move(spool)), database_(std::make_unique<Database>("", Database::Mode::kCreate)) {}

TraceStore::~TraceStore() {
  statements_.reset();
  database_.reset();
}

void TraceStore::Begin() {
  // A crash leaves the partial file only, so nothing has to be recoverable while loading.
  database_->Exec(
      "PRAGMA page_size=8192; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
      "PRAGMA cache_size=-16384; PRAGMA temp_store=FILE");
  std::string mark = "PRAGMA application_id=" + std::to_string(kApplicationId) +
                     "; PRAGMA user_version=" + std::to_string(kSchemaVersion);
  database_->Exec(mark.c_str());
  database_->Exec("BEGIN");
  database_->Exec(std::string(DatabaseSql("schema.sql")).c_str());
  if (spool_) {
    events_ = std::make_unique<EventTable>(spool_.get());
    events_->CreateIn(database_.get());
    // They say how intervals are found.
    database_->Exec(std::string(DatabaseSql("interval_indexes.sql")).c_str());
    intervals_ = std::make_unique<Intervals>(database_.get(), spool_->file());
  } else {
    database_->Exec(std::string(DatabaseSql("event_schema.sql")).c_str());
  }
  database_->Exec(std::string(DatabaseSql("views.sql")).c_str());
  statements_ = std::make_unique<Statements>(*database_, intervals_.get());
}

void TraceStore::WriteMarkers(const Batch& batch) {
  ++batches_;
  for (const LossMarker& one : batch.markers) {
    Statement& marker = statements_->marker;
    marker.Bind(1, batches_);
    marker.Bind(2, static_cast<int64_t>(one.kind));
    marker.Bind(3, one.cpu);
    marker.Bind(4, one.lost);
    marker.Bind(5, one.line);
    marker.Bind(6, Value(one.next_event));
    marker.Run();
  }
}

void IntervalRecords::Add(Record&& record) {
  ++count;
  std::visit(Overloaded{
                 [](const PageRefResult&) {},  // of one event
                 [](const PageEvent&) {},
                 [&](const PageLifetime& life) { lives.push_back(life); },
                 [&](PtlHold&& held) { holds.push_back(std::move(held)); },
                 [&](Migration&& moved) { migrations.push_back(std::move(moved)); },
                 [&](PageWait&& waited) { waits.push_back(std::move(waited)); },
                 [&](const RepairedRef& ref) { repaired.push_back(ref); },
                 [&](Anomaly&& found) { anomalies.push_back(std::move(found)); },
                 [&](const Gap& lost) { gaps.push_back(lost); },
             },
             std::move(record));
}

void IntervalRecords::Clear() {
  count = 0;
  lives.clear();
  holds.clear();
  migrations.clear();
  waits.clear();
  repaired.clear();
  anomalies.clear();
  gaps.clear();
}

void ReplayedBatch::Add(Record&& record) {
  // A filter may leave gaps between the ids.
  auto result_of = [&](EventId event) -> PageResult& {
    const std::vector<Event>& events = batch.events;
    auto offset = static_cast<size_t>(Value(event) - Value(events.front().id));
    if (offset < events.size() && events[offset].id == event) return pages[offset];
    auto found = std::lower_bound(events.begin(), events.end(), event,
                                  [](const Event& one, EventId id) { return Value(one.id) < Value(id); });
    return pages[static_cast<size_t>(found - events.begin())];
  };
  if (const auto* ref = std::get_if<PageRefResult>(&record)) {
    result_of(ref->event) = {ref->pfn,      ref->lifetime,    ref->delta,
                             ref->replayed, ref->replayed_lo, ref->replayed_hi};
  } else if (const auto* page = std::get_if<PageEvent>(&record)) {
    PageResult& result = result_of(page->event);
    if (!result.pfn) {
      result.pfn = page->pfn;
      result.lifetime = page->lifetime;
    } else if (result.pfn != page->pfn) {
      more_pages.emplace_back(page->event, page->pfn);
    }
  } else {
    records.Add(std::move(record));
  }
}

void ReplayedBatch::Clear() {
  batch.Clear();
  pages.clear();
  more_pages.clear();
  records.Clear();
  only_records = false;
}

void TraceStore::WriteEvents(const ReplayedBatch& replayed) {
  const Batch& batch = replayed.batch;
  statements_->event->Insert(&replayed, batch.events.size());
  Statement& more = *statements_->event_more;
  for (const Event& event : batch.events) {
    for (size_t f = kFieldsInRow; f < event.field_count; ++f) {
      const FieldValue& value = batch.fields[event.first_field + f];
      if (value.type == FieldValue::Type::kNull) continue;
      more.Bind(1, Value(event.id));
      more.Bind(2, static_cast<int64_t>(f));
      if (value.type == FieldValue::Type::kInteger) more.Bind(3, value.number);
      if (value.type == FieldValue::Type::kText) more.Bind(3, value.text);
      more.Run();
    }
  }
  for (const StackFrame& frame : batch.frames) {
    statements_->stack.Bind(1, Value(frame.event));
    statements_->stack.Bind(2, frame.depth);
    statements_->stack.Bind(3, frame.text);
    statements_->stack.Run();
  }
}

void TraceStore::Write(const ReplayedBatch& replayed) {
  if (replayed.only_records) {
    statements_->InsertAll(replayed.records);
    return;
  }
  WriteMarkers(replayed.batch);
  if (spool_) {
    spool_->Write(replayed.batch, replayed.pages);
  } else {
    WriteEvents(replayed);
  }
  for (const auto& [event, pfn] : replayed.more_pages) {
    statements_->event_page.Bind(1, Value(event));
    statements_->event_page.Bind(2, Value(pfn));
    statements_->event_page.Run();
  }
  statements_->InsertAll(replayed.records);
}

void TraceStore::Finish(const Recording& recording, const TraceFacts& facts, const StringTable& strings) {
  const Database& db = *database_;
  Statement text = InsertInto(db, "string");
  for (uint32_t i = 0; i < strings.size(); ++i) {
    text.Bind(1, int64_t{i});
    text.Bind(2, strings.Text(static_cast<StringId>(i)));
    text.Run();
  }

  const StringTable& phrases = statements_->phrases;
  for (uint32_t i = 0; i < phrases.size(); ++i) {
    text.Bind(1, -1 - int64_t{i});
    text.Bind(2, phrases.Text(static_cast<StringId>(i)));
    text.Run();
  }

  Statement trace = InsertInto(db, "trace");
  int i = 0;
  trace.Bind(++i, int64_t{1});
  trace.Bind(++i, recording.path);
  trace.Bind(++i, facts.format);
  trace.Bind(++i, recording.kernel_release);
  trace.Bind(++i, recording.machine);
  trace.Bind(++i, recording.clock);
  if (facts.clock_is_ticks) {
    trace.Bind(++i, *facts.clock_is_ticks ? "ticks" : "ns");
  } else {
    trace.BindNull(++i);
  }
  trace.Bind(++i, facts.replay.clock_error);
  // x86-64 has pages of 4 KiB; on arm64 no file of a recording tells the size.
  trace.Bind(++i, recording.machine == "x86_64" ? std::optional<int64_t>(12) : std::nullopt);
  trace.Bind(++i, NullIfEmpty(facts.header.tracer));
  trace.Bind(++i, facts.header.entries);
  trace.Bind(++i, facts.header.written);
  trace.Bind(++i, facts.lines.total);
  trace.Bind(++i, facts.lines.events);
  trace.Bind(++i, facts.lines.comments);
  trace.Bind(++i, facts.lines.continuations);
  trace.Bind(++i, facts.lines.markers);
  trace.Bind(++i, facts.lines.rejected);
  trace.Bind(++i, facts.replay.pages.ref_anchors);
  trace.Bind(++i, facts.replay.pages.ref_anchors_matched);
  trace.Bind(++i, OptionalValue(facts.replay.pages.first_mismatch));
  trace.Bind(++i, facts.replay.all_tasks);
  trace.Bind(++i, facts.replay.last_ts);
  trace.Bind(++i, recording.probe_misses);
  trace.Bind(++i, recording.console.suppressed);
  trace.Run();

  // The files of the trace come first, as events.source says; side files follow.
  Statement source = InsertInto(db, "source");
  auto add_source = [&](const Source& one, std::optional<int64_t> lines, std::optional<int64_t> part) {
    source.Bind(2, one.role);
    source.Bind(3, one.path);
    source.Bind(4, lines);
    source.Bind(5, part);
    source.Run();
    return sqlite3_last_insert_rowid(db.handle());
  };
  std::optional<int64_t> console_source;
  const auto& more = recording.more_trace_sources;
  int64_t own_lines = facts.part_lines.empty() ? facts.lines.total : facts.part_lines[0];
  int64_t trace_id = add_source(recording.sources[recording.trace_source], own_lines, 0);
  for (size_t part = 0; part < more.size(); ++part)
    add_source(recording.sources[more[part]], facts.part_lines[part + 1], static_cast<int64_t>(part + 1));
  if (recording.console_source == recording.trace_source)
    console_source = trace_id;  // a dump in a console log
  for (size_t s = 0; s < recording.sources.size(); ++s) {
    if (s == recording.trace_source || std::find(more.begin(), more.end(), s) != more.end()) continue;
    int64_t id = add_source(recording.sources[s], recording.sources[s].lines, std::nullopt);
    if (s == recording.console_source) console_source = id;
  }

  Statement report = InsertInto(db, "console_report");
  for (const ConsoleReport& one : recording.console.reports) {
    report.Bind(2, console_source);
    report.Bind(3, one.line);
    report.Bind(4, one.kind);
    report.Bind(5, OptionalValue(one.pfn));
    report.Bind(6, NullIfEmpty(one.flags));
    report.Bind(7, NullIfEmpty(one.reason));
    report.Bind(8, NullIfEmpty(one.comm));
    std::optional<int64_t> ts = one.printk_ts;
    // A stamp at the end of 64 bits is damage, and has no place on the trace's clock.
    if (ts && facts.console_offset && __builtin_add_overflow(*ts, facts.console_offset->offset_ns, &*ts))
      ts.reset();
    report.Bind(9, ts);
    if (ts && facts.console_offset) {
      report.Bind(10, facts.console_offset->error_ns);
    } else {
      report.BindNull(10);
    }
    report.Bind(12, OptionalValue(one.pid));
    report.Bind(13, one.printk_ts);
    report.Bind(14, OptionalValue(one.page));
    report.Run();
  }

  Statement issue = InsertInto(db, "trace_issue");
  size_t issues = 0;
  for (const TraceIssue& one : facts.issues) {
    issue.Bind(1, SeverityName(one.severity));
    issue.Bind(2, one.kind);
    issue.Bind(3, one.first_line ? std::optional<int64_t>(one.first_line) : std::nullopt);
    issue.Bind(4, one.count);
    issue.Bind(5, one.text);
    issue.Bind(6, issues++ < facts.input_issues);
    issue.Run();
  }

  Statement batch = InsertInto(db, "trace_batch");
  for (int64_t events : facts.batches) {
    batch.Bind(2, events);
    batch.Run();
  }
  Statement probe = InsertInto(db, "trace_probe");
  for (const ProbeDefinition& one : recording.probes) {
    std::string definition = ProbeDefinitionText(one);
    probe.Bind(2, definition);
    probe.Run();
  }
  Statement format = InsertInto(db, "trace_format");
  for (const EventFormat& one : recording.formats) {
    if (one.hex_fields.empty()) continue;
    format.Bind(1, one.name);
    std::string fields;
    for (const std::string& field : one.hex_fields) fields += (fields.empty() ? "" : " ") + field;
    format.Bind(2, fields);
    format.Run();
  }
  Statement cpu_stats = InsertInto(db, "trace_cpu_stats");
  for (const CpuStats& one : recording.cpu_stats) {
    cpu_stats.Bind(1, one.cpu);
    cpu_stats.Bind(2, one.overrun);
    cpu_stats.Bind(3, one.commit_overrun);
    cpu_stats.Bind(4, one.dropped);
    cpu_stats.Run();
  }

  Statement recordable = InsertInto(db, "recordable");
  for (const std::string& name : facts.recordable) {
    recordable.Bind(1, name);
    recordable.Run();
  }

  if (spool_) {
    StoreKinds(database_.get(), facts.kinds, strings);
  } else {
    CreateKindViews(database_.get(), facts.kinds, strings);
    database_->Exec(std::string(DatabaseSql("event_indexes.sql")).c_str());
    IndexEvidence(database_.get());
    database_->Exec(std::string(DatabaseSql("interval_indexes.sql")).c_str());
  }
}

void TraceStore::Publish() {
  database_->Exec("COMMIT");
  if (!partial_) return;
  statements_.reset();
  database_.reset();
  partial_->Publish(RemoveCompanions);
  database_ = OpenTraceDatabase(partial_->published(), Database::Mode::kReadOnly);
}

void IndexEvidence(Database* database) {
  database->Exec(std::string(DatabaseSql("evidence_indexes.sql")).c_str());
}

std::unique_ptr<Database> EmptyTraceDatabase() {
  auto database = std::make_unique<Database>("", Database::Mode::kCreate);
  for (const char* file : {"schema.sql", "event_schema.sql", "views.sql"})
    database->Exec(std::string(DatabaseSql(file)).c_str());
  CreateKindViews(database.get(), {}, StringTable());
  return database;
}

}  // namespace mmreplay
