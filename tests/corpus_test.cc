// The public logs, where they are at hand (-DMMREPLAY_CORPUS=DIR): nothing crashes or hangs, every
// line of what is read is accounted for, and the rest is refused with a sentence that says what it is.
// Event lines are counted a second time, by patterns that know nothing of the readers.
#define CATCH_CONFIG_RUNNER
#include <re2/re2.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "parser/error.h"
#include "parser/input.h"
#include "parser/lines.h"
#include "tests/analysis.h"
#include "tests/expectations.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;

// Lines that anybody would take for an event of some text form.
bool IsEventLine(std::string_view line) {
  // task-123 (tgid) [003] flags 5.364544: ...      (blanks may be a mailer's NBSP)
  static const RE2 ftrace(
      R"((?s)-\d+(?:\s|\xc2\xa0|=A0)+(?:\([\s\d-]+\)\s+)?\[\d{2,}\](?:\s|=A0).*\d+\.\d+: )", RE2::Latin1);
  // task-123 3d..2. 35123us : ...
  static const RE2 latency(R"(-\d+\s+\d+[.a-zA-Z0-9]{3,8}\s+\d+us.?.?:)", RE2::Latin1);
  // comm 123 [003] 5.607192: event:
  static const RE2 perf(R"(^[>\s]*\S.*?\s+\d+(?:/\d+)?\s+(?:\[\d+\]\s+)?\d+\.\d{6,9}:\s+\S+)", RE2::Latin1);
  //  3)   0.345 us    |  fn();
  static const RE2 graph(R"(^[>\s]*(?:\d+\.\d+ +\| +)?\d+\)\s.*\|.*[;{}/])", RE2::Latin1);
  re2::StringPiece piece(line.data(), line.size());
  return RE2::PartialMatch(piece, ftrace) || RE2::PartialMatch(piece, latency) ||
         RE2::PartialMatch(piece, perf) || RE2::PartialMatch(piece, graph);
}

struct Share {
  int files = 0;
  int read = 0;
  int refused = 0;
  int64_t event_lines = 0;
  int64_t understood = 0;
};

// Logs of a kind that do not hold what the kind says: prose, commands, containers, damaged beyond use.
const std::map<std::string, InputFormat>& Exceptions() {
  static const std::map<std::string, InputFormat> exceptions = {
      {"catapult__atrace_procfs_dump", InputFormat::kText},
      {"catapult__compressed_atrace_data.txt", InputFormat::kBinary},
      {"lkml-bio-FOLL_PIN-page_ref_set-qp-2023.txt", InputFormat::kContextless},
      {"lkml-page_ref_set-bare-howells-2023-qp.txt", InputFormat::kContextless},
      {"perf-tools__iosnoop_example.txt", InputFormat::kText},
      {"rustylife__ftrace.txt", InputFormat::kText},
      {"trappy__trace_surfaceflinger.html", InputFormat::kSystraceHtml},
      {"trappy__trace_systrace.html", InputFormat::kSystraceHtml},
      {"wikibook__6.5.3__ftrace_log.txt", InputFormat::kFunctionGraph},
      {"hotspot__perf.data.true.v1", InputFormat::kBinary},  // another magic
      {"MrJu__ftrace.txt", InputFormat::kText},
      {"inferno__unknown-format.txt", InputFormat::kText},
      {"monperrus__trace-children.txt", InputFormat::kText},
      {"lkml-dequeue_rt_stack-qp-2024.txt", InputFormat::kLatencyText},
  };
  return exceptions;
}

std::optional<InputFormat> FormatOfKind(const std::string& kind) {
  static const std::map<std::string, InputFormat> formats = {
      {"ftrace-text", InputFormat::kFtraceText}, {"trace-cmd-report", InputFormat::kTraceCmdReport},
      {"perf-script", InputFormat::kPerfScript}, {"function-graph", InputFormat::kFunctionGraph},
      {"dmesg-dump", InputFormat::kConsoleLog},  {"perf-data", InputFormat::kPerfData},
  };
  auto found = formats.find(kind);
  if (found == formats.end()) return std::nullopt;
  return found->second;
}

std::vector<fs::path> Logs() {
  std::vector<fs::path> logs;
  for (const auto& entry : fs::recursive_directory_iterator(MMREPLAY_CORPUS)) {
    if (entry.is_regular_file() && entry.path().parent_path() != fs::path(MMREPLAY_CORPUS))
      logs.push_back(entry.path());
  }
  std::sort(logs.begin(), logs.end());
  return logs;
}

// Reads one log and adds it to its kind.
void ReadLog(const fs::path& path, Share* share) {
  CAPTURE(path.string());
  ++share->files;
  try {
    Analysis analysis({.inputs = {path}, .dmesg = {}, .probes = {}});
    ++share->read;
    const LineCounts& lines = analysis.facts().lines;
    CHECK(lines.total ==
          lines.events + lines.comments + lines.continuations + lines.markers + lines.rejected);
    CHECK(analysis.Count("SELECT count(*) FROM events") == lines.events);
    std::string text = ReadFile(path);
    bool is_text = analysis.recording().trace_format != InputFormat::kTraceDat &&
                   analysis.recording().trace_format != InputFormat::kPerfData;
    if (!is_text) return;
    // Line counts are those of the file.
    auto newlines = std::count(text.begin(), text.end(), '\n') + (!text.empty() && text.back() != '\n');
    CHECK(lines.total == newlines);
    std::set<int64_t> events;
    Statement query(analysis.db(), "SELECT line FROM events");
    while (query.Step()) events.insert(query.Int(0));
    int64_t number = 0;
    ForEachLine(text, [&](std::string_view line) {
      ++number;
      bool understood = events.contains(number);
      if (!understood && !IsEventLine(line)) return;
      ++share->event_lines;
      share->understood += understood;
    });
  } catch (const Error& error) {
    std::string what = error.what();
    CAPTURE(what);
    CHECK((what.find(" is ") != std::string::npos || what.find("looks like a") != std::string::npos ||
           what.find("damaged") != std::string::npos || what.find(": ") != std::string::npos));
    ++share->refused;
  }
}

}  // namespace

TEST_CASE("each public log is read or refused, and what is an event is read as one") {
  std::map<std::string, Share> kinds;
  for (const fs::path& path : Logs()) ReadLog(path, &kinds[path.parent_path().filename()]);
  for (const auto& [kind, share] : kinds) {
    std::printf("%-18s %3d files, %3d read, %3d refused", kind.c_str(), share.files, share.read,
                share.refused);
    if (share.event_lines > 0) {
      std::printf("; %lld of %lld event lines understood (%.2f %%)", static_cast<long long>(share.understood),
                  static_cast<long long>(share.event_lines),
                  100.0 * static_cast<double>(share.understood) / static_cast<double>(share.event_lines));
    }
    std::printf("\n");
    CAPTURE(kind, share.understood, share.event_lines);
    CHECK(share.understood * 100 >= share.event_lines * 99);
  }
  CHECK(!kinds.empty());
}

TEST_CASE("each public log is detected as what it is") {
  for (const fs::path& path : Logs()) {
    CAPTURE(path.string());
    auto members = OpenInput(path);
    REQUIRE(members.size() == 1);
    InputFormat detected = DetectFormat(members[0].head);
    auto exception = Exceptions().find(path.filename());
    std::string kind = path.parent_path().filename();
    if (exception != Exceptions().end()) {
      CHECK(detected == exception->second);
    } else if (auto format = FormatOfKind(kind)) {
      CHECK(detected == *format);
    } else if (kind == "oops-badpage") {
      CHECK((detected == InputFormat::kConsoleLog || detected == InputFormat::kText));
    }
  }
}

}  // namespace mmreplay

int main(int argc, char** argv) {
  if (std::string(MMREPLAY_CORPUS).empty()) {
    std::puts("skipped: configure with -DMMREPLAY_CORPUS=DIR");
    return 77;
  }
  return Catch::Session().run(argc, argv);
}
