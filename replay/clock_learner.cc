#include "replay/clock_learner.h"

#include <algorithm>
#include <limits>

namespace mmreplay {

ClockLearner::ClockLearner(ClockError* clock, const MemoryBudget& budget)
    : clock_(clock),
      locks_(budget.clocks(), {.keep = {}, .drop = [this](const auto&) { OnDrop(&last_lock_drop_); }}),
      tasks_(budget.clocks(), {.keep = {}, .drop = [this](const auto&) { OnDrop(&last_task_drop_); }}) {}

void ClockLearner::OnDrop(std::optional<int64_t>* last_drop) {
  // Far above what clocks err: what was idle that long contradicts nothing.
  constexpr int64_t kIdle = 1'000'000'000;  // ns
  bool idle = *last_drop && now_ && *now_ >= **last_drop &&
              static_cast<uint64_t>(*now_) - static_cast<uint64_t>(**last_drop) >= uint64_t{kIdle};
  if (!idle) clock_->KnowOnlyPart();
  *last_drop = now_;
}

void ClockLearner::Learn(const Event& event) {
  Moment at{event.id, event.ts, event.cpu, event.pid};
  if (!at.ts || !at.cpu) return;
  now_ = at.ts;
  if (const auto* lock = std::get_if<LockEvent>(&event.payload)) OnLock(*lock, at);
  if (const auto* sched = std::get_if<SchedSwitch>(&event.payload)) OnSwitch(*sched, at);
  if (const auto* waking = std::get_if<SchedWaking>(&event.payload); waking && !waking->done)
    OnWaking(*waking, at);
}

void ClockLearner::HandOver(const Moment& first, const Moment& second) {
  if (first.cpu == second.cpu) return;
  // Unsigned, for stamps at the ends of 64 bits.
  uint64_t later_by = static_cast<uint64_t>(*first.ts) - static_cast<uint64_t>(*second.ts);
  if (*first.ts <= *second.ts) later_by = 0;
  clock_->HandOver(*first.cpu, *second.cpu,
                   static_cast<int64_t>(std::min(later_by, uint64_t{std::numeric_limits<int64_t>::max()})));
}

void ClockLearner::OnLock(const LockEvent& event, const Moment& at) {
  if (event.lock_class == LockClass::kOther) return;
  Lock& lock = locks_[Value(event.lock)];
  lock.page_table |= event.lock_class == LockClass::kPageTable;
  if (!lock.page_table || !at.pid) return;
  if (event.step == LockStep::kAcquired) {
    if (!lock.held && lock.released && lock.released->pid != at.pid) HandOver(*lock.released, at);
    // Held already: the release before comes late, or is not on record.
    lock.before = lock.held && lock.acquired->pid != at.pid ? lock.acquired : std::nullopt;
    lock.acquired = at;
    lock.held = true;
  }
  if (event.step == LockStep::kRelease) {
    if (lock.before && lock.before->pid == at.pid) {
      HandOver(at, *lock.acquired);
      lock.before.reset();
      return;
    }
    lock.held = false;
    lock.released = at;
  }
}

void ClockLearner::OnSwitch(const SchedSwitch& sched, const Moment& at) {
  if (Value(sched.prev) != 0) {
    Running& prev = tasks_[Value(sched.prev)];
    // It runs elsewhere already, as far as the stamps tell.
    if (prev.in && (!prev.out || Value(prev.out->event) < Value(prev.in->event)) && prev.in->cpu != at.cpu)
      HandOver(at, *prev.in);
    prev.out = at;
    prev.slept = sched.prev_state == SleepState::kUninterruptible || sched.prev_state == SleepState::kOther;
    // kernel/sched/core.c:try_to_wake_up (6.1) emits sched_waking as soon as the task has said that it will
    // sleep, and only then waits for it to have left its cpu.
    prev.may_be_woken = prev.woken.has_value();
    prev.woken.reset();
    prev.ran_unwoken = false;
  }
  if (Value(sched.next) != 0) {
    Running& next = tasks_[Value(sched.next)];
    if (next.out && (!next.in || Value(next.in->event) < Value(next.out->event))) HandOver(*next.out, at);
    if (next.slept && next.woken) HandOver(*next.woken, at);
    next.ran_unwoken = next.slept && !next.woken && !next.may_be_woken;
    next.slept = false;
    next.woken.reset();
    next.in = at;
  }
}

void ClockLearner::OnWaking(const SchedWaking& waking, const Moment& at) {
  Running& task = tasks_[Value(waking.pid)];
  if (task.ran_unwoken) {  // this is what woke it
    HandOver(at, *task.in);
    task.ran_unwoken = false;
    return;
  }
  if (!task.woken) task.woken = at;
}

}  // namespace mmreplay
