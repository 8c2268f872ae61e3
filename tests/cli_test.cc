// The program itself: exit codes, streams, help.
#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "db/database.h"
#include "parser/lines.h"
#include "parser/temporary_file.h"
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
  // Where the report is no text a sentence says why, too.
  Run nothing = Shell("printf '# tracer: nop\\n' | $MMREPLAY analyze --format html -");
  CHECK(nothing.exit_code == 2);
  CHECK(nothing.err.ends_with(": no event in it could be read\n"));
  CHECK(Shell("$MMREPLAY analyze --format html samples/410-x86-held0.tar.xz").err.empty());
}

// Made up.
TEST_CASE("another order of the events is told where it is what keeps waits from being judged", "[cli]") {
  auto analyze = [](const std::string& event) {
    std::string lines;
    for (const char* ts : {"5.000001", "6.000001", "1.000001", "2.000001"})
      lines += "   a-1   [000] ....  " + std::string(ts) + ": " + event + "\\n";
    return Shell("printf '" + lines + "' | $MMREPLAY analyze -");
  };
  Run waits = analyze("wait: (folio_wait_bit+0x0/0x20) folio=0xffffea0000a00000 bit=0");
  CHECK(waits.exit_code == 3);
  CHECK(waits.out.starts_with("CANNOT TELL: events are not in the order they were recorded in"));
  CHECK(waits.out.find("not judged: events are not in the order") != std::string::npos);
  Run none = analyze("x: y=1");
  CHECK(none.exit_code == 3);
  CHECK(none.out.starts_with("CANNOT TELL: no wait function was probed"));
  CHECK(none.out.find("\nnot applicable: wait_on_freed_page: record page_waits\n") != std::string::npos);
  CHECK(none.out.find("time stamps run backwards") != std::string::npos);
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
  Run twice = Shell("$MMREPLAY analyze - - < samples/410-x86-fired-nochurn.tar.xz");
  CHECK(twice.exit_code == 2);
  CHECK(twice.err.starts_with("mmreplay: -: standard input can be read once"));
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

TEST_CASE("results have the rights the umask leaves, whatever it is; while they are made nobody has",
          "[cli]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  auto mode = [&](const std::string& name) {
    struct stat info {};
    return stat((f + "/" + name).c_str(), &info) == 0 ? info.st_mode & 0777 : 0U;
  };
  struct Case {
    const char* umask;
    unsigned mode;
  };
  for (const Case& one : {Case{"0", 0666}, Case{"022", 0644}, Case{"077", 0600}}) {
    CAPTURE(one.umask);
    std::string set = "umask " + std::string(one.umask) + "; $MMREPLAY ";
    CHECK(Shell(set + "analyze -o " + f + "/x.db samples/410-x86-held0.tar.xz").exit_code == 0);
    CHECK(mode("x.db") == one.mode);
    CHECK(Shell(set + "replay " + f + "/x.db -o " + f + "/y.db").exit_code == 0);
    CHECK(mode("y.db") == one.mode);
    CHECK(Shell(set + "triage -o " + f + "/fleet.db --write-baseline " + f +
                "/base samples/410-x86-held0.tar.xz")
              .exit_code == 0);
    CHECK(mode("fleet.db") == one.mode);
    CHECK(mode("base") == one.mode);
    for (const auto& entry : std::filesystem::directory_iterator(f)) std::filesystem::remove(entry);
  }
  // Input that does not end yet: the file under its temporary name, and what standard input is kept in.
  Run run = Shell("umask 0; mkfifo " + f + "/in; $MMREPLAY analyze -o " + f + "/x.db - < " + f +
                  "/in > /dev/null & pid=$!\n"
                  "exec 3> " +
                  f +
                  "/in; tar -xOf samples/x86-fired.tar.xz x86-fired/trace.txt >&3\n"
                  "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do\n"
                  "  ls " +
                  f +
                  "/x.db.* > /dev/null 2>&1 && break; sleep 0.2; done\n"
                  "stat -c %a " +
                  f + "/x.db.mmreplay-partial.*; ls " + f + "; exec 3>&-; wait $pid; echo $?");
  CAPTURE(run.out, run.err);
  CHECK(run.out.starts_with("600\nin\nx.db.mmreplay-partial."));
  CHECK(run.out.ends_with("\n1\n"));
  CHECK(mode("x.db") == 0666);
}

TEST_CASE("temporary files lie beside the result, and no variable but TMPDIR has a say", "[cli]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  for (const char* name : {"out", "tmp", "other"}) std::filesystem::create_directory(f + "/" + name);
  // The archive on standard input and the trace.dat in it are both kept in files without a name. What holds
  // them open is asked while the result is being written to a reader that does not read.
  auto open_files = [&](const std::string& options) {
    return Shell("mkfifo " + f + "/go; TMPDIR=" + f + "/tmp SQLITE_TMPDIR=" + f + "/other TMP=" + f +
                 "/other TEMP=" + f + "/other TEMPDIR=" + f + "/other $MMREPLAY analyze " + options +
                 " - < samples/x86-dat-fired.tar.xz > " + f +
                 "/go & pid=$!\n"
                 "exec 3< " +
                 f + "/go; sleep 1.5; ls -l /proc/$pid/fd; ls -A " + f + "/tmp " + f +
                 "/other; cat <&3 > /dev/null; "
                 "wait $pid; rm " +
                 f + "/go");
  };
  Run beside = open_files("--format html -o " + f + "/out/x.db");
  CAPTURE(beside.out, beside.err);
  CHECK(beside.out.find(" -> " + f + "/out/#") != std::string::npos);
  CHECK(beside.out.find(f + "/tmp/#") == std::string::npos);
  CHECK(beside.out.find(f + "/other/") == std::string::npos);
  Run plain = open_files("--format html");
  CAPTURE(plain.out, plain.err);
  CHECK(plain.out.find(" -> " + f + "/tmp/#") != std::string::npos);
  CHECK(plain.out.find(f + "/other/") == std::string::npos);
  // SQLite's own: it would ask SQLITE_TMPDIR first.
  Database database("", Database::Mode::kCreate);
  REQUIRE(sqlite3_temp_directory != nullptr);
  CHECK(FolderOfTemporaries() == sqlite3_temp_directory);
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
