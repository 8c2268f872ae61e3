#include "replay/ptl.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <unordered_set>

#include "replay/text.h"

namespace mmreplay {
namespace {

constexpr size_t kHeldAtOnce = 8;

}  // namespace

void PtlTracker::OnLock(const LockEvent& event, const Moment& at, Task* task, bool acquired_recordable) {
  Lock& lock = locks_[Value(event.lock)];
  // Some events of a lock may print no class (hash-ptr=0 on x86 6.1); its other events do.
  if (event.lock_class != LockClass::kUnknown) lock.lock_class = event.lock_class;
  if (lock.lock_class != LockClass::kPageTable || !task) return;
  Holder& holder = holders_[task];

  auto intent = std::find_if(holder.intents.begin(), holder.intents.end(),
                             [&](const Intent& i) { return i.lock == event.lock; });
  switch (event.step) {
    case LockStep::kAcquire:
      if (!acquired_recordable) {
        Begin(&holder, event.lock, at, std::nullopt, task);
      } else if (intent == holder.intents.end()) {
        if (holder.intents.size() >= kHeldAtOnce) holder.intents.erase(holder.intents.begin());
        holder.intents.push_back({event.lock, at, {}, GapsOn(at.cpu)});
      } else {
        *intent = {event.lock, at, {}, GapsOn(at.cpu)};
      }
      break;
    case LockStep::kContended:
      if (intent != holder.intents.end()) intent->contended_ts = at.ts;
      break;
    case LockStep::kAcquired: {
      std::optional<int64_t> contended;
      if (intent != holder.intents.end()) {
        // Among events lost meanwhile may be that it got the lock.
        if (intent->gaps == GapsOn(at.cpu)) contended = intent->contended_ts;
        holder.intents.erase(intent);
      }
      Begin(&holder, event.lock, at, contended, task);
      // Sections of a lock do not overlap: one that began before this one was over before it.
      if (lock.acquired && lock.released->pid != at.pid && clock_->Proves(*lock.acquired, at))
        task->led_by.Add({EventOrder::kLockHandOver, *lock.released, at.event});
      break;
    }
    case LockStep::kRelease: {
      auto hold = std::find_if(holder.holds.rbegin(), holder.holds.rend(),
                               [&](const Hold& h) { return h.lock == event.lock; });
      if (acquired_recordable && hold != holder.holds.rend()) {
        lock.acquired = hold->acquire;
        lock.released = at;
      }
      if (hold == holder.holds.rend()) {
        // Taken before the trace began, or its acquisition is lost.
        Begin(&holder, event.lock, at, std::nullopt, task);
        holder.holds.back().acquire.reset();
        End(&holder, holder.holds.size() - 1, at, task);
      } else {
        End(&holder, static_cast<size_t>(holder.holds.rend() - hold) - 1, at, task);
      }
      break;
    }
  }
}

void PtlTracker::Begin(Holder* holder, KernelAddress lock, const Moment& at, std::optional<int64_t> contended,
                       Task* task) {
  // A spinlock is not taken twice: the release of the section before is not on record.
  auto stale =
      std::find_if(holder->holds.begin(), holder->holds.end(), [&](const Hold& h) { return h.lock == lock; });
  if (stale != holder->holds.end()) {
    EmitUnreleased({std::move(*stale)});
    holder->holds.erase(stale);
  }
  // Two at a time are taken (mm/mremap.c: move_ptes, mm/memory.c: copy_pte_range of 6.1): the oldest was
  // released unseen.
  if (holder->holds.size() >= kHeldAtOnce) {
    EmitUnreleased({std::move(holder->holds.front())});
    holder->holds.erase(holder->holds.begin());
  }
  holder->holds.push_back({.id = static_cast<HoldId>(next_hold_++),
                           .lock = lock,
                           .acquire = at,
                           .contended_ts = contended,
                           .protects = {},
                           .comm = task->comm,
                           .pid = task->pid});
  task->holding = holder->holds.back().id;
  if (at.cpu) NoteTaken(*at.cpu, task);
  // What the task is inside of often names the entry the lock guards.
  if (!task->frames.empty()) {
    const CallFrame& frame = task->frames.back();
    if (auto pte = frame.fields.Get(ProbeRole::kPte)) {
      bool is_pte = frame.function == KernelFunction::kPteMigrationEntryWait;
      holder->holds.back().protects = (is_pte ? "pte " : "pmd ") + HexText(*pte);
    }
  }
}

void PtlTracker::End(Holder* holder, size_t index, const Moment& at, Task* task) {
  Hold hold = std::move(holder->holds[index]);
  holder->holds.erase(holder->holds.begin() + static_cast<std::ptrdiff_t>(index));
  task->holding.reset();
  if (!holder->holds.empty()) task->holding = holder->holds.back().id;
  task->last_hold = ReleasedHold{hold.id, hold.acquire, at, true};
  emit_(PtlHold{.id = hold.id,
                .lock = hold.lock,
                .pid = hold.pid,
                .comm = hold.comm,
                .acquire = hold.acquire,
                .release = at,
                .contended_ts = hold.contended_ts,
                .protects = std::move(hold.protects)});
}

void PtlTracker::OnContention(const ContentionEvent& event, const Moment& at, Task* task) {
  if (!task) return;
  Holder& holder = holders_[task];
  if (event.begin) {
    holder.contended = event.lock;
    holder.contention_begin = at;
    holder.contention_end.reset();
  } else if (holder.contended == event.lock) {
    holder.contention_end = at;
  }
}

HoldId PtlTracker::OnLockArgument(KernelAddress lock, const Moment& at, Task* task, std::string protects) {
  Holder& holder = holders_[task];
  auto id = static_cast<HoldId>(next_hold_++);
  PtlHold hold{.id = id,
               .lock = lock,
               .pid = task->pid,
               .comm = task->comm,
               .acquire = {},
               .release = {},
               .contended_ts = {},
               .protects = std::move(protects)};
  // contention_end is the acquisition, where the lock was contended inside the same call.
  if (holder.contended == lock && holder.contention_end && !task->frames.empty() &&
      Value(holder.contention_end->event) > Value(task->frames.front().entry.event)) {
    hold.acquire = holder.contention_end;
    if (holder.contention_begin) hold.contended_ts = holder.contention_begin->ts;
  }
  emit_(std::move(hold));
  (void)at;
  return id;
}

void PtlTracker::Describe(Task* task, const std::string& protects) {
  auto holder = holders_.find(task);
  if (holder == holders_.end() || holder->second.holds.empty()) return;
  std::string& known = holder->second.holds.back().protects;
  if (known.empty()) known = protects;
}

void PtlTracker::OnSleep(Task* task, const Moment& at) {
  auto holder = holders_.find(task);
  if (holder == holders_.end()) return;
  for (const Hold& hold : holder->second.holds) {
    std::string since = hold.acquire ? " since " + EventText(hold.acquire->event) : "";
    emit_(Anomaly{.invariant = "I12",
                  .at = at,
                  .pfn = {},
                  .detail = "slept with the page-table lock " + HexText(Value(hold.lock)) + " held" + since,
                  .kind = "slept with a page-table lock",
                  .earlier = hold.acquire ? std::optional(hold.acquire->event) : std::nullopt});
  }
}

void PtlTracker::NoteTaken(int32_t cpu, Task* task) {
  TakenOnCpu& taken = taken_on_[cpu];
  if (!taken.tasks.empty() && taken.tasks.back() == task) return;
  if (taken.tasks.size() >= taken.prune_at) {
    std::sort(taken.tasks.begin(), taken.tasks.end(),
              [](const Task* a, const Task* b) { return a->serial < b->serial; });
    taken.tasks.erase(std::unique(taken.tasks.begin(), taken.tasks.end()), taken.tasks.end());
    std::erase_if(taken.tasks, [](const Task* holder) { return !holder->holding; });
    taken.prune_at = std::max(size_t{64}, 2 * taken.tasks.size());
  }
  taken.tasks.push_back(task);
}

uint64_t PtlTracker::GapsOn(std::optional<int32_t> cpu) const {
  auto found = cpu ? gaps_.find(*cpu) : gaps_.end();
  return found == gaps_.end() ? 0 : found->second;
}

void PtlTracker::OnGap(int32_t cpu) {
  ++gaps_[cpu];
  auto taken = taken_on_.find(cpu);
  if (taken == taken_on_.end()) return;
  std::vector<Hold> unreleased;
  for (Task* task : taken->second.tasks) {
    Holder& holder = holders_[task];
    auto on_cpu = [&](const Hold& hold) { return hold.acquire && hold.acquire->cpu == cpu; };
    auto first = std::stable_partition(holder.holds.begin(), holder.holds.end(), std::not_fn(on_cpu));
    if (first == holder.holds.end()) continue;
    std::move(first, holder.holds.end(), std::back_inserter(unreleased));
    holder.holds.erase(first, holder.holds.end());
    task->holding.reset();
    if (!holder.holds.empty()) task->holding = holder.holds.back().id;
  }
  taken_on_.erase(taken);
  EmitUnreleased(std::move(unreleased));
}

void PtlTracker::Forget(const std::vector<Task*>& tasks) {
  std::vector<Hold> open;
  for (Task* task : tasks) {
    auto holder = holders_.find(task);
    if (holder == holders_.end()) continue;
    std::move(holder->second.holds.begin(), holder->second.holds.end(), std::back_inserter(open));
    holders_.erase(holder);
    task->holding.reset();
  }
  EmitUnreleased(std::move(open));
  std::unordered_set<const Task*> gone(tasks.begin(), tasks.end());
  for (auto taken = taken_on_.begin(); taken != taken_on_.end();) {
    std::erase_if(taken->second.tasks, [&](const Task* task) { return gone.contains(task); });
    taken = taken->second.tasks.empty() ? taken_on_.erase(taken) : std::next(taken);
  }
}

void PtlTracker::Finish() {
  std::vector<Hold> open;
  for (auto& [task, holder] : holders_)
    std::move(holder.holds.begin(), holder.holds.end(), std::back_inserter(open));
  EmitUnreleased(std::move(open));
}

void PtlTracker::EmitUnreleased(std::vector<Hold> holds) {
  std::sort(holds.begin(), holds.end(),
            [](const Hold& a, const Hold& b) { return Value(a.id) < Value(b.id); });
  for (Hold& hold : holds) {
    emit_(PtlHold{.id = hold.id,
                  .lock = hold.lock,
                  .pid = hold.pid,
                  .comm = hold.comm,
                  .acquire = hold.acquire,
                  .release = {},
                  .contended_ts = hold.contended_ts,
                  .protects = std::move(hold.protects)});
  }
}

}  // namespace mmreplay
