// What is known about before and after across cpus.
//
// Within one cpu the buffer order is the true order, and within one task its program order. Across
// cpus two events are ordered when their stamps are further apart than the clock may err, or when
// one task did something between them that the other had to wait for: dropped a lock that the other
// took next, woke it, forked it.
//
//   M: count 1 -> 0 ... lock_release
//                              \\  happens before
//   W:                           lock_acquired ... folio_wait_bit
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "replay/ids.h"
#include "replay/records.h"

namespace mmreplay {

// How far stamps of different cpus err, as far as is known.
struct ClockBound {
  int64_t likely = 0;   // by the kind of clock
  int64_t learned = 0;  // by what contradicts it
};

class ClockError {
 public:
  // `clock` is the trace clock's name if known (local, global, mono, x86-tsc, counter, ...).
  ClockError(std::optional<std::string_view> clock, bool ticks);

  // One cpu did something that another one had to wait for: dropped a lock the other took next, woke a
  // task that then ran there. `later_by`: by how much it is stamped later than what came after it; the
  // clocks err by at least that much where it is above 0. But an event that is not on record looks the
  // same: what no clock is likely to err by counts only where it happens to one cpu again and again.
  void HandOver(int32_t from_cpu, int32_t to_cpu, int64_t later_by);

  // The recording is part of a longer one: of a clock's error less is on record than there was. What a clock
  // is likely to err by is assumed.
  void KnowOnlyPart();

  // Its ticks are jiffies: of a millisecond, or more.
  bool jiffies() const { return jiffies_; }

  // Stamps of different cpus further apart than this are ordered. ns, or ticks.
  int64_t bound() const { return known_.learned > known_.likely ? known_.learned : known_.likely; }
  bool ticks() const { return ticks_; }
  int64_t learned() const { return known_.learned; }

  // What another one of the same clock knows.
  const ClockBound& known() const { return known_; }
  void Adopt(const ClockBound& known);

  // One of them has no stamp, or their clock counts something that the recording does not tell.
  bool TellsNoDistance(const Moment& a, const Moment& b) const {
    return !a.ts || !b.ts || (ticks_ && !named_);
  }

  // `first` happened before `second`, beyond doubt.
  bool Proves(const Moment& first, const Moment& second) const;

 private:
  struct Evidence {
    int64_t hand_overs = 0;
    std::vector<int64_t> contradictions;  // by how much, ascending; the first ones
  };

  void Learn(Evidence* cpu, int64_t later_by);

  bool ticks_;
  bool named_;
  bool jiffies_ = false;
  ClockBound known_;
  std::map<int32_t, Evidence> late_;   // by the cpu that is stamped late
  std::map<int32_t, Evidence> early_;  // and the one that is stamped early
};

enum class Before : uint8_t { kNo, kYes, kOpen };

struct Ordering {
  Before before;     // the first argument happened before the second
  EventOrder proof;  // kOpen where before is
};

// What another task did before this one could go on.
struct SyncEdge {
  EventOrder kind{};  // kLockHandOver, kWakeUp or kFork
  Moment out;         // the other's: it dropped the lock, woke or forked this task
  EventId in{};       // this task's: it took the lock, ran again, ran for the first time
};

// A task's latest edges, newest last. What is older than that is too far back for a clock to err.
class SyncEdges {
 public:
  void Add(const SyncEdge& edge);
  const std::vector<SyncEdge>& edges() const { return edges_; }

  // The edge by which `other` happened before this task's `own`: nullptr where there is none.
  const SyncEdge* From(const Moment& other, EventId own) const;

 private:
  std::vector<SyncEdge> edges_;
};

// How two events stand to each other. What led to the second may prove it: borrowed, may be null.
Ordering OrderOf(const Moment& first, const Moment& second, const ClockError& clock,
                 const SyncEdges* to_second = nullptr);

}  // namespace mmreplay
