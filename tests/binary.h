// Binary recordings for tests: files made in memory, damaged on purpose, and read to their end.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "parser/batch.h"
#include "parser/event_source.h"
#include "parser/input.h"

namespace mmreplay {

// A file of these bytes that has no name.
std::shared_ptr<SeekableFile> InMemory(const std::string& bytes);

// Puts little-endian numbers and texts behind each other.
class Bytes {
 public:
  template <typename Int>
  Bytes& Add(Int value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  Bytes& Add(const std::string& text) {
    bytes_ += text;
    return *this;
  }
  const std::string& text() const { return bytes_; }

 private:
  std::string bytes_;
};

// What a binary recording comes out as.
struct BinaryRead {
  struct Line {
    std::string name;
    std::string args;
    std::string comm;
    std::optional<int64_t> ts;
    std::optional<int32_t> cpu;
    std::optional<int32_t> pid;
    std::optional<int32_t> tgid;
    int64_t line;
    bool opaque;
  };
  std::vector<Line> events;
  int64_t records = 0;  // of these, so many can be had as records
  std::vector<LossMarker> markers;
  std::vector<std::string> frames;  // "event:depth text"
  LineCounts lines;
  std::vector<TraceIssue> issues;
  std::string error;  // what was thrown, empty otherwise

  bool HasIssue(const std::string& kind) const;
};

// The file in `bytes`, with the probe definitions beside it. Checks that the sums are exact, and
// that the same comes out with records in the place of texts.
BinaryRead ReadBinary(const std::string& bytes, const std::string& probes = {});

// The member of an archive or folder that has this form.
std::string ExtractMember(const std::string& path, InputFormat format);

// Reads cut and damaged copies of the file: `cuts` lengths, `flips` copies with a few changed bytes each, the
// same ones in every run. What may come out is less, or an error that names the file.
void CheckDamage(const std::string& bytes, size_t cuts, size_t flips);

// Synthetic: a record of a perf.data.
std::string PerfRecordBytes(uint32_t type, const std::string& body);

// Synthetic: what `perf record -o -` writes, for one tracepoint with the id 229 and IP, TID, TIME, CPU and
// RAW. `flags` are those of its perf_event_attr (sample_id_all), `more_fields` stand behind those of its
// format, `comms` are tracefs' saved_cmdlines.
std::string PerfPipeHead(uint64_t flags = uint64_t{1} << 18, const std::string& more_fields = "",
                         const std::string& comms = "69 work\n");
// A sample of it: mm_page_free of a huge page.
std::string PerfFreeSample(uint64_t time, uint32_t cpu, uint64_t pfn, int32_t tid = 69);

}  // namespace mmreplay
