#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/expectations.h"

namespace mmreplay {

// Real recordings with the kernel's own labels; provenance in samples/README.md.
TEST_CASE("each sample comes out as it must", "[samples]") {
  namespace fs = std::filesystem;
  int checked = 0;
  uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(MMREPLAY_SOURCE_DIR "/samples")) {
    if (entry.is_regular_file()) bytes += entry.file_size();
    std::string name = entry.path().filename();
    // .tar.gz is a bundle as samples/capture/mmreplay-capture wrote it.
    if (!name.ends_with(".tar.xz") && !name.ends_with(".tar.gz")) continue;
    const Expectation* expected = FindExpectation(name.substr(0, name.size() - 7));
    CAPTURE(name);
    REQUIRE(expected);
    DYNAMIC_SECTION(name) {
      CheckRecording(entry.path(), *expected);
    }
    ++checked;
  }
  CHECK(checked >= 22);
  CHECK(bytes < 8u << 20);
}

}  // namespace mmreplay
