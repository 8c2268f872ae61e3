#include "parser/buffer_starts.h"

#include <algorithm>

namespace mmreplay {

BufferStarts::BufferStarts(const std::vector<CpuStats>& statistics) {
  bool overwritten = false;
  for (const CpuStats& cpu : statistics) {
    if (cpu.overrun > 0 || cpu.commit_overrun > 0) {
      overwritten = true;
    } else if (cpu.oldest_us) {
      oldest_us_.emplace(cpu.cpu, *cpu.oldest_us);
    }
  }
  if (!overwritten) oldest_us_.clear();
}

bool BufferStarts::IsWhole(const LossMarker& start, const Event& first) const {
  constexpr int64_t kUs = 1000;
  auto oldest = oldest_us_.find(start.cpu);
  return oldest != oldest_us_.end() && first.cpu == start.cpu && first.ts &&
         *first.ts / kUs == oldest->second;
}

void BufferStarts::Sort(bool ticks, Batch* batch) {
  if (oldest_us_.empty() || ticks) return;
  std::vector<LossMarker>& markers = batch->markers;
  markers.insert(markers.begin(), kept_.begin(), kept_.end());
  kept_.clear();
  auto next = batch->events.begin();
  auto is_no_loss = [&](const LossMarker& marker) {
    if (marker.kind != LossMarker::Kind::kBufferStarted) return false;
    while (next != batch->events.end() && next->id < marker.next_event) ++next;
    return next != batch->events.end() && IsWhole(marker, *next);
  };
  std::erase_if(markers, is_no_loss);
  auto of_next_batch = [&](const LossMarker& marker) {
    return batch->events.empty() || marker.next_event > batch->events.back().id;
  };
  auto last = std::find_if(markers.begin(), markers.end(), of_next_batch);
  kept_.assign(last, markers.end());
  markers.erase(last, markers.end());
}

void BufferStarts::Finish(Batch* batch) {
  batch->markers.insert(batch->markers.end(), kept_.begin(), kept_.end());
  kept_.clear();
}

}  // namespace mmreplay
