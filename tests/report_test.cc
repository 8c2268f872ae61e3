// Reports: the race diagram, the answer as text and JSON, the biography of a page.
#include "report/report.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "parser/error.h"
#include "parser/lines.h"
#include "report/content.h"
#include "report/doctor.h"
#include "report/page_biography.h"
#include "report/recording_advice.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

std::string Text(const Database& database, TextStyle style = {}) {
  std::string out;
  WriteReport(database, {.format = ReportFormat::kText, .style = style},
              [&](std::string_view text) { out += text; });
  return out;
}

nlohmann::json ReportJson(const Database& database) {
  std::string out;
  WriteReport(database, {.format = ReportFormat::kJson, .style = {}},
              [&](std::string_view text) { out += text; });
  return nlohmann::json::parse(out);
}

std::string Biography(const Database& database, int64_t pfn) {
  std::string out;
  WritePageBiography(database, pfn, [&](std::string_view text) { out += text; });
  return out;
}

RaceDiagram Strongest(const Analysis& analysis) {
  ReportContent content = ReadContent(analysis.db());
  REQUIRE(content.groups.size() == 1);
  REQUIRE(content.groups[0].strongest);
  return *content.groups[0].strongest;
}

// "W 4047 do_huge_pmd_numa_page() 2": side, line of the trace, text, count.
std::vector<std::string> Rows(const RaceDiagram& diagram) {
  std::vector<std::string> rows;
  for (const DiagramLine& line : diagram.lines) {
    rows.push_back(std::string(line.side == DiagramSide::kWaiter ? "W " : "O ") +
                   std::to_string(line.event.line) + " " + line.text +
                   (line.count ? " " + std::to_string(*line.count) : ""));
  }
  return rows;
}

// One blank where lines were wrapped or columns padded: where a line breaks depends on the path of the
// sample.
std::string OneLine(std::string_view text) {
  std::string line;
  for (std::string_view word : SplitWords(text)) line += std::string(word) + " ";
  return line;
}

// Each of `expected` in this order, others may stand between.
void CheckInOrder(std::string text, const std::vector<std::string>& expected) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  text = OneLine(text);
  size_t at = 0;
  for (std::string one : expected) {
    std::replace(one.begin(), one.end(), '\n', ' ');
    one = OneLine(one);
    one.pop_back();
    size_t found = text.find(one, at);
    CAPTURE(one, text);
    REQUIRE(found != std::string::npos);
    at = found + one.size();
  }
}

}  // namespace

// Compared by hand with lines 3972 to 4155 of the trace.
TEST_CASE("the race of the genuine 4.10 bug as a diagram", "[report]") {
  Analysis analysis({.inputs = {SampleArchive("410-x86-fired-nochurn")}, .dmesg = {}, .probes = {}});
  RaceDiagram diagram = Strongest(analysis);
  CHECK(diagram.waiter == "toucher/1-71");
  CHECK(diagram.releaser == "toucher/3-73");
  CHECK(diagram.pfn == 0x28000);
  CHECK(diagram.page_order == 9);
  std::vector<std::string> rows = Rows(diagram);
  std::string all;
  for (const std::string& row : rows) all += row + "\n";
  CheckInOrder(all, {"O 3972 migrate_misplaced_transhuge_page() 2\n", "O 3980 isolate_lru_page() 2\n",
                     "O 3982 takes a reference 3\n", "O 3984 drops a reference 2\n",
                     "W 4047 do_huge_pmd_numa_page() 2\n", "W 4049 takes ptl 0xffff88002e1a2180 2\n",
                     "W 4052 drops it, holding no reference 2\n", "O 4067 unlock_page() 2\n",
                     "O 4068 drops a reference 1\n", "O 4070 drops the last reference 0\n",
                     "O 4071 free_transhuge_page() 0\n", "O 4072 PAGE FREED 0\n",
                     "W 4154 wait_on_page_bit(): queues on a FREE page 0\n", "W 4155 wait returns 0\n"});
  CHECK(diagram.order.find("27.8 ms apart on different cpus") != std::string::npos);
  REQUIRE(diagram.kernel);
  CHECK(diagram.kernel->line == 283);
  CHECK(diagram.kernel->pfn == 0x28000);
}

// Compared by hand with lines 2273 to 2414 of the trace.
TEST_CASE("the race in a 6.1 kernel as a diagram", "[report]") {
  Analysis analysis({.inputs = {SampleArchive("x86-fired")}, .dmesg = {}, .probes = {}});
  RaceDiagram diagram = Strongest(analysis);
  std::vector<std::string> rows = Rows(diagram);
  CHECK(rows == std::vector<std::string>{
                    "O 2273 takes ptl 0xffff8880034965b8 2", "O 2281 drops a reference 1",
                    "O 2282 pmd -> migration entry 1", "O 2283 drops it 1",
                    "O 2284 folio_migrate_mapping() 1", "W 2333 pmd_migration_entry_wait() 1",
                    "W 2377 takes ptl 0xffff8880034965b8 1", "W 2378 drops it, holding no reference 1",
                    "O 2382 folio_wait_bit() 1", "O 2387 takes ptl 0xffff8880034965b8 1",
                    "O 2389 migration entry -> pmd 1", "O 2390 drops it 1", "O 2392 folio_unlock() 1",
                    "O 2395 drops the last reference 0", "O 2396 PAGE FREED 0",
                    "W 2413 folio_wait_bit(): queues on a FREE page 0", "W 2414 wait returns 0"});
  // What happens inside a lock section is drawn inside it.
  std::string text = Text(analysis.db());
  CHECK(text.find("|  [0] drops a reference") != std::string::npos);
  CHECK(text.find("|  [0] migration entry -> pmd") != std::string::npos);
  CHECK(text.find("|  [0] folio_unlock()") == std::string::npos);
}

TEST_CASE("a report is at most 100 columns wide where it is drawn, and has no colour unless asked",
          "[report]") {
  for (const char* sample : {"x86-fired", "arm64-fired", "410-x86-fired-nochurn", "arm64-stock"}) {
    Analysis analysis({.inputs = {SampleArchive(sample)}, .dmesg = {}, .probes = {}});
    std::string text = Text(analysis.db());
    CHECK(text.find('\x1b') == std::string::npos);
    int lines = 0;
    ForEachLine(text, [&](std::string_view line) {
      ++lines;
      bool one_per_finding = line.find(" waiter=") != std::string_view::npos;
      CAPTURE(std::string(line));
      CHECK((one_per_finding || TextWidth(line) <= 100));
    });
    CHECK(lines < 120);
    std::string coloured = Text(analysis.db(), {.colour = true});
    CHECK(coloured.starts_with("\x1b["));
    // Colours only wrap: the words are the same.
    std::string stripped;
    for (size_t i = 0; i < coloured.size(); ++i) {
      if (coloured[i] == '\x1b') {
        i = coloured.find('m', i);
      } else {
        stripped += coloured[i];
      }
    }
    CHECK(stripped == text);
  }
}

TEST_CASE("no finding explains itself", "[report]") {
  Analysis held({.inputs = {SampleArchive("410-x86-held0")}, .dmesg = {}, .probes = {}});
  CheckInOrder(Text(held.db()),
               {"NO FINDING: 78 waits on pages, every one of them safe\n", "keep it from being freed",
                "78 legal", "wait_on_page_bit in do_huge_pmd_numa_page: reference taken under the page-table",
                "4.12 to 4.20 take one with"});
  Analysis stock({.inputs = {SampleArchive("arm64-stock")}, .dmesg = {}, .probes = {}});
  CheckInOrder(Text(stock.db()),
               {"NO FINDING: 141 waits", "migration_entry_wait_on_locked in pmd_migration_entry_wait",
                "mm/filemap.c:migration_entry_wait_on_locked, 5.17 and later", "not in this recording",
                "reference counts:", "CONFIG_DEBUG_PAGE_REF"});
}

TEST_CASE("near misses show which step failed", "[report]") {
  Analysis held({.inputs = {SampleArchive("410-x86-held0")}, .dmesg = {}, .probes = {}});
  std::string text;
  WriteReport(held.db(), {.format = ReportFormat::kText, .style = {}, .near_misses = true},
              [&](std::string_view piece) { text += piece; });
  CheckInOrder(text, {"near misses: 78 waits matched all of wait_on_freed_page but one step\n",
                      "near-miss wait_on_freed_page waiter=",
                      "step=\"holds no reference\" fails: reference taken under the "
                      "page-table lock, event ",
                      "... and 68 more (mmreplay query DB @near_misses)"});
  std::string json;
  WriteReport(held.db(), {.format = ReportFormat::kJson, .style = {}, .near_misses = true},
              [&](std::string_view piece) { json += piece; });
  auto misses = nlohmann::json::parse(json)["near_misses"];
  REQUIRE(misses.size() == 78);
  // The deciding event is the waiter taking its reference.
  for (const auto& miss : misses) {
    CHECK(held.Count("SELECT count(*) FROM page_refs WHERE delta = 1 AND event_id = " + miss["event"].dump() +
                     " AND pid = " + miss["pid"].dump() + " AND pfn = " + miss["pfn"].dump()) == 1);
  }
  CHECK_FALSE(ReportJson(held.db()).contains("near_misses"));
}

// Synthetic: nothing but a task switch.
TEST_CASE("a recording that cannot tell says what to record", "[report]") {
  TemporaryFolder folder;
  std::string path = folder.Write(
      "trace", "   a-1   [000] ....  1.000001: sched_waking: comm=x pid=2 prio=120 target_cpu=001\n");
  Analysis analysis({.inputs = {path}, .dmesg = {}, .probes = {}});
  CheckInOrder(Text(analysis.db()),
               {"CANNOT TELL: no wait function was probed", "waits on pages: 0", "not in this recording",
                "waits on pages:", "folio_wait_bit", "reference counts:", "the console:"});
  nlohmann::json json = ReportJson(analysis.db());
  CHECK(json["verdict"] == "cannot tell");
  CHECK(json["exit_code"] == 3);
  CHECK(json["findings"].empty());
}

TEST_CASE("many findings are one group and one screen", "[report]") {
  Analysis analysis({.inputs = {SampleArchive("x86-fired")}, .dmesg = {}, .probes = {}});
  // Synthetic: the findings of the recording, many times over.
  auto* db = const_cast<Database*>(&analysis.db());
  std::string once = Text(*db);
  db->Exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 147) "
      "INSERT INTO finding(rule, grade, subject, subject_id, pfn, pid, comm, summary, fingerprint) "
      "SELECT rule, grade, subject, subject_id, pfn, pid, comm, summary, fingerprint FROM finding, n");
  std::string text = Text(*db);
  CHECK(analysis.Count("SELECT count(*) FROM findings WHERE rule = 'wait_on_freed_page'") == 68 * 148);
  CHECK(std::count(text.begin(), text.end(), '\n') == std::count(once.begin(), once.end(), '\n'));
  CHECK(text.find("... and 10,054 more: ") != std::string::npos);
  CHECK(ReportJson(*db)["findings"].size() == 68 * 148);
}

TEST_CASE("JSON carries what the text shows", "[report]") {
  Analysis analysis({.inputs = {SampleArchive("x86-fired")}, .dmesg = {}, .probes = {}});
  nlohmann::json json = ReportJson(analysis.db());
  CHECK(json["format"] == "mmreplay-report");
  CHECK(json["version"] == 1);
  CHECK(json["verdict"] == "found");
  CHECK(json["grades"] == nlohmann::json({{"confirmed", 20}, {"probable", 3}, {"latent", 45}}));
  REQUIRE(json["findings"].size() == 68);
  CHECK(json["findings"][0]["grade"] == "confirmed");
  CHECK(json["findings"][0]["pfn"] == 0x39200);
  CHECK(json["findings"][0]["wait"]["order"] == "apart");
  CHECK(json["findings"][0]["kernel_report"]["line"] == 329);
  std::string text = Text(analysis.db());
  REQUIRE(json["groups"].size() == 1);
  for (const auto& line : json["groups"][0]["strongest"]["lines"]) {
    CHECK(text.find("\n    " + std::to_string(line["line"].get<int>()) + ": ") != std::string::npos);
    CHECK(text.find(line["text"].get<std::string>()) != std::string::npos);
  }
  int64_t waits = 0;
  for (const auto& one : json["wait_classes"]) waits += one["count"].get<int64_t>();
  CHECK(waits == json["waits"]["total"]);
  const auto& lines = json["input"]["lines"];
  CHECK(lines["total"].get<int64_t>() == lines["events"].get<int64_t>() + lines["comments"].get<int64_t>() +
                                             lines["continuations"].get<int64_t>() +
                                             lines["markers"].get<int64_t>() +
                                             lines["rejected"].get<int64_t>());
}

TEST_CASE("findings of severity info are apart from the others and not in the grades", "[report]") {
  Analysis analysis({.inputs = {SampleArchive("410-x86-held0")}, .dmesg = {}, .probes = {}});
  nlohmann::json json = ReportJson(analysis.db());
  CHECK(json["verdict"] == "no finding");
  CHECK(json["grades"] == nlohmann::json({{"confirmed", 0}, {"probable", 0}, {"latent", 0}}));
  CHECK(json["findings"].empty());
  CHECK(json["groups"].empty());
  REQUIRE(json["info_findings"].size() == 24);
  for (const auto& finding : json["info_findings"]) CHECK(finding["severity"] == "info");
  REQUIRE(json["also_seen"].size() == 1);
  CHECK(json["also_seen"][0]["rule"] == "migration_aborted");
  CHECK(json["also_seen"][0]["findings"] == 24);
}

TEST_CASE("the biography of a page that was freed under its waiters", "[report]") {
  Analysis analysis({.inputs = {SampleArchive("x86-fired")}, .dmesg = {}, .probes = {}});
  CheckInOrder(Biography(analysis.db(), 0x39200),
               {"page 0x39200 (pfn 233984): 1 life\n",
                "life 1 of 1: order 9, allocated 5.374749 by thp mover-69, freed 5.794298 by toucher/0-64",
                "1906  reference count set to 1",
                "page allocated, order 9",
                "MIGRATION here from 0x2ec00 begins",
                "takes ptl 0xffff8880034965b8",
                "MIGRATION to 0x2ec00 begins",
                "(numa_misplaced)",
                "WAITS in folio_wait_bit: protection none",
                "freed_while_queued",
                "sleeps",
                "wakes toucher/1-65",
                "2395  drops the last reference",
                "PAGE FREED",
                "WAITS in folio_wait_bit: protection none",
                "freed_before_queue",
                "toucher/3-67 waited 5.801402..5.801475: confirmed: the waiter took no reference",
                ": confirmed wait_on_freed_page",
                "the kernel reported",
                "dmesg.txt:329: BUG: Bad page"});
  // A page inside the block: the block's life.
  CheckInOrder(Biography(analysis.db(), 0x39201),
               {"page 0x39201", "inside the block at 0x39200", "PAGE FREED"});
  CHECK(Biography(analysis.db(), 0x7fffffff).empty());
  // The page it was moved to: the call that names both is told there too.
  CheckInOrder(Biography(analysis.db(), 0x2ec00), {"2284  folio_migrate_mapping()"});
}

TEST_CASE("the biography does not need the rule", "[report]") {
  Analysis analysis({.inputs = {SampleArchive("410-x86-fired-nochurn")}, .dmesg = {}, .probes = {}});
  const_cast<Database*>(&analysis.db())->Exec("DELETE FROM finding; DELETE FROM finding_event");
  CheckInOrder(Biography(analysis.db(), 0x28000), {"drops the last reference", "PAGE FREED",
                                                   "freed_before_queue", "toucher/1-71 waited", "confirmed"});
}

TEST_CASE("the doctor names what was lacking and the commands that record it", "[report]") {
  auto doctor = [](const Analysis& analysis) {
    std::string out;
    WriteDoctor(analysis.db(), [&](std::string_view text) { out += text; });
    return out;
  };
  Analysis stock({.inputs = {SampleArchive("arm64-stock")}, .dmesg = {}, .probes = {}});
  CheckInOrder(
      doctor(stock),
      {"kernel 6.1.0-56-arm64, aarch64", "wait_on_freed_page: could be judged, 0 findings",
       "had     waits on pages: 141", "lacked  reference counts:", "CONFIG_DEBUG_PAGE_REF", "with tracefs",
       "'p:mmreplay/folio_wait_bit folio_wait_bit folio=$arg1 bit=$arg2:s32 ref=+52($arg1):s32'",
       "events/page_ref/page_ref_mod_unless/enable", "with trace-cmd", "-e page_ref:page_ref_set",
       "with perf"});
  // Nothing lacking, nothing to record.
  Analysis fired({.inputs = {SampleArchive("x86-fired")}, .dmesg = {}, .probes = {}});
  CHECK(doctor(fired).find("to record what was lacking") == std::string::npos);
}

TEST_CASE("probes are those of the kernel's era", "[report]") {
  auto probes = [](EvidenceKind kind, const char* release, const char* machine) {
    std::string all;
    for (const std::string& probe : AdviseRecording(kind, ParseKernelRelease(release), machine).probes)
      all += probe + "\n";
    return all;
  };
  CHECK(probes(EvidenceKind::kWaits, "4.10.17", "x86_64") ==
        "p:mmreplay/wait_on_page_bit wait_on_page_bit page=%di bit=%si:s32 ref=+28(%di):s32\n"
        "r256:mmreplay/wait_on_page_bit_ret wait_on_page_bit\n");
  CHECK(probes(EvidenceKind::kWaits, "4.19.0", "aarch64")
            .starts_with(
                "p:mmreplay/wait_on_page_bit wait_on_page_bit page=%x0 bit=%x1:s32 ref=+52(%x0):s32\n"));
  CHECK(probes(EvidenceKind::kWaits, "5.10.0-30-amd64", "x86_64")
            .find("put_and_wait_on_page_locked page=$arg1") != std::string::npos);
  CHECK(probes(EvidenceKind::kWaits, "6.1.0", "x86_64")
            .find("migration_entry_wait_on_locked entry=$arg1 ptl=$arg3") != std::string::npos);
  CHECK(probes(EvidenceKind::kWaits, "6.12.0", "x86_64")
            .find("migration_entry_wait_on_locked entry=$arg1 ptl=$arg2") != std::string::npos);
  CHECK(probes(EvidenceKind::kWaits, "7.2.0", "aarch64").find("softleaf_entry_wait_on_locked") !=
        std::string::npos);
  CHECK(probes(EvidenceKind::kMigrations, "4.10.17", "x86_64") ==
        "p:mmreplay/migrate_misplaced_transhuge_page migrate_misplaced_transhuge_page page=%r9\n"
        "r256:mmreplay/migrate_misplaced_transhuge_page_ret migrate_misplaced_transhuge_page "
        "ret=$retval:s32\n");
}

TEST_CASE("the function of a probe hit", "[report]") {
  CHECK(ProbedFunction("wait", "(folio_wait_bit+0x0/0x20) folio=0x1") == "folio_wait_bit");
  CHECK(ProbedFunction("w_r", "(pmd_migration_entry_wait+0x236/0x330 <- folio_wait_bit)") ==
        "folio_wait_bit");
  CHECK(ProbedFunction("folio_unlock", "(ffffffff81154d40) folio=0xffff88805e66aa00") == "folio_unlock");
  CHECK(ProbedFunction("x", "(add+0x0/0x20)") == "add");
  CHECK(ProbedFunction("mm_page_free", "page=ffffea0000a00000 pfn=0x28000 order=9").empty());
}

TEST_CASE("texts are wrapped, cut and made printable", "[report]") {
  CHECK(Wrap("one two", 2, 4) == "  one two\n");
  CHECK(Wrap(std::string(98, 'x') + " yy", 0, 4) == std::string(98, 'x') + "\n    yy\n");
  CHECK(Wrap(std::string(150, 'x'), 0, 2) == std::string(100, 'x') + "\n  " + std::string(50, 'x') + "\n");
  CHECK(TextWidth("d\xc3\xa9j\xc3\xa0") == 4);
  CHECK(CutToWidth("d\xc3\xa9j\xc3\xa0 vu", 6) == "d\xc3\xa9j...");
  CHECK(PadToWidth("\xc3\xa9", 3) == "\xc3\xa9  ");
  CHECK(Plural(1, "wait", "waits") == "1 wait");
  CHECK(Plural(1200, "wait", "waits") == "1,200 waits");
}

}  // namespace mmreplay
