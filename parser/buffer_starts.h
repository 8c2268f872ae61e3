// Which "##### CPU n buffer started ####" tell of a loss.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "parser/batch.h"
#include "parser/bundle.h"

namespace mmreplay {

// Once one cpu's buffer was overwritten, kernel/trace/trace.c:test_cpu_buff_start (6.1) tells of each cpu but
// the first that its buffer started, before its first event. Where a cpu's statistics say that none of its
// events was overwritten, and call the very event the oldest that follows, nothing is missing before it. The
// statistics may be of another time, or of another buffer: then the marker stays.
class BufferStarts {
 public:
  explicit BufferStarts(const std::vector<CpuStats>& statistics);

  // Takes the markers out of the batch that tell of no loss. One that may, and stands behind the batch's last
  // event, is kept for the next batch. `ticks`: stamps are counts of an integer clock, which statistics are
  // not told in.
  void Sort(bool ticks, Batch* batch);

  // Puts what is kept into a batch, when the trace has ended.
  void Finish(Batch* batch);

 private:
  bool MayBeWhole(const LossMarker& marker) const;
  bool IsWhole(const LossMarker& start, const Event& first) const;

  std::map<int32_t, int64_t> oldest_us_;  // of cpus that lost nothing, where others did
  std::vector<LossMarker> kept_;          // one for a cpu
};

}  // namespace mmreplay
