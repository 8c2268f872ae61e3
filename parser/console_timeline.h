// Where the console's time stamps lie on the trace's clock.
//
// printk stamps its lines with local_clock(), traces with the clock of trace_clock; both count nanoseconds
// from boot, but not always the same ones (an unstable TSC, mono against sched_clock: 50 to 110 ms apart on
// emulated x86). What ties them: a page-state report is printed by a task while it runs, and sched_switch
// says when it ran. Every report rules out offsets at which its task was off the cpu.
//
//   report of pid 69 at 8.639949          |  |                     printk
//   pid 69 on a cpu:   [8.62 .. 8.64]  [8.75 .. 8.76]              trace
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "parser/console_log.h"
#include "parser/event.h"

namespace mmreplay {

// Trace time = console time + offset, give or take error.
struct ConsoleOffset {
  int64_t offset_ns;
  int64_t error_ns;
  int64_t reports;  // that bear on it
};

class ConsoleTimeline {
 public:
  // Offsets beyond this are not considered: both clocks count from boot.
  static constexpr int64_t kWindow = 1'000'000'000;
  // A wider result ties nothing together.
  static constexpr int64_t kUsefulError = 100'000'000;

  explicit ConsoleTimeline(const std::vector<ConsoleReport>& reports);

  // Events in the order of the trace, and the losses between them: of what was lost nothing is known.
  void See(const Event& event);
  void See(const LossMarker& loss);

  // nullopt where the trace does not tell: no reports with task and time, no sched_switch, too wide, or no
  // single offset that suits all reports.
  std::optional<ConsoleOffset> Find() const;

 private:
  using Interval = std::pair<int64_t, int64_t>;
  struct Running {
    std::vector<Interval> intervals;
    std::optional<int64_t> since;  // switched in
    std::optional<int64_t> left;   // switched out last
    bool seen = false;
  };
  struct Cpu {
    int64_t last_ts;
    bool lost = false;  // events since
  };

  void AddUnknown(int64_t from, int64_t to);

  std::vector<std::pair<int64_t, Pid>> reports_;  // console time, task
  std::unordered_map<int32_t, Running> tasks_;    // that print reports
  std::unordered_map<int32_t, Cpu> cpus_;
  std::vector<Interval> unknown_;  // events of a cpu are missing
  std::optional<int64_t> first_ts_;
  int64_t complete_from_ = 0;  // all cpus that occur have begun
  std::optional<int64_t> last_ts_;
};

}  // namespace mmreplay
