#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "db/database.h"
#include "db/embedded_sql.h"
#include "db/trace_store.h"
#include "parser/error.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;

}  // namespace

TEST_CASE("the contract views have exactly these columns", "[store]") {
  const std::map<std::string, std::string> contract = {
      {"traces",
       "id path format kernel_release machine clock page_shift lines_total lines_events lines_comments "
       "lines_continuations lines_markers lines_rejected ref_anchors ref_anchors_matched clock_unit "
       "events_left_out"},
      {"sources", "id trace_id role path lines_total"},
      {"events", "id trace_id ts cpu pid tgid comm name args line context source_id"},
      {"stacks", "event_id depth frame"},
      {"page_refs",
       "event_id ts cpu pid comm pfn lifetime_id op delta ret observed replayed flags replayed_lo "
       "replayed_hi order_seq"},
      {"page_lifetimes",
       "id trace_id pfn page_order alloc_event free_event alloc_ts free_ts alloc_pid free_pid quality"},
      {"ptl_holds",
       "id trace_id lock pid comm acquire_event release_event acquire_ts release_ts contended_ts protects "
       "hold_time wait_time"},
      {"migrations",
       "id trace_id pid comm src_pfn dst_pfn reason begin_event end_event begin_ts end_ts result why"},
      {"page_waits",
       "id trace_id pid comm pfn lifetime_id function begin_event end_event begin_ts end_ts ptl_hold_id "
       "protection "
       "outcome verdict why wait_time"},
      {"anomalies", "id trace_id event_id ts invariant pfn pid detail"},
      {"gaps", "id trace_id cpu from_ts to_ts lost"},
      {"console_reports", "id trace_id line kind pfn flags reason comm ts ts_error_ns event_id"},
      {"trace_issues", "trace_id severity kind first_line count text"},
      {"findings", "id trace_id rule grade subject subject_id pfn pid comm summary fingerprint"},
      {"finding_events", "finding_id event_id role"},
      {"proofs", "finding_id first_event second_event kind detail error_ns"},
      {"rule_results", "trace_id rule severity applicable missing findings"},
      {"event_kinds", "name system shape sql_name rows columns"},
  };
  Analysis analysis(SampleRecording("x86-fired.tar.xz"));
  for (const auto& [view, columns] : contract) {
    Statement query(analysis.db(), "SELECT * FROM " + view);
    std::string names;
    for (int i = 0; i < query.columns(); ++i) names += (i ? " " : "") + std::string(query.Name(i));
    CAPTURE(view);
    CHECK(names == columns);
    while (query.Step()) {
    }
  }
}

TEST_CASE("every event is stored verbatim", "[store]") {
  TemporaryFolder folder;
  std::string line =
      "       thp mover-69      (     63) [001] dNs3.     5.374462: sched_waking: comm= pid=69 prio=120 "
      "target_cpu=001";
  std::string printk =
      "       a-1       (-------) [000] .....     5.374463: bprint_function:  odd \x01 text = here ";
  std::string path = folder.Write("trace", "# tracer: nop\n" + line + "\n" + printk + "\n");
  Analysis analysis({.inputs = {path}, .dmesg = {}, .probes = {}});
  Statement query(
      analysis.db(),
      "SELECT ts, cpu, pid, tgid, comm, name, args, line, context, source_id FROM events ORDER BY id");
  REQUIRE(query.Step());
  CHECK(query.Int(0) == 5'374'462'000);
  CHECK(query.Int(1) == 1);
  CHECK(query.Int(2) == 69);
  CHECK(query.Int(3) == 63);
  CHECK(query.Text(4) == "thp mover");
  CHECK(query.Text(5) == "sched_waking");
  CHECK(query.Text(6) == "comm= pid=69 prio=120 target_cpu=001");
  CHECK(query.Int(7) == 2);
  CHECK(query.Text(8) == "dNs3.");
  CHECK(query.Int(9) == analysis.Count("SELECT id FROM sources WHERE role = 'trace'"));
  REQUIRE(query.Step());
  CHECK(query.IsNull(3));
  CHECK(query.Text(6) == " odd \x01 text = here ");
}

TEST_CASE("a recording's files are listed with their lines", "[store]") {
  Analysis analysis(SampleRecording("x86-fired.tar.xz"));
  CHECK(analysis.Count("SELECT count(*) FROM sources WHERE role = 'trace' AND path LIKE "
                       "'%x86-fired.tar.xz:x86-fired/trace.txt'") == 1);
  for (const char* role : {"probes", "console", "cpu_stats", "uname", "formats"}) {
    CAPTURE(role);
    CHECK(analysis.Count(std::string("SELECT count(*) FROM sources WHERE lines_total > 0 AND role = '") +
                         role + "'") == 1);
  }
  CHECK(analysis.Count(
            "SELECT count(*) FROM events e JOIN sources s ON s.id = e.source_id WHERE s.role = 'trace'") ==
        analysis.Count("SELECT lines_events FROM traces"));
  CHECK(analysis.Text("SELECT kernel_release FROM traces") == "6.1.192");
  CHECK(analysis.Text("SELECT machine FROM traces") == "x86_64");
}

TEST_CASE("an event may have the name of anything in the schema", "[store]") {
  std::set<std::string> names = {"stack", "Event_Kind", "page_refs", "sqlite_schema"};
  for (const char* file : {"schema.sql", "event_schema.sql", "views.sql", "event_indexes.sql",
                           "evidence_indexes.sql", "interval_indexes.sql"}) {
    std::string_view sql = DatabaseSql(file);
    for (std::string_view kind :
         {"CREATE TABLE ", "CREATE VIEW ", "CREATE INDEX ", "CREATE INDEX IF NOT EXISTS "}) {
      for (size_t at = sql.find(kind); at != std::string_view::npos; at = sql.find(kind, at + 1)) {
        std::string_view rest = sql.substr(at + kind.size());
        names.emplace(rest.substr(0, rest.find_first_of(" (\n")));
      }
    }
  }
  CHECK(names.contains("stack_event"));
  CHECK(names.contains("ptl_hold_task"));
  std::string trace = "# tracer: nop\n#\n";
  int at = 100'000;
  for (const std::string& name : names)
    trace += "   a-1   [000] ....     1." + std::to_string(at++) + ": " + name + ": x=1\n";
  TemporaryFolder folder;
  Analysis analysis({.inputs = {folder.Write("trace", trace)}, .dmesg = {}, .probes = {}});
  CHECK(analysis.Count("SELECT count(*) FROM events") == static_cast<int64_t>(names.size()));
  // Each has a view, with its field.
  std::set<std::string> views;
  Statement kinds(analysis.db(), "SELECT sql_name FROM event_kinds");
  while (kinds.Step()) views.emplace(kinds.Text(0));
  CHECK(views.size() == names.size());
  for (const std::string& view : views) {
    CAPTURE(view);
    CHECK(analysis.Count("SELECT x FROM \"" + view + "\"") == 1);
  }
}

TEST_CASE("the database is whole or not there", "[store]") {
  TemporaryFolder folder;
  std::string path = folder.path() + "/race.db";
  Recording recording = OpenRecording(SampleRecording("x86-fired.tar.xz"));
  auto files = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder.path())) names.push_back(entry.path().filename());
    return names;
  };

  SECTION("abandoned: nothing under the name, nothing beside it") {
    {
      TraceStore store(path);
      Ingest(recording, &store);
      CHECK_FALSE(fs::exists(path));
    }
    CHECK(files().empty());
  }
  SECTION("published: readable by the plain shell") {
    {
      TraceStore store(path);
      Ingest(recording, &store);
      store.Publish();
    }
    CHECK(files() == std::vector<std::string>{"race.db"});
    Database database(path, Database::Mode::kReadOnly);
    Statement check(database, "PRAGMA integrity_check");
    REQUIRE(check.Step());
    CHECK(check.Text(0) == "ok");
    std::string command =
        "sqlite3 -readonly " + path + " 'SELECT count(*) FROM page_waits' > " + folder.path() + "/n";
    REQUIRE(std::system(command.c_str()) == 0);
    CHECK(ReadFile(folder.path() + "/n") == "68\n");

    // A second run replaces it; while it runs the old one stays.
    TraceStore again(path);
    CHECK(fs::exists(path));
  }
  SECTION("a file that is not ours is not touched") {
    folder.Write("race.db", "my thesis");
    CHECK_THROWS_AS(TraceStore(path), Error);
    CHECK(ReadFile(path) == "my thesis");
  }
  SECTION("what a killed run left is removed by the next") {
    folder.Write("race.db.mmreplay-partial.1", "half");
    TraceStore store(path);
    CHECK_FALSE(fs::exists(path + ".mmreplay-partial.1"));
  }
  SECTION("a folder that is not there") {
    CHECK_THROWS_AS(TraceStore(folder.path() + "/no/race.db"), Error);
  }
}

TEST_CASE("newer and foreign databases are refused with a sentence", "[store]") {
  TemporaryFolder folder;
  std::string path = folder.path() + "/x.db";
  {
    Database database(path, Database::Mode::kCreate);
    database.Exec("CREATE TABLE t(x)");
  }
  CHECK_THROWS_WITH(OpenTraceDatabase(path, Database::Mode::kReadOnly),
                    Catch::Contains("is not a database mmreplay wrote"));
  {
    Database database(path, Database::Mode::kReadWrite);
    database.Exec(
        ("PRAGMA application_id=" + std::to_string(kApplicationId) + "; PRAGMA user_version=99").c_str());
  }
  CHECK_THROWS_WITH(OpenTraceDatabase(path, Database::Mode::kReadOnly), Catch::Contains("newer mmreplay"));
  CHECK_THROWS_AS(OpenTraceDatabase(folder.path() + "/absent.db", Database::Mode::kReadOnly), Error);
  CHECK_THROWS_WITH(
      OpenTraceDatabase(folder.Write("y.db", "text, no database at all, and long enough to look at"),
                        Database::Mode::kReadOnly),
      Catch::Contains("is not a database mmreplay wrote"));
}

TEST_CASE("the same recording gives the same bytes", "[store]") {
  TemporaryFolder folder;
  std::vector<std::string> bytes;
  for (const char* name : {"/a.db", "/b.db"}) {
    TraceStore store(folder.path() + name);
    Ingest(OpenRecording(SampleRecording("410-x86-fired-nochurn.tar.xz")), &store);
    store.Publish();
    bytes.push_back(ReadFile(folder.path() + name));
  }
  CHECK(bytes[0] == bytes[1]);
}

TEST_CASE("a report joins the last life of its frame and no other", "[store]") {
  Analysis analysis(SampleRecording("x86-fired.tar.xz"));
  CHECK(analysis.Count("SELECT count(*) FROM console_reports") == 6);
  CHECK(analysis.Count("SELECT count(*) FROM report_matches") == 6);
  CHECK(analysis.Count("SELECT count(*) FROM report_matches m JOIN page_lifetimes l ON l.id = m.lifetime_id "
                       "JOIN page_lifetimes later ON later.pfn = l.pfn AND later.id > l.id") == 0);
}

}  // namespace mmreplay
