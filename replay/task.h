// Tasks as the trace shows them: what they are inside of, which page-table locks they hold, when
// they last did something themselves.
//
// Consumes: probe entries and returns (any function with a known return probe makes a bracket),
// sched_switch for the moments a task starts to run. All optional.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "parser/event.h"
#include "replay/aging_map.h"
#include "replay/ids.h"
#include "replay/order.h"

namespace mmreplay {

// One function the task is inside of.
struct CallFrame {
  KernelFunction function;
  StringId symbol;
  Moment entry;
  ProbeFields fields;
};

// The page-table lock a task gave back last.
struct ReleasedHold {
  HoldId id;
  std::optional<Moment> acquire;  // nullopt: taken before the trace, or its event is lost
  Moment release;
  // Nothing of the task itself came after the release: what follows follows the lock directly.
  bool direct;
};

struct Task {
  uint64_t serial = 0;  // of no other task, nor of this one once it was forgotten
  std::optional<Pid> pid;
  StringId comm{};

  std::vector<CallFrame> frames;
  // Counts outermost entries and exits: equal values mean "inside the same fault or call", or
  // between the same two of them.
  uint64_t scope = 0;
  std::optional<Moment> last_own;     // last event of the task's own program
  std::optional<Moment> switched_in;  // last time it was put on a cpu
  // A page-table lookup of what it waits on next comes after both: the last entry into a function
  // that looks one up, and the last sleep of a kind no fault sleeps between lookup and wait.
  std::optional<Moment> last_lookup_call;
  StringId last_lookup_symbol{};
  bool last_lookup_over = false;  // its return is on record
  std::optional<Moment> last_idle;
  std::optional<HoldId> holding;  // innermost page-table lock held
  std::optional<ReleasedHold> last_hold;
  std::optional<WaitId> waiting;
  SyncEdges led_by;             // what others did before it could go on
  bool asleep = false;          // it went off its cpu asleep, and was put on none since
  std::optional<Moment> woken;  // first wake-up since it was put on a cpu, or off it
  bool history_kept = true;     // false: it may have been known before, and was forgotten
  int32_t waits_kept = 0;       // it is not forgotten while its waits are not told of
  // Cpus the task's own events of this scope were on: one, or several.
  std::optional<int32_t> scope_cpu;
  bool scope_moved = false;
  bool returned_from_wait = false;  // whose entry is not on record

  const CallFrame* FindFrame(KernelFunction function) const {
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
      if (frame->function == function) return &*frame;
    }
    return nullptr;
  }
};

class TaskTracker {
 public:
  // Beyond `limit` tasks those that did nothing for longest are forgotten: `forget` is told first.
  explicit TaskTracker(size_t limit, std::function<void(std::vector<Task*>)> forget);

  // The task an event belongs to; nullptr where the input names none. The idle tasks share pid 0
  // and are told apart by cpu. Stable until it is forgotten.
  Task* Of(const Event& event);
  Task* Of(std::optional<Pid> pid, std::optional<int32_t> cpu);

  // Opens a bracket. A frame of the same function that is still open lost its return, and so did one of a
  // page-table lookup that does not call this one: it and what is inside it are closed first; returns how
  // many were.
  size_t Enter(Task* task, const FunctionEntry& call, const Moment& entry);

  // The task sleeps as no page-table lookup does (mm/migrate.c, mm/huge_memory.c: all sleep uninterruptibly):
  // those still open lost their returns. Closes them and what is inside; returns how many were.
  size_t OnIdle(Task* task);

  // Closes the innermost bracket of that function, and frames left open inside it. nullopt when the
  // entry was not recorded.
  std::optional<CallFrame> Leave(Task* task, KernelFunction function);

  int64_t forgotten() const { return tasks_.forgotten(); }

 private:
  AgingMap<int64_t, Task> tasks_;
  uint64_t next_serial_ = 1;
  int64_t last_key_ = INT64_MIN;
  Task* last_task_ = nullptr;
};

}  // namespace mmreplay
