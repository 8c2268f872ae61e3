// Databases, rules and queries from strangers: an answer or a sentence, and nothing written.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <random>

#include "db/database.h"
#include "db/read_only.h"
#include "db/regexp.h"
#include "parser/error.h"
#include "rules/rule.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

// A small stored trace with a finding, to be spoilt.
class Victim {
 public:
  Victim() {
    std::string text =
        ReadFile(MMREPLAY_SOURCE_DIR "/tests/cases/folio_wait_bit_freed_before_no_reference.case");
    size_t begin = text.find("# tracer");
    size_t end = text.find("==== kprobe_events.txt\n");
    fs::create_directory(folder_.path() + "/log");
    folder_.Write("log/trace.txt", text.substr(begin, end - begin));
    folder_.Write("log/kprobe_events.txt", text.substr(text.find('\n', end) + 1));
    REQUIRE(Execute({"analyze", "-o", path_, log()}).exit_code == 1);
    bytes_ = ReadFile(path_);
  }
  const std::string& bytes() const { return bytes_; }
  const std::string& path() const { return path_; }
  std::string log() const { return folder_.path() + "/log"; }
  std::string beside(const std::string& name) const { return folder_.path() + "/" + name; }
  const TemporaryFolder& folder() const { return folder_; }

  void Put(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }
  // With writable_schema, so that constraints and definitions can be anything.
  void Change(const std::string& sql, bool anew = true) const {
    if (anew) Put(bytes_);
    // Not through ours, which has no virtual tables.
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open(path_.c_str(), &raw) == SQLITE_OK);
    int code = sqlite3_exec(raw, ("PRAGMA writable_schema=ON;" + sql).c_str(), nullptr, nullptr, nullptr);
    INFO(sql << ": " << sqlite3_errmsg(raw));
    CHECK(code == SQLITE_OK);
    sqlite3_close(raw);
  }
  // As an earlier version had them, or who edits bytes leaves them: with values of any type.
  void ChangeTypes(const std::string& sql, bool keep_tables = true) const {
    Change(
        "UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT, WITHOUT', ') WITHOUT'), ') STRICT', "
        "')')");
    Change(sql, false);
    if (!keep_tables) return Change("UPDATE sqlite_schema SET sql = replace(sql, ' ANY', '')", false);
    Change(
        "UPDATE sqlite_schema SET sql = iif(sql LIKE '%) WITHOUT ROWID', replace(sql, ') WITHOUT', ') "
        "STRICT, WITHOUT'), "
        "sql || ' STRICT') WHERE type = 'table'",
        false);
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/race.db";
  std::string bytes_;
};

// What reads a database, in turn.
std::vector<Arguments> Readers(const std::string& db, const std::string& other) {
  return {{"report", db},
          {"report", db, "--format", "html"},
          {"report", db, "--format", "json", "--near-misses"},
          {"report", db, "--format", "jsonl"},
          {"report", db, "--format", "sarif"},
          {"report", db, "--format", "junit"},
          {"report", db, "--format", "perfetto"},
          {"page", db, "0x28000"},
          {"query", db, "@waits"},
          {"query", db, "SELECT * FROM events"},
          {"doctor", db},
          {"replay", db, "-o", other},
          {"rules", "check", "rules/wait_on_freed_page.sql", "--database", db}};
}

// An answer or a sentence that names the file; nothing changed, nothing left.
void Examine(const Victim& victim, const Arguments& arguments) {
  std::string before = ReadFile(victim.path());
  std::vector<std::string> files = victim.Files();
  Run run = Execute(arguments, {.cpu_seconds = 20});
  CAPTURE(arguments, run.exit_code, run.err);
  CHECK((run.exit_code == 0 || run.exit_code == 1 || run.exit_code == 2 || run.exit_code == 3));
  if (run.exit_code == 2) {
    CHECK(run.err.starts_with("mmreplay: "));
    CHECK(run.err.find(": internal error") == std::string::npos);
    bool named =
        run.err.find(victim.path()) != std::string::npos || run.err.find("query:") != std::string::npos ||
        run.err.find("no page") != std::string::npos || run.err.find("holds no integer") != std::string::npos;
    CHECK(named);
  }
  CHECK(ReadFile(victim.path()) == before);
  fs::remove(victim.beside("other.db"));
  CHECK(victim.Files() == files);
}

std::string Query(const std::string& sql, const Budget& budget = {.steps = 1'000'000}) {
  Database database("", Database::Mode::kCreate);
  AddRegexp(&database);
  SqlSource source{"query", 1, sql};
  try {
    ReadOnlyStatement statement(database, source, budget);
    std::string first;
    while (statement.Step()) first = statement.Text(0);
    return first;
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a database with any byte changed, cut or moved", "[hostile]") {
  Victim victim;
  std::mt19937_64 random(4);
  const std::string& good = victim.bytes();
  auto below = [&](size_t limit) { return static_cast<size_t>(random() % limit); };
  std::vector<Arguments> readers = Readers(victim.path(), victim.beside("other.db"));
  for (int i = 0; i < 260; ++i) {
    std::string bytes = good;
    switch (i % 4) {
      case 0:
        for (size_t n = size_t{1} << below(8); n > 0; --n)
          bytes[below(bytes.size())] = static_cast<char>(random());
        break;
      case 1:
        for (size_t n = 1 + below(3); n > 0; --n)
          bytes[below(below(2) == 0 ? 100 : 8192)] = static_cast<char>(random());
        break;
      case 2:
        bytes.resize(below(bytes.size()));
        break;
      default:
        bytes.replace(below(bytes.size()), 512, good.substr(below(bytes.size()), 512));
        break;
    }
    victim.Put(bytes);
    CAPTURE(i);
    Examine(victim, readers[static_cast<size_t>(i) / 4 % readers.size()]);
  }
}

TEST_CASE("a database with any value in place of any other", "[hostile]") {
  Victim victim;
  std::vector<std::pair<std::string, std::string>> columns;
  std::string loosen;
  {
    Database database(victim.path(), Database::Mode::kReadOnly);
    Statement column(
        database,
        "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = "
        "'table'");
    while (column.Step()) columns.emplace_back(column.Text(0), column.Text(1));
  }
  REQUIRE(columns.size() > 150);
  const std::vector<std::string> values = {"NULL",
                                           "'abc'",
                                           "x'ff00fe'",
                                           "CAST(x'fffe41' AS TEXT)",
                                           "-1",
                                           "9223372036854775807",
                                           "-9223372036854775808",
                                           "4294967296",
                                           "1e300",
                                           "printf('%5000s', 'x')"};
  std::vector<Arguments> readers = Readers(victim.path(), victim.beside("other.db"));
  std::mt19937_64 random(8);
  int refused = 0;
  for (size_t i = 0; i < 200; ++i) {
    std::string set;
    for (uint64_t n = 1 + random() % 3; n > 0; --n) {
      const auto& [table, column] = columns[random() % columns.size()];
      set += "UPDATE OR IGNORE \"" + table + "\" SET \"" + column +
             "\" = " + values[random() % values.size()] + (random() % 2 == 0 ? ";" : " WHERE rowid % 3 = 0;");
      // Tables without rowids.
      if (table == "event_more" || table == "recordable" || table == "finding_event" || table == "proof" ||
          table == "rule_result")
        set = "UPDATE OR IGNORE rule_result SET findings = " + values[random() % values.size()] + ";";
    }
    // Its definitions are put back: what NOT NULL forbids is then there.
    victim.Put(victim.bytes());
    {
      Database database(victim.path(), Database::Mode::kReadWrite);
      database.Exec(
          "PRAGMA writable_schema=ON; CREATE TEMP TABLE kept AS SELECT name, sql FROM sqlite_schema;"
          "UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE type = 'table'");
    }
    {
      Database database(victim.path(), Database::Mode::kReadWrite);
      try {
        database.Exec(set.c_str());
      } catch (const Error&) {
        // A key takes integers only, also here.
      }
    }
    {
      Database good(victim.path(), Database::Mode::kReadWrite);
      std::string original = victim.beside("good.db");
      std::ofstream(original, std::ios::binary) << victim.bytes();
      good.Exec(("ATTACH '" + original +
                 "' AS good; PRAGMA writable_schema=ON; UPDATE main.sqlite_schema AS m SET sql = (SELECT "
                 "g.sql FROM "
                 "good.sqlite_schema g WHERE g.name = m.name) WHERE type = 'table'")
                    .c_str());
    }
    fs::remove(victim.beside("good.db"));
    CAPTURE(i, set);
    const Arguments& arguments = readers[i % readers.size()];
    Examine(victim, arguments);
    refused += Execute({"report", victim.path()}).exit_code == 2;
  }
  CHECK(refused > 20);
}

TEST_CASE("what a stranger made of tables and views is told, not believed", "[hostile]") {
  Victim victim;
  std::vector<std::string> changes = {
      // Views that never end, call what they may not, or say what nobody wrote.
      "DROP VIEW page_waits; CREATE VIEW page_waits AS SELECT * FROM page_waits",
      "DROP VIEW findings; CREATE VIEW findings(id, trace_id, rule, grade, subject, subject_id, pfn, pid, "
      "comm, summary, "
      "fingerprint) AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, 1, 'r', "
      "'confirmed', "
      "'s', x, x, x, 'c', 's', 'f' FROM c",
      "DROP VIEW traces; CREATE VIEW traces AS SELECT load_extension('x') AS id",
      "ALTER TABLE page_wait RENAME TO other; CREATE VIEW page_wait AS SELECT * FROM other",
      "DROP TABLE gap; CREATE VIRTUAL TABLE gap USING fts5(id, cpu, from_ts, to_ts, lost)",
      "CREATE TRIGGER t AFTER INSERT ON finding BEGIN DELETE FROM finding; END",
      "UPDATE sqlite_schema SET sql = 'CREATE TABLE gap(id INTEGER PRIMARY KEY, cpu AS (hex(zeroblob(1e9))), "
      "from_ts, "
      "to_ts, lost)' WHERE name = 'gap'",
      "DROP INDEX page_wait_pfn; CREATE INDEX page_wait_pfn ON page_wait(pid)",
      "DROP TABLE trace_batch",
      "DELETE FROM trace",
      "UPDATE trace SET lines_events = lines_events + 1",
      "DELETE FROM event WHERE id = 3; UPDATE trace SET lines_events = 1, lines_total = 1 + lines_comments",
      "UPDATE trace SET lines_events = lines_events + 9, lines_comments = lines_comments - 9",
      "CREATE TABLE t AS SELECT * FROM trace; UPDATE t SET id = 2; INSERT INTO trace SELECT * FROM t; DROP "
      "TABLE t",
      "DELETE FROM trace_batch",
      "UPDATE trace_batch SET events = 1",
      "UPDATE source SET lines_total = 5 WHERE part IS NOT NULL",
      "DROP VIEW page_refs; CREATE VIEW page_refs(event_id) AS SELECT 1",
      "DROP VIEW mm_page_free; CREATE VIEW mm_page_free(event_id) AS SELECT 1",
      "UPDATE source SET part = 7",
  };
  for (const std::string& sql : changes) {
    victim.Change(sql);
    CAPTURE(sql);
    for (const Arguments& arguments :
         {Arguments{"report", victim.path()}, Arguments{"page", victim.path(), "0x28000"},
          Arguments{"replay", victim.path(), "-o", victim.beside("other.db")},
          Arguments{"doctor", victim.path()}}) {
      Examine(victim, arguments);
      Run run = Execute(arguments);
      fs::remove(victim.beside("other.db"));
      CAPTURE(arguments, run.err);
      if (sql.starts_with("UPDATE source") && arguments[0] != "replay") continue;
      CHECK(run.exit_code == 2);
      CHECK(run.err.starts_with("mmreplay: " + victim.path() + ": "));
    }
  }
}

TEST_CASE("a database of an earlier version is queried and replayed; a report says what to do", "[hostile]") {
  Victim victim;
  Run now = Execute({"report", victim.path()});
  REQUIRE(now.exit_code == 0);
  victim.ChangeTypes(ReadFile(MMREPLAY_SOURCE_DIR "/tests/schema_3.sql"), false);
  std::string old = ReadFile(victim.path());
  for (const char* command : {"report", "doctor"}) {
    Run run = Execute({command, victim.path()});
    CAPTURE(command, run.err);
    CHECK(run.exit_code == 2);
    CHECK(run.out.empty());
    CHECK(
        run.err.starts_with("mmreplay: " + victim.path() + ": was written by an earlier mmreplay (schema 3"));
    CHECK(run.err.find("`mmreplay replay " + victim.path() + " -o NEW`") != std::string::npos);
  }
  Run list = Execute({"query", "--list"});
  size_t queries = 0;
  for (size_t at = list.out.find('@'); at != std::string::npos; at = list.out.find('@', at + 1)) {
    std::string name = list.out.substr(at, list.out.find_first_of(" \n", at) - at);
    Run run = Execute({"query", victim.path(), name});
    CAPTURE(name, run.err);
    // Some take an argument.
    CHECK((run.exit_code == 0 || run.err.find("needs") != std::string::npos));
    ++queries;
  }
  CHECK(queries > 3);
  CHECK(Execute({"query", victim.path(), "SELECT * FROM page_wait_evidence"}).exit_code == 0);
  CHECK(Execute({"page", victim.path(), "0x28000"}).exit_code == 0);
  Run replay = Execute({"replay", victim.path(), "-o", victim.beside("new.db")});
  CHECK(replay.exit_code == 1);
  CHECK(ReadFile(victim.path()) == old);
  CHECK(Execute({"report", victim.beside("new.db")}).out == now.out);
  CHECK(Execute({"doctor", victim.beside("new.db")}).exit_code == 0);

  // The first schemas have no batches to replay.
  victim.Change("PRAGMA user_version=2");
  Run first = Execute({"report", victim.path()});
  CHECK(first.exit_code == 2);
  CHECK(first.err.find("; analyze the recording again") != std::string::npos);
}

TEST_CASE("a database of version 8 is reported on, and takes texts for numbers", "[hostile]") {
  Victim victim;
  Run now = Execute({"report", victim.path()});
  victim.ChangeTypes("PRAGMA user_version=8", false);
  Run run = Execute({"report", victim.path()});
  CAPTURE(run.err);
  CHECK(run.exit_code == 0);
  CHECK(run.out == now.out);
  // What the reader of a value asks for is looked at.
  victim.ChangeTypes("PRAGMA user_version=8; UPDATE page_wait SET begin_event = 'none'", false);
  run = Execute({"report", victim.path()});
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("is no number") != std::string::npos);
  // Strict tables are no tables of that version.
  victim.Change("PRAGMA user_version=8");
  CHECK(Execute({"report", victim.path()}).err.find("is not as it was made") != std::string::npos);
}

TEST_CASE("a table of an earlier version is a table, and no view that goes on for ever", "[hostile]") {
  Victim victim;
  victim.Change(
      "PRAGMA user_version=3; DROP TABLE trace; CREATE VIEW trace(path, format, kernel_release, machine, "
      "clock, "
      "probe_misses, reports_suppressed) AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
      "SELECT x, x, x, x, x, x, x FROM c WHERE x < 0");
  Run run = Execute({"replay", victim.path(), "-o", victim.beside("new.db")}, {.cpu_seconds = 120});
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("the table trace is not as it was made") != std::string::npos);
  CHECK_FALSE(fs::exists(victim.beside("new.db")));
  // Texts that no analysis writes are not read into memory.
  Victim long_text;
  long_text.Change("UPDATE trace SET path = hex(zeroblob(20000000))");
  Run longer = Execute({"doctor", long_text.path()});
  CHECK(longer.exit_code == 2);
  CHECK(longer.err.find("a value is longer than any that mmreplay writes") != std::string::npos);
}

TEST_CASE("a database with more files, probes or issues than an analysis writes is refused", "[hostile]") {
  Victim victim;
  auto rows = [](const std::string& insert, int count) {
    return "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
           std::to_string(count) + ") " + insert;
  };
  victim.Change(
      rows("INSERT INTO trace_issue(kind, severity, first_line, count, text, of_input) "
           "SELECT 'k' || i, 'info', 0, 1, 'text', 0 FROM n",
           1000));
  CHECK(Execute({"report", victim.path()}).exit_code == 0);
  for (const std::string& sql :
       {rows("INSERT INTO trace_issue(kind, severity, first_line, count, text, of_input) "
             "SELECT 'k' || i, 'info', 0, 1, 'text', 0 FROM n",
             100'001),
        rows("INSERT INTO trace_probe(definition) SELECT 'p:g/e' || i || ' f' FROM n", 20'001),
        rows("INSERT INTO trace_cpu_stats SELECT i, 0, 0, 0 FROM n", 65'537),
        rows("INSERT INTO console_report(line, kind) SELECT i, 'bad_page_state' FROM n", 20'001),
        rows("INSERT INTO source(role, path) SELECT 'other', 'f' || i FROM n", 16'385)}) {
    victim.Change(sql);
    for (const char* command : {"report", "replay", "query"}) {
      Arguments arguments = {command, victim.path()};
      if (command == std::string("query")) arguments.emplace_back("SELECT 1");
      if (command == std::string("replay"))
        arguments.insert(arguments.end(), {"-o", victim.beside("new.db")});
      Run run = Execute(arguments);
      INFO(sql << ": " << command << ": " << run.err);
      CHECK(run.exit_code == 2);
      CHECK(run.err.find("than an analysis writes") != std::string::npos);
    }
  }
}

TEST_CASE("what a replay holds in memory is bounded, whatever rows it comes in", "[hostile]") {
  Victim victim;
  auto replay = [&](const std::string& sql) {
    victim.Change(sql);
    return Execute({"replay", victim.path(), "-o", victim.beside("new.db")});
  };
  const std::string numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ";
  const std::string fields =
      numbers + "200000) INSERT INTO trace_format SELECT 'e', group_concat('f' || i, ' ') FROM n";
  Run one = replay(fields + "; UPDATE trace_format SET hex_fields = substr(hex_fields, 1, 1000000)");
  INFO(one.err);
  CHECK(one.exit_code != 2);
  Run many = replay(fields);
  CHECK(many.exit_code == 2);
  CHECK(many.err.find("more formats of events than an analysis keeps") != std::string::npos);
  Run markers = replay(
      numbers +
      "250000) INSERT INTO trace_marker SELECT (SELECT min(id) FROM trace_batch), 0, 0, 1, i, 1 FROM n");
  CHECK(markers.exit_code == 2);
  CHECK(markers.err.find("a batch has more markers than lines") != std::string::npos);
  Run reports = replay(numbers +
                       "5) INSERT INTO console_report(line, kind, comm) SELECT i, 'bad_page_state', "
                       "hex(zeroblob(7000000)) FROM n");
  CHECK(reports.exit_code == 2);
  CHECK(reports.err.find("its kernel reports are longer than a console log") != std::string::npos);
}

TEST_CASE("a view in the place of a table is one in any case of its letters", "[hostile]") {
  Victim victim;
  for (const char* name : {"trace_format", "TRACE_FORMAT", "Trace_Format"}) {
    victim.Change("PRAGMA user_version=7; DROP TABLE trace_format; CREATE VIEW " + std::string(name) +
                  "(event, hex_fields) AS SELECT 'e', 'f'");
    Run run = Execute({"replay", victim.path(), "-o", victim.beside("new.db")});
    CAPTURE(name, run.err);
    CHECK(run.exit_code == 2);
    CHECK(run.err.find("the table trace_format is not as it was made") != std::string::npos);
  }
}

TEST_CASE("a database of odd fields and of very long stacks is one of ours", "[hostile]") {
  TemporaryFolder folder;
  std::string prefix = "   a-1   [000] ....     1.000001: ";
  std::string text = prefix + "contention_begin: ffff88800311f778 (a b=1)\n" + prefix +
                     "contention_begin: ffff88800311f778 (=SPIN)\n" + prefix +
                     "page_ref_mod: pfn=0x1 flags=0x0 Count=7 count=2 mapcount=0 mapping=0 mt=1 val=1\n" +
                     prefix + "kernel_stack: <stack trace>\n";
  for (int i = 0; i < 150'000; ++i) text += " => f\n";
  std::string db = folder.path() + "/odd.db";
  Run run = Execute({"analyze", "-o", db, folder.Write("trace", text)});
  CHECK(run.exit_code == 3);
  CHECK(run.err.empty());
  CHECK(Execute({"report", db}).exit_code == 0);
  CHECK(Execute({"query", db, "SELECT observed FROM page_refs", "--format", "csv"}).out ==
        "observed\r\n2\r\n");
  CHECK(Execute({"replay", db, "-o", folder.path() + "/again.db"}).exit_code == 3);
}

TEST_CASE("findings and events that were taken out are missed", "[hostile]") {
  Victim victim;
  CHECK(Execute({"report", victim.path()}).exit_code == 0);
  for (const char* sql : {"DELETE FROM finding", "DELETE FROM finding WHERE id = 1",
                          "DELETE FROM rule_result", "DELETE FROM event", "DELETE FROM event WHERE id > 3"}) {
    victim.Change(sql);
    CAPTURE(sql);
    Run run = Execute({"report", victim.path()});
    CHECK(run.exit_code == 2);
    CHECK(run.err.find("add up") != std::string::npos);
  }
}

TEST_CASE("VACUUM writes, and asks no authorizer", "[hostile]") {
  Victim victim;
  std::string copy = victim.beside("copy.db");
  for (const std::string& sql : {std::string("VACUUM"), "VACUUM INTO '" + copy + "'"}) {
    Run run = Execute({"query", victim.path(), sql});
    CHECK(run.exit_code == 2);
    CHECK(run.err.find("only reading is allowed here") != std::string::npos);
    CHECK_FALSE(fs::exists(copy));
  }
}

TEST_CASE("a text in the place of a number is the same damage in every report", "[hostile]") {
  Victim victim;
  for (const char* change :
       {"UPDATE ptl_hold SET acquire_event = 'a'", "UPDATE page_wait SET pid = 'x'",
        "UPDATE page_wait SET protection = 'none'", "UPDATE trace SET lines_continuations = 'latent'"}) {
    victim.ChangeTypes(change);
    for (const char* format : {"text", "json", "html", "perfetto"}) {
      Run run = Execute({"report", "--format", format, victim.path()});
      CAPTURE(change, format, run.err);
      CHECK(run.exit_code == 2);
      CHECK(run.err.find("non-INTEGER value in ") != std::string::npos);
    }
  }
}

TEST_CASE("values that no analysis writes are no verdicts", "[hostile]") {
  Victim victim;
  for (const char* sql :
       {"UPDATE finding SET grade = 'confirmfd'", "UPDATE finding SET rule = 'wait_on_freed_pagf'",
        "UPDATE rule_result SET severity = 'errop' WHERE severity = 'error'",
        "UPDATE rule_result SET applicable = 7",
        "UPDATE rule_result SET findings = findings + CASE rule WHEN 'wait_on_freed_page' THEN -1 ELSE 1 END "
        "WHERE rule IN ('wait_on_freed_page', 'double_free')",
        "INSERT INTO trace_issue VALUES ('errop', 'damaged', 1, 1, 'text', 1)",
        "INSERT INTO trace_issue VALUES ('error', 'damaged', 1, 1, 'text', 2)",
        "UPDATE page_wait SET protection = 99", "UPDATE page_wait SET protection = -1",
        "UPDATE page_wait SET outcome = 6"}) {
    victim.Change(sql);
    CAPTURE(sql);
    for (const char* format : {"text", "perfetto"}) {
      Run run = Execute({"report", victim.path(), "--format", format});
      CHECK(run.exit_code == 2);
      CHECK(run.out.empty());
      CHECK(run.err.find("is damaged, or was changed") != std::string::npos);
    }
  }
  std::string again = victim.beside("again.db");
  for (const char* sql :
       {"INSERT INTO trace_marker VALUES (1, 0, 1, 3, 1, 0)", "INSERT INTO gap VALUES (1, 1, 5, 6, 7)",
        "INSERT INTO trace_marker VALUES (1, 0, 1, 3, 1, 5), (1, 0, 1, 3, 1, 4)"}) {
    victim.Change(sql);
    CAPTURE(sql);
    Run run = Execute({"replay", victim.path(), "-o", again});
    CHECK(run.exit_code == 2);
    CHECK(run.err.find("is damaged, or was changed") != std::string::npos);
    CHECK_FALSE(fs::exists(again));
  }
}

TEST_CASE("a replay in place keeps a database it cannot make anew", "[hostile]") {
  Victim victim;
  std::string earlier = ReadFile(MMREPLAY_SOURCE_DIR "/tests/schema_3.sql");
  for (const std::string& sql :
       {std::string("DELETE FROM event WHERE id = 3"), std::string("DELETE FROM event WHERE id > 3"),
        // Of an earlier version the sums are looked at as it is read.
        earlier + "UPDATE trace SET lines_events = lines_events + 1, lines_total = lines_total + 1"}) {
    victim.ChangeTypes(sql, !sql.starts_with(earlier));
    CAPTURE(sql);
    std::string before = ReadFile(victim.path());
    Run run = Execute({"replay", victim.path()});
    CHECK(run.exit_code == 2);
    CHECK(run.err.starts_with("mmreplay: " + victim.path() + ": is damaged"));
    CHECK(ReadFile(victim.path()) == before);
  }
  victim.Put(victim.bytes().substr(0, victim.bytes().size() - 1));
  CHECK(Execute({"report", victim.path()}).err.find("it is cut off") != std::string::npos);
}

TEST_CASE("what another program keeps beside a database is not read past, and does not outlive it",
          "[hostile]") {
  Victim victim;
  std::vector<std::string> files = victim.Files();
  victim.Change("PRAGMA journal_mode=WAL");
  CHECK(victim.Files() == files);
  Run run = Execute({"query", victim.path(), "SELECT 1"});
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("another program keeps changes of it beside it (WAL), ") != std::string::npos);
  CHECK(victim.Files() == files);
  victim.Put(victim.bytes());
  const std::string journal = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + std::string(512, 'j');
  victim.folder().Write("race.db-journal", journal);
  run = Execute({"report", victim.path()});
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("race.db-journal), and this settles it: sqlite3 ") != std::string::npos);
  // Beside a new result it would be taken for its own.
  victim.folder().Write("race.db-wal", "\x37\x7f\x06\x82" + std::string(512, 'w'));
  victim.folder().Write("race.db-shm", "\x18\xe2\x2d" + std::string(512, 's'));
  CHECK(Execute({"analyze", "-o", victim.path(), victim.log()}).exit_code == 1);
  CHECK(victim.Files() == files);
  // What only has such a name is somebody's file.
  victim.folder().Write("other.db-journal", "of my travels");
  run = Execute({"analyze", "-o", victim.beside("other.db"), victim.log()});
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("other.db-journal for a part of it; keep the result under another name") !=
        std::string::npos);
  CHECK(ReadFile(victim.beside("other.db-journal")) == "of my travels");
  CHECK(Execute({"report", victim.path()}).exit_code == 0);
}

TEST_CASE("a journal that names another file deletes none", "[hostile]") {
  Victim victim;
  std::string fleet = victim.beside("fleet.db");
  REQUIRE(Execute({"triage", victim.log(), "-o", fleet}).exit_code == 1);
  fs::create_symlink("fleet.db", victim.beside("link.db"));
  std::string other = victim.beside("other");
  std::ofstream(other) << "hi";
  // www.sqlite.org/fileformat.html 3 and, of the name at its end, pager.c (readSuperJournal).
  auto number = [](size_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
    return bytes;
  };
  const std::string magic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";
  size_t sum = 0;
  for (char c : other) sum += static_cast<unsigned char>(c);
  const std::string journal =
      magic + std::string(504, '\0') + other + number(other.size()) + number(sum) + magic;
  for (const Arguments& arguments :
       {Arguments{"triage", victim.log(), "-o", fleet}, Arguments{"query", fleet, "SELECT 1"},
        Arguments{"triage", victim.log(), "-o", victim.beside("link.db")}, Arguments{"report", victim.path()},
        Arguments{"triage", victim.log(), "-o", victim.path()}, Arguments{"replay", victim.path()}}) {
    for (const std::string& path : {fleet, victim.path()})
      std::ofstream(path + "-journal", std::ios::binary) << journal;
    Run run = Execute(arguments);
    CAPTURE(arguments, run.err);
    CHECK(run.exit_code == 2);
    CHECK(run.err.find("makes SQLite delete another file") != std::string::npos);
    CHECK(ReadFile(other) == "hi");
  }
}

TEST_CASE("a WAL beside a database that has none is not read, and nothing beside it overwritten",
          "[hostile]") {
  Victim victim;
  const std::string text(100'000, 't');
  for (const std::string& wal :
       {std::string("x"), std::string("\x37\x7f\x06\x82", 4) + std::string(100, '\0')}) {
    std::ofstream(victim.path() + "-wal", std::ios::binary) << wal;
    std::ofstream(victim.path() + "-shm", std::ios::binary) << text;
    for (const Arguments& arguments :
         {Arguments{"report", victim.path()}, Arguments{"query", victim.path(), "SELECT 1"},
          Arguments{"doctor", victim.path()}, Arguments{"replay", victim.path()}}) {
      Run run = Execute(arguments);
      CAPTURE(arguments, run.err);
      CHECK(run.exit_code == 2);
      CHECK(run.err.find("-wal") != std::string::npos);
      CHECK(ReadFile(victim.path() + "-wal") == wal);
      CHECK(ReadFile(victim.path() + "-shm") == text);
    }
  }
}

TEST_CASE("a rule that is required and is not there is told before anything is replaced", "[hostile]") {
  Victim victim;
  std::string before = ReadFile(victim.path());
  for (const Arguments& arguments :
       {Arguments{"analyze", victim.log(), "-o", victim.path(), "--require", "nosuch"},
        Arguments{"replay", victim.path(), "--require", "nosuch"}}) {
    Run run = Execute(arguments);
    CHECK(run.exit_code == 2);
    CHECK(run.err.find("--require: nosuch: there is no rule of that name") != std::string::npos);
    CHECK(ReadFile(victim.path()) == before);
  }
}

TEST_CASE("what stands beside a database is no way in", "[hostile]") {
  Victim victim;
  auto refuses = [&](const std::string& what) {
    Run run = Execute({"report", victim.path()}, {.cpu_seconds = 10});
    CAPTURE(run.err);
    CHECK(run.exit_code == 2);
    CHECK(run.err.find(what) != std::string::npos);
  };
  for (const char* suffix : {"-journal", "-wal"}) {
    REQUIRE(mkfifo(victim.beside(std::string("race.db") + suffix).c_str(), 0600) == 0);
    refuses(std::string(suffix) + ": is a device, fifo or socket");
    fs::remove(victim.beside(std::string("race.db") + suffix));
  }
  REQUIRE(mkfifo(victim.beside("fifo").c_str(), 0600) == 0);
  Run run = Execute({"report", victim.beside("fifo")}, {.cpu_seconds = 10});
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("is a device, fifo or socket") != std::string::npos);
}

TEST_CASE("a query may read, for a time, in so much memory", "[hostile]") {
  auto says = [](const std::string& sql, const std::string& text,
                 const Budget& budget = {.steps = 20'000'000}) {
    CAPTURE(sql);
    CHECK_THAT(Query(sql, budget), Catch::Contains(text));
  };
  const std::string kEndless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) ";
  says(kEndless + "SELECT count(*) FROM c", "stopped: it did not end within its step budget");
  says(kEndless + "SELECT count(*) FROM c", "stopped: it did not end within 1 s",
       {.cpu = std::chrono::seconds(1)});
  says(kEndless + "SELECT group_concat(hex(zeroblob(100000))) FROM c",
       "stopped: it did not end within its step");
  says(kEndless + "SELECT json_group_array(hex(zeroblob(100000))) FROM c", "MiB of memory");
  says("SELECT hex(zeroblob(60000000)), hex(zeroblob(60000000)), hex(zeroblob(60000000))", "MiB of memory");
  says("SELECT zeroblob(1000000000)", "too big");
  says("SELECT 'a' REGEXP hex(zeroblob(10000000))", "the pattern is too long");
  says("SELECT 'a' LIKE hex(zeroblob(10000))", "pattern too complex");
  says("SELECT 'a' GLOB hex(zeroblob(10000))", "pattern too complex");
  std::string sum = "SELECT 1";
  for (int i = 0; i < 3000; ++i) sum += "+1";
  says(sum, "maximum depth");
  says("SELECT " + std::string(3000, '(') + "1" + std::string(3000, ')'), "overflow");
  says("SELECT '" + std::string(2'000'000, 'x') + "'", "too long");
  std::string twice = "WITH a0 AS (SELECT 1 AS x)";
  for (int i = 1; i < 30; ++i) {
    std::string before = "a" + std::to_string(i - 1);
    twice += ", a" + std::to_string(i) + " AS (SELECT p.x FROM " + before + " p, " + before + " q)";
  }
  says(twice + " SELECT count(*) FROM a29", "MiB of memory");
  says(std::string("SELECT 1") + '\0' + " DROP", "NUL");
  for (const char* sql :
       {"ATTACH 'x' AS y", "DETACH main", "PRAGMA user_version", "PRAGMA integrity_check",
        "PRAGMA quick_check", "CREATE TEMP TABLE t(x)", "BEGIN", "VACUUM INTO 'x'", "ANALYZE"})
    says(sql, "only reading is allowed here");
  for (const char* sql : {"SELECT load_extension('x')", "SELECT fts3_tokenizer('simple')",
                          "SELECT * FROM pragma_user_version", "SELECT * FROM pragma_table_info('t')"})
    says(sql, "not authorized");
  for (const char* sql : {"SELECT * FROM dbstat", "SELECT * FROM sqlite_dbpage", "SELECT * FROM sqlite_stmt",
                          "SELECT * FROM json_each(1)"})
    says(sql, "no such table");
  CHECK(Query("SELECT json_extract('[1,2,3]', '$[1]')") == "2");

  // What is shown of it is short, and moves no cursor.
  Database database("", Database::Mode::kCreate);
  SqlSource long_line{"query", 1, "SELECT '\x1b[2J" + std::string(100'000, ' ') + "', nosuch"};
  try {
    ReadOnlyStatement statement(database, long_line, {});
    FAIL("it was prepared");
  } catch (const Error& error) {
    REQUIRE(error.below().size() == 2);
    const std::string& line = error.below()[0];
    CHECK(line.size() < 300);
    CHECK(line.find('\x1b') == std::string::npos);
    // The caret is below the place.
    CHECK(line.substr(error.below()[1].find('^')).starts_with("nosuch"));
  }

  // A function that is at work on one value is not asked whether it may go on.
  Victim victim;
  Run run = Execute({"query", victim.path(), "--time-limit", "1",
                     "SELECT instr(hex(zeroblob(20000000)), hex(zeroblob(10000000)) || '1')"},
                    {.cpu_seconds = 40});
  CHECK(run.exit_code == 2);
  CHECK(run.err.starts_with("mmreplay: query: stopped: it did not end within 1 s\n"));
  run = Execute({"query", victim.path(), "SELECT hex(zeroblob(20000000)), hex(zeroblob(20000000))"});
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("a row of more than 16 MiB") != std::string::npos);
  // As it is written: ten million letters, or as many escapes.
  const std::string zeros = "replace(hex(zeroblob(5000000)), '0', ";
  CHECK(Execute({"query", victim.path(), "SELECT " + zeros + "'x')"}).exit_code == 0);
  run = Execute({"query", victim.path(), "SELECT " + zeros + "char(27))"});
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("a row of more than 16 MiB") != std::string::npos);
  run = Execute({"query", victim.path(), "--time-limit", "x", "SELECT 1"});
  CHECK(run.err.starts_with("mmreplay: --time-limit: x: takes a number"));
}

TEST_CASE("limits end with their statement", "[hostile]") {
  Database database("", Database::Mode::kCreate);
  SqlSource source{"query", 1, "SELECT 1"};
  // Distrusted databases leave theirs to the process.
  int64_t hard = sqlite3_hard_heap_limit64(-1);
  int64_t soft = sqlite3_soft_heap_limit64(-1);
  { ReadOnlyStatement statement(database, source, {.cpu = std::chrono::seconds(5)}); }
  CHECK(sqlite3_limit(database.handle(), SQLITE_LIMIT_ATTACHED, -1) > 0);
  CHECK(sqlite3_hard_heap_limit64(-1) == hard);
  CHECK(sqlite3_soft_heap_limit64(-1) == soft);
  database.Exec("CREATE TABLE t(x); INSERT INTO t VALUES (zeroblob(200000000))");
}

TEST_CASE("a folder of rules from a stranger", "[hostile]") {
  TemporaryFolder folder;
  std::string rules = folder.path() + "/rules";
  fs::create_directory(rules);
  Victim victim;
  auto says = [&](const std::string& text) {
    Run run = Execute({"analyze", victim.log(), "--rules", rules}, {.cpu_seconds = 20});
    CAPTURE(text, run.err);
    CHECK(run.exit_code == 2);
    CHECK(run.err.find(text) != std::string::npos);
    CHECK(run.err.find('\x1b') == std::string::npos);
    fs::remove_all(rules);
    fs::create_directory(rules);
  };
  auto rule = [](const std::string& name, const std::string& sql) {
    return "-- name: " + name +
           "\n-- severity: info\n-- summary: s\n-- why: w\n-- requires: page_waits\n-- reference: r\n\n" +
           sql + "\n";
  };
  const std::string kSelect =
      "SELECT 'latent' AS grade, 's' AS subject, 1 AS subject_id, 1 AS pfn, 1 AS pid, ";

  REQUIRE(mkfifo((rules + "/a.sql").c_str(), 0600) == 0);
  says(rules + "/a.sql: is a device, fifo or socket");
  fs::create_symlink("/dev/zero", rules + "/a.sql");
  says(rules + "/a.sql: is a device, fifo or socket");
  fs::create_symlink("a.sql", rules + "/a.sql");
  says(rules + "/a.sql: ");
  fs::create_directory(rules + "/a.sql");
  says(rules + "/a.sql: is a directory");
  std::ofstream(rules + "/a.sql");
  fs::resize_file(rules + "/a.sql", uint64_t{1} << 30);
  says(rules + "/a.sql: is longer than 1 MiB");
  std::ofstream(rules + "/a.sql") << std::string("\x7f\x45LF\0\1\2", 7);
  says(rules + "/a.sql:");
  for (int i = 0; i < 1001; ++i) std::ofstream(rules + "/" + std::to_string(i) + ".sql") << "x";
  says(rules + ": has more than 1000 .sql files");
  std::ofstream(rules + "/a.sql") << rule("a\x1b[31mb", kSelect + "'s' AS summary");
  says(rules + "/a.sql:1:1: the name of a rule is made of letters");
  std::ofstream(rules + "/a.sql") << rule("a", "ATTACH 'x' AS y");
  says(rules + "/a.sql:7:1: only reading is allowed here");
  std::ofstream(rules + "/a.sql") << rule("a", kSelect + "'s' AS summary; DROP TABLE event");
  says("one statement only");
  std::ofstream(rules + "/a.sql") << rule(
      "a",
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) " + kSelect + "'s' AS summary FROM c");
  says(rules + "/a.sql:7:1: returns more than can be a finding each: 1000000 rows");
  std::ofstream(rules + "/a.sql") << rule(
      "a", "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 2000) " + kSelect +
               "hex(zeroblob(30000)) AS summary FROM c");
  says(rules + "/a.sql:7:1: returns more than can be a finding each");
  std::ofstream(rules + "/a.sql") << rule(
      "a",
      "SELECT 'latent' AS grade, 's' AS subject, 'one' AS subject_id, 1 AS "
      "pfn, 1 AS pid, 's' AS summary");
  says("its column subject_id holds no integer");
  std::ofstream(rules + "/a.sql") << rule("a", kSelect + "load_extension('x') AS summary");
  says("not authorized");
  std::ofstream(rules + "/a.sql") << rule(
      "a", kSelect + "1 AS " + std::string(500'000, 'A') + "_event, 's' AS summary");
  says("the name of a column of events has more than 100 bytes");
  std::ofstream(rules + "/a.sql") << rule("a", kSelect + "printf('%.70000c', char(27)) AS summary");
  says("a text of a finding has more than 64 KiB");
  std::string long_list;
  for (int i = 0; i < 65; ++i) long_list += " x" + std::to_string(i);
  std::string required = rule("a", kSelect + "'s' AS summary");
  required.replace(required.find(" page_waits"), 11, long_list);
  std::ofstream(rules + "/a.sql") << required;
  says("it requires more than 64 names");
  required.replace(required.find(" x0"), long_list.size(), ' ' + std::string(20'000, 'a'));
  std::ofstream(rules + "/a.sql") << required;
  says("a value of the front matter has more than 16 KiB");
  for (int i = 0; i < 17; ++i) {
    std::string name = "r" + std::to_string(i);
    std::ofstream(rules + "/" + name + ".sql")
        << rule(name, kSelect + "'s' AS summary" + std::string(1'000'000, '\n'));
  }
  says("its rules have more than 16 MiB");
}

TEST_CASE("a rule with a fingerprint for every finding is refused in time", "[hostile]") {
  Victim victim;
  TemporaryFolder rules;
  auto run = [&](int fingerprints) {
    rules.Write(
        "many.sql",
        "-- name: many\n-- severity: warning\n-- summary: s\n-- why: w\n-- requires: page_waits\n"
        "-- reference: r\nWITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
            std::to_string(fingerprints) +
            ") SELECT 'latent' AS grade, 'page_waits' AS subject, 1 AS subject_id, 1 AS pfn, 1 AS pid, "
            "'s' AS summary, 'f' || i AS fingerprint FROM n");
    return Execute({"analyze", victim.log(), "--rules", rules.path()});
  };
  CHECK(run(1'000).exit_code == 1);
  Run refused = run(1'001);
  CHECK(refused.exit_code == 2);
  CHECK(refused.err.find("fingerprints") != std::string::npos);
}

TEST_CASE("a rule that names a thousand events for a finding is refused", "[hostile]") {
  Victim victim;
  TemporaryFolder rules;
  auto run = [&](int events) {
    std::string sql =
        "-- name: many\n-- severity: warning\n-- summary: s\n-- why: w\n-- requires: page_waits\n-- "
        "reference: r\n"
        "SELECT 'latent' AS grade, 'page_waits' AS subject, 1 AS subject_id, 1 AS pfn, 1 AS pid, 's' AS "
        "summary";
    for (int i = 0; i < events; ++i)
      sql += ", " + std::to_string(i % 3 + 1) + " AS e" + std::to_string(i) + "_event";
    rules.Write("many.sql", sql);
    return Execute({"analyze", victim.log(), "--rules", rules.path()});
  };
  CHECK(run(64).exit_code == 1);
  Run refused = run(65);
  CHECK(refused.exit_code == 2);
  CHECK(refused.err.find("names more than 64 events as evidence of one finding") != std::string::npos);
  // Each event makes a pair with every other one: few findings may have so many.
  std::string sql =
      "-- name: many\n-- severity: warning\n-- summary: s\n-- why: w\n-- requires: page_waits\n-- reference: "
      "r\nWITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 5000)\n"
      "SELECT 'latent' AS grade, 'page_waits' AS subject, value AS subject_id, 1 AS pfn, 1 AS pid, 's' AS "
      "summary";
  for (int i = 0; i < 64; ++i)
    sql += ", value + " + std::to_string(i) + " AS e" + std::to_string(i) + "_event";
  rules.Write("many.sql", sql + " FROM n");
  Run many = Execute({"analyze", victim.log(), "--rules", rules.path()});
  CHECK(many.exit_code == 2);
  CHECK(many.err.find("returns more than can be a finding each") != std::string::npos);
}

TEST_CASE("a fleet database from a stranger", "[hostile]") {
  Victim victim;
  std::string fleet = victim.beside("fleet.db");
  REQUIRE(Execute({"triage", victim.log(), "-o", fleet}).exit_code == 1);
  std::string good = ReadFile(fleet);
  auto says = [&](const std::string& sql, const std::string& text) {
    std::ofstream(fleet, std::ios::binary) << good;
    {
      Database database(fleet, Database::Mode::kReadWrite);
      database.Exec(("PRAGMA writable_schema=ON;" + sql).c_str());
    }
    std::string before = ReadFile(fleet);
    for (const Arguments& arguments : {Arguments{"query", fleet, "SELECT count(*) FROM logs"},
                                       Arguments{"triage", victim.log(), "-o", fleet}}) {
      Run run = Execute(arguments, {.cpu_seconds = 20});
      CAPTURE(sql, arguments, run.err);
      CHECK(run.exit_code == 2);
      CHECK(run.err.starts_with("mmreplay: " + fleet + ": "));
      CHECK(run.err.find(text) != std::string::npos);
      CHECK(ReadFile(fleet) == before);
    }
  };
  says("CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM finding; END", "it has a trigger");
  says("DROP VIEW logs; CREATE VIEW logs AS SELECT 1 AS id", "the view logs is not as it was made");
  says("PRAGMA user_version=77", "newer mmreplay");
  // A table of somebody's whose keys refer to findings: when they go, it computes nothing, and forbids
  // nothing.
  for (const char* more :
       {"ON DELETE SET NULL, CHECK(f IS NOT NULL OR length(hex(zeroblob(450000000))) > 0)", ""}) {
    std::ofstream(fleet, std::ios::binary) << good;
    {
      Database database(fleet, Database::Mode::kReadWrite);
      database.Exec(("CREATE TABLE z(f INTEGER REFERENCES finding(id) " + std::string(more) +
                     "); INSERT INTO z SELECT id FROM finding; UPDATE log SET analysis = 'old'")
                        .c_str());
    }
    Run run = Execute({"triage", victim.log(), "-o", fleet}, {.cpu_seconds = 20});
    CAPTURE(more, run.err);
    CHECK(run.exit_code == 1);
  }
  // A text longer than any finding's is not taken into memory.
  std::ofstream(fleet, std::ios::binary) << good;
  {
    Database database(fleet, Database::Mode::kReadWrite);
    database.Exec("UPDATE finding SET summary = hex(zeroblob(10000000))");
  }
  Run longer = Execute({"triage", victim.log(), "-o", fleet});
  CHECK(longer.exit_code == 2);
  CHECK(longer.err.find("a value is longer than any that mmreplay writes") != std::string::npos);
  std::mt19937_64 random(3);
  for (int i = 0; i < 40; ++i) {
    std::string bytes = good;
    if (i % 4 == 0) bytes.resize(random() % bytes.size());
    for (int n = 0; n < 4 && !bytes.empty(); ++n)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    std::ofstream(fleet, std::ios::binary) << bytes;
    Run run = i % 2 == 0 ? Execute({"query", fleet, "SELECT * FROM logs, findings"}, {.cpu_seconds = 20})
                         : Execute({"triage", victim.log(), "-o", fleet}, {.cpu_seconds = 20});
    CAPTURE(i, run.exit_code, run.err);
    CHECK((run.exit_code >= 0 && run.exit_code <= 3));
    fs::remove(fleet + "-wal");
    fs::remove(fleet + "-shm");
    fs::remove(fleet + "-journal");
  }
}

}  // namespace mmreplay
