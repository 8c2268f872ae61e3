// Questions to a stored trace: SQL from users, named queries, REGEXP, the forms of the answer.
#include "db/named_sql.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "db/embedded_sql.h"
#include "db/read_only.h"
#include "db/regexp.h"
#include "parser/error.h"
#include "report/rows.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

using RowWriter = void (*)(ReadOnlyStatement*, const WriteFn&);

// Rows of a query without a trace.
std::string Written(const std::string& sql, RowWriter writer) {
  Database database("", Database::Mode::kCreate);
  AddRegexp(&database);
  SqlSource source{"query", 1, sql};
  ReadOnlyStatement statement(database, source, {});
  std::string out;
  writer(&statement, [&](std::string_view text) { out += text; });
  return out;
}

std::string Csv(const std::string& sql) {
  return Written(sql, WriteCsv);
}

std::string QueryJson(const std::string& sql) {
  return Written(sql, WriteJson);
}

std::string Table(const std::string& sql, std::optional<size_t> width) {
  Database database("", Database::Mode::kCreate);
  SqlSource source{"query", 1, sql};
  ReadOnlyStatement statement(database, source, {});
  std::string out;
  WriteTable(&statement, width, [&](std::string_view text) { out += text; });
  return out;
}

// A stored sample; gone with its folder.
struct Stored {
  explicit Stored(const std::string& sample) : path(folder.path() + "/trace.db") {
    Shell("$MMREPLAY analyze -o " + path + " samples/" + sample + ".tar.xz");
  }
  TemporaryFolder folder;
  std::string path;
};

}  // namespace

TEST_CASE("REGEXP is RE2, unanchored, and NULL matches nothing", "[query]") {
  CHECK(Csv("SELECT 'kswapd0' REGEXP '^k.*d\\d$' AS m") == "m\r\n1\r\n");
  CHECK(Csv("SELECT 'kswapd0' REGEXP 'wap' AS m") == "m\r\n1\r\n");
  CHECK(Csv("SELECT 'kswapd0' REGEXP '^wap' AS m") == "m\r\n0\r\n");
  CHECK(Csv("SELECT NULL REGEXP 'x' AS m") == "m\r\n\"\"\r\n");
  CHECK(Csv("SELECT 'x' REGEXP NULL AS m") == "m\r\n\"\"\r\n");
  CHECK_THROWS_WITH(Csv("SELECT 'x' REGEXP '('"), Catch::Contains("REGEXP: missing )"));
  // One pattern per row is compiled for each, one for all is compiled once: both are right.
  CHECK(Csv("WITH t(p) AS (VALUES ('a'), ('b')) SELECT sum('b' REGEXP p) AS m FROM t") == "m\r\n1\r\n");
}

TEST_CASE("rows as csv, json and table", "[query]") {
  CHECK(Csv("SELECT 'a,b' AS \"x y\", 'say \"hi\"' AS q, NULL AS n, 1.5 AS r, 'two\nlines' AS l") ==
        "x y,q,n,r,l\r\n\"a,b\",\"say \"\"hi\"\"\",,1.5,\"two\nlines\"\r\n");
  auto rows = nlohmann::json::parse(
      QueryJson("SELECT -1 AS i, 2.5 AS r, NULL AS n, 'a\"\n' AS t, CAST(x'ff41' AS TEXT) AS bytes"));
  REQUIRE(rows.size() == 1);
  CHECK(rows[0]["i"] == -1);
  CHECK(rows[0]["r"] == 2.5);
  CHECK(rows[0]["n"].is_null());
  CHECK(rows[0]["t"] == "a\"\n");
  CHECK(rows[0]["bytes"] ==
        "\xef\xbf\xbd"
        "A");
  CHECK(nlohmann::json::parse(QueryJson("SELECT 1 AS x WHERE 0")).empty());
  CHECK(Table("SELECT 1 AS number, 'abc' AS text UNION ALL SELECT 12345, NULL", {}) ==
        "number  text\n------  ----\n     1  abc\n 12345\n");
  // A row that would not fit has its longest text cut.
  CHECK(Table("SELECT 7 AS n, 'abcdefghijklmnopqrstuvwxyz' AS t", 20) ==
        "n  t\n-  -----------------\n7  abcdefghijklmn...\n");
  // Numbers stay whole.
  CHECK(Table("SELECT 123456789012 AS n, 'abcdefghijklmnopqrstuvwxyz' AS t", 24) ==
        "n             t\n------------  ----------\n123456789012  abcdefg...\n");
  // A name that repeats is told apart: an object has one value per name.
  rows = nlohmann::json::parse(QueryJson("SELECT 1 AS a, 2 AS a, 3 AS a"));
  CHECK(rows[0] == nlohmann::json({{"a", 1}, {"a_2", 2}, {"a_3", 3}}));
  CHECK(Table("SELECT 'a' || char(27) || '[31m' AS t", 80) == "t\n---------\na\\x1b[31m\n");
}

TEST_CASE("cells of csv are no formulas and control nothing", "[query]") {
  auto cell = [](const std::string& sql) {
    std::string out = Csv("SELECT " + sql + " AS x");
    return out.substr(3, out.size() - 5);
  };
  CHECK(cell("'=HYPERLINK(\"http://x\")'") == "\"'=HYPERLINK(\"\"http://x\"\")\"");
  CHECK(cell("'=1'") == "'=1");
  CHECK(cell("'+1+1'") == "'+1+1");
  CHECK(cell("'-1+cmd|x'") == "'-1+cmd|x");
  CHECK(cell("'@SUM(A1)'") == "'@SUM(A1)");
  CHECK(cell("'  =1'") == "'  =1");
  CHECK(cell("char(9) || '=1'") == "\"'\t=1\"");
  CHECK(cell("char(10) || 'x'") == "\"'\nx\"");
  CHECK(cell("char(13) || '=1'") == "'\\x0d=1");
  CHECK(cell("char(65309) || '1'") ==
        "'\xef\xbc\x9d"
        "1");  // a wide =
  // Numbers are numbers, as numbers and as texts.
  CHECK(cell("-1") == "-1");
  CHECK(cell("-1.5") == "-1.5");
  CHECK(cell("'-1'") == "-1");
  CHECK(cell("'+2.5e-3'") == "+2.5e-3");
  CHECK(cell("'-'") == "'-");
  CHECK(cell("-9e999") == "'-Inf");
  CHECK(cell("NULL") == "\"\"");
  CHECK(cell("'-1.'") == "'-1.");
  CHECK(cell("'a=1'") == "a=1");
  // One cell for those who separate by semicolons, too.
  CHECK(cell("'a;=1'") == "\"a;=1\"");
  CHECK(cell("'a' || char(27) || '[2J' || char(155) || char(8238)") == "a\\x1b[2J\\xc2\\x9b\\xe2\\x80\\xae");
  CHECK(cell("x'ff00'") == "\\xff\\x00");
  // Names of columns are somebody's, too.
  CHECK(Csv("SELECT 1 AS \"=x\"") == "'=x\r\n1\r\n");
  CHECK(QueryJson("SELECT char(27) || char(127) || char(8238) AS x") ==
        "[\n{\"x\": \"\\u001b\\u007f\\u202e\"}\n]\n");
}

TEST_CASE("a query reads and nothing else", "[query]") {
  Stored trace("410-x86-fired-nochurn");
  std::string before = ReadFile(trace.path);
  for (const char* sql : {"DELETE FROM event", "ATTACH 'x.db' AS x", "PRAGMA user_version = 9",
                          "CREATE TABLE t(x)", "SELECT load_extension('x')", "VACUUM INTO 'x.db'"}) {
    Run run = Shell("$MMREPLAY query " + trace.path + " \"" + sql + "\"");
    CAPTURE(sql, run.err);
    CHECK(run.exit_code == 2);
    CHECK(run.out.empty());
    CHECK(run.err.starts_with("mmreplay: query:1:"));
  }
  CHECK(ReadFile(trace.path) == before);
}

TEST_CASE("errors show the place", "[query]") {
  Stored trace("410-x86-fired-nochurn");
  Run run = Shell("$MMREPLAY query " + trace.path + " \"SELECT id,\n  pfm FROM page_waits\"");
  CHECK(run.exit_code == 2);
  CHECK(run.err.starts_with(
      "mmreplay: query:2:3: no such column: pfm\n    pfm FROM page_waits\n    ^\n  next: "));
  auto error = [&](const std::string& sql) {
    return Shell("$MMREPLAY query " + trace.path + " \"" + sql + "\"").err;
  };
  CHECK(error("SELECT *\nFROM nosuch WHERE x")
            .starts_with(
                "mmreplay: query:2:6: no such table: nosuch\n  FROM nosuch WHERE x\n       ^\n  next: "));
  CHECK(error("SELECT 1 FROM").starts_with("mmreplay: query:1:14: incomplete input\n"));
  CHECK(error("SELECT '\xc3\xa9', pfm FROM page_waits")
            .starts_with("mmreplay: query:1:13: no such column: pfm\n"));
  CHECK(Shell("$MMREPLAY query " + trace.path + " \"SELECT 1 AS x; -- done\" --format csv").out ==
        "x\r\n1\r\n");
  CHECK(Shell("$MMREPLAY query " + trace.path + " @nonsense").err.find("@nonsense: no query of that name") !=
        std::string::npos);
  CHECK(Shell("$MMREPLAY query " + trace.path).exit_code == 2);
  CHECK(Shell("$MMREPLAY query /no/such.db @waits")
            .err.starts_with("mmreplay: /no/such.db: cannot be opened\n  next: "));
  CHECK(Shell("$MMREPLAY query README.md @waits")
            .err.starts_with("mmreplay: README.md: is not a database mmreplay wrote\n  next: "));
  CHECK(Shell("$MMREPLAY query " + trace.path + " @waits --format xml").exit_code == 2);
}

TEST_CASE("each named query is listed, runs on every kind of recording, and says something", "[query]") {
  auto queries = SplitNamedSql(DatabaseSql("queries.sql"));
  REQUIRE(queries.size() >= 12);
  Stored fired("x86-fired");
  Stored stock("arm64-stock");
  Run list = Shell("$MMREPLAY query --list");
  CHECK(list.exit_code == 0);
  int answers = 0;
  for (const NamedSql& query : queries) {
    std::string name = "@" + std::string(query.name);
    CAPTURE(name);
    CHECK_FALSE(query.about.empty());
    CHECK(list.out.find(name + " ") != std::string::npos);
    for (const Stored* trace : {&fired, &stock}) {
      Run run = Shell("$MMREPLAY query " + trace->path + " " + name + " --format json");
      CAPTURE(run.err);
      REQUIRE(run.exit_code == 0);
      answers += nlohmann::json::parse(run.out).empty() ? 0 : 1;
    }
  }
  CHECK(answers >= static_cast<int>(queries.size()));
  Run findings = Shell("$MMREPLAY query " + fired.path + " @findings --format csv");
  CHECK(std::count(findings.out.begin(), findings.out.end(), '\n') == 1 + 68);
}

TEST_CASE("named statements are split with their comments", "[query]") {
  auto parts =
      SplitNamedSql("-- head\n\n-- name: one\n-- About one.\nSELECT 1;\n\n-- name: two\nSELECT 2;\n");
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].name == "one");
  CHECK(parts[0].about == "About one.");
  CHECK(parts[0].sql.find("SELECT 1") != std::string_view::npos);
  CHECK(parts[0].sql.find("SELECT 2") == std::string_view::npos);
  CHECK(parts[1].about.empty());
}

}  // namespace mmreplay
