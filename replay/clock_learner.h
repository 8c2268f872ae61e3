// How far the cpus' clocks err, learned from what one cpu did that another one had to wait for.
//
// Consumes: lock_acquired and lock_release of page-table locks, sched_switch, sched_waking. All optional.
//
//   cpu 0: lock_acquired ............... lock_release            stamped later than the next owner's
//   cpu 1:                 lock_acquired                         lock_acquired: the clocks err
//
//   A task that leaves a cpu after it runs on another one, or is woken after it runs, shows the same.
#pragma once

#include <cstdint>
#include <optional>

#include "parser/event.h"
#include "parser/memory_budget.h"
#include "replay/aging_map.h"
#include "replay/order.h"

namespace mmreplay {

class ClockLearner {
 public:
  // `clock` is borrowed.
  explicit ClockLearner(ClockError* clock, const MemoryBudget& budget = MemoryBudget());

  // Events in the order of the trace.
  void Learn(const Event& event);

  // Locks and tasks whose part in hand-overs to come was forgotten.
  int64_t forgotten() const { return locks_.forgotten() + tasks_.forgotten(); }

 private:
  struct Lock {
    bool page_table = false;
    std::optional<Moment> acquired;  // by the latest owner
    bool held = false;
    std::optional<Moment> before;  // acquisition of the owner before, where its release has not come yet
    std::optional<Moment> released;
  };
  struct Running {
    std::optional<Moment> in;   // put on a cpu
    std::optional<Moment> out;  // taken off it
    bool slept = false;         // asleep when it was
    std::optional<Moment> woken;  // since it came to where it is, on a cpu or off it
    bool may_be_woken = false;    // it was woken while it was on its way to sleep
    bool ran_unwoken = false;
  };

  void OnLock(const LockEvent& event, const Moment& at);
  void OnSwitch(const SchedSwitch& sched, const Moment& at);
  void OnWaking(const SchedWaking& waking, const Moment& at);
  // `first` must have happened before `second`.
  void HandOver(const Moment& first, const Moment& second);

  // What is dropped was not seen since the drop before.
  void OnDrop(std::optional<int64_t>* last_drop);

  ClockError* clock_;
  std::optional<int64_t> now_;
  std::optional<int64_t> last_lock_drop_;
  std::optional<int64_t> last_task_drop_;
  AgingMap<uint64_t, Lock> locks_;
  AgingMap<int32_t, Running> tasks_;
};

}  // namespace mmreplay
