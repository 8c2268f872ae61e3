// The program itself: exit codes, streams, help.
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "parser/lines.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

struct Run {
  int exit_code;
  std::string out;
  std::string err;
};

// Runs through the shell, in the source folder, with $MMREPLAY set to the program.
Run Shell(const std::string& command) {
  TemporaryFolder folder;
  std::string line = "cd " MMREPLAY_SOURCE_DIR " && export MMREPLAY=" MMREPLAY_BINARY " && { " + command +
                     "\n} >" + folder.path() + "/out 2>" + folder.path() + "/err";
  int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadFile(folder.path() + "/out"),
          ReadFile(folder.path() + "/err")};
}

}  // namespace

TEST_CASE("the verdict comes first, then one line per finding", "[cli]") {
  Run run = Shell("$MMREPLAY analyze samples/x86-fired.tar.xz");
  CHECK(run.exit_code == 1);
  CHECK(run.out.starts_with(
      "FOUND: 68 waits on a page that nothing kept alive: 20 confirmed, 3 probable, 45 latent\n"
      "confirmed wait_on_freed_page waiter=toucher/3-67 releaser=toucher/0-64 pfn=0x39200 freed=5.794279 "
      "wait=5.801402..5.801475 freed_before_queue order=\"7.1 ms apart, clock error 1 us\" "
      "events=2366,2383,2384,2401,2402 kernel="));
  CHECK(run.out.find("kernel=\"Bad page state in process thp mover (waiters), console line 329\"") !=
        std::string::npos);
  CHECK(run.out.find("... and 43 more: 43 latent\n") != std::string::npos);
  CHECK(run.out.find("replay: 1,352 of 1,370 certain reference counts predicted (98.68 %)") !=
        std::string::npos);
  CHECK(run.out.find(
            "lines: 5,863 = 5,851 events + 12 comments + 0 continuations + 0 markers + 0 rejected\n") !=
        std::string::npos);
  CHECK(run.err.find("events/s") != std::string::npos);
  CHECK(run.out.find("events/s") == std::string::npos);
}

TEST_CASE("exit codes", "[cli]") {
  CHECK(Shell("$MMREPLAY analyze samples/410-x86-held0.tar.xz").exit_code == 0);
  CHECK(Shell("$MMREPLAY analyze samples/410-x86-fired-nochurn.tar.xz").exit_code == 1);
  CHECK(Shell("printf '   a-1   [000] ....  1.000001: x: y=1\\n' | $MMREPLAY analyze -").exit_code == 3);
  CHECK(Shell("$MMREPLAY analyze LICENSE").exit_code == 2);
  CHECK(Shell("$MMREPLAY analyze").exit_code == 2);
  CHECK(Shell("$MMREPLAY analyze --no-such-option x").exit_code == 2);
  CHECK(Shell("$MMREPLAY analyze --format klingon samples/x86-fired.tar.xz").exit_code == 2);
  CHECK(Shell("$MMREPLAY frobnicate").exit_code == 2);
  CHECK(Shell("$MMREPLAY").exit_code == 2);
  CHECK(Shell("printf '# tracer: nop\\n' | $MMREPLAY analyze -").exit_code == 2);
}

TEST_CASE("help goes to standard output and has two examples that run", "[cli]") {
  for (const char* command : {"$MMREPLAY --help", "$MMREPLAY analyze --help"}) {
    Run run = Shell(command);
    CHECK(run.exit_code == 0);
    CHECK(run.err.empty());
    size_t examples = run.out.find("Examples:\n");
    REQUIRE(examples != std::string::npos);
    CHECK(std::count(run.out.begin() + static_cast<std::ptrdiff_t>(examples), run.out.end(), '\n') >= 3);
  }
  TemporaryFolder folder;
  Run run = Shell("tar -C " + folder.path() + " -xf samples/x86-fired.tar.xz && cd " + folder.path() +
                  "/x86-fired && $MMREPLAY analyze -o race.db trace.txt --dmesg dmesg.txt --probes "
                  "kprobe_events.txt && false; test $? = 1 && "
                  "sqlite3 race.db 'SELECT count(*) FROM findings'");
  CHECK(run.exit_code == 0);
  CHECK(run.out.ends_with("68\n"));
}

TEST_CASE("a directory, its archive and standard input give the same answer", "[cli]") {
  TemporaryFolder folder;
  REQUIRE(Shell("tar -C " + folder.path() + " -xf samples/410-x86-fired-nochurn.tar.xz").exit_code == 0);
  auto answer = [](const std::string& out) { return out.substr(0, out.find("input: ")); };
  Run archive = Shell("$MMREPLAY analyze samples/410-x86-fired-nochurn.tar.xz");
  Run directory = Shell("$MMREPLAY analyze " + folder.path() + "/410-x86-fired-nochurn");
  Run stdin_archive = Shell("$MMREPLAY analyze - < samples/410-x86-fired-nochurn.tar.xz");
  CHECK(answer(archive.out) == answer(directory.out));
  CHECK(answer(archive.out) == answer(stdin_archive.out));
}

TEST_CASE("errors name the object and go to standard error", "[cli]") {
  Run run = Shell("$MMREPLAY analyze /no/such/file");
  CHECK(run.exit_code == 2);
  CHECK(run.out.empty());
  CHECK(run.err == "mmreplay: /no/such/file: No such file or directory\n");
  run = Shell("$MMREPLAY analyze -o LICENSE samples/arm64-stock.tar.xz");
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("LICENSE: is not a database mmreplay wrote") != std::string::npos);
}

TEST_CASE("a reader that went away is no error, a full disk is", "[cli]") {
  Run run = Shell(
      "set -o pipefail 2>/dev/null; ( $MMREPLAY analyze samples/x86-fired.tar.xz; echo code $? >&2 ) | true");
  CHECK(run.err.find("mmreplay: standard output") == std::string::npos);
  if (std::filesystem::exists("/dev/full")) {
    run = Shell("$MMREPLAY analyze samples/arm64-stock.tar.xz > /dev/full");
    CHECK(run.exit_code == 2);
    CHECK(run.err.find("standard output: No space left on device") != std::string::npos);
  }
}

// Each "$ command" of the README with the lines below it, up to the end of its block.
TEST_CASE("the README shows what the program prints", "[cli]") {
  std::string readme = ReadFile(MMREPLAY_SOURCE_DIR "/README.md");
  TemporaryFolder folder;
  REQUIRE(Shell("$MMREPLAY analyze -o " + folder.path() + "/race.db samples/x86-fired.tar.xz").exit_code ==
          1);
  int commands = 0;
  for (size_t at = readme.find("```\n$ "); at != std::string::npos; at = readme.find("```\n$ ", at + 1)) {
    ++commands;
    size_t command_start = at + 6;
    size_t command_end = readme.find('\n', command_start);
    std::string command = readme.substr(command_start, command_end - command_start);
    std::string shown = readme.substr(command_end + 1, readme.find("\n```", command_end) - command_end);
    if (command.starts_with("mmreplay ")) {
      command = "$MMREPLAY" + command.substr(8);
    } else {
      command = "cd " + folder.path() + " && " + command;
    }
    std::string out = Shell(command).out;
    CAPTURE(command, out);
    size_t from = 0;
    ForEachLine(shown, [&](std::string_view line) {
      if (line == "[...]") return;
      size_t found = out.find(std::string(line) + "\n", from);
      CAPTURE(std::string(line));
      REQUIRE(found != std::string::npos);
      from = found;
    });
  }
  CHECK(commands >= 2);
}

TEST_CASE("hostile comms do not reach the terminal", "[cli]") {
  // Synthetic: an escape sequence as a comm.
  Run run = Shell(
      "sed 's/toucher.2-66 /\\x1b[31mEVIL\\xff-66 /' < /dev/null; tar -xOf samples/x86-fired.tar.xz "
      "x86-fired/trace.txt | "
      "sed 's/toucher.2-66 /\\x1b[31mE-66 /' | $MMREPLAY analyze -");
  CHECK(run.out.find('\x1b') == std::string::npos);
  CHECK(run.out.find("\\x1b[31mE-66") != std::string::npos);
}

}  // namespace mmreplay
