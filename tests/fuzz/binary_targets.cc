// Files of bytes: perf.data, the head of a trace.dat, archives. What libtracecmd reads of a trace.dat is read
// in a process of its own, which may crash; what this process reads of it may not.
#include <unistd.h>

#include <array>
#include <functional>
#include <optional>

#include "parser/bundle.h"
#include "parser/error.h"
#include "parser/perf_data.h"
#include "parser/trace_dat_header.h"
#include "parser/trace_dat_records.h"
#include "tests/fuzz/reading.h"
#include "tests/fuzz/target.h"
#include "tests/same_reading.h"

namespace mmreplay {
namespace {

std::shared_ptr<SeekableFile> InMemory(std::string_view input) {
  return std::make_shared<SeekableFile>(MemoryFile(input), "input");
}

void RunPerfData(std::string_view input) {
  StringTable strings;
  Decoder decoder(&strings, {}, std::nullopt);
  try {
    PerfDataReader reader(InMemory(input), &strings, &decoder);
    ReadToEnd(&reader, Recording(), strings, decoder, false);
  } catch (const Error&) {
    // a sentence about the file
  }
  auto open = [&](StringTable* own_strings, Decoder* own_decoder) {
    return std::make_unique<PerfDataReader>(InMemory(input), own_strings, own_decoder);
  };
  // Some of those the samples were recorded with.
  static const std::vector<ProbeDefinition> probes = ParseProbeDefinitions(
      "p:numa/folio_wait_bit folio_wait_bit folio=%di bit=%si:s32\n"
      "r256:numa/folio_wait_bit_ret folio_wait_bit\n"
      "p:numa/folio_unlock folio_unlock folio=%di\n");
  std::string difference = DifferenceOfReadings(open, probes);
  Require(difference.empty(), difference);
}

// Of all bytes of all records; nullopt where reading ends in a sentence.
std::optional<size_t> SumOfRecords(const SeekableFile& file, const TraceDatHeader& header) {
  size_t sum = 0;
  try {
    TraceDatRecords records(file, header);
    for (TraceDatRecord record; records.Next(&record);) {
      Require(!record.data.empty() || record.lost != 0, "a record has data or tells of a loss");
      sum = sum * 31 + std::hash<std::string_view>()(record.data) + record.ts;
    }
    Require((records.damaged() > 0) == !records.first_damage().empty(), "damage has a place");
  } catch (const Error&) {
    return std::nullopt;
  }
  return sum;
}

void RunTraceDat(std::string_view input) {
  std::shared_ptr<SeekableFile> file = InMemory(input);
  TraceDatHeader header = ReadTraceDatHeader(*file);
  Require(header.dropped_events >= 0, "what was dropped is a number of events");
  Require(SumOfRecords(*file, header) == SumOfRecords(*file, header), "it reads the same twice");
}

// As `analyze FILE` opens it, read to the end of each member.
void RunArchive(std::string_view input) {
  int fd = MemoryFile(input);
  try {
    for (const InputMember& member : OpenInput(PathOf(fd))) {
      Require(member.head.size() <= kHeadBytes, "heads are short");
      constexpr size_t kLimit = size_t{1} << 22;
      std::optional<std::string> text = ReadAll(member, kLimit);
      if (!text) continue;
      Require(text->starts_with(member.head), "a member begins with its head");
      Require(!member.whole || *text == member.head, "a member that is its head has no more");
    }
  } catch (const Error&) {
    // a sentence about the file
  }
  try {
    Recording recording = OpenRecording({.inputs = {PathOf(fd)}, .dmesg = {}, .probes = {}});
    Require(recording.trace_source < recording.sources.size(), "the trace is a source");
  } catch (const Error&) {
  }
  close(fd);
}

constexpr std::array kBinaryTargets = {
    FuzzTarget{"perf_data", false, size_t{128} * 1024, RunPerfData},
    FuzzTarget{"trace_dat", false, size_t{80} * 1024, RunTraceDat},
    FuzzTarget{"archive", false, size_t{32} * 1024, RunArchive},
};

}  // namespace

std::span<const FuzzTarget> BinaryTargets() {
  return kBinaryTargets;
}

}  // namespace mmreplay
