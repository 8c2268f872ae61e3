// What a trace tells that the model must know before it comes to it: struct page addresses, how far the
// clocks err, which probes and events are on record, whether the order is that of the recording. Read ahead
// of the model.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "parser/event.h"
#include "replay/clock_learner.h"
#include "replay/order.h"
#include "replay/page_pairs.h"
#include "replay/record_order.h"
#include "replay/replay_options.h"

namespace mmreplay {

struct Lessons {
  // What the recording could show, so far.
  struct Shown {
    uint64_t returns = 0;  // bit per KernelFunction
    uint64_t entries = 0;
    bool page_ref_mod = false;
    bool page_ref_mod_unless = false;
    std::optional<EventId> first_ref;  // of events of reference counts
    bool lock_acquired = false;
    bool births = false;     // of pages, whoever takes them from the free lists: page_ref_set
    bool all_tasks = false;  // see ReplaySummary
    bool processes = false;  // what stands for a task is its process
  };
  Shown shown;
  std::vector<PagePair> pages;  // since the lessons before
  uint64_t highest_pfn = 0;
  ClockBound clock;
  int64_t clocks_forgotten = 0;
  std::optional<int64_t> disorder_line;
};

class TraceLearner {
 public:
  explicit TraceLearner(const ReplayOptions& options);
  TraceLearner(const TraceLearner&) = delete;
  TraceLearner& operator=(const TraceLearner&) = delete;

  // Events in the order of the trace.
  void See(const Event& event);

  // Of the events so far.
  Lessons Take();

 private:
  ClockError clock_;
  ClockLearner clock_learner_;
  RecordOrder record_order_;
  PagePairs page_pairs_;
  Lessons::Shown shown_;
  void SeeSwitch(Pid of, Pid prev);

  std::unordered_map<Pid, Pid> switched_;  // of which task the first sched_switch of one tells, where it is another
  int64_t other_switches_ = 0;             // that tell of yet another
};

// Of Lessons::Shown::returns and entries.
constexpr uint64_t Bit(KernelFunction function) {
  return uint64_t{1} << static_cast<unsigned>(function);
}

}  // namespace mmreplay
