// What is known about before and after across cpus.
//
// Within one cpu the buffer order is the true order, and within one task its program order. Across
// cpus two events are ordered only when their stamps are further apart than the clock may err.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "replay/ids.h"
#include "replay/records.h"

namespace mmreplay {

class ClockError {
 public:
  // `clock` is the trace clock's name if known (local, global, mono, x86-tsc, counter, ...).
  ClockError(std::optional<std::string_view> clock, bool ticks);

  // Two stamps that must not be in this order, and are: an unlock stamped after the next owner has
  // the lock. The clock errs by at least that much.
  void Contradiction(int64_t later_by) {
    if (later_by > learned_) learned_ = later_by;
  }

  // Stamps of different cpus further apart than this are ordered. ns, or ticks.
  int64_t bound() const { return learned_ > base_ ? learned_ : base_; }
  int64_t learned() const { return learned_; }

  // `first` happened before `second`, beyond doubt.
  bool Proves(const Moment& first, const Moment& second) const;

 private:
  int64_t base_;
  int64_t learned_ = 0;
};

enum class Before : uint8_t { kNo, kYes, kOpen };

struct Ordering {
  Before before;     // the first argument happened before the second
  EventOrder proof;  // kSameCpu or kApart; kOpen where before is
};

// How two events stand to each other.
Ordering OrderOf(const Moment& first, const Moment& second, const ClockError& clock);

}  // namespace mmreplay
