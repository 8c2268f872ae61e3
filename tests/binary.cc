#include "tests/binary.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "parser/error.h"
#include "parser/perf_data.h"
#include "parser/trace_dat.h"
#include "tests/same_reading.h"

namespace mmreplay {
namespace {

template <typename Strong>
std::optional<int32_t> Plain(const std::optional<Strong>& value) {
  return value ? std::optional(Value(*value)) : std::nullopt;
}

void ReadAllOf(EventSource* source, const StringTable& strings, BinaryRead* read) {
  Batch batch;
  while (source->Next(&batch)) {
    for (const Event& event : batch.events) {
      CHECK(Value(event.id) == static_cast<int64_t>(read->events.size()) + 1);
      read->events.push_back({.name = std::string(strings.Text(event.name)),
                              .args = std::string(batch.Args(event)),
                              .comm = std::string(strings.Text(event.comm)),
                              .ts = event.ts,
                              .cpu = event.cpu,
                              .pid = Plain(event.pid),
                              .tgid = event.tgid,
                              .line = event.line,
                              .opaque = std::holds_alternative<Opaque>(event.payload)});
    }
    for (const StackFrame& frame : batch.frames)
      read->frames.push_back(std::to_string(Value(frame.event)) + ":" + std::to_string(frame.depth) + " " +
                             std::string(frame.text));
    read->markers.insert(read->markers.end(), batch.markers.begin(), batch.markers.end());
  }
}

std::unique_ptr<EventSource> OpenBinary(const std::string& bytes, StringTable* strings, Decoder* decoder) {
  if (bytes.starts_with("PERFILE2") || bytes.starts_with("2ELIFREP"))
    return std::make_unique<PerfDataReader>(InMemory(bytes), strings, decoder);
  return std::make_unique<TraceDatReader>(InMemory(bytes), strings, decoder);
}

}  // namespace

std::shared_ptr<SeekableFile> InMemory(const std::string& bytes) {
  int fd = memfd_create("recording", MFD_CLOEXEC);
  REQUIRE(fd >= 0);
  for (size_t at = 0; at < bytes.size();) {
    ssize_t wrote = write(fd, bytes.data() + at, bytes.size() - at);
    REQUIRE(wrote > 0);
    at += static_cast<size_t>(wrote);
  }
  return std::make_shared<SeekableFile>(fd, "x.bin");
}

bool BinaryRead::HasIssue(const std::string& kind) const {
  return std::any_of(issues.begin(), issues.end(),
                     [&](const TraceIssue& issue) { return issue.kind == kind; });
}

BinaryRead ReadBinary(const std::string& bytes, const std::string& probes) {
  BinaryRead read;
  StringTable strings;
  Decoder decoder(&strings, ParseProbeDefinitions(probes), std::nullopt);
  try {
    std::unique_ptr<EventSource> source = OpenBinary(bytes, &strings, &decoder);
    ReadAllOf(source.get(), strings, &read);
    read.lines = source->lines();
    read.issues = source->Issues();
    const LineCounts& lines = read.lines;
    CHECK(lines.total ==
          lines.events + lines.comments + lines.continuations + lines.markers + lines.rejected);
    CHECK(lines.events == static_cast<int64_t>(read.events.size()));
  } catch (const Error& error) {
    read.error = error.what();
  }
  auto open = [&](StringTable* own_strings, Decoder* own_decoder) {
    return OpenBinary(bytes, own_strings, own_decoder);
  };
  CHECK(DifferenceOfReadings(open, decoder.probes(), &read.records) == "");
  return read;
}

std::string ExtractMember(const std::string& path, InputFormat format) {
  for (const InputMember& member : OpenInput(path)) {
    if (DetectFormat(member.head) == format) return ReadAll(member, size_t{64} << 20).value();
  }
  FAIL(path + " has no " + std::string(FormatName(format)));
  return {};
}

void CheckDamage(const std::string& bytes, size_t cuts, size_t flips) {
  size_t whole = ReadBinary(bytes).events.size();
  REQUIRE(whole > 0);
  auto check = [&](const std::string& damaged) {
    BinaryRead read = ReadBinary(damaged);
    if (!read.error.empty()) CHECK(read.error.starts_with("x.bin: "));
    // Damage takes events away, or says so.
    if (read.error.empty() && read.events.size() != whole) CHECK_FALSE(read.issues.empty());
  };
  for (size_t i = 0; i < cuts; ++i) {
    size_t length = 16 + (bytes.size() - 16) * i / cuts;
    CAPTURE(length);
    check(bytes.substr(0, length));
  }
  std::mt19937 random(20170403);
  for (size_t i = 0; i < flips; ++i) {
    std::string damaged = bytes;
    CAPTURE(i);
    for (int byte = 0; byte < 8; ++byte) {
      // Half of them in the tables at both ends.
      size_t span = byte % 2 == 0 ? bytes.size() - 16 : std::min<size_t>(bytes.size() - 16, 8192);
      size_t at = random() % span;
      damaged[byte % 4 == 1 ? bytes.size() - 1 - at : 16 + at] = static_cast<char>(random());
    }
    ReadBinary(damaged);
  }
}

std::string PerfRecordBytes(uint32_t type, const std::string& body) {
  return Bytes().Add(type).Add(uint16_t{0}).Add(static_cast<uint16_t>(body.size() + 8)).Add(body).text();
}

std::string PerfPipeHead(uint64_t flags, const std::string& more_fields, const std::string& comms) {
  constexpr uint64_t kSampleType = 1 | 2 | 4 | 0x80 | 0x400;
  Bytes attr;
  attr.Add(uint32_t{2})
      .Add(uint32_t{136})
      .Add(uint64_t{229})
      .Add(uint64_t{1})
      .Add(kSampleType)
      .Add(uint64_t{0});
  attr.Add(flags).Add(std::string(136 - 48, '\0')).Add(uint64_t{11});
  std::string format =
      "name: mm_page_free\nID: 229\nformat:\n"
      "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
      "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
      "\tfield:unsigned long pfn;\toffset:8;\tsize:8;\tsigned:0;\n"
      "\tfield:unsigned int order;\toffset:16;\tsize:4;\tsigned:0;\n" +
      more_fields +
      "\n"
      "print fmt: \"page=%p pfn=0x%lx order=%d\", 0, REC->pfn, REC->order\n";
  Bytes data;
  data.Add(std::string("\x17\x08\x44tracing0.6\0\0\x08", 16)).Add(uint32_t{4096});
  data.Add(std::string("header_page\0", 12))
      .Add(uint64_t{0})
      .Add(std::string("header_event\0", 13))
      .Add(uint64_t{0});
  data.Add(uint32_t{0}).Add(uint32_t{1}).Add(std::string("kmem\0", 5)).Add(uint32_t{1});
  data.Add(uint64_t{format.size()}).Add(format).Add(uint32_t{0}).Add(uint32_t{0});
  data.Add(uint64_t{comms.size()}).Add(comms);
  std::string padded = data.text() + std::string((8 - data.text().size() % 8) % 8, '\0');
  auto size = static_cast<uint32_t>(data.text().size());
  return "PERFILE2" + Bytes().Add(uint64_t{16}).text() + PerfRecordBytes(64, attr.text()) +
         PerfRecordBytes(66, Bytes().Add(size).Add(uint32_t{0}).text().substr(0, 4)) + padded;
}

std::string PerfFreeSample(uint64_t time, uint32_t cpu, uint64_t pfn, int32_t tid) {
  Bytes body;
  body.Add(uint64_t{0xffffffff81000000}).Add(int32_t{60}).Add(tid).Add(time).Add(cpu).Add(uint32_t{0});
  body.Add(uint32_t{24 + 4}).Add(uint32_t{229}).Add(int32_t{69}).Add(pfn).Add(uint32_t{0}).Add(uint64_t{0});
  return PerfRecordBytes(9, body.text());
}

}  // namespace mmreplay
