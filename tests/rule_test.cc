#include "rules/rule.h"

#include <catch2/catch.hpp>

#include "parser/error.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

const std::string kFront =
    "-- name: test_rule\n"
    "-- severity: warning\n"
    "-- summary: s\n"
    "-- why: a sentence\n"
    "--   that goes on\n"
    "-- requires: page_waits, page_refs\n"
    "-- reference: none\n"
    "\n";
const std::string kColumns =
    "'latent' AS grade, 'page_waits' AS subject, id AS subject_id, pfn, pid, 'x' AS summary";

Analysis Fired() {
  return Analysis({.inputs = {MMREPLAY_SOURCE_DIR "/samples/x86-fired.tar.xz"}, .dmesg = {}, .probes = {}});
}

}  // namespace

TEST_CASE("front matter is strict", "[rules]") {
  Rule rule = ParseRule("x.sql", kFront + "SELECT 1\n");
  CHECK(rule.name == "test_rule");
  CHECK(rule.severity == Severity::kWarning);
  CHECK(rule.why == "a sentence that goes on");
  CHECK(rule.required == std::vector<std::string>{"page_waits", "page_refs"});
  CHECK(rule.sql_line == 8);

  CHECK_THROWS_WITH(ParseRule("x.sql", "-- nmae: y\n"), Catch::StartsWith("x.sql:1:4: unknown key 'nmae'"));
  CHECK_THROWS_WITH(ParseRule("x.sql", "-- name: a\n-- name: b\n"),
                    Catch::Contains("x.sql:2:4: 'name' is given twice"));
  CHECK_THROWS_WITH(ParseRule("x.sql", "-- name: a\n\nSELECT 1"), Catch::Contains("lacks 'severity'"));
  CHECK_THROWS_WITH(ParseRule("x.sql", kFront), Catch::Contains("there is no SELECT"));
  CHECK_THROWS_WITH(ParseRule("x.sql", "--name: a\n"), Catch::Contains("x.sql:1:3"));
}

TEST_CASE("the built-in rules are well-formed", "[rules]") {
  std::vector<Rule> rules = BuiltInRules();
  REQUIRE_FALSE(rules.empty());
  for (const Rule& rule : rules) {
    CAPTURE(rule.file);
    CHECK(rule.file == "rules/" + rule.name + ".sql");
    CHECK_FALSE(rule.reference.empty());
  }
}

TEST_CASE("errors name file, line and column and show the place", "[rules]") {
  Analysis analysis = Fired();
  auto run = [&](const std::string& sql) {
    Rule rule = ParseRule("x.sql", kFront + sql);
    Database* db = const_cast<Database*>(&analysis.db());
    return RunRule(rule, db);
  };
  CHECK_THROWS_WITH(
      run("SELECT\n  w.pfm FROM page_waits w"),
      Catch::StartsWith("x.sql:10:3: no such column: w.pfm\n    w.pfm FROM page_waits w\n    ^"));
  CHECK_THROWS_WITH(run("SELECT 1 AS x"), Catch::Contains("no column grade"));
  CHECK_THROWS_WITH(run("SELECT " + kColumns + " FROM page_waits; SELECT 2"),
                    Catch::Contains("one statement only"));
  CHECK_THROWS_WITH(run("DELETE FROM event"), Catch::Contains("only reading is allowed"));
  CHECK_THROWS_WITH(run("ATTACH '/tmp/x' AS y"), Catch::Contains("only reading is allowed"));
  CHECK_THROWS_WITH(run("PRAGMA user_version = 3"), Catch::Contains("only reading is allowed"));
  CHECK_THROWS_WITH(run("SELECT 'certain' AS grade, 'page_waits' AS subject, id AS subject_id, pfn, pid, 'x' "
                        "AS summary FROM page_waits"),
                    Catch::Contains("none of confirmed, probable, latent"));
}

TEST_CASE("a rule that does not end runs out of steps", "[rules]") {
  Analysis analysis = Fired();
  Rule rule =
      ParseRule("x.sql", kFront + "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT " +
                             "'latent' AS grade, 'x' AS subject, i AS subject_id, 0 AS pfn, 0 AS pid, '' AS "
                             "summary FROM n WHERE i < 0");
  CHECK_THROWS_WITH(RunRule(rule, const_cast<Database*>(&analysis.db()), 1'000'000),
                    Catch::Contains("step budget"));
}

TEST_CASE("findings carry their evidence", "[rules]") {
  Analysis analysis = Fired();
  CHECK(analysis.Count("SELECT count(*) FROM findings WHERE rule = 'wait_on_freed_page'") == 68);
  // Each confirmed one shows the wait, the lock that was dropped, the last reference and the free.
  CHECK(analysis.Count(
            "SELECT count(*) FROM findings f WHERE grade = 'confirmed' AND 4 <> (SELECT count(*) FROM "
            "finding_events e "
            "WHERE e.finding_id = f.id AND e.role IN ('wait', 'lock_dropped', 'last_reference', 'free'))") ==
        0);
  CHECK(analysis.Count("SELECT count(*) FROM finding_events e LEFT JOIN events v ON v.id = e.event_id WHERE "
                       "v.id IS NULL") == 0);
  CHECK(analysis.Count("SELECT findings FROM rule_results WHERE rule = 'wait_on_freed_page'") == 68);
}

TEST_CASE("a rule whose evidence could not be recorded is not applicable, never clean", "[rules]") {
  TemporaryFolder folder;
  std::string path = folder.Write(
      "trace", "   a-1   [000] ....  1.000001: sched_waking: comm=x pid=2 prio=120 target_cpu=001\n");
  Analysis without({.inputs = {path}, .dmesg = {}, .probes = {}});
  CHECK(
      without.Text("SELECT missing FROM rule_results WHERE rule = 'wait_on_freed_page' AND NOT applicable") ==
      "page_waits");
  CHECK(without.ExitCode() == 3);
  // A probe that is known to have been on and never hit is evidence too.
  std::string probes = folder.Write("kprobe_events", "p:numa/w folio_wait_bit folio=%di bit=%si:s32\n");
  Analysis with({.inputs = {path}, .dmesg = {}, .probes = probes});
  CHECK(with.ExitCode() == 0);
}

}  // namespace mmreplay
