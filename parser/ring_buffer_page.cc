#include "parser/ring_buffer_page.h"

#include <algorithm>
#include <limits>

#include "parser/byte_reader.h"

namespace mmreplay {
namespace {

// RINGBUF_TYPE_*; what is less is the length of the data in words, 0 where a word before them tells it.
enum TypeLength : uint32_t { kPadding = 29, kTimeExtend = 30, kTimeStamp = 31 };

constexpr unsigned kDeltaShift = 27;                      // TS_SHIFT
constexpr uint64_t kStampBits = (uint64_t{1} << 59) - 1;  // ABS_TS_MASK: the others are those of the page
constexpr uint64_t kCommitMask = (uint64_t{1} << 27) - 1;
constexpr uint64_t kMissedEvents = uint64_t{1} << 31;  // RB_MISSED_EVENTS
constexpr uint64_t kUpperHalf = uint64_t{0xffffffff} << 32;
constexpr uint64_t kMissedStored = uint64_t{1} << 30;  // RB_MISSED_STORED: the number is behind the events

constexpr size_t kLeastEvent = 8;  // RB_EVNT_MIN_SIZE

// No two events of a page are a year apart.
constexpr uint64_t kLongestPause = uint64_t{1} << 55;

}  // namespace

RingBufferPage::RingBufferPage(std::string_view bytes, size_t page_size, size_t long_bytes) {
  ByteReader reader(bytes);
  auto read_long = [&] { return long_bytes == 8 ? reader.U64() : uint64_t{reader.U32()}; };
  ts_ = reader.U64();
  uint64_t commit = read_long();
  uint64_t size = commit & kCommitMask;
  // RB_MISSED_EVENTS is negative, and fills the upper half of a long.
  uint64_t others = (commit & ~(kCommitMask | kMissedEvents | kMissedStored)) >> 27;
  bool flags_make_sense = others == 0 || others == kUpperHalf >> 27;
  // The kernel hands out no page without an event. A file that lost its bytes is filled with zeros.
  bool can_be = size >= kLeastEvent && size % 4 == 0 && size <= page_size - sizeof(ts_) - long_bytes;
  has_head_ = reader.ok() && flags_make_sense && can_be;
  damaged_ = !has_head_;
  if (damaged_) return;
  damaged_ = cut_off_ = size > reader.rest().size();
  rest_ = reader.Bytes(std::min<uint64_t>(size, reader.rest().size()));
  if ((commit & kMissedEvents) == 0) return;
  uint64_t missed = (commit & kMissedStored) != 0 ? read_long() : 0;
  bool told = missed > 0 && missed <= uint64_t{std::numeric_limits<int64_t>::max()};
  lost_ = told ? static_cast<int64_t>(missed) : -1;
}

uint64_t RingBufferPage::UsedBytes(std::string_view head, size_t long_bytes) {
  ByteReader reader(head);
  reader.U64();
  uint64_t commit = long_bytes == 8 ? reader.U64() : uint64_t{reader.U32()};
  // Where events were lost, their number stands behind the others.
  return head.empty() ? 0 : sizeof(uint64_t) + long_bytes + (commit & kCommitMask) + long_bytes;
}

bool RingBufferPage::TakeWord(uint32_t* word) {
  if (rest_.size() < sizeof(*word)) return false;
  std::memcpy(word, rest_.data(), sizeof(*word));
  rest_.remove_prefix(sizeof(*word));
  return true;
}

bool RingBufferPage::Damaged() {
  damaged_ = true;
  rest_ = {};
  return false;
}

bool RingBufferPage::Next(RingBufferRecord* record) {
  uint32_t head = 0;
  while (TakeWord(&head)) {
    const uint64_t before = ts_;
    uint32_t type = head & 31;
    uint32_t delta = head >> 5;
    if (type == kPadding && delta == 0) {
      // Where no event fits any more (rb_reset_tail): the rest of the page was never used.
      if (rest_.size() >= kLeastEvent) return Damaged();
      break;
    }
    uint32_t word = 0;
    uint64_t length = uint64_t{type} * 4;
    if (type == 0 || type >= kPadding) {
      if (!TakeWord(&word)) return Damaged();
      length = word;
    }
    switch (type) {
      case kTimeExtend:
        ts_ += (uint64_t{word} << kDeltaShift) + delta;
        length = 0;
        break;
      case kTimeStamp:
        ts_ = (ts_ & ~kStampBits) | (uint64_t{word} << kDeltaShift) | delta;
        length = 0;
        break;
      case kPadding:  // an event that a filter took back: its length counts its first word
        ts_ += delta;
        if (length < 4) return Damaged();
        length -= 4;
        break;
      case 0:
        ts_ += delta;
        if (length <= 4) return Damaged();
        length = (length - 4 + 3) & ~uint64_t{3};
        break;
      default:
        ts_ += delta;
        break;
    }
    bool jumps = ts_ > before && ts_ - before > kLongestPause;
    if (jumps || length > rest_.size()) return Damaged();
    std::string_view data = rest_.substr(0, length);
    rest_.remove_prefix(length);
    if (type >= kPadding) continue;
    *record = {ts_, data};
    return true;
  }
  rest_ = {};
  return false;
}

}  // namespace mmreplay
