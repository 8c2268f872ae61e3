#include "db/interval_spool.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <queue>

namespace mmreplay {
namespace {

constexpr size_t kLoadedBytes = size_t{8} << 20;

constexpr size_t kTextChunk = size_t{64} << 10;
constexpr size_t kTextWindow = size_t{4} << 10;

constexpr size_t kEntriesInPage = 256;
constexpr size_t kEntriesInRun = size_t{1} << 18;  // 6 MiB

}  // namespace

int64_t TextSpool::Add(std::string_view text) {
  auto size = static_cast<uint32_t>(text.size());
  size_t bytes = sizeof size + text.size();
  if (chunk_.size() + bytes > kTextChunk || chunk_.empty()) {
    if (!chunk_.empty()) file_->Write(chunk_at_, chunk_.data(), chunk_.size());
    chunk_.clear();
    chunk_at_ = file_->Reserve(std::max(bytes, kTextChunk));
  }
  uint64_t place = chunk_at_ + chunk_.size();
  chunk_.append(reinterpret_cast<const char*>(&size), sizeof size);
  chunk_.append(text);
  return static_cast<int64_t>(place);
}

std::string_view TextSpool::Read(int64_t place) {
  auto at = static_cast<uint64_t>(place);
  uint32_t size = 0;
  if (!chunk_.empty() && at >= chunk_at_ && at < chunk_at_ + chunk_.size()) {
    std::string_view rest = std::string_view(chunk_).substr(at - chunk_at_);
    std::memcpy(&size, rest.data(), sizeof size);
    return rest.substr(sizeof size, size);
  }
  auto loaded = [&](size_t bytes) { return at >= window_at_ && at + bytes <= window_at_ + window_.size(); };
  auto load = [&](size_t bytes) {
    window_.resize(std::max(bytes, kTextWindow));
    window_.resize(file_->ReadSome(at, window_.data(), window_.size()));
    window_at_ = at;
    if (!loaded(bytes)) file_->Read(at, window_.data(), bytes);  // says what is wrong
  };
  if (!loaded(sizeof size)) load(sizeof size);
  std::memcpy(&size, window_.data() + (at - window_at_), sizeof size);
  if (!loaded(sizeof size + size)) load(sizeof size + size);
  return std::string_view(window_).substr(at - window_at_ + sizeof size, size);
}

IntervalSpool::IntervalSpool(SpoolFile* file, TextSpool* texts, int columns, const std::vector<int>& peaked)
    : file_(file), texts_(texts), columns_(columns), row_cells_(static_cast<size_t>(columns) + 1) {
  for (int column : peaked) peaks_.push_back({.column = column, .of_block = {}});
  size_t blocks = kLoadedBytes / block_bytes();
  size_t power = 1;
  while (power * 2 <= blocks) power *= 2;
  loaded_.resize(power);
}

void IntervalSpool::Replace(Block* block, size_t number) {
  size_t bytes = block_bytes();
  ++replaced_;
  if (block->changed) {
    uint64_t& place = places_[block->number];
    if (place == 0) place = file_->Reserve(bytes) + 1;
    file_->Write(place - 1, block->cells.data(), bytes);
    block->changed = false;
  }
  block->number = SIZE_MAX;
  block->cells.resize(kRowsInBlock * row_cells_);
  if (places_[number] != 0) {
    file_->Read(places_[number] - 1, block->cells.data(), bytes);
  } else {
    std::fill(block->cells.begin(), block->cells.end(), 0);
  }
  block->number = number;
}

void IntervalSpool::StayLoaded(size_t room) {
  if (loaded_.size() >= places_.size() || places_.size() * block_bytes() > room) return;
  size_t power = loaded_.size();
  while (power < places_.size()) power *= 2;
  std::vector<Block> all(power);
  for (Block& block : loaded_) {
    if (block.number != SIZE_MAX) all[block.number] = std::move(block);
  }
  loaded_ = std::move(all);
}

int64_t* IntervalSpool::Place(int64_t id) {
  auto place = static_cast<size_t>(id);
  if (place / kRowsInBlock >= places_.size()) {
    places_.resize(place / kRowsInBlock + 1);
    columns_of_block_.resize(places_.size());
    for (Peaks& peaks : peaks_) peaks.of_block.resize(places_.size(), std::numeric_limits<int64_t>::min());
  }
  Block& block = Load(place / kRowsInBlock);
  block.changed = true;
  last_id_ = std::max(last_id_, id);
  int64_t* cells = &block.cells[place % kRowsInBlock * row_cells_];
  std::fill_n(cells, row_cells_, 0);
  cells[0] = kThere;
  return cells;
}

int64_t IntervalSpool::SkipBelow(int64_t id, int column, int64_t least, bool backward) const {
  for (const Peaks& peaks : peaks_) {
    if (peaks.column != column) continue;
    id = SkipBlocks(id, backward, [&](size_t block) { return peaks.of_block[block] < least; });
  }
  return id;
}

int64_t IntervalSpool::SkipByColumns(int64_t id, int64_t known, int64_t unknown, bool backward) const {
  return SkipBlocks(id, backward, [&](size_t block) {
    const Columns& columns = columns_of_block_[block];
    return (columns.known & known) != known || (columns.unknown & unknown) != unknown;
  });
}

IntervalIndex::IntervalIndex(IntervalSpool* rows, int first, std::optional<int> second)
    : file_(rows->file()) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  std::vector<Entry> entries;
  std::vector<std::pair<uint64_t, size_t>> runs;
  auto end_run = [&] {
    if (entries.empty()) return;
    std::sort(entries.begin(), entries.end());
    runs.emplace_back(file_->Append(entries.data(), entries.size() * sizeof(Entry)), entries.size());
    size_ += entries.size();
    entries.clear();
  };
  for (int64_t id = 0; id <= rows->last_id(); ++id) {
    auto row = rows->Find(id);
    if (!row || !row->Has(first)) continue;
    int64_t beside = !second ? id : row->Has(*second) ? row->Value(*second) : kLeast;
    entries.push_back({row->Value(first), beside, id});
    if (entries.size() == kEntriesInRun) end_run();
  }
  end_run();
  Merge(runs);
}

void IntervalIndex::Merge(const std::vector<std::pair<uint64_t, size_t>>& runs) {
  struct Run {
    uint64_t at;
    size_t left;  // in the file
    std::vector<Entry> entries;
    size_t next = 0;
  };
  std::vector<Run> merged;
  merged.reserve(runs.size());
  for (const auto& [at, size] : runs) merged.push_back({at, size, {}});
  auto fill = [&](Run* run) {
    run->entries.resize(std::min(run->left, kEntriesInPage));
    run->next = 0;
    file_->Read(run->at, run->entries.data(), run->entries.size() * sizeof(Entry));
    run->at += run->entries.size() * sizeof(Entry);
    run->left -= run->entries.size();
  };
  using Head = std::pair<Entry, size_t>;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
  auto advance = [&](size_t r) {
    Run& run = merged[r];
    if (run.next == run.entries.size()) {
      if (run.left == 0) return;
      fill(&run);
    }
    heads.emplace(run.entries[run.next++], r);
  };
  for (size_t r = 0; r < merged.size(); ++r) advance(r);
  bool one = runs.size() == 1;
  at_ = one ? runs[0].first : file_->Reserve(size_ * sizeof(Entry));
  std::vector<Entry> page;
  for (size_t written = 0; !heads.empty();) {
    auto [entry, r] = heads.top();
    heads.pop();
    if (page.empty()) page_firsts_.push_back(entry);
    page.push_back(entry);
    advance(r);
    if (page.size() < kEntriesInPage && !heads.empty()) continue;
    if (!one) file_->Write(at_ + written * sizeof(Entry), page.data(), page.size() * sizeof(Entry));
    written += page.size();
    page.clear();
  }
}

const IntervalIndex::Entry& IntervalIndex::At(size_t position) {
  size_t number = position / kEntriesInPage;
  if (number != page_number_) {
    page_number_ = SIZE_MAX;
    page_.resize(std::min(kEntriesInPage, size_ - number * kEntriesInPage));
    file_->Read(at_ + number * kEntriesInPage * sizeof(Entry), page_.data(), page_.size() * sizeof(Entry));
    page_number_ = number;
  }
  return page_[position % kEntriesInPage];
}

size_t IntervalIndex::LowerBound(int64_t first, int64_t second) {
  Entry wanted{first, second, std::numeric_limits<int64_t>::min()};
  auto page = std::lower_bound(page_firsts_.begin(), page_firsts_.end(), wanted);
  // It may be behind the first of the page before.
  auto number = static_cast<size_t>(page - page_firsts_.begin());
  if (number == 0) return 0;
  size_t begin = (number - 1) * kEntriesInPage;
  At(begin);
  return begin + static_cast<size_t>(std::lower_bound(page_.begin(), page_.end(), wanted) - page_.begin());
}

}  // namespace mmreplay
