// The shadow memory manager: replays a recording's events through one tracker per kernel object and
// hands what it establishes to one callable.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "parser/event.h"
#include "replay/migration.h"
#include "replay/order.h"
#include "replay/page.h"
#include "replay/page_map.h"
#include "replay/pte.h"
#include "replay/ptl.h"
#include "replay/records.h"
#include "replay/replay_options.h"
#include "replay/task.h"
#include "replay/trace_learner.h"
#include "replay/wait.h"

namespace mmreplay {

struct ReplaySummary {
  PageStats pages;
  int64_t returns_missing = 0;   // function entries whose return was not recorded
  int64_t unresolved_pages = 0;  // struct page pointers that could not be tied to a pfn
  int64_t clock_error = 0;       // bound used for "before" across cpus
  int64_t clock_error_learned = 0;
  bool wait_probes = false;        // waits were entered
  bool caller_kept_waits = false;  // and some by functions that leave it to the caller to keep the page
  int64_t waits_of_nobody = 0;     // entered, and the line names no task
  bool processes = false;          // tasks are told by process: threads cannot be told apart
  // A task returned from waits that are not on record, and not for want of the trace's beginning.
  bool wait_entries_missing = false;
  // Page allocator or reference events of the idle task: those of no task were filtered out.
  bool all_tasks = false;
  bool flags_at_unlock = false;  // probes fetched page->flags there
  bool flags_at_last_put = false;
  bool migration_results = false;  // returns of functions that move a page were recorded
  std::optional<int64_t> last_ts;  // latest stamp of the recording
  bool blinded = false;            // events with a meaning to the model were left out, or are in disorder
  std::optional<int64_t>
      disorder_line;  // where it shows that events are not in the order they were recorded in
  // For want of memory, see MemoryBudget.
  int64_t tasks_forgotten = 0;
  int64_t locks_forgotten = 0;
  int64_t migrations_forgotten = 0;
  int64_t clocks_forgotten = 0;
  int64_t cpus_forgotten = 0;  // events of cpus beyond those a machine has
};

class ShadowMm {
 public:
  using Sink = std::function<void(Record&&)>;

  // Records are handed to `sink` in replay order; `sink` outlives the model.
  ShadowMm(ReplayOptions options, Sink sink);

  // Of events some way ahead of those that are replayed.
  void Learn(const Lessons& lessons);
  // In the order of the trace.
  void Replay(const Event& event);
  void Replay(const LossMarker& marker);

  // After the last event.
  ReplaySummary Finish();

 private:
  // `probe`: name of the event.
  void OnEntry(const FunctionEntry& call, StringId probe, const Moment& at, Task* task);
  void OnReturn(const FunctionReturn& call, const Moment& at, Task* task);
  void OnMigrationEntry(const MigrationEntry& entry, const Moment& at, Task* task);
  void OnSwitch(const SchedSwitch& sched, const Event& event, const Moment& at);
  void OnWaking(const SchedWaking& waking, const Moment& at);
  void NoteHolders(const Task* task, Migration* migration);
  void BeginMigrating(Pfn pfn, bool mapped, const Moment& at, const Task* task);
  void EndMigrating(Pfn pfn, const Task* task);
  void EndMigrating(const Task* task);
  void BeginWait(const FunctionEntry& call, StringId probe, const Moment& at, Task* task);
  // Records that the event at hand is about a page.
  void FoundAlive(Pfn pfn, const Moment& at);
  void NotePage(Pfn pfn, const Moment& at);
  std::optional<Pfn> PfnOf(const FunctionEntry& call, ProbeRole role);
  bool ReferencesRecordable(const Moment& at) const;
  void OnDisorder(int64_t line);
  // Returns of the function are probed.
  bool ReturnKnown(std::optional<KernelFunction> function) const;
  void Cut(const LossMarker& marker);
  bool GapSince(const Task& task, EventId since) const;
  bool CloseGap(const Event& event);
  void MissOn(int32_t cpu);
  void OnStepBack(int32_t cpu);
  void OnUnreadable(const LossMarker& marker);

  ReplayOptions options_;
  Sink sink_;
  ClockError clock_;
  PteDecoder ptes_;
  PageMap page_map_;
  TaskTracker tasks_;
  PtlTracker locks_;
  PageTracker pages_;
  MigrationTracker migrations_;
  WaitTracker waits_;

  // What was learned last, with what is known from the recording's definitions.
  Lessons::Shown shown_;

  // Losses per cpu: the latest one, by the event that follows it.
  struct CpuState {
    std::optional<int64_t> last_ts;
    std::optional<EventId> last_event;
    std::optional<EventId> last_gap;
    std::optional<Gap> open_gap;  // waiting for its end: the cpu's next event
    bool seen = false;
    bool ran = false;  // it is among ran_
  };
  void SeeLast(std::optional<int64_t> ts);
  CpuState& CpuOf(int32_t cpu);
  bool KnowsCpu(int32_t cpu);
  std::map<int32_t, CpuState> cpus_;
  std::array<CpuState*, 1024> known_cpus_{};  // of them, for every event's look-up
  std::vector<int32_t> ran_;                  // cpus with events since something of any cpu could not be read
  std::optional<EventId> last_gap_;
  int64_t open_gaps_ = 0;

  // Pages a task has locked for migration, see Page::migrating_by.
  std::unordered_map<const Task*, std::vector<Pfn>> migrating_;

  ReplaySummary summary_;
};

}  // namespace mmreplay
