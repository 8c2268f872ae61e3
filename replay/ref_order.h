// Repair of the order of reference-count operations by their values.
//
// A page_ref event is written after the atomic operation it tells of, in a second step: of two
// cpus' operations the later one may be logged first. The values give that away.
//
//   true order           logged                 predicted from 1
//   M: get      1 -> 2   W: put  ret=0          1 -> 0, and ret would be 1
//   W: put      2 -> 1   M: get                 M before W agrees with both
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "parser/event.h"
#include "replay/ids.h"
#include "replay/order.h"

namespace mmreplay {

struct RefStep {
  PageRefOp op;
  int32_t val;
  std::optional<int32_t> ret;
  std::optional<int32_t> count;  // printed: sampled at the operation or a moment after it
  Moment at;
  std::optional<Moment> not_before;  // its task's event before it: the operation came after that
  std::optional<Moment> resumed;     // its task was put on a cpu again since then
};

// What an operation does to a known count. `agrees`: with the outcome the event tells. A count below zero
// agrees with nothing.
struct RefOutcome {
  bool agrees;
  int32_t now;
};
RefOutcome Apply(int32_t old, const RefStep& step);

// The operation logged later may have come first: of another task and cpu, and logged so shortly after the
// other, or after its task was put on a cpu again, that the step between operation and event explains it.
bool MayPrecede(const RefStep& later, const RefStep& earlier, const ClockError& clock, bool ticks);

struct RepairedOrder {
  std::vector<size_t> order;      // indices of steps, as they happened
  std::vector<int32_t> replayed;  // count after each, in that order
};

// An order of the steps (given as logged, at most kRefStepsRepaired) in which every outcome agrees and every
// printed count occurs, with the fewest counts printed late; of several, the one nearest to what was logged.
// nullopt: there is none.
constexpr size_t kRefStepsRepaired = 7;
std::optional<RepairedOrder> RepairOrder(int32_t start, const std::vector<RefStep>& steps,
                                         const ClockError& clock, bool ticks);

}  // namespace mmreplay
