// A stored trace that is replayed says what the analysis of its files said, row by row.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "cli/ingest.h"
#include "db/stored_trace.h"
#include "parser/error.h"
#include "rules/rule.h"
#include "tests/analysis.h"
#include "tests/case_files.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;

// Every table and view of the file and every row of its tables, in order.
std::string Dump(const std::string& path) {
  auto db = OpenTraceDatabase(path, Database::Mode::kReadOnly);
  std::string text;
  std::vector<std::string> tables;
  Statement schema(*db, "SELECT type, name, sql FROM sqlite_schema ORDER BY rowid");
  while (schema.Step()) {
    text += std::string(schema.Text(1)) + ": " + std::string(schema.Text(2)) + "\n";
    if (schema.Text(0) == "table") tables.emplace_back(schema.Text(1));
  }
  for (const std::string& table : tables) {
    Statement rows(*db, "SELECT * FROM " + table);
    while (rows.Step()) {
      text += table;
      for (int column = 0; column < rows.columns(); ++column)
        text += rows.IsNull(column) ? "|null" : "|" + std::string(rows.Text(column));
      text += "\n";
    }
  }
  return text;
}

void AnalyseInto(const std::vector<std::string>& inputs, const std::string& output) {
  Recording recording = OpenRecording({.inputs = inputs, .dmesg = {}, .probes = {}});
  TraceStore store(output);
  Ingest(recording, &store);
  JudgeTrace(BuiltInRules(), &store.database());
  store.Publish();
}

void Replay(const std::string& input, const std::string& output) {
  StoredTrace trace(input);
  TraceStore store(output);
  Ingest(trace.recording(), &store, {.open = [&](const Recording&, StringTable* strings, Decoder* decoder) {
           return trace.Open(strings, decoder);
         }});
  JudgeTrace(BuiltInRules(), &store.database());
  store.Publish();
}

std::vector<std::string> AllTraces() {
  std::vector<std::string> paths;
  for (const char* folder : {MMREPLAY_SOURCE_DIR "/samples", MMREPLAY_RECORDINGS}) {
    if (*folder == 0) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      std::string name = entry.path().filename();
      bool recording = entry.is_directory() && folder == std::string_view(MMREPLAY_RECORDINGS);
      if (recording || name.find(".tar.") != std::string::npos) paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

TEST_CASE("a replay of the database alone equals the analysis of the files", "[stored_trace]") {
  std::vector<std::string> traces = AllTraces();
  REQUIRE(traces.size() >= 30);
  for (const std::string& trace : traces) {
    CAPTURE(trace);
    TemporaryFolder folder;
    std::string first = folder.path() + "/first.db";
    std::string second = folder.path() + "/second.db";
    AnalyseInto({trace}, first);
    Replay(first, second);
    std::string expected = Dump(first);
    bool same = Dump(second) == expected;
    CHECK(same);
    if (trace.find("410-x86-fired") == std::string::npos) continue;
    // In place, and again from what that left.
    Replay(first, first);
    Replay(first, first);
    CHECK(Dump(first) == expected);
  }
}

TEST_CASE("every case is replayed from its database as it was analysed", "[stored_trace]") {
  for (const Case& one : AllCases()) {
    CAPTURE(one.path);
    TemporaryFolder recording;
    TemporaryFolder databases;
    for (const auto& [name, content] : one.files) recording.Write(name, content);
    std::string first = databases.path() + "/first.db";
    std::string second = databases.path() + "/second.db";
    AnalyseInto({recording.path()}, first);
    Replay(first, second);
    CHECK(Dump(second) == Dump(first));
  }
}

TEST_CASE("a trace of several files is replayed from one database", "[stored_trace]") {
  TemporaryFolder folder;
  std::string cpu0 = folder.Write(
      "cpu0",
      "           a-1       [000] .....    10.000001: page_ref_set: pfn=0x10 flags= count=1 mapcount=0 "
      "mapping=0000000000000000 mt=0 val=1\n"
      "           a-1       [000] .....    10.000003: page_ref_mod: pfn=0x10 flags= count=2 mapcount=0 "
      "mapping=0000000000000000 mt=0 val=1\n");
  std::string cpu1 = folder.Write(
      "cpu1",
      "           b-2       [001] d.h2.    10.000002: page_ref_mod: pfn=0x10 flags= count=2 mapcount=0 "
      "mapping=0000000000000000 mt=0 val=1\n"
      "CPU:1 [LOST 3 EVENTS]\n"
      "           b-2       [001] .....    10.000009: kernel_stack: <stack trace >\n => one\n => two\n");
  AnalyseInto({cpu0, cpu1}, folder.path() + "/first.db");
  Replay(folder.path() + "/first.db", folder.path() + "/second.db");
  CHECK(Dump(folder.path() + "/second.db") == Dump(folder.path() + "/first.db"));
}

TEST_CASE("replay on the command line", "[stored_trace]") {
  Run analysis = Shell(
      "d=$(mktemp -d) && trap 'rm -rf \"$d\"' EXIT && $MMREPLAY analyze -o $d/a.db samples/x86-fired.tar.xz "
      "> "
      "$d/a.txt 2>/dev/null; cp $d/a.db $d/b.db; $MMREPLAY replay $d/b.db -o $d/c.db > $d/c.txt 2>/dev/null; "
      "code=$?; cmp $d/a.db $d/b.db && cmp $d/a.txt $d/c.txt && $MMREPLAY replay $d/a.db > $d/d.txt "
      "2>/dev/null; "
      "cmp $d/a.txt $d/d.txt && ls $d && exit $code");
  CHECK(analysis.exit_code == 1);
  CHECK(analysis.out == "a.db\na.txt\nb.db\nc.db\nc.txt\nd.txt\n");

  SECTION("a database from before the schema had what a replay needs") {
    TemporaryFolder folder;
    std::string path = folder.path() + "/old.db";
    AnalyseInto({MMREPLAY_SOURCE_DIR "/samples/x86-panic.tar.xz"}, path);
    Database(path, Database::Mode::kReadWrite).Exec("PRAGMA user_version=2");
    Run old = Shell("$MMREPLAY replay " + path);
    CHECK(old.exit_code == 2);
    CHECK(old.err.find("analyze the recording again") != std::string::npos);
  }
  SECTION("a damaged one is left as it is") {
    TemporaryFolder folder;
    std::string path = folder.path() + "/damaged.db";
    AnalyseInto({MMREPLAY_SOURCE_DIR "/samples/x86-panic.tar.xz"}, path);
    Database(path, Database::Mode::kReadWrite).Exec("UPDATE event SET comm = 123456789 WHERE id = 7");
    std::string before = ReadFile(path);
    Run damaged = Shell("$MMREPLAY replay " + path);
    CHECK(damaged.exit_code == 2);
    CHECK(damaged.err.find("damaged") != std::string::npos);
    CHECK(ReadFile(path) == before);
    CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
  }
}

TEST_CASE("what a result may replace", "[stored_trace]") {
  TemporaryFolder folder;
  std::string original = folder.path() + "/original.db";
  AnalyseInto({MMREPLAY_SOURCE_DIR "/samples/x86-panic.tar.xz"}, original);
  Run run = Shell("cd " + folder.path() +
                  " && mkdir links && ln -s ../original.db links/link.db && mkfifo fifo && " +
                  "echo '{\"format\":\"mmreplay-triage\",\"mine\":1}' > baseline && ln -s baseline other");
  REQUIRE(run.exit_code == 0);
  SECTION("a symbolic link stays, and its file is replaced") {
    Database(original, Database::Mode::kReadWrite).Exec("UPDATE trace SET tracer = 'before'");
    CHECK(Shell("$MMREPLAY replay " + folder.path() + "/links/link.db").exit_code == 1);
    CHECK(fs::is_symlink(folder.path() + "/links/link.db"));
    CHECK(Shell("$MMREPLAY triage samples/x86-panic.tar.xz --write-baseline " + folder.path() + "/other")
              .exit_code == 1);
    CHECK(fs::is_symlink(folder.path() + "/other"));
    CHECK(ReadFile(folder.path() + "/baseline").find("mine") == std::string::npos);
  }
  SECTION("a fifo is no database, and nothing waits for it") {
    for (const std::string command :
         {"replay ", "report ", "analyze samples/x86-panic.tar.xz -o ", "triage samples/x86-panic.tar.xz -o ",
          "triage samples/x86-panic.tar.xz --write-baseline "}) {
      Run refused = Shell("timeout 20 $MMREPLAY " + command + folder.path() + "/fifo");
      CAPTURE(command, refused.err);
      CHECK(refused.exit_code == 2);
      CHECK(refused.err.find("/fifo: is a device, fifo or socket, and no file") != std::string::npos);
    }
    CHECK(fs::is_fifo(folder.path() + "/fifo"));
  }
  SECTION("a folder is none either") {
    Run refused = Shell("$MMREPLAY replay " + folder.path());
    CHECK(refused.exit_code == 2);
    CHECK(refused.err.find("is a directory") != std::string::npos);
  }
}

}  // namespace mmreplay
