// What people see while a recording is read, and what is left where they do not wait for the end.
#include "cli/output.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

// Enough of a trace that its analysis has begun, and not its end.
std::string LongTrace() {
  std::string text = "# tracer: nop\n";
  for (int i = 0; text.size() < size_t{600} * 1024; ++i) {
    text += "            work-10    [000] .....   " + std::to_string(100 + i / 100000) + "." +
            std::to_string(100000 + i % 100000) + ": x: y=1\n";
  }
  return text;
}

// Runs an analysis of standard input that does not end, into folder/race.db, and ends it by the signal once
// it has begun to write. Returns how it ended.
int EndBySignal(const std::string& folder, int signal) {
  int input[2];
  REQUIRE(pipe(input) == 0);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(signal, SIG_DFL);
    dup2(input[0], STDIN_FILENO);
    close(input[0]);
    close(input[1]);
    std::string database = folder + "/race.db";
    execl(MMREPLAY_BINARY, "mmreplay", "analyze", "-o", database.c_str(), "-", nullptr);
    _exit(127);
  }
  close(input[0]);
  std::string text = LongTrace();
  for (size_t at = 0; at < text.size();) {
    ssize_t wrote = write(input[1], text.data() + at, text.size() - at);
    REQUIRE(wrote > 0);
    at += static_cast<size_t>(wrote);
  }
  auto has_partial = [&] {
    for (const std::string& name : NamesIn(folder)) {
      if (name.find("mmreplay-partial") != std::string::npos) return true;
    }
    return false;
  };
  for (int i = 0; i < 1000 && !has_partial(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(has_partial());
  kill(child, signal);
  int status = 0;
  waitpid(child, &status, 0);
  close(input[1]);
  return status;
}

}  // namespace

TEST_CASE("progress says bytes, events, their rate and the time left", "[output]") {
  CHECK(ReadingText(8'123'456, {1'200'000'000, 4'800'000'000}, 10) ==
        "mmreplay: 1.2 GB of 4.8 GB (25 %), 8,123,456 events, 812,345 events/s, 0:30 left");
  CHECK(ReadingText(1000, {999, 1'000'000'000}, 4) ==
        "mmreplay: 999 B of 1.0 GB (0 %), 1,000 events, 250 events/s, 1112:13:21 left");
  CHECK(ReadingText(1000, {5'000, 5'000}, 4) ==
        "mmreplay: 5.0 KB of 5.0 KB (100 %), 1,000 events, 250 events/s");
  CHECK(ReadingText(1000, {5'000'000, {}}, 4) == "mmreplay: 5.0 MB, 1,000 events, 250 events/s");
  CHECK(ReadingText(1000, {}, 4) == "mmreplay: 1,000 events, 250 events/s");
  CHECK(ReadingText(0, {0, 100}, 0) == "mmreplay: 0 events");
}

TEST_CASE("what has been read is counted in the bytes of the file", "[output]") {
  TemporaryFolder folder;
  std::string text = LongTrace();
  folder.Write("trace", text);
  CHECK(Shell("gzip -k " + folder.path() + "/trace").exit_code == 0);
  for (const char* name : {"/trace", "/trace.gz"}) {
    Recording recording = OpenRecording({.inputs = {folder.path() + name}, .dmesg = {}, .probes = {}});
    auto size = static_cast<int64_t>(std::filesystem::file_size(folder.path() + name));
    ReadFn read = recording.trace.open();
    CHECK(ProgressOf(recording).total == size);
    std::vector<char> buffer(text.size());
    int64_t before = 0;
    while (read(buffer.data(), buffer.size()) > 0) {
      CHECK(ProgressOf(recording).read >= before);
      before = ProgressOf(recording).read;
    }
    CHECK(before == size);
  }
}

TEST_CASE("the progress line is for terminals, and gone at the end", "[output]") {
  TemporaryFolder folder;
  std::string trace = folder.Write("trace", LongTrace() + LongTrace());
  // Two batches, the second one late.
  std::string slow = "{ cat " + trace + "; sleep 1.3; cat " + trace + " " + trace + "; } | ";
  Run quiet = Shell(slow + "$MMREPLAY analyze -");
  CHECK(quiet.err.empty());
  Run seen =
      Shell("script -qec '" + slow + "$MMREPLAY analyze - >" + folder.path() + "/out' /dev/null </dev/null");
  size_t line = seen.out.find("\r\x1b[Kmmreplay: ");
  REQUIRE(line != std::string::npos);
  CHECK(seen.out.find(" MB, ", line) != std::string::npos);
  CHECK(seen.out.find(" events/s", line) != std::string::npos);
  // Cleared before the summary.
  size_t last = seen.out.rfind("\r\x1b[K");
  CHECK(seen.out.find("mmreplay: ", last) == last + 4);
  CHECK(seen.out.find(" events in ", last) != std::string::npos);
}

TEST_CASE("a run that is interrupted ends by the signal and leaves nothing behind", "[output]") {
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGXCPU}) {
    CAPTURE(signal);
    TemporaryFolder folder;
    int status = EndBySignal(folder.path(), signal);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == signal);
    CHECK(NamesIn(folder.path()).empty());
  }
  // What was there before stays.
  TemporaryFolder folder;
  REQUIRE(Shell("$MMREPLAY analyze samples/arm64-stock.tar.xz -o " + folder.path() + "/race.db").exit_code !=
          2);
  std::string before = ReadFile(folder.path() + "/race.db");
  EndBySignal(folder.path(), SIGINT);
  CHECK(NamesIn(folder.path()) == std::vector<std::string>{"race.db"});
  CHECK(ReadFile(folder.path() + "/race.db") == before);
}

TEST_CASE("a name that means something else to SQLite is a file's", "[output]") {
  TemporaryFolder folder;
  std::string sample = MMREPLAY_SOURCE_DIR "/samples/x86-panic.tar.xz";
  for (const char* name : {":memory:", "file:x?mode=memory"}) {
    CAPTURE(name);
    std::string in_folder = "cd " + folder.path() + " && $MMREPLAY ";
    Run run = Shell(in_folder + "analyze -o '" + name + "' " + sample);
    CHECK(run.exit_code == 1);
    CHECK(Shell(in_folder + "report '" + name + "'").out == run.out);
  }
}

}  // namespace mmreplay
