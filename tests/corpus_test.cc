// The public logs, where they are at hand (-DMMREPLAY_CORPUS=DIR): nothing crashes or hangs, every
// line of what is read is accounted for, the rest is refused with a sentence that says what it is.
#define CATCH_CONFIG_RUNNER
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <map>

#include "parser/error.h"
#include "parser/input.h"
#include "tests/analysis.h"
#include "tests/expectations.h"

namespace mmreplay {

TEST_CASE("each public log is read or refused") {
  namespace fs = std::filesystem;
  std::map<std::string, std::pair<int, int>> by_kind;  // read, refused
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(MMREPLAY_CORPUS)) {
    if (!entry.is_regular_file() || entry.path().parent_path() == fs::path(MMREPLAY_CORPUS)) continue;
    ++files;
    std::string kind = entry.path().parent_path().filename();
    CAPTURE(entry.path().string());
    try {
      CheckAccounting(entry.path());
      // Line counts are those of the file; binary recordings count records.
      Analysis analysis({.inputs = {entry.path()}, .dmesg = {}, .probes = {}});
      if (analysis.recording().trace_file) {
        const LineCounts& records = analysis.facts().lines;
        std::printf("%s: %lld events, %lld lost, %lld rejected\n", entry.path().filename().c_str(),
                    static_cast<long long>(records.events), static_cast<long long>(records.markers),
                    static_cast<long long>(records.rejected));
        ++by_kind[kind].first;
        continue;
      }
      std::string text = ReadFile(entry.path());
      auto lines = std::count(text.begin(), text.end(), '\n') + (!text.empty() && text.back() != '\n');
      CHECK(analysis.facts().lines.total == lines);
      ++by_kind[kind].first;
    } catch (const Error& error) {
      std::string what = error.what();
      CAPTURE(what);
      CHECK((what.find(" is ") != std::string::npos || what.find("looks like a") != std::string::npos ||
             what.find("damaged") != std::string::npos));
      ++by_kind[kind].second;
    }
  }
  for (const auto& [kind, counts] : by_kind)
    std::printf("%-18s %3d read, %3d refused\n", kind.c_str(), counts.first, counts.second);
  CHECK(files > 0);
}

}  // namespace mmreplay

int main(int argc, char** argv) {
  if (std::string(MMREPLAY_CORPUS).empty()) {
    std::puts("skipped: configure with -DMMREPLAY_CORPUS=DIR");
    return 77;
  }
  return Catch::Session().run(argc, argv);
}
