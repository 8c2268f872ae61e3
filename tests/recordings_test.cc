// The recordings folder, where it is at hand (-DMMREPLAY_RECORDINGS=DIR). Without it this program
// says that it was skipped (exit code 77), never that it passed.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>

#include "parser/error.h"
#include "tests/agreement.h"
#include "tests/expectations.h"

namespace mmreplay {

TEST_CASE("each recording comes out as it must") {
  namespace fs = std::filesystem;
  int described = 0;
  for (const auto& entry : fs::directory_iterator(MMREPLAY_RECORDINGS)) {
    if (!entry.is_directory()) continue;
    std::string name = entry.path().filename();
    DYNAMIC_SECTION(name) {
      if (const Expectation* expected = FindExpectation(name)) {
        CheckRecording(entry.path(), *expected);
      } else {
        // Other forms of a trace are refused with a sentence; a tracefs text must add up.
        try {
          CheckAccounting(entry.path());
        } catch (const Error& error) {
          CHECK(std::string(error.what()).find("looks like") != std::string::npos);
        }
      }
    }
    for (const char* binary : {"trace.dat", "perf.data"}) {
      if (!fs::exists(entry.path() / binary)) continue;
      DYNAMIC_SECTION(name << " against its text") {
        CheckAgreement(entry.path());
      }
    }
    described += FindExpectation(name) != nullptr;
  }
  CHECK(described > 0);
}

}  // namespace mmreplay

int main(int argc, char** argv) {
  if (std::string(MMREPLAY_RECORDINGS).empty()) {
    std::puts("skipped: configure with -DMMREPLAY_RECORDINGS=DIR");
    return 77;
  }
  return Catch::Session().run(argc, argv);
}
