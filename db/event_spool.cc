#include "db/event_spool.h"

#include <algorithm>

#include "db/trace_store.h"

namespace mmreplay {
namespace {

constexpr uint32_t kWindowRows = 128;

// Two of the filter's 16,384 bits.
struct FilterBits {
  explicit FilterBits(uint64_t pfn) {
    uint64_t mixed = pfn * 0x9e3779b97f4a7c15;
    first = static_cast<uint32_t>(mixed >> 50);
    second = static_cast<uint32_t>(mixed >> 36) & 0x3fff;
  }
  uint32_t first;
  uint32_t second;
};

template <typename T, typename To>
void Keep(const std::optional<T>& value, SpooledEvent::Known bit, To* to, uint16_t* known) {
  *to = value ? static_cast<To>(*value) : To{};
  if (value) *known = static_cast<uint16_t>(*known | bit);
}

}  // namespace

EventSpool::EventSpool(std::shared_ptr<SeekableFile> text) : text_(std::move(text)) {}

void EventSpool::Write(const Batch& batch, const std::vector<PageResult>& results) {
  if (batch.events.empty()) return;
  rows_.clear();
  texts_.clear();
  PageFilter& pages = FilterOfNext();
  int64_t first_id = Value(batch.events.front().id);
  const char* text_begin = batch.text.data();
  const char* text_end = text_begin + batch.text.size();
  bool in_file = text_ && batch.text_at;
  for (size_t e = 0; e < batch.events.size(); ++e) {
    const Event& event = batch.events[e];
    const PageResult& page = results[e];
    SpooledEvent& row = rows_.emplace_back();
    row.known = 0;
    Keep(event.ts, SpooledEvent::kTs, &row.ts, &row.known);
    Keep(event.cpu, SpooledEvent::kCpu, &row.cpu, &row.known);
    Keep(event.pid, SpooledEvent::kPid, &row.pid, &row.known);
    Keep(event.tgid, SpooledEvent::kTgid, &row.tgid, &row.known);
    Keep(page.pfn, SpooledEvent::kPfn, &row.pfn, &row.known);
    Keep(page.lifetime, SpooledEvent::kLifetime, &row.lifetime, &row.known);
    Keep(page.delta, SpooledEvent::kDelta, &row.delta, &row.known);
    Keep(page.replayed, SpooledEvent::kReplayed, &row.replayed, &row.known);
    Keep(page.replayed_lo, SpooledEvent::kReplayedLo, &row.replayed_lo, &row.known);
    Keep(page.replayed_hi, SpooledEvent::kReplayedHi, &row.replayed_hi, &row.known);
    row.line = event.line;
    row.id = static_cast<uint32_t>(Value(event.id) - first_id);
    row.comm = static_cast<uint32_t>(event.comm);
    row.context = static_cast<uint32_t>(event.context);
    row.kind = event.kind;
    row.source = event.source;
    row.layout = event.layout;
    row.flags = static_cast<uint8_t>((event.in_interrupt ? kInInterrupt : 0) | (event.copy ? kCopy : 0));
    row.args_size = static_cast<uint32_t>(event.args.size());
    const char* args = event.args.data();
    row.args_in_file = in_file && args >= text_begin && args + event.args.size() <= text_end;
    if (row.args_in_file) {
      row.args_at = *batch.text_at + static_cast<uint64_t>(args - text_begin);
    } else {
      row.args_at = texts_.size();  // counts from the batch's texts, for now
      texts_ += event.args;
    }
    if (page.pfn) {
      FilterBits bits(Value(*page.pfn));
      pages[bits.first / 64] |= uint64_t{1} << bits.first % 64;
      pages[bits.second / 64] |= uint64_t{1} << bits.second % 64;
    }
  }
  if (!texts_.empty()) {
    uint64_t texts_at = file_.Append(texts_.data(), texts_.size());
    for (SpooledEvent& row : rows_) {
      if (!row.args_in_file) row.args_at += texts_at;
    }
  }
  index_.push_back({.first_id = first_id,
                    .last_id = Value(batch.events.back().id),
                    .at = file_.Append(rows_.data(), rows_.size() * sizeof(SpooledEvent)),
                    .rows = static_cast<uint32_t>(rows_.size())});
  total_ += static_cast<int64_t>(rows_.size());
}

EventSpool::PageFilter& EventSpool::FilterOfNext() {
  constexpr size_t kFilters = 4096;  // 8 MiB
  size_t next = index_.size() / batches_per_filter_;
  if (next == kFilters) {
    for (size_t i = 0; i < kFilters / 2; ++i) {
      std::unique_ptr<PageFilter> both = std::move(filters_[2 * i]);
      for (size_t word = 0; word < both->size(); ++word) (*both)[word] |= (*filters_[2 * i + 1])[word];
      filters_[i] = std::move(both);
    }
    filters_.resize(kFilters / 2);
    batches_per_filter_ *= 2;
    next = kFilters / 2;
  }
  if (next == filters_.size()) filters_.push_back(std::make_unique<PageFilter>());
  return *filters_[next];
}

size_t EventSpool::BatchOf(int64_t id) const {
  auto found = std::partition_point(index_.begin(), index_.end(),
                                    [&](const BatchIndex& batch) { return batch.last_id < id; });
  return static_cast<size_t>(found - index_.begin());
}

bool EventSpool::MayHavePage(size_t batch, uint64_t pfn) const {
  const PageFilter& pages = *filters_[batch / batches_per_filter_];
  FilterBits bits(pfn);
  return (pages[bits.first / 64] >> bits.first % 64 & 1) && (pages[bits.second / 64] >> bits.second % 64 & 1);
}

const SpooledEvent& EventSpool::Read(size_t batch, uint32_t row) {
  if (batch != window_batch_ || row < window_row_ || row - window_row_ >= window_.size()) {
    // Rows are read forward, backward and one by one.
    uint32_t begin = row / kWindowRows * kWindowRows;
    uint32_t count = std::min(kWindowRows, index_[batch].rows - begin);
    window_.resize(count);
    file_.Read(index_[batch].at + uint64_t{begin} * sizeof(SpooledEvent), window_.data(),
               count * sizeof(SpooledEvent));
    window_batch_ = batch;
    window_row_ = begin;
  }
  return window_[row - window_row_];
}

std::string EventSpool::Args(const SpooledEvent& event) const {
  std::string args(event.args_size, '\0');
  if (event.args_in_file) {
    ReadExactly(*text_, event.args_at, args.data(), args.size());
  } else {
    file_.Read(event.args_at, args.data(), args.size());
  }
  if (event.layout != 0) return layouts_.Text(event.layout, args);
  return args;
}

}  // namespace mmreplay
