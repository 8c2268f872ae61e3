#include <catch2/catch.hpp>
#include <cstring>
#include <limits>

#include "parser/perf_header.h"
#include "tests/agreement.h"
#include "tests/analysis.h"
#include "tests/binary.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

std::string PerfData(const std::string& name) {
  return ExtractMember(SampleArchive(name), InputFormat::kPerfData);
}

// The trailer sample_id_all puts behind other records.
std::string SampleId(uint64_t time, uint32_t cpu) {
  return Bytes().Add(int32_t{60}).Add(int32_t{69}).Add(time).Add(cpu).Add(uint32_t{0}).text();
}

std::vector<int64_t> Times(const BinaryRead& read) {
  std::vector<int64_t> times;
  for (const BinaryRead::Line& line : read.events) times.push_back(line.ts.value());
  return times;
}

const std::string kRound = PerfRecordBytes(68, "");

}  // namespace

TEST_CASE("a perf.data holds what perf script prints", "[perf_data]") {
  for (const char* name : {"x86-perf-zstd", "x86-perf-pipe", "x86-perf-lost"})
    CheckAgreement(SampleArchive(name));
}

TEST_CASE("most samples need no text", "[perf_data]") {
  for (const char* name : {"x86-perf-zstd", "x86-perf-pipe", "x86-perf-lost"}) {
    std::string probes = ExtractMember(SampleArchive(name), InputFormat::kProbeDefinitions);
    BinaryRead read = ReadBinary(PerfData(name), probes);
    CAPTURE(name, read.records, read.events.size());
    CHECK(read.records * 10 > static_cast<int64_t>(read.events.size()) * 7);
    // Without definitions the hits of probes are texts.
    CHECK(ReadBinary(PerfData(name)).records < read.records);
  }
}

TEST_CASE("what perf record --overwrite keeps has no beginning", "[perf_data]") {
  constexpr uint64_t kSampleIdAll = uint64_t{1} << 18;
  constexpr uint64_t kWriteBackward = uint64_t{1} << 27;
  for (uint64_t flags : {kSampleIdAll, kSampleIdAll | kWriteBackward}) {
    TemporaryFolder folder;
    Analysis analysis(
        {.inputs = {folder.Write("perf.data", PerfPipeHead(flags) + PerfFreeSample(5607700123, 3, 0x39ed0))},
         .dmesg = {},
         .probes = {}});
    CAPTURE(flags);
    bool backward = (flags & kWriteBackward) != 0;
    CHECK(analysis.Count("SELECT count(*) FROM gaps WHERE cpu = 3 AND from_ts IS NULL") == backward);
    CHECK(analysis.Count("SELECT count(*) FROM trace_issues WHERE kind = 'head may be overwritten'") ==
          backward);
  }
}

TEST_CASE("a sample with its raw fields", "[perf_data]") {
  BinaryRead read = ReadBinary(PerfPipeHead() + PerfFreeSample(5607700123, 3, 0x39ed0));
  REQUIRE(read.error.empty());
  REQUIRE(read.events.size() == 1);
  const BinaryRead::Line& event = read.events[0];
  CHECK(event.name == "mm_page_free");
  CHECK(event.args == "pfn=0x39ed0 order=0");
  CHECK(event.ts == 5607700123);
  CHECK(event.cpu == 3);
  CHECK(event.pid == 69);
  CHECK(event.tgid == 60);
  CHECK(event.comm == "work");
  CHECK(event.line == 3);
  CHECK_FALSE(event.opaque);
  CHECK(read.lines.comments == 2);
}

TEST_CASE("a sample of a time that no clock counts to is rejected", "[perf_data]") {
  constexpr uint64_t kLast = (uint64_t{1} << 63) - 1;
  BinaryRead read =
      ReadBinary(PerfPipeHead() + PerfFreeSample(kLast, 0, 1) + PerfFreeSample(kLast + 1, 0, 2));
  REQUIRE(read.events.size() == 1);
  CHECK(read.events[0].ts == std::numeric_limits<int64_t>::max());
  CHECK(read.lines.rejected == 1);
}

TEST_CASE("records are put in order by time, round by round", "[perf_data]") {
  // Cpu 0's buffer first, then cpu 1's: 10 30 50, 20 40. The next round has older records than the newest so
  // far.
  std::string data = PerfPipeHead();
  for (uint64_t time : {10U, 30U, 50U}) data += PerfFreeSample(time, 0, time);
  for (uint64_t time : {20U, 40U}) data += PerfFreeSample(time, 1, time);
  data += kRound + PerfFreeSample(60, 0, 1) + PerfFreeSample(45, 1, 2) + kRound + PerfFreeSample(55, 1, 3) +
          kRound;
  BinaryRead read = ReadBinary(data);
  CHECK(Times(read) == std::vector<int64_t>{10, 20, 30, 40, 45, 50, 55, 60});
  CHECK(read.issues.empty());
  // Equal times keep the file's order.
  BinaryRead equal = ReadBinary(PerfPipeHead() + PerfFreeSample(10, 1, 1) + PerfFreeSample(10, 0, 2));
  CHECK(equal.events.at(0).args.starts_with("pfn=0x1 "));
}

TEST_CASE("names of tasks at their time", "[perf_data]") {
  Bytes comm, fork;
  comm.Add(int32_t{60}).Add(int32_t{69}).Add(std::string("thp mover\0\0\0\0\0\0\0", 16)).Add(SampleId(20, 0));
  fork.Add(int32_t{60})
      .Add(int32_t{60})
      .Add(int32_t{70})
      .Add(int32_t{69})
      .Add(uint64_t{30})
      .Add(SampleId(30, 0));
  BinaryRead read = ReadBinary(PerfPipeHead() + PerfFreeSample(10, 0, 1) + PerfFreeSample(40, 0, 2) +
                               PerfFreeSample(41, 0, 3, 70) + PerfFreeSample(42, 0, 4, 71) +
                               PerfFreeSample(43, 0, 5, 0) + PerfFreeSample(44, 0, 6, -1) +
                               PerfRecordBytes(7, fork.text()) + PerfRecordBytes(3, comm.text()));
  REQUIRE(read.events.size() == 6);
  CHECK(read.events[0].comm == "work");
  CHECK(read.events[1].comm == "thp mover");
  CHECK(read.events[2].comm == "thp mover");
  CHECK(read.events[3].comm == "<...>");
  CHECK(read.events[4].comm == "swapper");
  CHECK(read.events[5].pid == 69);  // gone for perf; the kernel's record knows
}

TEST_CASE("lost events, where they say it and where they do not", "[perf_data]") {
  std::string lost =
      PerfRecordBytes(2, Bytes().Add(uint64_t{11}).Add(uint64_t{5}).Add(SampleId(15, 3)).text());
  BinaryRead read = ReadBinary(PerfPipeHead() + PerfFreeSample(10, 3, 1) + PerfFreeSample(20, 3, 2) + lost);
  REQUIRE(read.markers.size() == 1);
  CHECK(read.markers[0].cpu == 3);
  CHECK(read.markers[0].lost == 5);
  CHECK(Value(read.markers[0].next_event) == 2);
  CHECK_FALSE(read.HasIssue("events lost somewhere"));

  // perf record's own count at the end has no time and no cpu: any cpu may have lost them.
  std::string anywhere = PerfRecordBytes(13, Bytes().Add(uint64_t{7}).Add(SampleId(0, 0)).text());
  BinaryRead open =
      ReadBinary(PerfPipeHead() + PerfFreeSample(10, 3, 1) + PerfFreeSample(20, 1, 2) + anywhere);
  CHECK(open.HasIssue("events lost somewhere"));
  REQUIRE(open.markers.size() == 2);
  CHECK(open.markers[0].cpu == 1);
  CHECK(open.markers[1].cpu == 3);
  CHECK_FALSE(open.markers[0].lost);
  CHECK(open.lines.markers == 1);

  // It counts those with a place again.
  BinaryRead both = ReadBinary(PerfPipeHead() + PerfFreeSample(10, 3, 1) + PerfFreeSample(20, 1, 2) + lost +
                               PerfRecordBytes(13, Bytes().Add(uint64_t{5}).Add(SampleId(0, 0)).text()));
  CHECK_FALSE(both.HasIssue("events lost somewhere"));
  CHECK(both.markers.size() == 1);
  CHECK(both.lines.markers == 2);
}

TEST_CASE("losses beyond all counting are losses", "[perf_data]") {
  std::string data = PerfPipeHead() + PerfFreeSample(10, 3, 1);
  std::string most = PerfRecordBytes(13, Bytes().Add(~uint64_t{0}).Add(SampleId(0, 0)).text());
  for (int i = 0; i < 65'536; ++i) data += most;  // each counts as 2^48 at most: together 2^64
  BinaryRead read = ReadBinary(data);
  CHECK(read.HasIssue("events lost somewhere"));
  CHECK(read.markers.size() == 1);
}

TEST_CASE("a format that lists the same bytes over and over", "[perf_data]") {
  auto fields = [](size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i)
      text += "\tfield:u8 a" + std::to_string(i) + "[20];\toffset:0;\tsize:20;\tsigned:0;\n";
    return text;
  };
  constexpr uint64_t kFlags = uint64_t{1} << 18;
  BinaryRead few = ReadBinary(PerfPipeHead(kFlags, fields(20)) + PerfFreeSample(10, 3, 1));
  CHECK(few.events.size() == 1);
  BinaryRead many = ReadBinary(PerfPipeHead(kFlags, fields(20'000)) + PerfFreeSample(10, 3, 1));
  CHECK(many.events.empty());
  CHECK(many.lines.rejected == 1);
  CHECK(many.HasIssue("event rejected"));
}

TEST_CASE("a pipe that ends within a round is cut off", "[perf_data]") {
  std::string bytes = ExtractMember(SampleArchive("x86-perf-pipe"), InputFormat::kPerfData);
  CHECK_FALSE(ReadBinary(bytes).HasIssue("damaged"));
  size_t round = bytes.find(std::string("\x44\0\0\0\0\0\x08\0", 8), bytes.size() / 2);
  REQUIRE(round != std::string::npos);
  CHECK(ReadBinary(bytes.substr(0, round)).HasIssue("damaged"));
  CHECK_FALSE(ReadBinary(bytes.substr(0, round + 8)).HasIssue("damaged"));
}

TEST_CASE("a sample whose type is another one's is no comment", "[perf_data]") {
  std::string bytes = ExtractMember(SampleArchive("x86-perf-pipe"), InputFormat::kPerfData);
  BinaryRead whole = ReadBinary(bytes);
  size_t sample = bytes.rfind(std::string("\x09\0\0\0\x01\0\x58\0", 8));
  REQUIRE(sample != std::string::npos);
  // Those that perf writes are among them: COMM, FORK, FINISHED_ROUND.
  for (char type : {'\x49', '\x08', '\x0b', '\x03', '\x07', '\x44', '\x52'}) {
    std::string changed = bytes;
    changed[sample] = type;
    BinaryRead flipped = ReadBinary(changed);
    CAPTURE(type);
    CHECK(flipped.events.size() + 1 == whole.events.size());
    CHECK(flipped.HasIssue("damaged"));
  }
}

TEST_CASE("a sample that takes in the next one is none", "[perf_data]") {
  std::string bytes = ExtractMember(SampleArchive("x86-perf-pipe"), InputFormat::kPerfData);
  BinaryRead whole = ReadBinary(bytes);
  const std::string head("\x09\0\0\0\x01\0\x58\0", 8);
  size_t sample = 0;
  while ((sample = bytes.find(head, sample + 1)) != std::string::npos) {
    if (bytes.compare(sample + 0x58, head.size(), head) == 0) break;
  }
  REQUIRE(sample != std::string::npos);
  bytes[sample + 6] = '\xb0';
  BinaryRead joined = ReadBinary(bytes);
  CHECK(joined.events.size() + 2 == whole.events.size());
  CHECK(joined.HasIssue("event rejected"));
}

// Which of them a sample with that id is of is not known.
TEST_CASE("two events of one id are damage", "[perf_data]") {
  std::string bytes = ExtractMember(SampleArchive("x86-perf-lost"), InputFormat::kPerfData);
  CHECK_FALSE(ReadBinary(bytes).HasIssue("damaged"));
  auto load = [&](size_t at) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
  };
  // The size of the first one's section of ids; the file's head has the size of an attr and the place of all.
  size_t size_at = load(24) + load(16) - 8;
  uint64_t size = load(size_at) * 4;
  for (size_t i = 0; i < 8; ++i) bytes[size_at + i] = static_cast<char>(size >> (8 * i));
  CHECK(ReadBinary(bytes).HasIssue("damaged"));
}

TEST_CASE("a format that has no pfn any more: what its events tell is missing", "[perf_data]") {
  std::string bytes = ExtractMember(SampleArchive("x86-perf-zstd"), InputFormat::kPerfData);
  size_t format = bytes.find("name: mm_page_free\n");
  REQUIRE(format != std::string::npos);
  size_t field = bytes.find(" pfn;", format);
  REQUIRE(field != std::string::npos);
  bytes[field + 3] = 'z';
  TemporaryFolder folder;
  folder.Write("perf.data", bytes);
  folder.Write("kprobe_events",
               ExtractMember(SampleArchive("x86-perf-zstd"), InputFormat::kProbeDefinitions));
  Analysis damaged({.inputs = {folder.path()}, .dmesg = {}, .probes = {}});
  CHECK(
      damaged.Count(
          "SELECT count FROM trace_issues WHERE kind = 'arguments not understood' AND severity = 'error'") ==
      damaged.Count("SELECT count(*) FROM events WHERE name = 'mm_page_free'"));
}

TEST_CASE("probes are placed by their definitions or not at all", "[perf_data]") {
  std::string bytes = ExtractMember(SampleArchive("x86-perf-zstd"), InputFormat::kPerfData);
  auto first = [](const BinaryRead& read) {
    for (const BinaryRead::Line& line : read.events) {
      if (line.name == "folio_unlock") return line.args.substr(0, line.args.find(' '));
    }
    return std::string();
  };
  BinaryRead without = ReadBinary(bytes);
  CHECK(without.HasIssue("probe not placed"));
  CHECK(first(without).starts_with("(ffffffff"));
  std::string probes = ExtractMember(SampleArchive("x86-perf-zstd"), InputFormat::kProbeDefinitions);
  BinaryRead with = ReadBinary(bytes, probes);
  CHECK_FALSE(with.HasIssue("probe not placed"));
  CHECK(first(with) == "(folio_unlock+0x0)");
  // Two functions under one event: which of them was hit is not known.
  BinaryRead two = ReadBinary(bytes, probes + "p:numa/folio_unlock folio_wait_bit\n");
  CHECK(first(two).starts_with("(ffffffff"));
}

TEST_CASE("a perf.data tells kernel, machine and clock", "[perf_data]") {
  TemporaryFolder folder;
  auto open = [&](const std::string& bytes) {
    return OpenRecording({.inputs = {folder.Write("x", bytes)}, .dmesg = {}, .probes = {}});
  };
  Recording packed = open(PerfData("x86-perf-zstd"));
  REQUIRE(packed.kernel_release);
  CHECK(packed.kernel_release->starts_with("6.1."));
  CHECK(packed.machine == "x86_64");
  CHECK(packed.clock == "mono");
  CHECK(open(PerfData("x86-perf-pipe")).clock == "perf");
}

TEST_CASE("perf.data from a pipe into the program", "[perf_data]") {
  TemporaryFolder folder;
  std::string path = folder.Write("perf.data", PerfData("x86-perf-pipe"));
  Run file = Shell("$MMREPLAY analyze " + path);
  Run piped = Shell("cat " + path + " | $MMREPLAY analyze -");
  CHECK(file.exit_code == piped.exit_code);
  CHECK(file.out.substr(0, file.out.find("\ninput: ")) == piped.out.substr(0, piped.out.find("\ninput: ")));
}

TEST_CASE("what cannot be read is named", "[perf_data]") {
  CHECK(ReadBinary("2ELIFREP" + std::string(96, '\0')).error.find("big-endian") != std::string::npos);
  CHECK(ReadBinary("PERFILE2").error.starts_with("x.bin: "));
  // Killed before the end: the header still says that there are no data.
  std::string killed = PerfData("x86-perf-zstd");
  std::memset(killed.data() + 48, 0, 8);
  CHECK(ReadBinary(killed).error.find("killed") != std::string::npos);
  // A record that no record can be.
  BinaryRead damaged =
      ReadBinary(PerfPipeHead() + PerfFreeSample(10, 0, 1) + std::string(8, '\0') + PerfFreeSample(20, 0, 2));
  CHECK(damaged.events.size() == 1);
  CHECK(damaged.HasIssue("damaged"));
  CHECK(damaged.lines.rejected == 1);
  // A sample that ends before its payload does.
  std::string body = PerfFreeSample(20, 0, 2).substr(8);
  BinaryRead shorter =
      ReadBinary(PerfPipeHead() + PerfFreeSample(10, 0, 1) + PerfRecordBytes(9, body.substr(0, 44)));
  CHECK(shorter.events.size() == 1);
  CHECK(shorter.HasIssue("event rejected"));
}

// Synthetic: 65,536 attrs, each with a section of ids that is the whole file. Read for each of them, that is
// 300 GB.
TEST_CASE("sections of ids that overlap are read once", "[perf_data]") {
  constexpr uint64_t kAttrs = 65'536;
  constexpr uint64_t kAttrBytes = 64 + 16;
  constexpr uint64_t kSize = 104 + kAttrs * kAttrBytes;
  Bytes file;
  file.Add(std::string("PERFILE2")).Add(uint64_t{104}).Add(kAttrBytes);
  file.Add(uint64_t{104}).Add(kAttrs * kAttrBytes);  // attrs
  file.Add(kSize).Add(uint64_t{0}).Add(std::string(16 + 32, '\0'));
  for (uint64_t i = 0; i < kAttrs; ++i)
    file.Add(uint32_t{2}).Add(uint32_t{64}).Add(i).Add(std::string(48, '\0')).Add(uint64_t{0}).Add(kSize);
  PerfHeader header = ReadPerfHeader(*InMemory(file.text()));
  CHECK(header.attrs.size() == kAttrs);
  CHECK(header.attrs[7].config == 7);
  CHECK_FALSE(header.attr_of_id.empty());
}

TEST_CASE("records of a kind that perf does not write are damage", "[perf_data]") {
  const std::string sample = PerfFreeSample(10, 0, 0x1000);
  // Kernels and perfs to come may write more kinds; what they are is passed over.
  BinaryRead later = ReadBinary(PerfPipeHead() + sample + PerfRecordBytes(30, "12345678") +
                                PerfRecordBytes(90, "12345678") + sample + kRound);
  CHECK(later.events.size() == 2);
  CHECK_FALSE(later.HasIssue("damaged"));
  for (uint32_t type : {uint32_t{0}, uint32_t{0x0a0a0a0a}}) {
    BinaryRead read =
        ReadBinary(PerfPipeHead() + sample + PerfRecordBytes(type, "12345678") + sample + kRound);
    CHECK(read.events.size() == 2);
    CHECK(read.HasIssue("damaged"));
  }
}

TEST_CASE("no damage takes the reader down", "[perf_data]") {
  for (const char* name : {"x86-perf-zstd", "x86-perf-pipe", "x86-perf-lost"})
    CheckDamage(PerfData(name), 60, 150);
}

TEST_CASE("what stands behind a perf.data is not passed over in silence", "[perf_data]") {
  TemporaryFolder folder;
  REQUIRE(Shell("cd " + folder.path() +
                " && tar xJOf " MMREPLAY_SOURCE_DIR
                "/samples/x86-perf-lost.tar.xz --wildcards '*perf.data' > once && cat once once > twice")
              .exit_code == 0);
  Run once = Shell("$MMREPLAY analyze " + folder.path() + "/once");
  CHECK(once.out.find("behind the end of the recording") == std::string::npos);
  CHECK(once.exit_code == 0);
  Run twice = Shell("$MMREPLAY analyze " + folder.path() + "/twice");
  CHECK(twice.out.find("bytes behind the end of the recording were not read") != std::string::npos);
  CHECK(twice.exit_code == 3);
}

}  // namespace mmreplay
