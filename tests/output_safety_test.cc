// Names, texts and paths of a trace are anybody's words. In no output do they control the terminal, the
// browser, the spreadsheet or the program that reads it; the database has them as they were.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>

#include "db/database.h"
#include "parser/error.h"
#include "parser/lines.h"
#include "report/doctor.h"
#include "report/format.h"
#include "report/page_biography.h"
#include "report/report.h"
#include "tests/analysis.h"
#include "tests/binary.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Each of them as a task of a finding is called.
const std::string kMarkup = "</script><img src=x onerror=alert(1)>\"'&";
const std::string kTerminal =
    "\x1b]0;pwned\x07\x1b[2J\x7f\xc2\x9b"
    "31m";
const std::string kFormula = "=HYPERLINK(\"http://x\",\"y\")";
const std::string kHidden =
    "a\xe2\x80\xae"
    "b\xe2\x81\xa6"
    "c\xff\xc0\xaf"
    "d\xe2\x80\xa8"
    "e\xef\xbb\xbf"
    "f";
const std::string kForged = "x\nconfirmed forged_rule waiter=a-1\r\nz";

// Found without what makes outputs: the first place where `out` is not UTF-8, or a character in it controls
// others; npos where there is none.
size_t FirstHarm(std::string_view out) {
  for (size_t at = 0; at < out.size();) {
    auto byte = [&](size_t i) { return at + i < out.size() ? static_cast<unsigned char>(out[at + i]) : 0U; };
    unsigned first = byte(0);
    if (first < 0x80) {
      bool line_end = first == '\n' || first == '\t' || (first == '\r' && byte(1) == '\n');
      if ((first < 0x20 && !line_end) || first == 0x7f) return at;
      ++at;
      continue;
    }
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    unsigned point = first & (0x7fU >> length);
    for (size_t i = 1; i < length; ++i) {
      if (byte(i) >> 6 != 2) return at;
      point = point << 6 | (byte(i) & 0x3f);
    }
    bool shortest = point >= (length == 2 ? 0x80U : length == 3 ? 0x800U : 0x10000U);
    if (first < 0xc2 || first > 0xf4 || !shortest || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
      return at;
    bool harm = point < 0xa0 || (point >= 0x200b && point <= 0x200f) ||
                (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
                point == 0xfeff || point == 0xfffe || point == 0xffff;
    if (harm) return at;
    at += length;
  }
  return std::string::npos;
}

void CheckHarmless(const std::string& out) {
  if (size_t at = FirstHarm(out); at != std::string::npos) {
    CAPTURE(Printable(out.substr(at - std::min<size_t>(at, 80), 160)));
    FAIL_CHECK("an output has a control character in it");
  }
  CHECK(out.find("\nconfirmed forged_rule") == std::string::npos);
}

void CheckHtml(const std::string& html) {
  CheckHarmless(html);
  CHECK(html.find("<img") == std::string::npos);
  CHECK(html.find("onerror=alert(1)>") == std::string::npos);
  size_t scripts = 0;
  for (size_t at = html.find("<script"); at != std::string::npos; at = html.find("<script", at + 1))
    ++scripts;
  CHECK(scripts == 1);
}

void CheckSarif(const Json& json) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      static const std::regex kUri("(file://)?([-._~!$&'()*+,;=@/A-Za-z0-9]|%[0-9A-F][0-9A-F])+");
      if (key == "uri") CHECK(std::regex_match(value.get<std::string>(), kUri));
      CheckSarif(value);
    }
  } else if (json.is_array()) {
    for (const Json& value : json) CheckSarif(value);
  }
}

// Every string of a document, keys aside.
void Strings(const Json& json, std::vector<std::string>* strings) {
  if (json.is_string()) strings->push_back(json.get<std::string>());
  if (json.is_structured()) {
    for (const Json& value : json) Strings(value, strings);
  }
}

bool Holds(const Json& json, const std::string& part) {
  std::vector<std::string> strings;
  Strings(json, &strings);
  return std::any_of(strings.begin(), strings.end(),
                     [&](const std::string& s) { return s.find(part) != std::string::npos; });
}

void CheckReport(ReportFormat format, const std::string& out, const TemporaryFolder& folder) {
  switch (format) {
    case ReportFormat::kText:
      return CheckHarmless(out);
    case ReportFormat::kJson:
    case ReportFormat::kPerfetto:
      CheckHarmless(out);
      CHECK(Json::accept(out));
      return;
    case ReportFormat::kSarif:
      CheckHarmless(out);
      return CheckSarif(Json::parse(out));
    case ReportFormat::kJsonLines:
      CheckHarmless(out);
      return ForEachLine(out, [](std::string_view line) { CHECK(Json::accept(line)); });
    case ReportFormat::kHtml:
      return CheckHtml(out);
    case ReportFormat::kJunit:
      CheckHarmless(out);
      Run lint = Shell("xmllint --noout " + folder.Write("junit.xml", out));
      CAPTURE(lint.err);
      CHECK(lint.exit_code == 0);
      CHECK(out.find("<img") == std::string::npos);
      return;
  }
}

std::string ReportOf(const Database& database, ReportFormat format) {
  std::string out;
  WriteReport(database, {.format = format, .style = {}, .near_misses = true},
              [&](std::string_view text) { out += text; });
  return out;
}

// Synthetic: a real recording whose tasks, console, kernel, clock, probes, files and folder have such names.
struct Hostile {
  Hostile() {
    REQUIRE(Shell("tar -C " + folder.path() + " -xf samples/x86-fired.tar.xz").exit_code == 0);
    std::string from = folder.path() + "/x86-fired/";
    input = folder.path() + "/in\x1b[2J\n<b>\xe2\x80\xae\xff";
    fs::create_directory(input);
    auto put = [&](const std::string& name, const std::string& text) {
      folder.Write(fs::relative(input, folder.path()).string() + "/" + name, text);
    };
    std::string trace = ReadFile(from + "trace.txt");
    trace = Replaced(trace, "toucher/0-", kMarkup + "-");
    trace = Replaced(trace, "toucher/1-", kTerminal + "-");
    trace = Replaced(trace, "toucher/2-", kFormula + "-");
    trace = Replaced(trace, "toucher/3-", kHidden + "-");
    trace = Replaced(trace, " bit=0", " bit=0 note=" + kMarkup + kTerminal);
    put("tr\x1b[31m<script>.txt", trace);
    put("dmesg", Replaced(ReadFile(from + "dmesg.txt"), "in process ", "in process " + kTerminal + kMarkup));
    put("kprobes",
        ReadFile(from + "kprobe_events.txt") + "p:evil/x\x1b[2J</script> folio_wait_bit folio=%di\n");
    put("uname", "Linux (none) 6.1.0-\x1b]0;k\x07<b>\xff #1 SMP x86_64 GNU/Linux\n");
    put("formats", ReadFile(from + "formats.txt"));
    database = folder.path() + "/race.db";
  }
  TemporaryFolder folder;
  std::string input;
  std::string database;
};

// For the shell.
std::string Quote(const std::string& text) {
  return "'" + Replaced(text, "'", "'\\''") + "'";
}

}  // namespace

TEST_CASE("the check of harm itself sees it", "[output_safety]") {
  for (const std::string& harm :
       {kTerminal, kHidden, std::string("\xff"), std::string("\xc2\x9b"), std::string("\xe2\x80\xae"),
        std::string("a\rb"), std::string("\xc0\xaf"), std::string(1, '\0')})
    CHECK(FirstHarm(harm) != std::string::npos);
  CHECK(FirstHarm("k\xc3\xb6ln\t\xf0\x9f\x90\xa7 \xe2\x82\xac\r\n") == std::string::npos);
}

TEST_CASE("a hostile recording is harmless in every report, and recognisable", "[output_safety]") {
  Hostile hostile;
  Run run = Shell("$MMREPLAY analyze -o " + hostile.database + " " + Quote(hostile.input));
  CAPTURE(run.err);
  REQUIRE(run.exit_code == 1);
  CheckHarmless(run.out);
  CheckHarmless(run.err);
  Database database(hostile.database, Database::Mode::kReadOnly);
  // As they were.
  Statement comms(database, "SELECT count(DISTINCT comm) FROM findings WHERE comm IN (?, ?, ?, ?)");
  comms.Bind(1, kMarkup);
  comms.Bind(2, kTerminal);
  comms.Bind(3, kFormula);
  comms.Bind(4, kHidden);
  REQUIRE(comms.Step());
  CHECK(comms.Int(0) >= 3);
  for (const ReportFormatFacts& format : ReportFormats()) {
    CAPTURE(format.name);
    std::string out = ReportOf(database, format.format);
    CheckReport(format.format, out, hostile.folder);
    // What the program itself prints is the same: nothing has to be caught at its door.
    CHECK(
        Shell("$MMREPLAY report --near-misses --format " + std::string(format.name) + " " + hostile.database)
            .out == out);
    if (format.json_errors && format.format != ReportFormat::kJsonLines) {
      CHECK(Holds(Json::parse(out), "pwned"));
      CHECK(Holds(Json::parse(out), "</script><img src=x onerror=alert(1)>"));
    }
    if (format.format == ReportFormat::kText) {
      CHECK(out.find("\\x1b]0;pwned\\x07\\x1b[2J\\x7f\\xc2\\x9b31m") != std::string::npos);
      CHECK(out.find("a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6c\\xff\\xc0\\xafd") != std::string::npos);
      CHECK(out.find("</script><img src=x") != std::string::npos);
    }
    if (format.format == ReportFormat::kHtml)
      CHECK(out.find("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;") !=
            std::string::npos);
  }
  Json perfetto = Json::parse(ReportOf(database, ReportFormat::kPerfetto));
  CHECK(Holds(perfetto, kTerminal));

  std::string pfn =
      Shell("$MMREPLAY query " + hostile.database + " 'SELECT pfn FROM findings LIMIT 1' --format csv").out;
  pfn = pfn.substr(5, pfn.size() - 7);
  for (const std::string& command :
       {"page " + hostile.database + " " + pfn, "doctor " + hostile.database,
        "doctor " + Quote(hostile.input), "query " + hostile.database + " @findings",
        "query " + hostile.database + " @findings --format csv",
        "query " + hostile.database + " @findings --format json",
        "query " + hostile.database + " @sources --format csv",
        "query " + hostile.database + " 'SELECT comm, args, line FROM events' --format csv"}) {
    CAPTURE(Printable(command));
    Run one = Shell("$MMREPLAY " + command);
    CHECK(one.exit_code == 0);
    CHECK(one.out.size() > 100);
    CheckHarmless(one.out);
    CheckHarmless(one.err);
  }
  // On a terminal, nothing but our own colours.
  Run terminal = Shell("script -qec \"$MMREPLAY report " + hostile.database + "\" /dev/null < /dev/null");
  CHECK(terminal.out.find("\x1b[1;31mFOUND") != std::string::npos);
  std::string plain = Replaced(terminal.out, "\r\n", "\n");
  for (const char* ours : {"\x1b[1m", "\x1b[1;31m", "\x1b[0m"}) plain = Replaced(plain, ours, "");
  CheckHarmless(plain);
  CHECK(plain == Shell("$MMREPLAY report " + hostile.database).out);
}

TEST_CASE("triage of hostile logs is harmless in every format", "[output_safety]") {
  Hostile hostile;
  std::string rows;
  for (const char* format : {"text", "jsonl", "junit"}) {
    CAPTURE(format);
    Run run = Shell("$MMREPLAY triage --format " + std::string(format) + " -o " + hostile.folder.path() +
                    "/fleet.db " + Quote(hostile.input) + " " +
                    Quote(hostile.folder.Write("no\x1b[2J\xff<i>", "Dear list,\n")));
    CHECK(run.exit_code == 1);
    CheckHarmless(run.out);
    CheckHarmless(run.err);
    if (std::string(format) == "jsonl") {
      ForEachLine(run.out, [](std::string_view line) { CHECK(Json::accept(line)); });
    }
    if (std::string(format) == "junit")
      CHECK(Shell("xmllint --noout " + hostile.folder.Write("t.xml", run.out)).exit_code == 0);
    if (std::string(format) == "text") CHECK(run.out.find("no\\x1b[2J\\xff<i>") != std::string::npos);
  }
  for (const char* format : {"table", "csv", "json"}) {
    Run run = Shell("$MMREPLAY query " + hostile.folder.path() +
                    "/fleet.db 'SELECT * FROM findings JOIN logs' --format " + format);
    CAPTURE(run.err);
    CHECK(run.exit_code == 0);
    CheckHarmless(run.out);
  }
}

TEST_CASE("errors and usage are harmless", "[output_safety]") {
  TemporaryFolder folder;
  std::string evil = folder.path() + "/e\x1b]0;p\x07\nmmreplay: fine\n  next: rm\xe2\x80\xae\xc2\x9b\xff";
  std::string rules = folder.path() + "/rules\x1b[2J";
  fs::create_directory(rules);
  folder.Write("rules\x1b[2J/r\x1b[1m.sql", "-- name: \x1b[31mx\n-- bogus\x1b: y\nSELECT 1\n");
  for (const std::string& command :
       {"analyze " + Quote(evil), "analyze --format json " + Quote(evil), Quote(evil),
        "analyze --format " + Quote(evil) + " samples/arm64-stock.tar.xz", "page " + Quote(evil) + " 1",
        "query " + Quote(evil) + " @waits", "query samples " + Quote(evil), "analyze --" + Quote(evil),
        "rules list --rules " + Quote(rules), "rules check " + Quote(evil), "rules explain " + Quote(evil),
        "analyze --rules " + Quote(rules) + " samples/arm64-stock.tar.xz",
        "triage --suppress " + Quote(evil) + " samples", "triage --jobs " + Quote(evil) + " samples",
        "doctor " + Quote(evil), "report " + Quote(evil), "replay " + Quote(evil),
        "analyze --require " + Quote(evil) + " samples/410-x86-held0.tar.xz",
        "analyze -o " + Quote(evil + "/x/y") + " samples/410-x86-held0.tar.xz"}) {
    CAPTURE(Printable(command));
    Run run = Shell("$MMREPLAY " + command);
    CHECK((run.exit_code == 2 || run.exit_code == 0 || run.exit_code == 3));
    CheckHarmless(run.out);
    CheckHarmless(run.err);
    // No line that looks like one of ours.
    CHECK(run.err.find("\nmmreplay: fine") == std::string::npos);
    CHECK(run.err.find("\n  next: rm") == std::string::npos);
    if (command.find("json") != std::string::npos)
      CHECK(Json::parse(run.out)["error"]["message"].get<std::string>().find("]0;p") != std::string::npos);
  }
  // SQL with controls in it, shown with its caret.
  REQUIRE(Shell("$MMREPLAY analyze -o " + folder.path() + "/x.db samples/410-x86-held0.tar.xz").exit_code ==
          0);
  Run run = Shell("$MMREPLAY query " + folder.path() +
                  "/x.db \"SELECT '$(printf '\\033[2J')', pfm FROM page_waits\"");
  CHECK(run.exit_code == 2);
  CheckHarmless(run.err);
  CHECK(run.err.find("SELECT ' [2J'") != std::string::npos);  // as wide as it was, for the caret
  // A good rule with such texts.
  std::string good = folder.path() + "/good";
  fs::create_directory(good);
  folder.Write(
      "good/evil.sql",
      "-- name: evil_rule\n-- severity: warning\n-- summary: s \x1b[2J</script><img src=x> =1\n-- why: w "
      "\x1b]0;x\x07\xe2\x80\xae\n-- requires: page_waits\n-- reference: r \xff\x1b[31m\n"
      "SELECT 'latent' AS grade, 'page_waits' AS subject, id AS subject_id, pfn, pid, 'sum "
      "\x1b[2J</script><img>' || "
      "char(10) || 'confirmed forged_rule' AS summary FROM page_waits LIMIT 2\n");
  for (const ReportFormatFacts& format : ReportFormats()) {
    CAPTURE(format.name);
    Run report = Shell("$MMREPLAY analyze --rules " + good + " --format " + std::string(format.name) +
                       " samples/410-x86-held0.tar.xz");
    CAPTURE(report.err);
    CHECK(report.exit_code == 1);
    CheckReport(format.format, report.out, folder);
  }
  for (const char* what : {"list", "explain evil_rule"}) {
    Run told = Shell("$MMREPLAY rules " + std::string(what) + " --rules " + good);
    CHECK(told.exit_code == 0);
    CheckHarmless(told.out);
  }
}

TEST_CASE("whatever texts a database holds, reports of it are harmless", "[output_safety]") {
  TemporaryFolder folder;
  std::string path = folder.path() + "/x.db";
  REQUIRE(Shell("$MMREPLAY analyze -o " + path + " samples/410-x86-fired-nochurn.tar.xz").exit_code == 1);
  Database database(path, Database::Mode::kReadWrite);
  std::vector<std::pair<std::string, std::string>> columns;
  {
    Statement query(
        database,
        "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' "
        "AND m.name NOT LIKE 'sqlite_%'");
    while (query.Step()) columns.emplace_back(query.Text(0), query.Text(1));
  }
  REQUIRE(columns.size() > 50);
  size_t texts = 0;
  for (const auto& [table, column] : columns) {
    CAPTURE(table, column);
    {
      Statement any(database,
                    "SELECT 1 FROM \"" + table + "\" WHERE typeof(\"" + column + "\") = 'text' LIMIT 1");
      if (!any.Step()) continue;
    }
    ++texts;
    database.Exec("BEGIN");
    Statement change(database, "UPDATE OR IGNORE \"" + table + "\" SET \"" + column + "\" = \"" + column +
                                   "\" || ? WHERE typeof(\"" + column + "\") = 'text'");
    std::string evil = kMarkup + kTerminal + kFormula + kHidden + kForged;
    change.Bind(1, evil);
    change.Run();
    auto written = [&](const std::function<void(const WriteFn&)>& make) {
      std::string out;
      try {
        make([&](std::string_view text) { out += text; });
      } catch (const Error&) {  // a sentence is an answer, too
      }
      return out;
    };
    for (const ReportFormatFacts& format : ReportFormats()) {
      CAPTURE(format.name);
      bool whole = true;
      std::string out = written([&](const WriteFn& write) {
        whole = false;
        WriteReport(database, {.format = format.format, .style = {}, .near_misses = true}, write);
        whole = true;
      });
      if (!whole) continue;
      if (format.format == ReportFormat::kJunit) {
        CheckHarmless(out);  // xmllint for each would take minutes
        CHECK(out.find("<img") == std::string::npos);
      } else {
        CheckReport(format.format, out, folder);
      }
    }
    CheckHarmless(written([&](const WriteFn& write) { WritePageBiography(database, 0x28000, write); }));
    CheckHarmless(written([&](const WriteFn& write) { WriteDoctor(database, write); }));
    database.Exec("ROLLBACK");
  }
  CHECK(texts > 15);
}

}  // namespace mmreplay
