// Several files of one recording, one per cpu (per_cpu/cpuN/trace, one trace_pipe per cpu), as one trace:
// merged by time stamp, and where stamps are equal in the order the files were given.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "parser/event_source.h"

namespace mmreplay {

class MergedSource : public EventSource {
 public:
  // `names` of the parts, for messages.
  MergedSource(std::vector<std::unique_ptr<EventSource>> parts, std::vector<std::string> names);

  bool Next(Batch* batch) override;
  const LineCounts& lines() const override { return lines_; }
  const TraceHeader& header() const override { return header_; }
  std::vector<TraceIssue> Issues() const override;
  std::optional<bool> clock_is_ticks() const override { return clock_is_ticks_; }
  std::vector<int64_t> part_lines() const override;

 private:
  // The part's next event and what stands before it.
  struct Part {
    std::unique_ptr<EventSource> source;
    Batch batch;
    size_t event = 0;
    size_t marker = 0;
    size_t frame = 0;
    std::optional<int64_t> last_ts;  // an event without a time keeps its place behind this one
    std::deque<EventId> merged_ids;  // of the part's latest events, for frames that follow
    int64_t first_id = 1;            // the part's own id of merged_ids.front()
    bool ended = false;
    std::string name;
  };
  // A part's next event: its time and the part. The first is taken first.
  using Turn = std::pair<int64_t, size_t>;

  bool Refill(Part* part);
  bool Queue(size_t index, Batch* batch);
  void ReadHeaders();
  void Take(Part* part, uint32_t index, Batch* batch);
  void TakeMarkers(Part* part, EventId upto, Batch* batch) const;
  void TakeFrames(Part* part, EventId upto, Batch* batch);

  std::vector<Part> parts_;
  std::vector<size_t>
      to_queue_;  // parts whose next event does not wait for its turn yet; the last one is next
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns_;  // of the parts that have not ended
  bool begun_ = false;
  int64_t next_event_ = 1;
  LineCounts lines_;
  TraceHeader header_;
  std::optional<bool> clock_is_ticks_;
  int64_t clocks_differ_ = 0;
};

}  // namespace mmreplay
