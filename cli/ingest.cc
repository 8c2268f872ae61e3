#include "cli/ingest.h"

#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <limits>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "cli/channel.h"
#include "parser/buffer_starts.h"
#include "parser/console_timeline.h"
#include "parser/decode.h"
#include "parser/event_source.h"
#include "parser/overloaded.h"
#include "replay/kernel_contracts.h"
#include "replay/shadow_mm.h"

namespace mmreplay {
namespace {

// Batches between learning and the replay: what a struct page address is worth is often shown a
// little later than it is needed.
constexpr size_t kBatchesAhead = 16;

// Batches on their way from one stage to the next: enough to even out what a batch costs in each.
constexpr size_t kInFlight = 2;

// Records are handed on in portions of this size: one free may end the lives of very many pages, and very
// much may be open when the trace ends.
constexpr size_t kMostRecords = 2048;

// A batch as it was read.
struct ReadBatch {
  Batch batch;
  Lessons lessons;                              // of what was read so far
  std::optional<ReplayOptions> replay_options;  // with the first one
  int64_t left_out = 0;                         // by filters, so far
};

// Batches whose memory is used again, and that of what the replay makes of one: many batches are waiting for
// the replay, few are replayed.
class BatchPool {
 public:
  Batch TakeBatch() { return Take(&batches_); }
  ReplayedBatch TakeReplayed() { return Take(&replayed_); }
  void Give(ReplayedBatch replayed) {
    bool has_batch = !replayed.only_records;
    replayed.Clear();
    std::lock_guard lock(mutex_);
    if (has_batch) batches_.push_back(std::exchange(replayed.batch, {}));
    replayed_.push_back(std::move(replayed));
  }

 private:
  template <typename AnyBatch>
  AnyBatch Take(std::vector<AnyBatch>* of) {
    std::lock_guard lock(mutex_);
    if (of->empty()) return {};
    AnyBatch batch = std::move(of->back());
    of->pop_back();
    return batch;
  }

  std::mutex mutex_;
  std::vector<Batch> batches_;
  std::vector<ReplayedBatch> replayed_;  // without batches
};

// Reads on a thread of its own: lines are split and decoded, events get their kinds and, where they are
// stored, their typed fields, and what the model must know ahead is learned. Only this thread uses the string
// table, the decoder, the fields, the buffers' starts and the console's timeline until it has ended.
class ReaderThread {
 public:
  // What is done for the store with the events of a batch.
  struct Wanted {
    bool fields;
    std::function<bool(Batch*)> keep_args;  // false: the text must be held
  };
  // `replay_options` is called when the first batch has been read.
  ReaderThread(EventSource* source, TypedFields* fields, Wanted wanted,
               const std::function<ReplayOptions()>& replay_options, BufferStarts* starts,
               ConsoleTimeline* console, BatchPool* pool)
      : thread_([=, this] {
          pthread_setname_np(pthread_self(), "mmreplay-read");
          TextBuffer released;                  // memory of the last batch's text
          std::optional<TraceLearner> learner;  // made when the header has been read
          try {
            for (bool more = true; more;) {
              ReadBatch read{.batch = pool->TakeBatch(), .lessons = {}, .replay_options = {}};
              Batch& batch = read.batch;
              if (batch.text.capacity() == 0) batch.text = std::exchange(released, {});
              more = source->Next(&batch);
              if (more) {
                starts->Sort(source->clock_is_ticks().value_or(false), &batch);
              } else {
                starts->Finish(&batch);
                if (batch.markers.empty()) break;
              }
              if (!learner) {
                read.replay_options = replay_options();
                learner.emplace(*read.replay_options);
              }
              auto see_event = [&](Event& event) {
                console->See(event);
                learner->See(event);
                if (wanted.fields) {
                  fields->Assign(&event, &batch);
                } else {
                  fields->AssignKind(&event, batch);
                }
              };
              ForEachInOrder(batch,
                             Overloaded{[&](const LossMarker& loss) { console->See(loss); }, see_event});
              read.lessons = learner->Take();
              read.left_out = source->lines().left_out;
              if (wanted.keep_args(&batch)) batch.ReleaseText(&released);
              if (!batches_.Push(std::move(read))) break;
            }
            batches_.Close();
          } catch (...) {
            batches_.Close(std::current_exception());
          }
        }) {}
  ReaderThread(const ReaderThread&) = delete;
  ReaderThread& operator=(const ReaderThread&) = delete;
  ~ReaderThread() {
    batches_.Abandon();
    if (thread_.joinable()) thread_.join();
  }

  // nullopt at the end: the source may then be asked for what it counted. Throws what reading threw.
  std::optional<ReadBatch> Next() {
    auto read = batches_.Pop();
    if (!read) thread_.join();
    return read;
  }

 private:
  Channel<ReadBatch> batches_{kInFlight};
  std::thread thread_;
};

// Writes in order, on a thread of its own or, without one, where it is called. Errors of the thread surface
// at the next Write or at Finish.
class StoreWriter {
 public:
  StoreWriter(TraceStore* store, BatchPool* pool, bool has_thread) : store_(store), pool_(pool) {
    if (!has_thread) {
      store_->Begin();
      return;
    }
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "mmreplay-store");
      try {
        store_->Begin();
        while (auto replayed = batches_.Pop()) WriteNow(std::move(*replayed));
        if (last_) last_();
      } catch (...) {
        error_ = std::current_exception();
        batches_.Abandon();
      }
    });
  }
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;
  ~StoreWriter() { Join(); }

  void Write(ReplayedBatch replayed) {
    if (!thread_.joinable()) {
      WriteNow(std::move(replayed));
    } else if (!batches_.Push(std::move(replayed))) {
      Finish();
    }
  }

  // `last` is done after what was written, where that is; `meanwhile` here, while a thread works.
  void Finish(std::function<void()> last = {}, const std::function<void()>& meanwhile = {}) {
    if (!thread_.joinable()) {
      std::jthread aside(meanwhile ? meanwhile : [] {});
      if (last) last();
      return;
    }
    last_ = std::move(last);
    batches_.Close();
    if (meanwhile) meanwhile();
    Join();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void WriteNow(ReplayedBatch replayed) {
    store_->Write(replayed);
    pool_->Give(std::move(replayed));
  }
  void Join() {
    batches_.Close();
    if (thread_.joinable()) thread_.join();
  }

  TraceStore* store_;
  BatchPool* pool_;
  Channel<ReplayedBatch> batches_{kInFlight};
  std::function<void()> last_;  // set before the channel is closed
  std::exception_ptr error_;    // read after the thread has ended
  std::thread thread_;
};

// Most of the time of an analysis that keeps a database goes to writing it. Short rows in a temporary file
// take a seventh: with the replay that is about what the reading takes, where two cpus are to be shared.
bool WritesOnThread(const TraceStore& store, unsigned cpus) {
  constexpr unsigned kStages = 3;
  return store.keeps_fields() || cpus >= kStages;
}

ReplayOptions OptionsOf(const Recording& recording, const EventSource& source, const MemoryBudget& memory) {
  ReplayOptions options;
  options.memory = memory;
  if (recording.machine == "x86_64") options.architecture = Architecture::kX86_64;
  if (recording.machine == "aarch64") options.architecture = Architecture::kArm64;
  if (recording.kernel_release) options.release = ParseKernelRelease(*recording.kernel_release);
  options.clock = recording.clock;
  options.ticks = source.clock_is_ticks().value_or(false);
  for (const ProbeDefinition& probe : recording.probes) {
    KernelFunction function = FunctionOfSymbol(probe.function);
    if (function == KernelFunction::kOther) continue;
    (probe.is_return ? options.return_probes : options.entry_probes).push_back(function);
  }
  for (const CpuStats& cpu : recording.cpu_stats) {
    if (cpu.overrun > 0 || cpu.commit_overrun > 0) options.overwritten_cpus.push_back(cpu.cpu);
    if (cpu.dropped > 0) options.full_cpus.push_back(cpu.cpu);
  }
  const TraceHeader& header = source.header();
  options.head_overwritten = !options.overwritten_cpus.empty() || header.keeps_last ||
                             (header.entries && header.written && *header.written > *header.entries);
  return options;
}

// What the recording could have shown: see `recordable` in db/schema.sql.
std::vector<std::string> RecordableOf(const Recording& recording, const StringTable& strings,
                                      const std::vector<EventKind>& kinds, const ReplaySummary& replay,
                                      std::optional<bool> ticks) {
  std::set<std::string> names;
  for (const EventKind& kind : kinds) names.emplace(strings.Text(kind.name));
  // Names of views are earned below, whatever an event may be called.
  for (const char* earned : {"page_waits", "probes_never_hit", "caller_kept_waits", "page_refs",
                             "page_lifetimes", "ptl_holds", "migrations"})
    names.erase(earned);
  // A wait probe without hits shows that nobody waited. Hits that nothing can be made of show nothing.
  auto is_hit = [&](const ProbeDefinition& probe) { return names.contains(probe.event); };
  // Defined is not enabled: the probes of a recording are switched on together, and one of them is hit.
  bool enabled = std::any_of(recording.probes.begin(), recording.probes.end(), is_hit);
  bool wait_probe = replay.wait_probes;
  bool caller_kept = replay.caller_kept_waits;
  bool undecoded = false;
  for (const ProbeDefinition& probe : recording.probes) {
    KernelFunction function = FunctionOfSymbol(probe.function);
    if (!IsWaitFunction(function) || probe.is_return) continue;
    wait_probe |= enabled;
    caller_kept |= enabled && LeavesPageToCaller(function);
    undecoded |= is_hit(probe) && !replay.wait_probes;
  }
  wait_probe &= !undecoded;
  for (const ProbeDefinition& probe : recording.probes) {
    names.insert(probe.event);
    names.insert(probe.function);
  }
  // Defined, and not enabled or filtered.
  if (replay.wait_entries_missing && !replay.wait_probes) wait_probe = false;
  auto has = [&](std::initializer_list<const char*> any) {
    return std::any_of(any.begin(), any.end(), [&](const char* name) { return names.contains(name); });
  };
  if (wait_probe) names.insert("page_waits");
  if (!recording.probes.empty() && !enabled) names.insert("probes_never_hit");
  // Which of them is a question where there are any.
  if (caller_kept || !wait_probe) names.insert("caller_kept_waits");
  if (has({"page_ref_set", "page_ref_mod", "page_ref_mod_and_test", "page_ref_mod_and_return",
           "page_ref_mod_unless", "page_ref_freeze", "page_ref_unfreeze"}))
    names.insert("page_refs");
  if (has({"mm_page_alloc", "mm_page_free"})) names.insert("page_lifetimes");
  if (has({"lock_acquire", "lock_acquired", "migration_entry_wait_on_locked"})) names.insert("ptl_holds");
  if (has({"mm_migrate_pages", "set_migration_pmd", "set_migration_pte", "folio_migrate_mapping",
           "migrate_page_move_mapping", "migrate_misplaced_transhuge_page"}))
    names.insert("migrations");
  // What rules need beyond that: see rules/README.md.
  bool migration_return = false;
  bool unlock_flags = replay.flags_at_unlock;
  bool last_put_flags = replay.flags_at_last_put;
  std::optional<KernelRelease> release;
  if (recording.kernel_release) release = ParseKernelRelease(*recording.kernel_release);
  for (const ProbeDefinition& probe : recording.probes) {
    KernelFunction function = FunctionOfSymbol(probe.function);
    std::vector<BoundField> fields = BindProbe(probe.function, probe.is_return, &probe, release);
    auto fetches = [&](ProbeRole role) {
      return std::any_of(fields.begin(), fields.end(), [&](const BoundField& f) { return f.role == role; });
    };
    migration_return |= (function == KernelFunction::kFolioMigrateMapping ||
                         function == KernelFunction::kMigrateMisplacedTranshugePage) &&
                        fetches(ProbeRole::kReturn);
    unlock_flags |= function == KernelFunction::kUnlockPage && fetches(ProbeRole::kPageFlags);
    last_put_flags |=
        (function == KernelFunction::kFreeCompoundPage || function == KernelFunction::kPutPageFinal) &&
        fetches(ProbeRole::kPageFlags);
  }
  if (migration_return || replay.migration_results) names.insert("migration_results");
  if (unlock_flags) names.insert("page_flags_at_unlock");
  if (has({"mm_page_free"}) && (last_put_flags || has({"page_ref_mod_and_test"})))
    names.insert("page_flags_at_last_put");
  if (has({"folio_unlock", "unlock_page"})) names.insert("page_unlocks");
  if (has({"lock_contended", "contention_begin"})) names.insert("ptl_contention");
  if (replay.all_tasks) names.insert("all_tasks");
  if (!replay.blinded) names.insert("all_events");
  if (ticks && !*ticks) names.insert("nanoseconds");
  return {names.begin(), names.end()};
}

void AddInputDamage(const Recording& recording, std::vector<TraceIssue>* issues) {
  for (const auto& damage : recording.damage) {
    if (!damage->empty())
      issues->push_back({TraceIssue::Severity::kError, "damaged", 0, 1, *damage + ": the rest was not read"});
  }
}

// A file that was cut at the end of a line, or gone through with grep, looks whole but for its head. Other
// tracers print two entries in one line.
void AddMissingEvents(const Recording& recording, const TraceFacts& facts, std::vector<TraceIssue>* issues) {
  const TraceHeader& header = facts.header;
  int64_t read = facts.lines.events + facts.lines.rejected;
  if (recording.trace_format != InputFormat::kFtraceText || header.tracer != "nop") return;
  if (!header.entries || read >= *header.entries) return;
  // A stored trace says it itself.
  bool told = std::any_of(issues->begin(), issues->end(),
                          [](const TraceIssue& issue) { return issue.kind == "events missing"; });
  if (told) return;
  // A cpu's whole file may be missing, or nothing but its end.
  bool of_cpus = !recording.more_traces.empty();
  issues->push_back({of_cpus ? TraceIssue::Severity::kError : TraceIssue::Severity::kWarning,
                     "events missing", 0, *header.entries - read,
                     "the head of the trace tells of " + std::to_string(*header.entries) + " events, and " +
                         std::to_string(read) + " are in the input: it was cut or filtered"});
}

void AddReplayIssues(const Recording& recording, const ReplaySummary& replay,
                     std::vector<TraceIssue>* issues) {
  using Severity = TraceIssue::Severity;
  if (replay.unresolved_pages > 0) {
    issues->push_back({Severity::kInfo, "page not identified", 0, replay.unresolved_pages,
                       "struct page addresses that could not be tied to a pfn: " +
                           std::to_string(replay.unresolved_pages) + " probe hits"});
  }
  if (replay.returns_missing > 0) {
    issues->push_back({Severity::kWarning, "probe returns missing", 0, replay.returns_missing,
                       "function returns were not recorded (" + std::to_string(replay.returns_missing) +
                           "): raise maxactive of the return probes (r256:...)"});
  }
  int64_t dropped_anywhere = 0;
  for (const CpuStats& cpu : recording.cpu_stats) {
    if (cpu.read <= 0 || cpu.dropped <= 0) continue;
    // Any number may stand there.
    dropped_anywhere += std::min(cpu.dropped, std::numeric_limits<int64_t>::max() - dropped_anywhere);
  }
  if (dropped_anywhere > 0) {
    issues->push_back(
        {Severity::kError, "events dropped", 0, dropped_anywhere,
         std::to_string(dropped_anywhere) +
             " events found a buffer full that was being read (options/overwrite 0): where they "
             "are missing is not known"});
  }
  if (recording.probe_misses > 0) {
    issues->push_back({Severity::kWarning, "probes missed", 0, recording.probe_misses,
                       "kprobe_profile counts " + std::to_string(recording.probe_misses) +
                           " missed probe hits: some waits or returns are not in the trace"});
  }
  if (recording.console.suppressed) {
    issues->push_back({Severity::kInfo, "reports suppressed", 0, *recording.console.suppressed,
                       "the kernel swallowed further page-state reports (at most 60 a minute are printed)"});
  }
  if (recording.console.reports_left_out > 0) {
    issues->push_back({Severity::kWarning, "reports left out", 0, recording.console.reports_left_out,
                       "the console has more page-state reports than are kept"});
  }
  if (replay.waits_of_nobody > 0) {
    issues->push_back(
        {Severity::kError, "waits of nobody", 0, replay.waits_of_nobody,
         "waits on pages whose lines name no task: nothing can be said of them (funcgraph-proc, "
         "context-info and perf script -F tid print it)"});
  }
  if (replay.processes) {
    issues->push_back(
        {Severity::kWarning, "processes for tasks", 0, 1,
         "sched_switch tells other tasks than its lines: they name processes, and threads cannot be "
         "told apart; no wait is judged; print tids (perf script -F tid)"});
  }
  if (replay.disorder_line) {
    issues->push_back(
        {Severity::kWarning, "events in disorder", *replay.disorder_line, 1,
         "time stamps run backwards, or another boot of the machine begins: events are not in the order "
         "they were recorded in, or several recordings follow each other; no wait is judged; analyze each "
         "recording by itself, and give the files of single cpus as they are"});
  }
  if (replay.pages.counts_contradicted > 0) {
    issues->push_back({Severity::kError, "count below zero", 0, replay.pages.counts_contradicted,
                       "a reference count is below zero, and no other number bears it out: the event is "
                       "damaged, or a reference was dropped twice"});
  }
  if (replay.clock_error_learned > 0) {
    issues->push_back({Severity::kInfo, "clocks disagree", 0, 1,
                       "the cpus' clocks contradict the page-table locks by up to " +
                           std::to_string(replay.clock_error_learned) +
                           " ns: stamps closer than that prove no order"});
  }
}

// What did not fit into --max-memory.
void AddForgotten(const ReplaySummary& replay, std::vector<TraceIssue>* issues) {
  auto add = [&](const char* kind, int64_t count, const std::string& what, const char* effect) {
    if (count == 0) return;
    issues->push_back({TraceIssue::Severity::kWarning, kind, 0, count,
                       std::to_string(count) + " " + what + " forgotten for want of memory: " + effect +
                           "; give more with --max-memory"});
  };
  add("pages forgotten", replay.pages.live_pages_forgotten,
      "pages in use, those without events for longest, were",
      "a wait on one of them is unknown where what came before decides");
  add("tasks forgotten", replay.tasks_forgotten, "tasks, those without events for longest, were",
      "what one of them did before it came back is not counted for its waits");
  add("locks forgotten", replay.locks_forgotten, "locks, those without events for longest, were",
      "they prove no order any more");
  add("migrations forgotten", replay.migrations_forgotten, "migrations under way were",
      "their ends are unknown");
  add("clocks not compared", replay.clocks_forgotten, "locks and tasks by which clocks are compared were",
      "the clocks are assumed to err by what is likely");
  if (replay.cpus_forgotten > 0) {
    issues->push_back({TraceIssue::Severity::kWarning, "too many cpus", 0, replay.cpus_forgotten,
                       "events of more cpus than a machine has: to the model they are of no cpu"});
  }
}

}  // namespace

std::unique_ptr<TraceStore> MakeTemporaryStore(const Recording& recording, bool every_event) {
  if (every_event) return std::make_unique<TraceStore>(std::nullopt);
  bool as_it_stands = recording.trace.is_file && recording.more_traces.empty();
  return std::make_unique<TraceStore>(
      std::make_unique<EventSpool>(as_it_stands ? OpenSeekable(recording.trace) : nullptr));
}

TraceFacts Ingest(const Recording& recording, TraceStore* store, const IngestOptions& options) {
  StringTable strings(options.memory);
  std::optional<KernelRelease> release;
  if (recording.kernel_release) release = ParseKernelRelease(*recording.kernel_release);
  Decoder decoder(&strings, recording.probes, release);
  TypedFields fields(&strings, recording.formats, recording.probes);
  std::unique_ptr<EventSource> reader = options.open(recording, &strings, &decoder);
  reader->set_memory(options.memory);
  reader->set_layouts(store->layouts());
  // What finding and opening thousands of files took and gave back lies about on this thread's heap, where no
  // other thread uses it.
  malloc_trim(0);

  BufferStarts starts(recording.cpu_stats);
  ConsoleTimeline console(recording.console.reports);
  ReplayedBatch last;                // what is told when the trace has ended
  ReplayedBatch* current = nullptr;  // whose events are being replayed
  std::unique_ptr<ShadowMm> model;   // made when the header has been read
  BatchPool pool;
  StoreWriter writer(store, &pool, WritesOnThread(*store, options.cpus));
  auto replay_options = [&] { return OptionsOf(recording, *reader, options.memory); };
  ReaderThread batches(reader.get(), &fields,
                       {.fields = store->keeps_fields(),
                        .keep_args = [store](Batch* batch) { return store->KeepArgs(batch); }},
                       replay_options, &starts, &console, &pool);
  std::deque<Batch> ahead;
  size_t ahead_weight = 0;
  auto push_records = [&](ReplayedBatch* of) {
    ReplayedBatch portion = pool.TakeReplayed();
    std::swap(portion.records, of->records);
    portion.only_records = true;
    writer.Write(std::move(portion));
  };
  auto replay_front = [&] {
    ReplayedBatch replayed = pool.TakeReplayed();
    replayed.batch = std::move(ahead.front());
    ahead.pop_front();
    ahead_weight -= replayed.batch.Weight();
    replayed.Begin();
    current = &replayed;
    ForEachInOrder(replayed.batch, [&](const auto& each) { model->Replay(each); });
    current = nullptr;
    writer.Write(std::move(replayed));
  };

  TraceFacts facts;
  int64_t events = 0;
  while (auto read = batches.Next()) {
    const Batch& batch = read->batch;
    if (read->replay_options) {
      model = std::make_unique<ShadowMm>(std::move(*read->replay_options), [&](Record&& record) {
        if (options.record) options.record(&record);
        ReplayedBatch* of = current ? current : &last;
        of->Add(std::move(record));
        if (of->records.count == kMostRecords) push_records(of);
      });
    }
    facts.batches.push_back(static_cast<int64_t>(batch.events.size()));
    events += static_cast<int64_t>(batch.events.size());
    model->Learn(read->lessons);
    if (options.progress) options.progress(events + read->left_out);
    ahead_weight += batch.Weight();
    ahead.push_back(std::move(read->batch));
    while (ahead.size() > kBatchesAhead || (ahead.size() > 1 && ahead_weight > options.memory.batches()))
      replay_front();
  }
  while (!ahead.empty()) replay_front();

  facts.format = FormatName(recording.trace_format);
  facts.header = reader->header();
  facts.lines = reader->lines();
  facts.part_lines = reader->part_lines();
  facts.clock_is_ticks = reader->clock_is_ticks();
  facts.issues = reader->Issues();
  AddInputDamage(recording, &facts.issues);
  AddMissingEvents(recording, facts, &facts.issues);
  facts.input_issues = facts.issues.size();
  if (model) {
    facts.replay = model->Finish();
    push_records(&last);
  }
  AddReplayIssues(recording, facts.replay, &facts.issues);
  AddForgotten(facts.replay, &facts.issues);
  // The latency format counts from the start of the buffer, which no printk tells.
  bool from_boot = recording.trace_format != InputFormat::kConsoleLog &&
                   recording.trace_format != InputFormat::kLatencyText &&
                   !facts.clock_is_ticks.value_or(true) && !facts.replay.blinded;
  if (from_boot) facts.console_offset = console.Find();
  if (facts.console_offset) {
    facts.issues.push_back({TraceIssue::Severity::kInfo, "console time", 0, facts.console_offset->reports,
                            "the console's time is put on the trace's clock by adding " +
                                std::to_string(facts.console_offset->offset_ns / 1000) +
                                " us, give or take " + std::to_string(facts.console_offset->error_ns / 1000) +
                                " us (when the tasks that printed page-state reports ran)"});
  }
  if (decoder.probes_bound_by_name() > 0) {
    facts.issues.push_back(
        {TraceIssue::Severity::kInfo, "probes bound by name", 0, decoder.probes_bound_by_name(),
         "probe hits show bare addresses: the probed functions were taken from the probes' "
         "names; give the recording's kprobe_events (--probes) to be sure"});
  }
  facts.kinds = fields.kinds();
  if (fields.untyped_kinds() > 0) {
    facts.issues.push_back({TraceIssue::Severity::kInfo, "untyped kinds", 0, fields.untyped_kinds(),
                            "kinds of events beyond the first 1,000 have no view of their own"});
  }
  if (fields.untyped_fields() > 0) {
    facts.issues.push_back(
        {TraceIssue::Severity::kInfo, "untyped fields", 0, fields.untyped_fields(),
         "fields beyond the first 200 of a kind, 32,768 in all or 262,144 of a batch, and those with names "
         "beyond 256 characters, are in the arguments only"});
  }
  facts.recordable = RecordableOf(recording, strings, facts.kinds, facts.replay, facts.clock_is_ticks);
  // To give back what the model took takes its time.
  writer.Finish([&] { store->Finish(recording, facts, strings); }, [&] { model.reset(); });
  return facts;
}

}  // namespace mmreplay
