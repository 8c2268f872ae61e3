// The virtual table over a spool answers as the stored table does.
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "cli/ingest.h"
#include "db/event_spool.h"
#include "rules/rule.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

RecordingOptions Sample(const std::string& name) {
  return {.inputs = {std::string(MMREPLAY_SOURCE_DIR) + "/samples/" + name}};
}

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

constexpr const char* kColumns =
    "id, ts, cpu, pid, tgid, comm, kind, args, line, context, source, flags, pfn, lifetime, delta, replayed, "
    "replayed_lo, replayed_hi";

// Queries by everything the table is found by, round the edges of batches and of the trace.
std::vector<std::string> Queries(const Database& db) {
  Statement some(db, "SELECT max(id), (SELECT pfn FROM event WHERE pfn IS NOT NULL ORDER BY id DESC LIMIT 1) FROM event");
  REQUIRE(some.Step());
  int64_t last = some.Int(0);
  std::string pfn = std::to_string(some.Int(1));
  std::string select = std::string("SELECT ") + kColumns + " FROM event ";
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

void CompareStores(const RecordingOptions& options, const FilterOptions& filter = {}) {
  Recording recording = OpenRecording(options);
  auto ingest = [&](TraceStore* store) {
    EventFilter kept(filter);
    Ingest(recording, store, {.open = [&](const Recording& from, StringTable* strings, Decoder* decoder) {
             return OpenFilteredSource(from, strings, decoder, &kept);
           }});
  };
  TraceStore stored(std::nullopt);
  ingest(&stored);
  std::unique_ptr<TraceStore> spooled = MakeTemporaryStore(recording, false);
  ingest(spooled.get());
  for (const std::string& sql : Queries(stored.database())) {
    INFO(sql);
    CHECK(Rows(spooled->database(), sql) == Rows(stored.database(), sql));
  }
}

}  // namespace

TEST_CASE("events in a spool are found as stored ones are", "[event_table]") {
  TemporaryFolder folder;
  SECTION("an archive: the texts are in the spool") { CompareStores(Sample("x86-fired.tar.xz")); }
  SECTION("ids with gaps") { CompareStores(Sample("x86-fired.tar.xz"), {.pid = "67"}); }
  SECTION("a binary trace") { CompareStores(Sample("x86-dat-fired.tar.xz")); }
  SECTION("a file of several batches: the texts stay in it") {
    std::string text;
    for (int i = 0; i < 60'000; ++i) {
      text += "            work-" + std::to_string(64 + i % 3) + "     [00" + std::to_string(i % 4) + "] ....  " +
              std::to_string(10 + i / 1000) + ".000" + std::to_string(100 + i % 900) + ": page_ref_mod: pfn=0x" +
              std::to_string(100 + i % 777) + " flags=none count=2 mapcount=0 mapping=(nil) mt=1 val=1\n";
    }
    CompareStores({.inputs = {folder.Write("trace.txt", text)}});
  }
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
