// Typed fields and the views made of them, in the plain shell's SQL.
#include "parser/typed_fields.h"

#include <catch2/catch.hpp>
#include <sstream>

#include "tests/analysis.h"

namespace mmreplay {
namespace {

std::vector<std::string> Fields(std::string_view args) {
  std::vector<std::string> fields;
  FieldScanner scanner(args);
  std::string_view key;
  std::string_view value;
  while (scanner.Next(&key, &value)) fields.push_back(std::string(key) + "|" + std::string(value));
  return fields;
}

// A trace of these bodies, one event each.
Analysis Trace(const std::vector<std::string>& bodies, const std::string& formats = "") {
  TemporaryFolder folder;
  std::string text = "# tracer: nop\n";
  for (size_t i = 0; i < bodies.size(); ++i) {
    text += "   a-1   [000] ....  1." + std::to_string(100000 + i) + ": " + bodies[i] + "\n";
  }
  folder.Write("trace", text);
  if (!formats.empty()) folder.Write("formats", formats);
  return Analysis({.inputs = {folder.path()}, .dmesg = {}, .probes = {}});
}

// All rows, columns separated by '|', NULL as "NULL".
std::string Rows(const Analysis& analysis, const std::string& sql) {
  Statement query(analysis.db(), sql);
  std::string rows;
  while (query.Step()) {
    for (int i = 0; i < query.columns(); ++i) {
      rows += (i ? "|" : "") + (query.IsNull(i) ? "NULL" : std::string(query.Text(i)));
    }
    rows += '\n';
  }
  return rows;
}

}  // namespace

TEST_CASE("fields of an event's arguments", "[typed_fields]") {
  using Texts = std::vector<std::string>;
  CHECK(Fields("comm=thp mover pid=69 prio=120 target_cpu=001") ==
        Texts{"comm|thp mover", "pid|69", "prio|120", "target_cpu|001"});
  CHECK(Fields("prev_comm=a=b c prev_pid=1 prev_state=R+ ==> next_comm=x next_pid=2") ==
        Texts{"prev_comm|a=b c", "prev_pid|1", "prev_state|R+", "next_comm|x", "next_pid|2"});
  CHECK(Fields("pfn=0x59654 flags=none mapping=          (null) mt=0") ==
        Texts{"pfn|0x59654", "flags|none", "mapping|(null)", "mt|0"});
  CHECK(Fields("flags= count=1 mode= reason=x") == Texts{"flags|", "count|1", "mode|", "reason|x"});
  CHECK(Fields("addr=7f2fbe200000, pmd=f7ffe7fffe83fe00") ==
        Texts{"addr|7f2fbe200000", "pmd|f7ffe7fffe83fe00"});
  CHECK(Fields("page=0x1 reason=\"PAGE_FLAGS_CHECK_AT_PREP flag set\"") ==
        Texts{"page|0x1", "reason|PAGE_FLAGS_CHECK_AT_PREP flag set"});
  CHECK(Fields("s=\"a \"b\" c\" n=1") == Texts{"s|a \"b\" c", "n|1"});
  CHECK(Fields("bdi 8:0: sb_dev 0:0 nr_pages=9223372036854775807 sync_mode=0") ==
        Texts{"nr_pages|9223372036854775807", "sync_mode|0"});
  CHECK(Fields("0:55376072 len 48 dirty 1").empty());
  CHECK(Fields("").empty());
  CHECK(Fields("=").empty());
  CHECK(Fields("a=") == Texts{"a|"});
  CHECK(Fields("x=\"unfinished y=2") == Texts{"x|\"unfinished", "y|2"});
}

TEST_CASE("formats declare hex", "[typed_fields]") {
  FormatRoom room;
  auto formats = ParseEventFormats(
      "name: e1\nID: 1\nformat:\n\tfield:int x;\n\nprint fmt: \"a=%lx b=0x%lx c=%d d=%p e=%pS f=%016llx "
      "g=%s\", REC->a\n"
      "name: e2\nprint fmt: \"x=%d\", REC->x\n",
      &room);
  REQUIRE(formats.size() == 1);
  CHECK(formats[0].name == "e1");
  CHECK(formats[0].hex_fields == std::set<std::string>{"a", "d", "f"});
}

TEST_CASE("radix and width", "[typed_fields]") {
  SECTION("known tracepoints print hex without 0x") {
    // A pte of decimal digits only.
    Analysis a = Trace({"set_migration_pte: addr=7f65003000, pte=8000000002541067 order=0"});
    CHECK(Rows(a, "SELECT addr = 0x7f65003000, pte = 0x8000000002541067, \"order\" FROM set_migration_pte") ==
          "1|1|0\n");
  }
  SECTION("kernel pointers are SQLite's own hex literals") {
    Analysis a = Trace({"mm_page_free: page=ffffea0001659500 pfn=366164 order=2",
                        "mm_page_free: page=          (null) pfn=366165 order=0"});
    CHECK(Rows(a, "SELECT page = 0xffffea0001659500, pfn FROM mm_page_free") == "1|366164\n0|366165\n");
  }
  SECTION("an unknown event: 0x is hex, decimal is decimal") {
    Analysis a = Trace({"my_event: a=0x10 b=10 c=-3 d=18446744073709551615 e=18446744073709551616"});
    CHECK(Rows(a, "SELECT a, b, c, d, e FROM my_event") == "16|10|-3|-1|18446744073709551616\n");
    CHECK(Rows(a, "SELECT typeof(e) FROM my_event") == "text\n");
  }
  SECTION("one value that is no number makes the field text, earlier rows as printed") {
    Analysis a = Trace({"my_event: id=007 n=1", "my_event: id=1f n=2", "my_event: id=0x3 n=3"});
    CHECK(Rows(a, "SELECT id, typeof(id), n FROM my_event") == "007|text|1\n1f|text|2\n0x3|text|3\n");
  }
  SECTION("the format decides what digits cannot") {
    Analysis a = Trace({"my_event: id=10", "my_event: id=20"},
                       "name: my_event\nID: 5\nformat:\n\nprint fmt: \"id=%lx\", REC->id\n");
    CHECK(Rows(a, "SELECT id FROM my_event") == "16\n32\n");
  }
  SECTION("empty and unreadable values are unknown") {
    Analysis a = Trace({"my_event: a= b=1", "my_event: a=5 b=(fault)"});
    CHECK(Rows(a, "SELECT a, b FROM my_event") == "NULL|1\n5|NULL\n");
  }
}

TEST_CASE("names", "[typed_fields]") {
  SECTION("two shapes of one name") {
    Analysis a = Trace({"remove_migration_pmd: (remove_migration_pmd+0x0/0x2d0) pvmw=0x1 new=0x2",
                        "remove_migration_pmd: addr=10, pmd=20"});
    CHECK(Rows(a, "SELECT addr, pmd FROM remove_migration_pmd") == "16|32\n");
    CHECK(Rows(a, "SELECT pvmw, new FROM remove_migration_pmd_probe") == "1|2\n");
    CHECK(Rows(a, "SELECT name, shape, sql_name, rows, columns FROM event_kinds ORDER BY sql_name") ==
          "remove_migration_pmd|event|remove_migration_pmd|1|addr pmd\n"
          "remove_migration_pmd|probe|remove_migration_pmd_probe|1|pvmw new\n");
  }
  SECTION("taken by a view, a table, SQLite, or the same in other case") {
    Analysis a =
        Trace({"events: a=1", "page_wait: a=2", "sqlite_x: a=3", "Mine: a=4", "mine: a=5", "page_refs: a=6"});
    CHECK(Rows(a,
               "SELECT a FROM events_event UNION ALL SELECT a FROM page_wait_event UNION ALL SELECT a FROM "
               "_sqlite_x "
               "UNION ALL SELECT a FROM Mine UNION ALL SELECT a FROM mine_event UNION ALL SELECT a FROM "
               "page_refs_event") == "1\n2\n3\n4\n5\n6\n");
  }
  SECTION("fields named like context columns, like each other, or twice") {
    Analysis a = Trace({"e: common_pid=1 A=2 a=3 a=4 event_id=5"});
    CHECK(Rows(a, "SELECT common_pid, common_pid_2, A, a_2, a_3, event_id, event_id_2 FROM e") ==
          "1|1|2|3|4|1|5\n");
  }
  SECTION("names that SQL would trip over") {
    Analysis a = Trace({"drop: select=1 x.y-z=2", "a\"b: q=1"});
    CHECK(Rows(a, "SELECT \"select\", \"x.y-z\" FROM \"drop\"") == "1|2\n");
    CHECK(Rows(a, "SELECT q FROM \"a\"\"b\"") == "1\n");
  }
}

TEST_CASE("comms of scheduler events may look like fields", "[typed_fields]") {
  Analysis a = Trace(
      {"sched_waking: comm=a pid=7 prio=1 pid=101 prio=120 target_cpu=001",
       "sched_switch: prev_comm=x y=1 pid=3 prev_pid=100 prev_prio=120 prev_state=S ==> next_comm=a ==> b "
       "next_pid=8 next_prio=120",
       "sched_switch: prev_comm=z next_comm=q prev_pid=9 prev_prio=120 prev_state=256 next_comm=w "
       "next_pid=10 "
       "next_prio=120"});
  CHECK(Rows(a, "SELECT comm, pid, prio, target_cpu FROM sched_waking") == "a pid=7 prio=1|101|120|1\n");
  CHECK(Rows(a, "SELECT prev_comm, prev_pid, next_comm, next_pid FROM sched_switch") ==
        "x y=1 pid=3|100|a ==> b|8\nz next_comm=q|9|w|10\n");
  CHECK(Rows(a, "SELECT columns FROM event_kinds WHERE name = 'sched_switch'") ==
        "prev_comm prev_pid prev_prio prev_state next_comm next_pid next_prio\n");
}

// Synthetic: names no kernel gives.
TEST_CASE("hostile names lose nothing", "[typed_fields]") {
  Analysis a =
      Trace({std::string("page_ref_mod_u\0less: pfn=0x1 val=1", 34), "page_waits: x=1", "good: x=5"});
  CHECK(a.facts().lines.events == 3);
  CHECK(Rows(a, "SELECT x FROM good") == "5\n");
  CHECK(a.Count("SELECT count(*) FROM event_kinds WHERE sql_name IS NULL") == 0);
  // An event that is called like a view shows nothing of what the view holds.
  CHECK(a.ExitCode() == 3);
  CHECK(Rows(a, "SELECT x FROM page_waits_event") == "1\n");
}

TEST_CASE("more fields than a row has room for", "[typed_fields]") {
  std::ostringstream body;
  body << "wide:";
  for (int i = 0; i < 250; ++i) body << " k" << i << "=" << i;
  Analysis a = Trace({body.str(), "wide: k20=x"});
  CHECK(Rows(a, "SELECT k0, k15, k16, k199 FROM wide WHERE event_id = 1") == "0|15|16|199\n");
  CHECK(Rows(a, "SELECT k20, typeof(k20) FROM wide") == "20|text\nx|text\n");
  CHECK(a.Count("SELECT count FROM trace_issues WHERE kind = 'untyped fields'") == 50);
}

TEST_CASE("beyond a thousand kinds events have no view, and what the contract needs still has",
          "[typed_fields]") {
  std::vector<std::string> bodies;
  for (int i = 0; i < 1005; ++i) bodies.push_back("kind" + std::to_string(i) + ": a=1");
  bodies.emplace_back(
      "page_ref_mod: pfn=0x10 flags=none count=2 mapcount=0 mapping=0000000000000000 mt=1 val=1");
  Analysis a = Trace(bodies);
  CHECK(a.Count("SELECT count(*) FROM event_kinds WHERE sql_name IS NULL") == 5);
  CHECK(a.Count("SELECT count FROM trace_issues WHERE kind = 'untyped kinds'") == 5);
  CHECK(Rows(a, "SELECT op, pfn, observed FROM page_refs") == "mod|16|2\n");
}

// `grep -c` of each event in the real recordings, done here: names counted from the lines.
TEST_CASE("views hold as many rows as the trace has lines of that event", "[typed_fields]") {
  for (const char* sample : {"x86-fired", "arm64-stock", "410-arm64-fired-stock"}) {
    Analysis a({.inputs = {std::string(MMREPLAY_SOURCE_DIR "/samples/") + sample + ".tar.xz"},
                .dmesg = {},
                .probes = {}});
    Statement kinds(a.db(), "SELECT name, shape, sql_name, rows FROM event_kinds");
    int checked = 0;
    while (kinds.Step()) {
      ++checked;
      std::string name(kinds.Text(0));
      std::string view(kinds.Text(2));
      CAPTURE(sample, name, view);
      CHECK(a.Count("SELECT count(*) FROM \"" + view + "\"") == kinds.Int(3));
      std::string shape(kinds.Text(1));
      std::string body = shape == "event"    ? "args NOT LIKE '(%'"
                         : shape == "return" ? "args LIKE '(%<-%'"
                                             : "args LIKE '(%' AND args NOT LIKE '(%<-%'";
      CHECK(a.Count("SELECT count(*) FROM events WHERE name = '" + name + "' AND " + body) == kinds.Int(3));
    }
    CHECK(checked > 15);
  }
}

}  // namespace mmreplay
