// Whether events come in the order in which they were recorded.
//
// A cpu's ring buffer stores each event's distance from the one before it (kernel/trace/ring_buffer.c:
// rb_update_event; a clock that steps back counts as one that stood still): within one cpu stamps never
// decrease, whatever the trace clock. Where they do, lines were sorted otherwise, or several recordings
// follow each other, and what comes first in the file says nothing about what came first.
//
//   [001] 5.794279: ...
//   [001] 5.794301: ...
//   [001] 5.790117: ...   alone: a digit may have been lost on a serial line
//   [001] 5.790120: ...   and again: this is another order
//
// Across cpus whoever prints a trace sorts it by its stamps, and a reader of trace_pipe what is there: it is
// off by what the clocks err. Where many are farther behind those of other cpus, pieces of several cpus
// follow each other.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "parser/event.h"

namespace mmreplay {

class RecordOrder {
 public:
  // `ticks`: stamps are of an unknown unit, and cpus are not compared.
  explicit RecordOrder(bool ticks) : ticks_(ticks) {}

  // Events in the order of the file.
  void See(const Event& event);

  // From the event on that showed it.
  std::optional<int64_t> broken_at() const { return broken_at_; }  // its line

 private:
  struct Cpu {
    std::optional<int64_t> latest;
    std::optional<int64_t> before;  // the latest one
    bool behind = false;            // the event after it was stamped earlier
  };

  void SeeLate(const Event& event);
  // One whose neighbours agree with each other.
  void SeeStray(const Event& event);

  bool ticks_;
  std::vector<Cpu> cpus_;        // by number + 1
  int64_t settled_ = INT64_MIN;  // the latest stamp of any cpu, but for those that may stand alone
  int64_t late_ = 0;             // events far behind it
  int64_t seen_ = 0;
  int64_t strays_ = 0;
  std::optional<int64_t> broken_at_;
};

}  // namespace mmreplay
