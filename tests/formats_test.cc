// Reports for programs: SARIF, JUnit, JSON lines. Each against its schema, and against the database.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "parser/lines.h"
#include "report/report.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

using Json = nlohmann::json;

std::string Report(const Database& database, ReportFormat format, bool near_misses = false) {
  std::string out;
  WriteReport(database, {.format = format, .style = {}, .near_misses = near_misses},
              [&](std::string_view text) { out += text; });
  return out;
}

std::vector<Json> ReportLines(const Database& database, bool near_misses = false) {
  std::vector<Json> lines;
  ForEachLine(Report(database, ReportFormat::kJsonLines, near_misses),
              [&](std::string_view line) { lines.push_back(Json::parse(line)); });
  return lines;
}

Json SarifRun(const Database& database) {
  return Json::parse(Report(database, ReportFormat::kSarif))["runs"][0];
}

void CheckSchema(const std::string& text, const std::string& schema, const std::string& lines = "") {
  TemporaryFolder folder;
  std::string file = folder.Write("report", text);
  Run run = schema.ends_with(".xsd")
                ? Shell("xmllint --noout --schema report/" + schema + " " + file)
                : Shell("python3 tests/validate.py " + schema + " " + file + " " + lines);
  CAPTURE(schema, run.err);
  CHECK(run.exit_code == 0);
}

// The three formats, each against its schema.
void CheckForms(const Database& database) {
  CheckSchema(Report(database, ReportFormat::kSarif, true), "sarif-subset.schema.json");
  CheckSchema(Report(database, ReportFormat::kJsonLines, true), "report-lines.schema.json", "--lines");
  CheckSchema(Report(database, ReportFormat::kJunit, true), "junit.xsd");
}

// Calls `visit` with each object that is the value of a member `name`, however deep.
void ForEachMember(const Json& json, const std::string& name, const std::function<void(const Json&)>& visit) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      if (key == name) visit(value);
      ForEachMember(value, name, visit);
    }
  } else if (json.is_array()) {
    for (const Json& value : json) ForEachMember(value, name, visit);
  }
}

// Synthetic: a folder in which the finding's task, probe fields and the file's own name are hostile.
std::string HostileTrace(const TemporaryFolder& folder) {
  std::string made = folder.path() + "/made";
  REQUIRE(Shell("mkdir " + made + " && tar -C " + folder.path() + " -xf samples/x86-fired.tar.xz && cd " +
                folder.path() +
                "/x86-fired && LC_ALL=C sed -e 's/toucher.3-67 "
                "/]]><b>\"\\&{0}[a](b)\\xff\\xef\\xbf\\xbf\\x01-67 /' "
                "trace.txt > " +
                made + "/'tr ce:50%\xc3\xbc\xfe#?.txt' && cp kprobe_events.txt dmesg.txt " + made)
              .exit_code == 0);
  return made;
}

}  // namespace

TEST_CASE("reports for programs follow their schemas", "[formats]") {
  for (const char* sample : {"x86-fired", "410-x86-held0", "arm64-stock", "x86-dat-fired", "x86-dat-lost",
                             "x86-panic", "x86-perf-zstd"}) {
    CAPTURE(sample);
    Analysis analysis({.inputs = {SampleArchive(sample)}, .dmesg = {}, .probes = {}});
    CheckForms(analysis.db());
  }
  // The checks can fail.
  TemporaryFolder folder;
  std::string wrong = folder.Write("wrong.sarif", "{\"version\": \"2.1.0\"}\n");
  CHECK(Shell("python3 tests/validate.py sarif-subset.schema.json " + wrong).exit_code != 0);
  wrong = folder.Write("wrong", "{\"type\": \"gap\", \"version\": 1, \"gap\": {}}\n");
  CHECK(Shell("python3 tests/validate.py report-lines.schema.json --lines " + wrong).exit_code != 0);
  wrong = folder.Write("wrong.xml", "<testsuites name=\"x\" tests=\"-1\"/>");
  CHECK(Shell("xmllint --noout --schema report/junit.xsd " + wrong).exit_code != 0);
}

TEST_CASE("whatever bytes a trace holds, reports for programs are well-formed", "[formats]") {
  TemporaryFolder folder;
  Analysis analysis({.inputs = {HostileTrace(folder)}, .dmesg = {}, .probes = {}});
  REQUIRE(analysis.Count("SELECT count(*) FROM findings WHERE pid = 67") > 0);
  REQUIRE(analysis.Text("SELECT comm FROM findings WHERE pid = 67").starts_with("]]><b>"));
  CheckForms(analysis.db());
  Json run = SarifRun(analysis.db());
  // An absolute path is one because the test gave one. Each byte of it is in the address.
  std::string uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
  CHECK(uri == "file://" + folder.path() + "/made/tr%20ce%3A50%25%C3%BC%FE%23%3F.txt");
  // No placeholder, no link.
  int hostile = 0;
  ForEachMember(run["results"], "text", [&](const Json& text) {
    if (text.get<std::string>().find("]]><b>\"&{{0}}\\[a](b)\\xff") != std::string::npos) ++hostile;
  });
  CHECK(hostile > 0);
  ForEachMember(run["results"], "message", [&](const Json& message) {
    std::string text = message["text"];
    CHECK(std::count(text.begin(), text.end(), '{') % 2 == 0);
  });
}

TEST_CASE("SARIF: places are files and lines of the trace", "[formats]") {
  Analysis analysis({.inputs = {SampleArchive("x86-fired")}, .dmesg = {}, .probes = {}});
  Json run = SarifRun(analysis.db());
  std::vector<std::string> lines;
  ForEachLine(Shell("tar -xOf samples/x86-fired.tar.xz x86-fired/trace.txt").out,
              [&](std::string_view line) { lines.emplace_back(line); });
  const Json& artifacts = run["artifacts"];
  int places = 0;
  ForEachMember(run, "physicalLocation", [&](const Json& place) {
    ++places;
    const Json& artifact = artifacts[place["artifactLocation"]["index"].get<size_t>()];
    CHECK(artifact["location"]["uri"] == place["artifactLocation"]["uri"]);
    // A member of the archive, inside the archive.
    REQUIRE(artifact.contains("parentIndex"));
    CHECK(artifacts[artifact["parentIndex"].get<size_t>()]["location"]["uri"].get<std::string>().ends_with(
        "samples/x86-fired.tar.xz"));
    if (!place["region"].contains("snippet")) return;
    // The snippet has the columns of that very line: its task, its event and its fields.
    std::string snippet = place["region"]["snippet"]["text"];
    auto number = place["region"]["startLine"].get<size_t>();
    std::string event = snippet.substr(snippet.find(": ") + 2);
    event.erase(event.find_last_not_of(' ') + 1);
    CAPTURE(number, event);
    CHECK(lines.at(number - 1).find(event) != std::string::npos);
  });
  CHECK(places > 68 * 3);
}

TEST_CASE("SARIF: addresses are relative where the paths given were", "[formats]") {
  Run run = Shell("$MMREPLAY analyze samples/x86-fired.tar.xz --format sarif");
  CHECK(run.exit_code == 1);
  Json sarif = Json::parse(run.out)["runs"][0];
  CHECK(sarif["artifacts"][0]["location"]["uri"] == "samples/x86-fired.tar.xz");
  CHECK(run.out.find(MMREPLAY_SOURCE_DIR) == std::string::npos);
  CHECK(run.out.find("file:") == std::string::npos);
  run = Shell("cat samples/x86-fired.tar.xz | $MMREPLAY analyze - --format sarif");
  sarif = Json::parse(run.out)["runs"][0];
  CHECK(sarif["artifacts"][0]["roles"] == Json({"standardStream"}));
  CHECK(sarif["artifacts"][1]["location"]["uri"] == "x86-fired/trace.txt");
  // Up from here is no place below the base.
  TemporaryFolder folder;
  run = Shell("cd samples/lab && $MMREPLAY analyze ../x86-fired.tar.xz --format sarif");
  sarif = Json::parse(run.out)["runs"][0];
  CHECK(sarif["artifacts"][0]["location"] == Json({{"uri", "../x86-fired.tar.xz"}}));
}

TEST_CASE("SARIF: results are the findings, their flows the evidence by task", "[formats]") {
  Analysis analysis({.inputs = {SampleArchive("x86-fired")}, .dmesg = {}, .probes = {}});
  Json run = SarifRun(analysis.db());
  const Json& rules = run["tool"]["driver"]["rules"];
  CHECK(static_cast<int64_t>(rules.size()) == analysis.Count("SELECT count(*) FROM rule_results"));
  for (const Json& rule : rules) {
    CAPTURE(rule["id"]);
    for (const char* text : {"shortDescription", "fullDescription", "help"})
      CHECK_FALSE(rule[text]["text"].get<std::string>().empty());
    std::string why =
        analysis.Text("SELECT why FROM rule_result WHERE rule = '" + rule["id"].get<std::string>() + "'");
    CHECK(rule["help"]["text"].get<std::string>().find(why) != std::string::npos);
    CHECK_FALSE(rule["help"]["markdown"].get<std::string>().empty());
    CHECK(rule["defaultConfiguration"]["level"].is_string());
    CHECK_FALSE(rule.contains("helpUri"));
  }
  REQUIRE(run["results"].size() == 68);
  std::map<std::string, int> levels;
  std::set<std::string> identities;
  for (const Json& result : run["results"]) {
    std::string id = result["properties"]["id"].dump();
    CHECK(rules[result["ruleIndex"].get<size_t>()]["id"] == result["ruleId"]);
    ++levels[result["level"].get<std::string>()];
    CHECK(result["partialFingerprints"]["mmreplay/group/v1"] ==
          analysis.Text("SELECT fingerprint FROM findings WHERE id = " + id));
    identities.insert(result["partialFingerprints"]["mmreplay/finding/v1"].get<std::string>());
    // Each event of the evidence once, in one flow per task, in order.
    REQUIRE(result["codeFlows"].size() == 1);
    std::multiset<int64_t> events;
    std::set<std::string> tasks;
    for (const Json& flow : result["codeFlows"][0]["threadFlows"]) {
      CHECK(tasks.insert(flow["id"].get<std::string>()).second);
      int64_t last = 0;
      for (const Json& step : flow["locations"]) {
        CHECK(step["executionOrder"].get<int64_t>() > last);
        last = step["executionOrder"].get<int64_t>();
        auto event = step["properties"]["event"].get<int64_t>();
        events.insert(event);
        std::string task =
            analysis.Text("SELECT comm || '-' || pid FROM events WHERE id = " + std::to_string(event));
        CHECK(task == flow["id"]);
      }
    }
    for (const Json& evidence : result["properties"]["evidence"])
      CHECK(events.count(evidence["event"].get<int64_t>()) == 1);
  }
  CHECK(levels == std::map<std::string, int>{{"error", 23}, {"warning", 45}});
  CHECK(identities.size() == 68);
  CHECK(run["invocations"][0]["exitCode"] == 1);
  CHECK(run["invocations"][0]["executionSuccessful"] == true);
}

TEST_CASE("SARIF: what could not be shown is a notification", "[formats]") {
  Analysis stock({.inputs = {SampleArchive("arm64-stock")}, .dmesg = {}, .probes = {}});
  Json invocation = SarifRun(stock.db())["invocations"][0];
  int rules = 0;
  for (const Json& one : invocation["toolConfigurationNotifications"])
    rules += one.contains("associatedRule");
  CHECK(rules == stock.Count("SELECT count(*) FROM rule_results WHERE NOT applicable"));
  Analysis lost({.inputs = {SampleArchive("x86-dat-lost")}, .dmesg = {}, .probes = {}});
  Json run = SarifRun(lost.db());
  std::map<std::string, int> kinds;
  for (const Json& one : run["invocations"][0]["toolExecutionNotifications"]) {
    ++kinds[one["descriptor"]["id"].get<std::string>()];
    const Json& known = run["tool"]["driver"]["notifications"];
    CHECK(std::any_of(known.begin(), known.end(),
                      [&](const Json& kind) { return kind["id"] == one["descriptor"]["id"]; }));
  }
  REQUIRE(kinds["events lost"] > 0);
  CHECK(kinds["events lost"] == lost.Count("SELECT count(*) FROM gaps"));
  int64_t issues = 0;
  for (const auto& [kind, count] : kinds) {
    if (kind != "events lost" && kind != "cannot tell") issues += count;
  }
  CHECK(issues == lost.Count("SELECT count(*) FROM trace_issues"));
  // A record of a binary trace is no line.
  ForEachMember(run["results"], "region", [](const Json& region) { CHECK(region.is_null()); });
}

TEST_CASE("SARIF: a rule of one's own with an address in its reference", "[formats]") {
  TemporaryFolder folder;
  folder.Write(
      "own.sql",
      "-- name: own\n-- severity: warning\n-- summary: x {0} <b>\n-- why: y\n-- requires: page_waits\n"
      "-- reference: see https://example.org/a?b=1#c, and others\n\n"
      "SELECT 'latent' AS grade, 'page_waits' AS subject, id AS subject_id, pfn, pid, 'x' AS summary "
      "FROM page_waits LIMIT 2\n");
  Run run = Shell("$MMREPLAY analyze --format sarif samples/410-x86-held0.tar.xz --rules " + folder.path());
  CHECK(run.exit_code == 1);
  CheckSchema(run.out, "sarif-subset.schema.json");
  Json sarif = Json::parse(run.out)["runs"][0];
  const Json& rules = sarif["tool"]["driver"]["rules"];
  auto own = std::find_if(rules.begin(), rules.end(), [](const Json& rule) { return rule["id"] == "own"; });
  REQUIRE(own != rules.end());
  CHECK((*own)["helpUri"] == "https://example.org/a?b=1#c");
  CHECK((*own)["shortDescription"]["text"] == "X {{0}} <b>.");
  CHECK((*own)["help"]["markdown"].get<std::string>().find("\\<b\\>") != std::string::npos);
  // No evidence, but the first is drawn: its flow is the drawing. The other has no place, and is a result.
  CHECK(sarif["results"][0]["ruleId"] == "own");
  CHECK(sarif["results"][0].contains("codeFlows"));
  CHECK(sarif["results"][1]["ruleId"] == "own");
  CHECK(sarif["results"][1]["locations"].empty());
  CHECK_FALSE(sarif["results"][1].contains("codeFlows"));
}

TEST_CASE("JSON lines add up to the report", "[formats]") {
  Analysis analysis({.inputs = {SampleArchive("410-x86-held0")}, .dmesg = {}, .probes = {}});
  std::vector<Json> lines = ReportLines(analysis.db(), true);
  Json json = Json::parse(Report(analysis.db(), ReportFormat::kJson, true));
  std::map<std::string, std::vector<Json>> by_type;
  for (const Json& line : lines) {
    CHECK(line["version"] == 1);
    by_type[line["type"].get<std::string>()].push_back(line[line["type"].get<std::string>()]);
  }
  CHECK(lines.front()["type"] == "header");
  CHECK(lines.back()["type"] == "summary");
  auto same = [&](const char* type, const char* member) {
    CAPTURE(type);
    CHECK(Json(by_type[type]) == (json[member].empty() ? Json(std::vector<Json>()) : json[member]));
  };
  same("group", "groups");
  same("near_miss", "near_misses");
  same("also_seen", "also_seen");
  same("wait_class", "wait_classes");
  same("rule", "rules");
  same("not_shown", "not_shown");
  same("gap", "gaps");
  same("issue", "issues");
  same("finding", "info_findings");  // there are no others
  const Json& summary = lines.back()["summary"];
  CHECK(summary["info_findings"] == 24);
  CHECK(summary["findings"] == 0);
  CHECK(summary["near_misses"] == 78);
  for (const char* member : {"exit_code", "verdict", "fidelity", "anomalies", "migrations", "kernel_reports"})
    CHECK(summary[member] == json[member]);
  for (const char* member : {"input", "clock", "waits", "grades"})
    CHECK(lines.front()["header"][member] == json[member]);
}

TEST_CASE("JUnit: failed, skipped with the reason, passed", "[formats]") {
  auto attributes = [](const std::string& xml, const std::string& rule) {
    size_t at = xml.find("name=\"" + rule + "\"");
    REQUIRE(at != std::string::npos);
    return xml.substr(at, xml.find('\n', xml.find('\n', at) + 1) - at);
  };
  Analysis fired({.inputs = {SampleArchive("x86-fired")}, .dmesg = {}, .probes = {}});
  std::string xml = Report(fired.db(), ReportFormat::kJunit);
  CHECK(attributes(xml, "wait_on_freed_page") ==
        "name=\"wait_on_freed_page\">\n<failure message=\"68 findings: 20 confirmed, 3 probable, 45 latent\" "
        "type=\"confirmed\">");
  CHECK(xml.find("[1] toucher/1-65: folio_wait_bit()") != std::string::npos);  // the drawing
  CHECK(xml.find("\nconfirmed wait_on_freed_page waiter=toucher/3-67 ") != std::string::npos);
  CHECK(xml.find("\n... and 58 more") != std::string::npos);
  CHECK(attributes(xml, "double_free") ==
        "name=\"double_free\">\n<skipped message=\"not applicable: record all_tasks\"/>");
  CHECK(xml.find("<testcase classname=\"mmreplay\" name=\"lost_wakeup\"/>") != std::string::npos);
  CHECK(xml.find("<property name=\"kernel_release\" value=\"6.1.192\"/>") != std::string::npos);
  // Told, and no failure.
  Analysis held({.inputs = {SampleArchive("410-x86-held0")}, .dmesg = {}, .probes = {}});
  xml = Report(held.db(), ReportFormat::kJunit);
  CHECK(xml.find(" failures=\"0\"") != std::string::npos);
  CHECK(attributes(xml, "migration_aborted").find("<system-out>") != std::string::npos);
  // Cannot tell.
  Analysis dat({.inputs = {SampleArchive("arm64-dat")}, .dmesg = {}, .probes = {}});
  CHECK(
      attributes(Report(dat.db(), ReportFormat::kJunit), "wait_on_freed_page") ==
      "name=\"wait_on_freed_page\">\n<skipped message=\"cannot tell: the recording leaves 8 waits open\"/>");
  // Nothing read.
  TemporaryFolder folder;
  Analysis empty({.inputs = {folder.Write("trace", "# tracer: nop\n")}, .dmesg = {}, .probes = {}});
  xml = Report(empty.db(), ReportFormat::kJunit);
  CHECK(xml.find(" errors=\"1\"") != std::string::npos);
  CHECK(attributes(xml, "input").find("<error message=\"NOTHING READ") != std::string::npos);
  CheckForms(empty.db());
  CHECK(SarifRun(empty.db())["invocations"][0]["executionSuccessful"] == false);
}

TEST_CASE("10,064 findings in each format", "[formats]") {
  Analysis analysis({.inputs = {SampleArchive("x86-fired")}, .dmesg = {}, .probes = {}});
  // Synthetic: the findings of the recording, many times over, with their evidence.
  auto* db = const_cast<Database*>(&analysis.db());
  db->Exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 147) "
      "INSERT INTO finding(id, rule, grade, subject, subject_id, pfn, pid, comm, summary, fingerprint) "
      "SELECT id + i * 1000, rule, grade, subject, subject_id, pfn, pid, comm, summary, fingerprint FROM "
      "finding, n;"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 147) "
      "INSERT INTO finding_event SELECT finding + i * 1000, event, role FROM finding_event, n;"
      "UPDATE rule_result SET findings = findings * 148");
  REQUIRE(analysis.Count("SELECT count(*) FROM findings") == 10064);
  std::string sarif = Report(*db, ReportFormat::kSarif);
  CHECK(Json::parse(sarif)["runs"][0]["results"].size() == 10064);
  CheckSchema(sarif, "sarif-subset.schema.json");
  std::vector<Json> lines = ReportLines(*db);
  CHECK(std::count_if(lines.begin(), lines.end(),
                      [](const Json& line) { return line["type"] == "finding"; }) == 10064);
  CHECK(lines.back()["summary"]["findings"] == 10064);
  std::string junit = Report(*db, ReportFormat::kJunit);
  CheckSchema(junit, "junit.xsd");
  CHECK(junit.find("message=\"10,064 findings: ") != std::string::npos);
  CHECK(junit.find("... and 10,054 more") != std::string::npos);
}

TEST_CASE("a task switch with an unreadable pid is none in Perfetto, and no damage", "[formats]") {
  TemporaryFolder folder;
  std::string text = "# tracer: nop\n#\n";
  for (int i = 0; i < 6; ++i) {
    std::string pid = i == 3 ? "q" : std::to_string(60 + i % 2);
    text += "            work-" + std::to_string(60 + i % 2) + "      [000] d..2.     1.00000" +
            std::to_string(i) + ": sched_switch: prev_comm=work prev_pid=" + pid +
            " prev_prio=120 prev_state=S ==> next_comm=work next_pid=" + std::to_string(60 + (i + 1) % 2) +
            " next_prio=120\n";
  }
  std::string trace = folder.Write("trace", text);
  Run run = Shell("$MMREPLAY analyze --format perfetto " + trace);
  CAPTURE(run.err);
  CHECK(run.exit_code == 3);
  CHECK(run.err.find("damaged") == std::string::npos);
  Json json = Json::parse(run.out);
  auto running = [](const Json& event) { return event.value("cat", "") == "sched"; };
  CHECK(std::count_if(json["traceEvents"].begin(), json["traceEvents"].end(), running) == 4);
}

// A real recording, in which every second event of the first half is followed by a loss, and one of the end.
TEST_CASE("HTML: of very many gaps the last ones are drawn, too", "[formats]") {
  TemporaryFolder folder;
  std::string text;
  std::vector<std::string> lines;
  ForEachLine(ExtractMember(SampleArchive("x86-fired"), InputFormat::kFtraceText),
              [&](std::string_view line) { lines.emplace_back(line); });
  for (size_t i = 0; i < lines.size(); ++i) {
    text += lines[i] + "\n";
    size_t cpu = lines[i].find(" [00");
    bool lost = i < lines.size() / 2 ? i % 2 == 0 : i == lines.size() - 40;
    if (cpu != std::string::npos && lost) text += "CPU:" + lines[i].substr(cpu + 4, 1) + " [LOST 1 EVENTS]\n";
  }
  folder.Write("kprobe_events", ExtractMember(SampleArchive("x86-fired"), InputFormat::kProbeDefinitions));
  folder.Write("trace", text);
  Run run = Execute({"analyze", "--format", "html", folder.path()});
  size_t drawn = 0;
  double last = 0;
  std::string mark = "<rect class=\"lost\" x=\"";
  for (size_t at = run.out.find(mark); at != std::string::npos; at = run.out.find(mark, at + 1)) {
    ++drawn;
    last = std::max(last, std::stod(run.out.substr(at + mark.size(), 8)));
  }
  CHECK(drawn > 1);
  CHECK(drawn <= 1000);
  CHECK(last > 90);
  CHECK(run.out.find("gaps with lost events those within a thousandth of the time are drawn as one") !=
        std::string::npos);
}

}  // namespace mmreplay
