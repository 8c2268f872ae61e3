// Page-table locks: who held which lock from when to when.
//
// Consumes: lock_acquire (intent, before spinning), lock_contended and lock_acquired (only with
// CONFIG_LOCK_STAT), lock_release (before the releasing store), all of CONFIG_LOCKDEP; only locks
// whose class is a page-table lock. contention_begin/contention_end and the ptl argument of
// migration_entry_wait_on_locked name the lock itself, not its lockdep map: a second set of
// addresses, never equal to the first.
//
//   W: lock_acquire  lock_acquired  ........ lock_release
//   M:      lock_acquire  lock_contended ............ lock_acquired ... lock_release
//
// Without lock_acquired a hold begins at the intent: early, never late.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "parser/event.h"
#include "parser/memory_budget.h"
#include "replay/aging_map.h"
#include "replay/ids.h"
#include "replay/order.h"
#include "replay/records.h"
#include "replay/task.h"

namespace mmreplay {

class PtlTracker {
 public:
  using Emit = std::function<void(Record&&)>;

  PtlTracker(Emit emit, const ClockError* clock, const MemoryBudget& budget = MemoryBudget())
      : emit_(std::move(emit)), clock_(clock), locks_(budget.locks()) {}

  // `acquired_recordable`: lock_acquired events exist in this recording.
  void OnLock(const LockEvent& event, const Moment& at, Task* task, bool acquired_recordable);

  // A probe shows the task inside a section of this lock: migration_entry_wait_on_locked gets the
  // spinlock it is called under. Returns the hold, which has no acquire event of its own unless
  // the lock was contended.
  HoldId OnLockArgument(KernelAddress lock, const Moment& at, Task* task, std::string protects);

  void OnContention(const ContentionEvent& event, const Moment& at, Task* task);

  // What the task's innermost hold is about, once something inside it tells.
  void Describe(Task* task, const std::string& protects);

  // A task that switches out asleep must not hold one (I12).
  void OnSleep(Task* task, const Moment& at);

  // Events of a cpu are missing: what was held there may have been released. A spinlock's holder
  // stays on its cpu.
  void OnGap(int32_t cpu);

  // Nothing more is known of the tasks.
  void Forget(const std::vector<Task*>& tasks);
  int64_t locks_forgotten() const { return locks_.forgotten(); }

  void Finish();

 private:
  struct Hold {
    HoldId id;
    KernelAddress lock;
    std::optional<Moment> acquire;
    std::optional<int64_t> contended_ts;
    std::string protects;
    StringId comm;
    std::optional<Pid> pid;
  };
  struct Lock {
    LockClass lock_class = LockClass::kUnknown;
    std::optional<Moment> acquired;  // of the section that ended last
    std::optional<Moment> released;
  };
  struct Intent {
    KernelAddress lock;
    Moment at;
    std::optional<int64_t> contended_ts;
    uint64_t gaps;  // of its cpu until then
  };
  struct Holder {
    std::vector<Hold> holds;      // innermost last
    std::vector<Intent> intents;  // lock_acquire seen, lock_acquired not yet
    std::optional<Moment> contention_begin;
    std::optional<Moment> contention_end;
    std::optional<KernelAddress> contended;
  };

  void Begin(Holder* holder, KernelAddress lock, const Moment& at, std::optional<int64_t> contended,
             Task* task);
  void End(Holder* holder, size_t index, const Moment& at, Task* task);
  void EmitUnreleased(std::vector<Hold> holds);
  // Losses so far; a task that spins for a lock stays on its cpu.
  uint64_t GapsOn(std::optional<int32_t> cpu) const;

  Emit emit_;
  const ClockError* clock_;
  int64_t next_hold_ = 1;
  AgingMap<uint64_t, Lock> locks_;
  std::unordered_map<Task*, Holder> holders_;
  // Tasks that began to hold a lock on a cpu since it lost events, and some that do not hold it any more.
  struct TakenOnCpu {
    std::vector<Task*> tasks;
    size_t prune_at = 64;
  };
  void NoteTaken(int32_t cpu, Task* task);
  std::unordered_map<int32_t, TakenOnCpu> taken_on_;
  std::unordered_map<int32_t, uint64_t> gaps_;
};

}  // namespace mmreplay
