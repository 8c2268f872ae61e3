// The architecture, kept true: a module includes its own headers and those of modules to its left.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <regex>

#include "parser/lines.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;
const std::vector<std::string> kModules = {"parser", "replay", "db", "rules", "report", "cli"};

}  // namespace

TEST_CASE("includes point leftward", "[layout]") {
  const std::regex include(R"re(^\s*#include "([a-z_]+)/[^"]*")re");
  int seen = 0;
  for (size_t module = 0; module < kModules.size(); ++module) {
    for (const auto& entry :
         fs::recursive_directory_iterator(std::string(MMREPLAY_SOURCE_DIR "/") + kModules[module])) {
      std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      ForEachLine(ReadFile(entry.path()), [&](std::string_view line) {
        std::string text(line);
        std::smatch match;
        if (!std::regex_search(text, match, include)) return;
        ++seen;
        auto used = std::find(kModules.begin(), kModules.end(), match[1].str());
        CAPTURE(entry.path().string(), text);
        REQUIRE(used != kModules.end());
        CHECK(static_cast<size_t>(used - kModules.begin()) <= module);
      });
    }
  }
  CHECK(seen > 50);
}

TEST_CASE("parser and replay know nothing of SQL, replay of no library but the standard one", "[layout]") {
  for (const char* module : {"parser", "replay"}) {
    for (const auto& entry : fs::directory_iterator(std::string(MMREPLAY_SOURCE_DIR "/") + module)) {
      std::string text = ReadFile(entry.path());
      CAPTURE(entry.path().string());
      CHECK(text.find("#include <sqlite3.h>") == std::string::npos);
      if (std::string(module) == "replay") {
        CHECK(text.find("#include <re2/") == std::string::npos);
        CHECK(text.find("#include <fmt/") == std::string::npos);
        CHECK(text.find("#include <boost/") == std::string::npos);
      }
    }
  }
}

TEST_CASE("the root holds what DESIGN.md lists", "[layout]") {
  const std::vector<std::string> allowed = {"parser",
                                            "replay",
                                            "db",
                                            "rules",
                                            "report",
                                            "cli",
                                            "samples",
                                            "tests",
                                            "build",
                                            ".git",
                                            ".ci",
                                            ".cache",
                                            "CMakeLists.txt",
                                            "CMakePresets.json",
                                            "README.md",
                                            "LICENSE",
                                            "build.sh",
                                            ".clang-format",
                                            ".clang-tidy",
                                            ".gitignore"};
  for (const auto& entry : fs::directory_iterator(MMREPLAY_SOURCE_DIR)) {
    CAPTURE(entry.path().string());
    CHECK(std::find(allowed.begin(), allowed.end(), entry.path().filename().string()) != allowed.end());
  }
}

}  // namespace mmreplay
