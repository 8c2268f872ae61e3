#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "cli/command.h"
#include "cli/error_report.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "db/read_only.h"
#include "parser/error.h"
#include "report/version.h"

namespace {

constexpr int kTrouble = 2;

int Run(const std::vector<std::string>& words) {
  if (words.empty()) {
    mmreplay::WriteToPeople(mmreplay::HelpText());
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

// Of this run, for an error that comes from another thread.
std::vector<std::string> words_of_run;

// Nothing is unwound: what it was about to write goes with it.
void GiveUp(const std::string& message) {
  mmreplay::ReportError(message, {}, words_of_run, kTrouble);
  _exit(kTrouble);
}

}  // namespace

int main(int argc, char** argv) {
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));  // a closed pipe is seen where it is written to
  static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));  // ulimit -f: EFBIG tells the same
  mmreplay::OccupyStandardFiles();
  mmreplay::EndCleanlyOnSignals();
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  words_of_run = words;
  mmreplay::SetLastResort(&GiveUp);
  try {
    return Run(words);
  } catch (const mmreplay::OutputGone&) {
    return 0;
  } catch (const mmreplay::Error& error) {
    mmreplay::ReportError(error.what(), error.below(), words, kTrouble);
  } catch (const std::bad_alloc&) {
    mmreplay::ReportError("out of memory", {}, words, kTrouble);
  } catch (const std::filesystem::filesystem_error& error) {
    mmreplay::ReportError(error.path1().string() + ": " + error.code().message(), {}, words, kTrouble);
  } catch (const std::system_error& error) {
    mmreplay::ReportError("the system has no more to give (ulimit?): " + error.code().message(), {}, words,
                          kTrouble);
  } catch (const std::exception& error) {
    mmreplay::ReportError(std::string("internal error: ") + error.what() + "; please report this", {}, words,
                          kTrouble);
  }
  return kTrouble;
}
