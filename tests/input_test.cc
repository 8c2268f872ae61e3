#include <catch2/catch.hpp>
#include <cstdlib>

#include "parser/bundle.h"
#include "parser/error.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

const std::string kTraceText =
    "# tracer: nop\n#\n# entries-in-buffer/entries-written: 1/1   #P:4\n#\n"
    "           a-1       [000] ....     1.000001: sched_waking: comm=x pid=2 prio=120 target_cpu=001\n";

Recording Open(std::vector<std::string> inputs) {
  return OpenRecording({.inputs = std::move(inputs), .dmesg = {}, .probes = {}});
}

void Must(const std::string& command) {
  CAPTURE(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

}  // namespace

TEST_CASE("formats are told by content", "[input]") {
  CHECK(DetectFormat(kTraceText) == InputFormat::kFtraceText);
  CHECK(DetectFormat("# tracer: nop\n#\n# entries-in-buffer/entries-written: 0/0   #P:4\n") ==
        InputFormat::kFtraceText);
  CHECK(
      DetectFormat("cpus=4\n            work-69    [001]    10.182927: page_ref_set:         pfn=0x8b2b\n") ==
      InputFormat::kTraceCmdReport);
  CHECK(DetectFormat("            work    68 [002]    10.599180:                   page_ref:page_ref_set: "
                     "pfn=0x38d9b flags=none\n") == InputFormat::kPerfScript);
  CHECK(DetectFormat("# tracer: function_graph\n#\n 1)   0.345 us    |  fn();\n") ==
        InputFormat::kFunctionGraph);
  CHECK(DetectFormat("    init-1         1..... 16411us : page_ref_set: pfn=0x3310 flags=none count=1\n") ==
        InputFormat::kLatencyText);
  CHECK(DetectFormat("[    0.000000] Linux version 6.1.0\n[    0.000001] x86/fpu: foo\n") ==
        InputFormat::kConsoleLog);
  CHECK(
      DetectFormat("Linux (none) 6.1.0-56-arm64 #1 SMP Debian 6.1.192-2 (2026-11-16) aarch64 GNU/Linux\n") ==
      InputFormat::kUname);
  CHECK(DetectFormat(
            "entries: 1287\noverrun: 0\ncommit overrun: 0\nbytes: 60004\noldest event ts:     4.937965\n") ==
        InputFormat::kCpuStats);
  CHECK(DetectFormat("p:numa/a b x=%di\n") == InputFormat::kProbeDefinitions);
  CHECK(DetectFormat("  folio_wait_bit        185               0\n") == InputFormat::kProbeProfile);
  CHECK(DetectFormat(std::string("\x17\x08\x44tracing6\0", 12)) == InputFormat::kTraceDat);
  CHECK(DetectFormat("PERFILE2xxxxxxxx") == InputFormat::kPerfData);
  CHECK(DetectFormat(std::string(200, '\0')) == InputFormat::kBinary);
  CHECK(DetectFormat("") == InputFormat::kEmpty);
  CHECK(DetectFormat("Dear list,\n") == InputFormat::kText);
  CHECK(DetectFormat("<!DOCTYPE html>\n") == InputFormat::kHtml);
}

TEST_CASE("a directory is a recording", "[input]") {
  TemporaryFolder folder;
  folder.Write("trace.txt", kTraceText);
  folder.Write("probes", "p:x/w folio_wait_bit f=%di\n");
  folder.Write("log",
               "[    0.000000] Linux version 6.1.0-9-amd64\n[    1.000000] BUG: Bad page state in process a "
               "b  pfn:2600\n");
  folder.Write("stats", "== per_cpu/cpu1\nentries: 7\noverrun: 3\noldest event ts: 1\n");
  folder.Write("labels.tsv", "pid\tcomm\n1\ta\n");
  folder.Write("trace_clock", "local [global] counter uptime perf mono mono_raw boot tai x86-tsc\n");
  Recording recording = Open({folder.path()});
  CHECK(recording.probes.size() == 1);
  CHECK(recording.console.reports.size() == 1);
  CHECK(recording.kernel_release == "6.1.0-9-amd64");
  REQUIRE(recording.cpu_stats.size() == 1);
  CHECK(recording.cpu_stats[0].cpu == 1);
  CHECK(recording.cpu_stats[0].overrun == 3);
  CHECK(recording.clock == "global");
  CHECK(recording.sources.size() == 6);
}

TEST_CASE("the same by options", "[input]") {
  TemporaryFolder folder;
  std::string trace = folder.Write("trace.txt", kTraceText);
  std::string probes = folder.Write("probes", "p:x/w folio_wait_bit f=%di\n");
  std::string log = folder.Write("log", "BUG: Bad page state in process a b  pfn:2600\n");
  Recording recording = OpenRecording({.inputs = {trace}, .dmesg = log, .probes = probes});
  CHECK(recording.probes.size() == 1);
  CHECK(recording.console.reports.size() == 1);
  CHECK_THROWS_WITH(OpenRecording({.inputs = {trace}, .dmesg = probes, .probes = {}}),
                    Catch::Contains("--dmesg takes a console log"));
  CHECK_THROWS_WITH(OpenRecording({.inputs = {trace}, .dmesg = {}, .probes = log}),
                    Catch::Contains("--probes takes a list of probe definitions"));
}

TEST_CASE("compressed files and archives are read as they are", "[input]") {
  TemporaryFolder folder;
  folder.Write("trace.txt", kTraceText);
  folder.Write("kprobe_events.txt", "p:x/w folio_wait_bit f=%di\n");
  const std::string& f = folder.path();
  for (const char* tool : {"gzip", "xz", "zstd -q", "bzip2"}) {
    CAPTURE(tool);
    Must(std::string(tool) + " -c < " + f + "/trace.txt > " + f + "/packed");
    CHECK(Open({f + "/packed"}).trace.head == kTraceText);
    Must("tar -C " + f + " -cf - trace.txt kprobe_events.txt | " + tool + " -c > " + f + "/bundle");
    Recording recording = Open({f + "/bundle"});
    CHECK(recording.probes.size() == 1);
    CHECK(recording.trace.path == f + "/bundle:trace.txt");
    Analysis analysis({.inputs = {f + "/bundle"}, .dmesg = {}, .probes = {}});
    CHECK(analysis.facts().lines.events == 1);
  }
  Must("head -c 100 " + f + "/bundle > " + f + "/cut");
  CHECK_THROWS_AS(Open({f + "/cut"}), Error);
}

TEST_CASE("what cannot be read is refused with a sentence that names it", "[input]") {
  TemporaryFolder folder;
  CHECK_THROWS_WITH(Open({folder.path() + "/absent"}), Catch::Contains("absent: No such file"));
  CHECK_THROWS_WITH(Open({folder.path()}), Catch::Contains("has no files in it"));
  CHECK_THROWS_WITH(Open({folder.Write("e", "")}), Catch::Contains("e is empty"));
  // Read by its form, and refused where it is read.
  CHECK_THROWS_WITH(Analysis({.inputs = {folder.Write("p", "PERFILE2xxxxxxxx")}, .dmesg = {}, .probes = {}}),
                    Catch::Contains("p: the file is damaged"));
  CHECK_THROWS_WITH(Open({folder.Write("t", "Dear list,\n")}), Catch::Contains("text without trace events"));
  std::string trace = folder.Write("trace1", kTraceText);
  CHECK_THROWS_WITH(Open({trace, folder.Write("trace2", kTraceText)}), Catch::Contains("a second trace"));
}

TEST_CASE("of two console logs the one with reports counts", "[input]") {
  // Real: the sample's own log holds the kernel's reports.
  RecordingOptions options = SampleRecording("x86-fired.tar.xz");
  Recording alone = OpenRecording(options);
  REQUIRE(!alone.console.reports.empty());
  TemporaryFolder folder;
  options.inputs.push_back(folder.Write("later",
                                        "[  900.000001] systemd[1]: Stopped target Sound Card.\n"
                                        "[  900.000002] reboot: Restarting system\n"));
  Recording both = OpenRecording(options);
  CHECK(both.console.reports.size() == alone.console.reports.size());
  CHECK(both.sources.back().role == "other");
  CHECK(both.damage.size() == alone.damage.size());
}

TEST_CASE("a text in UTF-16 is called so", "[input]") {
  TemporaryFolder folder;
  std::string wide = "\xff\xfe";
  for (char c : std::string(kTraceText)) wide += std::string(1, c) + std::string(1, '\0');
  CHECK_THROWS_WITH(OpenRecording({.inputs = {folder.Write("trace", wide)}, .dmesg = {}, .probes = {}}),
                    Catch::Contains("is a text in UTF-16; give it as UTF-8"));
  // With the mark of UTF-8 it is a trace.
  std::string marked = folder.Write("marked", "\xef\xbb\xbf" + std::string(kTraceText));
  CHECK(Analysis({.inputs = {marked}, .dmesg = {}, .probes = {}}).facts().lines.events == 1);
}

TEST_CASE("a pipe with a name is read once, and whole", "[input]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  REQUIRE(Shell("tar -xOf samples/x86-fired.tar.xz x86-fired/trace.txt > " + f + "/trace && gzip -k " + f +
                "/trace && mkfifo " + f + "/fifo")
              .exit_code == 0);
  std::string whole = Shell("$MMREPLAY analyze " + f + "/trace").out;
  REQUIRE(whole.find("lines: 5,863 = ") != std::string::npos);
  for (const char* file : {"trace", "trace.gz"}) {
    CAPTURE(file);
    for (const char* command : {"analyze", "doctor"}) {
      Run run = Shell("cat " + f + "/" + file + " > " + f + "/fifo & timeout 60 $MMREPLAY " + command + " " +
                      f + "/fifo");
      CAPTURE(run.err, run.out);
      CHECK(run.exit_code == Shell(std::string("$MMREPLAY ") + command + " " + f + "/trace").exit_code);
      if (command[0] == 'a') CHECK(run.out.find("lines: 5,863 = ") != std::string::npos);
    }
  }
}

TEST_CASE("the folder of tracefs itself, with a file for each cpu", "[input]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  REQUIRE(Shell("mkdir -p " + f + "/per_cpu/cpu0 " + f + "/per_cpu/cpu1").exit_code == 0);
  for (const char* cpu : {"0", "1"}) {
    folder.Write(std::string("per_cpu/cpu") + cpu + "/trace",
                 std::string("# tracer: nop\n#\n   a-1   [00") + cpu +
                     "] ....     1.000001: sched_waking: comm=x pid=2 prio=120 target_cpu=001\n");
    folder.Write(std::string("per_cpu/cpu") + cpu + "/stats", "entries: 1\noverrun: 0\n");
  }
  Analysis analysis({.inputs = {f}, .dmesg = {}, .probes = {}});
  CHECK(analysis.facts().lines.events == 2);
  // The one trace of all cpus beside them says the same; reading a pipe of the ring buffer would take from
  // it.
  folder.Write("trace", kTraceText);
  folder.Write("trace_pipe", "");
  CHECK(Analysis({.inputs = {f}, .dmesg = {}, .probes = {}}).facts().lines.events == 1);
}

TEST_CASE("files for each cpu, with reasons of migrations as numbers and as names", "[input]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  REQUIRE(Shell("mkdir -p " + f + "/per_cpu/cpu0 " + f + "/per_cpu/cpu1").exit_code == 0);
  for (std::string cpu : {"0", "1"}) {
    std::string reason = cpu == "0" ? "5" : "mempolicy_mbind";
    std::string line = "   a-1" + cpu + "   [00" + cpu + "] ....     1.00000";
    folder.Write("per_cpu/cpu" + cpu + "/trace",
                 "# tracer: nop\n#\n" + line +
                     "1: mm_migrate_pages_start: mode=MIGRATE_SYNC reason=" + reason + "\n" + line +
                     "2: mm_migrate_pages: nr_succeeded=1 nr_failed=0 mode=MIGRATE_SYNC reason=" + reason +
                     "\n");
  }
  Analysis analysis({.inputs = {f}, .dmesg = {}, .probes = {}});
  CHECK(analysis.facts().lines.events == 4);
}

}  // namespace mmreplay
