#include "db/event_spool.h"

#include <algorithm>
#include <limits>

#include "db/trace_store.h"

namespace mmreplay {
namespace {

constexpr uint32_t kWindowRows = 128;

// What a packed row is.
constexpr uint8_t kArgsInFile = 1;
constexpr uint8_t kHasPage = 2;
constexpr uint8_t kWide = 4;  // all of it is elsewhere

constexpr uint16_t kOfPage =
    SpooledEvent::kPfn | SpooledEvent::kLifetime | SpooledEvent::kDelta | SpooledEvent::kReplayed;

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

EventSpool::EventSpool(std::shared_ptr<SeekableFile> text) : text_(std::move(text)) {
  static_assert(sizeof(Packed) == 48 && sizeof(PackedPage) == 20);
}

void EventSpool::KeepArgs(Batch* batch) {
  if (text_ && batch->text_at) return;
  kept_args_.clear();
  for (Event& event : batch->events) {
    std::string_view args = batch->Args(event);
    event.args = {static_cast<uint32_t>(kept_args_.size()), static_cast<uint32_t>(args.size())};
    kept_args_ += args;
  }
  batch->args_at = file_.Append(kept_args_.data(), kept_args_.size());
}

void EventSpool::Write(const Batch& batch, const std::vector<PageResult>& results) {
  if (batch.events.empty()) return;
  packed_.clear();
  pages_.clear();
  wide_.clear();
  texts_.clear();
  PageFilter& filter = FilterOfNext();
  bool in_file = text_ && batch.text_at;
  BatchIndex index{.first_id = Value(batch.events.front().id),
                   .last_id = Value(batch.events.back().id),
                   .first_line = batch.events.front().line,
                   .file_args_at = batch.text_at.value_or(0),
                   .spool_args_at = batch.args_at.value_or(0),
                   .at = 0,
                   .pages_at = 0,
                   .wide_at = 0,
                   .rows = static_cast<uint32_t>(batch.events.size())};
  for (size_t e = 0; e < batch.events.size(); ++e) {
    const Event& event = batch.events[e];
    const PageResult& page = results[e];
    SpooledEvent row{};
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
    row.id = static_cast<uint32_t>(Value(event.id) - index.first_id);
    row.comm = static_cast<uint32_t>(event.comm);
    row.context = static_cast<uint32_t>(event.context);
    row.kind = event.kind;
    row.source = event.source;
    row.layout = event.layout;
    row.flags = static_cast<uint8_t>(FlagsOf(event));
    row.args_size = event.args.size;
    row.args_in_file = in_file && !event.args.is_owned();
    // All count from the batch's own.
    if (row.args_in_file || batch.args_at) {
      row.args_at = event.args.at;
    } else {
      row.args_at = texts_.size();
      texts_ += batch.Args(event);
    }
    Pack(row, index);
    if (page.pfn) {
      FilterBits bits(Value(*page.pfn));
      filter[bits.first / 64] |= uint64_t{1} << bits.first % 64;
      filter[bits.second / 64] |= uint64_t{1} << bits.second % 64;
    }
  }
  auto append = [&](const auto& rows) {
    return rows.empty() ? 0 : file_.Append(rows.data(), rows.size() * sizeof(rows[0]));
  };
  if (!batch.args_at) index.spool_args_at = append(texts_);
  index.at = append(packed_);
  index.pages_at = append(pages_);
  index.wide_at = append(wide_);
  index_.push_back(index);
  total_ += static_cast<int64_t>(batch.events.size());
}

void EventSpool::Pack(const SpooledEvent& row, const BatchIndex& batch) {
  constexpr uint64_t kMost16 = std::numeric_limits<uint16_t>::max();
  constexpr uint64_t kMost32 = std::numeric_limits<uint32_t>::max();
  int64_t line = row.line - batch.first_line;
  bool page = (row.known & kOfPage) != 0;
  bool usual = line >= 0 && row.cpu >= 0 && row.lifetime >= 0 &&
               std::max({static_cast<uint64_t>(line), static_cast<uint64_t>(row.cpu), uint64_t{row.id},
                         uint64_t{row.args_size}, uint64_t{row.context}, uint64_t{row.kind},
                         uint64_t{row.source}, uint64_t{row.layout}}) <= kMost16 &&
               std::max(row.args_at, static_cast<uint64_t>(row.lifetime)) <= kMost32 &&
               (row.known & (SpooledEvent::kReplayedLo | SpooledEvent::kReplayedHi)) == 0;
  Packed& packed = packed_.emplace_back();
  if (!usual) {
    packed.form = kWide;
    packed.other = static_cast<uint32_t>(wide_.size());
    wide_.push_back(row);
    return;
  }
  packed = {.ts = row.ts,
            .args_at = static_cast<uint32_t>(row.args_at),
            .comm = row.comm,
            .pid = row.pid,
            .tgid = row.tgid,
            .other = static_cast<uint32_t>(pages_.size()),
            .line = static_cast<uint16_t>(line),
            .id = static_cast<uint16_t>(row.id),
            .args_size = static_cast<uint16_t>(row.args_size),
            .cpu = static_cast<uint16_t>(row.cpu),
            .context = static_cast<uint16_t>(row.context),
            .kind = static_cast<uint16_t>(row.kind),
            .source = static_cast<uint16_t>(row.source),
            .layout = static_cast<uint16_t>(row.layout),
            .known = row.known,
            .flags = row.flags,
            .form = static_cast<uint8_t>((row.args_in_file ? kArgsInFile : 0) | (page ? kHasPage : 0))};
  if (page)
    pages_.push_back({.pfn_low = static_cast<uint32_t>(row.pfn),
                      .pfn_high = static_cast<uint32_t>(row.pfn >> 32),
                      .lifetime = static_cast<uint32_t>(row.lifetime),
                      .delta = row.delta,
                      .replayed = row.replayed});
}

// With the pages and wide rows from the first one of the window on.
SpooledEvent EventSpool::Unpack(const Packed& packed, const BatchIndex& batch) const {
  SpooledEvent row{};
  if (packed.form & kWide) {
    row = wide_[packed.other - first_wide_];
  } else {
    row.ts = packed.ts;
    row.line = batch.first_line + packed.line;
    row.args_at = packed.args_at;
    row.args_size = packed.args_size;
    row.id = packed.id;
    row.cpu = packed.cpu;
    row.pid = packed.pid;
    row.tgid = packed.tgid;
    row.comm = packed.comm;
    row.context = packed.context;
    row.kind = packed.kind;
    row.source = packed.source;
    row.layout = packed.layout;
    row.known = packed.known;
    row.flags = packed.flags;
    row.args_in_file = (packed.form & kArgsInFile) != 0;
    if (packed.form & kHasPage) {
      const PackedPage& page = pages_[packed.other - first_page_];
      row.pfn = uint64_t{page.pfn_high} << 32 | page.pfn_low;
      row.lifetime = page.lifetime;
      row.delta = page.delta;
      row.replayed = page.replayed;
    }
  }
  row.args_at += row.args_in_file ? batch.file_args_at : batch.spool_args_at;
  return row;
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
    ReadWindow(index_[batch], begin, std::min(kWindowRows, index_[batch].rows - begin));
    window_batch_ = batch;
    window_row_ = begin;
  }
  return window_[row - window_row_];
}

void EventSpool::ReadWindow(const BatchIndex& batch, uint32_t begin, uint32_t count) {
  auto read = [&](uint64_t at, uint64_t first, uint64_t rows, auto* to) {
    to->resize(static_cast<size_t>(rows));
    constexpr size_t kSize = sizeof((*to)[0]);
    if (rows > 0) file_.Read(at + first * kSize, to->data(), to->size() * kSize);
  };
  read(batch.at, begin, count, &packed_);
  // What rows have besides stands in the order of the rows.
  auto read_others = [&](uint8_t form, uint64_t at, uint32_t* first, auto* to) {
    uint32_t rows = 0;
    for (const Packed& packed : packed_) {
      if ((packed.form & form) && rows++ == 0) *first = packed.other;
    }
    read(at, *first, rows, to);
  };
  read_others(kHasPage, batch.pages_at, &first_page_, &pages_);
  read_others(kWide, batch.wide_at, &first_wide_, &wide_);
  window_.clear();
  for (const Packed& packed : packed_) window_.push_back(Unpack(packed, batch));
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
