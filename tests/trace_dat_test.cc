#include <catch2/catch.hpp>
#include <cstring>
#include <set>

#include "parser/lines.h"
#include "parser/ring_buffer_page.h"
#include "parser/trace_dat_header.h"
#include "tests/agreement.h"
#include "tests/analysis.h"
#include "tests/binary.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

std::string TraceDat(const std::string& name) {
  return ExtractMember(SampleArchive(name), InputFormat::kTraceDat);
}

// Of a file that keeps none.
std::string WithoutStatistics(std::string bytes) {
  for (size_t at = bytes.find("CPU: "); at != std::string::npos; at = bytes.find("CPU: ", at))
    bytes.replace(at, 3, "Cpu");
  return bytes;
}

// Of x86-dat-v6: cpu 2 alone recorded anything.
struct OneCpu {
  std::string place;  // as the file has it: u64 offset, u64 size
  size_t next_place;  // where that of cpu 3 stands
  size_t pages;       // where its pages begin
};

OneCpu FindOneCpu(const std::string& bytes) {
  TraceDatHeader header = ReadTraceDatHeader(*InMemory(bytes));
  REQUIRE(header.cpus.size() == 1);
  const TraceDatCpu& cpu = header.cpus[0];
  std::string place = Bytes().Add(cpu.offset).Add(cpu.size).text();
  size_t at = bytes.find(place);
  REQUIRE(at != std::string::npos);
  return {.place = place, .next_place = at + place.size(), .pages = static_cast<size_t>(cpu.offset)};
}

}  // namespace

TEST_CASE("a trace.dat holds what trace-cmd report prints", "[trace_dat]") {
  for (const char* name :
       {"x86-dat-fired", "x86-dat-3.3", "arm64-dat", "x86-dat-buffers", "x86-dat-lost", "x86-dat-v6"})
    CheckAgreement(SampleArchive(name));
}

TEST_CASE("raw fields, and probes by the file's own symbols", "[trace_dat]") {
  BinaryRead read = ReadBinary(TraceDat("x86-dat-fired"));
  CHECK(read.error.empty());
  std::map<std::string, BinaryRead::Line> first;
  for (const BinaryRead::Line& line : read.events) first.emplace(line.name, line);
  CHECK(first["mm_page_free"].args.starts_with("pfn=0x"));
  CHECK(first["mm_page_free"].args.find(" order=") != std::string::npos);
  CHECK(first["folio_wait_bit"].args == "(folio_wait_bit+0x0/0x20) folio=0xffffea00010e0000 bit=0");
  CHECK(first["folio_wait_bit_ret"].args == "(unref_wait_on_locked+0x1d7/0x2a0 <- folio_wait_bit)");
  for (const char* name :
       {"mm_page_free", "mm_page_alloc", "page_ref_mod", "page_ref_mod_and_test", "sched_switch",
        "sched_waking", "mm_migrate_pages", "set_migration_pmd", "folio_wait_bit", "folio_wait_bit_ret"}) {
    CAPTURE(name);
    REQUIRE(first.contains(name));
    CHECK_FALSE(first[name].opaque);
  }
}

TEST_CASE("events recorded in two buffers are stored twice and replayed once", "[trace_dat]") {
  BinaryRead read = ReadBinary(TraceDat("x86-dat-buffers"));
  CHECK(read.HasIssue("event in two buffers"));
  int64_t replayed = 0, copies = 0;
  for (const BinaryRead::Line& line : read.events) {
    if (line.name == "mm_page_free") ++(line.opaque ? copies : replayed);
  }
  CHECK(copies > 0);
  CHECK(copies == replayed);
  // page_ref events are in one buffer only.
  for (const BinaryRead::Line& line : read.events) {
    if (line.name == "page_ref_mod") CHECK_FALSE(line.opaque);
  }
}

TEST_CASE("lost events keep their cpu, their place and their number", "[trace_dat]") {
  BinaryRead read = ReadBinary(TraceDat("x86-dat-lost"));
  CHECK(read.lines.markers == static_cast<int64_t>(read.markers.size()));
  REQUIRE(read.markers.size() == 3);
  for (const LossMarker& marker : read.markers) {
    auto next = static_cast<size_t>(Value(marker.next_event)) - 1;
    REQUIRE(next < read.events.size());
    CHECK(read.events[next].cpu == marker.cpu);
  }
}

TEST_CASE("stacks belong to the event before them", "[trace_dat]") {
  BinaryRead read = ReadBinary(TraceDat("x86-dat-v6"));
  CHECK(read.lines.rejected == 0);
  REQUIRE(read.events.size() > 2);
  CHECK(read.events[0].name == "mm_page_free");
  CHECK(read.events[1].name == "kernel_stack");
  REQUIRE(!read.frames.empty());
  CHECK(read.frames[0].starts_with("1:0 "));
}

TEST_CASE("most events of a trace.dat need no text", "[trace_dat]") {
  for (const char* name : {"x86-dat-fired", "arm64-dat", "x86-dat-buffers", "x86-dat-lost"}) {
    BinaryRead read = ReadBinary(TraceDat(name));
    CAPTURE(name, read.records, read.events.size());
    CHECK(read.records * 2 > static_cast<int64_t>(read.events.size()));
  }
}

TEST_CASE("tables that leave events out are told", "[trace_dat]") {
  std::string bytes = TraceDat("x86-dat-fired");
  REQUIRE_FALSE(ReadBinary(bytes).HasIssue("damaged"));
  constexpr size_t kPageSize = 14;  // behind the magic, "7", byte order and size of a long
  std::string pages = bytes;
  pages[kPageSize + 3] = 1;  // 4096 + 2^24
  // Other places of the file tell it, too, and what lies there shows which is right.
  CHECK(ReadBinary(pages).events.size() == ReadBinary(bytes).events.size());
  // A file written by a trace-cmd of 32 bits, of a kernel of 64.
  std::string longs = bytes;
  REQUIRE(longs[kPageSize - 1] == 8);
  longs[kPageSize - 1] = 4;
  CHECK(ReadBinary(longs).events.size() == ReadBinary(bytes).events.size());
  CHECK_FALSE(ReadBinary(longs).HasIssue("damaged"));
  // The buffer's clock, page size and number of cpus.
  const std::string buffer = std::string("global\0", 7) + Bytes().Add(uint32_t{4096}).Add(uint32_t{4}).text();
  size_t at = bytes.find(buffer);
  REQUIRE(at != std::string::npos);
  std::string cpus = bytes;
  cpus[at + buffer.size() - 4] = 3;
  BinaryRead three = ReadBinary(cpus);
  CHECK(three.events.size() < ReadBinary(bytes).events.size());
  CHECK(three.HasIssue("damaged"));
  // A buffer that recorded nothing lists no cpu.
  cpus[at + buffer.size() - 4] = 0;
  CHECK_FALSE(ReadTraceDatHeader(*InMemory(WithoutStatistics(cpus))).tables_contradict);
}

// Synthetic: the option that names trace-cmd's version gives way to another one.
TEST_CASE("a file's own options move its stamps", "[trace_dat]") {
  const std::string bytes = TraceDat("x86-dat-v6");
  const BinaryRead whole = ReadBinary(bytes);
  REQUIRE_FALSE(whole.events.empty());
  size_t version = bytes.find(std::string("\x09\0", 2) + std::string("\x15\0\0\0", 4));
  REQUIRE(version != std::string::npos);
  auto with_option = [&](char id, std::string data) {
    std::string changed = bytes;
    data.resize(0x15);
    changed[version] = id;
    changed.replace(version + 6, data.size(), data);
    return ReadBinary(changed);
  };
  struct Case {
    const char* name;
    char id;
    std::string data;
    int64_t offset;
  };
  for (const Case& one :
       {Case{"--ts-offset", 7, "5000000000", 5'000'000'000}, Case{"back", 7, "-1000000", -1'000'000},
        Case{"--date, in microseconds", 1, "0x10", 16'000}}) {
    CAPTURE(one.name);
    BinaryRead moved = with_option(one.id, one.data);
    REQUIRE(moved.events.size() == whole.events.size());
    for (size_t i = 0; i < moved.events.size(); ++i)
      CHECK(moved.events[i].ts.value() == whole.events[i].ts.value() + one.offset);
  }
  // Ticks to nanoseconds: multiplied by 2^20, shifted by 21. What only the library makes sense of it reads.
  BinaryRead halved =
      with_option(14, Bytes().Add(uint32_t{1} << 20).Add(uint32_t{21}).Add(uint64_t{0}).text());
  REQUIRE(halved.events.size() == whole.events.size());
  for (size_t i = 0; i < halved.events.size(); ++i) {
    CHECK(halved.events[i].ts.value() == whole.events[i].ts.value() / 2);
    CHECK(halved.events[i].args == whole.events[i].args);
  }
}

TEST_CASE("a page that is damaged is told, and costs no other page", "[trace_dat]") {
  const std::string bytes = TraceDat("x86-dat-v6");
  constexpr size_t kPage = 4096;
  const size_t first = bytes.size() - 3 * kPage;  // cpu 2 alone recorded anything
  const BinaryRead whole = ReadBinary(bytes);
  REQUIRE_FALSE(whole.HasIssue("damaged pages"));
  REQUIRE(whole.markers.empty());
  const std::string page_0 = bytes.substr(first, kPage);
  const std::string page_1 = bytes.substr(first + kPage, kPage);
  struct Case {
    const char* name;
    std::string page;  // in the place of the second one
  };
  std::string zero_sector = page_1;
  zero_sector.replace(1024, 512, 512, '\0');
  std::string random_head = page_1;
  random_head.replace(8, 8, "\x13\x5b\x9a\x07\x44\x21\x80\x1f");
  std::string no_events = page_1;
  no_events.replace(8, 8, 8, '\0');
  // The first event's stamp, by 2^26 ns: the page's last one is later than the page behind it.
  std::string late = page_1;
  late[16 + 3] = static_cast<char>(late[16 + 3] ^ 0x80);
  for (const Case& damage :
       {Case{"zeros", std::string(kPage, '\0')}, Case{"ones", std::string(kPage, '\xff')},
        Case{"text", std::string(kPage, 't')}, Case{"the page before", page_0},
        Case{"another head", random_head}, Case{"no events", no_events}, Case{"zeros within", zero_sector},
        Case{"late", late}}) {
    CAPTURE(damage.name);
    std::string damaged = bytes;
    damaged.replace(first + kPage, kPage, damage.page);
    BinaryRead read = ReadBinary(damaged);
    CHECK(read.HasIssue("damaged pages"));
    // The verdicts know that events are missing.
    REQUIRE(read.markers.size() == 1);
    CHECK(read.markers[0].cpu == 2);
    CHECK_FALSE(read.markers[0].lost);
    CHECK(read.events.size() > whole.events.size() / 2);
    CHECK(read.events.size() < whole.events.size());
    auto before_damage = static_cast<size_t>(read.markers[0].next_event) - 1;
    size_t missing = whole.events.size() - read.events.size();
    for (size_t i = 0; i < read.events.size(); ++i)
      CHECK(read.events[i].args == whole.events[i < before_damage ? i : i + missing].args);
  }
}

// Of events whose loss shows nowhere else.
TEST_CASE("events that a cpu's statistics tell of, and are not there, are missing", "[trace_dat]") {
  const std::string bytes = TraceDat("x86-dat-v6");
  const BinaryRead whole = ReadBinary(bytes);
  const OneCpu cpu = FindOneCpu(bytes);
  REQUIRE(whole.events.size() == 148);
  auto told = [&](const std::string& from, const std::string& to) {
    std::string changed = bytes;
    size_t at = changed.find(from);
    REQUIRE(at != std::string::npos);
    return ReadBinary(changed.replace(at, from.size(), to));
  };
  SECTION("a page is told to end behind its tenth event") {
    constexpr size_t kPage = 4096;
    constexpr size_t kHead = 16;
    std::string_view page = std::string_view(bytes).substr(cpu.pages + kPage, kPage);
    RingBufferPage events(page, kPage, 8);
    RingBufferRecord record;
    for (int i = 0; i < 10; ++i) REQUIRE(events.Next(&record));
    auto used = static_cast<uint64_t>(record.data.data() + record.data.size() - page.data()) - kHead;
    std::string cut = bytes;
    cut.replace(cpu.pages + kPage + 8, 8, Bytes().Add(used).text());
    BinaryRead read = ReadBinary(cut);
    CHECK(read.HasIssue("damaged pages"));
    CHECK(read.events.size() < whole.events.size());
  }
  SECTION("one more was read") {
    BinaryRead read = told("read events: 148", "read events: 149");
    CHECK(read.HasIssue("damaged pages"));
    CHECK(read.events.size() == whole.events.size());
  }
  SECTION("the first pages were not kept") {
    BinaryRead read = told("read events: 148", "read events: 948");
    CHECK_FALSE(read.HasIssue("damaged pages"));
    CHECK(read.markers.empty());
  }
  SECTION("tracing went on when they were taken") {
    CHECK_FALSE(told("read events: 148", "read events: 103").HasIssue("damaged pages"));
    CHECK_FALSE(told("read events: 148", "read events: 14?").HasIssue("damaged pages"));
  }
  SECTION("of a cpu nothing is there") {
    CHECK(told("CPU: 3\nentries: 0", "CPU: 3\nentries: 5").HasIssue("damaged"));
    CHECK_FALSE(told("CPU: 3\nentries: 0", "CPU: 3\nentries:  0").HasIssue("damaged"));
  }
}

TEST_CASE("statistics are those of a buffer", "[trace_dat]") {
  std::string bytes = TraceDat("x86-dat-buffers");
  REQUIRE_FALSE(ReadBinary(bytes).HasIssue("damaged pages"));
  // In the top buffer cpu 2 has 930 events, in the other one 497 and 1111.
  size_t refs = bytes.find("\nBuffer: refs\n");
  REQUIRE(refs != std::string::npos);
  SECTION("another name") {
    bytes[refs + 9] = 'R';
    CHECK_FALSE(ReadBinary(bytes).HasIssue("damaged pages"));
  }
  SECTION("another number") {
    size_t at = bytes.find("read events: 1111", refs);
    REQUIRE(at != std::string::npos);
    bytes[at + 16] = '2';
    CHECK(ReadBinary(bytes).HasIssue("damaged pages"));
  }
}

TEST_CASE("a page that two cpus have was written over one of theirs", "[trace_dat]") {
  const std::string bytes = TraceDat("x86-dat-v6");
  constexpr size_t kPage = 4096;
  const BinaryRead whole = ReadBinary(bytes);
  const OneCpu cpu = FindOneCpu(bytes);
  for (size_t page : {size_t{0}, size_t{1}, size_t{2}}) {
    std::string copy = bytes.substr(cpu.pages + page * kPage, kPage);
    std::string two = bytes;
    two.replace(cpu.next_place, cpu.place.size(),
                Bytes().Add(uint64_t{bytes.size()}).Add(uint64_t{kPage}).text());
    BinaryRead read = ReadBinary(two + copy);
    CAPTURE(page, read.markers.size());
    CHECK(read.HasIssue("damaged pages"));
    CHECK(read.events.size() == whole.events.size());
    std::set<int32_t> cpus;
    for (const auto& marker : read.markers) cpus.insert(marker.cpu);
    CHECK(cpus == std::set<int32_t>{2, 3});
    // Another one may begin at the same time.
    copy[28] = static_cast<char>(copy[28] ^ 1);  // the first field of the first event
    BinaryRead other = ReadBinary(two + copy);
    CHECK_FALSE(other.HasIssue("damaged pages"));
    CHECK(other.events.size() > whole.events.size());
    CHECK(other.markers.empty());
  }
}

TEST_CASE("of a trace.dat that is cut off comes what is there", "[trace_dat]") {
  const std::string bytes = TraceDat("x86-dat-v6");
  const BinaryRead whole = ReadBinary(bytes);
  size_t most = 0;
  for (size_t cut : {size_t{1}, size_t{4000}, size_t{4096}, size_t{6000}, size_t{12288}}) {
    CAPTURE(cut);
    BinaryRead read = ReadBinary(bytes.substr(0, bytes.size() - cut));
    CHECK(read.HasIssue("damaged pages"));
    CHECK(read.error.empty());
    CHECK(read.events.size() <= whole.events.size());
    CHECK((most == 0 || read.events.size() <= most));
    most = read.events.size();
    for (size_t i = 0; i < read.events.size(); ++i) CHECK(read.events[i].args == whole.events[i].args);
  }
  CHECK(ReadBinary(bytes.substr(0, bytes.size() - 4096)).events.size() > whole.events.size() / 3);
}

TEST_CASE("a packed piece that is damaged costs no other piece", "[trace_dat]") {
  const std::string bytes = TraceDat("x86-dat-fired");
  const BinaryRead whole = ReadBinary(bytes);
  std::map<int32_t, size_t> of_cpu;
  for (const BinaryRead::Line& event : whole.events) ++of_cpu[event.cpu.value()];
  TraceDatHeader header = ReadTraceDatHeader(*InMemory(bytes));
  REQUIRE(header.cpus.size() == 4);
  for (const TraceDatCpu& cpu : header.cpus) {
    CAPTURE(cpu.cpu);
    REQUIRE(cpu.packed);
    std::string damaged = bytes;
    char& byte = damaged[cpu.offset + 4 + 8 + 20];
    byte = static_cast<char>(byte ^ 0x55);  // behind the number of pieces, and the sizes of the first one
    BinaryRead read = ReadBinary(damaged);
    CHECK(read.HasIssue("damaged pages"));
    std::map<int32_t, size_t> left;
    for (const BinaryRead::Line& event : read.events) ++left[event.cpu.value()];
    for (const auto& [number, events] : of_cpu) CHECK((left[number] == events) == (number != cpu.cpu));
  }
}

TEST_CASE("sizes of pages that contradict each other are decided by what lies there", "[trace_dat]") {
  const std::string bytes = TraceDat("x86-dat-v6");
  const BinaryRead whole = ReadBinary(bytes);
  const std::string told = "size:4080;";
  size_t at = bytes.find(told);
  REQUIRE(at != std::string::npos);
  for (const char* size : {"size:8176;", "size:1008;"}) {  // sub-buffers of two pages; no size of a page
    CAPTURE(size);
    std::string changed = bytes;
    changed.replace(at, told.size(), size);
    BinaryRead read = ReadBinary(changed);
    CHECK(read.events.size() == whole.events.size());
    CHECK_FALSE(read.HasIssue("damaged"));
    CHECK_FALSE(read.HasIssue("damaged pages"));
  }
}

// Synthetic: two like pages of a clock that stands still, as jiffies do.
TEST_CASE("a page like the one before it is no copy where the clock stood still", "[trace_dat]") {
  std::string bytes = TraceDat("x86-dat-v6");
  const BinaryRead whole = ReadBinary(bytes);
  constexpr size_t kPage = 4096;
  const size_t first = bytes.size() - 3 * kPage;
  // The events of the first page, of one moment.
  std::string page = bytes.substr(first, kPage);
  uint64_t used = 0;
  std::memcpy(&used, page.data() + 8, sizeof(used));
  for (size_t at = 16; at < 16 + (used & 0xfffff);) {
    uint32_t head = 0;
    std::memcpy(&head, page.data() + at, sizeof(head));
    REQUIRE((head & 31) <= 28);
    head &= 31;
    std::memcpy(page.data() + at, &head, sizeof(head));
    at += sizeof(head);
    if (head > 0) {
      at += head * 4;
    } else {  // its length stands behind it, and counts itself
      std::memcpy(&head, page.data() + at, sizeof(head));
      at += (head + 3) / 4 * 4;
    }
  }
  bytes.replace(first, 2 * kPage, page + page);
  BinaryRead read = ReadBinary(WithoutStatistics(bytes));
  CHECK_FALSE(read.HasIssue("damaged pages"));
  CHECK(read.markers.empty());
}

TEST_CASE("packed pieces of which none can be unpacked are told", "[trace_dat]") {
  std::string bytes = TraceDat("x86-dat-fired");
  for (const TraceDatCpu& cpu : ReadTraceDatHeader(*InMemory(bytes)).cpus) {
    REQUIRE(cpu.packed);
    bytes.replace(cpu.offset, 16, 16, '\0');  // their number, and the sizes of the first one
  }
  BinaryRead read = ReadBinary(bytes);
  CHECK(read.events.empty());
  CHECK(read.HasIssue("damaged pages"));
}

TEST_CASE("of areas that overlap each byte is read once", "[trace_dat]") {
  std::string bytes = TraceDat("x86-dat-v6");
  const BinaryRead whole = ReadBinary(bytes);
  const OneCpu cpu = FindOneCpu(bytes);
  bytes.replace(cpu.next_place, cpu.place.size(), cpu.place);
  BinaryRead twice = ReadBinary(bytes);
  CHECK(twice.HasIssue("damaged"));
  CHECK(twice.events.size() == whole.events.size());
}

TEST_CASE("a trace.dat behind a trace.dat is told, and not read", "[trace_dat]") {
  for (const char* name : {"x86-dat-v6", "x86-dat-fired", "arm64-dat", "x86-dat-buffers", "x86-dat-lost"}) {
    CAPTURE(name);
    std::string bytes = TraceDat(name);
    BinaryRead alone = ReadBinary(bytes);
    BinaryRead two = ReadBinary(bytes + bytes);
    CHECK_FALSE(alone.HasIssue("damaged"));
    CHECK(two.HasIssue("damaged"));
    CHECK(two.events.size() == alone.events.size());
    // What is no recording may be the file's own.
    CHECK_FALSE(ReadBinary(bytes + std::string(4096, '\0')).HasIssue("damaged"));
  }
}

TEST_CASE("a trace.dat tells kernel, machine and clock", "[trace_dat]") {
  TemporaryFolder folder;
  std::string path = folder.Write("renamed.bin", TraceDat("x86-dat-fired"));
  Recording recording = OpenRecording({.inputs = {path}, .dmesg = {}, .probes = {}});
  CHECK(recording.kernel_release == "6.1.192-lab");
  CHECK(recording.machine == "x86_64");
  CHECK(recording.clock == "global");
}

TEST_CASE("a probe that was defined and not recorded is no evidence", "[trace_dat]") {
  // The folder has kprobe_events with a probe on folio_wait_bit; this recording did not enable it.
  Recording without = OpenRecording({.inputs = {SampleArchive("x86-dat-v6")}, .dmesg = {}, .probes = {}});
  CHECK(without.probes.empty());
  Recording with = OpenRecording({.inputs = {SampleArchive("x86-dat-fired")}, .dmesg = {}, .probes = {}});
  CHECK(with.probes.size() >= 7);
}

TEST_CASE("trace.dat through standard input, packed, and from a pipe", "[trace_dat]") {
  TemporaryFolder folder;
  std::string path = folder.Write("trace.dat", TraceDat("x86-dat-fired"));
  Run file = Shell("$MMREPLAY analyze " + path);
  CHECK(file.exit_code == 1);
  // All but the name of the input.
  auto nameless = [](const std::string& report) {
    std::string text;
    ForEachLine(report, [&](std::string_view line) {
      if (!line.starts_with("input: ") && !line.ends_with(":")) text.append(line).append("\n");
    });
    return text;
  };
  auto same = [&](const Run& run) {
    CAPTURE(run.err);
    CHECK(run.exit_code == 1);
    CHECK(nameless(run.out) == nameless(file.out));
  };
  same(Shell("$MMREPLAY analyze - < " + path));
  same(Shell("cat " + path + " | $MMREPLAY analyze -"));
  same(Shell("xz -k " + path + " && $MMREPLAY analyze " + path + ".xz"));
  same(Shell("gzip -c " + path + " | $MMREPLAY analyze -"));
  // Nothing is left behind.
  CHECK(Shell("TMPDIR=" + folder.path() + " sh -c 'cat " + path + " | $MMREPLAY analyze - >/dev/null; ls " +
              folder.path() + "'")
            .out == "trace.dat\ntrace.dat.xz\n");
}

TEST_CASE("a damaged trace.dat ends in a sentence that names it", "[trace_dat]") {
  std::string bytes = TraceDat("x86-dat-fired");
  CHECK(ReadBinary(bytes.substr(0, 5000)).error.starts_with("x.bin: the file is damaged or cut off"));
  CHECK(ReadBinary(bytes.substr(0, 12)).error.starts_with("x.bin: "));
  std::string version = bytes;
  version[10] = '9';
  CHECK(ReadBinary(version).error.find("version 9") != std::string::npos);
  std::string packed = bytes;
  packed.replace(packed.find("zstd"), 4, "zlib");
  CHECK(ReadBinary(packed).error.find("compressed with zlib") != std::string::npos);
  std::string order = bytes;
  order[12] = 1;
  CHECK(ReadBinary(order).error.find("big-endian") != std::string::npos);

  TemporaryFolder folder;
  Run run = Shell("$MMREPLAY analyze " + folder.Write("cut.dat", bytes.substr(0, 20000)));
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("cut.dat: the file is damaged or cut off") != std::string::npos);
}

// Synthetic: options that say of the next ones that they are these.
TEST_CASE("sections that run in a circle are read once", "[trace_dat]") {
  Bytes file;
  file.Add(std::string("\x17\x08\x44tracing7\0\0\x08", 14))
      .Add(uint32_t{4096})
      .Add(std::string("none\0\0", 6));
  uint64_t options_at = file.text().size() + 8;
  file.Add(options_at);
  std::string stat = "dropped events: 1\n";
  Bytes options;
  options.Add(uint16_t{2}).Add(static_cast<uint32_t>(stat.size())).Add(stat);
  options.Add(uint16_t{18}).Add(uint32_t{8}).Add(options_at);  // event formats
  options.Add(uint16_t{0}).Add(uint32_t{8}).Add(options_at);   // the next options
  file.Add(uint16_t{0})
      .Add(uint16_t{0})
      .Add(uint32_t{0})
      .Add(uint64_t{options.text().size()})
      .Add(options.text());
  TraceDatHeader header = ReadTraceDatHeader(*InMemory(file.text()));
  CHECK(header.version == "7");
  CHECK(header.dropped_events == 1);
  CHECK(header.events.empty());
}

TEST_CASE("no damage takes the program down", "[trace_dat]") {
  CheckDamage(TraceDat("x86-dat-fired"), 24, 40);
  CheckDamage(TraceDat("x86-dat-v6"), 24, 40);
}

}  // namespace mmreplay
