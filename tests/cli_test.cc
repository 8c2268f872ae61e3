// The program itself: exit codes, streams, help.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "parser/lines.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
TEST_CASE("the verdict comes first, then the race, then one line per finding", "[cli]") {
  Run run = Shell("$MMREPLAY analyze samples/x86-fired.tar.xz");
  CHECK(run.exit_code == 1);
  CHECK(run.out.starts_with(
      "FOUND: 68 waits on a page that nothing kept alive: 20 confirmed, 3 probable, 45 latent\n"));
  CHECK(run.out.find("\nconfirmed wait_on_freed_page waiter=toucher/3-67 releaser=toucher/0-64 pfn=0x39200 "
                     "freed=5.794279 "
                     "wait=5.801402..5.801475 freed_before_queue order=\"7.1 ms apart, clock error 1 us\" "
                     "events=2366,2383,2384,2401,2402 kernel=\"BUG: Bad page state in process thp mover "
                     "pfn:39200 (waiters; "
                     "PAGE_FLAGS_CHECK_AT_PREP flag(s) set), console line 329\"\n") != std::string::npos);
  CHECK(run.out.find(
            "\n... and 58 more: 10 confirmed, 3 probable, 45 latent (mmreplay query DB @findings)\n") !=
        std::string::npos);
  CHECK(run.out.find("replay: 1,352 of 1,370 certain reference counts predicted (98.68 %)") !=
        std::string::npos);
  CHECK(run.out.find(
            "lines: 5,863 = 5,851 events + 12 comments + 0 continuations + 0 markers + 0 rejected\n") !=
        std::string::npos);
  CHECK(run.err.empty());
  CHECK(run.out.find("events/s") == std::string::npos);
}

TEST_CASE("a stored trace prints what its analysis printed, in each format, and twice the same", "[cli]") {
  TemporaryFolder folder;
  for (const char* sample : {"x86-fired", "410-x86-held0", "arm64-stock"}) {
    std::string analyze = std::string("samples/") + sample + ".tar.xz -o " + folder.path();
    Run text = Shell("$MMREPLAY analyze " + analyze + "/a.db");
    for (const char* format : {"text", "json", "jsonl", "sarif", "junit", "html", "perfetto"}) {
      std::string how = std::string(" --near-misses --format ") + format + " ";
      CAPTURE(sample, format);
      Run analysis = Shell("$MMREPLAY analyze" + how + analyze + "/b.db");
      CHECK(analysis.exit_code == text.exit_code);
      CHECK(analysis.out.size() > 500);
      CHECK(Shell("$MMREPLAY report" + how + folder.path() + "/a.db").out == analysis.out);
    }
    CHECK(Shell("$MMREPLAY report " + folder.path() + "/b.db").out == text.out);
    CHECK(ReadFile(folder.path() + "/a.db") == ReadFile(folder.path() + "/b.db"));
    // On one cpu the two threads take turns otherwise than on two.
    Run single = Shell("taskset -c 0 $MMREPLAY analyze " + analyze + "/c.db");
    CHECK(single.out == text.out);
    CHECK(ReadFile(folder.path() + "/c.db") == ReadFile(folder.path() + "/a.db"));
  }
}

TEST_CASE("JSON reports follow their schema", "[cli]") {
  TemporaryFolder folder;
  std::string synthetic =
      folder.Write("trace", "   a-1   [000] ....  1.000001: x: y=1\nCPU:3 [LOST 5 EVENTS]\n");
  for (const std::string& input :
       {std::string("samples/x86-fired.tar.xz"), std::string("samples/410-x86-held0.tar.xz"),
        std::string("samples/arm64-stock.tar.xz"), synthetic}) {
    std::string file = folder.path() + "/report.json";
    Shell("$MMREPLAY analyze --near-misses --format json " + input + " > " + file);
    Run run = Shell("python3 -m jsonschema -i " + file + " report/report.schema.json");
    CAPTURE(input, run.out, run.err);
    CHECK(run.exit_code == 0);
    CHECK(ReadFile(file).size() > 1000);
  }
  // The check can fail.
  std::string wrong = folder.Write("wrong.json", R"({"format": "mmreplay-report", "version": 1})");
  CHECK(Shell("python3 -m jsonschema -i " + wrong + " report/report.schema.json").exit_code != 0);
}

TEST_CASE("a database is whole when a reader of the report went away", "[cli]") {
  TemporaryFolder folder;
  Shell("$MMREPLAY analyze samples/x86-fired.tar.xz -o " + folder.path() + "/race.db | true");
  CHECK(
      Shell("$MMREPLAY query " + folder.path() + "/race.db 'SELECT count(*) AS n FROM findings' --format csv")
          .out == "n\r\n68\r\n");
}

TEST_CASE("page frame numbers are read as the user means them", "[cli]") {
  TemporaryFolder folder;
  std::string db = folder.path() + "/race.db";
  Shell("$MMREPLAY analyze samples/x86-fired.tar.xz -o " + db);
  Run hex = Shell("$MMREPLAY page " + db + " 0x39200");
  CHECK(hex.exit_code == 0);
  CHECK(hex.out.starts_with("page 0x39200 (pfn 233984): 1 life\n"));
  CHECK(Shell("$MMREPLAY page " + db + " pfn:39200").out == hex.out);
  CHECK(Shell("$MMREPLAY page " + db + " 233984").out == hex.out);
  Run bare = Shell("$MMREPLAY page " + db + " 39200");
  CHECK(bare.exit_code == 2);
  CHECK(bare.err == "mmreplay: 39200: nothing in " + db + " is about this page; did you mean 0x39200?\n");
  CHECK(Shell("$MMREPLAY page " + db + " c000").err.find("did you mean 0xc000?") != std::string::npos);
  CHECK(Shell("$MMREPLAY page " + db + " zebra").err ==
        "mmreplay: zebra: is no page frame number; give 0x39200, pfn:39200 or decimal\n");
  CHECK(Shell("$MMREPLAY page " + db + " 0x123456789").exit_code == 2);
  CHECK(Shell("$MMREPLAY page " + db).exit_code == 2);
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

TEST_CASE("a directory, its archive and standard input give the same answer", "[cli]") {
  TemporaryFolder folder;
  REQUIRE(Shell("tar -C " + folder.path() + " -xf samples/410-x86-fired-nochurn.tar.xz").exit_code == 0);
  // What does not name files.
  auto answer = [](const std::string& out) {
    size_t findings = out.find("\nconfirmed wait_on_freed_page ");
    return out.substr(findings, out.find("input: ") - findings);
  };
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
  CHECK(run.err.starts_with("mmreplay: /no/such/file: No such file or directory\n  next: "));
  run = Shell("$MMREPLAY analyze -o LICENSE samples/arm64-stock.tar.xz");
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("LICENSE: is not a database mmreplay wrote") != std::string::npos);
  run = Shell("$MMREPLAY analyze -o samples samples/arm64-stock.tar.xz");
  CHECK(run.err.starts_with("mmreplay: samples: is a directory\n  next: "));
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
  int commands = 0;
  for (size_t at = readme.find("```\n$ "); at != std::string::npos; at = readme.find("```\n$ ", at + 1)) {
    ++commands;
    size_t command_start = at + 6;
    size_t command_end = readme.find('\n', command_start);
    std::string command = readme.substr(command_start, command_end - command_start);
    std::string shown = readme.substr(command_end + 1, readme.find("\n```", command_end) - command_end);
    // As a user would, from a folder that has the samples in it.
    std::string out =
        Shell("ln -sfn \"$PWD/samples\" " + folder.path() + "/samples && mkdir -p " + folder.path() +
              "/bin && ln -sfn $MMREPLAY " + folder.path() + "/bin/mmreplay && cd " + folder.path() +
              " && PATH=" + folder.path() + "/bin:$PATH && " + command)
            .out;
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
  CHECK(commands >= 7);
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
