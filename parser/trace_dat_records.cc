#include "parser/trace_dat_records.h"

#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>

#include "parser/compression.h"
#include "parser/error.h"
#include "parser/temporary_file.h"

namespace mmreplay {

// Where what a cpu recorded lies, unpacked.
struct TraceDatArea {
  const SeekableFile* file = nullptr;
  uint64_t offset = 0;
  uint64_t end = 0;
  const char* damage = nullptr;  // why there is less than there should be
};

namespace {

using Area = TraceDatArea;

// Read at once, of all cpus and of one.
constexpr uint64_t kAtOnce = uint64_t{16} << 20;
constexpr uint64_t kMostAtOnce = uint64_t{256} << 10;

// trace-cmd packs ten pages at a time (PAGES_IN_CHUNK).
constexpr uint64_t kPagesInChunk = 10;
constexpr uint64_t kLeastMostOfChunk = uint64_t{4} << 20;

// Pages with little in them may be nearly all zeros.
constexpr uint64_t kUnpackedTimes = 64;

constexpr int64_t kNotKnown = -1;  // how many events were lost

// Clocks that are read without a lock may step back a little between two pages (ktime_get_mono_fast_ns); what
// is damaged is wrong by much more.
constexpr uint64_t kStepBack = 1'000'000;  // ns, or ticks

Area InFile(const SeekableFile& file, const TraceDatCpu& cpu) {
  Area area{.file = &file, .offset = std::min(cpu.offset, file.size()), .end = 0, .damage = nullptr};
  area.end = area.offset + std::min(cpu.size, file.size() - area.offset);
  if (cpu.size > area.end - area.offset) area.damage = "the file is cut off";
  return area;
}

// Unpacks what cpus recorded into a temporary file, as libtracecmd does: a piece may hold 80 MiB, and every
// cpu has one in work.
class Unpacked {
 public:
  explicit Unpacked(const SeekableFile& packed)
      : packed_(packed), name_("temporary file for " + packed.name() + " in " + FolderOfTemporaries()) {}

  // u32 number of pieces, of each: u32 packed size, u32 size, the packed bytes. The table's size of all of
  // them is what counts. The offsets are those in the file that Finish returns.
  Area Add(const TraceDatCpu& cpu) {
    Area in = InFile(packed_, cpu);
    Area out{.file = nullptr, .offset = at_, .end = at_, .damage = in.damage};
    auto note = [&](const char* damage) {
      if (!out.damage) out.damage = damage;
    };
    auto pieces = Read<uint32_t>(&in);
    if (!pieces) note("the file is cut off");
    uint64_t most = std::max(kLeastMostOfChunk, kPagesInChunk * cpu.page_size);
    uint32_t read = 0;
    for (; pieces && in.offset < in.end; ++read) {
      auto packed_size = Read<uint32_t>(&in);
      auto told = Read<uint32_t>(&in);
      if (!packed_size || !told || *told > most || *packed_size == 0 || *packed_size > in.end - in.offset ||
          *packed_size > ZSTD_compressBound(most)) {
        note("it makes no sense how long a packed piece is");
        break;
      }
      piece_.resize(*packed_size);
      piece_.resize(packed_.ReadAt(in.offset, piece_.data(), piece_.size()));
      in.offset += *packed_size;
      unsigned long long held = ZSTD_getFrameContentSize(piece_.data(), piece_.size());
      bool wrong = *told == 0 || (held <= most && held != *told);
      bytes_.assign(held <= most ? static_cast<size_t>(held) : *told, '\0');
      size_t got = ZSTD_decompress(bytes_.data(), bytes_.size(), piece_.data(), piece_.size());
      // What is damaged becomes pages that were never written, see RingBufferPage: those behind it are where
      // they should be.
      if (ZSTD_isError(got)) {
        std::fill(bytes_.begin(), bytes_.end(), '\0');
      } else {
        wrong |= got != bytes_.size();
        bytes_.resize(got);
      }
      if (wrong) note("it is wrong how long a packed piece is");
      Write();
    }
    if (pieces && read < *pieces) note("packed pieces are missing");
    if (pieces && read > *pieces) note("there are more packed pieces than there should be");
    out.end = at_;
    return out;
  }

  std::unique_ptr<SeekableFile> Finish() {
    return fd_ < 0 ? nullptr : std::make_unique<SeekableFile>(std::exchange(fd_, -1), name_);
  }

  ~Unpacked() {
    if (fd_ >= 0) close(fd_);
  }
  Unpacked(const Unpacked&) = delete;
  Unpacked& operator=(const Unpacked&) = delete;

 private:
  template <typename Int>
  std::optional<Int> Read(Area* area) const {
    Int value{};
    if (area->end - area->offset < sizeof(value) ||
        packed_.ReadAt(area->offset, reinterpret_cast<char*>(&value), sizeof(value)) != sizeof(value))
      return std::nullopt;
    area->offset += sizeof(value);
    return value;
  }

  void Write() {
    if (at_ + bytes_.size() > kUnpackedFree + kUnpackedTimes * packed_.size())
      throw Error(packed_.name() + ": unpacks to more than any trace of its size can hold" + kUnpackYourself);
    if (fd_ < 0) fd_ = OpenTemporaryFile(packed_.name());
    WriteAll(fd_, bytes_, name_);
    at_ += bytes_.size();
  }

  const SeekableFile& packed_;
  std::string name_;
  int fd_ = -1;
  uint64_t at_ = 0;
  std::string piece_;
  std::string bytes_;
};

}  // namespace

// What one cpu recorded, page by page: of each page what its head says is used.
class TraceDatPages {
 public:
  TraceDatPages(const TraceDatArea& area, size_t page_size, size_t long_bytes, uint64_t at_once)
      : area_(area), page_size_(page_size), long_bytes_(long_bytes), at_once_(at_once), next_(area.offset) {}

  // Shorter than it says where the file ends within it; empty at the end.
  std::string_view NextPage() {
    page_ = next_;
    next_ = page_ + std::min<uint64_t>(page_size_, area_.end - page_);
    uint64_t used = RingBufferPage::UsedBytes(Get(page_, kPageHeadBytes), long_bytes_);
    std::string_view page = Get(page_, std::min(used, next_ - page_));
    if (page.empty()) std::string().swap(buffer_);
    return page;
  }
  // How the one behind it begins; shorter at the end.
  std::string_view NextHead() {
    uint64_t size = std::min<uint64_t>(kPageHeadBytes, area_.end - next_);
    if (next_ + size <= buffer_at_ + buffer_.size()) return Get(next_, size);
    return {head_.data(), area_.file->ReadAt(next_, head_.data(), static_cast<size_t>(size))};
  }

  uint64_t place_of_page() const { return page_; }

 private:
  static constexpr size_t kPageHeadBytes = 16;

  // Less only at the end.
  std::string_view Get(uint64_t at, uint64_t size) {
    size = std::min(size, area_.end - at);
    if (at + size > buffer_at_ + buffer_.size()) {
      buffer_.resize(static_cast<size_t>(std::min(std::max(size, at_once_), area_.end - at)));
      buffer_.resize(area_.file->ReadAt(at, buffer_.data(), buffer_.size()));
      buffer_at_ = at;
    }
    return std::string_view(buffer_).substr(static_cast<size_t>(at - buffer_at_), static_cast<size_t>(size));
  }

  TraceDatArea area_;
  size_t page_size_;
  size_t long_bytes_;
  uint64_t at_once_;
  uint64_t page_ = 0;  // where the page given last begins
  uint64_t next_;      // where the next one does
  std::string buffer_;
  uint64_t buffer_at_ = 0;
  std::array<char, kPageHeadBytes> head_{};
};

struct TraceDatRecords::Cpu {
  Cpu(const TraceDatCpu& of, size_t number, const TraceDatArea& area, size_t size, size_t long_bytes,
      uint64_t at_once)
      : place(of),
        index(number),
        page_size(size),
        damage(area.damage),
        pages(area, size, long_bytes, at_once) {}

  const TraceDatCpu& place;
  size_t index;
  size_t page_size;
  const char* damage;  // of the area
  TraceDatPages pages;
  RingBufferPage page;
  std::string_view page_bytes;  // all of it
  uint64_t page_begin = 0;
  RingBufferRecord record;
  std::optional<size_t> hash_before;  // of the page before, where its head is this one's
  int64_t lost = 0;                   // before the record
  int64_t lost_now = 0;               // since the record
  std::optional<int64_t> told;        // events, as its statistics tell
  int64_t read = 0;                   // and records so far
  bool losses = false;                // some of its events are known to be missing
  bool ended = false;
};

namespace {

// The time of the last record, or of the page where it has none. Goes to the end.
uint64_t LastStamp(RingBufferPage* page) {
  RingBufferRecord record{.ts = page->ts(), .data = {}};
  while (page->Next(&record)) {
  }
  return record.ts;
}

// How many of the first pages are whole, and of how many.
std::pair<int, int> WholePages(const Area& area, uint32_t page_size, size_t long_bytes) {
  constexpr int kPages = 8;
  TraceDatPages pages(area, page_size, long_bytes, kMostAtOnce);
  int whole = 0;
  int seen = 0;
  for (; seen < kPages; ++seen) {
    std::string_view bytes = pages.NextPage();
    if (bytes.empty()) break;
    RingBufferPage page(bytes, page_size, long_bytes);
    LastStamp(&page);
    whole += !page.damaged();
  }
  return {whole, seen};
}

// Places of a file may tell different sizes of pages: a trace-cmd reads sub-buffers (buffer_subbuf_size_kb)
// page by page, each instance has its own, a number is damaged. What lies there shows it: a size that is too
// large passes over pages, one that is too small makes pages of what is none.
uint32_t PageSizeOf(const Area& area, const TraceDatCpu& cpu, const TraceDatHeader& header) {
  std::vector<uint32_t> sizes = header.page_sizes;
  if (cpu.page_size != 0) sizes.push_back(cpu.page_size);
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  if (sizes.size() <= 1) return sizes.empty() ? 0 : sizes.front();
  uint32_t best = 0;
  std::pair<int, int> of_best;
  for (uint32_t size : sizes) {
    std::pair<int, int> whole = WholePages(area, size, header.long_bytes);
    bool better = best == 0 || whole.first * of_best.second > of_best.first * whole.second;
    if (!better) continue;
    best = size;
    of_best = whole;
  }
  return best;
}

}  // namespace

TraceDatRecords::TraceDatRecords(const SeekableFile& file, const TraceDatHeader& header) : header_(header) {
  std::vector<Area> areas;
  Unpacked unpacked(file);
  for (const TraceDatCpu& place : header.cpus)
    areas.push_back(place.packed ? unpacked.Add(place) : InFile(file, place));
  unpacked_ = unpacked.Finish();
  std::map<uint32_t, uint32_t> page_sizes;  // by buffer
  for (size_t i = 0; i < areas.size(); ++i) {
    const TraceDatCpu& place = header.cpus[i];
    // Where nothing could be unpacked areas are empty, and what is wrong with them is still to be told.
    if (!areas[i].file) areas[i].file = unpacked_ ? unpacked_.get() : &file;
    auto [known, fresh] = page_sizes.try_emplace(place.buffer);
    if (fresh) known->second = PageSizeOf(areas[i], place, header);
    uint32_t page_size = known->second;
    if (page_size == 0) continue;  // the header says that the tables tell none
    uint64_t at_once = std::clamp<uint64_t>(kAtOnce / areas.size(), 4096, kMostAtOnce);
    cpus_.push_back(
        std::make_unique<Cpu>(place, cpus_.size(), areas[i], page_size, header.long_bytes, at_once));
    Cpu& cpu = *cpus_.back();
    auto told = header.counts.find({place.buffer, place.cpu});
    if (told != header.counts.end()) cpu.told = told->second;
    if (Advance(&cpu)) turns_.emplace_back(TimeOf(cpu), cpu.index);
  }
  std::make_heap(turns_.begin(), turns_.end(), std::greater<>());
}

TraceDatRecords::~TraceDatRecords() = default;

uint64_t TraceDatRecords::TimeOf(const Cpu& cpu) const {
  return cpu.record.ts + static_cast<uint64_t>(header_.ts_offset);
}

bool TraceDatRecords::Next(TraceDatRecord* record) {
  bool more = current_ && Advance(current_);
  // A cpu's records follow each other as a rule.
  Turn turn = more ? Turn(TimeOf(*current_), current_->index) : Turn();
  if (!more || (!turns_.empty() && turns_.front() < turn)) {
    if (turns_.empty()) return false;
    if (more) {
      turns_.push_back(turn);
      std::push_heap(turns_.begin(), turns_.end(), std::greater<>());
    }
    std::pop_heap(turns_.begin(), turns_.end(), std::greater<>());
    current_ = cpus_[turns_.back().second].get();
    turns_.pop_back();
  }
  *record = {TimeOf(*current_), current_->place.buffer, current_->place.cpu, current_->lost,
             current_->record.data};
  return true;
}

// To the cpu's next record, or to a loss at its end.
bool TraceDatRecords::Advance(Cpu* cpu) {
  while (!cpu->page.Next(&cpu->record)) {
    if (cpu->ended) return false;
    if (cpu->page.damaged()) cpu->lost_now = kNotKnown;  // cut off: told when it began
    if (BeginPage(cpu)) continue;
    CheckCount(*cpu);
    cpu->ended = true;
    cpu->page = RingBufferPage();
    cpu->record.data = {};
    cpu->lost = std::exchange(cpu->lost_now, 0);
    return cpu->lost != 0;
  }
  ++cpu->read;
  cpu->lost = std::exchange(cpu->lost_now, 0);
  cpu->losses |= cpu->lost != 0;
  return true;
}

// Of a page that lost its end, or of events that took in others, nothing shows but the number. More than a
// page holds were not kept (trace-cmd record -m), or read by somebody else.
void TraceDatRecords::CheckCount(const Cpu& cpu) {
  constexpr size_t kLeastEvent = 12;  // bytes
  if (!cpu.told || cpu.losses || cpu.lost_now != 0 || cpu.read >= *cpu.told) return;
  int64_t missing = *cpu.told - cpu.read;
  if (missing > static_cast<int64_t>(cpu.page_size / kLeastEvent)) return;
  NoteDamage(cpu, std::to_string(missing) + " of its " + std::to_string(*cpu.told) +
                      " events are missing before this");
}

bool TraceDatRecords::BeginPage(Cpu* cpu) {
  LeavePage(*cpu);
  std::string_view bytes = cpu->pages.NextPage();
  if (bytes.empty()) {
    if (!cpu->damage) return false;
    NoteDamage(*cpu, cpu->damage);
    cpu->lost_now = kNotKnown;
    return false;
  }
  RingBufferPage page(bytes, cpu->page_size, header_.long_bytes);
  if (const char* damage = DamageOf(page, bytes, cpu); damage) {
    NoteDamage(*cpu, damage);
    cpu->lost_now = kNotKnown;
    // Where a page is not whole, what is there is.
    if (!page.cut_off()) page = RingBufferPage();
  }
  cpu->page = page;
  if (page.lost() != 0 && cpu->lost_now != kNotKnown) cpu->lost_now = page.lost();
  return true;
}

// What is wrong with the page that was read last; nullptr: nothing. What contradicts itself anywhere tells
// nothing of time: its stamps add up.
const char* TraceDatRecords::DamageOf(RingBufferPage page, std::string_view bytes, Cpu* cpu) {
  const uint64_t begin = page.ts();
  const uint64_t last = LastStamp(&page);
  std::string_view behind = cpu->pages.NextHead();
  bool same_head = bytes.starts_with(behind);
  std::optional<size_t> hash;
  if (cpu->hash_before || same_head) hash = std::hash<std::string_view>()(bytes);
  bool same = hash && std::exchange(cpu->hash_before, same_head ? hash : std::nullopt) == hash;
  if (page.damaged()) return "a page does not hold together";
  // A page has the time of the first event that did not fit into the one before it. Behind this one may be
  // itself.
  RingBufferPage next(behind, cpu->page_size, header_.long_bytes);
  bool in_order = next.has_head() && next.ts() >= begin && !same_head;
  if (in_order && last > next.ts() && last - next.ts() > kStepBack)
    return "a page is later than the one behind it";
  // No cpu records the same twice, unless its clock stands still: this one was written over, or not at all.
  if (same && last > begin) return "a page is there twice";
  if (last > begin && !EnterPage(begin, bytes, cpu)) return "a page of another cpu is there";
  return nullptr;
}

// The cpu is at this page now. False: another one is, too. It was written over a page of one of the two, and
// what that cpu had there is lost.
bool TraceDatRecords::EnterPage(uint64_t begin, std::string_view bytes, Cpu* cpu) {
  cpu->page_bytes = bytes;
  cpu->page_begin = begin;
  auto [other, first] = begun_.try_emplace(begin, cpu->index);
  if (first || cpus_[other->second]->page_bytes != bytes) return true;
  cpus_[other->second]->lost_now = kNotKnown;
  return false;
}

void TraceDatRecords::LeavePage(const Cpu& cpu) {
  auto begun = begun_.find(cpu.page_begin);
  if (begun != begun_.end() && begun->second == cpu.index) begun_.erase(begun);
}

void TraceDatRecords::NoteDamage(const Cpu& cpu, std::string_view what) {
  if (damaged_++ > 0) return;
  first_damage_ = "cpu " + std::to_string(cpu.place.cpu) + ", at byte " +
                  std::to_string(cpu.pages.place_of_page()) +
                  (cpu.place.packed ? " of what is unpacked: " : ": ");
  first_damage_ += what;
}

}  // namespace mmreplay
