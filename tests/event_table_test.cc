// The virtual tables over a spool answer as the stored tables do.
#include <catch2/catch.hpp>

#include <array>
#include <string>
#include <vector>

#include "cli/ingest.h"
#include "db/event_spool.h"
#include "db/interval_spool.h"
#include "rules/rule.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

std::string Rows(const Database& db, const std::string& sql) {
  Statement query(db, sql);
  std::string text;
  while (query.Step()) {
    for (int i = 0; i < query.columns(); ++i)
      text += query.IsNull(i) ? std::string("NULL|") : std::string(query.Text(i)) + "|";
    text += "\n";
  }
  return text;
}

constexpr const char* kEventColumns =
    "id, ts, cpu, pid, tgid, comm, kind, args, line, context, source, flags, pfn, lifetime, delta, replayed, "
    "replayed_lo, replayed_hi";

// Queries by everything the table is found by, round the edges of batches and of the trace.
std::vector<std::string> Queries(const Database& db) {
  Statement some(
      db,
      "SELECT max(id), (SELECT pfn FROM event WHERE pfn IS NOT NULL ORDER BY id DESC LIMIT 1) FROM event");
  REQUIRE(some.Step());
  int64_t last = some.Int(0);
  std::string pfn = std::to_string(some.Int(1));
  std::string select = std::string("SELECT ") + kEventColumns + " FROM event ";
  std::vector<std::string> queries = {
      select,
      select + "ORDER BY id DESC",
      select + "WHERE pfn = " + pfn,
      select + "WHERE pfn = " + pfn + " AND id < " + std::to_string(last / 2) + " ORDER BY id DESC LIMIT 3",
      select + "WHERE pfn = " + pfn + " AND id > " + std::to_string(last / 2) + " ORDER BY id LIMIT 3",
      select + "WHERE pfn = NULL",
      select + "WHERE pfn IN (SELECT pfn FROM page_lifetime ORDER BY id LIMIT 5) ORDER BY id",
      select + "WHERE id = 'x'",
      select + "WHERE id = 2.5",
      select + "WHERE id > 2.5 AND id < 4.5",
      select + "WHERE id = NULL",
      select + "WHERE rowid = 3",
      select + "WHERE id BETWEEN 9223372036854775800 AND 9223372036854775807",
      select + "WHERE id < -9223372036854775807",
      "SELECT count(*), min(id), max(id) FROM event",
      "SELECT a.id, b.id FROM event a JOIN event b ON b.id = a.id + 1 WHERE a.id BETWEEN 5 AND 9",
      "SELECT w.id, e.line FROM page_wait w LEFT JOIN event e ON e.id = w.end_event ORDER BY w.id",
      "SELECT name, args, context FROM events WHERE id IN (1, 3, 5)",
  };
  for (int64_t id : {int64_t{-1}, int64_t{0}, int64_t{1}, int64_t{2}, last / 2, last - 1, last, last + 1}) {
    std::string at = std::to_string(id);
    queries.push_back(select + "WHERE id = " + at);
    queries.push_back(select + "WHERE id >= " + at + " ORDER BY id LIMIT 2");
    queries.push_back(select + "WHERE id > " + at + " ORDER BY id LIMIT 2");
    queries.push_back(select + "WHERE id <= " + at + " ORDER BY id DESC LIMIT 2");
    queries.push_back(select + "WHERE id < " + at + " ORDER BY id DESC LIMIT 2");
    queries.push_back(select + "WHERE id BETWEEN " + at + " AND " + at + " + 2");
  }
  return queries;
}

// And of the tables of intervals, by id and by what they have indexes on.
std::vector<std::string> IntervalQueries(const Database& db) {
  std::vector<std::string> queries = {
      "SELECT * FROM page_waits w JOIN page_wait_evidence x ON x.wait_id = w.id ORDER BY w.id",
      "SELECT w.id, h.lock, h.acquire_event FROM page_wait w LEFT JOIN ptl_hold h ON h.id = w.hold",
      "SELECT w.id, l.id FROM page_wait w JOIN page_lifetime l ON l.pfn = w.pfn ORDER BY w.id, l.id",
      "SELECT m.id, n.id FROM migration m JOIN migration n ON n.src_pfn = m.dst_pfn ORDER BY m.id, n.id",
      "SELECT lock, max(hold_time), id FROM ptl_hold GROUP BY lock ORDER BY lock",
      "SELECT w.id, h.id FROM page_wait w LEFT JOIN ptl_hold h ON h.id = w.hold WHERE h.contended_ts IS NULL",
      "SELECT w.id, h.id FROM page_wait w LEFT JOIN ptl_hold h ON h.id = w.hold AND h.contended_ts IS NULL",
      "SELECT * FROM page_waits WHERE wait_time IS NOT end_ts - begin_ts",
      "SELECT * FROM ptl_holds WHERE hold_time IS NOT release_ts - acquire_ts",
      "SELECT * FROM ptl_holds WHERE wait_time IS NOT acquire_ts - contended_ts",
  };
  const std::pair<const char*, std::vector<std::pair<const char*, const char*>>> tables[] = {
      {"page_lifetime", {{"pfn", nullptr}}},
      {"ptl_hold", {{"pid", "acquire_event"}}},
      {"migration", {{"src_pfn", nullptr}, {"dst_pfn", nullptr}}},
      {"page_wait", {{"pfn", nullptr}}},
  };
  for (const auto& [table, keys] : tables) {
    std::string select = std::string("SELECT * FROM ") + table + " ";
    Statement some(db, std::string("SELECT max(id) FROM ") + table);
    REQUIRE(some.Step());
    int64_t last = some.Int(0);
    queries.push_back(select);
    queries.push_back(select + "ORDER BY id DESC");
    queries.push_back(std::string("SELECT count(*), min(id), max(id) FROM ") + table);
    for (const char* id : {"NULL", "'x'", "'2'", "2.0", "2.5"})
      queries.push_back(select + "WHERE id = " + id);
    for (int64_t id :
         {int64_t{-1}, int64_t{0}, int64_t{1}, last / 2, last, last + 1, INT64_MAX, INT64_MIN + 1}) {
      std::string at = std::to_string(id);
      for (const char* op : {"=", "<", "<=", ">", ">="}) {
        queries.push_back(select + "WHERE id " + op + " " + at + " ORDER BY id LIMIT 3");
        queries.push_back(select + "WHERE id " + op + " " + at + " ORDER BY id DESC LIMIT 3");
      }
    }
    queries.push_back(select + "WHERE id > 2.5 AND id < 4.5 ORDER BY id");
    // Columns without an index: the lowest value, one amid the rows, none.
    Statement columns(db, "SELECT name FROM pragma_table_xinfo(?) WHERE type = 'INTEGER'");
    columns.Bind(1, table);
    while (columns.Step()) {
      std::string column(columns.Text(0));
      Statement value(db, "SELECT DISTINCT " + column + " FROM " + table + " ORDER BY 1 LIMIT 3");
      while (value.Step()) {
        std::string at = value.IsNull(0) ? "NULL" : std::to_string(value.Int(0));
        for (const char* op : {"=", "<", "<=", ">", ">=", "IS"})
          queries.push_back(select + "WHERE " + column + " " + op + " " + at + " ORDER BY id LIMIT 3");
        queries.push_back(select + "WHERE " + column + " BETWEEN " + at + " AND " + at +
                          " + 0.5 ORDER BY id LIMIT 3");
        queries.push_back(select + "WHERE " + column + " > " + at + " AND id > 3 ORDER BY id DESC LIMIT 3");
      }
    }
    for (const auto& [first, second] : keys) {
      std::string by(first);
      queries.push_back(select + "WHERE " + by + " IS NOT NULL");
      queries.push_back(select + "WHERE " + by + " IS NULL");
      Statement value(db, "SELECT DISTINCT " + by + " FROM " + table + " ORDER BY 1 DESC LIMIT 6");
      while (value.Step()) {
        std::string is = by + (value.IsNull(0) ? " = NULL" : " = " + std::to_string(value.Int(0)));
        queries.push_back(select + "WHERE " + is + " ORDER BY id");
        queries.push_back(select + "WHERE " + is + " ORDER BY id DESC LIMIT 2");
        queries.push_back(select + "WHERE " + is + ".0 ORDER BY id LIMIT 2");
        queries.push_back(select + "WHERE " + is + ".5");
        if (!second) continue;
        std::string then(second);
        for (const std::string& range :
             {then + " <= 3000", then + " < 3000", then + " >= 3000", then + " > 3000",
              then + " BETWEEN 2000 AND 4000", then + " = (SELECT max(" + then + ") FROM " + table + ")",
              then + " IS NULL", then + " IS NOT NULL"}) {
          queries.push_back(select + "WHERE " + is + " AND " + range + " ORDER BY " + then + ", id LIMIT 8");
          queries.push_back(select + "WHERE " + is + " AND " + range + " ORDER BY " + then + " DESC LIMIT 8");
        }
      }
    }
  }
  return queries;
}

void CompareStores(const RecordingOptions& options, const FilterOptions& filter = {}) {
  Recording recording = OpenRecording(options);
  auto ingest = [&](TraceStore* store, unsigned cpus) {
    EventFilter kept(filter);
    auto open = [&](const Recording& from, StringTable* strings, Decoder* decoder) {
      return OpenFilteredSource(from, strings, decoder, &kept);
    };
    Ingest(recording, store, {.open = open, .cpus = cpus});
  };
  TraceStore stored(std::nullopt);
  ingest(&stored, 2);
  // Written by the replay's thread, and by one of its own.
  std::unique_ptr<TraceStore> spooled = MakeTemporaryStore(recording, false);
  ingest(spooled.get(), 2);
  std::unique_ptr<TraceStore> spooled_aside = MakeTemporaryStore(recording, false);
  ingest(spooled_aside.get(), 8);
  std::vector<std::string> queries = Queries(stored.database());
  for (std::string& sql : IntervalQueries(stored.database())) queries.push_back(std::move(sql));
  for (const std::string& sql : queries) {
    INFO(sql);
    auto rows = Rows(stored.database(), sql);
    CHECK(Rows(spooled->database(), sql) == rows);
    CHECK(Rows(spooled_aside->database(), sql) == rows);
  }
}

}  // namespace

TEST_CASE("events and intervals in a spool are found as stored ones are", "[event_table]") {
  TemporaryFolder folder;
  SECTION("an archive: the texts are in the spool") {
    CompareStores(SampleRecording("x86-fired.tar.xz"));
  }
  SECTION("ids with gaps") {
    CompareStores(SampleRecording("x86-fired.tar.xz"), {.pid = "67"});
  }
  SECTION("a binary trace") {
    CompareStores(SampleRecording("x86-dat-fired.tar.xz"));
  }
  SECTION("a file of several batches: the texts stay in it") {
    std::string text;
    for (int i = 0; i < 60'000; ++i) {
      text += "            work-" + std::to_string(64 + i % 3) + "     [00" + std::to_string(i % 4) +
              "] ....  " + std::to_string(10 + i / 1000) + ".000" + std::to_string(100 + i % 900) +
              ": page_ref_mod: pfn=0x" + std::to_string(100 + i % 777) +
              " flags=none count=2 mapcount=0 mapping=(nil) mt=1 val=1\n";
    }
    CompareStores({.inputs = {folder.Write("trace.txt", text)}});
  }
  SECTION("rows that are not as usual") {
    // Synthetic: texts, cpus and pages beyond what a short row holds, among such that are within; a count
    // that is not known.
    std::string text = "# tracer: nop\n#\n";
    for (int i = 0; i < 300; ++i) {
      text += "            work-" + std::to_string(64 + i % 3) + "     [" +
              (i % 7 == 3 ? std::string("70000") : "00" + std::to_string(i % 4)) + "] ....  10.000" +
              std::to_string(100 + i) + ": ";
      if (i % 50 == 9) {
        text += "tracing_mark_write: " + std::string(65'530 + static_cast<size_t>(i) / 10, 'x') + "\n";
        continue;
      }
      text += std::string(i % 5 == 0   ? "page_ref_mod"
                          : i % 5 == 1 ? "page_ref_mod_unless"
                                       : "page_ref_mod_and_test") +
              ": pfn=0x" + (i % 11 == 0 ? std::string("fffffffffff00") : std::to_string(100 + i % 13)) +
              " flags=none count=" + std::to_string(i % 3) +
              " mapcount=0 mapping=(nil) mt=1 val=" + (i % 5 == 2 ? "-1" : "1") +
              (i % 5 == 0 ? "" : " ret=" + std::to_string(i % 2)) + "\n";
    }
    CompareStores({.inputs = {folder.Write("trace.txt", text)}});
  }
  SECTION("the lines of one cpu's file after those of another") {
    std::vector<std::string> files;
    for (int cpu = 0; cpu < 3; ++cpu) {
      std::string text = "# tracer: nop\n" + std::string(cpu == 1 ? 70'000 : 0, '\n');
      for (int i = 0; i < 400; ++i) {
        text += "            work-" + std::to_string(64 + cpu) + "     [00" + std::to_string(cpu) +
                "] ....  10.000" + std::to_string(100 + i) + ": mm_page_free: page=ffffea0000ac4000 pfn=0x" +
                std::to_string(100 + i) + " order=0\n";
      }
      files.push_back(folder.Write("cpu" + std::to_string(cpu), text));
    }
    CompareStores({.inputs = files, .dmesg = {}, .probes = {}});
  }
}

namespace {

std::string NumberText(int64_t id) {
  std::string text = "row " + std::to_string(id);
  if (id % 5'000 == 0) text.append(100'000, 'x');  // more than is read or written at once
  return text;
}

}  // namespace

TEST_CASE("rows of intervals come back whatever their order and number", "[event_table]") {
  SpoolFile file;
  TextSpool texts(&file);
  IntervalSpool rows(&file, &texts, 3, {1});
  constexpr int64_t kRows = 600'000;
  // A permutation: neighbours in it are far apart.
  for (int64_t i = 0; i < kRows; ++i) {
    int64_t id = i * 7'919 % kRows;
    if (id % 10 == 3) continue;
    std::string text = NumberText(id);
    rows.Put<3>(id, [&](int column, const IntervalSpool::Writer& to) {
      if (column == 0) to.Set(id % 1'000);
      if (column == 1 && id % 3 != 0) to.Set(-id);
      if (column == 2 && id % 100 == 0) to.Set(std::string_view(text));
    });
  }
  CHECK(rows.last_id() == kRows - 1);
  CHECK_FALSE(rows.Find(-1));
  CHECK_FALSE(rows.Find(kRows));
  int64_t wrong = 0;
  for (int64_t id = 0; id < kRows; ++id) {
    auto row = rows.Find(id);
    if (id % 10 == 3) {
      wrong += row.has_value();
      continue;
    }
    wrong += !row || row->Value(0) != id % 1'000 || row->Has(1) != (id % 3 != 0) ||
             (row->Has(1) && row->Value(1) != -id) || row->Has(2) != (id % 100 == 0);
    if (row && row->Has(2)) wrong += rows.Text(*row, 2) != NumberText(id);
  }
  CHECK(wrong == 0);

  // Whatever is skipped has nothing to offer, and most is skipped.
  for (bool backward : {false, true}) {
    int64_t looked_at = 0;
    std::vector<int64_t> found;
    for (int64_t id = backward ? kRows - 1 : 0;; id += backward ? -1 : 1) {
      id = rows.SkipBelow(id, 1, -300, backward);
      if (id < 0 || id >= kRows) break;
      ++looked_at;
      auto row = rows.Find(id);
      if (row && row->Has(1) && row->Value(1) >= -300) found.push_back(id);
    }
    CHECK(found.size() == 180);  // of 301, nine tenths are there, two thirds of these have the column
    CHECK(looked_at < 400);
  }
  CHECK(rows.SkipBelow(-1, 1, 0, true) == -1);
  CHECK(rows.SkipBelow(kRows, 1, 0, false) == kRows);
  CHECK(rows.SkipBelow(7, 0, 5'000, false) == 7);  // nothing is known of that column

  // Likewise where a column is to be known, which one row of 100 has, or to be unknown.
  for (bool backward : {false, true}) {
    int64_t looked_at = 0;
    int64_t found = 0;
    for (int64_t id = backward ? kRows - 1 : 0;; id += backward ? -1 : 1) {
      id = rows.SkipByColumns(id, 1 << 2, 1 << 2, backward);
      if (id < 0 || id >= kRows) break;
      ++looked_at;
      auto row = rows.Find(id);
      found += row && row->Has(2);
    }
    CHECK(found == kRows / 100);
    CHECK(looked_at < kRows * 7 / 10);
    int64_t end = backward ? -1 : kRows;
    CHECK(rows.SkipByColumns(7, 0, 1 << 0, backward) == end);  // each row has it
    CHECK(rows.SkipByColumns(7, 0, 1 << 1, backward) == 7);
  }

  // Rows that stay in memory are the same, and are read from the file once.
  rows.StayLoaded(1'000'000);
  int64_t sum = 0;
  std::array<uint64_t, 3> replaced{};
  for (uint64_t& times : replaced) {
    uint64_t before = rows.replaced();
    for (int64_t id = 0; id < kRows; ++id) {
      if (auto row = rows.Find(id)) sum += row->Value(0);
    }
    times = rows.replaced() - before;
    if (&times == &replaced[0]) rows.StayLoaded(size_t{1} << 30);
  }
  CHECK(sum == 3 * (kRows / 1'000) * (999 * 1'000 / 2 - 100 * (3 + 993) / 2));
  CHECK(replaced[0] > 1'000);  // they had no room
  CHECK(replaced[1] > 1'000);
  CHECK(replaced[2] == 0);

  // More than one stretch is sorted at once.
  IntervalIndex index(&rows, 0, 1);
  CHECK(index.size() == static_cast<size_t>(kRows / 10 * 9));
  IntervalIndex::Entry before = index.At(0);
  for (size_t i = 1; i < index.size(); ++i) {
    wrong += !(before < index.At(i));
    before = index.At(i);
  }
  CHECK(wrong == 0);
  CHECK(index.LowerBound(INT64_MIN, INT64_MIN) == 0);
  CHECK(index.LowerBound(INT64_MAX, 0) == index.size());
  for (int64_t first : {0, 1, 500, 999}) {
    size_t at = index.LowerBound(first, -300'000);
    wrong += index.At(at).first != first || index.At(at).second < -300'000;
    wrong += at > 0 && index.At(at - 1).first == first && index.At(at - 1).second >= -300'000;
  }
  CHECK(wrong == 0);
}

// Synthetic. A rule that went through all lives of the page for each of its waits would take more steps than
// it may.
TEST_CASE("a page with very many lives and waits is judged", "[event_table]") {
  TemporaryFolder folder;
  std::string text = "# tracer: nop\n#\n";
  constexpr int64_t kLives = 20'000;
  int64_t us = 0;
  auto add = [&](const char* task, int64_t pause, const std::string& body) {
    us += pause;
    std::string micros = std::to_string(us % 1'000'000);
    text += "  " + std::string(task) + " d..1. " + std::to_string(us / 1'000'000) + "." +
            std::string(6 - micros.size(), '0') + micros + ": " + body + "\n";
  };
  for (int64_t i = 0; i < kLives; ++i) {
    const std::string page = " pfn=0x30000 ";
    const std::string rest = " mapcount=0 mapping=0 mt=0 ";
    add("t/1-1 [000]", 100,
        "mm_page_alloc: page=ffffea0000c00000" + page + "order=0 migratetype=0 gfp_flags=");
    add("t/1-1 [000]", 1, "page_ref_set:" + page + "flags= count=1" + rest + "val=1");
    add("t/7-7 [001]", 1, "wait: (folio_wait_bit+0x0/0x24) folio=0xffffea0000c00000 bit=0");
    add("t/1-1 [000]", 98, "page_ref_mod_and_test:" + page + "flags= count=0" + rest + "val=-1 ret=1");
    add("t/1-1 [000]", 1, "mm_page_free: page=ffffea0000c00000" + page + "order=0");
    add("t/7-7 [001]", 199, "wait_ret: (do_huge_pmd_numa_page+0x1/0x24 <- folio_wait_bit)");
  }
  Run run = Execute({"analyze", folder.Write("trace.txt", text)});
  CHECK(run.err.find("step budget") == std::string::npos);
  CHECK(run.exit_code == 1);
}

TEST_CASE("only rules that read events one by one have them all stored", "[event_table]") {
  CHECK_FALSE(NeedEveryEvent(BuiltInRules()));
  auto rule = [](const std::string& sql) {
    Rule one;
    one.sql = sql;
    return std::vector<Rule>{one};
  };
  CHECK_FALSE(NeedEveryEvent(rule("SELECT 'latent' AS grade, id FROM ptl_holds")));
  CHECK(NeedEveryEvent(rule("SELECT 'latent' AS grade, id FROM events")));
  CHECK(NeedEveryEvent(rule("SELECT 'latent' AS grade, event_id FROM page_refs")));
  CHECK(NeedEveryEvent(rule("SELECT frame FROM stacks")));
  CHECK(NeedEveryEvent(rule("SELECT prev_comm FROM sched_switch")));  // a view of the recording's own
}

}  // namespace mmreplay
