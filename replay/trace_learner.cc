#include "replay/trace_learner.h"

#include <variant>

namespace mmreplay {

TraceLearner::TraceLearner(const ReplayOptions& options)
    : clock_(options.clock, options.ticks),
      clock_learner_(&clock_, options.memory),
      record_order_(options.ticks),
      page_pairs_(PteDecoder(options.architecture, options.release, options.page_shift), options.memory) {
  for (KernelFunction function : options.return_probes) shown_.returns |= Bit(function);
  for (KernelFunction function : options.entry_probes) shown_.entries |= Bit(function);
}

void TraceLearner::See(const Event& event) {
  record_order_.See(event);
  clock_learner_.Learn(event);
  // set_event_pid never lets the idle task's events through, nor kthreadd's.
  if (event.pid && (Value(*event.pid) == 0 || Value(*event.pid) == 2)) {
    shown_.all_tasks |= std::holds_alternative<PageRef>(event.payload) ||
                        std::holds_alternative<PageAlloc>(event.payload) ||
                        std::holds_alternative<PageFree>(event.payload);
  }
  if (const auto* ref = std::get_if<PageRef>(&event.payload)) {
    shown_.births |= ref->op == PageRefOp::kSet;
    shown_.page_ref_mod |= ref->op == PageRefOp::kMod;
    shown_.page_ref_mod_unless |= ref->op == PageRefOp::kModUnless;
    if (!shown_.first_ref) shown_.first_ref = event.id;
    page_pairs_.See(event);
  } else if (const auto* lock = std::get_if<LockEvent>(&event.payload)) {
    shown_.lock_acquired |= lock->step == LockStep::kAcquired;
  } else if (const auto* leave = std::get_if<FunctionReturn>(&event.payload)) {
    shown_.returns |= Bit(leave->function);
  } else if (const auto* sched = std::get_if<SchedSwitch>(&event.payload)) {
    if (event.pid && *event.pid != sched->prev) SeeSwitch(*event.pid, sched->prev);
  } else {
    if (const auto* call = std::get_if<FunctionEntry>(&event.payload)) shown_.entries |= Bit(call->function);
    page_pairs_.See(event);
  }
}

// Who leaves the cpu tells of itself (kernel/sched/core.c:__schedule), in a pid namespace by another number.
// A number that stands for several is that of a process; but a few lines may be damaged.
void TraceLearner::SeeSwitch(Pid of, Pid prev) {
  constexpr size_t kKept = 1024;
  constexpr int64_t kStrays = 2;
  if (switched_.size() >= kKept && !switched_.contains(of)) return;
  other_switches_ += switched_.try_emplace(of, prev).first->second != prev;
  shown_.processes = other_switches_ > kStrays;
}

Lessons TraceLearner::Take() {
  return {.shown = shown_,
          .pages = page_pairs_.Take(),
          .highest_pfn = page_pairs_.highest_pfn(),
          .clock = clock_.known(),
          .clocks_forgotten = clock_learner_.forgotten(),
          .disorder_line = record_order_.broken_at()};
}

}  // namespace mmreplay
