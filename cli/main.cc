#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/output.h"
#include "parser/error.h"

namespace {

constexpr const char* kHelp =
    "mmreplay: replays Linux memory-management traces and finds waits on freed pages\n"
    "\n"
    "Usage: mmreplay COMMAND [ARGUMENTS]\n"
    "\n"
    "Commands:\n"
    "  analyze   read a recording, replay it, say what was found\n"
    "  replay    judge a stored trace again, from the database alone\n"
    "  report    print what the analysis of a stored trace said\n"
    "  page      tell the biography of one page of a stored trace\n"
    "  query     ask a stored trace in SQL\n"
    "  triage    judge many logs and group what they show\n"
    "  rules     list, explain and check rules\n"
    "  doctor    tell what evidence a recording lacks, and how to record it\n"
    "  capture   print the script that makes a recording\n"
    "\n"
    "mmreplay COMMAND --help tells more about a command.\n"
    "\n"
    "Examples:\n"
    "  mmreplay analyze samples/x86-fired.tar.xz\n"
    "  mmreplay analyze -o race.db trace.txt --dmesg dmesg.txt --probes kprobe_events.txt\n";

constexpr int kTrouble = 2;

struct Command {
  const char* name;
  int (*run)(const std::vector<std::string>& arguments);
};
constexpr Command kCommands[] = {
    {"analyze", mmreplay::RunAnalyze}, {"replay", mmreplay::RunReplay},   {"report", mmreplay::RunReport},
    {"page", mmreplay::RunPage},       {"query", mmreplay::RunQuery},     {"rules", mmreplay::RunRules},
    {"doctor", mmreplay::RunDoctor},   {"capture", mmreplay::RunCapture}, {"triage", mmreplay::RunTriage},
};

int Run(const std::vector<std::string>& words) {
  if (words.empty()) {
    fmt::print(stderr, "{}", kHelp);
    return kTrouble;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    mmreplay::WriteOutput(kHelp);
    return 0;
  }
  for (const Command& command : kCommands) {
    if (words[0] == command.name) return command.run({words.begin() + 1, words.end()});
  }
  throw mmreplay::Error(words[0] + ": no such command; see mmreplay --help");
}

}  // namespace

int main(int argc, char** argv) {
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));  // a closed pipe is seen where it is written to
  try {
    return Run({argv + 1, argv + argc});
  } catch (const mmreplay::Error& error) {
    fmt::print(stderr, "mmreplay: {}\n", error.what());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "mmreplay: out of memory\n");
  }
  return kTrouble;
}
