// Real recordings, as other tools and terminals print or keep them: nothing of what they say may be lost or
// become more certain.
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "parser/lines.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

SampleFiles ReadSample(const std::string& sample, const std::string& trace) {
  return ReadSampleFiles(SampleArchive(sample), {trace}, {"kprobe_events.txt", "uname.txt", "dmesg.txt"});
}

struct Verdicts {
  std::map<std::string, int64_t> grades;
  int64_t events = 0;
  int64_t rejected = 0;
  int64_t marks = 0;    // events of trace_marker
  int64_t reports = 0;  // of the kernel
  std::vector<std::string> comms;
  std::string issues;
  int exit_code = 0;

  int64_t Of(const std::string& grade) const {
    auto found = grades.find(grade);
    return found == grades.end() ? 0 : found->second;
  }
};

Verdicts Judge(const SampleFiles& files, const std::string& text) {
  TemporaryFolder folder;
  RecordingOptions options;
  options.inputs.push_back(folder.Write("trace.txt", text));
  for (const auto& [name, content] : files.others) options.inputs.push_back(folder.Write(name, content));
  Analysis analysis(options);
  Verdicts verdicts;
  for (const WaitRow& wait : analysis.Waits()) {
    ++verdicts.grades[wait.verdict];
    verdicts.comms.push_back(wait.comm);
  }
  std::sort(verdicts.comms.begin(), verdicts.comms.end());
  verdicts.events = analysis.facts().lines.events;
  verdicts.rejected = analysis.facts().lines.rejected;
  verdicts.marks = analysis.Count("SELECT count(*) FROM events WHERE name = 'tracing_mark_write'");
  verdicts.reports = static_cast<int64_t>(analysis.recording().console.reports.size());
  verdicts.issues = analysis.Text("SELECT coalesce(group_concat(kind, ', '), '') FROM trace_issues");
  verdicts.exit_code = analysis.ExitCode();
  return verdicts;
}

Lines Changed(const Lines& lines, const std::function<std::string(const std::string&)>& change) {
  Lines changed;
  for (const std::string& line : lines) changed.push_back(change(line));
  return changed;
}

bool IsEventLine(const std::string& line) {
  return !line.empty() && line[0] != '#';
}

// "toucher/3-67", without its process.
std::string TaskOf(const std::string& line) {
  std::string task(TrimBlanks(std::string_view(line).substr(0, line.find(" ["))));
  if (task.ends_with(')')) task = TrimBlanks(std::string_view(task).substr(0, task.rfind('(')));
  return task;
}

// "   toucher/3-67      [003] d..2.     5.801402: name: args" as a row of function_graph with funcgraph-proc
// and without funcgraph-abstime.
std::string AsGraphRow(const std::string& line) {
  size_t open = line.find(" [");
  size_t close = line.find("] ");
  size_t colon = line.find(": ", close);
  if (!IsEventLine(line) || open == std::string::npos || colon == std::string::npos) return "#";
  std::string task = TaskOf(line);
  return "  " + std::to_string(std::stoi(line.substr(open + 2))) + ")   " + task +
         "    |               |  /* " + line.substr(colon + 2) + " */";
}

SampleFiles Without(SampleFiles files, std::string_view name) {
  std::erase_if(files.others, [&](const auto& file) { return file.first == name; });
  return files;
}

}  // namespace

TEST_CASE("without time stamps nothing becomes more certain", "[rendering]") {
  for (const char* sample : {"x86-fired", "x86-latent", "x86-hashed", "x86-fixed", "410-x86-held0"}) {
    SampleFiles files = ReadSample(sample, "trace.txt");
    Verdicts timed = Judge(files, Join(files.trace));
    Lines lines = Changed(files.trace, AsGraphRow);
    lines.insert(lines.begin(), "# tracer: function_graph");
    Verdicts untimed = Judge(files, Join(lines));
    CAPTURE(sample, timed.grades, untimed.grades, untimed.issues);
    CHECK(untimed.events == timed.events);
    CHECK(untimed.Of("confirmed") <= timed.Of("confirmed"));
    CHECK(untimed.Of("confirmed") * 4 >= timed.Of("confirmed") * 3);  // most of it shows all the same
    CHECK(untimed.Of("confirmed") + untimed.Of("probable") <= timed.Of("confirmed") + timed.Of("probable"));
    CHECK(untimed.Of("benign") <= timed.Of("benign"));
    if (timed.Of("latent") + timed.Of("confirmed") + timed.Of("probable") == 0)
      CHECK(untimed.Of("latent") + untimed.Of("confirmed") + untimed.Of("probable") == 0);
  }
}

TEST_CASE("what terminals and grep add to a trace is taken away", "[rendering]") {
  for (const char* sample : {"x86-fired", "x86-fixed"}) {
    SampleFiles files = ReadSample(sample, "trace.txt");
    Verdicts plain = Judge(files, Join(files.trace));
    auto grep = [](const std::string& line) {
      return Replaced(Replaced(line, "page", "\x1b[01;31m\x1b[Kpage\x1b[m\x1b[K"), "lock",
                      "\x1b[01;31m\x1b[Klock\x1b[m\x1b[K");
    };
    Lines colored = Changed(files.trace, grep);
    for (const std::string& text :
         {Join(colored), Join(files.trace, "\r\r\n"), std::string(512, '\0') + Join(files.trace)}) {
      Verdicts verdicts = Judge(files, text);
      CAPTURE(sample, text.substr(0, 200), verdicts.issues);
      CHECK(verdicts.grades == plain.grades);
      CHECK(verdicts.comms == plain.comms);
      CHECK(verdicts.events == plain.events);
      CHECK(verdicts.rejected == 0);
      CHECK(verdicts.exit_code == plain.exit_code);
    }
  }
}

namespace {

// A line of a console that prints no time, as one that does would have it, behind a prefix.
std::string Prefixed(const std::string& line,
                     const std::function<std::string(const std::string& time)>& prefix) {
  return prefix("    1.664400") + line;
}

}  // namespace

TEST_CASE("whatever stands before a console's lines, the dump in it is the same", "[rendering]") {
  SampleFiles files = ReadSample("x86-panic", "console.log");
  files.others.clear();
  REQUIRE(files.trace.size() > 1000);
  Verdicts plain = Judge(files, Join(files.trace));
  REQUIRE(plain.Of("confirmed") == 6);
  int number = 0;
  const std::vector<std::function<std::string(const std::string&)>> prefixes = {
      // dmesg -d; --time-format=iso; minicom and others with a time of their own; a collector's, without the
      // kernel's.
      [&](const std::string& time) {
        return "[" + time + " <    0.000" + std::to_string(100 + number++ % 900) + ">] ";
      },
      [&](const std::string&) {
        return "2026-11-22T10:00:" + std::to_string(10 + number++ % 50) + ",123456+00:00 ";
      },
      [&](const std::string& time) {
        return "[2026-11-22 10:00:" + std::to_string(10 + number++ % 50) + "] [" + time + "] ";
      },
      [&](const std::string&) {
        return "2026 Nov 22 10:00:" + std::to_string(10 + number++ % 50) + " 10.0.0.7 ";
      },
      [&](const std::string& time) { return "\x1b[32m[" + time + "] \x1b[0m\x1b[33m"; },
  };
  for (const auto& prefix : prefixes) {
    Lines lines = Changed(files.trace, [&](const std::string& line) { return Prefixed(line, prefix); });
    Verdicts verdicts = Judge(files, Join(lines));
    CAPTURE(lines[lines.size() / 2], verdicts.issues);
    CHECK(verdicts.events == plain.events);
    CHECK(verdicts.grades == plain.grades);
    CHECK(verdicts.comms == plain.comms);
    CHECK(verdicts.exit_code == plain.exit_code);
  }
}

namespace {

// A console's dump of a trace (kernel/trace/trace.c: ftrace_dump), made of one: comms cut to eight
// characters, the time in microseconds. Synthetic but for the events.
Lines Dumped(const Lines& trace) {
  Lines lines = {"[   10.000000] Dumping ftrace buffer:", "[   10.000000] ---------------------------------"};
  for (const std::string& line : trace) {
    size_t open = line.find(" [");
    size_t close = line.find("] ");
    size_t colon = line.find(": ", close);
    if (!IsEventLine(line) || open == std::string::npos || colon == std::string::npos) continue;
    std::string task = TaskOf(line);
    size_t dash = task.rfind('-');
    auto words = SplitWords(std::string_view(line).substr(close + 2, colon - close - 2));
    if (words.size() != 2) continue;
    std::string comm = task.substr(0, std::min<size_t>(dash, 8));
    std::string time(words[1]);
    time.erase(time.find('.'), 1);
    lines.push_back("[   10.000000] " + std::string(8 - comm.size(), ' ') + comm + task.substr(dash) + "   " +
                    std::to_string(std::stoi(line.substr(open + 2))) + std::string(words[0]) + " " + time +
                    "us : " + line.substr(colon + 2));
  }
  lines.emplace_back("[   10.000000] ---------------------------------");
  return lines;
}

}  // namespace

TEST_CASE("messages that a console dropped within a dump are events that are missing", "[rendering]") {
  SampleFiles files = ReadSample("410-x86-held0", "trace.txt");
  files = Without(std::move(files), "dmesg.txt");
  Lines dump = Dumped(files.trace);
  Verdicts whole = Judge(files, Join(dump));
  CAPTURE(whole.grades, whole.issues);
  REQUIRE(whole.exit_code == 0);
  REQUIRE(whole.Of("benign") == 78);
  for (size_t every : {300, 700}) {
    for (const char* told : {"** 40 printk messages dropped **", "** 40 printk messages dropped ** +",
                             "Nov 22 10:00:00 vm systemd-journald[212]: Missed 40 kernel messages"}) {
      // Kernels before 4.15 go on in the same line.
      std::string text(told);
      bool goes_on = text.ends_with('+');
      if (goes_on) text.pop_back();
      Lines lines;
      bool dropped = false;
      for (size_t i = 0; i < dump.size(); ++i) {
        if (i > 2 && i % every < 40) {
          dropped = true;
          continue;
        }
        if (std::exchange(dropped, false) && !goes_on) lines.push_back(text);
        lines.push_back((goes_on && i > 2 && i % every == 40 ? text : "") + dump[i]);
      }
      Verdicts verdicts = Judge(files, Join(lines));
      CAPTURE(every, told, verdicts.issues);
      CHECK(verdicts.Of("latent") + verdicts.Of("probable") + verdicts.Of("confirmed") == 0);
      CHECK(verdicts.exit_code == 3);
      CHECK(verdicts.issues.find("messages dropped") != std::string::npos);
    }
  }
  // What comes behind the dump is none of it.
  for (const std::string& behind :
       {std::string("** 17 printk messages dropped **"),
        std::string("vm systemd-journald[212]: Missed 23 kernel messages"),
        std::string(512, '\0') + "[    0.000000] Booting", std::string(4096, '\0')}) {
    Verdicts verdicts = Judge(files, Join(dump) + behind + "\n");
    CAPTURE(behind.substr(0, 40), verdicts.issues);
    CHECK(verdicts.grades == whole.grades);
    CHECK(verdicts.exit_code == 0);
  }
}

TEST_CASE("what a dump's events quote is no event and no report", "[rendering]") {
  SampleFiles files = ReadSample("x86-latent", "trace.txt");
  files = Without(std::move(files), "dmesg.txt");
  // A console without the kernel's time.
  Lines dump = Changed(Dumped(files.trace), [](const std::string& line) {
    return "Nov 22 10:00:00 vm kernel: " + line.substr(line.find("] ") + 2);
  });
  Verdicts plain = Judge(files, Join(dump));
  REQUIRE(plain.Of("confirmed") == 0);
  REQUIRE(plain.Of("latent") > 0);
  Lines lines;
  int64_t quotes = 0;
  for (const std::string& line : dump) {
    lines.push_back(line);
    size_t wait = line.find(" : folio_wait_bit: ");
    if (wait == std::string::npos) continue;
    std::string head = line.substr(0, wait);
    std::string columns = head.substr(head.find("kernel: ") + 8);
    lines.push_back(head + " : tracing_mark_write: [   12.345678] " + columns +
                    " : mm_page_free: page=ffffea0000000000 pfn=0x39400 order=9");
    lines.push_back(head +
                    " : tracing_mark_write: [   12.345678] BUG: Bad page state in process x  pfn:39400");
    quotes += 2;
  }
  REQUIRE(quotes > 0);
  Verdicts verdicts = Judge(files, Join(lines));
  CAPTURE(verdicts.issues);
  CHECK(verdicts.marks == quotes);
  CHECK(verdicts.reports == 0);
  CHECK(verdicts.Of("confirmed") == 0);
  CHECK(verdicts.Of("probable") <= plain.Of("probable"));
}

TEST_CASE("line ends and blocks that are lost are told, and accuse nobody", "[rendering]") {
  SampleFiles files = ReadSample("410-x86-held0", "trace.txt");
  files = Without(std::move(files), "dmesg.txt");
  std::string text = Join(files.trace);
  REQUIRE(Judge(files, text).exit_code == 0);
  for (uint32_t seed = 1; seed <= 6; ++seed) {
    std::string holes = text;
    std::string joined = seed % 3 == 0 ? Join(Dumped(files.trace)) : text;
    for (size_t i = 1; i < 7; ++i) {
      size_t place = holes.size() / 8 * i + seed * 7'919;
      holes.replace(place, 4096, std::string(4096, '\0'));
      joined[joined.find('\n', place % (joined.size() / 8 * 7))] = seed % 2 == 0 ? '\r' : ' ';
    }
    for (const std::string& damaged : {holes, joined}) {
      Verdicts verdicts = Judge(files, damaged);
      CAPTURE(seed, damaged == holes, verdicts.grades, verdicts.issues);
      CHECK(verdicts.Of("latent") + verdicts.Of("probable") + verdicts.Of("confirmed") == 0);
      CHECK(verdicts.exit_code == 3);
      CHECK(verdicts.rejected > 0);
    }
  }
}

namespace {

// As options/fields of 6.4 and later prints what the kernel's formats say (kernel/trace/trace_output.c:
// print_fields); probes of functions that stand at addresses of no recording. Synthetic but for the values.
std::string AsFields(const std::string& line, std::map<std::string, uint64_t>* addresses) {
  size_t colon = line.find(": ", line.find("] "));
  if (!IsEventLine(line) || colon == std::string::npos) return line;
  size_t body = line.find(": ", colon + 2);
  if (body == std::string::npos) return line;
  std::string head = line.substr(0, body + 2);
  std::string args = line.substr(body + 2);
  auto number = [](uint64_t value, bool is_int) {
    std::array<char, 64> text{};
    auto bits = is_int ? static_cast<uint64_t>(static_cast<uint32_t>(value)) : value;
    auto as_signed = is_int ? static_cast<int64_t>(static_cast<int32_t>(value)) : static_cast<int64_t>(value);
    snprintf(text.data(), text.size(), "0x%llx (%lld)", static_cast<unsigned long long>(bits),
             static_cast<long long>(as_signed));
    return std::string(text.data());
  };
  if (args.starts_with('(')) {
    size_t close = args.find(')');
    std::string place = args.substr(1, close - 1);
    size_t arrow = place.find(" <- ");
    std::string function =
        arrow == std::string::npos ? place.substr(0, place.find('+')) : place.substr(arrow + 4);
    uint64_t address =
        addresses->try_emplace(function, 0xffffffff81000000 + 0x1000 * (addresses->size() + 1)).first->second;
    std::string fields = arrow == std::string::npos ? "__probe_ip=" + number(address, false)
                                                    : "__probe_func=" + number(address, false) +
                                                          " __probe_ret_ip=" + number(address + 0x29, false);
    return head + fields + args.substr(close + 1);
  }
  if (line.find(": page_ref_") == std::string::npos) return line;
  std::string fields;
  for (std::string_view word : SplitWords(args)) {
    size_t equals = word.find('=');
    std::string key(word.substr(0, equals));
    std::string value(word.substr(equals + 1));
    if (key == "flags") {
      fields += "flags=0x0 (0) ";
    } else if (key == "mapping") {
      fields += "mapping=0x" + value + " (0) ";
    } else {
      fields += key + "=" + number(static_cast<uint64_t>(std::stoll(value, nullptr, 0)), key != "pfn") + " ";
    }
  }
  return head + fields;
}

}  // namespace

TEST_CASE("fields printed as they are say the same", "[rendering]") {
  SampleFiles files = ReadSample("x86-fired", "trace.txt");
  Verdicts plain = Judge(files, Join(files.trace));
  std::map<std::string, uint64_t> addresses;
  Lines lines = Changed(files.trace, [&](const std::string& line) { return AsFields(line, &addresses); });
  REQUIRE(addresses.size() > 3);
  Verdicts verdicts = Judge(files, Join(lines));
  CAPTURE(plain.grades, verdicts.grades, verdicts.issues);
  CHECK(verdicts.events == plain.events);
  CHECK(verdicts.grades == plain.grades);
}

namespace {

// As perf script prints it (tools/perf/builtin-script.c), what stands between the cpu and the time given.
std::string AsPerfScript(const std::string& line, const std::string& before_time) {
  size_t open = line.find(" [");
  size_t close = line.find("] ");
  size_t colon = line.find(": ", close);
  if (!IsEventLine(line) || open == std::string::npos || colon == std::string::npos) return "#";
  std::string task = TaskOf(line);
  size_t dash = task.rfind('-');
  std::string time = line.substr(line.rfind(' ', colon - 1) + 1, colon - line.rfind(' ', colon - 1) - 1);
  return task.substr(0, dash) + " " + task.substr(dash + 1) + line.substr(open, close + 1 - open) + " " +
         before_time + "   " + time + ":    group:" + line.substr(colon + 2);
}

}  // namespace

TEST_CASE("perf script with the time of day and perf's own records says the same", "[rendering]") {
  for (const char* sample : {"x86-fired", "x86-fixed"}) {
    SampleFiles files = ReadSample(sample, "trace.txt");
    auto as = [&](const std::string& before_time) {
      return Changed(files.trace, [&](const std::string& line) { return AsPerfScript(line, before_time); });
    };
    Verdicts plain = Judge(files, Join(as("")));
    REQUIRE(plain.events > 1000);
    Lines mixed;
    for (const std::string& line : as("2026-11-30 12:34:56.123456")) {
      mixed.push_back(line);
      if (mixed.size() % 50 == 0)
        mixed.emplace_back("work    69 [003]     5.606333: PERF_RECORD_FORK(75:75):(69:69)");
      if (mixed.size() % 50 == 1)
        mixed.emplace_back("init     0 [000]     0.000000: PERF_RECORD_COMM: init:1/1");
    }
    Verdicts verdicts = Judge(files, Join(mixed));
    CAPTURE(sample, plain.grades, verdicts.grades, verdicts.issues);
    CHECK(verdicts.events == plain.events);
    CHECK(verdicts.rejected == 0);
    CHECK(verdicts.grades == plain.grades);
    CHECK(verdicts.comms == plain.comms);
    CHECK(verdicts.issues == plain.issues);
  }
}

TEST_CASE("a line that was cut off anywhere is told, and no wait is safe for it", "[rendering]") {
  struct Cut {
    const char* what;
    std::function<std::string(const std::string&)> of;
  };
  auto upto = [](const char* text, size_t more) {
    return [=](const std::string& line) { return line.substr(0, line.find(text) + more); };
  };
  const Cut cuts[] = {
      {"within the name", upto(": wait: ", 4)},
      {"before the name", upto(": wait: ", 1)},
      {"behind the name", upto(": wait: ", 7)},
      {"within the place", upto(": wait: (", 16)},
      {"before the time", upto("] ", 1)},
      {"within the time", upto(".", 2)},
      {"its head is lost", [](const std::string& line) { return line.substr(line.find(": wait: ") + 2); }},
      {"overwritten", [&](const std::string& line) { return upto(": wait: ", 8)(line) + "????"; }},
  };
  // In the sample of 4.10 every wait is one of wait_on_page_bit.
  SampleFiles files = ReadSample("410-x86-held0", "trace.txt");
  REQUIRE(Judge(files, Join(files.trace)).Of("benign") == 78);
  for (const Cut& cut : cuts) {
    int64_t count = 0;
    Lines lines = Changed(files.trace, [&](const std::string& line) {
      if (!IsEventLine(line) || line.find(": wait: (wait_on_page_bit+0x0") == std::string::npos) return line;
      ++count;
      return cut.of(line);
    });
    REQUIRE(count == 78);
    Verdicts verdicts = Judge(files, Join(lines));
    CAPTURE(cut.what, verdicts.grades, verdicts.issues);
    CHECK(verdicts.exit_code == 3);
    CHECK(verdicts.Of("benign") + verdicts.Of("latent") + verdicts.Of("probable") +
              verdicts.Of("confirmed") ==
          0);
  }
}

TEST_CASE("one line that was cut off accuses nobody", "[rendering]") {
  SampleFiles files = ReadSample("410-x86-held0", "trace.txt");
  for (size_t at = 500; at < files.trace.size(); at += 97) {
    Lines lines = files.trace;
    std::string& line = lines[at];
    if (!IsEventLine(line)) continue;
    line.resize(line.size() / 4 + at % (line.size() * 3 / 4));
    Verdicts verdicts = Judge(files, Join(lines));
    CAPTURE(line, verdicts.grades, verdicts.issues);
    CHECK(verdicts.Of("probable") + verdicts.Of("confirmed") == 0);
    CHECK(verdicts.Of("latent") == 0);
  }
}

TEST_CASE("reference events that a filter left out accuse nobody", "[rendering]") {
  // echo 'pfn >= X' > events/page_ref/filter
  SampleFiles files = ReadSample("410-x86-held0", "trace.txt");
  for (uint64_t least : {uint64_t{0x5d000}, uint64_t{0x5f000}, uint64_t{0x80000}}) {
    Lines lines;
    for (const std::string& line : files.trace) {
      size_t at = line.find(" pfn=");
      bool is_ref = line.find(": page_ref_") != std::string::npos && at != std::string::npos;
      if (!is_ref || std::stoull(line.substr(at + 5), nullptr, 0) >= least) lines.push_back(line);
    }
    REQUIRE(lines.size() < files.trace.size());
    Verdicts verdicts = Judge(files, Join(lines));
    CAPTURE(least, verdicts.grades, verdicts.issues);
    CHECK(verdicts.Of("latent") + verdicts.Of("probable") + verdicts.Of("confirmed") == 0);
  }
}

TEST_CASE("lines that were cut out of the middle make nothing certain", "[rendering]") {
  for (const char* sample : {"410-x86-held0"}) {
    SampleFiles files = ReadSample(sample, "trace.txt");
    size_t size = files.trace.size();
    for (size_t missing : {500, 2000}) {
      for (size_t from = size / 8; from + missing < size; from += size / 8) {
        Lines lines = files.trace;
        auto begin = lines.begin() + static_cast<std::ptrdiff_t>(from);
        lines.erase(begin, begin + static_cast<std::ptrdiff_t>(missing));
        Verdicts verdicts = Judge(files, Join(lines));
        CAPTURE(sample, from, missing, verdicts.grades, verdicts.issues);
        CHECK(verdicts.Of("probable") + verdicts.Of("confirmed") == 0);
      }
    }
  }
}

TEST_CASE("a sample of perf script whose tid is damaged is none of nobody's", "[rendering]") {
  SampleFiles files = ReadSample("410-x86-held0", "trace.txt");
  Lines whole = Changed(files.trace, [](const std::string& line) { return AsPerfScript(line, ""); });
  REQUIRE(Judge(files, Join(whole)).Of("benign") == 78);
  Lines lines = whole;
  int64_t count = 0;
  for (std::string& line : lines) {
    size_t tid = line.find("toucher/");
    bool is_get =
        line.find("page_ref_mod_unless") != std::string::npos ||
        (line.find(":page_ref_mod:") != std::string::npos && line.find("val=1") != std::string::npos);
    if (tid == std::string::npos || !is_get) continue;
    line.replace(line.find(' ', tid) + 2, 1, "?");
    ++count;
  }
  REQUIRE(count > 50);
  Verdicts verdicts = Judge(files, Join(lines));
  CAPTURE(verdicts.grades, verdicts.issues);
  CHECK(verdicts.Of("latent") + verdicts.Of("probable") + verdicts.Of("confirmed") == 0);
  CHECK(verdicts.exit_code == 3);
}

TEST_CASE("a hole and a joined line of more than a MiB are told, and no wait is safe for them",
          "[rendering]") {
  SampleFiles files = ReadSample("x86-fixed", "trace.txt");
  std::string text = Join(files.trace);
  REQUIRE(Judge(files, text).exit_code == 0);
  constexpr size_t kMiB = size_t{1} << 20;
  for (size_t size : {kMiB - 50, kMiB, 2 * kMiB}) {
    for (bool hole : {true, false}) {
      std::string damaged = text;
      size_t end = text.find('\n', text.size() / 3 * 2);
      std::string piece = hole ? std::string(size, '\0') : "";
      while (piece.size() < size) piece += Replaced(text.substr(text.size() / 3, kMiB / 2), "\n", " ");
      damaged.replace(text.size() / 3, end - text.size() / 3, piece);
      Verdicts verdicts = Judge(files, damaged);
      CAPTURE(size, hole, verdicts.grades, verdicts.issues);
      CHECK(verdicts.exit_code == 3);
      CHECK(verdicts.Of("latent") + verdicts.Of("probable") + verdicts.Of("confirmed") == 0);
    }
  }
}

namespace {

std::string Escaped(const std::string& line) {
  return Replaced(Replaced(Replaced(line, "&", "&amp;"), "<", "&lt;"), ">", "&gt;");
}

// journalctl -o json, docker's json-file.
std::string InObject(const std::string& line, bool of_journal) {
  std::string text = Replaced(Replaced(Replaced(line, "\\", "\\\\"), "\"", "\\\""), "\x1b", "\\u001b");
  std::erase(text, '\r');
  if (of_journal) return R"({"PRIORITY":"6","SYSLOG_IDENTIFIER":"kernel","MESSAGE":")" + text + R"("})";
  return R"({"log":")" + text + R"(\n","stream":"stdout","time":"2026-11-22T10:00:00.123456789Z"})";
}

}  // namespace

TEST_CASE("pages, browsers and collectors keep what a text says", "[rendering]") {
  using Change = std::function<std::string(const std::string&)>;
  const std::vector<Change> changes = {
      Escaped,
      [](const std::string& line) { return Replaced(line, " ", "\xc2\xa0"); },
      [](const std::string& line) { return InObject(line, true); },
      [](const std::string& line) { return InObject(line, false); },
  };
  for (auto [sample, member] : {std::pair("x86-fired", "trace.txt"), std::pair("x86-panic", "console.log")}) {
    SampleFiles files = ReadSample(sample, member);
    files = Without(std::move(files), "dmesg.txt");
    Verdicts plain = Judge(files, Join(files.trace));
    REQUIRE(plain.Of("confirmed") > 0);
    for (const Change& change : changes) {
      Verdicts verdicts = Judge(files, Join(Changed(files.trace, change)));
      CAPTURE(sample, change(files.trace[files.trace.size() / 2]), verdicts.grades, plain.grades,
              verdicts.issues);
      CHECK(verdicts.grades == plain.grades);
      CHECK(verdicts.comms == plain.comms);
      CHECK(verdicts.events == plain.events);
      CHECK(verdicts.exit_code == plain.exit_code);
    }
  }
  // Somebody's page, in which there is a trace.
  SampleFiles files = ReadSample("x86-fired", "trace.txt");
  Verdicts page = Judge(files, "<!DOCTYPE html>\n<html><head><title>a trace</title></head>\n<body><pre>\n" +
                                   Join(Changed(files.trace, Escaped)) + "</pre></body></html>\n");
  CHECK(page.grades == Judge(files, Join(files.trace)).grades);
}

namespace {

// trace-cmd report, of a buffer ("" is the top one).
std::string AsReport(const std::string& line, const std::string& buffer) {
  size_t open = line.find(" [");
  size_t close = line.find("] ");
  size_t colon = line.find(": ", close);
  if (!IsEventLine(line) || open == std::string::npos || colon == std::string::npos) return "cpus=4";
  size_t name = line.find(": ", colon + 2);
  std::string time = line.substr(line.rfind(' ', colon) + 1, colon - line.rfind(' ', colon) - 1);
  std::string head = buffer.empty() ? "" : buffer + ": ";
  std::string task = TaskOf(line);
  size_t width = std::max<size_t>(24, head.size() + task.size());
  return head + std::string(width - head.size() - task.size(), ' ') + task + "   " +
         line.substr(open + 1, close - open) + "    " + time + ": " +
         line.substr(colon + 2, name - colon - 1) + "        " + line.substr(name + 2);
}

}  // namespace

TEST_CASE("events of several buffers are told apart from their copies", "[rendering]") {
  for (const char* sample : {"410-x86-held0", "410-x86-fired-nochurn", "x86-all-tasks"}) {
    SampleFiles files = ReadSample(sample, "trace.txt");
    auto report = [&](const std::function<std::string(const std::string&)>& buffer_of) {
      return Changed(files.trace, [&](const std::string& line) { return AsReport(line, buffer_of(line)); });
    };
    Verdicts plain = Judge(files, Join(report([](const std::string&) { return std::string(); })));
    REQUIRE(plain.events > 4'000);
    // Each buffer has the events of other tasks.
    Lines by_task = report([](const std::string& line) {
      return std::string(IsEventLine(line) && std::hash<std::string>()(TaskOf(line)) % 2 == 0 ? "b" : "");
    });
    // One has all of them, and another one those on pages, too.
    Lines twice;
    for (const std::string& line : files.trace) {
      twice.push_back(AsReport(line, ""));
      if (line.find(": page_ref_") != std::string::npos || line.find(": mm_page_") != std::string::npos)
        twice.push_back(AsReport(line, "pages"));
    }
    for (const Lines& lines : {by_task, twice}) {
      Verdicts verdicts = Judge(files, Join(lines));
      CAPTURE(sample, lines == twice, plain.grades, verdicts.grades, verdicts.issues);
      CHECK(verdicts.grades == plain.grades);
      CHECK(verdicts.comms == plain.comms);
      CHECK((verdicts.issues.find("event in two buffers") != std::string::npos) == (lines == twice));
    }
  }
}

TEST_CASE("lines that were cut at one width accuse nobody", "[rendering]") {
  for (const char* sample : {"410-x86-held0", "x86-fixed"}) {
    SampleFiles files = ReadSample(sample, "trace.txt");
    for (size_t width = 118; width < 146; width += sample[0] == '4' ? 1 : 7) {
      Lines cut = Changed(files.trace, [&](const std::string& line) { return line.substr(0, width); });
      Verdicts verdicts = Judge(files, Join(cut));
      CAPTURE(sample, width, verdicts.grades, verdicts.issues);
      CHECK(verdicts.exit_code == 3);
      CHECK(verdicts.Of("latent") + verdicts.Of("probable") + verdicts.Of("confirmed") == 0);
    }
  }
}

TEST_CASE("an event that lost its head, or runs into another, is told in every form", "[rendering]") {
  SampleFiles files = ReadSample("410-x86-held0", "trace.txt");
  Lines plain = files.trace;
  Lines graph = Changed(plain, AsGraphRow);
  graph.insert(graph.begin(), "# tracer: function_graph");
  Lines console = Dumped(plain);
  Lines latency = {"# tracer: nop", "#", "# nop latency trace v1.1.5 on 4.10.17"};
  for (const std::string& line : console) {
    if (size_t event = line.find("] "); line.find("us : ") != std::string::npos)
      latency.push_back(line.substr(event + 2));
  }
  Lines page = plain;
  page.insert(page.begin(),
              R"(<!DOCTYPE html><html><body><script class="trace-data" type="application/text">)");
  page.emplace_back("</script></body></html>");
  for (const Lines* form : {&plain, &graph, &console, &latency, &page}) {
    Verdicts whole = Judge(files, Join(*form));
    REQUIRE(whole.Of("benign") + whole.Of("unknown") == 78);
    REQUIRE(whole.rejected == 0);
    int tried = 0;
    for (size_t i = form->size() / 3; i + 1 < form->size() && tried < 4; ++i) {
      size_t name = (*form)[i].find("wait: (wait_on_page_bit");
      if (name == std::string::npos) continue;
      ++tried;
      Lines headless = *form;
      headless[i] = (form == &graph ? "/* " : "") + headless[i].substr(name);
      Lines joined = *form;
      joined[i - 1] += joined[i];
      joined.erase(joined.begin() + static_cast<std::ptrdiff_t>(i));
      for (const Lines& damaged : {headless, joined}) {
        Verdicts verdicts = Judge(files, Join(damaged));
        CAPTURE((*form)[i], damaged == joined, verdicts.grades, verdicts.issues);
        CHECK(verdicts.issues.find("event rejected") != std::string::npos);
        CHECK(verdicts.exit_code == 3);
        CHECK(verdicts.Of("latent") + verdicts.Of("probable") + verdicts.Of("confirmed") == 0);
      }
      Lines nameless = *form;
      nameless[i].replace(name, 7, "wait (");
      CHECK(Judge(files, Join(nameless)).exit_code == 3);
      // A console prints anything between events, and a page is full of other text.
      if (form == &console || form == &page) continue;
      Lines tail = *form;
      tail[i] = tail[i].substr(name + std::string("wait: (wait_").size());
      Lines last_field = *form;
      last_field[i] = last_field[i].substr(last_field[i].rfind('='));
      std::vector<const Lines*> cut = {&tail};
      if (form == &graph) cut = {&tail, &last_field};
      for (const Lines* damaged : cut) {
        Verdicts verdicts = Judge(files, Join(*damaged));
        CAPTURE((*damaged)[i], verdicts.grades, verdicts.issues);
        CHECK(verdicts.issues.find("event rejected") != std::string::npos);
        CHECK(verdicts.exit_code == 3);
      }
    }
    CHECK(tried > 0);
  }
}

TEST_CASE("a piece of an event is told where nothing but events stands", "[rendering]") {
  for (const char* sample : {"x86-fixed", "410-x86-held0"}) {
    SampleFiles files = ReadSample(sample, "trace.txt");
    Lines plain;
    Lines perf;
    Lines report = {"cpus=4"};
    for (const std::string& line : files.trace) {
      if (!IsEventLine(line)) continue;
      plain.push_back(line);
      size_t dash = TaskOf(line).rfind('-');
      const std::string align(dash < 16 ? 16 - dash : 0, ' ');
      perf.push_back(align + AsPerfScript(line, ""));
      std::string as_report = AsReport(line, "");
      report.push_back(align + as_report.substr(as_report.find_first_not_of(' ')));
    }
    for (const Lines* form : {&plain, &perf, &report}) {
      Verdicts whole = Judge(files, Join(*form));
      CAPTURE(sample, form == &perf, form == &report, whole.issues);
      REQUIRE(whole.rejected == 0);
      REQUIRE(whole.events > 1000);
      // Behind the task, and the tail of what an event of the page tells.
      for (bool tail : {false, true}) {
        Lines damaged = *form;
        int64_t cut = 0;
        for (size_t i = form->size() / 3; i < form->size() && cut < 25; ++i) {
          std::string& line = damaged[i];
          size_t fields = line.find(tail ? " flags=" : " [");
          bool is_ref =
              line.find(": page_ref_") != std::string::npos || line.find(":page_ref_") != std::string::npos;
          if (!is_ref || line[0] != ' ' || line[15] == ' ') continue;
          line = tail ? line.substr(fields + 1) : line.substr(0, fields);
          ++cut;
        }
        Verdicts verdicts = Judge(files, Join(damaged));
        CAPTURE(tail, verdicts.grades, verdicts.issues);
        CHECK(cut == 25);
        CHECK(verdicts.rejected == cut);
        CHECK(verdicts.events == whole.events - cut);
        CHECK(verdicts.exit_code == 3);
      }
      // Behind the events, and between them but for what looks like a piece, anything may stand.
      Lines mail = *form;
      mail.insert(
          mail.begin() + static_cast<std::ptrdiff_t>(mail.size() / 2),
          {"nr_zone_inactive_anon 12345", "          ...", "This was recorded on kernel 6", "  core.c:6551"});
      mail.insert(mail.end(), {"          Regards", "            work-69", "Tue Mar 12 10:20:33 CET 2019",
                               "the last one had mapcount=1 and count=1", "see next-20230512 on cpu 3"});
      Verdicts verdicts = Judge(files, Join(mail));
      CAPTURE(verdicts.issues);
      CHECK(verdicts.rejected == 0);
      CHECK(verdicts.grades == whole.grades);
      CHECK(verdicts.exit_code == whole.exit_code);
    }
  }
}

TEST_CASE("lines that a mailer wrapped behind the name are no pieces", "[rendering]") {
  SampleFiles files = ReadSample("x86-fixed", "trace.txt");
  Lines wrapped;
  for (const std::string& line : files.trace) {
    size_t name = line.find(": sched_switch: ");
    if (!IsEventLine(line)) continue;
    wrapped.push_back(line.substr(0, name == std::string::npos ? name : name + 15));
    if (name != std::string::npos) wrapped.push_back(line.substr(name + 16));
  }
  Verdicts verdicts = Judge(files, Join(wrapped));
  CAPTURE(verdicts.issues);
  CHECK(verdicts.rejected == 0);
  CHECK(verdicts.exit_code == 0);
}

TEST_CASE("a block that holds one byte again and again is lost", "[rendering]") {
  SampleFiles files = ReadSample("x86-fixed", "trace.txt");
  Lines bare = files.trace;
  std::erase_if(bare, [](const std::string& line) { return !IsEventLine(line); });
  for (const Lines* form : {&files.trace, &bare}) {
    Verdicts whole = Judge(files, Join(*form));
    for (char fill : {'\xff', ' ', 'U', '\x1a', '\t'}) {
      for (size_t size : {size_t{300}, size_t{4096}}) {
        std::string text = Join(*form);
        text.replace(text.size() / 2, size, size, fill);
        Verdicts verdicts = Judge(files, text);
        CAPTURE(form == &bare, static_cast<int>(fill), size, verdicts.issues);
        CHECK(verdicts.exit_code == 3);
        CHECK(verdicts.events < whole.events);
        CHECK(verdicts.issues.find("event rejected") != std::string::npos);
        CHECK(verdicts.Of("latent") + verdicts.Of("probable") + verdicts.Of("confirmed") == 0);
      }
    }
    // What a task writes into the trace is its own, and so is what fills a page of paper.
    for (const std::string& line :
         {"            work-67      [000] .....     9.000001: tracing_mark_write: " + std::string(400, '#'),
          "            work-67      [000] .....     9.000001: my_func: " + std::string(400, '-'),
          "            work-67      [000] .....     9.000001: sched_process_exec: filename=/tmp/" +
              std::string(400, 'a') + " pid=67 old_pid=67",
          std::string(400, '#'), std::string(400, ' ')}) {
      Lines lines = *form;
      lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(lines.size() / 2), line);
      Verdicts verdicts = Judge(files, Join(lines));
      CAPTURE(line, verdicts.issues);
      CHECK(verdicts.rejected == 0);
      CHECK(verdicts.grades == whole.grades);
    }
    Verdicts padded = Judge(
        files, Join(Changed(*form, [](const std::string& line) { return line + std::string(300, ' '); })));
    CHECK(padded.rejected == 0);
    CHECK(padded.grades == whole.grades);
  }
}

TEST_CASE("arguments that end anywhere are told of each event that counts", "[rendering]") {
  SampleFiles files = ReadSample("x86-fixed", "trace.txt");
  for (const char* event :
       {"sched_switch", "sched_waking", "lock_acquire", "lock_acquired", "lock_release"}) {
    for (size_t kept : {size_t{0}, size_t{1}, size_t{3}, size_t{5}, size_t{9}, size_t{11}, size_t{15}}) {
      if (kept > 9 && event == std::string("sched_waking")) continue;  // "comm= pid=1"
      std::string name = ": " + std::string(event) + ": ";
      int64_t cut = 0;
      Lines damaged = Changed(files.trace, [&](const std::string& line) {
        size_t at = line.find(name);
        if (at == std::string::npos) return line;
        ++cut;
        return line.substr(0, at + name.size() + kept);
      });
      Verdicts verdicts = Judge(files, Join(damaged));
      CAPTURE(event, kept, verdicts.issues);
      CHECK(cut > 0);
      CHECK(verdicts.issues.find("arguments not understood") + verdicts.issues.find("event rejected") !=
            2 * std::string::npos);
      CHECK(verdicts.exit_code == 3);
    }
  }
}

TEST_CASE("a pid that may lack digits wakes nobody", "[rendering]") {
  SampleFiles files = ReadSample("x86-fixed", "trace.txt");
  size_t i = files.trace.size() / 2;
  while (files.trace[i].find(": sched_waking: ") == std::string::npos) ++i;
  std::string& line = files.trace[i];
  line.resize(line.find(" prio=") - 1);
  Verdicts verdicts = Judge(files, Join(files.trace));
  CAPTURE(line, verdicts.issues);
  CHECK(verdicts.issues.find("arguments not understood") != std::string::npos);
  CHECK(verdicts.exit_code == 3);
}

TEST_CASE("a hit whose place is damaged is no hit of something else", "[rendering]") {
  const SampleFiles sample = ReadSample("410-x86-held0", "trace.txt");
  for (bool defined : {false, true}) {
    SampleFiles files = defined ? sample : Without(sample, "kprobe_events.txt");
    Verdicts whole = Judge(files, Join(files.trace));
    CHECK(whole.exit_code == 0);
    // Another place of the function, of a probe of several.
    Lines elsewhere = files.trace;
    std::string other = *std::find_if(elsewhere.begin(), elsewhere.end(), [](const std::string& line) {
      return line.find("wait: (wait_on_page_bit+0x0") != std::string::npos;
    });
    other.replace(other.find("+0x0"), 4, "+0x9");
    elsewhere.insert(elsewhere.end() - 1, other);
    CHECK(Judge(files, Join(elsewhere)).issues == whole.issues);
    for (const auto& [from, to] : {std::pair{"(wait_on_page_bit+0x0", "(wait_on_pagX_bit+0x0"},
                                   std::pair{"(wait_on_page_bit+0x0", "("}}) {
      Lines damaged = files.trace;
      for (size_t i = damaged.size() / 2; i < damaged.size(); ++i) {
        size_t at = damaged[i].find(from);
        if (at == std::string::npos) continue;
        damaged[i].replace(at, std::string(from).size(), to);
        if (std::string(to) == "(") damaged[i].resize(at + 1);
        break;
      }
      REQUIRE(damaged != files.trace);
      Verdicts verdicts = Judge(files, Join(damaged));
      CAPTURE(defined, to, whole.grades, verdicts.grades, verdicts.issues);
      CHECK(verdicts.exit_code == 3);
      CHECK(verdicts.issues.find("arguments not understood") + verdicts.issues.find("event rejected") !=
            2 * std::string::npos);
    }
  }
}

TEST_CASE("a hit or a reference without its name or its place is told", "[rendering]") {
  const SampleFiles sample = ReadSample("410-x86-held0", "trace.txt");
  auto is_hit = [](const std::string& line) {
    return line.find(": wait: (wait_on_page_bit+0x0/") != std::string::npos;
  };
  for (bool defined : {false, true}) {
    SampleFiles files = defined ? sample : Without(sample, "kprobe_events.txt");
    Verdicts whole = Judge(files, Join(files.trace));
    CHECK(whole.exit_code == 0);
    auto hit = std::find_if(files.trace.begin() + static_cast<std::ptrdiff_t>(files.trace.size() / 2),
                            files.trace.end(), is_hit);
    REQUIRE(hit != files.trace.end());
    const std::string line = *hit;
    size_t name = line.find("wait: (");
    size_t place_end = line.find(')', name);
    const std::string head = line.substr(0, name);
    const std::string place = line.substr(name + 6, place_end - name - 5);
    const std::string fields = line.substr(place_end + 1);
    // What others print may look like it.
    Lines more = files.trace;
    size_t before = static_cast<size_t>(hit - files.trace.begin());
    for (const std::string& words :
         {"tracing_mark_write: wait: " + place + fields, "do_fault: see " + place.substr(1, 8) + " here",
          std::string("wait: it took long"),
          std::string("other: (vfs_read+0x0/0x100) name=\"") + place + "\"", std::string("wait: page=3 of 4"),
          std::string("wait: (locked) now"), "do_fault: woken in " + place + " now",
          std::string("wait:    flags=0x3 (locked)"), std::string("wait:  page=ffffea"),
          std::string("wait: woken by (vfs_read+0x1a/0x30 <- wait_on_page_bit)"),
          std::string("wait: at vfs_read+0x1a/0x30) (again"),
          std::string("page_life: pfn=233984 mapcount=1 mt=1 val=-1"),
          "tracing_mark_write+0x120/0x150: in " + place + fields, "at " + place})
      more.insert(more.begin() + static_cast<std::ptrdiff_t>(before), head + words);
    CHECK(Judge(files, Join(more)).issues == whole.issues);
    for (const std::string& damaged :
         {"wait " + place + fields, "wa it: " + place + fields, "wait; " + place + fields,
          "wait: wait: " + place + fields, "1.000001: wait: " + place + fields, "wait:\t" + place + fields,
          "wait: " + fields, "wait: (wait_on_page_ bit" + place.substr(17) + fields,
          "wait: (WAIT_ON_PAGE_BIT" + fields, "wait: *" + place.substr(1) + fields}) {
      *hit = head + damaged;
      Verdicts verdicts = Judge(files, Join(files.trace));
      CAPTURE(defined, damaged, verdicts.grades, verdicts.issues);
      CHECK(verdicts.exit_code == 3);
      CHECK(verdicts.issues.find("arguments not understood") != std::string::npos);
    }
    *hit = line;
    auto ref = std::find_if(hit, files.trace.end(), [](const std::string& one) {
      return one.find(": page_ref_mod_unless: pfn=") != std::string::npos;
    });
    REQUIRE(ref != files.trace.end());
    const std::string taken = *ref;
    for (const char* damaged :
         {"page_ref_mod_unless pfn=", "page_ref_mod_u: pfn=", "page*ref_mod_unless: pfn="}) {
      *ref = taken;
      ref->replace(taken.find("page_ref_mod_unless: pfn="), 25, damaged);
      Verdicts verdicts = Judge(files, Join(files.trace));
      CAPTURE(defined, damaged, verdicts.issues);
      CHECK(verdicts.exit_code == 3);
    }
  }
}

// Of names no letter may be lost, nor be another one: who knows what the event was. Others' names are theirs.
TEST_CASE("an event whose name is damaged is told", "[rendering]") {
  const SampleFiles sample = ReadSample("410-x86-held0", "trace.txt");
  const Verdicts whole = Judge(sample, Join(sample.trace));
  REQUIRE(whole.exit_code == 0);
  for (const char* name : {"page_ref_mod_unless", "page_ref_mod_and_test", "lock_acquired", "lock_release",
                           "sched_switch", "sched_waking", "mm_page_free", "wait", "wait_r"}) {
    SampleFiles files = sample;
    const std::string head = std::string(": ") + name + ": ";
    auto line = std::find_if(files.trace.begin() + static_cast<std::ptrdiff_t>(files.trace.size() / 2),
                             files.trace.end(),
                             [&](const std::string& one) { return one.find(head) != std::string::npos; });
    REQUIRE(line != files.trace.end());
    const std::string before = *line;
    size_t at = before.find(head) + 2;
    bool symbolic = std::string(name).starts_with("wait");  // its place tells what it is
    for (const char* letter : {"?", "\xff", "*", "%"}) {
      *line = before;
      line->replace(at + 2, 1, letter);
      Verdicts verdicts = Judge(files, Join(files.trace));
      CAPTURE(*line, verdicts.issues);
      CHECK((verdicts.exit_code == 3) != symbolic);
      if (symbolic) CHECK(verdicts.grades == whole.grades);
    }
    // One that may be another event's is told where it has this one's arguments.
    *line = before;
    line->replace(at + 1, 1, "x");
    CHECK((Judge(files, Join(files.trace)).exit_code == 3) != symbolic);
    *line =
        before.substr(0, at + 1) + "x" + before.substr(at + 2, std::string(name).size() - 2) + ": begin 5";
    files.trace.insert(line + 1, before);
    CHECK(Judge(files, Join(files.trace)).issues == whole.issues);
  }
}

TEST_CASE("a wait's line that lost any part of its beginning is told", "[rendering]") {
  SampleFiles files = ReadSample("x86-fired", "trace.txt");
  const Verdicts whole = Judge(files, Join(files.trace));
  auto line = std::find_if(files.trace.begin() + static_cast<std::ptrdiff_t>(files.trace.size() / 2),
                           files.trace.end(), [](const std::string& one) {
                             return one.find(": folio_wait_bit: (folio_wait_bit+0x0/") != std::string::npos;
                           });
  REQUIRE(line != files.trace.end());
  const std::string before = *line;
  size_t name = before.find("folio_wait_bit: (");
  std::vector<std::string> damaged;
  for (size_t cut = name - 3; cut < before.size() - 6; cut += 3) damaged.push_back(before.substr(cut));
  for (size_t hole = name; hole < name + 34; hole += 3)
    damaged.push_back(before.substr(0, hole) + before.substr(hole + 16));
  damaged.push_back(before.substr(0, before.find("folio=")) + "foli?" +
                    before.substr(before.find("folio=") + 5));
  for (const std::string& one : damaged) {
    *line = one;
    Verdicts verdicts = Judge(files, Join(files.trace));
    CAPTURE(one, verdicts.issues);
    // Its place alone tells what it was.
    CHECK((verdicts.issues.size() > whole.issues.size() || verdicts.grades == whole.grades));
  }
  // What drivers print over several lines is theirs.
  *line = before + "\n" + before.substr(0, name) +
          "mydrv: state=1\n cb (my_isr+0x0/0x40) irq=17\nscmd (ffff888003bf4000) result=0x0";
  Verdicts verdicts = Judge(files, Join(files.trace));
  CHECK(verdicts.issues.find("event rejected") == std::string::npos);
  CHECK(verdicts.grades == whole.grades);
}

TEST_CASE("a line of a dump with a damaged column is an event", "[rendering]") {
  SampleFiles files = ReadSample("x86-panic", "console.log");
  const Verdicts whole = Judge(files, Join(files.trace));
  size_t tried = 0;
  for (size_t i = files.trace.size() / 2; i < files.trace.size() && tried < 4; ++i) {
    std::string& line = files.trace[i];
    size_t time = line.find("us : ");
    if (time == std::string::npos || line.find("folio_wait_bit: (") == std::string::npos) continue;
    ++tried;
    const std::string before = line;
    size_t flags = line.rfind('.', time);
    for (const std::string& damage : {std::string("?"), std::string("\xff")}) {
      line = before;
      line.replace(flags, 1, damage);
      Verdicts verdicts = Judge(files, Join(files.trace));
      CAPTURE(line, verdicts.issues);
      CHECK(verdicts.issues.find("event rejected") != std::string::npos);
    }
    line = before;
  }
  CHECK(tried > 0);
  // What the kernel says of times is none.
  files.trace.insert(files.trace.begin(), "[    1.000000] clocksource: took 123us : good: yes\r");
  CHECK(Judge(files, Join(files.trace)).issues == whole.issues);
}

TEST_CASE("lost events that run into a line are told", "[rendering]") {
  SampleFiles files = ReadSample("410-x86-held0", "trace.txt");
  const Verdicts whole = Judge(files, Join(files.trace));
  size_t middle = files.trace.size() / 2;
  for (const std::string& damaged :
       {"CPU:1 [LOST 12 EVENTS] " + files.trace[middle], files.trace[middle] + "\rCPU:1 [LOST 12 EVENTS]",
        "CPU:1 [LOSL\x01T 12 EVENTS]\n" + files.trace[middle]}) {
    SampleFiles other = files;
    other.trace[middle] = damaged;
    Verdicts verdicts = Judge(other, Join(other.trace));
    CAPTURE(damaged, verdicts.issues);
    CHECK(verdicts.exit_code == 3);
  }
  files.trace[middle] += "\nCPU:1 [LOST 12 EVENTS]";
  CHECK(Judge(files, Join(files.trace)).issues == whole.issues);
}

TEST_CASE("options/sym-addr changes no verdict", "[rendering]") {
  for (const char* name : {"410-x86-held0", "x86-fired"}) {
    SampleFiles files = ReadSample(name, "trace.txt");
    Verdicts plain = Judge(files, Join(files.trace));
    static const RE2 place(R"((\w\+0x[0-9a-f]+/0x[0-9a-f]+))");
    static const RE2 returned(R"(( <- \w+)\))");
    std::string text = Join(files.trace);
    CHECK(RE2::GlobalReplace(&text, place, R"(\1 <ffffffff81154d40>)") > 0);
    CHECK(RE2::GlobalReplace(&text, returned, R"(\1 <ffffffff8123f000>))") > 0);
    Verdicts with = Judge(files, text);
    CAPTURE(name, with.issues);
    CHECK(with.grades == plain.grades);
    CHECK(with.issues == plain.issues);
    CHECK(with.exit_code == plain.exit_code);
  }
}

// Synthetic: more probes on a recording of 6.1, as 5.5 and later have several on an event.
TEST_CASE("an event's probes may be on functions of like names", "[rendering]") {
  SampleFiles files = ReadSample("x86-fixed", "trace.txt");
  Verdicts plain = Judge(files, Join(files.trace));
  auto definitions = std::find_if(files.others.begin(), files.others.end(),
                                  [](const auto& file) { return file.first == "kprobe_events.txt"; });
  REQUIRE(definitions != files.others.end());
  auto hit = std::find_if(
      files.trace.begin() + static_cast<std::ptrdiff_t>(files.trace.size() / 2), files.trace.end(),
      [](const std::string& line) { return line.find(": folio_unlock: (") != std::string::npos; });
  REQUIRE(hit != files.trace.end());
  const std::string head = hit->substr(0, hit->find("folio_unlock: ("));
  files.trace.insert(hit, head + "rmig: (remove_migration_pte+0x0/0x2f0) folio=0xffffea0000a00000");
  const std::string before = definitions->second;
  definitions->second +=
      "p:numa/rmig remove_migration_pmd folio=%di\np:numa/rmig remove_migration_pte folio=%di\n";
  Verdicts two = Judge(files, Join(files.trace));
  CHECK(two.issues == plain.issues);
  CHECK(two.exit_code == plain.exit_code);
  // Where one of them is not defined the place is another one's, damaged.
  definitions->second = before + "p:numa/rmig remove_migration_pmd folio=%di\n";
  CHECK(Judge(files, Join(files.trace)).exit_code == 3);
}

TEST_CASE("a stamp that lost a digit proves nothing", "[rendering]") {
  SampleFiles files = ReadSample("x86-latent", "trace.txt");
  files = Without(std::move(files), "dmesg.txt");
  Verdicts whole = Judge(files, Join(files.trace));
  REQUIRE(whole.Of("latent") > 50);
  int64_t tried = 0;
  for (size_t i = 0; i < files.trace.size(); ++i) {
    const std::string& line = files.trace[i];
    size_t point = line.find('.', line.find("] "));
    bool is_put = line.find("page_ref_mod_and_test") != std::string::npos && line.ends_with("ret=1");
    if (!is_put || line.find("order") != std::string::npos || i % 5 != 0) continue;
    size_t stamp = line.rfind(' ', line.find(": ", line.find("] ")));
    point = line.find('.', stamp);
    Lines damaged = files.trace;
    damaged[i].erase(point - 1, 1);
    ++tried;
    Verdicts verdicts = Judge(files, Join(damaged));
    CAPTURE(line, verdicts.grades, whole.grades);
    CHECK(verdicts.Of("confirmed") <= whole.Of("confirmed"));
    CHECK(verdicts.Of("confirmed") + verdicts.Of("probable") <= whole.Of("confirmed") + whole.Of("probable"));
  }
  CHECK(tried > 3);
}

}  // namespace mmreplay
