#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/error_report.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "parser/error.h"
#include "report/version.h"

namespace {

constexpr int kTrouble = 2;

int Run(const std::vector<std::string>& words) {
  if (words.empty()) {
    fmt::print(stderr, "{}", mmreplay::HelpText());
    return kTrouble;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    mmreplay::WriteOutput(mmreplay::HelpText());
    return 0;
  }
  if (words[0] == "--version") {
    mmreplay::WriteOutput(fmt::format("mmreplay {}\n", mmreplay::kProgramVersion));
    return 0;
  }
  for (const mmreplay::Command& command : mmreplay::Commands()) {
    if (words[0] == command.name) return command.run({words.begin() + 1, words.end()});
  }
  throw mmreplay::Error(words[0] + ": no such command; see mmreplay --help");
}

}  // namespace

int main(int argc, char** argv) {
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));  // a closed pipe is seen where it is written to
  mmreplay::EndCleanlyOnSignals();
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  try {
    return Run(words);
  } catch (const mmreplay::Error& error) {
    mmreplay::ReportError(error.what(), words, kTrouble);
  } catch (const std::bad_alloc&) {
    mmreplay::ReportError("out of memory", words, kTrouble);
  }
  return kTrouble;
}
