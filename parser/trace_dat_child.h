// The half of the trace.dat reader that runs in a process of its own, and what it says to the other half.
// libtracecmd trusts its input: a damaged file may end in a crash, which must end no more than this process.
// It reads what a file says of events, tasks and symbols, and makes time of what TSCs and guests count; the
// pages of the ring buffers are read without it (trace_dat_records.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "parser/input.h"
#include "parser/trace_dat_header.h"

namespace mmreplay {

// On the pipe: u32 size of what follows the type, u8 type, then
enum class TraceDatMessage : uint8_t {
  kKind = 1,          // name of the kind with the next index, from 0
  kEvent = 2,         // the first kTraceDatEventBytes of TraceDatEvent, comm, arguments
  kRecord = 9,        // the same with the record, of the kind's layout, in place of the arguments
  kLayout = 10,       // of the kind told last: PackLayout
  kFrame = 3,         // a frame of the stack the last event is
  kLost = 4,          // i32 cpu, i64 events lost before the next event of the cpu, or -1
  kRejected = 5,      // a record that its format does not describe: text why
  kUnknownType = 12,  // a record of which the file has no format: text its common_type
  kFailed = 6,        // text: the library cannot read the file
  kEnd = 7,           // all has been said
  kUnreadable = 8,    // text: why, with the file's name
  kDamaged = 11,      // i64 places, text: where and what the first one is
};

struct TraceDatEvent {
  uint64_t ts;
  uint32_t kind;
  uint32_t buffer;
  int32_t cpu;
  int32_t pid;
  uint8_t flags;
  uint8_t preempt_count;
  uint8_t comm_length;
};
inline constexpr size_t kTraceDatEventBytes = offsetof(TraceDatEvent, comm_length) + 1;

// The largest record of a ring buffer is a page; as text it may be a few times that.
inline constexpr uint32_t kMaxTraceDatMessage = uint32_t{1} << 19;

// Reads the file and writes messages until the end. Does not return. kRecord and kLayout only with `records`.
[[noreturn]] void RunTraceDatChild(const SeekableFile& file, const TraceDatHeader& header, int pipe,
                                   bool records);

}  // namespace mmreplay
