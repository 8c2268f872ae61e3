#include "replay/ref_order.h"

#include <algorithm>
#include <limits>

namespace mmreplay {
namespace {

// Between an atomic operation and its event lie a few instructions; an interrupt may come in between.
constexpr int64_t kLogGapNs = 50'000;
constexpr int64_t kLogGapTicks = 8;  // of a clock that may count events

class Search {
 public:
  Search(int32_t start, const std::vector<RefStep>& steps, const ClockError& clock, bool ticks)
      : start_(start), steps_(steps), may_swap_(steps.size() * steps.size()) {
    for (size_t later = 0; later < steps.size(); ++later) {
      for (size_t earlier = 0; earlier < later; ++earlier)
        may_swap_[later * steps.size() + earlier] = MayPrecede(steps[later], steps[earlier], clock, ticks);
    }
  }

  std::optional<RepairedOrder> Run() {
    Extend(start_, 0, 0);
    return best_;
  }

 private:
  // Depth first, in the order of the log: what is found first is nearest to it.
  void Extend(int32_t count, uint32_t used, int mismatches) {
    if (mismatches >= best_mismatches_) return;
    if (current_.order.size() == steps_.size()) {
      if (!CountsOccur()) return;
      best_ = current_;
      best_mismatches_ = mismatches;
      return;
    }
    for (size_t i = 0; i < steps_.size(); ++i) {
      if ((used >> i & 1U) != 0 || !MayComeNext(i, used)) continue;
      RefOutcome outcome = Apply(count, steps_[i]);
      if (!outcome.agrees) continue;
      bool printed_otherwise = steps_[i].count && *steps_[i].count != outcome.now;
      current_.order.push_back(i);
      current_.replayed.push_back(outcome.now);
      Extend(outcome.now, used | 1U << i, mismatches + (printed_otherwise ? 1 : 0));
      current_.order.pop_back();
      current_.replayed.pop_back();
    }
  }

  // A printed count was there at the operation or after one that follows it.
  bool CountsOccur() const {
    for (size_t i = 0; i < current_.order.size(); ++i) {
      const std::optional<int32_t>& printed = steps_[current_.order[i]].count;
      auto from = current_.replayed.begin() + static_cast<std::ptrdiff_t>(i);
      if (printed && std::find(from, current_.replayed.end(), *printed) == current_.replayed.end())
        return false;
    }
    return true;
  }

  bool MayComeNext(size_t step, uint32_t used) const {
    for (size_t earlier = 0; earlier < step; ++earlier) {
      if ((used >> earlier & 1U) == 0 && !may_swap_[step * steps_.size() + earlier]) return false;
    }
    return true;
  }

  int32_t start_;
  const std::vector<RefStep>& steps_;
  std::vector<bool> may_swap_;  // [later * size + earlier]
  RepairedOrder current_;
  std::optional<RepairedOrder> best_;
  int best_mismatches_ = std::numeric_limits<int>::max();
};

}  // namespace

RefOutcome Apply(int32_t old, const RefStep& step) {
  // In 64 bits: values come from files.
  int64_t sum = int64_t{old} + step.val;
  bool fits = sum >= 0 && sum <= std::numeric_limits<int32_t>::max();
  auto changed = [&](bool agrees) {
    return RefOutcome{agrees && fits, fits ? static_cast<int32_t>(sum) : old};
  };
  switch (step.op) {
    case PageRefOp::kSet:
      return {true, step.val};
    case PageRefOp::kMod:
      return changed(true);
    case PageRefOp::kModAndTest:
      return changed(!step.ret || (sum == 0) == (*step.ret == 1));
    case PageRefOp::kModAndReturn:
      return changed(!step.ret || sum == *step.ret);
    case PageRefOp::kModUnless:
      if (step.ret == 0) return {old == 0, old};
      return changed(old != 0);
    case PageRefOp::kFreeze:
      if (step.ret == 0) return {old != step.val, old};
      return {old == step.val, 0};
    case PageRefOp::kUnfreeze:
      return {old == 0, step.val};
  }
  return {false, old};
}

bool MayPrecede(const RefStep& later, const RefStep& earlier, const ClockError& clock, bool ticks) {
  const Moment& second = later.at;
  const Moment& first = earlier.at;
  if (second.cpu == first.cpu || second.pid == first.pid || !second.ts || !first.ts) return false;
  if (later.op == PageRefOp::kSet || earlier.op == PageRefOp::kSet) return false;
  if (later.not_before && clock.Proves(first, *later.not_before)) return false;
  int64_t near = std::max(ticks ? kLogGapTicks : kLogGapNs, clock.bound());
  auto within = [&](const Moment& from, const Moment& to) {
    return *to.ts >= *from.ts && *to.ts - *from.ts <= near;
  };
  if (within(first, second)) return true;
  // Put off its cpu between operation and event.
  return later.resumed && later.resumed->ts && within(*later.resumed, second) &&
         clock.Proves(first, *later.resumed);
}

std::optional<RepairedOrder> RepairOrder(int32_t start, const std::vector<RefStep>& steps,
                                         const ClockError& clock, bool ticks) {
  if (steps.size() < 2 || steps.size() > kRefStepsRepaired) return std::nullopt;
  return Search(start, steps, clock, ticks).Run();
}

}  // namespace mmreplay
