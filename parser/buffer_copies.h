// Events that were on in several ring buffers (trace-cmd record -B): each buffer has one, and they happened
// once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "parser/event.h"
#include "parser/string_table.h"

namespace mmreplay {

class BufferCopies {
 public:
  // Of arguments as text: the first field, and of a probe's hit where it was.
  static std::string_view SubjectOf(std::string_view args);
  // Of those of a binary record, which begin with the common fields.
  static std::string_view SubjectOfRecord(std::string_view record) { return record.substr(0, 16); }

  // What is told of copies: of which event, and in which buffer the first of them was met ("" is the top
  // one).
  static std::string Note(std::string_view event, std::string_view buffer);

  // Events in the order of the trace. `subject`: what of the arguments says what the event is about; what the
  // probes of each buffer sample for themselves (a page's count) may differ. A cpu writes an event into one
  // buffer after the other: the copies of an event are neighbours there, but for interrupts.
  bool IsCopy(uint32_t buffer, StringId name, int32_t cpu, int32_t pid, std::string_view subject);

 private:
  struct Seen {
    size_t what = 0;  // hash
    uint32_t buffer = 0;
    uint64_t copied_to = 0;  // buffers that had it, too, a bit each
  };
  struct Cpu {
    std::array<Seen, 16> latest;
    size_t next = 0;
  };
  static constexpr size_t kMostCpus = 8192;
  std::unordered_map<int32_t, Cpu> cpus_;
};

}  // namespace mmreplay
