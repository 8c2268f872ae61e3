// The text forms beside the default one: columns, line kinds, accounting. Lines are from recordings/ and from
// public logs (corpus/); where they are not, it says so.
#include "parser/line_format.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "parser/console_timeline.h"
#include "parser/error.h"
#include "parser/function_graph.h"
#include "parser/latency_text.h"
#include "parser/perf_script.h"
#include "parser/trace_reader.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

struct Row {
  std::string comm;
  std::optional<int32_t> pid;
  std::optional<int32_t> tgid;
  std::optional<int32_t> cpu;
  std::optional<int64_t> ts;
  std::string context;
  std::string name;
  std::string args;
  int64_t line;
};

struct LinesRead {
  std::vector<Row> rows;
  std::vector<std::string> frames;
  std::vector<LossMarker> markers;
  std::vector<TraceIssue> issues;
  LineCounts lines;
};

LinesRead ReadAs(InputFormat format, const std::string& text) {
  LinesRead read;
  StringTable strings;
  Decoder decoder(&strings, {}, std::nullopt);
  size_t at = 0;
  TraceReader reader(
      [&](char* buffer, size_t size) {
        size_t take = std::min(size, text.size() - at);
        std::memcpy(buffer, text.data() + at, take);
        at += take;
        return take;
      },
      MakeLineFormat(format), &strings, &decoder);
  Batch batch;
  while (reader.Next(&batch)) {
    for (const Event& event : batch.events) {
      read.rows.push_back({std::string(strings.Text(event.comm)),
                           event.pid ? std::optional(Value(*event.pid)) : std::nullopt, event.tgid, event.cpu,
                           event.ts, std::string(strings.Text(event.context)),
                           std::string(strings.Text(event.name)), std::string(batch.Args(event)), event.line});
    }
    for (const StackFrame& frame : batch.frames)
      read.frames.push_back(std::to_string(Value(frame.event)) + ":" + std::string(frame.text));
    read.markers.insert(read.markers.end(), batch.markers.begin(), batch.markers.end());
  }
  read.lines = reader.lines();
  read.issues = reader.Issues();
  const LineCounts& lines = read.lines;
  CHECK(lines.total == lines.events + lines.comments + lines.continuations + lines.markers + lines.rejected);
  auto newlines = std::count(text.begin(), text.end(), '\n') + (!text.empty() && text.back() != '\n');
  CHECK(lines.total == newlines);
  return read;
}

bool HasIssue(const LinesRead& read, const std::string& kind) {
  return std::any_of(read.issues.begin(), read.issues.end(),
                     [&](const auto& issue) { return issue.kind == kind; });
}

using Splitter = bool(std::string_view line, TraceLine* out);

TraceLine Split(Splitter* splitter, std::string_view line) {
  CAPTURE(std::string(line));
  TraceLine split;
  REQUIRE(splitter(line, &split));
  return split;
}

bool Splits(Splitter* splitter, std::string_view line) {
  TraceLine split;
  return splitter(line, &split);
}

TraceLine Latency(std::string_view line) {
  return Split(SplitLatencyLine, line);
}

TraceLine Perf(std::string_view line) {
  return Split(SplitPerfLine, line);
}

}  // namespace

TEST_CASE("columns of the latency format", "[line_format]") {
  SECTION("a dump's line, the mark is a blank") {
    auto line = Latency(
        "    init-1         3d.s5. 39949us : sched_waking: comm=rcu_preempt pid=14 prio=120 target_cpu=000");
    CHECK(line.comm == "init");
    CHECK(line.pid == 1);
    CHECK(line.cpu == 3);
    CHECK(line.context == "d.s5.");
    CHECK(ContextIsInterrupt(line.context));
    CHECK(line.ts->value == 39'949'000);
    CHECK(line.body == "sched_waking: comm=rcu_preempt pid=14 prio=120 target_cpu=000");
  }
  SECTION("a comm with a blank, cut to eight characters") {
    auto line =
        Latency("thp move-69        3...1. 984024us : lock_acquire: ffff88803083bbe8 ptlock_ptr(page)");
    CHECK(line.comm == "thp move");
    CHECK(line.pid == 69);
  }
  SECTION("swapper/0 with pid 1 becomes swapper/-1, an irq thread irq/14-d-596") {
    CHECK(Latency("swapper/-1         0...1. 1us : x: y=1").comm == "swapper/");
    auto irq = Latency("irq/14-d-596     0d..1 76265814us : dwc3_event: event (00000101)");
    CHECK(irq.comm == "irq/14-d");
    CHECK(irq.pid == 596);
  }
  SECTION("four flags, cpu of two digits, delay marks") {
    CHECK(Latency("syz-exec-31490   2...1 413720925us : 0: }D").body == "0: }D");
    auto line = Latency("bash-2086     12dNh.    7us+: sys_enter");  // synthetic
    CHECK(line.cpu == 12);
    CHECK(line.context == "dNh.");
    for (const char* mark : {"!", "#", "*", "@", "$", "+"})  // synthetic
      CHECK(Latency(std::string("  <idle>-0       2d...    0us") + mark + ": x: y=1").ts->value == 0);
  }
  SECTION("an integer clock prints no us") {  // kernel/trace/trace_output.c: lat_print_timestamp
    auto line = Latency("    bash-431       0d..2. 123456789: sched_waking: comm=a pid=1");
    CHECK(line.ts->is_ticks);
    CHECK(line.ts->value == 123'456'789);
  }
  SECTION("what is none") {
    CHECK_FALSE(Splits(SplitLatencyLine, "CPU:2 [LOST 514 EVENTS]"));
    CHECK_FALSE(Splits(SplitLatencyLine, "RIP: 0010:__free_one_page+0x2b7/0x3d0"));
    CHECK_FALSE(Splits(SplitLatencyLine, "thp move-69        3...1. 98402"));
    CHECK_FALSE(Splits(SplitLatencyLine, " 0:120:R   + [003]   312:100:R kworker/3:1H"));
  }
}

TEST_CASE("options/verbose has absolute time", "[line_format]") {
  // Documentation/trace/ftrace.rst; the stamp in brackets is microseconds in hex.
  TraceLine line =
      Split(SplitVerboseLine,
            "            bash  4251 1 0 00000000 00010a95 [58127d26] 1720.415ms (+0.000ms): ktime_get: x=1");
  CHECK(line.comm == "bash");
  CHECK(line.pid == 4251);
  CHECK(line.cpu == 1);
  CHECK(line.ts->value == 0x58127d26LL * 1000);
  CHECK(line.body == "ktime_get: x=1");
  CHECK_FALSE(Splits(SplitVerboseLine, "   bash-4251 [001] ....  1.000001: x: y=[12] 1.0ms (+2"));
}

TEST_CASE("a dump between printks", "[line_format]") {
  LinesRead read =
      ReadAs(InputFormat::kConsoleLog,
             "[   10.279302] Kernel panic - not syncing: Fatal exception\n"
             "[   10.279302] Dumping ftrace buffer:\n"
             "[   10.279302] ---------------------------------\n"
             "[   10.279302] CPU:0 [LOST 6131 EVENTS]\n"
             "[   10.279302] toucher/-186       0...1. 6362264us : lock_contended: ffff888030489e70 "
             "ptlock_ptr(page)\n"
             "[   10.279310][    C2] hrtimer: interrupt took 1234567 ns\n"
             "[   10.279302] toucher/-186       0.N.1. 6368115us : lock_acquired: ffff888030489e70 \r\n"
             "[   10.279302] ---------------------------------\n"
             "[   10.279302] RIP: 0010:__free_one_page+0x2b7/0x3d0\n"
             "[   10.279302] Dumping ftrace buffer:\n"
             "[   10.279302]    (ftrace buffer empty)");
  REQUIRE(read.rows.size() == 2);
  CHECK(read.rows[0].ts == 6'362'264'000);
  CHECK(read.rows[0].line == 5);
  CHECK(read.rows[1].args == "ffff888030489e70 ");
  REQUIRE(read.markers.size() == 1);
  CHECK(read.markers[0].lost == 6131);
  CHECK(read.markers[0].cpu == 0);
  CHECK(read.lines ==
        LineCounts{.total = 11, .events = 2, .comments = 8, .continuations = 0, .markers = 1, .rejected = 0});
  CHECK(HasIssue(read, "relative time"));
}

TEST_CASE("an event in another form than the trace's own is no comment", "[line_format]") {
  const std::string tracefs =
      "    init-1     [003] .....     5.364208: page_ref_set: pfn=0x3081c flags=none count=1 mapcount=0 "
      "mapping=0000000000000000 mt=1 val=1\n";
  const std::string latency =
      "    init-1         3..... 35123us : page_ref_set: pfn=0x3081c flags=none count=1 val=1\n";
  const std::string verbose =
      "   init     1 3 0 0 00000000 [0000f2b3] 62.131ms (+0.004ms): page_ref_set: pfn=0x3081c count=1 "
      "val=1\n";
  const std::string perf =
      "init     1 [003]     5.364208: page_ref:page_ref_set: pfn=0x3081c flags=none count=1 val=1\n";
  const std::string report =
      "            init-1     [003]     5.364208: page_ref_set:         pfn=0x3081c flags=none count=1 "
      "val=1\n";
  const std::string graph = " 3)               |  /* page_ref_set: pfn=0x3081c flags=none count=1 val=1 */\n";
  auto check = [](InputFormat form, const std::string& own, std::initializer_list<std::string> others) {
    for (const std::string& other : others) {
      CAPTURE(FormatName(form), other);
      LinesRead read = ReadAs(form, own + other + own);
      CHECK(read.lines.events == 2);
      CHECK(read.lines.rejected == 1);
      CHECK(HasIssue(read, "event rejected"));
    }
  };
  const std::string short_report =
      "   init-1   2d..2. 852655.067718: page_ref_set:         pfn=0x3081c flags=none count=1 val=1\n";
  check(InputFormat::kFtraceText, tracefs, {latency, verbose, graph, perf, "[    5.364300] " + latency});
  check(InputFormat::kTraceCmdReport, report, {latency, verbose, graph});
  check(InputFormat::kPerfScript, perf, {latency, tracefs, graph});
  check(InputFormat::kLatencyText, latency, {tracefs, graph, perf, short_report});
  check(InputFormat::kFunctionGraph, graph, {latency, perf, short_report});
  check(InputFormat::kConsoleLog, "[    5.364300] " + latency,
        {tracefs, perf, graph, "[    5.364300] " + tracefs});
  // What the kernel prints is prose, whatever is in it.
  LinesRead console =
      ReadAs(InputFormat::kConsoleLog, "[    5.364300] " + latency +
                                           "[    5.364300] usb 1-1: reset [003] 5.364208: done\n"
                                           "[    5.364301] bash-1: 35123us : x\n");
  CHECK(console.lines.rejected == 0);
}

TEST_CASE("a dump that is cut off, or quoted in a mail", "[line_format]") {
  // The last line looks like an event and is none: rejected, not passed over.
  LinesRead cut = ReadAs(InputFormat::kConsoleLog,
                         "---------------------------------\n"
                         "    init-1         3..... 35123us : page_ref_set: pfn=0x3081c val=1\n"
                         "    init-1         3d.s5. 399");
  CHECK(cut.lines.events == 1);
  CHECK(cut.lines.rejected == 1);
  // lkml-ibft: "> > [    0.9] kworker/..."
  LinesRead quoted =
      ReadAs(InputFormat::kConsoleLog,
             "> > [    0.915000] kworker/-20        0...1. 12us : x: y=1\n> > [    0.915000] end\n");
  CHECK(quoted.lines.events == 1);
  CHECK(quoted.rows[0].pid == 20);
}

TEST_CASE("the console's prefixes, one by one and together", "[line_format]") {
  auto strip = [](std::string_view line) {
    std::optional<int64_t> ts;
    std::string_view text = StripConsolePrefix(line, &ts);
    return std::string(text) + "|" + (ts ? std::to_string(*ts / 1000) : "-");
  };
  CHECK(strip("BUG: Bad page") == "BUG: Bad page|-");
  CHECK(strip("[   12.345678] BUG") == "BUG|12345678");
  CHECK(strip("[   12.345678][   T12] BUG") == "BUG|12345678");
  CHECK(strip("[   12.345678] [    C1] BUG") == "BUG|12345678");
  CHECK(strip("[ 2256.220578][T32756] BUG") == "BUG|2256220578");
  CHECK(strip("<4>[   12.345678] BUG") == "BUG|12345678");
  CHECK(strip("<0>BUG") == "BUG|-");
  CHECK(strip("kern  :emerg : [   12.345678] BUG") == "BUG|12345678");
  CHECK(strip("0,1234,12345678,-;BUG") == "BUG|12345678");
  CHECK(strip("[Mon Nov 22 10:00:00 2026] BUG") == "BUG|-");
  CHECK(strip("Nov 22 10:00:00 host kernel: [   12.345678] BUG") == "BUG|12345678");
  CHECK(strip("Nov  2 10:00:00 host kernel[0]: BUG") == "BUG|-");
  CHECK(strip("2026-11-22T10:00:00.123456+00:00 host kernel: BUG") == "BUG|-");
  CHECK(strip("[   12.345678] host kernel: BUG") == "BUG|12345678");
  CHECK(strip("> > [   12.345678] BUG") == "BUG|12345678");
  // A dump's own columns keep their blanks; the kernel's text may begin with a bracket.
  CHECK(strip("[   12.345678]     init-1         3..... 1us : x") ==
        "    init-1         3..... 1us : x|12345678");
  CHECK(strip("[   12.345678] [<ffff200008094778>] dump_backtrace") ==
        "[<ffff200008094778>] dump_backtrace|12345678");
  CHECK(strip("") == "|-");
  CHECK(strip("[") == "[|-");
  CHECK(strip("the kernel: a book") == "the kernel: a book|-");
}

TEST_CASE("columns of perf script, whatever -F chose", "[line_format]") {
  SECTION("default") {
    auto line = Perf(
        "            work    69 [003]     5.607192:                   page_ref:page_ref_set: pfn=0x39126 "
        "flags=none");
    CHECK(line.comm == "work");
    CHECK(line.pid == 69);
    CHECK_FALSE(line.tgid);
    CHECK(line.cpu == 3);
    CHECK(line.ts->value == 5'607'192'000);
    TraceBody body = SplitPerfBody(line.body);
    CHECK(body.name == "page_ref_set");
    CHECK(body.args == "pfn=0x39126 flags=none");
  }
  SECTION("process and tid, no cpu, a period, a modifier") {
    auto line = Perf("firefox  7564/7571  2574592.839818:          1 cycles:uppp: ");
    CHECK(line.tgid == 7564);
    CHECK(line.pid == 7571);
    CHECK_FALSE(line.cpu);
    CHECK(SplitPerfBody(line.body).name == "cycles:uppp");
    CHECK(Perf("perf 47118 [011] 51499.088689:          1 page-faults: ").cpu == 11);
  }
  SECTION("no comm, nanoseconds") {
    auto line = Perf(
        "364691/364691 62709.735347701:                            1   branches:uH:   jmp   40bb19 itch");
    CHECK(line.comm.empty());
    CHECK(line.ts->value == 62'709'735'347'701);
    CHECK(SplitPerfBody(line.body).args == "jmp   40bb19 itch");
  }
  SECTION("tabs of simpleperf, an unknown task") {
    CHECK(Perf("Gecko\t25122 [007] 115539.936601:\t\t1000000 task-clock:u:").comm == "Gecko");
    CHECK(Perf("           :256   256 [003]   100.000001: powerpc:dtl_cede: x=1").comm == ":256");
    CHECK_FALSE(Perf("         swapper    -1 [003]   100.000001: power:cpu_idle: state=1").pid);  // synthetic
  }
  SECTION("a comm with blanks") {
    auto line = Perf(
        "       thp mover    77 [002]     6.154203: kmem:mm_page_free: [FAILED TO PARSE] pfn=0x3a000 "
        "order=9");
    CHECK(line.comm == "thp mover");
    CHECK(line.pid == 77);
  }
  SECTION("groups of the user") {
    auto line = Perf(
        "            work    69 [003]     5.607192: mygroup:folio_wait_bit: (ffffffff81154d40) folio=0x1");
    TraceBody body = SplitPerfBody(line.body);
    CHECK(body.name == "folio_wait_bit");
    CHECK(body.args == "(ffffffff81154d40) folio=0x1");
    CHECK(SplitPerfBody("probe:xyz: (ffffffff81154d40)").name == "xyz");
    CHECK(SplitPerfBody("sched:sched_switch:u: a=1").name == "sched_switch");
  }
  SECTION("no time") {
    auto line = Perf("java 19983 cycles:");
    CHECK_FALSE(line.ts);
    CHECK(line.pid == 19983);
    CHECK(Perf("work 69 [003] page_ref:page_ref_set: pfn=0x1").cpu == 3);  // synthetic
    CHECK_FALSE(Splits(SplitPerfLine, "Now tracing for 30 seconds:"));
    CHECK_FALSE(Splits(SplitPerfLine, "in 2010 we saw: nothing"));
  }
  SECTION("the time of day, no task") {
    auto dated = Perf(
        "            work    69 [003] 2026-11-30 12:34:56.123456     5.607192: page_ref:page_ref_set: "
        "pfn=0x39126");
    CHECK(dated.comm == "work");
    CHECK(dated.pid == 69);
    CHECK(dated.cpu == 3);
    CHECK(dated.ts->value == 5'607'192'000);
    auto taskless = Perf("    5.607192:                   page_ref:page_ref_set: pfn=0x39126 flags=none");
    CHECK(taskless.comm.empty());
    CHECK_FALSE(taskless.pid);
    CHECK_FALSE(taskless.cpu);
    CHECK(taskless.ts->value == 5'607'192'000);
    auto of_cpu = Perf("            work [003]     5.607192:     page_ref:page_ref_set: pfn=0x39126");
    CHECK(of_cpu.comm == "work");
    CHECK_FALSE(of_cpu.pid);
    CHECK(of_cpu.cpu == 3);
    CHECK_FALSE(Splits(SplitPerfLine, "up since 5.607192: nothing"));
  }
  SECTION("what perf recorded beside the events") {
    CHECK(IsPerfSideband("       perf-exec     0 [000]     0.000000: PERF_RECORD_COMM: perf-exec:69/69"));
    CHECK(IsPerfSideband("            work    69 [003]     5.606333: PERF_RECORD_COMM exec: work:69/69"));
    CHECK(IsPerfSideband("            work    69 [003]     5.606333: PERF_RECORD_FORK(75:75):(69:69)"));
    CHECK_FALSE(IsPerfSideband("  PERF_RECORD_COM    69 [003]     5.606333: kmem:mm_page_free: pfn=0x1"));
    CHECK_FALSE(IsPerfSideband("work 69 [003]  5.606333: ftrace:print: [f] PERF_RECORD_COMM: a"));
  }
  SECTION("what is none") {
    CHECK_FALSE(Splits(SplitPerfLine, "# cmdline : /usr/bin/perf record -e cycles:u sleep 1"));
    CHECK_FALSE(Splits(SplitPerfLine, "\tffffffff9c2009e7 [unknown] ([kernel.kallsyms])"));
    CHECK_FALSE(Splits(SplitPerfLine, ""));
    CHECK_FALSE(Splits(SplitPerfLine, "::::"));
  }
}

TEST_CASE("call chains of perf script", "[line_format]") {
  LinesRead read = ReadAs(
      InputFormat::kPerfScript,
      "# ========\n# os release : 6.1.192\n#\n"
      "perf  6429 [000]    22.498450:             kmem:mm_page_alloc: page=0x176a17 pfn=1534487 order=0\n"
      "    ffffffffbe23e32e __alloc_pages_nodemask+0x22e (/lib/modules/5.1.0-rc3+/build/vmlinux)\n"
      "\t5651468729c1 [unknown] (/usr/bin/perf)\n"
      "\n"
      "perf  6429 [000]    22.498460: cycles: \n"
      "ffffffff8103d0ca native_write_msr_safe ([kernel.kallsyms])\n"
      "\n"
      "[ perf record: Woken up 1 times ]\n"
      "work    69 [003]     22.607192: PERF_RECORD_LOST lost 12\n");
  CHECK(read.rows.size() == 2);
  CHECK(read.frames ==
        std::vector<std::string>{
            "1:ffffffffbe23e32e __alloc_pages_nodemask+0x22e (/lib/modules/5.1.0-rc3+/build/vmlinux)",
            "1:5651468729c1 [unknown] (/usr/bin/perf)",
            "2:ffffffff8103d0ca native_write_msr_safe ([kernel.kallsyms])"});
  CHECK(read.lines.continuations == 3);
  REQUIRE(read.markers.size() == 1);
  CHECK(read.markers[0].cpu == 3);
  CHECK(read.markers[0].lost == 12);
}

TEST_CASE("trace-cmd report and its options", "[line_format]") {
  LinesRead read = ReadAs(
      InputFormat::kTraceCmdReport,
      "version = 6\nCPU 3 is empty\ncpus=4\n"
      "            work-69    [002]     6.792132: page_ref_set:         pfn=0x32112 flags=none val=1\n"
      "            work-69    [002]     6.792588: mm_page_alloc:        [FAILED TO PARSE] pfn=0x32112 "
      "order=0\n"
      "CPU:2 [5255 EVENTS DROPPED]\nCPU:1 [EVENTS DROPPED]\n"
      // -t, -l, -R, -l -R
      "       trace-cmd-20913 [002] 852655.067718123: sched_switch:         trace-cmd:20913 [120] R ==> "
      "kworker/u8:1:20665 [120]\n"
      "kworker/-20665   2d..2. 852655.067786: sched_switch:         kworker/u8:1:20665 [120] t ==> "
      "trace-cmd:20913 [120]\n"
      "       trace-cmd-20913 [002] 852655.067718: sched_switch:          prev_comm=trace-cmd prev_pid=20913 "
      "prev_state=0x1000 next_comm=gmain next_pid=657\n"
      "    move-75      0-0x24     7.097732: page_ref_mod_and_test: pfn=0x39000 flags=0xe0bffe09000d val=-1\n"
      // several files in one report (synthetic)
      "  trace.dat:          <idle>-0     [001] 852656.000000: sched_waking: comm=a pid=1\n"
      // the plugin's print of trace_printk with a newline
      "            gawk-4    [001] 852657.000000: print:                tracing_mark_write: uid=1\n gid=4\n"
      "            work-69    [002] 852658.000000: kernel_stack:         <stack trace>\n"
      "=> do_syscall_64 (ffffffff81a0008c)\n");
  REQUIRE(read.rows.size() == 9);
  CHECK(read.rows[0].args == "pfn=0x32112 flags=none val=1");
  CHECK(read.rows[1].args == "[FAILED TO PARSE] pfn=0x32112 order=0");
  CHECK(read.rows[2].ts == 852'655'067'718'123);
  CHECK(read.rows[3].comm == "kworker/");
  CHECK(read.rows[3].cpu == 2);
  CHECK(read.rows[3].context == "d..2.");
  CHECK(read.rows[5].comm == "move");
  CHECK(read.rows[5].cpu == 0);
  CHECK(read.rows[5].context == "-0x24");
  CHECK(read.rows[6].comm == "<idle>");
  CHECK(read.rows[6].pid == 0);
  CHECK(read.markers.size() == 2);
  CHECK(read.markers[0].lost == 5255);
  CHECK_FALSE(read.markers[1].lost);
  CHECK(read.frames.size() == 1);
  CHECK(read.lines.continuations == 2);  // " gid=4" and the frame
}

TEST_CASE("sched_switch as trace-cmd renders it", "[line_format]") {
  StringTable strings;
  Decoder decoder(&strings, {}, std::nullopt);
  StringId name = strings.Intern("sched_switch");
  auto switched = [&](std::string_view args) { return std::get<SchedSwitch>(decoder.Decode(name, args)); };
  auto plain = switched("kworker/u8:1:20665 [120] D ==> trace-cmd:20913 [120]");
  CHECK(Value(plain.prev) == 20665);
  CHECK(Value(plain.next) == 20913);
  CHECK(plain.prev_state == SleepState::kUninterruptible);
  auto raw = [&](const std::string& state) {
    return switched("prev_comm=a b prev_pid=1 prev_prio=120 prev_state=" + state +
                    " next_comm=c next_pid=2 next_prio=120")
        .prev_state;
  };
  CHECK(raw("0") == SleepState::kRunning);
  CHECK(raw("0x1000") == SleepState::kRunning);
  CHECK(raw("256") == SleepState::kRunning);
  CHECK(raw("1") == SleepState::kOther);
  CHECK(raw("0x2") == SleepState::kUninterruptible);
  CHECK(raw("130") == SleepState::kUninterruptible);
}

TEST_CASE("user space's page= is never a pointer, and its return probes name the function first",
          "[line_format]") {
  StringTable strings;
  Decoder decoder(&strings, {}, std::nullopt);
  auto page = [&] {
    return std::get<PageFree>(
               decoder.Decode(strings.Intern("mm_page_free"), "page=0x4ce00 pfn=0x4ce00 order=9"))
        .page;
  };
  CHECK(page());
  decoder.set_user_space_text();
  CHECK_FALSE(page());

  auto entry =
      decoder.Decode(strings.Intern("folio_wait_bit"), "(ffffffff81154d40) folio=0xffff88805e66aa00 bit=0");
  REQUIRE(std::holds_alternative<FunctionEntry>(entry));
  CHECK(std::get<FunctionEntry>(entry).function == KernelFunction::kFolioWaitBit);
  auto exit =
      decoder.Decode(strings.Intern("folio_wait_bit__return"), "(ffffffff81154d40 <- ffffffff811de399)");
  REQUIRE(std::holds_alternative<FunctionReturn>(exit));
  CHECK(std::get<FunctionReturn>(exit).function == KernelFunction::kFolioWaitBit);
  CHECK(decoder.probes_bound_by_name() == 2);
  // A name that is no function's says nothing.
  auto other = decoder.Decode(strings.Intern("xyz"), "(ffffffff81154d40) folio=0xffff88805e66aa00");
  CHECK(std::holds_alternative<Opaque>(other));
}

TEST_CASE("definitions tell what bare addresses do not", "[line_format]") {
  StringTable strings;
  Decoder decoder(&strings, ParseProbeDefinitions("p:my/xyz folio_wait_bit f=%di b=%si:s32\n"), std::nullopt);
  decoder.set_user_space_text();
  auto entry = decoder.Decode(strings.Intern("xyz"), "(ffffffff81154d40) f=0xffff88805e66aa00 b=0");
  REQUIRE(std::holds_alternative<FunctionEntry>(entry));
  CHECK(std::get<FunctionEntry>(entry).function == KernelFunction::kFolioWaitBit);
  CHECK(std::get<FunctionEntry>(entry).fields.Get(ProbeRole::kPage) == 0xffff88805e66aa00);
  CHECK(decoder.probes_bound_by_name() == 0);
}

TEST_CASE("function_graph: calls, returns, events, task switches", "[line_format]") {
  LinesRead read = ReadAs(
      InputFormat::kFunctionGraph,
      "# tracer: function_graph\n#\n# CPU  DURATION                  FUNCTION CALLS\n"
      " 3)               |  __alloc_pages_direct_compact() {\n"
      " 3) @ 184008.2 us |      compact_zone_order();\n"
      " 3) $ 50412985 us |  } /* __alloc_pages_direct_compact */\n"
      " 3)               |  /* mm_page_alloc: page=ffffea0000a00000 pfn=2621440 order=9 */\n"
      " ------------------------------------------\n"
      " 3)    bash-431    =>    <idle>-0   \n"
      " ------------------------------------------\n"
      "\n"
      " 3)   0.345 us    |  xfs_btree_get_block [xfs]();\n"
      " 104)   ==========> |\n"
      " 104)   0.131 us    |  pick_next_task(rq=0xffff, prev=0x0); /* <-__schedule+0x154/0x700 ret=0x0 */\n");
  REQUIRE(read.rows.size() == 6);
  CHECK(read.rows[0].name == "funcgraph_entry");
  CHECK(read.rows[0].args == "__alloc_pages_direct_compact() {");
  CHECK(read.rows[0].cpu == 3);
  CHECK_FALSE(read.rows[0].pid);  // nobody said who ran
  CHECK_FALSE(read.rows[0].ts);
  CHECK(read.rows[1].args == "@ 184008.2 us |      compact_zone_order();");
  CHECK(read.rows[2].name == "funcgraph_exit");
  CHECK(read.rows[3].name == "mm_page_alloc");
  CHECK(read.rows[3].args == "page=ffffea0000a00000 pfn=2621440 order=9");
  CHECK(read.rows[4].pid == 0);  // the switch said so
  CHECK(read.rows[4].comm == "<idle>");
  CHECK(read.rows[5].cpu == 104);
  CHECK_FALSE(read.rows[5].pid);
  CHECK(read.lines.rejected == 0);
  CHECK(HasIssue(read, "no time stamps"));
  CHECK(HasIssue(read, "no tasks"));
}

TEST_CASE("function_graph with absolute time and tasks", "[line_format]") {
  LinesRead read = ReadAs(InputFormat::kFunctionGraph,
                          "  507.520069 |   53)   kworker-1507  |   0.102 us    |  iommu_unmap();\n"
                          " 2681.770600 |   0)  ls-1234  |  d..1 |   1.5 us    |  }\n"
                          "    0 us |   0)   bash-1507    |  d... |   0.000 us    |    fput();\n");
  REQUIRE(read.rows.size() == 3);
  CHECK(read.rows[0].ts == 507'520'069'000);
  CHECK(read.rows[0].comm == "kworker");
  CHECK(read.rows[0].pid == 1507);
  CHECK(read.rows[1].context == "d..1");
  CHECK(read.rows[1].name == "funcgraph_exit");
  CHECK(read.rows[2].pid == 1507);
  // Each flag is set (as kernels before 5.12 print four); names that are empty or have bars in them.
  struct Columns {
    const char* columns;
    const char* comm;
    const char* context;
  };
  for (const Columns& row :
       {Columns{"ls-1234  |  dNh2 ", "ls", "dNh2"}, Columns{"-1234  |  d.h2 ", "", "d.h2"},
        Columns{"l|1-1234  |  d..1 ", "l|1", "d..1"},
        Columns{"5.7 | a-1234  |  d..1 ", "5.7 | a", "d..1"}}) {
    CAPTURE(row.columns);
    LinesRead one = ReadAs(InputFormat::kFunctionGraph, " 2681.770600 |   0)  " + std::string(row.columns) +
                                                            "|   1.5 us    |  }\n");
    REQUIRE(one.rows.size() == 1);
    CHECK(one.rows[0].comm == row.comm);
    CHECK(one.rows[0].pid == 1234);
    CHECK(one.rows[0].context == row.context);
  }
}

TEST_CASE("systrace pages", "[line_format]") {
  const std::string event =
      "          <idle>-0     (-----) [001] d..3   269.641356: sched_switch: prev_comm=swapper/1 "
      "prev_pid=0\n";
  LinesRead page = ReadAs(
      InputFormat::kSystraceHtml,
      "<!DOCTYPE html>\n<html>\n<script class=\"trace-data\">\n# tracer: nop\n" + event + "</script>\n");
  REQUIRE(page.rows.size() == 1);
  CHECK(page.rows[0].comm == "<idle>");
  CHECK_FALSE(page.rows[0].tgid);
  // Old pages: a JavaScript string, and escaped.
  LinesRead old =
      ReadAs(InputFormat::kSystraceHtml,
             "<html>\n  var linuxPerfData = \"\\\n"
             "          &lt;idle&gt;-0     [001] d..3   269.641356: x: a=&lt;b&gt; c=&amp;d\\n\\\n");
  REQUIRE(old.rows.size() == 1);
  CHECK(old.rows[0].comm == "<idle>");
  CHECK(old.rows[0].args == "a=<b> c=&d");
}

TEST_CASE("mails: quotes, quoted-printable, no-break spaces", "[line_format]") {
  LinesRead read = ReadAs(InputFormat::kFtraceText,
                          ">> =A0=A0=A0 irq/50-dwc3-305=A0=A0=A0=A0 [000] d..1.=A0=A0 166.661845: dwc3=\n"
                          "_event: event=3D1 a=3D2\n"
                          "Regards =3D=\n");
  REQUIRE(read.rows.size() == 1);
  CHECK(read.rows[0].comm == "irq/50-dwc3");
  CHECK(read.rows[0].name == "dwc3_event");
  CHECK(read.rows[0].args == "event=1 a=2");
  CHECK(read.rows[0].line == 1);
  CHECK(read.lines ==
        LineCounts{.total = 3, .events = 1, .comments = 1, .continuations = 1, .markers = 0, .rejected = 0});
  // '=' stands for itself in a trace: "=30" is no code there.
  LinesRead trace = ReadAs(InputFormat::kFtraceText, "   a-1   [000] ....  1.000001: x: y=30 z=3D w=1\n");
  CHECK(trace.rows[0].args == "y=30 z=3D w=1");
}

TEST_CASE("hostile bytes are lines like any other", "[line_format]") {
  std::string text = "    init-1         3..... 1us : x: y=\xff\xfe";
  text += '\0';
  text += "\r\n";
  for (InputFormat format : {InputFormat::kFtraceText, InputFormat::kConsoleLog, InputFormat::kLatencyText,
                             InputFormat::kPerfScript, InputFormat::kTraceCmdReport,
                             InputFormat::kFunctionGraph, InputFormat::kSystraceHtml}) {
    CAPTURE(static_cast<int>(format));
    LinesRead read = ReadAs(format, text);
    if (format == InputFormat::kConsoleLog) {
      REQUIRE(read.rows.size() == 1);
      CHECK(read.rows[0].args.size() == 5);  // kept as bytes
    }
    // Every beginning of lines of every form.
    for (std::string line :
         {std::string("    init-1         3..... 35123us : x: y=1"),
          std::string("  work    69 [003]     5.607192:  1 page_ref:page_ref_set: pfn=0x39126"),
          std::string("       work-69    [002]     6.792132: page_ref_set:   pfn=0x1"),
          std::string(" 507.520069 |   53)   a-1  |  d... |   0.102 us    |  f(); /* = 0x0 */"),
          std::string(" 3)    bash-431    =>    <idle>-0"),
          std::string("<4>[   12.345678][   T12] Dumping ftrace buffer:"),
          std::string("4,1234,12345678,-;Nov 22 10:00:00 host kernel: x"),
          std::string("   bash  4251 1 0 00000000 00010a95 [58127d26] 1720.415ms (+0.000ms): k: x=1")}) {
      for (size_t length = 0; length <= line.size(); ++length) ReadAs(format, line.substr(0, length));
      for (size_t start = 0; start <= line.size(); ++start) ReadAs(format, line.substr(start));
    }
  }
}

TEST_CASE("what cannot be used is named, with what to record instead", "[line_format]") {
  TemporaryFolder folder;
  auto refusal = [&](const std::string& text) -> std::string {
    try {
      OpenRecording({.inputs = {folder.Write("t", text)}, .dmesg = {}, .probes = {}});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  std::string bare =
      "page_ref_set: pfn=0x1 flags=none\nfolio_unlock: (folio_unlock+0x0/0x30) folio=0x1\nx: a=1\n";
  CHECK(refusal(bare).find("echo 1 > options/context-info") != std::string::npos);
  // kernel/trace/trace.c: print_raw_fmt, print_hex_fmt (6.1); not recorded
  CHECK(
      refusal(
          "# tracer: nop\n#\n67 3 5364544123 type: 312\n67 3 5364544199 type: 313\n67 3 5364544200 type: 1\n"
          "67 3 5364544201 type: 1\n")
          .find("options/raw") != std::string::npos);
  CHECK(refusal("00000043 00000003 000000013fbe3c7b type: 312\n00000043 00000003 000000013fbe3c7c type: 312\n"
                "00000043 00000003 000000013fbe3c7d type: 312\n")
            .find("options/hex") != std::string::npos);
  std::string console =
      "[    0.000000] Linux version 6.1.192\n[    9.1] x\n[    9.200000] BUG: Bad page state in process thp "
      "mover  pfn:39200\n"
      "[    9.200000] flags: 0x80(waiters)\n[    9.3] x\n";
  CHECK(refusal(console).find("without an ftrace dump") != std::string::npos);
  CHECK(refusal(console).find("1 page-state report in line 3 (flags waiters)") != std::string::npos);
}

TEST_CASE("--input-format must fit", "[line_format]") {
  TemporaryFolder folder;
  std::string path =
      folder.Write("t", "   a-1   [000] ....  1.000001: x: y=1\n   a-1   [000] ....  1.000002: x: y=1\n");
  auto open = [&](const std::string& name) {
    RecordingOptions options{.inputs = {path}, .dmesg = {}, .probes = {}};
    options.input_format = name;
    return OpenRecording(options).trace_format;
  };
  CHECK(open("tracefs") == InputFormat::kFtraceText);
  CHECK(open("trace-cmd-report") == InputFormat::kTraceCmdReport);  // short texts of both are alike
  CHECK_THROWS_WITH(open("perf-script"),
                    Catch::Contains("perf script output, but it looks like a tracefs text"));
  CHECK_THROWS_WITH(open("trace.dat"), Catch::Contains("looks like a tracefs text"));
  CHECK_THROWS_WITH(open("nonsense"), Catch::Contains("there are tracefs, latency,"));
}

TEST_CASE("the console's time, from when its reporters ran", "[line_format]") {
  auto report = [](int64_t ms, int32_t pid) {
    ConsoleReport one{};
    one.pid = static_cast<Pid>(pid);
    one.printk_ts = ms * 1'000'000;
    return one;
  };
  std::vector<ConsoleReport> reports = {report(1000, 7), report(1200, 7)};
  auto switched = [](int64_t ms, int32_t prev, int32_t next) {
    Event event{};
    event.ts = ms * 1'000'000;
    event.cpu = 0;
    event.payload = SchedSwitch{static_cast<Pid>(prev), static_cast<Pid>(next), SleepState::kRunning};
    return event;
  };
  // Task 7 runs 1050..1052 and 1249..1251, and at no other time: the clocks are 50 ms apart.
  auto feed = [&](ConsoleTimeline* timeline) {
    for (const Event& event : {switched(0, 7, 0), switched(1050, 0, 7), switched(1052, 7, 0),
                               switched(1249, 0, 7), switched(1251, 7, 0), switched(3000, 0, 1)})
      timeline->See(event);
  };
  ConsoleTimeline timeline(reports);
  feed(&timeline);
  auto found = timeline.Find();
  REQUIRE(found);
  CHECK(std::abs(found->offset_ns - 50'500'000) <= 600'000);
  CHECK(found->error_ns <= 1'100'000);
  CHECK(found->reports == 2);
  // A report at a time no offset explains: nothing is said.
  reports.push_back(report(1100, 7));
  ConsoleTimeline contradicted(reports);
  feed(&contradicted);
  CHECK_FALSE(contradicted.Find());
  // Lost events could have had it: nothing is said either, or nothing exact.
  ConsoleTimeline lossy({report(1000, 7)});
  lossy.See(switched(0, 7, 0));
  lossy.See(LossMarker{LossMarker::Kind::kLost, 0, {}, 1, {}});
  lossy.See(switched(2500, 0, 7));
  CHECK_FALSE(lossy.Find());
  CHECK_FALSE(ConsoleTimeline({}).Find());
}

}  // namespace mmreplay
