// mmreplay triage: many logs, run as a user runs it.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "parser/bundle.h"
#include "parser/lines.h"
#include "report/triage.h"
#include "report/triage_policy.h"
#include "rules/rule.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Synthetic: one event, nothing that could be judged.
constexpr const char* kOneEvent = "   a-1   [000] ....  1.000001: x: y=1\n";

std::vector<Json> Rows(const std::string& jsonl, const std::string& kind) {
  std::vector<Json> rows;
  ForEachLine(jsonl, [&](std::string_view line) {
    Json row = Json::parse(line);
    if (row["row"] == kind) rows.push_back(row);
  });
  return rows;
}

Json RowOf(const std::string& jsonl, const std::string& path) {
  for (Json& row : Rows(jsonl, "log")) {
    if (row["path"] == path) return row;
  }
  return nullptr;
}

std::string Sql(const std::string& database, const std::string& sql) {
  Run run = Shell("sqlite3 " + database + " \"" + sql + "\"");
  CAPTURE(sql, run.err);
  CHECK(run.exit_code == 0);
  return run.out;
}

void Unpack(const std::string& sample, const std::string& folder) {
  REQUIRE(Shell("tar -C " + folder + " -xf samples/" + sample + ".tar.xz").exit_code == 0);
}

}  // namespace

TEST_CASE("every recording with the wait falls into one group, whatever its kernel, machine and form",
          "[triage]") {
  Run run = Shell("$MMREPLAY triage --format jsonl samples/*.tar.*");
  CHECK(run.exit_code == 1);
  std::vector<std::string> failing;
  Json wait;
  for (const Json& group : Rows(run.out, "group")) {
    if (group["state"] == "info") continue;
    failing.push_back(group["fingerprint"]);
    wait = group;
  }
  CHECK(failing == std::vector<std::string>{"wait_on_freed_page/caller-keeps-the-page/put-by-another-task"});
  CHECK(wait["grade"] == "confirmed");
  CHECK(wait["functions"] == Json{"folio_wait_bit", "wait_on_page_bit"});
  CHECK(wait["machines"] == Json{"aarch64", "x86_64"});
  CHECK(wait["inputs"].size() >= 3);
  // Each log as its own analysis: the numbers are pinned down in samples/expected.
  CHECK(RowOf(run.out, "samples/x86-fired.tar.xz")["failing"] ==
        Json{{"confirmed", 20}, {"probable", 3}, {"latent", 45}});
  CHECK(RowOf(run.out, "samples/410-x86-held0.tar.xz")["status"] == "clean");
  CHECK(RowOf(run.out, "samples/arm64-dat.tar.xz")["status"] == "cannot tell");
  Json summary = Rows(run.out, "summary").front();
  int64_t found = 0;
  for (const Json& row : Rows(run.out, "log")) found += row["status"] == "found";
  CHECK(summary["logs"]["found"] == found);
  CHECK(wait["logs"] == found);
  CHECK(summary["logs"]["total"] == Rows(run.out, "log").size());
}

TEST_CASE("a fingerprint has the contract of the wait function and no function in it", "[triage]") {
  Rule rule{.file = "",
            .name = "w",
            .summary = "",
            .why = "",
            .required = {},
            .reference = "",
            .releases = "a put",
            .sql = ""};
  CHECK(TriageFingerprint(rule, "w/numa fault", "wait_on_page_bit") == "w/caller-keeps-the-page/a-put");
  CHECK(TriageFingerprint(rule, "w/pmd migration entry", "folio_wait_bit") ==
        "w/caller-keeps-the-page/a-put");
  CHECK(TriageFingerprint(rule, "w/x", "migration_entry_wait_on_locked") ==
        "w/queues-while-the-page-table-lock-is-held/a-put");
  rule.releases.clear();
  CHECK(TriageFingerprint(rule, "w/two words", "folio_wait_bit") == "w/two-words");
}

TEST_CASE("junk among recordings is reported, each with its reason, and all sums hold", "[triage]") {
  TemporaryFolder folder;
  const std::string& root = folder.path();
  Unpack("x86-fired", root);
  Unpack("410-x86-held0", root);
  fs::create_directory(root + "/junk");
  std::string junk = root + "/junk/";
  folder.Write("junk/empty", "");
  folder.Write("junk/binary", std::string("\x7f"
                                          "ELF\0\1\2\3\0\0\0\0",
                                          12) +
                                  std::string(5000, '\0'));
  folder.Write("junk/prose.txt", "Dear diary,\nnothing happened.\n");
  folder.Write("junk/one-event.txt", kOneEvent);
  std::string archive = ReadFile(MMREPLAY_SOURCE_DIR "/samples/x86-fired.tar.xz");
  folder.Write("junk/cut.tar.xz", archive.substr(0, archive.size() / 4));
  folder.Write("junk/whole.tar.xz", archive);
  REQUIRE(truncate(folder.Write("junk/sparse", "").c_str(), off_t{5} << 30) == 0);
  REQUIRE(mkfifo((junk + "fifo").c_str(), 0600) == 0);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  (junk + "socket").copy(address.sun_path, sizeof(address.sun_path) - 1);
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  fs::create_symlink("/dev/zero", junk + "device");
  fs::create_symlink("/proc/self/mem", junk + "no-read");
  fs::create_symlink("nowhere", junk + "dangling");
  fs::create_symlink("round", junk + "round");
  fs::create_symlink("whole.tar.xz", junk + "same");
  fs::create_directory_symlink(root, junk + "loop");
  // The program must not be root to be refused a file.
  bool refused = geteuid() != 0;
  if (refused) REQUIRE(chmod(folder.Write("junk/secret", kOneEvent).c_str(), 0) == 0);

  Run run = Shell("timeout 120 $MMREPLAY triage --format jsonl " + root + " /no/such/file");
  close(listener);
  CAPTURE(run.err);
  CHECK(run.exit_code == 1);
  auto reason = [&](const std::string& name) {
    Json row = RowOf(run.out, junk + name);
    CAPTURE(name);
    REQUIRE(row.is_object());
    CHECK(row["status"] == "unreadable");
    return row["reason"].is_string() ? row["reason"].get<std::string>() : "";
  };
  CHECK(reason("empty") == "is empty");
  CHECK(reason("binary").find("binary") != std::string::npos);
  CHECK(reason("sparse").find("binary") != std::string::npos);
  CHECK(reason("prose.txt").find("not like a trace") != std::string::npos);
  // What can be read of it is clean, but that is not all.
  CHECK(RowOf(run.out, junk + "cut.tar.xz")["status"] == "cannot tell");
  CHECK(RowOf(run.out, junk + "cut.tar.xz")["reason"] == "a part of it could not be read");
  CHECK(reason("fifo") == "is a fifo");
  CHECK(reason("socket") == "is a socket");
  CHECK(reason("device") == "is a character device");
  CHECK(reason("no-read") == "Input/output error");
  CHECK(reason("dangling") == "No such file or directory");
  CHECK(reason("round") == "Too many levels of symbolic links");
  if (refused) CHECK(reason("secret") == "Permission denied");
  CHECK(RowOf(run.out, "/no/such/file")["reason"] == "No such file or directory");
  // What is good came through.
  CHECK(RowOf(run.out, root + "/x86-fired")["failing"]["confirmed"] == 20);
  CHECK(RowOf(run.out, root + "/x86-fired")["files"] == 8);
  CHECK(RowOf(run.out, root + "/410-x86-held0")["status"] == "clean");
  bool once = RowOf(run.out, junk + "whole.tar.xz").is_object() != RowOf(run.out, junk + "same").is_object();
  CHECK(once);
  CHECK(RowOf(run.out, junk + "one-event.txt")["status"] == "cannot tell");

  Json summary = Rows(run.out, "summary").front();
  Json logs = summary["logs"];
  int64_t of_all = 0;
  for (const char* status : {"found", "clean", "cannot tell", "unreadable", "failed"})
    of_all += logs[status].get<int64_t>();
  CHECK(logs["total"] == of_all);
  CHECK(logs["total"] == Rows(run.out, "log").size());
  CHECK(logs["failed"] == 0);
  Json files = summary["files"];
  CHECK(files["total"].get<int64_t>() ==
        files["alone"].get<int64_t>() + files["in_bundles"].get<int64_t>() + files["again"].get<int64_t>());
  // Counted by somebody else; the loop is not followed.
  std::string counted = Shell("find " + root + " ! -type d ! -name loop | wc -l").out;
  CHECK(files["total"].get<int64_t>() == std::stoll(counted) + 1);
  CHECK(files["in_bundles"] == 8 + 8);
  int64_t failing = 0;
  for (const Json& row : Rows(run.out, "log")) failing += row["failing"]["confirmed"].get<int64_t>();
  CHECK(summary["failing"]["confirmed"] == failing);
}

TEST_CASE("which files of a folder are one recording", "[triage]") {
  TemporaryFolder folder;
  std::string uname =
      folder.Write("uname", "Linux (none) 6.1.0 #1 SMP Debian 6.1 (2026-11-16) x86_64 GNU/Linux\n");
  std::string trace = folder.Write("trace", kOneEvent);
  std::string other = folder.Write("other", "   b-2   [001] ....  1.000002: x: y=1\n");
  std::string cpu0 = folder.Write("cpu0.txt", kOneEvent);
  std::string cpu1 = folder.Write("cpu1.txt", "   b-2   [001] ....  1.000002: x: y=1\n");
  std::string prose = folder.Write("prose", "Dear diary\n");
  using Parts = std::vector<std::string>;
  CHECK(PartsOfOneRecording({trace, uname, prose}) == Parts{trace, uname, prose});
  CHECK(PartsOfOneRecording({trace, prose}).empty());  // a trace among strangers
  CHECK(PartsOfOneRecording({trace, other, uname})
            .empty());  // of two cpus, but who says they are of one machine
  CHECK(PartsOfOneRecording({cpu0, cpu1, uname}) == Parts{cpu0, cpu1, uname});
  CHECK(PartsOfOneRecording({cpu0, trace, uname}).empty());
  CHECK(PartsOfOneRecording({uname, prose}).empty());
  CHECK(PartsOfOneRecording({trace, uname, folder.path() + "/gone"}) == Parts{trace, uname});
  std::string archive = folder.Write("a.tar.xz", ReadFile(MMREPLAY_SOURCE_DIR "/samples/x86-fired.tar.xz"));
  CHECK(PartsOfOneRecording({trace, uname, archive}) == Parts{trace, uname});
}

TEST_CASE("results do not depend on the number of jobs", "[triage]") {
  for (const char* format : {"text", "jsonl", "junit"}) {
    std::string command = std::string("$MMREPLAY triage samples --format ") + format;
    Run one = Shell(command + " --jobs 1");
    Run four = Shell(command + " --jobs 4");
    CHECK(one.exit_code == four.exit_code);
    CHECK(one.out.size() > 1000);
    CHECK(one.out == four.out);
  }
}

TEST_CASE("a list on standard input", "[triage]") {
  Run lines = Shell("ls samples/x86-f*.tar.xz | $MMREPLAY triage --format jsonl -");
  CHECK(Rows(lines.out, "log").size() == 2);
  CHECK(Shell("find samples -name 'x86-f*.tar.xz' -print0 | sort -z | $MMREPLAY triage -0 --format jsonl -")
            .out == lines.out);
  // In a list, and in a folder, "-" is a file.
  TemporaryFolder folder;
  folder.Write("-", kOneEvent);
  Run dash = Shell("cd " + folder.path() + " && echo - | $MMREPLAY triage --format jsonl -");
  CHECK(RowOf(dash.out, "-")["status"] == "cannot tell");
  CHECK(Shell("$MMREPLAY triage - < /dev/null").exit_code == 2);
  CHECK(Shell("$MMREPLAY triage - - < /dev/null").exit_code == 2);
  CHECK(Shell("$MMREPLAY triage").exit_code == 2);
  CHECK(Shell("$MMREPLAY triage --jobs 0 samples").exit_code == 2);
  CHECK(Shell("$MMREPLAY triage -0 samples").exit_code == 2);
  CHECK(Shell("$MMREPLAY triage --require no_such_rule samples").exit_code == 2);
}

TEST_CASE("exit codes of a batch: found before unreadable before cannot tell", "[triage]") {
  TemporaryFolder folder;
  std::string unclear = folder.Write("unclear", kOneEvent);
  std::string clean = "samples/410-x86-held0.tar.xz ";
  CHECK(Shell("$MMREPLAY triage " + clean).exit_code == 0);
  CHECK(Shell("$MMREPLAY triage " + clean + unclear).exit_code == 3);
  CHECK(Shell("$MMREPLAY triage LICENSE " + clean + unclear).exit_code == 2);
  CHECK(Shell("$MMREPLAY triage LICENSE samples/x86-fired.tar.xz " + unclear).exit_code == 1);
  // A finding of severity info fails where that is asked for.
  CHECK(Shell("$MMREPLAY triage --fail-on info " + clean).exit_code == 1);
  CHECK(Shell("$MMREPLAY triage --require lost_wakeup --require double_free " + clean).exit_code == 3);
}

TEST_CASE("only what the baseline does not know fails", "[triage]") {
  TemporaryFolder folder;
  std::string known = folder.path() + "/known";
  // latent and probable only
  std::string milder = " samples/x86-latent.tar.xz";
  Run first = Shell("$MMREPLAY triage --write-baseline " + known + milder);
  CHECK(first.exit_code == 1);
  Run same = Shell("$MMREPLAY triage --baseline " + known + milder);
  CHECK(same.exit_code == 0);
  CHECK(same.out.starts_with("OK: nothing new in 1 log\n"));
  // The same bug on another machine is no news, a confirmed one is.
  Run risen = Shell("$MMREPLAY triage --format jsonl --baseline " + known + " samples/x86-fired.tar.xz");
  CHECK(risen.exit_code == 1);
  CHECK(Rows(risen.out, "group").front()["state"] == "risen");
  CHECK(Rows(risen.out, "log").front()["failing"]["confirmed"] == 20);
  CHECK(Rows(risen.out, "log").front()["failing"]["latent"] == 0);
  CHECK(Rows(risen.out, "log").front()["known"] == 48);
  // The output of an earlier triage is a baseline, too.
  std::string jsonl = folder.Write("jsonl", risen.out);
  CHECK(Shell("$MMREPLAY triage --baseline " + jsonl + " samples/410-arm64-fired-stock.tar.xz").exit_code ==
        0);
  // A baseline of other groups does not help.
  std::string other = folder.Write(
      "other",
      R"({"format":"mmreplay-triage","version":1,"row":"group","fingerprint":"x/y","state":"known","grade":"confirmed"})"
      "\n");
  Run fresh = Shell("$MMREPLAY triage --format jsonl --baseline " + other + milder);
  CHECK(fresh.exit_code == 1);
  CHECK(Rows(fresh.out, "group").front()["state"] == "new");
  CHECK(Rows(fresh.out, "summary").front()["gone"] == Json{"x/y"});
  // Written on top of a baseline, it keeps what was not seen this time.
  Shell("$MMREPLAY triage --baseline " + other + " --write-baseline " + known + milder);
  CHECK(ReadBaseline(known).size() == 2);
  // Where no log could be judged it stays as it was.
  std::string nothing = folder.Write("nothing", std::string("\0\1\2\3", 4));
  Run unjudged = Shell("$MMREPLAY triage --write-baseline " + known + " " + nothing);
  CHECK(unjudged.exit_code == 2);
  CHECK(unjudged.err.find(known + ": not written, no log could be judged\n") != std::string::npos);
  CHECK(ReadBaseline(known).size() == 2);
  Run some = Shell("$MMREPLAY triage --write-baseline " + known + " " + nothing + milder);
  CHECK(some.err.find(known + ": without what 1 log that could not be judged may show\n") !=
        std::string::npos);
  CHECK(ReadBaseline(known).size() == 1);

  CHECK_THROWS_WITH(ReadBaseline("/no/such"), "/no/such: No such file or directory");
  CHECK_THROWS_WITH(ReadBaseline(folder.Write("bad", "{}\n")),
                    Catch::Contains("bad:1: is no row of a triage"));
  CHECK_THROWS_WITH(ReadBaseline(folder.Write("bad", "\xff\n")), Catch::Contains("bad:1: "));
  CHECK_THROWS_WITH(ReadBaseline(folder.Write("bad", "")), Catch::Contains("is empty"));
  CHECK_THROWS_WITH(ReadBaseline(folder.Write(
                        "bad", R"({"format":"mmreplay-triage","version":1,"row":"group","fingerprint":3})")),
                    Catch::Contains("bad:1: a group has"));
}

TEST_CASE("a fifo of suppressions is read when somebody writes to it", "[triage]") {
  TemporaryFolder folder;
  std::string fifo = folder.path() + "/fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  Run run =
      Shell("(sleep 0.2; echo 'wait_on_freed_page/* because known' > " + fifo +
            ") & $MMREPLAY triage --suppress " + fifo + " samples/x86-latent.tar.xz; s=$?; wait; exit $s");
  CHECK(run.exit_code == 0);
}

TEST_CASE("suppressed findings are counted and do not fail", "[triage]") {
  TemporaryFolder folder;
  std::string list =
      folder.Write("list", "# known\nwait_on_freed_page/* log=*x86-fired* because the machine is to go\n");
  Run run = Shell("$MMREPLAY triage --format jsonl --suppress " + list + " samples/x86-fired.tar.xz");
  CHECK(run.exit_code == 0);
  CHECK(Rows(run.out, "group").front()["state"] == "suppressed");
  CHECK(Rows(run.out, "summary").front()["suppressed"] == 68);
  CHECK(Rows(run.out, "summary").front()["suppressions"][0] ==
        Json{{"where", list + ":2"}, {"reason", "the machine is to go"}, {"findings", 68}});
  Run text = Shell("$MMREPLAY triage --suppress " + list + " samples/x86-fired.tar.xz");
  CHECK(text.out.find("68 findings, because the machine is to go") != std::string::npos);
  // Another log, and a grade above, fail as ever.
  CHECK(Shell("$MMREPLAY triage --suppress " + list + " samples/arm64-fired.tar.xz").exit_code == 1);
  std::string mild = folder.Write("mild", "wait_on_freed_page/* up-to=probable because they survive\n");
  Run above = Shell("$MMREPLAY triage --format jsonl --suppress " + mild + " samples/x86-fired.tar.xz");
  CHECK(above.exit_code == 1);
  CHECK(Rows(above.out, "log").front()["failing"] == Json{{"confirmed", 20}, {"probable", 0}, {"latent", 0}});
  CHECK(Rows(above.out, "log").front()["suppressed"] == 48);
  CHECK(Shell("$MMREPLAY triage --suppress " + mild + " samples/x86-latent.tar.xz").exit_code == 0);
  std::string longest = "wait_on_freed_page/* log=" + std::string(4096 - 4, '*') + " because it is long\n";
  CHECK(Shell("$MMREPLAY triage --suppress " + folder.Write("long", longest) + " samples/x86-latent.tar.xz")
            .exit_code == 0);
  longest.insert(longest.find('*', 30), "*");
  Run longer =
      Shell("$MMREPLAY triage --suppress " + folder.Write("long", longest) + " samples/x86-latent.tar.xz");
  CHECK(longer.exit_code == 2);
  CHECK(longer.err.find("long:1:22: a pattern has at most 4096 characters") != std::string::npos);
  // What is suppressed does not become known.
  CHECK(Shell("$MMREPLAY triage --suppress " + mild + " --write-baseline " + folder.path() +
              "/b samples/x86-latent.tar.xz")
            .exit_code == 0);
  CHECK(ReadBaseline(folder.path() + "/b").empty());

  CHECK_THROWS_WITH(ParseSuppressions("s", "a/*\n"), Catch::StartsWith("s:1:4: a suppression ends with"));
  CHECK_THROWS_WITH(ParseSuppressions("s", "\na/* because \n"),
                    Catch::StartsWith("s:2:5: there is no reason"));
  CHECK_THROWS_WITH(ParseSuppressions("s", "a/* lgo=x because y\n"),
                    Catch::StartsWith("s:1:5: 'lgo=x' is none of"));
  CHECK_THROWS_WITH(ParseSuppressions("s", "a up-to=high because y\n"), Catch::StartsWith("s:1:3: up-to="));
  CHECK(ParseSuppressions("s", "# nothing\n\n").empty());
}

TEST_CASE("JSON lines follow their schema, JUnit its own", "[triage]") {
  TemporaryFolder folder;
  std::string list = folder.Write("list", "wait_on_freed_page/* log=*latent* because <tests> & \"quotes\"\n");
  folder.Write("bad\x1b\xff\"<name>&.txt", "Dear diary\n");
  folder.Write("unclear", kOneEvent);
  std::string arguments =
      " --suppress " + list +
      " samples/x86-fired.tar.xz samples/x86-latent.tar.xz samples/410-x86-held0.tar.xz " + folder.path();
  std::string script =
      "import json,sys,jsonschema\n"
      "v=jsonschema.Draft202012Validator(json.load(open('report/triage.schema.json')))\n"
      "n=0\n"
      "for l in sys.stdin:\n"
      "  v.validate(json.loads(l)); n+=1\n"
      "print(n)\n";
  folder.Write("check.py", script);
  std::string check = "python3 " + folder.path() + "/check.py";
  Run rows = Shell("$MMREPLAY triage --format jsonl --write-baseline " + folder.path() + "/b" + arguments +
                   " | " + check);
  CAPTURE(rows.err);
  CHECK(rows.exit_code == 0);
  CHECK(std::stoi(rows.out) > 6);
  CHECK(Shell(check + " < " + folder.path() + "/b").out == "2\n");
  CHECK(Shell("echo '{\"format\": \"mmreplay-triage\", \"version\": 1, \"row\": \"log\"}' | " + check)
            .exit_code != 0);

  std::string junit = folder.path() + "/junit.xml";
  fs::remove(folder.path() + "/b");
  Shell("$MMREPLAY triage --format junit" + arguments + " > " + junit);
  Run valid = Shell("xmllint --noout --schema tests/triage_junit.xsd " + junit);
  CAPTURE(valid.err, ReadFile(junit));
  CHECK(valid.exit_code == 0);
  auto count = [&](const std::string& path) {
    return Shell("xmllint --xpath 'count(" + path + ")' " + junit).out;
  };
  auto attribute = [&](const std::string& name) {
    return Shell("xmllint --xpath 'string(/testsuites/testsuite/@" + name + ")' " + junit).out;
  };
  CHECK(count("//testcase/failure") == "1\n");
  CHECK(count("//testcase/failure") == attribute("failures"));
  CHECK(count("//testcase") == attribute("tests"));
  CHECK(count("//testcase/error") == attribute("errors"));
  CHECK(count("//testcase/skipped") == "1\n");
  // The check can fail.
  std::string wrong = folder.Write("wrong.xml", "<testsuites><testsuite name=\"a\"/></testsuites>");
  CHECK(Shell("xmllint --noout --schema tests/triage_junit.xsd " + wrong).exit_code != 0);
}

TEST_CASE("a log whose analysis does not end, or ends badly, is one failed log", "[triage]") {
  TemporaryFolder folder;
  // A fault in the analysis is made by killing it from outside: children of the triage whose log is this one.
  std::string unclear = folder.Write("unclear", kOneEvent);
  // gzip of an endless trace, cut at a size that takes long.
  Shell("yes \"$(head -c 38 " + unclear + ")\" | head -c 1500000000 | gzip -1 > " + folder.path() +
        "/endless.gz");
  Run late = Shell("$MMREPLAY triage --time-limit 1 --format jsonl -o " + folder.path() + "/fleet.db " +
                   folder.path() + "/endless.gz " + unclear + " samples/410-x86-held0.tar.xz");
  CHECK(late.exit_code == 2);
  Json row = RowOf(late.out, folder.path() + "/endless.gz");
  CHECK(row["status"] == "failed");
  CHECK(row["reason"].get<std::string>().starts_with("took longer than 1 s"));
  CHECK(RowOf(late.out, unclear)["status"] == "cannot tell");
  CHECK(Sql(folder.path() + "/fleet.db", "SELECT status FROM logs ORDER BY path LIKE '%held0%', path") ==
        "failed\ncannot tell\nclean\n");

  Run killed =
      Shell("$MMREPLAY triage --jobs 1 --format jsonl " + folder.path() + "/endless.gz " + unclear +
            " & triage=$!; sleep 1.5; child=$(pgrep -P $triage | head -1); kill -ABRT $child; wait $triage");
  CHECK(killed.exit_code == 2);
  row = RowOf(killed.out, folder.path() + "/endless.gz");
  CHECK(row["status"] == "failed");
  CHECK(row["reason"].get<std::string>().find("was ended by signal 6") != std::string::npos);
  CHECK(RowOf(killed.out, unclear)["status"] == "cannot tell");
}

TEST_CASE("a fleet database has a row per log and finding, night after night", "[triage]") {
  TemporaryFolder folder;
  std::string db = folder.path() + "/fleet.db";
  std::string paths = " samples/x86-fired.tar.xz samples/410-x86-held0.tar.xz LICENSE";
  std::string command = "$MMREPLAY triage --format jsonl -o " + db + paths;
  Run first = Shell(command);
  CHECK(first.exit_code == 1);
  CHECK(first.err == "mmreplay: 0 of 3 logs had been judged before\n");
  CHECK(Sql(db, "SELECT status, findings FROM logs ORDER BY path") == "unreadable|0\nclean|24\nfound|68\n");
  CHECK(Sql(db, "SELECT count(*) FROM findings WHERE grade = 'confirmed' AND severity = 'error'") == "20\n");
  // The next night: nothing is judged twice, and the result is the same.
  Run second = Shell(command);
  CHECK(second.err == "mmreplay: 2 of 3 logs had been judged before\n");
  CHECK(second.out == first.out);
  CHECK(second.exit_code == 1);
  CHECK(Sql(db, "SELECT count(*) FROM logs") == "3\n");
  CHECK(Sql(db, "SELECT count(*) FROM findings") == "92\n");
  CHECK(Sql(db, "SELECT count(*), sum(skipped) FROM run_logs") == "6|2\n");
  CHECK(Sql(db, "SELECT logs, exit_code, finished IS NOT NULL FROM runs") == "3|1|1\n3|1|1\n");
  // A log whose findings somebody deleted is judged again, not called clean.
  Sql(db, "DELETE FROM finding WHERE log = (SELECT id FROM log WHERE path = 'samples/x86-fired.tar.xz')");
  Run deleted = Shell(command);
  CHECK(deleted.err == "mmreplay: 1 of 3 logs had been judged before\n");
  CHECK(deleted.out == first.out);
  CHECK(deleted.exit_code == 1);
  CHECK(Sql(db, "SELECT count(*) FROM findings") == "92\n");
  // So is one whose findings have another value than any that is written.
  for (const char* sql :
       {"DELETE FROM finding WHERE severity = 'error' AND id % 2 = 0",
        "DELETE FROM finding WHERE id = (SELECT min(f.id) FROM finding f JOIN log l ON l.id = f.log WHERE "
        "l.status = 'found')",
        "DELETE FROM finding WHERE id = (SELECT max(f.id) FROM finding f JOIN log l ON l.id = f.log WHERE "
        "l.status = 'found')",
        "DELETE FROM log_findings WHERE log = (SELECT id FROM log WHERE status = 'found')",
        "INSERT INTO finding SELECT id + 1000, log, rule, severity, grade, fingerprint, member, "
        "function, outcome, comm, pid, pfn, summary, path, line FROM finding WHERE severity = 'error'",
        "UPDATE log SET status = 'clean' WHERE status = 'found'",
        "UPDATE log SET lines = -5 WHERE status = 'found'",
        "UPDATE finding SET grade = 'confirmfd' WHERE severity = 'error'",
        "UPDATE finding SET severity = 'errop' WHERE severity = 'error'",
        "UPDATE finding SET severity = 'info' WHERE severity = 'error'",
        "UPDATE finding SET rule = 'no_such_rule' WHERE severity = 'error'",
        "UPDATE finding SET fingerprint = '' WHERE severity = 'error'"}) {
    Sql(db, sql);
    Run changed = Shell(command);
    CHECK(changed.err == "mmreplay: 1 of 3 logs had been judged before\n");
    CHECK(changed.out == first.out);
    CHECK(changed.exit_code == 1);
  }
  // A database of the first version is taken over, and its logs are judged again.
  Sql(db, "DROP TABLE log_findings; PRAGMA user_version=1");
  CHECK(Shell("$MMREPLAY query " + db + " 'SELECT count(*) FROM findings' --format csv").out.find("92") !=
        std::string::npos);
  Run taken_over = Shell(command);
  CHECK(taken_over.err == "mmreplay: 0 of 3 logs had been judged before\n");
  CHECK(taken_over.out == first.out);
  CHECK(Shell(command).err == "mmreplay: 2 of 3 logs had been judged before\n");
  CHECK(Sql(db, "SELECT user_version FROM pragma_user_version") == "2\n");
  // The same content under another name is a log of its own, and needs no analysis.
  Shell("cp samples/x86-fired.tar.xz " + folder.path() + "/copy.tar.xz");
  Run copy = Shell("$MMREPLAY triage --format jsonl -o " + db + " " + folder.path() + "/copy.tar.xz");
  CHECK(copy.err == "mmreplay: 1 of 1 log had been judged before\n");
  CHECK(RowOf(copy.out, folder.path() + "/copy.tar.xz")["failing"]["confirmed"] == 20);
  CHECK(Sql(db, "SELECT count(*) FROM findings WHERE path LIKE '" + folder.path() + "/copy.tar.xz:%'") ==
        "68\n");
  CHECK(Shell("$MMREPLAY triage --format jsonl " + folder.path() + "/copy.tar.xz").out == copy.out);
  // Other rules or another policy judge anew.
  CHECK(Shell(command + " --fail-on info").err == "mmreplay: 0 of 3 logs had been judged before\n");
  CHECK(Sql(db, "SELECT count(*) FROM logs WHERE path NOT LIKE '%copy%'") == "3\n");

  Run query =
      Shell("$MMREPLAY query " + db + " 'SELECT fingerprint, highest_grade, logs FROM groups' --format csv");
  CHECK(query.exit_code == 0);
  CHECK(query.out.find("wait_on_freed_page/caller-keeps-the-page/put-by-another-task,confirmed,2\r\n") !=
        std::string::npos);
  CHECK(Shell("$MMREPLAY report " + db).err ==
        "mmreplay: " + db + ": is a fleet database of many logs; ask it with mmreplay query\n");
  // What is something else stays as it is.
  Shell("$MMREPLAY analyze -o " + folder.path() + "/race.db samples/x86-fired.tar.xz");
  std::string race = ReadFile(folder.path() + "/race.db");
  CHECK(Shell("$MMREPLAY triage LICENSE -o " + folder.path() + "/race.db").exit_code == 2);
  CHECK(ReadFile(folder.path() + "/race.db") == race);
  std::string prose = folder.Write("prose", "Dear diary, nothing happened today, and nothing will\n");
  Run refused = Shell("$MMREPLAY triage LICENSE -o " + prose);
  CHECK(refused.exit_code == 2);
  CHECK(refused.err.find("prose: exists, and is no database") != std::string::npos);
  CHECK(ReadFile(prose) == "Dear diary, nothing happened today, and nothing will\n");
}

TEST_CASE("what is no baseline is not replaced by one", "[triage]") {
  TemporaryFolder folder;
  std::string log = folder.path() + "/t.txt";
  REQUIRE(Shell("tar xJOf samples/x86-fired.tar.xz x86-fired/trace.txt > " + log).exit_code == 0);
  std::string before = ReadFile(log);
  REQUIRE(!before.empty());
  Run run = Shell("$MMREPLAY triage --write-baseline " + log + " " + log);
  CHECK(run.exit_code == 2);
  CHECK(run.err.starts_with("mmreplay: " + log + ": exists, and is no baseline"));
  CHECK(ReadFile(log) == before);
  CHECK(Shell("$MMREPLAY triage -o '' " + log).exit_code == 2);
  // Nor the fleet database of the same run, which is not there yet.
  std::string both = folder.path() + "/both";
  run = Shell("$MMREPLAY triage -o " + both + " --write-baseline " + folder.path() + "/./both " + log);
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("is the fleet database of -o") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(both));
  // Nor what SQLite keeps beside that, and takes away in the end.
  for (const char* suffix : {"-wal", "-journal", "-shm"}) {
    run = Shell("$MMREPLAY triage -o " + both + " --write-baseline " + both + suffix + " " + log);
    CHECK(run.exit_code == 2);
    CHECK(run.err.find("is the fleet database of -o, or what SQLite keeps beside it") != std::string::npos);
  }
  // By relative names, of a fleet that is there.
  REQUIRE(Shell("$MMREPLAY triage -o " + both + " " + log).exit_code == 1);
  run = Shell("cd " + folder.path() + " && $MMREPLAY triage t.txt -o both --write-baseline both-wal");
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("is the fleet database of -o, or what SQLite keeps beside it") != std::string::npos);
}

TEST_CASE("a baseline is nested as deep as anybody likes", "[triage]") {
  TemporaryFolder folder;
  std::string log = folder.path() + "/t.txt";
  folder.Write("t.txt", "# tracer: nop\n");
  std::string baseline = folder.path() + "/deep";
  std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  for (const std::string& row :
       {"{\"format\":" + deep + "}", "{\"format\":\"mmreplay-triage\",\"version\":" + deep + "}",
        "{\"format\":\"mmreplay-triage\",\"version\":1,\"row\":" + deep + "}"}) {
    folder.Write("deep", row + "\n");
    for (const char* option : {"--baseline ", "--write-baseline "}) {
      Run run = Shell("$MMREPLAY triage " + std::string(option) + baseline + " " + log);
      CAPTURE(row.substr(0, 80), option, run.err);
      CHECK((run.exit_code == 2 || run.exit_code == 3));
    }
  }
}

TEST_CASE("a line of a baseline that no triage writes is not taken apart", "[triage]") {
  TemporaryFolder folder;
  std::string baseline =
      folder.Write("b", "{\"format\":\"mmreplay-triage\",\"x\":" + std::string(2 << 20, '[') + "\n");
  Run run = Execute({"triage", "--baseline", baseline, SampleArchive("x86-fixed")});
  CHECK(run.exit_code == 2);
  CHECK(run.err.starts_with("mmreplay: " + baseline + ":1: is longer than 1 MiB"));
}

TEST_CASE("who reads the output may go: the work is done, and the exit code is the verdict's", "[triage]") {
  TemporaryFolder folder;
  std::string db = folder.path() + "/fleet.db";
  std::string baseline = folder.path() + "/baseline";
  Run run = Shell("bash -c '$MMREPLAY triage -j1 --format jsonl -o " + db + " --write-baseline " + baseline +
                  " samples/x86-fired.tar.xz samples/x86-fixed.tar.xz | true; exit ${PIPESTATUS[0]}'");
  CHECK(run.exit_code == 1);
  CHECK(Sql(db, "SELECT count(*), min(finished IS NOT NULL) FROM logs, runs") == "2|1\n");
  CHECK(ReadFile(baseline).find("mmreplay-triage") != std::string::npos);
  CHECK(
      Shell("bash -c '$MMREPLAY analyze samples/x86-fired.tar.xz | true; exit ${PIPESTATUS[0]}'").exit_code ==
      1);
  CHECK(Shell("bash -c '$MMREPLAY query " + db +
              " \"SELECT a.id FROM logs a, logs b\" | true; exit ${PIPESTATUS[0]}'")
            .exit_code == 0);
}

TEST_CASE("triage makes do with the processes it gets", "[triage]") {
  Run all = Shell("$MMREPLAY triage -j1 --format jsonl samples");
  Run few = Shell("ulimit -n 40; $MMREPLAY triage -j64 --format jsonl samples");
  CHECK(few.exit_code == all.exit_code);
  CHECK(few.out == all.out);
}

TEST_CASE("a fleet database is one file when it is finished", "[triage]") {
  TemporaryFolder folder;
  std::string db = folder.path() + "/fleet.db";
  Shell("$MMREPLAY triage -o " + db + " samples/x86-fixed.tar.xz");
  CHECK(Shell("$MMREPLAY query " + db + " 'SELECT count(*) FROM logs'").exit_code == 0);
  CHECK(Shell("ls " + folder.path()).out == "fleet.db\n");
  // Another program's connection may have left it in WAL mode, with nothing beside it.
  const std::string odd = "a?b%41#c.db";
  Shell("cp " + db + " '" + folder.path() + "/" + odd + "'; sqlite3 '" + folder.path() + "/" + odd +
        "' 'PRAGMA journal_mode=WAL'");
  for (const std::string& path : {folder.path() + "/" + odd, "/" + folder.path() + "/" + odd}) {
    Run asked = Shell("$MMREPLAY query '" + path + "' 'SELECT count(*) FROM logs' --format csv");
    CHECK(asked.exit_code == 0);
    CHECK(asked.out.find("\r\n1\r\n") != std::string::npos);
  }
  CHECK(Shell("cd " + folder.path() + " && $MMREPLAY query '" + odd + "' 'SELECT count(*) FROM logs'")
            .exit_code == 0);
  CHECK(Shell("ls " + folder.path()).out == odd + "\nfleet.db\n");
  // What would be computed for each row that is written is refused, and stays as it is.
  Sql(db, "CREATE INDEX more ON log(length(path || path))");
  std::string before = ReadFile(db);
  Run run = Shell("$MMREPLAY triage -o " + db + " samples/x86-fired.tar.xz");
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("an index that is none of mmreplay, more") != std::string::npos);
  CHECK(ReadFile(db) == before);
}

TEST_CASE("several triage processes may write one fleet database at once", "[triage]") {
  TemporaryFolder folder;
  std::string db = folder.path() + "/fleet.db";
  fs::create_directories(folder.path() + "/a");
  fs::create_directories(folder.path() + "/b");
  for (int i = 0; i < 150; ++i) {
    std::string text =
        std::string(kOneEvent) + "   a-1   [000] ....  2.000001: x: y=" + std::to_string(i) + "\n";
    folder.Write("a/" + std::to_string(i), text);
    folder.Write("b/" + std::to_string(i + 100), text);
  }
  std::string triage = "$MMREPLAY triage -o " + db + " " + folder.path();
  Run run = Shell(triage + "/a & one=$!; " + triage + "/b & two=$!; " + triage +
                  "/a samples/x86-fired.tar.xz & three=$!; wait $one; a=$?; wait $two; b=$?; wait $three; "
                  "test $a$b$? = 331");
  CAPTURE(run.err);
  CHECK(run.exit_code == 0);
  CHECK(Sql(db, "SELECT count(*), count(DISTINCT path) FROM logs") == "301|301\n");
  CHECK(Sql(db, "SELECT count(*) FROM findings") == "68\n");
  CHECK(Sql(db, "SELECT count(*) FROM runs WHERE finished IS NOT NULL") == "3\n");
  CHECK(Sql(db, "SELECT count(*) FROM run_logs") == "451\n");
  CHECK(Sql(db, "PRAGMA integrity_check") == "ok\n");
}

TEST_CASE("triage processes that begin at once make one fleet database", "[triage]") {
  TemporaryFolder folder;
  std::string db = folder.path() + "/fleet.db";
  folder.Write("log", kOneEvent);
  Run run = Shell("for i in $(seq 25); do rm -f " + db + "; for k in 1 2 3 4 5 6; do $MMREPLAY triage -o " +
                  db + " " + folder.path() + "/log & done; wait; done");
  CAPTURE(run.err);
  CHECK(run.err.find("fleet.db: ") == std::string::npos);
  CHECK(Sql(db, "SELECT count(*) FROM runs") == "6\n");
}

TEST_CASE("a triage that is killed keeps what it has, and goes on from there", "[triage]") {
  TemporaryFolder folder;
  std::string db = folder.path() + "/fleet.db";
  fs::create_directories(folder.path() + "/logs");
  for (int i = 0; i < 60; ++i)
    folder.Write("logs/" + std::to_string(i),
                 std::string(kOneEvent) + "   a-1   [000] ....  2.000001: x: y=" + std::to_string(i) + "\n");
  // Folders of one recording; a file more makes each another content.
  Unpack("x86-fired", folder.path());
  Shell("cd " + folder.path() +
        " && for i in 1 2 3 4 5 6; do cp -r x86-fired logs/f$i; echo $i > logs/f$i/note; done");
  std::string command = "$MMREPLAY triage -o " + db + " " + folder.path() + "/logs";
  int64_t before = 0;
  for (const char* delay : {"0.2", "0.35", "0.15", "0.5", "0.27"}) {
    Shell(command + " >/dev/null 2>&1 & triage=$!; sleep " + delay + "; kill -9 $triage; wait $triage");
    int64_t tables = std::stoll(Sql(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'logs'"));
    if (tables == 0) continue;  // killed before there was anything
    CHECK(Sql(db, "PRAGMA integrity_check") == "ok\n");
    int64_t now = std::stoll(Sql(db, "SELECT count(*) FROM logs"));
    CHECK(now >= before);
    before = now;
    // A log is there with all its findings, or not at all.
    CHECK(Sql(db,
              "SELECT count(*) FROM logs WHERE status = 'found' AND findings <> 68 OR status <> 'found' AND "
              "findings > 0") == "0\n");
  }
  // No child outlives it.
  Run last = Shell(command);
  CHECK(last.exit_code == 1);
  CHECK(last.err == "mmreplay: " + std::to_string(before) + " of 66 logs had been judged before\n");
  CHECK(Sql(db, "SELECT count(*), sum(findings) FROM logs") == "66|408\n");
}

}  // namespace mmreplay
