// What a trace.dat says about the machine and the recording, read from its header and option sections
// (trace-cmd.dat.v6(5), trace-cmd.dat.v7(5)). libtracecmd keeps these to itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "parser/input.h"

namespace mmreplay {

// What one cpu recorded in one buffer: whole pages of the ring buffer.
struct TraceDatCpu {
  uint32_t buffer = 0;  // 0: the top one
  int32_t cpu = 0;
  uint64_t offset = 0;     // in the file
  uint64_t size = 0;       // in the file: of packed ones less than the pages have
  uint32_t page_size = 0;  // as the buffer's table tells; 0: it does not
  bool packed = false;     // in chunks, with zstd
};

struct TraceDatHeader {
  std::string version;               // "6", "7"
  bool big_endian = false;           // of the recorded machine
  std::string compression = "none";  // of version 7
  bool latency = false;              // holds the text of a latency trace instead of events
  std::optional<std::string> uname;  // "Linux (none) 6.1.192 x86_64"
  std::optional<std::string> clock;  // "global"
  std::vector<std::string> buffers;  // names of instances beside the top one
  int64_t dropped_events = 0;        // that found the buffer full, by per_cpu/cpu*/stats
  // How many events of a cpu are in the file, by buffer and cpu: those that were still to be read, and those
  // that had been, when its statistics were taken at the recording's end (kernel/trace/ring_buffer.c:
  // ring_buffer_entries_cpu, ring_buffer_read_events_cpu). What was lost is neither.
  std::map<std::pair<uint32_t, int32_t>, int64_t> counts;
  std::set<std::string> events;  // "kmem:mm_page_free": those with a format, which are those enabled
  bool clocks_differ = false;    // between the buffers
  bool ticks_to_ns = false;      // the file says how to turn TSC ticks into nanoseconds, and the library does
  bool dates = false;            // recorded with --date: stamps are wall-clock time
  bool tables_contradict = false;    // sizes of pages and of what the cpus recorded: events will be missing
  std::vector<TraceDatCpu> cpus;     // buffer by buffer
  std::vector<uint32_t> page_sizes;  // that the file tells in other places: see TraceDatRecords
  size_t long_bytes = 8;             // of the recorded machine
  int64_t ts_offset = 0;             // nanoseconds to add to every stamp (--date, --ts-offset)
  bool library_time = false;         // stamps have to be worked out from what only libtracecmd makes sense of
  uint64_t bytes_behind = 0;         // from the beginning of another trace.dat that stands behind this one
};

// Damage leaves the rest unset; it never throws for what the bytes say.
TraceDatHeader ReadTraceDatHeader(const SeekableFile& file);

}  // namespace mmreplay
