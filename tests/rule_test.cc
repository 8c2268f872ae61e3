#include "rules/rule.h"

#include <catch2/catch.hpp>

#include "parser/error.h"
#include "parser/lines.h"
#include "report/content.h"
#include "report/text_report.h"
#include "tests/analysis.h"
#include "tests/program.h"

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
  CHECK(ParseRule("x.sql", std::string(kByteOrderMark) + kFront + "SELECT 1\n").sql == rule.sql);

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
  try {
    run("SELECT\n  w.pfm FROM page_waits w");
    FAIL("it was run");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "x.sql:10:3: no such column: w.pfm");
    CHECK(error.below() == std::vector<std::string>{"  w.pfm FROM page_waits w", "  ^"});
  }
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

TEST_CASE("the README's first rule works as it says", "[rules]") {
  std::string readme = ReadFile(MMREPLAY_SOURCE_DIR "/rules/README.md");
  size_t begin = readme.find("```sql\n") + 7;
  TemporaryFolder folder;
  Shell("mkdir -p " + folder.path() + "/my-rules && ln -sfn \"$PWD/samples\" " + folder.path() + "/samples");
  folder.Write("my-rules/long_wait.sql", readme.substr(begin, readme.find("```", begin) - begin));
  std::vector<Run> runs;
  ForEachLine(readme, [&](std::string_view line) {
    if (!line.starts_with("    mmreplay ")) return;
    runs.push_back(Shell("cd " + folder.path() + " && $MMREPLAY " + std::string(line.substr(13))));
  });
  REQUIRE(runs.size() == 4);
  CHECK(runs[0].out == "my-rules/long_wait.sql: rule long_wait is well formed\n");
  CHECK(runs[1].exit_code == 1);
  CHECK(runs[2].out == "my-rules/long_wait.sql: rule long_wait is well formed; 9 findings in race.db\n");
  CHECK(runs[3].exit_code == 1);
  CHECK(runs[3].out.find("\nlong_wait: a task waited long for a page\n  9 confirmed; ") != std::string::npos);
}

TEST_CASE("a folder of rules adds and replaces", "[rules]") {
  TemporaryFolder folder;
  std::string sample = " samples/410-x86-fired-nochurn.tar.xz";
  std::string columns =
      " AS grade, 'page_waits' AS subject, id AS subject_id, pfn, pid, 'x' AS summary FROM page_waits";
  auto front = [](const std::string& name, const std::string& severity, const std::string& needs) {
    return "-- name: " + name + "\n-- severity: " + severity +
           "\n-- summary: s\n-- why: w\n-- requires: " + needs + "\n-- reference: r\n\n";
  };
  std::string analyze = "$MMREPLAY analyze --rules " + folder.path();
  CHECK(Shell(analyze + sample)
            .err.starts_with("mmreplay: " + folder.path() + ": has no .sql files in it\n  next: "));
  CHECK(Shell("$MMREPLAY analyze --rules /no/such/folder" + sample).exit_code == 2);
  // Ours replaced by one that finds nothing: clean.
  folder.Write("a.sql",
               front("wait_on_freed_page", "error", "page_waits") + "SELECT 'latent'" + columns + " WHERE 0");
  CHECK(Shell(analyze + sample).exit_code == 0);
  CHECK(Shell(analyze + sample)
            .out.starts_with("NO FINDING: no rule reports any of 18 waits on pages, 18 of them"));
  // Information alone changes nothing, unless asked.
  folder.Write("b.sql", front("some_wait", "info", "page_waits") + "SELECT 'latent'" + columns);
  CHECK(Shell(analyze + sample).exit_code == 0);
  CHECK(Shell(analyze + " --fail-on info" + sample).exit_code == 1);
  CHECK(Shell(analyze + " --fail-on nothing" + sample).exit_code == 2);
  // What was not recorded cannot be judged.
  folder.Write("c.sql", front("needs_fish", "warning", "fish_swims") + "SELECT 'latent'" + columns);
  CHECK(Shell(analyze + sample).exit_code == 0);
  CHECK(Shell(analyze + " --require needs_fish" + sample).exit_code == 3);
  CHECK(Shell(analyze + " --require some_wait" + sample).exit_code == 0);
  CHECK(Shell(analyze + " --require nonsense" + sample).exit_code == 2);
  // A kind whose probe was on and never hit has no view: nothing found, no error.
  folder.Write("d.sql", front("never_hit", "error", "putback") +
                            "SELECT 'latent' AS grade, 'x' AS subject, 1 AS subject_id, 0 AS pfn, 0 AS "
                            "pid, '' AS summary FROM putback");
  std::string probes =
      folder.Write("probes",
                   "p:numa/w wait_on_page_bit page=%di bit=%si:s32\np:x/putback putback_lru_page page=%di\n"
                   "p:numa/u unlock_page page=%di\n");
  std::string trace =
      folder.Write("trace",
                   "   a-1   [000] ....  1.000001: sched_waking: comm=x pid=2 prio=120 target_cpu=001\n"
                   "   a-1   [000] ....  1.000002: u: (unlock_page+0x0/0x50) page=0xffffea0000a00000\n");
  Run run = Shell(analyze + " --require never_hit " + trace + " --probes " + probes);
  CAPTURE(run.err);
  CHECK(run.exit_code == 0);
  // Two files with one name; an error in one.
  folder.Write("e.sql", front("some_wait", "info", "page_waits") + "SELECT 'latent'" + columns);
  CHECK(Shell(analyze + sample).err.find("e.sql: rule some_wait is in ") != std::string::npos);
  folder.Write("e.sql", front("other", "info", "page_waits") + "SELECT 'latent',\n  pfm" + columns);
  run = Shell(analyze + sample);
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("e.sql:9:3: no such column: pfm\n    pfm AS grade") != std::string::npos);
  CHECK(
      Shell("$MMREPLAY rules check " + folder.path() + "/e.sql").err.find("e.sql:9:3: no such column: pfm") !=
      std::string::npos);
}

TEST_CASE("rules are listed and explained", "[rules]") {
  Run list = Shell("$MMREPLAY rules list");
  CHECK(list.exit_code == 0);
  for (const Rule& rule : BuiltInRules()) {
    CHECK(list.out.find(rule.name + " ") != std::string::npos);
    Run one = Shell("$MMREPLAY rules explain " + rule.name);
    CHECK(one.exit_code == 0);
    CHECK(one.out.find("reference: ") != std::string::npos);
    // The README has a line on each.
    CHECK(
        ReadFile(MMREPLAY_SOURCE_DIR "/rules/README.md").find("[" + rule.name + "](" + rule.name + ".sql)") !=
        std::string::npos);
  }
  CHECK(Shell("$MMREPLAY rules explain nonsense").exit_code == 2);
  CHECK(Shell("$MMREPLAY rules").exit_code == 2);
  CHECK(Shell("$MMREPLAY rules --help").out.find("Examples:") != std::string::npos);
}

TEST_CASE("a rule that does not end runs out of steps", "[rules]") {
  Analysis analysis = Fired();
  Rule rule =
      ParseRule("x.sql", kFront + "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT " +
                             "'latent' AS grade, 'x' AS subject, i AS subject_id, 0 AS pfn, 0 AS pid, '' AS "
                             "summary FROM n WHERE i < 0");
  CHECK_THROWS_WITH(RunRule(rule, const_cast<Database*>(&analysis.db()), {.steps = 1'000'000}),
                    Catch::Contains("step budget"));
}

TEST_CASE("what a finding says may not be longer than anybody reads", "[rules]") {
  Analysis analysis = Fired();
  auto select = [&](const std::string& grade, const std::string& summary) {
    return ParseRule("x.sql", kFront + "SELECT " + grade +
                                  " AS grade, 'x' AS subject, 1 AS subject_id, 0 AS pfn, 0 AS "
                                  "pid, " +
                                  summary + " AS summary");
  };
  auto* db = const_cast<Database*>(&analysis.db());
  for (const Rule& rule :
       {select("'latent'", "zeroblob(70000000)"), select("printf('%.70000000c', 'x')", "''")})
    CHECK_THROWS_WITH(RunRule(rule, db), Catch::Contains("a text of a finding has more than 64 KiB"));
  RuleOutcome outcome = RunRule(select("'latent'", "printf('%.100c', 'x')"), db, {.finding_bytes = 200});
  CHECK(outcome.finding_bytes == 107);
  CHECK_THROWS_WITH(RunRule(select("'latent'", "printf('%.100c', 'x')"), db, {.finding_bytes = 106}),
                    Catch::Contains("MiB"));
}

TEST_CASE("findings carry their evidence", "[rules]") {
  Analysis analysis = Fired();
  CHECK(analysis.Count("SELECT count(*) FROM findings WHERE rule = 'wait_on_freed_page'") == 68);
  // Each confirmed one shows the wait, the lock that was dropped, the last reference and the free.
  CHECK(analysis.Count(
            "SELECT count(*) FROM findings f WHERE rule = 'wait_on_freed_page' AND grade = 'confirmed' AND 4 "
            "<> (SELECT count(*) FROM "
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
  // A probe that is known to have been on and never hit is evidence too. That it is defined does not say so.
  std::string probes = folder.Write("kprobe_events",
                                    "p:numa/w folio_wait_bit folio=%di bit=%si:s32\n"
                                    "p:numa/u folio_unlock folio=%di\n");
  Analysis defined({.inputs = {path}, .dmesg = {}, .probes = probes});
  CHECK(defined.ExitCode() == 3);
  std::string hit =
      folder.Write("hit",
                   "   a-1   [000] ....  1.000001: sched_waking: comm=x pid=2 prio=120 target_cpu=001\n"
                   "   a-1   [000] ....  1.000002: u: (folio_unlock+0x0/0x50) folio=0xffffea0000a00000\n");
  Analysis with({.inputs = {hit}, .dmesg = {}, .probes = probes});
  CHECK(with.ExitCode() == 0);
  // Of functions that keep the page themselves it says nothing of the others.
  probes = folder.Write("kprobe_events",
                        "p:numa/w migration_entry_wait_on_locked\np:numa/u folio_unlock folio=%di\n");
  Analysis legal({.inputs = {hit}, .dmesg = {}, .probes = probes});
  CHECK(legal.ExitCode() == 0);
  std::vector<NotShown> missing = ReadContent(legal.db()).not_shown;
  CHECK(std::any_of(missing.begin(), missing.end(), [](const NotShown& one) {
    return one.what == "waits that their callers must make safe";
  }));
}

namespace {

// The files of a case, without its header.
std::unique_ptr<Analysis> AnalyzeCase(const std::string& name) {
  TemporaryFolder folder;
  std::string text = ReadFile(MMREPLAY_SOURCE_DIR "/tests/cases/" + name + ".case");
  for (size_t at = text.find("\n==== "); at != std::string::npos;) {
    size_t content = text.find('\n', at + 1) + 1;
    size_t next = text.find("\n==== ", content - 1);
    size_t end = next == std::string::npos ? text.size() : next + 1;
    folder.Write(text.substr(at + 6, content - at - 7), text.substr(content, end - content));
    at = next;
  }
  return std::make_unique<Analysis>(RecordingOptions{.inputs = {folder.path()}, .dmesg = {}, .probes = {}});
}

}  // namespace

TEST_CASE("each member of the family of waits has a fingerprint of its own", "[rules]") {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"wait_on_page_bit_freed_before_no_reference", "numa fault without protection"},
      {"folio_wait_bit_freed_before_no_reference", "pmd migration entry without protection"},
      {"folio_wait_bit_pte_lock_no_reference", "pte migration entry without protection"},
      {"hugetlb_wait_no_reference", "hugetlb migration entry without protection"},
      {"page_cache_wait_no_reference", "page cache without protection"},
      {"folio_wait_bit_pfn_reused_no_reference", "spurious wait on a reused page"},
  };
  for (const auto& [name, fingerprint] : expected) {
    CAPTURE(name);
    auto analysis = AnalyzeCase(name);
    CHECK(
        analysis->Text("SELECT group_concat(fingerprint) FROM findings WHERE rule = 'wait_on_freed_page'") ==
        "wait_on_freed_page/" + fingerprint);
    // One wait is one finding of one rule.
    CHECK(analysis->Count("SELECT count(*) FROM findings f JOIN rule_results r ON r.rule = f.rule "
                          "WHERE r.severity <> 'info'") == 1);
  }
}

TEST_CASE("findings of severity info change neither verdict nor grades", "[rules]") {
  auto analysis = AnalyzeCase("long_ptl_hold");
  CHECK(analysis->Count("SELECT count(*) FROM findings WHERE rule IN ('long_ptl_hold', 'contended_ptl')") ==
        2);
  CHECK(analysis->ExitCode() == 0);
  ReportContent content = ReadContent(analysis->db());
  CHECK(content.grades.total() == 0);
  CHECK(content.groups.empty());
  REQUIRE(content.also_seen.size() == 2);
  std::string text;
  WriteTextReport(analysis->db(), content, {}, false, [&](std::string_view part) { text += part; });
  CHECK(text.starts_with("NO FINDING"));
  CHECK(text.find("also seen (info): 1 contended_ptl, 1 long_ptl_hold") != std::string::npos);
}

TEST_CASE("rules that are not applicable share one line", "[rules]") {
  auto analysis = AnalyzeCase("unlock_of_locked_page");
  std::string text;
  WriteTextReport(analysis->db(), ReadContent(analysis->db()), {}, false,
                  [&](std::string_view part) { text += part; });
  size_t at = text.find("not applicable to what was recorded: ");
  REQUIRE(at != std::string::npos);
  CHECK(text.find("not applicable: ") == std::string::npos);
  CHECK(text.find("double_free", at) != std::string::npos);
  CHECK(analysis->Text("SELECT missing FROM rule_results WHERE rule = 'double_free'") ==
        "page_ref_set all_tasks");
}

TEST_CASE("thresholds in time are not applied to ticks", "[rules]") {
  TemporaryFolder folder;
  std::string lock = " lock_acquired: ffff88002e1a2180 ptlock_ptr(page)\n";
  std::string release = " lock_release: ffff88002e1a2180 ptlock_ptr(page)\n";
  std::string task = "       thp mover-73      [003] ..... ";
  std::string seconds =
      folder.Write("seconds", task + "  100.000000:" + lock + task + "  100.500000:" + release);
  std::string ticks =
      folder.Write("ticks", task + "  100000000000:" + lock + task + "  100500000000:" + release);
  auto applicable = [](const std::string& path) {
    Analysis analysis({.inputs = {path}, .dmesg = {}, .probes = {}});
    return analysis.Text(
        "SELECT applicable || ' ' || findings FROM rule_results WHERE rule = 'long_ptl_hold'");
  };
  CHECK(applicable(seconds) == "1 1");
  CHECK(applicable(ticks) == "0 0");
}

}  // namespace mmreplay
