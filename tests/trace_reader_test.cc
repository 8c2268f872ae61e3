#include "parser/trace_reader.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "tests/analysis.h"

namespace mmreplay {
namespace {

struct Read {
  StringTable strings;
  LineCounts lines;
  TraceHeader header;
  std::vector<std::string> names;   // of the events
  std::vector<std::string> frames;  // "event:depth text"
  std::vector<LossMarker> markers;
  std::vector<int64_t> event_lines;
  std::vector<TraceIssue> issues;
};

// `piece` bytes per read: batches must not depend on how input arrives.
Read ReadText(const std::string& text, size_t piece = 1 << 20,
              InputFormat format = InputFormat::kFtraceText) {
  Read read;
  Decoder decoder(&read.strings, {}, std::nullopt);
  size_t at = 0;
  TraceReader reader(
      [&](char* buffer, size_t size) {
        size_t take = std::min({size, piece, text.size() - at});
        std::memcpy(buffer, text.data() + at, take);
        at += take;
        return take;
      },
      MakeLineFormat(format), &read.strings, &decoder);
  Batch batch;
  while (reader.Next(&batch)) {
    for (const Event& event : batch.events) {
      read.names.emplace_back(read.strings.Text(event.name));
      read.event_lines.push_back(event.line);
    }
    for (const StackFrame& frame : batch.frames) {
      read.frames.push_back(std::to_string(Value(frame.event)) + ":" + std::to_string(frame.depth) + " " +
                            std::string(frame.text));
    }
    read.markers.insert(read.markers.end(), batch.markers.begin(), batch.markers.end());
  }
  read.lines = reader.lines();
  read.header = reader.header();
  read.issues = reader.Issues();
  const LineCounts& lines = read.lines;
  CHECK(lines.total == lines.events + lines.comments + lines.continuations + lines.markers + lines.rejected);
  return read;
}

const std::string kHead = "# tracer: nop\n#\n# entries-in-buffer/entries-written: 3/3   #P:4\n";
const std::string kEvent = "   a-1   [000] ....  1.000001: x: y=1\n";

}  // namespace

TEST_CASE("stacks belong to the event before them, on their cpu", "[trace_reader]") {
  // Shape of a pixel6 pKVM log: the stack is a record of its own.
  Read read = ReadText(
      "   a-1   [000] ....  1.000001: page_ref_mod: pfn=0x1 val=1\n"
      "   b-2   [001] ....  1.000002: x: y=1\n"
      "   a-1   [000] ....  1.000003: <stack trace>\n"
      " => __page_ref_mod\n => follow_page_pte+0x12/0x34\n"
      "   b-2   [001] ....  1.000004: x: y=1\n");
  CHECK(read.frames == std::vector<std::string>{"1:0 __page_ref_mod", "1:1 follow_page_pte+0x12/0x34"});
  CHECK(read.lines ==
        LineCounts{.total = 6, .events = 4, .comments = 0, .continuations = 2, .markers = 0, .rejected = 0});
}

TEST_CASE("loss markers keep their place", "[trace_reader]") {
  Read read =
      ReadText(kEvent + "CPU:3 [LOST 5255 EVENTS]\n" + kEvent + "##### CPU 2 buffer started ####\n" + kEvent);
  REQUIRE(read.markers.size() == 2);
  CHECK(read.markers[0].cpu == 3);
  CHECK(read.markers[0].lost == 5255);
  CHECK(Value(read.markers[0].next_event) == 2);
  CHECK(read.markers[1].kind == LossMarker::Kind::kBufferStarted);
  CHECK(Value(read.markers[1].next_event) == 3);
  CHECK(read.lines.markers == 2);
}

TEST_CASE("user text may look like events and run over lines", "[trace_reader]") {
  Read read = ReadText(
      "   a-1   [000] ....  1.000001: tracing_mark_write: first\nsecond line\n"
      "   a-1   [000] ....  1.000002: tracing_mark_write: mm_page_free: page=0 pfn=0x1 order=0\n"
      "   a-1   [000] ....  1.000003: pmd_migration_entry_wait: note pfn=39a00 count=1\n"
      "   a-1   [000] ....  1.000004: tracing_mark_write: saw b-2 [001] ....  1.000005: mm_page_free: "
      "pfn=0x1\n");
  CHECK(read.names == std::vector<std::string>{"tracing_mark_write", "tracing_mark_write",
                                               "pmd_migration_entry_wait", "tracing_mark_write"});
  CHECK(read.issues.empty());
  CHECK(read.lines.continuations == 1);
}

TEST_CASE("damage is counted with its line", "[trace_reader]") {
  SECTION("a broken event") {
    Read read = ReadText(kHead + kEvent + "   a-1   [000] ....  1.0000xx: x: y=1\n" + kEvent);
    CHECK(read.lines.events == 2);
    CHECK(read.lines.rejected == 1);
    REQUIRE(read.issues.size() == 1);
    CHECK(read.issues[0].first_line == 5);
  }
  SECTION("the last line is cut off") {
    Read read = ReadText(kHead + kEvent + "   a-1   [00");
    CHECK(read.lines.events == 1);
    CHECK(read.lines.rejected == 1);
  }
  SECTION("prose round a pasted trace is comment") {
    Read read = ReadText("Hi,\n\nthis is what I see:\n" + kEvent + "Regards\n");
    CHECK(read.lines.events == 1);
    CHECK(read.lines.comments == 4);
  }
  SECTION("arguments that cannot be read") {
    Read read =
        ReadText(kHead + kEvent + "   a-1   [000] ....  1.000002: mm_page_free: page=0 pfn=0y1 order=0\n");
    CHECK(read.lines.events == 2);
    REQUIRE(read.issues.size() == 1);
    CHECK(read.issues[0].kind == "arguments not understood");
    CHECK(read.issues[0].severity == TraceIssue::Severity::kError);
    CHECK(read.issues[0].first_line == 5);
  }
  SECTION("a byte order mark is none") {
    Read read = ReadText("\xef\xbb\xbf" + kHead + kEvent);
    CHECK(read.lines == ReadText(kHead + kEvent).lines);
    CHECK(read.header.entries == 3);
    CHECK(read.issues.empty());
  }
  SECTION("a second kind of clock") {
    Read read = ReadText(kEvent + "   a-1   [000] ....  1234567: x: y=1\n" + kEvent);
    CHECK(read.lines.events == 2);
    CHECK(read.lines.rejected == 1);
  }
  SECTION("a line longer than a batch") {
    std::string longer(3 * kBatchBytes, 'x');
    Read read = ReadText(kEvent + longer + "\n" + kEvent);
    CHECK(read.lines.events == 2);
    CHECK(read.lines.rejected == 1);
    CHECK(read.event_lines == std::vector<int64_t>{1, 3});
  }
}

TEST_CASE("line ends, NULs and missing newlines", "[trace_reader]") {
  CHECK(ReadText("   a-1   [000] ....  1.000001: x: y=1\r\n   a-1   [000] ....  1.000002: x: y=1\r\n")
            .lines.events == 2);
  CHECK(ReadText("   a-1   [000] ....  1.000001: x: y=1").lines.events == 1);
  CHECK(ReadText(std::string("   a-1   [000] ....  1.000001: x: y=\0z\n", 39)).lines.events == 1);
  CHECK(ReadText("").lines.total == 0);
  CHECK(ReadText("\n").lines.comments == 1);
}

TEST_CASE("a record may begin with '#'", "[trace_reader]") {
  // From a public issue: a task called "# Jit thread pool".
  Read read =
      ReadText("# Jit thread pool-4435  [003] ....  1.000001: mm_vmscan_direct_reclaim_begin: order=0\n");
  CHECK(read.lines.events == 1);
}

TEST_CASE("what is read does not depend on how it arrives", "[trace_reader]") {
  std::string text = kHead;
  for (int i = 0; i < 40000; ++i) {
    text += "   a-1   [000] ....  " + std::to_string(i) + ".000001: x: y=" + std::to_string(i) + "\n";
  }
  Read whole = ReadText(text);
  Read pieces = ReadText(text, 777);
  CHECK(whole.lines == pieces.lines);
  CHECK(whole.event_lines == pieces.event_lines);
  CHECK(whole.lines.events == 40000);
}

// Every truncation of a real file: no crash, every line accounted for, events only fewer.
TEST_CASE("every truncation is read", "[trace_reader]") {
  std::string text =
      kHead +
      "       toucher/3-67      (     63) [003] .....     5.364544: folio_wait_bit: "
      "(folio_wait_bit+0x0/0x20) folio=0xffff88802f298000 bit=0\n"
      "CPU:3 [LOST 5255 EVENTS]\n"
      "       thp mover-69      (     63) [001] .....     5.374689: page_ref_mod_and_test: pfn=0x2ec00 "
      "flags= count=2 mapcount=1 mapping=ffff888003499b61 mt=1 val=-1 ret=0\n"
      "       thp mover-69      (     63) [001] .....     5.374689: <stack trace>\n => put_page\n";
  int64_t before = 0;
  for (size_t length = 0; length <= text.size(); ++length) {
    Read read = ReadText(text.substr(0, length));
    CHECK(read.lines.events >= before);
    before = read.lines.events;
  }
  CHECK(before == 3);
}

}  // namespace mmreplay
