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

bool BufferStarts::MayBeWhole(const LossMarker& marker) const {
  return marker.kind == LossMarker::Kind::kBufferStarted && oldest_us_.contains(marker.cpu);
}

bool BufferStarts::IsWhole(const LossMarker& start, const Event& first) const {
  constexpr int64_t kUs = 1000;
  return first.cpu == start.cpu && first.ts && *first.ts / kUs == oldest_us_.at(start.cpu);
}

void BufferStarts::Sort(bool ticks, Batch* batch) {
  if (oldest_us_.empty() || ticks) return;
  std::vector<LossMarker>& markers = batch->markers;
  markers.insert(markers.begin(), kept_.begin(), kept_.end());
  kept_.clear();
  auto next = batch->events.begin();
  auto is_no_loss = [&](const LossMarker& marker) {
    if (!MayBeWhole(marker)) return false;
    while (next != batch->events.end() && next->id < marker.next_event) ++next;
    if (next != batch->events.end()) return IsWhole(marker, *next);
    // A second one of a cpu says no more than the first.
    auto same_cpu = [&](const LossMarker& other) { return other.cpu == marker.cpu; };
    if (std::none_of(kept_.begin(), kept_.end(), same_cpu)) kept_.push_back(marker);
    return true;
  };
  std::erase_if(markers, is_no_loss);
}

void BufferStarts::Finish(Batch* batch) {
  batch->markers.insert(batch->markers.end(), kept_.begin(), kept_.end());
  kept_.clear();
}

}  // namespace mmreplay
