// The head of a perf.data file: which events were recorded and how their samples are laid out
// (tools/perf/Documentation/perf.data-file-format.txt, include/uapi/linux/perf_event.h). Numbers of records
// and features are pinned there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "parser/event_layout.h"
#include "parser/input.h"

namespace mmreplay {

enum class PerfRecord : uint32_t {
  kLost = 2,
  kComm = 3,
  kExit = 4,
  kFork = 7,
  kSample = 9,
  kLostSamples = 13,
  // from here on written by perf record, not by the kernel
  kHeaderAttr = 64,
  kTracingData = 66,
  kFinishedRound = 68,
  kAuxTrace = 71,
  kEventUpdate = 78,
  kHeaderFeature = 80,
  kCompressed = 81,
  kCompressed2 = 83,
};

// Bits of sample_type.
namespace perf_sample {
inline constexpr uint64_t kIp = 1 << 0, kTid = 1 << 1, kTime = 1 << 2, kAddr = 1 << 3, kRead = 1 << 4,
                          kCallchain = 1 << 5, kId = 1 << 6, kCpu = 1 << 7, kPeriod = 1 << 8,
                          kStreamId = 1 << 9, kRaw = 1 << 10, kIdentifier = 1 << 16;
}  // namespace perf_sample

struct PerfAttr {
  static constexpr uint32_t kTracepoint = 2;
  uint32_t type = 0;
  uint64_t config = 0;  // of a tracepoint: the id of its format
  uint64_t sample_type = 0;
  uint64_t read_format = 0;
  bool sample_id_all = false;  // other records than samples have an id, time and cpu too
  bool overwrites = false;     // perf record --overwrite (write_backward): only the last events are kept
  std::optional<int32_t> clockid;
  std::string name;  // "kmem:mm_page_free", empty where not known
};

struct PerfHeader {
  // Names of more tasks are not kept: those are unknown, "<...>".
  static constexpr size_t kMostComms = size_t{256} * 1024;

  bool pipe = false;  // written to a pipe: the header's parts are records among the others
  bool big_endian = false;
  bool directory = false;  // the samples are in other files (perf record --threads)
  uint64_t data_offset = 0;
  uint64_t data_end = 0;      // of the file, where the header says more
  uint64_t bytes_behind = 0;  // the last part that the header names
  bool cut_off = false;       // the header says more data than there is, or was never finished
  std::vector<PerfAttr> attrs;
  std::unordered_map<uint64_t, size_t> attr_of_id;
  bool shares_ids = false;  // an id is that of two attrs
  std::unordered_map<uint64_t, EventLayout> layouts;  // by format id
  std::unordered_map<int32_t, std::string> comms;     // saved_cmdlines
  std::optional<std::string> kernel_release;
  std::optional<std::string> machine;
  std::optional<int32_t> cpus;
  bool compressed = false;

  // As trace_clock names it: "mono", "boot"; "perf" where none was chosen.
  std::optional<std::string> Clock() const;
};

// Damage leaves the rest unset; it never throws for what the bytes say.
PerfHeader ReadPerfHeader(const SeekableFile& file);

}  // namespace mmreplay
