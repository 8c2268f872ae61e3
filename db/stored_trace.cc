#include "db/stored_trace.h"

#include <algorithm>

#include "db/trace_store.h"
#include "parser/error.h"
#include "parser/event_filter.h"
#include "parser/line_format.h"
#include "parser/lines.h"
#include "parser/probe_definitions.h"

namespace mmreplay {
namespace {

// No reader makes batches of more: they are cut by a MiB of text.
constexpr int64_t kMostEventsOfBatch = 1'000'000;
constexpr size_t kMostBytesOfBatch = size_t{128} << 20;
constexpr int kMostFramesOfBatch = 65'536;  // the rest of a long stack goes with the next

std::optional<std::string> OptionalText(const Statement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return std::string(row.Text(column));
}

// A number of another type, none of whose values is stored but those of that type.
template <typename T>
T Id(const Statement& row, int column) {
  int64_t stored = row.Int(column);
  auto id = static_cast<T>(stored);
  if (static_cast<int64_t>(id) != stored)
    row.database().FailDamaged(std::string(row.Name(column)) + " is out of range");
  return id;
}

template <typename T>
std::optional<T> OptionalId(const Statement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return Id<T>(row, column);
}

InputFormat FormatNamed(std::string_view name, const std::string& path) {
  for (int i = 0; i <= static_cast<int>(InputFormat::kText); ++i) {
    auto format = static_cast<InputFormat>(i);
    if (IsReadableTrace(format) && FormatName(format) == name) return format;
  }
  throw Error(path + ": holds a trace of a form this version does not know: " + std::string(name));
}

void ReadTraceRow(const Database& db, const std::string& path, Recording* recording) {
  Statement row(
      db, "SELECT path, format, kernel_release, machine, clock, probe_misses, reports_suppressed FROM trace");
  if (!row.Step()) throw Error(path + ": holds no trace");
  recording->path = row.Text(0);
  recording->trace_format = FormatNamed(row.Text(1), path);
  recording->kernel_release = OptionalText(row, 2);
  recording->machine = OptionalText(row, 3);
  recording->clock = OptionalText(row, 4);
  recording->probe_misses = row.Int(5);
  recording->console.suppressed = row.OptionalInt(6);
}

void ReadSources(const Database& db, const std::string& path, Recording* recording) {
  Statement row(db, "SELECT role, path, lines_total, part FROM source ORDER BY id");
  while (row.Step()) {
    if (!row.IsNull(3) && row.Int(3) > 0) recording->more_trace_sources.push_back(recording->sources.size());
    recording->sources.push_back({std::string(row.Text(0)), std::string(row.Text(1)), row.OptionalInt(2)});
  }
  if (recording->sources.empty()) throw Error(path + ": names no file of its trace");
  Statement parts(db, "SELECT part FROM source WHERE part IS NOT NULL ORDER BY part");
  for (int64_t part = 0; parts.Step(); ++part) {
    if (parts.Int(0) != part) db.FailDamaged("the parts of its trace are not numbered");
  }
  Statement console(db, "SELECT source - 1 FROM console_report WHERE source IS NOT NULL LIMIT 1");
  if (console.Step()) {
    recording->console_source = static_cast<size_t>(console.Int(0));
    if (recording->console_source >= recording->sources.size())
      db.FailDamaged("its console log is not among its files");
  }
}

void ReadSideFiles(const Database& db, Recording* recording) {
  Statement probe(db, "SELECT definition FROM trace_probe ORDER BY id");
  while (probe.Step()) {
    if (auto definition = ParseProbeDefinition(probe.Text(0))) recording->probes.push_back(*definition);
  }
  Statement format(db, "SELECT event, hex_fields FROM trace_format ORDER BY rowid");
  while (format.Step()) {
    EventFormat one{.name = std::string(format.Text(0)), .hex_fields = {}};
    FormatRoom& room = recording->format_room;
    bool fits = room.Take(one);
    ForEachWord(format.Text(1), [&](std::string_view field) {
      fits = fits && room.TakeField(field);
      if (fits) one.hex_fields.emplace(field);
      return fits;
    });
    if (!fits) db.FailDamaged("it has more formats of events than an analysis keeps");
    recording->formats.push_back(std::move(one));
  }
  Statement cpu(db, "SELECT cpu, overrun, commit_overrun, dropped FROM trace_cpu_stats ORDER BY rowid");
  while (cpu.Step())
    recording->cpu_stats.push_back({.cpu = Id<int32_t>(cpu, 0),
                                    .overrun = cpu.Int(1),
                                    .commit_overrun = cpu.Int(2),
                                    .dropped = cpu.Int(3)});
  Statement report(
      db,
      "SELECT line, kind, pfn, comm, pid, flags, reason, printk_ts, page FROM console_report ORDER BY id");
  constexpr size_t kMostText = size_t{64} << 20;  // bytes: of the longest console log beside a trace
  size_t text = 0;
  while (report.Step()) {
    for (int column : {1, 3, 5, 6}) text += report.Text(column).size();
    if (text > kMostText) db.FailDamaged("its kernel reports are longer than a console log");
    recording->console.reports.push_back({.line = report.Int(0),
                                          .kind = std::string(report.Text(1)),
                                          .pfn = OptionalId<Pfn>(report, 2),
                                          .comm = std::string(report.Text(3)),
                                          .pid = OptionalId<Pid>(report, 4),
                                          .flags = std::string(report.Text(5)),
                                          .reason = std::string(report.Text(6)),
                                          .printk_ts = report.OptionalInt(7),
                                          .page = OptionalId<KernelAddress>(report, 8)});
  }
}

class StoredSource : public EventSource {
  // Of a batch: one line may have a few, and at the end each cpu may have one.
  static constexpr size_t kMostMarkers = 2 * kBatchMarkers + kMostCpuStats;

 public:
  StoredSource(const Database& db, InputFormat format, StringTable* strings, Decoder* decoder)
      : db_(db),
        strings_(strings),
        decoder_(decoder),
        batches_(db, "SELECT id, events FROM trace_batch ORDER BY id"),
        events_(db,
                "SELECT e.id, e.ts, e.cpu, e.pid, e.tgid, e.comm, k.name, e.context, e.flags, e.args, "
                "e.line, e.source FROM event e JOIN kind k ON k.id = e.kind ORDER BY e.id"),
        markers_(db, "SELECT batch, kind, cpu, lost, line, next_event FROM trace_marker ORDER BY rowid"),
        frames_(db, "SELECT event, depth, frame FROM stack ORDER BY rowid") {
    decoder_->set_takes_all();
    if (auto form = MakeLineFormat(format); form && form->user_space_text()) decoder_->set_user_space_text();
    // Ids as they were, so that a replay stores what the analysis did.
    Statement text(db, "SELECT id, text FROM string WHERE id >= 0 ORDER BY id");
    while (text.Step()) {
      if (text.Int(0) != static_cast<int64_t>(known_.size())) db.FailDamaged("its texts are not numbered");
      StringId id = strings_->InternStored(text.Text(1));
      if (strings_->IsNotKept(id) && text.Text(1) != StringTable::kNotKept)
        throw Error("the database has more comms and names than --max-memory allows; give it more");
      known_.push_back(id);
    }
    Statement unexplained(db,
                          "SELECT 1 FROM gap WHERE from_ts IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
                          "trace_marker WHERE kind IN (0, 1)) AND "
                          "NOT EXISTS (SELECT 1 FROM trace_cpu_stats WHERE dropped > 0)");
    if (unexplained.Step()) db.FailDamaged("its losses do not add up");
    marker_ = markers_.Step();
    frame_ = frames_.Step();

    Statement trace(
        db,
        "SELECT tracer, entries_in_buffer, entries_written, lines_total, lines_events, lines_comments, "
        "lines_continuations, lines_markers, lines_rejected, clock_unit FROM trace");
    if (trace.Step()) {
      header_.tracer = trace.Text(0);
      header_.entries = trace.OptionalInt(1);
      header_.written = trace.OptionalInt(2);
      lines_ = {trace.Int(3), trace.Int(4), trace.Int(5), trace.Int(6), trace.Int(7), trace.Int(8)};
      if (!trace.IsNull(9)) ticks_ = trace.Text(9) == "ticks";
    }
    Statement part(db, "SELECT lines_total FROM source WHERE part IS NOT NULL ORDER BY part");
    while (part.Step()) part_lines_.push_back(part.Int(0));
    if (part_lines_.size() == 1) part_lines_.clear();
    Statement issue(
        db, "SELECT severity, kind, first_line, count, text FROM trace_issue WHERE of_input ORDER BY rowid");
    while (issue.Step()) {
      issues_.push_back({SeverityNamed(issue.Text(0)), std::string(issue.Text(1)), issue.Int(2), issue.Int(3),
                         std::string(issue.Text(4))});
      if (issues_.back().kind == kFilteredIssue) lines_.left_out += issues_.back().count;
    }
  }

  bool Next(Batch* batch) override {
    *batch = Batch();
    // SQLite begins anew where it is asked beyond the end.
    over_ = over_ || !batches_.Step();
    if (over_) {
      ReadFrames(batch);
      if (!batch->frames.empty()) return true;
      // Before anything takes the place of the file.
      if (events_.Step()) db_.FailDamaged("it has events of no batch");
      int64_t lines =
          lines_.events + lines_.comments + lines_.continuations + lines_.markers + lines_.rejected;
      if (read_ + lines_.left_out != lines_.events || lines != lines_.total)
        db_.FailDamaged("its lines do not add up");
      return false;
    }
    int64_t before = last_event_;
    ReadEvents(batches_.Int(1), batch);
    ReadFrames(batch);
    for (; marker_ && markers_.Int(0) <= batches_.Int(0); marker_ = markers_.Step()) {
      if (batch->markers.size() == kMostMarkers) db_.FailDamaged("a batch has more markers than lines");
      batch->markers.push_back({.kind = MarkerKind(markers_.Int(1)),
                                .cpu = Id<int32_t>(markers_, 2),
                                .lost = markers_.OptionalInt(3),
                                .line = markers_.Int(4),
                                .next_event = static_cast<EventId>(markers_.Int(5))});
      // It stands in its batch, and behind the one before.
      if (markers_.Int(5) <= before) db_.FailDamaged("a marker is not in its place");
      before = markers_.Int(5) - 1;
    }
    return true;
  }

  const LineCounts& lines() const override { return lines_; }
  const TraceHeader& header() const override { return header_; }
  std::vector<TraceIssue> Issues() const override { return issues_; }
  std::optional<bool> clock_is_ticks() const override { return ticks_; }
  std::vector<int64_t> part_lines() const override { return part_lines_; }

 private:
  TraceIssue::Severity SeverityNamed(std::string_view name) const {
    using Severity = TraceIssue::Severity;
    for (Severity severity : {Severity::kError, Severity::kWarning, Severity::kInfo}) {
      if (SeverityName(severity) == name) return severity;
    }
    db_.FailDamaged("an issue is of no known severity");
  }

  LossMarker::Kind MarkerKind(int64_t stored) const {
    auto kind = static_cast<LossMarker::Kind>(stored);
    if (stored < 0 || kind > LossMarker::Kind::kUnreadable)
      db_.FailDamaged("it holds a marker of an unknown kind");
    return kind;
  }

  StringId Known(int64_t id) const {
    if (id < 0 || static_cast<size_t>(id) >= known_.size()) db_.FailDamaged("an event names no text");
    return known_[static_cast<size_t>(id)];
  }

  void ReadEvents(int64_t count, Batch* batch) {
    if (count < 0 || count > kMostEventsOfBatch) db_.FailDamaged("a batch has no such number of events");
    size_t bytes = 0;
    read_ += count;
    for (int64_t i = 0; i < count; ++i) {
      if (!events_.Step()) db_.FailDamaged("events are missing");
      Event event{};
      event.id = static_cast<EventId>(events_.Int(0));
      // What a filter left out keeps its number.
      if (Value(event.id) <= last_event_) db_.FailDamaged("its events are not numbered");
      last_event_ = Value(event.id);
      event.ts = events_.OptionalInt(1);
      event.cpu = OptionalId<int32_t>(events_, 2);
      event.pid = OptionalId<Pid>(events_, 3);
      event.tgid = OptionalId<int32_t>(events_, 4);
      event.comm = Known(events_.Int(5));
      event.name = strings_->InternName(events_.Text(6));
      event.context = Known(events_.Int(7));
      event.in_interrupt = (events_.Int(8) & kInInterrupt) != 0;
      event.copy = (events_.Int(8) & kCopy) != 0;
      event.unreadable = (events_.Int(8) & kUnreadable) != 0;
      event.args = batch->PlaceOf(events_.Text(9));
      bytes += event.args.size;
      if (bytes > kMostBytesOfBatch) db_.FailDamaged("a batch has more text than an analysis writes");
      event.line = events_.Int(10);
      event.source = std::max<uint32_t>(Id<uint32_t>(events_, 11), 1) - 1;
      if (!event.copy && !event.unreadable) event.payload = decoder_->Decode(event.name, batch->Args(event));
      batch->events.push_back(event);
    }
  }

  void ReadFrames(Batch* batch) {
    for (int i = 0; i < kMostFramesOfBatch && frame_ && frames_.Int(0) <= last_event_;
         ++i, frame_ = frames_.Step()) {
      batch->frames.push_back({.event = static_cast<EventId>(frames_.Int(0)),
                               .depth = Id<int32_t>(frames_, 1),
                               .text = batch->owned.emplace_back(frames_.Text(2))});
    }
  }

  const Database& db_;
  int64_t last_event_ = 0;
  int64_t read_ = 0;             // events
  bool over_ = false;            // no batch is left
  std::vector<StringId> known_;  // by id in the database
  StringTable* strings_;
  Decoder* decoder_;
  Statement batches_;
  Statement events_;
  Statement markers_;
  Statement frames_;
  bool marker_ = false;  // a row is there that no batch has got yet
  bool frame_ = false;
  LineCounts lines_;
  TraceHeader header_;
  std::optional<bool> ticks_;
  std::vector<int64_t> part_lines_;
  std::vector<TraceIssue> issues_;
};

}  // namespace

StoredTrace::StoredTrace(const std::string& path)
    : database_(OpenTraceDatabase(path, Database::Mode::kReadOnly)) {
  if (ReadDatabaseHeader(path)->user_version < kReplayableSchema) {
    throw Error(path +
                ": was written by an mmreplay that did not keep what a replay needs; "
                "analyze the recording again");
  }
  ReadTraceRow(*database_, path, &recording_);
  ReadSources(*database_, path, &recording_);
  ReadSideFiles(*database_, &recording_);
}

std::unique_ptr<EventSource> StoredTrace::Open(StringTable* strings, Decoder* decoder) const {
  return std::make_unique<StoredSource>(*database_, recording_.trace_format, strings, decoder);
}

}  // namespace mmreplay
