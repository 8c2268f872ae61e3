// --event, --comm, --pid, --cpu, --time: what is kept, what is counted, and that nothing is made of what is
// left out.
#include "parser/event_filter.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "parser/error.h"
#include "parser/trace_reader.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

FilterOptions Time(const std::string& stretch) {
  return {.time = stretch};
}

std::string FilterError(const FilterOptions& options) {
  try {
    EventFilter filter(options);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

struct FilteredRead {
  std::vector<Event> events;
  std::vector<LossMarker> markers;
  std::vector<StackFrame> frames;
  LineCounts lines;
  std::vector<TraceIssue> issues;
  std::vector<Batch> batches;  // what the views borrow from
};

// In one batch; `filter` may be empty.
FilteredRead ReadText(std::string text, const FilterOptions& options) {
  FilteredRead read;
  StringTable strings;
  Decoder decoder(&strings, {}, {});
  EventFilter filter(options);
  size_t at = 0;
  TraceReader reader(
      [&](char* buffer, size_t size) {
        size_t got = std::min(size, text.size() - at);
        text.copy(buffer, got, at);
        at += got;
        return got;
      },
      MakeLineFormat(InputFormat::kFtraceText), &strings, &decoder);
  reader.set_filter(&filter);
  for (Batch batch; reader.Next(&batch); batch = Batch()) {
    read.events.insert(read.events.end(), batch.events.begin(), batch.events.end());
    read.markers.insert(read.markers.end(), batch.markers.begin(), batch.markers.end());
    read.frames.insert(read.frames.end(), batch.frames.begin(), batch.frames.end());
    read.batches.push_back(std::move(batch));
  }
  read.lines = reader.lines();
  read.issues = reader.Issues();
  return read;
}

std::vector<int64_t> Ids(const FilteredRead& read) {
  std::vector<int64_t> ids;
  for (const Event& event : read.events) ids.push_back(Value(event.id));
  return ids;
}

using Numbers = std::vector<int64_t>;

const std::string kText =
    "# tracer: nop\n"
    "            work-10    [000] .....     1.000001: sched_waking: comm=a pid=11 prio=120 target_cpu=001\n"
    "            work-10    [000] .....     1.000001: kernel_stack: <stack trace>\n"
    " => try_to_wake_up\n"
    " => wake_up_q\n"
    "         kworker/0:1-11    [001] .....     1.000002: mm_page_free: page=ffffea0000000040 pfn=0x1 "
    "order=0\n"
    "            work-10    [000] .....     1.000003: tracing_mark_write: a text\n"
    "that goes on\n"
    "            work-12    [002] .....     1.000004: x: y=1\n";

}  // namespace

TEST_CASE("a filter keeps what it names, with the ids and lines of the whole trace", "[filter]") {
  CHECK(Ids(ReadText(kText, {})) == Numbers{1, 2, 3, 4, 5});
  CHECK(Ids(ReadText(kText, {.event = "page_fr"})) == Numbers{3});
  CHECK(Ids(ReadText(kText, {.event = "^kmem:"})) == Numbers{3});
  CHECK(Ids(ReadText(kText, {.event = "^page_free"})) == Numbers{});
  CHECK(Ids(ReadText(kText, {.comm = "^work$"})) == Numbers{1, 2, 4, 5});
  CHECK(Ids(ReadText(kText, {.pid = "11,12"})) == Numbers{3, 5});
  CHECK(Ids(ReadText(kText, {.pid = "1,11-12"})) == Numbers{3, 5});
  CHECK(Ids(ReadText(kText, {.cpu = "1-2"})) == Numbers{3, 5});
  CHECK(Ids(ReadText(kText, Time("1.000002..1.000003"))) == Numbers{3, 4});
  CHECK(Ids(ReadText(kText, Time("1.000003.."))) == Numbers{4, 5});
  CHECK(Ids(ReadText(kText, Time("..1.000002"))) == Numbers{1, 2, 3});
  CHECK(Ids(ReadText(kText, {.comm = "work", .pid = "10", .time = "1.000002.."})) == Numbers{4});
  FilteredRead one = ReadText(kText, {.pid = "12"});
  REQUIRE(one.events.size() == 1);
  CHECK(one.events[0].line == 9);
}

TEST_CASE("every line stays accounted for, and what is left out is counted by filter", "[filter]") {
  FilteredRead all = ReadText(kText, {});
  CHECK(all.lines.left_out == 0);
  CHECK(all.issues.empty());
  for (const FilterOptions& options :
       {FilterOptions{.event = "page_free"}, FilterOptions{.comm = "work", .pid = "10"},
        FilterOptions{.cpu = "7"}, FilterOptions{.event = "nothing", .cpu = "0,1", .time = "1.000002.."}}) {
    FilteredRead some = ReadText(kText, options);
    LineCounts lines = some.lines;
    int64_t counted = 0;
    for (const TraceIssue& issue : some.issues) {
      CHECK(issue.kind == "filtered");
      CHECK(issue.severity == TraceIssue::Severity::kInfo);
      counted += issue.count;
    }
    CHECK(counted == lines.left_out);
    CHECK(static_cast<int64_t>(some.events.size()) + lines.left_out == lines.events);
    lines.left_out = 0;
    CHECK(lines == all.lines);
  }
  // Of several filters the first of --time, --cpu, --pid, --comm, --event that leaves an event out.
  FilteredRead three = ReadText(kText, {.event = "x", .pid = "10,12", .time = "1.000002.."});
  REQUIRE(three.issues.size() == 3);
  CHECK(three.issues[0].text == "left out by --time 1.000002..");
  CHECK(three.issues[0].count == 2);
  CHECK(three.issues[1].text == "left out by --pid 10,12");
  CHECK(three.issues[1].count == 1);
  CHECK(three.issues[2].text == "left out by --event x");
  CHECK(three.issues[2].count == 1);
}

TEST_CASE("a stack goes where its event goes", "[filter]") {
  // The stack is a record of its own, whose name no pattern for events means.
  FilteredRead kept = ReadText(kText, {.event = "sched_waking"});
  CHECK(Ids(kept) == Numbers{1, 2});
  CHECK(kept.frames.size() == 2);
  FilteredRead gone = ReadText(kText, {.event = "mm_page_free"});
  CHECK(gone.frames.empty());
  CHECK(gone.lines.continuations == 3);
  // Also where nothing before it is on record.
  std::string alone = kText.substr(kText.find("kernel_stack") - 48);
  alone = alone.substr(alone.find('\n') + 1);
  FilteredRead first =
      ReadText("            work-10    [000] .....     1.000001: kernel_stack: <stack trace>\n => f\n",
               {.event = "mm_page_free"});
  CHECK(first.events.empty());
  CHECK(first.frames.empty());
}

TEST_CASE("the replay is told what is left out", "[filter]") {
  using Kind = LossMarker::Kind;
  auto kinds = [](const FilteredRead& read) {
    std::vector<Kind> result;
    for (const LossMarker& marker : read.markers) result.push_back(marker.kind);
    return result;
  };
  // x and tracing_mark_write mean nothing to the model.
  CHECK(kinds(ReadText(kText, {.event = "mm_page_free|sched"})).empty());
  CHECK(kinds(ReadText(kText, {.event = "mm_page_free"})) == std::vector{Kind::kLeftOut});
  CHECK(kinds(ReadText(kText, {.pid = "10"})) == std::vector{Kind::kLeftOut});
  CHECK(kinds(ReadText(kText, Time("1.0..2"))).empty());
  CHECK(kinds(ReadText(kText, Time("1.000002.."))) == std::vector{Kind::kStretchBegins});
  CHECK(kinds(ReadText(kText, Time("1.000002..1.000003"))) ==
        std::vector{Kind::kStretchBegins, Kind::kStretchEnds});
}

TEST_CASE("losses belong to the stretch they are in", "[filter]") {
  auto event = [](int cpu, const char* time) {
    return "            work-10    [00" + std::to_string(cpu) + "] .....     " + time + ": x: y=1\n";
  };
  auto losses = [](const FilteredRead& read) {
    Numbers cpus;
    for (const LossMarker& marker : read.markers) {
      if (marker.kind == LossMarker::Kind::kLost) cpus.push_back(marker.cpu);
    }
    return cpus;
  };
  std::string text = event(0, "1.000001") + "CPU:0 [LOST 5 EVENTS]\n" + "CPU:1 [LOST 6 EVENTS]\n" +
                     event(0, "1.000002") + event(0, "1.000005") + "CPU:0 [LOST 7 EVENTS]\n" +
                     event(0, "1.000009") + "CPU:0 [LOST 8 EVENTS]\n" + event(0, "1.000010");
  CHECK(losses(ReadText(text, {})) == Numbers{0, 1, 0, 0});
  // The first one of cpu 0 is over before the stretch begins; what cpu 1 lost may reach into it. The last one
  // comes after its end.
  FilteredRead read = ReadText(text, Time("1.000004..1.000006"));
  CHECK(losses(read) == Numbers{1, 0});
  CHECK(read.lines.markers == 4);
  CHECK(Value(read.markers[1].next_event) == 3);
}

TEST_CASE("what a filter is given is checked", "[filter]") {
  CHECK(FilterError({.event = "("}) == "--event: (: missing ): (");
  CHECK(FilterError({.comm = "[a"}).starts_with("--comm: [a: missing ]"));
  CHECK(FilterError({.pid = "1,x"}) ==
        "--pid: 1,x: 'x' is no number: give numbers and ranges separated by commas (0,2,8-11)");
  CHECK(FilterError({.pid = ""}).starts_with("--pid: : '' is no number"));
  CHECK(FilterError({.pid = "99999999999"}).starts_with("--pid: 99999999999: "));
  CHECK(FilterError({.cpu = "3-1"}) ==
        "--cpu: 3-1: 3-1 ends before it begins: give the smaller number first");
  CHECK(FilterError(Time("5")).starts_with("--time: 5: is no stretch of time: give A..B"));
  CHECK(FilterError(Time("..")).starts_with("--time: ..: is no stretch of time"));
  CHECK(FilterError(Time("a..5")).starts_with("--time: a..5: 'a' is no time"));
  CHECK(FilterError(Time("1..2..3")).starts_with("--time: 1..2..3: '2..3' is no time"));
  CHECK(FilterError(Time("1.5..")) == "none");
  CHECK_THROWS_WITH(ReadText(kText, Time("2..1")),
                    "--time: 2..1: ends before it begins: give the earlier time first");
  // Whole numbers are seconds, or ticks where the clock counts them.
  CHECK(Ids(ReadText(kText, Time("1..2"))).size() == 5);
  std::string ticks = "            work-10    [000] ..... 1000000: x: y=1\n";
  CHECK(Ids(ReadText(ticks, Time("1000000..1000000"))) == Numbers{1});
  CHECK(Ids(ReadText(ticks, Time("..999999"))).empty());
  CHECK_THROWS_WITH(ReadText(ticks, Time("1.5..2")), Catch::Contains("the trace's clock counts ticks"));
}

// What a filter means, said in SQL.
struct Meaning {
  FilterOptions options;
  std::string where;
};

TEST_CASE("every form of input is filtered alike", "[filter]") {
  for (const char* sample : {"x86-fired.tar.xz", "x86-dat-fired.tar.xz", "x86-perf-zstd.tar.xz"}) {
    Analysis whole(SampleRecording(sample));
    std::string median = whole.Text(
        "SELECT printf('%d.%09d', ts / 1000000000, ts % 1000000000) FROM events ORDER BY ts LIMIT 1 "
        "OFFSET (SELECT count(*) / 2 FROM events)");
    std::string pid = whole.Text("SELECT pid FROM page_waits ORDER BY id LIMIT 1");
    std::string cpu = whole.Text("SELECT cpu FROM events WHERE pid = " + pid + " LIMIT 1");
    std::vector<Meaning> all = {
        {{.event = "page_ref|mm_page"}, "(name LIKE '%page_ref%' OR name LIKE '%mm_page%')"},
        {{.comm = "^toucher"}, "comm LIKE 'toucher%'"},
        {{.pid = "1-3," + pid}, "pid IN (1, 2, 3, " + pid + ")"},
        {{.cpu = "0,2"}, "cpu IN (0, 2)"},
        {{.pid = pid, .cpu = cpu}, "pid = " + pid + " AND cpu = " + cpu},
    };
    all.push_back({Time(".." + median),
                   "ts <= (SELECT ts FROM events ORDER BY ts LIMIT 1 OFFSET (SELECT "
                   "count(*) / 2 FROM events))"});
    for (const Meaning& meaning : all) {
      CAPTURE(sample, meaning.where);
      Analysis part(SampleRecording(sample), meaning.options);
      const std::string rows =
          "SELECT coalesce(sum(id * 7 + line * 3 + length(args)), 0) FROM events WHERE name <> "
          "'kernel_stack'";
      CHECK(part.Count("SELECT count(*) FROM events WHERE name <> 'kernel_stack'") ==
            whole.Count("SELECT count(*) FROM events WHERE name <> 'kernel_stack' AND " + meaning.where));
      CHECK(part.Count(rows) == whole.Count(rows + " AND " + meaning.where));
      CHECK(part.Count("SELECT count(*) FROM events") > 0);
      CHECK(part.Count("SELECT count(*) FROM stacks WHERE event_id NOT IN (SELECT id FROM events)") == 0);
      LineCounts lines = part.facts().lines;
      CHECK(part.Count("SELECT count(*) FROM events") + lines.left_out == lines.events);
      CHECK(part.Count("SELECT events_left_out FROM traces") == lines.left_out);
      CHECK(part.Count("SELECT sum(count) FROM trace_issues WHERE kind = 'filtered'") == lines.left_out);
      lines.left_out = 0;
      CHECK(lines == whole.facts().lines);
    }
  }
}

namespace {

int RankOf(const std::string& verdict) {
  const std::array<const char*, 3> grades = {"latent", "probable", "confirmed"};
  return static_cast<int>(std::find(grades.begin(), grades.end(), verdict) - grades.begin() + 1) % 4;
}

// Verdicts by the event a wait begins with.
std::map<int64_t, std::string> Verdicts(const Analysis& analysis) {
  std::map<int64_t, std::string> verdicts;
  Statement query(analysis.db(), "SELECT begin_event, verdict FROM page_waits");
  while (query.Step()) verdicts.emplace(query.Int(0), query.Text(1));
  return verdicts;
}

// No wait looks worse than in the whole recording, nor safe where it was not.
void CheckNoneRises(const std::map<int64_t, std::string>& whole, const Analysis& part) {
  for (const auto& [begin, verdict] : Verdicts(part)) {
    const std::string& before = whole.at(begin);
    CAPTURE(begin, verdict, before);
    CHECK(RankOf(verdict) <= RankOf(before));
    CHECK((verdict != "benign" || before == "benign" || before == "unknown"));
  }
}

int64_t OtherFindings(const Analysis& analysis) {
  return analysis.Count(
      "SELECT coalesce(sum(findings), 0) FROM rule_results WHERE severity IN ('error', 'warning') AND rule "
      "<> "
      "'wait_on_freed_page'");
}

const std::vector<const char*> kSick = {"410-x86-fired-nochurn.tar.xz", "x86-fired.tar.xz",
                                        "arm64-latent.tar.xz"};
const std::vector<const char*> kHealthy = {"410-x86-held0.tar.xz", "x86-fixed.tar.xz", "arm64-stock.tar.xz",
                                           "stock-5.10-amd64.tar.gz"};

}  // namespace

TEST_CASE("nothing is judged once a filter left out what decides", "[filter]") {
  for (const char* sample : {"410-x86-fired-nochurn.tar.xz", "x86-fired.tar.xz", "x86-fixed.tar.xz"}) {
    Analysis whole(SampleRecording(sample));
    std::string waiter = std::to_string(whole.Count("SELECT pid FROM page_waits ORDER BY id LIMIT 1"));
    for (const FilterOptions& options :
         {FilterOptions{.pid = waiter}, FilterOptions{.cpu = "0,1"}, FilterOptions{.comm = "toucher"},
          FilterOptions{.event = "wait|page_ref_mod$|mm_page|lock_|migr"}, FilterOptions{.event = "wait"}}) {
      CAPTURE(sample, options.pid.value_or(""), options.event.value_or(""));
      Analysis part(SampleRecording(sample), options);
      CHECK(part.Count("SELECT count(*) FROM page_waits") > 0);
      CHECK(part.Count("SELECT count(*) FROM page_waits WHERE verdict <> 'unknown'") == 0);
      CHECK(part.Count("SELECT count(*) FROM findings") == 0);
      CHECK(part.Count("SELECT count(*) FROM anomalies") == 0);
      // What was replayed before is right.
      CHECK(part.Count(
                "SELECT count(*) FROM page_refs WHERE replayed IS NOT NULL AND event_id > (SELECT next_event "
                "FROM trace_marker WHERE kind = 4)") == 0);
      CHECK(part.Count("SELECT ref_anchors FROM traces") == 0);
      CHECK(part.Count("SELECT count(*) FROM rule_results WHERE applicable") == 0);
      CHECK(part.ExitCode() == 3);
    }
  }
}

TEST_CASE("events without a meaning to the model may be left out", "[filter]") {
  for (const std::string name : {"410-x86-fired-nochurn", "x86-fired", "arm64-latent"}) {
    // A real recording, into which an interrupt was put after every third event.
    TemporaryFolder folder;
    std::string unpack = "tar xJf samples/" + name + ".tar.xz -C " + folder.path();
    REQUIRE(
        Shell(unpack + " && cd " + folder.path() + "/" + name +
              R"( && awk '{print} /^ .*: / && ++n % 3 == 0 {match($0, /[0-9]: /); )"
              R"(print substr($0, 1, RSTART) ": irq_handler_entry: irq=1 name=timer"}' trace.txt > noisy && )"
              "mv noisy trace.txt")
            .exit_code == 0);
    RecordingOptions noisy{.inputs = {folder.path() + "/" + name}, .dmesg = {}, .probes = {}};
    Analysis whole(noisy);
    Analysis part(noisy, FilterOptions{.event = "^([^i]|i[^r])"});
    CAPTURE(name);
    CHECK(part.facts().lines.left_out == whole.Count("SELECT count(*) FROM irq_handler_entry"));
    CHECK(part.facts().lines.left_out > 1000);
    CHECK(Verdicts(part) == Verdicts(whole));
    CHECK(part.ExitCode() == 1);
    CHECK(part.Count("SELECT count(*) FROM findings") == whole.Count("SELECT count(*) FROM findings"));
    CHECK(part.Count("SELECT ref_anchors_matched FROM traces") ==
          whole.Count("SELECT ref_anchors_matched FROM traces"));
  }
}

TEST_CASE("what was left out is said, and a replay of what was kept says the same", "[filter]") {
  TemporaryFolder folder;
  auto analyze = [&](const std::string& filters) {
    return Shell("$MMREPLAY analyze samples/x86-fired.tar.xz " + filters);
  };
  Run pid = analyze("--pid 67");
  CHECK(pid.exit_code == 3);
  CHECK(pid.out.starts_with("CANNOT TELL: events that decide were left out, so no wait can be judged\n"));
  CHECK(pid.out.find("lines: 5,863 = 5,851 events + ") != std::string::npos);
  CHECK(pid.out.find(" left out by --pid 67\n") != std::string::npos);
  CHECK(pid.out.find("not judged: events that decide were left out") != std::string::npos);
  CHECK(analyze("--pid 67 --format json").out.find("\"text\": \"left out by --pid 67\"") !=
        std::string::npos);

  Run time = analyze("--time 5.7..5.9");
  CHECK(time.exit_code == 1);
  CHECK(time.out.starts_with("FOUND: "));
  CHECK(time.out.find("\nevents: 5,851 = ") != std::string::npos);
  CHECK(time.out.find(" left out by --time 5.7..5.9\n") != std::string::npos);

  Run nothing = analyze("--time 500.. -o " + folder.path() + "/no.db");
  CHECK(nothing.exit_code == 2);
  CHECK(
      nothing.err.find("samples/x86-fired.tar.xz: --time 500..: none of the 5851 events is let through: the "
                       "trace goes from ") != std::string::npos);
  CHECK(Shell("ls " + folder.path()).out.empty());
  CHECK(analyze("--comm nobody").err.find("--comm nobody: none of the 5851 events is let through") !=
        std::string::npos);
  CHECK(analyze("--cpu a").err.find("--cpu: a: 'a' is no number") != std::string::npos);

  for (const char* filters : {"--time 5.7..5.9", "--pid 67", "--event 'page|wait' --cpu 0-2"}) {
    CAPTURE(filters);
    std::string a = folder.path() + "/a.db";
    std::string b = folder.path() + "/b.db";
    Run first = analyze(std::string(filters) + " -o " + a);
    Run again = Shell("$MMREPLAY replay " + a + " -o " + b);
    CHECK(first.out == again.out);
    CHECK(first.exit_code == again.exit_code);
    CHECK(Shell("sqlite3 " + a + " .dump | cksum").out == Shell("sqlite3 " + b + " .dump | cksum").out);
  }
}

TEST_CASE("no grade rises in a stretch of time", "[filter]") {
  std::vector<const char*> samples = kSick;
  samples.insert(samples.end(), kHealthy.begin(), kHealthy.end());
  for (const char* sample : samples) {
    Analysis whole(SampleRecording(sample));
    std::map<int64_t, std::string> verdicts = Verdicts(whole);
    bool healthy = std::find(kHealthy.begin(), kHealthy.end(), sample) != kHealthy.end();
    int64_t judged_alike = 0;
    // Ends that fall among the events round a wait, where they hurt most.
    std::vector<int64_t> begins;
    for (const auto& [begin, verdict] : verdicts) begins.push_back(begin);
    constexpr size_t kWaitsTried = 6;
    size_t step = std::max<size_t>(begins.size() / kWaitsTried, 1);
    for (size_t i = 0; i < begins.size(); i += step) {
      std::string own = "(SELECT ts FROM events WHERE pid = (SELECT pid FROM events WHERE id = " +
                        std::to_string(begins[i]) + ") AND id ";
      auto stamp = [&](const std::string& of) {
        return whole.Text("SELECT printf('%d.%09d', t / 1000000000, t % 1000000000) FROM (SELECT " + of +
                          " AS t) WHERE t IS NOT NULL");
      };
      for (int own_events : {0, 1, 3, 9}) {
        std::string far = std::to_string(own_events);
        std::string head =
            stamp(own + "<= " + std::to_string(begins[i]) + " ORDER BY id DESC LIMIT 1 OFFSET " + far + ")");
        std::string tail =
            stamp(own + "> " + std::to_string(begins[i]) + " ORDER BY id LIMIT 1 OFFSET " + far + ")");
        for (const std::string& stretch : {head + "..", ".." + tail, head + ".." + tail}) {
          if (stretch == "..") continue;
          CAPTURE(sample, begins[i], stretch);
          Analysis part(SampleRecording(sample), Time(stretch));
          CheckNoneRises(verdicts, part);
          if (healthy) CHECK(OtherFindings(part) == 0);
          for (const auto& [begin, verdict] : Verdicts(part)) judged_alike += verdict == verdicts.at(begin);
        }
      }
    }
    // Nor does it become blind.
    CHECK(judged_alike > static_cast<int64_t>(verdicts.size()));
  }
}

}  // namespace mmreplay
