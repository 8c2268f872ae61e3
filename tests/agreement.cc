#include "tests/agreement.h"

#include <re2/re2.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <map>
#include <set>

#include "parser/event_source.h"
#include "parser/lines.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

// A reading of its own, so that a fault of the parser is not made twice.
struct Print {
  std::vector<PrintedEvent> events;
  int digits = 0;  // of a second; 0 for ticks
};

int64_t Nanoseconds(const std::string& whole, const std::string& fraction) {
  std::string text = whole + fraction;
  return std::stoll(text.append(fraction.empty() ? 0 : 9 - fraction.size(), '0'));
}

//             work-69    [002]     6.792132: page_ref_set:         pfn=0x32112 flags=none ...
// CPU:0 [95 EVENTS DROPPED]
Print ReadReport(const std::string& text) {
  static const RE2 event(R"(^\s*\S.*-(\d+)\s+\[(\d+)\]\s+(\d+)(?:\.(\d+))?: ([^\s:]+):)");
  static const RE2 lost(R"(^CPU:(\d+) \[(\d* ?)EVENTS DROPPED\])");
  Print print;
  ForEachLine(text, [&](std::string_view line) {
    re2::StringPiece piece(line.data(), line.size());
    PrintedEvent one;
    std::string whole, fraction, count;
    if (RE2::PartialMatch(piece, event, &one.pid, &one.cpu, &whole, &fraction, &one.name)) {
      print.digits = static_cast<int>(fraction.size());
      one.time = Nanoseconds(whole, fraction);
      print.events.push_back(one);
    } else if (RE2::PartialMatch(piece, lost, &one.cpu, &count)) {
      one.lost = count.empty() ? -1 : std::stoll(count);
      print.events.push_back(one);
    }
  });
  return print;
}

//             work    69/69    [003]     5.607192123:       page_ref:page_ref_set: pfn=0x39126 flags=none ...
//           toucher/2    71/71    [001]    12.345678901: PERF_RECORD_LOST lost 12
Print ReadScript(const std::string& text) {
  static const RE2 event(
      R"(^\s*\S.*?\s+(?:-?\d+/)?(-?\d+)\s+\[(\d+)\]\s+(\d+)\.(\d+):\s+(?:\d+\s+)?(?:\S+?:)?([^\s:]+):)");
  static const RE2 lost(R"(\[(\d+)\]\s+\d+\.\d+:\s+PERF_RECORD_LOST lost (\d+))");
  Print print;
  ForEachLine(text, [&](std::string_view line) {
    re2::StringPiece piece(line.data(), line.size());
    PrintedEvent one;
    std::string whole, fraction;
    if (RE2::PartialMatch(piece, lost, &one.cpu, &one.lost)) {
      print.events.push_back(one);
    } else if (RE2::PartialMatch(piece, event, &one.pid, &one.cpu, &whole, &fraction, &one.name)) {
      print.digits = static_cast<int>(fraction.size());
      one.time = Nanoseconds(whole, fraction);
      // A task on its last switch has no pid left for perf; the record of the kernel in the same line has it.
      static const RE2 previous(R"( prev_pid=(\d+) )");
      if (one.pid == -1) RE2::PartialMatch(piece, previous, &one.pid);
      print.events.push_back(one);
    }
  });
  return print;
}

// trace-cmd rounds to microseconds, perf cuts.
int64_t AsPrinted(int64_t ns, int digits, bool rounds) {
  if (digits != 6) return ns;
  return (ns + (rounds ? 500 : 0)) / 1000 * 1000;
}

std::vector<PrintedEvent> ReadBinary(const Recording& recording, int digits) {
  StringTable strings;
  Decoder decoder(&strings, recording.probes, std::nullopt);
  std::unique_ptr<EventSource> source = OpenEventSource(recording, &strings, &decoder);
  bool rounds = recording.trace_format == InputFormat::kTraceDat;
  std::vector<PrintedEvent> events;
  Batch batch;
  int64_t ids = 0;
  while (source->Next(&batch)) {
    for (const Event& event : batch.events) {
      CHECK(Value(event.id) == ++ids);
      REQUIRE(event.ts);
      REQUIRE(event.cpu);
      REQUIRE(event.pid);
      events.push_back({.name = std::string(strings.Text(event.name)),
                        .pid = Value(*event.pid),
                        .cpu = *event.cpu,
                        .time = AsPrinted(*event.ts, digits, rounds)});
    }
    for (const LossMarker& marker : batch.markers) {
      // What perf record counted without a place is in no line of perf script.
      if (recording.trace_format == InputFormat::kPerfData && !marker.lost) continue;
      events.push_back({.name = {}, .cpu = marker.cpu, .lost = marker.lost.value_or(-1)});
    }
  }
  return events;
}

}  // namespace

void CheckAgreement(const std::string& path) {
  CAPTURE(path);
  Recording recording = OpenRecording({.inputs = {path}, .dmesg = {}, .probes = {}});
  bool dat = recording.trace_format == InputFormat::kTraceDat;
  Print print;
  for (const InputMember& member : OpenInput(path)) {
    InputFormat format = DetectFormat(member.head);
    if (dat && format == InputFormat::kTraceCmdReport)
      print = ReadReport(ReadAll(member, size_t{64} << 20).value());
    if (!dat && format == InputFormat::kPerfScript)
      print = ReadScript(ReadAll(member, size_t{64} << 20).value());
  }
  REQUIRE(!print.events.empty());
  std::vector<PrintedEvent> events = ReadBinary(recording, print.digits);

  std::map<std::string, std::pair<int64_t, int64_t>> names;
  std::set<int64_t> pids, cpus;
  for (const PrintedEvent& event : events) ++names[event.name].first;
  for (const PrintedEvent& event : print.events) ++names[event.name].second;
  for (const auto& [name, counts] : names) {
    CAPTURE(name);
    CHECK(counts.first == counts.second);
  }
  for (const PrintedEvent& event : events) pids.insert(event.pid), cpus.insert(event.cpu);
  std::sort(events.begin(), events.end());
  std::sort(print.events.begin(), print.events.end());
  std::vector<PrintedEvent> different;
  std::set_symmetric_difference(events.begin(), events.end(), print.events.begin(), print.events.end(),
                                std::back_inserter(different));
  for (const PrintedEvent& event : different) {
    INFO(event.name << " pid " << event.pid << " cpu " << event.cpu << " time " << event.time << " lost "
                    << event.lost);
    CHECK(different.empty());
  }
  std::printf("%s: %zu events and losses as printed, %zu in one only: %zu names, %zu pids, %zu cpus\n",
              path.c_str(), events.size(), different.size(), names.size(), pids.size(), cpus.size());
}

}  // namespace mmreplay
