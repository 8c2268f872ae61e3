// The records of a trace.dat, all buffers and cpus merged by time: the pages of the ring buffers, plain or in
// chunks that are packed with zstd. What is damaged costs no page but its own, and what is missing is told.
// libtracecmd stops at them, runs into what they point at, or passes over them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "parser/input.h"
#include "parser/ring_buffer_page.h"
#include "parser/trace_dat_header.h"

namespace mmreplay {

struct TraceDatRecord {
  uint64_t ts = 0;  // with the file's offset
  uint32_t buffer = 0;
  int32_t cpu = 0;
  int64_t lost = 0;       // events of the cpu before this one; -1: it is not known how many
  std::string_view data;  // until the next one is asked for; empty where only a loss is to be told
};

class TraceDatRecords {
 public:
  // Both must outlive it.
  TraceDatRecords(const SeekableFile& file, const TraceDatHeader& header);
  TraceDatRecords(const TraceDatRecords&) = delete;
  TraceDatRecords& operator=(const TraceDatRecords&) = delete;
  ~TraceDatRecords();

  // The next one by time; at equal times the one of the buffer and cpu that stands first in the file's
  // tables. False at the end. Throws Error where the file cannot be read, and where it unpacks to more than
  // any file of its size can hold.
  bool Next(TraceDatRecord* record);

  // Pages, and ends of cpus, of which something is missing; where the first one is, and what is wrong with
  // it.
  int64_t damaged() const { return damaged_; }
  const std::string& first_damage() const { return first_damage_; }

 private:
  struct Cpu;

  uint64_t TimeOf(const Cpu& cpu) const;
  bool Advance(Cpu* cpu);
  bool BeginPage(Cpu* cpu);
  const char* DamageOf(RingBufferPage page, std::string_view bytes, Cpu* cpu);
  bool EnterPage(uint64_t begin, std::string_view bytes, Cpu* cpu);
  void LeavePage(const Cpu& cpu);
  void CheckCount(const Cpu& cpu);
  void NoteDamage(const Cpu& cpu, std::string_view what);

  const TraceDatHeader& header_;
  std::unique_ptr<SeekableFile> unpacked_;
  std::vector<std::unique_ptr<Cpu>> cpus_;
  using Turn = std::pair<uint64_t, size_t>;     // time, cpu
  std::vector<Turn> turns_;                     // a heap of those whose record is not the next one
  std::unordered_map<uint64_t, size_t> begun_;  // cpus by when the page they are at begins
  Cpu* current_ = nullptr;                      // whose record was given last
  int64_t damaged_ = 0;
  std::string first_damage_;
};

}  // namespace mmreplay
