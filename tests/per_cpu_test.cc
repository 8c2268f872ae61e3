// A recording copied from tracefs cpu by cpu: per_cpu/cpu*/trace and stats. Made of samples, line by line.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>

#include "parser/buffer_starts.h"
#include "parser/lines.h"
#include "tests/analysis.h"
#include "tests/binary.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;

std::string Member(const std::string& sample, InputFormat format) {
  return ExtractMember(SampleArchive(sample), format);
}

// The lines of the trace that tell of a cpu, and its head.
struct SplitTrace {
  std::string head;
  std::map<int, std::string> cpus;
};

SplitTrace Split(const std::string& trace) {
  SplitTrace split;
  ForEachLine(trace, [&](std::string_view line) {
    size_t open = line.find(" [00");
    if (line.starts_with("#") || open == std::string_view::npos) {
      split.head += std::string(line) + "\n";
    } else {
      split.cpus[line[open + 4] - '0'] += std::string(line) + "\n";
    }
  });
  return split;
}

std::string CpuFolder(const TemporaryFolder& folder, int cpu) {
  std::string name = "per_cpu/cpu" + std::to_string(cpu);
  fs::create_directories(folder.path() + "/" + name);
  return name;
}

// What tracefs has, but for stats.
void WriteRecording(const TemporaryFolder& folder, const std::string& sample, const SplitTrace& split) {
  for (const auto& [cpu, lines] : split.cpus)
    folder.Write(CpuFolder(folder, cpu) + "/trace", split.head + lines);
  folder.Write("kprobe_events", Member(sample, InputFormat::kProbeDefinitions));
  folder.Write("uname", Member(sample, InputFormat::kUname));
}

RecordingOptions Folder(const TemporaryFolder& folder) {
  return {.inputs = {folder.path()}, .dmesg = {}, .probes = {}};
}

// The head says that the ring buffers had overwritten events.
std::string Overwritten(std::string head) {
  size_t at = head.find("entries-written: ");
  size_t slash = head.find('/', at);
  REQUIRE(slash != std::string::npos);
  head.insert(slash + 1, "9");
  return head;
}

}  // namespace

TEST_CASE("the files of the cpus say what the trace of all says", "[per_cpu]") {
  for (const char* sample : {"x86-fixed", "x86-fired"}) {
    CAPTURE(sample);
    std::string trace = Member(sample, InputFormat::kFtraceText);
    SplitTrace split = Split(trace);
    REQUIRE(split.cpus.size() == 4);
    for (bool overwritten : {false, true}) {
      CAPTURE(overwritten);
      if (overwritten) split.head = Overwritten(split.head);
      TemporaryFolder cpus;
      WriteRecording(cpus, sample, split);
      TemporaryFolder one;
      one.Write("trace", (overwritten ? Overwritten(trace) : trace));
      one.Write("kprobe_events", Member(sample, InputFormat::kProbeDefinitions));
      one.Write("uname", Member(sample, InputFormat::kUname));
      Analysis of_cpus(Folder(cpus));
      Analysis of_all(Folder(one));
      // A trace of all cpus that has nothing but its head says nothing else.
      cpus.Write("trace", split.head);
      CHECK(Analysis(Folder(cpus)).facts().lines.events == of_cpus.facts().lines.events);
      CHECK(unlink((cpus.path() + "/trace").c_str()) == 0);
      CHECK(of_cpus.ExitCode() == of_all.ExitCode());
      CHECK(of_cpus.facts().lines.events == of_all.facts().lines.events);
      CHECK(of_cpus.Count("SELECT count(*) FROM gaps") == (overwritten ? 4 : 0));
      for (const char* sql :
           {"SELECT group_concat(cpu || ' ' || ifnull(to_ts, '-')) FROM (SELECT * FROM gaps ORDER BY cpu)",
            "SELECT group_concat(grade) FROM (SELECT grade FROM findings ORDER BY 1)",
            "SELECT group_concat(kind) FROM (SELECT kind FROM trace_issues ORDER BY 1)"})
        CHECK(of_cpus.Text(sql) == of_all.Text(sql));
      // Replayed from its database it says the same.
      std::string db = cpus.path() + ".db";
      int exit_code = Shell("$MMREPLAY analyze " + cpus.path() + " -o " + db).exit_code;
      CHECK(Shell("$MMREPLAY replay " + db).exit_code == exit_code);
      unlink(db.c_str());
    }
  }
}

TEST_CASE("a cpu's file that is missing or no trace is no clean recording", "[per_cpu]") {
  SplitTrace split = Split(Member("x86-fixed", InputFormat::kFtraceText));
  {
    TemporaryFolder folder;
    WriteRecording(folder, "x86-fixed", split);
    CHECK(Analysis(Folder(folder)).ExitCode() == 0);
    // Not one event, as of a trace_pipe.
    folder.Write("per_cpu/cpu3/trace", "");
    Analysis empty(Folder(folder));
    CHECK(empty.ExitCode() == 3);
    CHECK(empty.Count("SELECT count(*) FROM trace_issues WHERE kind = 'events missing'") == 1);
    std::string noise = "\x01\x02";
    for (int i = 0; i < 700; ++i) noise += static_cast<char>(i * 37);
    folder.Write("per_cpu/cpu3/trace", noise);
    Analysis damaged(Folder(folder));
    CHECK(damaged.ExitCode() == 3);
    CHECK(damaged.Text("SELECT text FROM trace_issues WHERE kind = 'damaged'")
              .find("per_cpu/cpu3/trace: is the file of a cpu, and looks like a binary file") !=
          std::string::npos);
    fs::remove(folder.path() + "/per_cpu/cpu3/trace");
    fs::create_symlink("/nowhere", folder.path() + "/per_cpu/cpu3/trace");
    auto check_unreadable = [&] {
      Analysis without(Folder(folder));
      CHECK(without.ExitCode() == 3);
      CHECK(without.facts().lines.events > 1000);
      CHECK(without.Text("SELECT text FROM trace_issues WHERE kind = 'damaged'")
                .find("per_cpu/cpu3/trace: is no file that can be read") != std::string::npos);
      Run triage = Shell("$MMREPLAY triage " + folder.path());
      CHECK(triage.exit_code == 3);
      CHECK(triage.out.find("logs: 1 = 0 found + 0 clean + 1 cannot tell") != std::string::npos);
    };
    check_unreadable();
    fs::remove(folder.path() + "/per_cpu/cpu3/trace");
    fs::create_directory(folder.path() + "/per_cpu/cpu3/trace");
    check_unreadable();
    fs::remove(folder.path() + "/per_cpu/cpu3/trace");
    REQUIRE(mkfifo((folder.path() + "/per_cpu/cpu3/trace").c_str(), 0600) == 0);
    check_unreadable();
  }
  // Of a single trace somebody took a part, as one may: it is told.
  TemporaryFolder folder;
  WriteRecording(folder, "x86-fixed", SplitTrace{split.head, {{0, split.cpus[0]}}});
  fs::rename(folder.path() + "/per_cpu/cpu0/trace", folder.path() + "/trace");
  Analysis part(Folder(folder));
  CHECK(part.Text("SELECT severity FROM trace_issues WHERE kind = 'events missing'") == "warning");
}

TEST_CASE("each cpu's stats are its own", "[per_cpu]") {
  SplitTrace split = Split(Member("x86-fixed", InputFormat::kFtraceText));
  TemporaryFolder folder;
  WriteRecording(folder, "x86-fixed", split);
  for (int cpu = 0; cpu < 4; ++cpu) {
    folder.Write("per_cpu/cpu" + std::to_string(cpu) + "/stats",
                 std::string("entries: 7\noverrun: ") + (cpu == 2 ? "5" : "0") +
                     "\ncommit overrun: 0\nbytes: 60004\noldest event ts:     4.937965\n");
  }
  CHECK(Analysis(Folder(folder)).Text("SELECT group_concat(cpu) FROM gaps") == "2");
}

TEST_CASE("a cpu whose statistics call its first event the oldest lost nothing before it", "[per_cpu]") {
  const CpuStats overwritten{.cpu = 0, .overrun = 7, .oldest_us = 5};
  const CpuStats whole{.cpu = 1, .oldest_us = 12};
  auto batch_of = [](std::vector<LossMarker> markers, std::vector<Event> events) {
    Batch batch;
    batch.markers = std::move(markers);
    batch.events = std::move(events);
    return batch;
  };
  auto start = [](int32_t cpu, int64_t next) {
    return LossMarker{LossMarker::Kind::kBufferStarted, cpu, {}, 1, static_cast<EventId>(next)};
  };
  auto event = [](int64_t id, int32_t cpu, int64_t ts) {
    return Event{.id = static_cast<EventId>(id), .ts = ts, .cpu = cpu};
  };

  BufferStarts starts({overwritten, whole});
  // What tells of no loss goes: with its event, or with the event that only the next batch has.
  Batch first = batch_of({start(0, 1), start(1, 2), start(1, 3), start(1, 4)},
                         {event(1, 0, 5'000), event(2, 1, 12'345), event(3, 1, 13'000)});
  starts.Sort(false, &first);
  REQUIRE(first.markers.size() == 2);
  CHECK(first.markers[0].cpu == 0);
  CHECK(first.markers[1].next_event == EventId{3});
  Batch next = batch_of({start(0, 4)}, {event(4, 1, 12'999)});
  starts.Sort(false, &next);
  REQUIRE(next.markers.size() == 1);
  CHECK(next.markers[0].cpu == 0);
  // A trace that ends with one has it at its end.
  Batch last = batch_of({start(1, 6)}, {event(5, 0, 14'000)});
  starts.Sort(false, &last);
  CHECK(last.markers.empty());
  Batch rest;
  starts.Finish(&rest);
  CHECK(rest.markers.size() == 1);
  // However many there are, and whatever else: one of each cpu is kept.
  for (int i = 0; i < 3; ++i) {
    Batch many = batch_of({start(1, 7), start(1, 7), start(0, 7), start(1, 7)}, {});
    many.markers.push_back({LossMarker::Kind::kLost, 1, 5, 1, EventId{7}});
    starts.Sort(false, &many);
    CHECK(many.markers.size() == 2);
  }
  Batch one;
  starts.Finish(&one);
  CHECK(one.markers.size() == 1);

  // Nothing was overwritten: the statistics are of another time. Ticks are no microseconds.
  Batch same = batch_of({start(1, 1)}, {event(1, 1, 12'345)});
  BufferStarts({whole}).Sort(false, &same);
  CHECK(same.markers.size() == 1);
  starts.Sort(true, &same);
  CHECK(same.markers.size() == 1);
}

TEST_CASE("events that found a buffer full are lost at its end", "[per_cpu]") {
  SplitTrace split = Split(Member("x86-fixed", InputFormat::kFtraceText));
  TemporaryFolder folder;
  WriteRecording(folder, "x86-fixed", split);
  for (int cpu = 0; cpu < 4; ++cpu) {
    // ULONG_MAX is no number of events, and not none either.
    folder.Write("per_cpu/cpu" + std::to_string(cpu) + "/stats",
                 std::string("entries: 7\noverrun: ") + (cpu == 3 ? "18446744073709551615" : "0") +
                     "\ncommit overrun: 0\nbytes: 60004\noldest event ts:     4.937965\nnow ts:    "
                     "12.0\ndropped events: " +
                     (cpu == 1 ? "5" : "0") + "\nread events: 0\n");
  }
  Analysis analysis(Folder(folder));
  CHECK(analysis.Count("SELECT count(*) FROM trace_issues WHERE severity = 'error'") == 0);
  CHECK(analysis.Text("SELECT group_concat(cpu) FROM (SELECT cpu FROM gaps ORDER BY cpu)") == "1,3");
  CHECK(analysis.Count(
            "SELECT count(*) FROM gaps WHERE cpu = 1 AND to_ts IS NULL AND from_ts = (SELECT max(ts) "
            "FROM events WHERE cpu = 1)") == 1);
  // One that was being read went on behind them: they may be missing anywhere.
  folder.Write(
      "per_cpu/cpu1/stats",
      "entries: 7\noverrun: 0\ncommit overrun: 0\nbytes: 60004\noldest event ts:     4.937965\nnow ts:    "
      "12.0\ndropped events: 5\nread events: 4000\n");
  CHECK(Analysis(Folder(folder))
            .Count("SELECT count FROM trace_issues WHERE kind = 'events dropped' AND severity = "
                   "'error'") == 5);
  for (const char* cpu : {"0", "1"})
    folder.Write(std::string("per_cpu/cpu") + cpu + "/stats",
                 "entries: 7\noverrun: 0\ncommit overrun: 0\nbytes: 60004\noldest event ts:     4.937965\n"
                 "dropped events: 18446744073709551615\nread events: 4000\n");
  CHECK(Analysis(Folder(folder)).Count("SELECT count FROM trace_issues WHERE kind = 'events dropped'") ==
        INT64_MAX);
}

TEST_CASE("a number of lost events that cannot be read is not none", "[per_cpu]") {
  TemporaryFolder folder;
  WriteRecording(folder, "x86-fixed", Split(Member("x86-fixed", InputFormat::kFtraceText)));
  for (const char* key : {"overrun", "commit overrun", "dropped events"}) {
    for (const char* number : {"0", "1,234", "-1", "x", "", "11111111111111111111111"}) {
      std::string stats =
          "entries: 7\noverrun: 0\ncommit overrun: 0\nbytes: 60004\noldest event ts:     4.937965\n"
          "now ts:    12.0\ndropped events: 0\nread events: 0\n";
      std::string line = std::string("\n") + key + ": ";
      stats.replace(stats.find(line) + line.size(), 1, number);
      folder.Write("per_cpu/cpu0/stats", stats);
      Run run = Shell("$MMREPLAY analyze " + folder.path());
      CAPTURE(key, number, run.out);
      bool read = std::string(number) == "0";
      CHECK(run.exit_code == (read ? 0 : 3));
      CHECK((run.out.find("per_cpu/cpu0/stats: no number is in") == std::string::npos) == read);
    }
  }
  // What stands behind it counts.
  folder.Write("per_cpu/cpu0/stats",
               "entries: 7\noverrun: x\ncommit overrun: 0\nbytes: 60004\noldest event ts:     4.937965\n"
               "now ts:    12.0\ndropped events: 77\nread events: 4000\n");
  CHECK(Analysis(Folder(folder)).Count("SELECT count FROM trace_issues WHERE kind = 'events dropped'") == 77);
}

TEST_CASE("a long line of one cpu's file is read, and what is not read names its file", "[per_cpu]") {
  TemporaryFolder folder;
  std::string line =
      "   a-1   [000] ....     1.000001: tracing_mark_write: " + std::string(100'000, 'x') + "\n";
  folder.Write(CpuFolder(folder, 0) + "/trace", "# tracer: nop\n#\n" + line);
  std::string other =
      "   b-2   [001] ....     1.000002: sched_waking: comm=x pid=2 prio=120 target_cpu=001\n";
  folder.Write(CpuFolder(folder, 1) + "/trace", "# tracer: nop\n#\n" + other);
  Analysis whole(Folder(folder));
  CHECK(whole.facts().lines.events == 2);
  CHECK(whole.Count("SELECT count(*) FROM trace_issues WHERE kind = 'line too long'") == 0);
  folder.Write("per_cpu/cpu0/trace", "# tracer: nop\n#\n" + line + std::string(2'000'000, 'y') + "\n");
  Analysis longer(Folder(folder));
  CHECK(longer.facts().lines.events == 2);
  CHECK(
      longer.Text("SELECT text FROM trace_issues WHERE kind = 'line too long'").find("per_cpu/cpu0/trace)") !=
      std::string::npos);
}

TEST_CASE("triage takes the files of the cpus for the recording that analyze takes them for", "[per_cpu]") {
  SplitTrace split = Split(Member("x86-fired", InputFormat::kFtraceText));
  TemporaryFolder folder;
  WriteRecording(folder, "x86-fired", split);
  folder.Write("per_cpu/cpu2/stats", "entries: 7\noverrun: 0\ncommit overrun: 0\n");
  Run triage = Shell("$MMREPLAY triage " + folder.path());
  CHECK(triage.exit_code == 1);
  CHECK(triage.out.find("logs: 1 = 1 found") != std::string::npos);
  CHECK(triage.out.find("files: 7 = 0 by themselves + 7 in bundles + 0 met again") != std::string::npos);
  // Cpus that were idle have a head and nothing else.
  for (int cpu = 4; cpu < 8; ++cpu) folder.Write(CpuFolder(folder, cpu) + "/trace", split.head);
  Run idle = Shell("$MMREPLAY triage " + folder.path());
  CHECK(idle.exit_code == 1);
  CHECK(idle.out.find("logs: 1 = 1 found") != std::string::npos);
  // Beside the trace of all cpus theirs say the same.
  folder.Write("trace", Member("x86-fired", InputFormat::kFtraceText));
  Run beside = Shell("$MMREPLAY triage " + folder.path());
  CHECK(beside.exit_code == 1);
  CHECK(beside.out.find("logs: 1 = 1 found") != std::string::npos);
}

TEST_CASE("hundreds of files of cpus are one trace, in order", "[per_cpu]") {
  TemporaryFolder folder;
  for (int cpu = 0; cpu < 600; ++cpu) {
    std::string text = "# tracer: nop\n#\n";
    std::string head = "   a-1   [" + std::to_string(1000 + cpu).substr(1) + "] ....     1.";
    for (int i = 0; i < 100; ++i) {
      text += head + std::to_string(100'000 + i * 600 + cpu) +
              ": sched_waking: comm=x pid=2 prio=120 target_cpu=001\n";
    }
    folder.Write(CpuFolder(folder, cpu) + "/trace", text);
  }
  Analysis many(Folder(folder));
  CHECK(many.facts().lines.events == 60'000);
  CHECK(many.Count("SELECT count(*) FROM (SELECT ts, lag(ts) OVER (ORDER BY id) AS before FROM events) "
                   "WHERE before >= ts") == 0);
}

// Synthetic.
TEST_CASE("what was read of cpus with very many losses can be replayed", "[per_cpu]") {
  TemporaryFolder folder;
  for (int cpu = 0; cpu < 6; ++cpu) {
    std::string text = "# tracer: nop\n";
    for (int i = 0; i < 45'000; ++i) text += "CPU:" + std::to_string(cpu) + " [LOST 3 EVENTS]\n";
    text += "  a-7   [00" + std::to_string(cpu) + "] d..2.  1.00000" + std::to_string(cpu) + ": x: y=1\n";
    folder.Write(CpuFolder(folder, cpu) + "/trace", text);
  }
  std::string database = folder.path() + "/m.db";
  Run analyze = Shell("$MMREPLAY analyze " + folder.path() + " -o " + database);
  CHECK(analyze.exit_code == 3);
  CHECK(analyze.out.find(" 270,000 markers") != std::string::npos);
  Run replay = Shell("$MMREPLAY replay " + database + " -o " + database + ".new");
  CHECK(replay.exit_code == 3);
  CHECK(replay.err.empty());
}

}  // namespace mmreplay
