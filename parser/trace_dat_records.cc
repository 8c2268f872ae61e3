#include "parser/trace_dat_records.h"

#include <zstd.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "parser/byte_reader.h"
#include "parser/error.h"

namespace mmreplay {
namespace {

// Read at once, of all cpus and of one.
constexpr uint64_t kAtOnce = uint64_t{16} << 20;
constexpr uint64_t kMostAtOnce = uint64_t{256} << 10;

// trace-cmd packs ten pages at a time (PAGES_IN_CHUNK).
constexpr uint32_t kMostOfChunk = uint32_t{4} << 20;
// What chunks of all cpus may take at once.
constexpr uint64_t kMostOfChunks = uint64_t{256} << 20;

constexpr int64_t kNotKnown = -1;  // how many events were lost

// Clocks that are read without a lock may step back a little between two pages (ktime_get_mono_fast_ns); what
// is damaged is wrong by much more.
constexpr uint64_t kStepBack = 1'000'000;  // ns, or ticks

constexpr size_t kPageHeadBytes = 16;  // of a page, at most

}  // namespace

// What one cpu recorded, page by page.
class TraceDatRecords::Bytes {
 public:
  Bytes(const SeekableFile& file, const TraceDatCpu& place, uint64_t at_once, Volume* volume,
        uint64_t* memory)
      : file_(file),
        place_(place),
        at_once_(at_once),
        volume_(volume),
        memory_(memory),
        at_(place.offset),
        end_(place.offset + std::min(place.size, file.size() - std::min(file.size(), place.offset))) {
    if (place.size > end_ - at_) damage_ = "the file is cut off";
    if (!place.packed) return;
    if (auto chunks = Read<uint32_t>(); chunks) {
      chunks_left_ = *chunks;
    } else {
      damage_ = "the file is cut off";
    }
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  // Shorter than a page where the bytes end within it; empty at the end.
  std::string_view NextPage() {
    before_ = page_;
    page_ = next_;
    while (buffer_.size() - page_ < place_.page_size + kPageHeadBytes && Fill()) {
    }
    next_ = page_ + std::min<size_t>(place_.page_size, buffer_.size() - page_);
    return Page();
  }
  std::string_view Page() const {
    return std::string_view(buffer_).substr(page_, next_ - page_);
  }  // it again
  // How the one behind it begins; shorter at the end.
  std::string_view NextHead() const { return std::string_view(buffer_).substr(next_, kPageHeadBytes); }
  // The one before it; empty where there was none.
  std::string_view PageBefore() const { return std::string_view(buffer_).substr(before_, page_ - before_); }

  // Where the page given last stands in the file, or the chunk that its end is packed in.
  uint64_t place_of_page() const { return place_.packed ? chunk_at_ : at_ - (buffer_.size() - page_); }

  // Why it ended before it should have; nullptr where it did not.
  const char* damage() const { return damage_; }

 private:
  template <typename Int>
  std::optional<Int> Read() {
    Int value{};
    if (end_ - at_ < sizeof(value) ||
        file_.ReadAt(at_, reinterpret_cast<char*>(&value), sizeof(value)) != sizeof(value))
      return std::nullopt;
    at_ += sizeof(value);
    return value;
  }

  // More bytes behind those that are there. Of what was given only the page before stays.
  bool Fill() {
    buffer_.erase(0, before_);
    page_ -= before_;
    before_ = 0;
    return place_.packed ? FillFromChunk() : FillFromFile();
  }

  bool FillFromFile() {
    size_t size = static_cast<size_t>(std::min(at_once_, end_ - at_));
    size_t filled = buffer_.size();
    buffer_.resize(filled + size);
    size_t got = file_.ReadAt(at_, buffer_.data() + filled, size);
    buffer_.resize(filled + got);
    at_ += got;
    return got > 0;
  }

  // u32 packed size, u32 size, the packed bytes. The table's size of all of them is what counts.
  bool FillFromChunk() {
    if (at_ == end_) {
      if (chunks_left_ > 0) NoteOnce("packed pieces are missing");
      return false;
    }
    if (chunks_left_ == 0) NoteOnce("there are more packed pieces than there should be");
    chunks_left_ -= chunks_left_ > 0;
    chunk_at_ = at_;
    auto packed_size = Read<uint32_t>();
    auto told = Read<uint32_t>();
    if (!packed_size || !told || *told > kMostOfChunk || *packed_size == 0 || *packed_size > end_ - at_) {
      NoteOnce("it makes no sense how long a packed piece is");
      chunks_left_ = 0;
      at_ = end_;
      return false;
    }
    std::string packed(*packed_size, '\0');
    packed.resize(file_.ReadAt(at_, packed.data(), packed.size()));
    at_ += *packed_size;
    unsigned long long held = ZSTD_getFrameContentSize(packed.data(), packed.size());
    size_t size = *told;
    if (held <= kMostOfChunk && held != size) {
      NoteOnce("it is wrong how long a packed piece is");
      size = static_cast<size_t>(held);
    }
    volume_->TakeIn(*packed_size);
    volume_->GiveOut(size);
    size_t filled = buffer_.size();
    Reserve(filled + size);
    buffer_.resize(filled + size);
    size_t got = ZSTD_decompress(buffer_.data() + filled, size, packed.data(), packed.size());
    if (ZSTD_isError(got)) {
      // Pages that were never written, see RingBufferPage: those behind it are where they should be.
      std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(filled), buffer_.end(), '\0');
    } else {
      buffer_.resize(filled + got);
    }
    if (size == 0 || (!ZSTD_isError(got) && got != size)) NoteOnce("it is wrong how long a packed piece is");
    return true;
  }

  void NoteOnce(const char* damage) {
    if (!damage_) damage_ = damage;
  }

  void Reserve(size_t size) {
    if (size <= buffer_.capacity()) return;
    *memory_ += size - buffer_.capacity();
    if (*memory_ > kMostOfChunks)
      throw Error(file_.name() + ": has packed pieces that take more than " +
                  std::to_string(kMostOfChunks >> 20) + " MiB at once");
    buffer_.reserve(size);
  }

  const SeekableFile& file_;
  const TraceDatCpu& place_;
  uint64_t at_once_;
  Volume* volume_;
  uint64_t* memory_;  // what the chunks of all cpus take
  uint64_t at_;       // what is read next
  uint64_t end_;
  uint64_t chunk_at_ = 0;
  uint32_t chunks_left_ = 0;
  std::string buffer_;
  // Where in the buffer they begin:
  size_t before_ = 0;  // the page before that given last
  size_t page_ = 0;    // the page given last
  size_t next_ = 0;    // the next one
  const char* damage_ = nullptr;
};

struct TraceDatRecords::Cpu {
  Cpu(const SeekableFile& file, const TraceDatCpu& of, size_t number, uint64_t at_once, Volume* volume,
      uint64_t* memory)
      : place(of), index(number), bytes(file, of, at_once, volume, memory) {}

  const TraceDatCpu& place;
  size_t index;
  Bytes bytes;
  RingBufferPage page;
  RingBufferRecord record;
  int64_t lost = 0;      // before the record
  int64_t lost_now = 0;  // since the record
  bool ended = false;
};

TraceDatRecords::TraceDatRecords(const SeekableFile& file, const TraceDatHeader& header)
    : file_(file), header_(header), volume_(file.name()) {
  for (const TraceDatCpu& place : header.cpus) {
    if (place.page_size == 0) continue;  // the header says that it is unknown
    uint64_t share = std::min(kAtOnce / header.cpus.size(), kMostAtOnce);
    uint64_t at_once = std::max<uint64_t>(share / place.page_size, 1) * place.page_size;
    cpus_.push_back(std::make_unique<Cpu>(file, place, cpus_.size(), at_once, &volume_, &chunk_memory_));
    Cpu& cpu = *cpus_.back();
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
    cpu->ended = true;
    cpu->page = RingBufferPage();
    cpu->record.data = {};
    cpu->lost = std::exchange(cpu->lost_now, 0);
    return cpu->lost != 0;
  }
  cpu->lost = std::exchange(cpu->lost_now, 0);
  return true;
}

bool TraceDatRecords::BeginPage(Cpu* cpu) {
  std::string_view bytes = cpu->bytes.NextPage();
  if (bytes.empty()) {
    if (!cpu->bytes.damage()) return false;
    NoteDamage(*cpu, cpu->bytes.damage());
    cpu->lost_now = kNotKnown;
    return false;
  }
  RingBufferPage page(bytes, cpu->place.page_size, header_.long_bytes);
  if (const char* damage = DamageOf(page, *cpu); damage) {
    NoteDamage(*cpu, damage);
    cpu->lost_now = kNotKnown;
    // Where a page is not whole, what is there is.
    bool cut = bytes.size() < cpu->place.page_size;
    if (!cut) page = RingBufferPage();
  }
  cpu->page = page;
  if (page.lost() != 0 && cpu->lost_now != kNotKnown) cpu->lost_now = page.lost();
  return true;
}

// What is wrong with the page that was read last; nullptr: nothing. What contradicts itself anywhere tells
// nothing of time: its stamps add up.
const char* TraceDatRecords::DamageOf(RingBufferPage page, const Cpu& cpu) const {
  const uint64_t begin = page.ts();
  RingBufferRecord last{.ts = begin, .data = {}};
  for (RingBufferRecord record; page.Next(&record);) last = record;
  if (page.damaged()) return "a page does not hold together";
  // A page has the time of the first event that did not fit into the one before it. Behind this one may be
  // itself.
  std::string_view behind = cpu.bytes.NextHead();
  RingBufferPage next(behind, cpu.place.page_size, header_.long_bytes);
  bool in_order = next.has_head() && next.ts() >= begin && !cpu.bytes.Page().starts_with(behind);
  if (in_order && last.ts > next.ts() && last.ts - next.ts() > kStepBack)
    return "a page is later than the one behind it";
  // No cpu records the same twice: this one was written over, or not at all.
  if (cpu.bytes.Page() == cpu.bytes.PageBefore()) return "a page is there twice";
  return nullptr;
}

void TraceDatRecords::NoteDamage(const Cpu& cpu, const char* what) {
  if (damaged_++ > 0) return;
  first_damage_ = "cpu " + std::to_string(cpu.place.cpu) + ", at byte " +
                  std::to_string(cpu.bytes.place_of_page()) + ": " + what;
}

}  // namespace mmreplay
