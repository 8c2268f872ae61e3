// A page of the kernel's ring buffer, as per_cpu/cpu*/trace_pipe_raw gives it and trace-cmd keeps it
// (kernel/trace/ring_buffer.c of 6.1: struct buffer_data_page, rb_read_data_buffer, struct ring_buffer_event;
// the format has been the same since 2.6.31).
//
//   u64 time stamp, unsigned long commit, then so many bytes of
//   u32 head: length in its low 5 bits, nanoseconds since the event before in the others; data
//
// Every length is checked: libtraceevent's kbuffer follows them wherever they lead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mmreplay {

struct RingBufferRecord {
  uint64_t ts = 0;        // of the trace clock
  std::string_view data;  // borrows from the page; rounded up to 4 bytes
};

class RingBufferPage {
 public:
  RingBufferPage() = default;
  // Borrows the bytes of a little-endian machine, whose longs have 4 or 8 of them. There may be less than a
  // page: of it what is there is read.
  RingBufferPage(std::string_view bytes, size_t page_size, size_t long_bytes);

  // Of a page that begins so: head, events and what stands behind them. 0 where there is no head.
  static uint64_t UsedBytes(std::string_view head, size_t long_bytes);

  // False at the end, and where the rest is damaged.
  bool Next(RingBufferRecord* record);

  uint64_t ts() const { return ts_; }  // of the record read last; of the page before the first one
  // Time and size are there, and can be those of a page.
  bool has_head() const { return has_head_; }
  // There is less than its head says.
  bool cut_off() const { return cut_off_; }
  // What was read so far contradicts itself: what stands behind it is lost.
  bool damaged() const { return damaged_; }
  // How many events the kernel lost before the first one; -1: it does not tell how many.
  int64_t lost() const { return lost_; }

 private:
  bool TakeWord(uint32_t* word);
  bool Damaged();

  std::string_view rest_;
  uint64_t ts_ = 0;
  int64_t lost_ = 0;
  bool has_head_ = false;
  bool cut_off_ = false;
  bool damaged_ = false;
};

}  // namespace mmreplay
