#include "parser/ftrace_text.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace mmreplay {
namespace {

TraceLine Split(std::string_view line) {
  CAPTURE(line);
  TraceLine split;
  REQUIRE(SplitTraceLine(line, &split));
  return split;
}

bool Splits(std::string_view line) {
  TraceLine split;
  return SplitTraceLine(line, &split);
}

}  // namespace

// Lines are from recordings/ and from public logs; where they are not, it says so.
TEST_CASE("columns of every default variant", "[ftrace_text]") {
  SECTION("tgid, five flags") {
    auto line = Split(
        "       toucher/3-67      (     63) [003] .....     5.364544: folio_wait_bit: "
        "(folio_wait_bit+0x0/0x20) folio=0xffff88802f298000 bit=0");
    CHECK(line.comm == "toucher/3");
    CHECK(line.pid == 67);
    CHECK(line.tgid == 63);
    CHECK(line.cpu == 3);
    CHECK(line.context == ".....");
    CHECK(line.ts->value == 5'364'544'000);
    CHECK(line.body == "folio_wait_bit: (folio_wait_bit+0x0/0x20) folio=0xffff88802f298000 bit=0");
  }
  SECTION("unknown tgid") {
    auto line =
        Split("          <idle>-0       (-------) [001] d..2.     5.794338: sched_switch: prev_comm=");
    CHECK(line.comm == "<idle>");
    CHECK(line.pid == 0);
    CHECK_FALSE(line.tgid);
  }
  SECTION("no tgid, four flags, narrow pid") {
    auto line = Split(
        "       toucher/1-71    [001] d..2     3.913939: wait: (wait_on_page_bit+0x0/0x100) "
        "page=0xffffea0000a00000 bit=0");
    CHECK(line.pid == 71);
    CHECK(line.context == "d..2");
    CHECK_FALSE(line.tgid);
  }
  SECTION("seven flags of an RT kernel") {
    auto line = Split(
        "          <idle>-0       [007] dN.h4..    46.299705: sched_wakeup: comm=rcuc/7 pid=53 prio=98 "
        "target_cpu=007");
    CHECK(line.context == "dN.h4..");
    CHECK(ContextIsInterrupt(line.context));
    CHECK(Split("     ksoftirqd/7-54      [007] .....13    46.299750: timer_expire_entry: timer=0").context ==
          ".....13");
  }
  SECTION("no flags") {
    auto line = Split("           <...>-1297  [001]  3843.734440: ext4_da_write_end:    dev 8,13");
    CHECK(line.context.empty());
    CHECK(line.comm == "<...>");
  }
  SECTION("integer clock") {
    auto line = Split(
        "           churn-185     [002] .....  30203635046: mm_page_alloc: page=ffffea0000c25c00 "
        "pfn=0x30970");
    CHECK(line.ts->is_ticks);
    CHECK(line.ts->value == 30'203'635'046);
  }
  SECTION("nanoseconds") {
    CHECK(Split("   a-1   [000] ....  1.000000001: x: y=1").ts->value == 1'000'000'001);  // synthetic
  }
}

TEST_CASE("a comm may hold anything", "[ftrace_text]") {
  auto comm = [](std::string_view line, int32_t pid) {
    auto split = Split(line);
    CHECK(split.pid == pid);
    return split.comm;
  };
  CHECK(comm("       thp mover-69      (     63) [001] d..3.     5.374462: sched_waking: comm= pid=69", 69) ==
        "thp mover");
  CHECK(comm("    AsyncTask #1-5750  [000] ...2  1212.465062: sched_switch: x", 5750) == "AsyncTask #1");
  CHECK(comm("      Thread-625-5750  [000] ...2  1212.465062: sched_switch: x", 5750) == "Thread-625");
  CHECK(comm("irq/363-ARM64 s-292   [000] d..2  1212.465062: sched_switch: x", 292) == "irq/363-ARM64 s");
  CHECK(comm("          (bash)-213   [002] .N..  1212.465062: sched_switch: x", 213) == "(bash)");
  CHECK(comm("     kworker/u8:1-20665 [001] d..2.  12.465062: sched_switch: x", 20665) == "kworker/u8:1");
  CHECK(comm("  HwBinder:636_1-658   [001] d..2.  12.465062: sched_switch: x", 658) == "HwBinder:636_1");
  CHECK(comm("-5972    [006] ....  12.465062: mm_compaction_end: x", 5972).empty());
  // Seven-digit pids eat the padding.
  CHECK(comm("            node-1234567 [006] ....  12.465062: x: y", 1234567) == "node");
  // Synthetic: a comm with a cpu column of its own.
  CHECK(comm("        x [3] y=1-77    [006] ....  12.465062: x: y", 77) == "x [3] y=1");
}

TEST_CASE("lines that are no events", "[ftrace_text]") {
  CHECK_FALSE(Splits(""));
  CHECK_FALSE(Splits("#           TASK-PID       TGID    CPU#  |||||  TIMESTAMP  FUNCTION"));
  CHECK_FALSE(Splits(" => do_syscall_64"));
  CHECK_FALSE(Splits("CPU:3 [LOST 5255 EVENTS]"));
  CHECK_FALSE(Splits("[    3.918180] BUG: Bad page state in process toucher/0  pfn:28000"));
  CHECK_FALSE(Splits("       toucher/3-67      (     63) [003] .....     5.3645"));
  CHECK_FALSE(Splits("       toucher/3-99999999999 [003] .....     5.364544: x: y"));
  CHECK_FALSE(Splits("       toucher/3-2147483648 [003] .....     5.364544: x: y"));
  CHECK_FALSE(Splits("       toucher/3-67 68 [003] .....     5.364544: x: y"));
  CHECK_FALSE(Splits("       toucher/3-67  (4294967296) [003] .....     5.364544: x: y"));
  CHECK_FALSE(Splits("       toucher/3-67  (6-) [003] .....     5.364544: x: y"));
  CHECK_FALSE(Splits("       toucher/3-67 [003] .....     5.36454x: x: y"));
  CHECK_FALSE(Splits("       toucher/3-67 [003] ..... 99999999999999999999.364544: x: y"));
}

TEST_CASE("columns met before are found again, and others are not taken for them", "[ftrace_text]") {
  TraceLineSplitter splitter;
  const std::string task = "         toucher/0-64      (     63) [001] ";
  const std::vector<std::string> lines = {
      task + "d..2.     5.356488: a: x=1",
      task + ".....     5.356489: b: x=[002]",
      task + ".....     5.35648x: b: x=1",                   // no time: no event
      task + "x-7 [002] ..... 5.356490: b: x=1",             // the comm holds all that
      "         toucher/0-64      (     63) [002] .....     5.356491: a: x=1",
      "         toucher/0-65      (     63) [001] .....     5.356492: a: x=1",
      "         toucher/0-64      (     64) [001] .....     5.356493: a: x=1",
      "         toucher/1-64      (     63) [001] .....     5.356494: a: x=1",
      "         toucher/0-64      (-------) [001] .....     5.356495: a: x=1",
      "         toucher/0-64   [001] .....     5.356496: a: x=1",
      "         toucher/0-64   [1] ]..... 5.356497: a: x=1",
      "         toucher/0-64   [1234] ..... 5.356497: a: x=1",
      "a-1 [001] ..... 5.356498: a: x=1",
  };
  for (int again = 0; again < 3; ++again) {
    for (const std::string& line : lines) {
      CAPTURE(again, line);
      TraceLine expected;
      TraceLine found;
      bool is_event = SplitTraceLine(line, &expected);
      REQUIRE(splitter.Split(line, &found) == is_event);
      if (!is_event) continue;
      CHECK(found.comm == expected.comm);
      CHECK(found.comm.data() == expected.comm.data());
      CHECK(found.pid == expected.pid);
      CHECK(found.tgid == expected.tgid);
      CHECK(found.cpu == expected.cpu);
      CHECK(found.context == expected.context);
      CHECK(found.ts->value == expected.ts->value);
      CHECK(found.body == expected.body);
    }
  }
}

// No kernel prints these; they are numbers nonetheless.
TEST_CASE("numbers of unusual width", "[ftrace_text]") {
  CHECK(Split("a-000000000000000067 [003] ..... 5.364544: x: y").pid == 67);
  CHECK(Split("a-2147483647 [003] ..... 5.364544: x: y").pid == 2147483647);
  CHECK(Split("a-67 ( 00000000000000063 ) [003] ..... 5.364544: x: y").tgid == 63);
  CHECK(Split("a-67 () [003] ..... 5.364544: x: y").tgid == std::nullopt);
  CHECK(Split("a-1 [003] ..... 1234567890.364544: x: y").ts->value == 1234567890'364544000);
  CHECK(Split("a-1 [003] ..... 000000005.364544:").ts->value == 5'364544000);
}

TEST_CASE("bodies", "[ftrace_text]") {
  auto body = SplitTraceBody("lock_release: ffff8880034965b8 ");
  CHECK(body.name == "lock_release");
  CHECK(body.args == "ffff8880034965b8 ");

  body = SplitTraceBody("tracing_mark_write: mm_page_free: page=0 pfn=0x1 order=0");
  CHECK(body.name == "tracing_mark_write");
  CHECK(body.args == "mm_page_free: page=0 pfn=0x1 order=0");

  CHECK(SplitTraceBody("copy_process.part.5+0x14/0x1acc <-_do_fork+0xc0/0x41c").name == "function");
  CHECK(SplitTraceBody("<stack trace>").name == "kernel_stack");
  CHECK(SplitTraceBody("sys_clone(clone_flags: 1200011, newsp: 0)").name == "sys_clone");
  CHECK(SplitTraceBody("sys_clone -> 0x0").name == "sys_clone");
  CHECK(SplitTraceBody("0: }D").name == "0");
  CHECK(SplitTraceBody("mm_page_free: page=0").name == "mm_page_free");
  CHECK(SplitTraceBody("x86_64_e\xc3\xa9vent: a").name == "x86_64_e\xc3\xa9vent");
  CHECK(SplitTraceBody("a-name.with=1digit: a").name == "a-name.with=1digit");
  CHECK(SplitTraceBody("").name.empty());
}

TEST_CASE("markers and headers", "[ftrace_text]") {
  auto lost = ParseLostLine("CPU:3 [LOST 5255 EVENTS]");
  REQUIRE(lost);
  CHECK(lost->cpu == 3);
  CHECK(lost->lost == 5255);
  lost = ParseLostLine("CPU:12 [LOST EVENTS]");
  REQUIRE(lost);
  CHECK(lost->cpu == 12);
  CHECK_FALSE(lost->lost);
  CHECK_FALSE(ParseLostLine("CPU: 3 PID: 1317 Comm: syz-executor0"));
  CHECK(ParseBufferStartedLine("##### CPU 3 buffer started ####") == 3);
  CHECK_FALSE(ParseBufferStartedLine("# CPU 3"));

  TraceHeader header;
  ParseHeaderLine("# tracer: nop", &header);
  ParseHeaderLine("# entries-in-buffer/entries-written: 5079/8058   #P:4", &header);
  CHECK(header.tracer == "nop");
  CHECK(header.entries == 5079);
  CHECK(header.written == 8058);
  CHECK(header.cpus == 4);
}

TEST_CASE("interrupt context is the third flag", "[ftrace_text]") {
  CHECK(ContextIsInterrupt("d.h3."));
  CHECK(ContextIsInterrupt("dNs2."));
  CHECK(ContextIsInterrupt("d.H1"));
  CHECK_FALSE(ContextIsInterrupt("dN.2."));
  CHECK_FALSE(ContextIsInterrupt("d..2"));
  CHECK_FALSE(ContextIsInterrupt(""));
  CHECK(ContextIsInterrupt("-0x9"));   // hard irq, irqs off
  CHECK(ContextIsInterrupt("-0x11"));  // soft irq
  CHECK(ContextIsInterrupt("-0x40"));  // nmi
  CHECK_FALSE(ContextIsInterrupt("-0x25"));
}

}  // namespace mmreplay
