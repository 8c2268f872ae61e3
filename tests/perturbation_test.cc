// Real recordings, damaged: what a recording of a healthy machine loses must not make it sick.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "parser/input.h"
#include "parser/lines.h"
#include "replay/text.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

// A sample without its console log: a report of the kernel itself is evidence that no damage takes away.
SampleFiles ReadFiles(const std::string& sample) {
  return ReadSampleFiles(MMREPLAY_SOURCE_DIR "/samples/" + sample, {"trace.txt"},
                         {"kprobe_events.txt", "uname.txt"});
}

bool IsEvent(const std::string& line) {
  return !line.empty() && line[0] != '#';
}

// "[003]" -> "3"; empty where the line names no cpu.
std::string CpuOf(const std::string& line) {
  size_t open = line.find(" [");
  if (open == std::string::npos || open + 6 > line.size() || line[open + 5] != ']') return {};
  return std::to_string(std::stoi(line.substr(open + 2, 3)));
}

using Random = std::mt19937;

Lines DropOnePercent(Lines lines, Random* random) {
  std::erase_if(lines, [&](const std::string& line) { return IsEvent(line) && (*random)() % 100 == 0; });
  return lines;
}

Lines CutHead(Lines lines, Random* random) {
  auto first = std::find_if(lines.begin(), lines.end(), IsEvent);
  auto events = static_cast<uint32_t>(lines.end() - first);
  lines.erase(first, first + static_cast<std::ptrdiff_t>((*random)() % events));
  return lines;
}

Lines CutTail(Lines lines, Random* random) {
  auto first = static_cast<uint32_t>(std::find_if(lines.begin(), lines.end(), IsEvent) - lines.begin());
  lines.resize(first + (*random)() % (lines.size() - first));
  return lines;
}

// Stretches of single cpus' events give way to the line the kernel prints for lost ones.
Lines LoseStretches(Lines lines, Random* random) {
  struct Stretch {
    std::string cpu;
    size_t from;
    size_t to;
  };
  std::vector<Stretch> stretches;
  for (int i = 0; i < 4; ++i) {
    size_t from = (*random)() % lines.size();
    stretches.push_back({CpuOf(lines[from]), from, from + 50 + (*random)() % (lines.size() / 6)});
  }
  Lines kept;
  std::map<std::string, size_t> lost;
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string cpu = IsEvent(lines[i]) ? CpuOf(lines[i]) : "";
    bool gone = std::any_of(stretches.begin(), stretches.end(), [&](const Stretch& s) {
      return !cpu.empty() && s.cpu == cpu && i >= s.from && i < s.to;
    });
    if (gone) {
      ++lost[cpu];
      continue;
    }
    if (size_t count = cpu.empty() ? 0 : std::exchange(lost[cpu], 0))
      kept.push_back("CPU:" + cpu + " [LOST " + std::to_string(count) + " EVENTS]");
    kept.push_back(lines[i]);
  }
  return kept;
}

// A page's next life begins unseen: half of the allocations are not on record.
Lines LoseBirths(Lines lines, Random* random) {
  bool lose = false;
  std::erase_if(lines, [&](const std::string& line) {
    bool set = line.find(": page_ref_set: ") != std::string::npos;
    bool alloc = line.find(": mm_page_alloc: ") != std::string::npos;
    if (set) lose = (*random)() % 2 == 0;  // with the mm_page_alloc that follows
    if (alloc && !set) lose = lose || (*random)() % 2 == 0;
    bool gone = (set || alloc) && lose;
    if (alloc) lose = false;
    return gone;
  });
  return lines;
}

// Each cpu's buffer begins somewhere else, as after an overflow.
Lines LoseHeads(Lines lines, Random* random) {
  std::map<std::string, size_t> begins;
  Lines kept;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!IsEvent(lines[i])) {
      kept.push_back(lines[i]);
      continue;
    }
    std::string cpu = CpuOf(lines[i]);
    auto [begin, fresh] = begins.try_emplace(cpu, 0);
    if (fresh) begin->second = (*random)() % (lines.size() / 2);
    if (i < begin->second) continue;
    if (begin->second > 0) kept.push_back("##### CPU " + cpu + " buffer started ####");
    begin->second = 0;
    kept.push_back(lines[i]);
  }
  return kept;
}

// Lines of two cpus with one stamp, in the other order.
Lines SwapTies(Lines lines, Random* random) {
  auto stamp = [](const std::string& line) {
    size_t colon = line.find(": ");
    return colon == std::string::npos
               ? std::string()
               : line.substr(line.rfind(' ', colon) + 1, colon - line.rfind(' ', colon));
  };
  for (size_t i = 1; i < lines.size(); ++i) {
    bool tie = IsEvent(lines[i]) && IsEvent(lines[i - 1]) && stamp(lines[i]) == stamp(lines[i - 1]) &&
               CpuOf(lines[i]) != CpuOf(lines[i - 1]);
    if (tie && (*random)() % 2 == 0) std::swap(lines[i], lines[i - 1]);
  }
  return lines;
}

struct Damage {
  const char* name;
  Lines (*apply)(Lines, Random*);
};
constexpr Damage kDamages[] = {{"drop 1 %", DropOnePercent}, {"cut head", CutHead},
                               {"cut tail", CutTail},        {"lose stretches", LoseStretches},
                               {"lose births", LoseBirths},  {"lose heads", LoseHeads},
                               {"swap ties", SwapTies}};

// "mm_page_free"; empty where the line is no event.
std::string_view NameOf(std::string_view line) {
  size_t begin = line.find(": ");
  if (line.starts_with('#') || begin == std::string_view::npos) return {};
  begin += 2;
  return line.substr(begin, line.find(':', begin) - begin);
}

// What people leave out of a recording together: a tracepoint's system, or the probes of one purpose.
struct Family {
  const char* name;
  std::vector<std::string_view> prefixes;  // of events' names
};
const std::vector<Family> kFamilies = {
    {"returns of waits",
     {"wait_r", "folio_wait_bit_ret", "pmd_migration_entry_wait_ret", "migration_entry_wait_on_locked_ret"}},
    {"page_ref", {"page_ref_"}},
    {"births", {"page_ref_set", "mm_page_alloc"}},
    {"allocations", {"mm_page_alloc"}},
    {"frees", {"mm_page_free", "cfree"}},
    {"puts", {"page_ref_mod_and_test"}},
    {"locks", {"lock_"}},
    {"sched", {"sched_"}},
    {"look-ups", {"numa_fault", "migrating", "do_huge_pmd_numa_page", "pmd_migration_entry_wait"}},
    {"migrations",
     {"mm_migrate_pages", "folio_migrate_mapping", "thp_mig", "migrate_misplaced_page", "set_migration",
      "remove_migration", "set_pmd_migration_entry", "isolate", "putback"}},
    {"unlocks", {"unlock", "folio_unlock"}},
};

Lines Without(const Lines& lines, std::initializer_list<const Family*> families) {
  Lines kept;
  for (const std::string& line : lines) {
    std::string_view name = NameOf(line);
    bool gone = std::any_of(families.begin(), families.end(), [&](const Family* family) {
      return std::any_of(family->prefixes.begin(), family->prefixes.end(),
                         [&](std::string_view prefix) { return name.starts_with(prefix); });
    });
    if (!gone) kept.push_back(line);
  }
  return kept;
}

struct Missing {
  std::string first;
  std::string second;  // may be empty
};

// Calls see(missing, trace) with each family missing, and with each two of them.
template <typename See>
void ForEachPartOf(const SampleFiles& files, See&& see) {
  for (auto first = kFamilies.begin(); first != kFamilies.end(); ++first) {
    see(Missing{first->name, {}}, Without(files.trace, {&*first}));
    for (auto second = first + 1; second != kFamilies.end(); ++second)
      see(Missing{first->name, second->name}, Without(files.trace, {&*first, &*second}));
  }
}

Analysis Analyse(const SampleFiles& files, const Lines& trace) {
  TemporaryFolder folder;
  std::string text;
  for (const std::string& line : trace) text += line + "\n";
  folder.Write("trace.txt", text);
  for (const auto& [name, content] : files.others) folder.Write(name, content);
  return Analysis({.inputs = {folder.path()}, .dmesg = {}, .probes = {}});
}

using Key = std::pair<std::optional<int64_t>, std::optional<int64_t>>;  // pid, beginning

std::map<Key, WaitRow> WaitsOf(const Analysis& analysis) {
  std::map<Key, WaitRow> waits;
  for (const WaitRow& wait : analysis.Waits()) waits.insert({{wait.pid, wait.begin_ts}, wait});
  return waits;
}

ptrdiff_t RankOf(const std::string& verdict) {
  const std::vector<std::string> ranks = {"benign", "unknown", "latent", "probable", "confirmed"};
  return std::find(ranks.begin(), ranks.end(), verdict) - ranks.begin();
}

}  // namespace

TEST_CASE("a healthy recording stays without confirmed and probable findings, whatever it loses",
          "[perturbation]") {
  // Latent findings where every line that showed the waiter's reference was dropped, by sample, damage and
  // seed.
  const std::vector<std::string> known_latent = {};
  for (const char* sample : {"410-x86-held0.tar.xz", "arm64-stock.tar.xz", "x86-fixed.tar.xz",
                             "arm64-fixed.tar.xz", "lab-x86-held.tar.gz", "stock-5.10-amd64.tar.gz"}) {
    SampleFiles files = ReadFiles(sample);
    REQUIRE(files.trace.size() > 1000);
    for (const Damage& damage : kDamages) {
      for (uint32_t seed = 0; seed < 4; ++seed) {
        Random random(seed);
        Analysis analysis = Analyse(files, damage.apply(files.trace, &random));
        std::string run = std::string(sample) + ", " + damage.name + ", seed " + std::to_string(seed);
        CAPTURE(run);
        CHECK(analysis.Count("SELECT count(*) FROM page_waits WHERE verdict IN ('confirmed', 'probable')") ==
              0);
        // Nor do the rules about impossible transitions take what is missing for one.
        CHECK(analysis.Count("SELECT sum(findings) FROM rule_results WHERE severity IN ('error', 'warning') "
                             "AND rule <> 'wait_on_freed_page'") == 0);
        bool may_be_latent = std::find(known_latent.begin(), known_latent.end(), run) != known_latent.end();
        CHECK((may_be_latent ||
               analysis.Count("SELECT count(*) FROM page_waits WHERE verdict = 'latent'") == 0));
      }
    }
  }
}

TEST_CASE("a sick recording stays sick where ties are swapped", "[perturbation]") {
  for (const char* sample : {"410-x86-fired-nochurn.tar.xz", "x86-fired.tar.xz"}) {
    SampleFiles files = ReadFiles(sample);
    Analysis whole = Analyse(files, files.trace);
    Random random(1);
    Analysis swapped = Analyse(files, SwapTies(files.trace, &random));
    for (const char* verdict : {"confirmed", "probable", "latent"}) {
      std::string count = std::string("SELECT count(*) FROM page_waits WHERE verdict = '") + verdict + "'";
      CHECK(whole.Count(count) == swapped.Count(count));
    }
  }
}

TEST_CASE("a sick recording's grades rise only where evidence against them was dropped", "[perturbation]") {
  for (const char* sample : {"410-x86-fired-nochurn.tar.xz", "x86-fired.tar.xz", "arm64-latent.tar.xz"}) {
    SampleFiles files = ReadFiles(sample);
    Analysis whole = Analyse(files, files.trace);
    std::map<Key, WaitRow> before = WaitsOf(whole);
    int64_t judged_alike = 0;
    for (uint32_t seed = 0; seed < 6; ++seed) {
      Random random(seed);
      Lines kept = DropOnePercent(files.trace, &random);
      Analysis damaged = Analyse(files, kept);
      CAPTURE(sample, seed);
      // A release that is not on record is no error of the clocks.
      CHECK(damaged.Count("SELECT clock_error FROM trace") == whole.Count("SELECT clock_error FROM trace"));
      std::multiset<std::string> left(kept.begin(), kept.end());
      Lines dropped;
      for (const std::string& line : files.trace) {
        auto found = left.find(line);
        if (found == left.end()) {
          dropped.push_back(line);
        } else {
          left.erase(found);
        }
      }
      for (const WaitRow& wait : damaged.Waits()) {
        auto same = before.find({wait.pid, wait.begin_ts});
        if (same == before.end()) continue;
        judged_alike += wait.verdict == same->second.verdict;
        if (RankOf(wait.verdict) <= RankOf(same->second.verdict)) continue;
        // The evidence against it is an event of the page.
        std::string pfn = "pfn=" + HexText(static_cast<uint64_t>(same->second.pfn.value_or(0))) + " ";
        CAPTURE(wait.pid.value_or(0), wait.begin_ts.value_or(0), wait.verdict, same->second.verdict);
        CHECK(std::any_of(dropped.begin(), dropped.end(),
                          [&](const std::string& line) { return line.find(pfn) != std::string::npos; }));
      }
    }
    // Nor does it become blind.
    CHECK(judged_alike > static_cast<int64_t>(before.size()) * 5);
  }
}

TEST_CASE("where a cpu's events are lost throughout, no grade rises", "[perturbation]") {
  for (const char* sample : {"x86-hashed.tar.xz", "410-x86-fired-nochurn.tar.xz", "x86-fired.tar.xz",
                             "arm64-latent.tar.xz", "x86-fixed.tar.xz"}) {
    SampleFiles files = ReadFiles(sample);
    std::map<Key, WaitRow> before = WaitsOf(Analyse(files, files.trace));
    auto first = std::find_if(files.trace.begin(), files.trace.end(), IsEvent) - files.trace.begin();
    auto size = static_cast<ptrdiff_t>(files.trace.size());
    for (const char* cpu : {"0", "1", "2", "3"}) {
      for (ptrdiff_t from : {first, first + (size - first) / 2}) {
        Lines lines(files.trace.begin(), files.trace.begin() + from);
        lines.push_back("CPU:" + std::string(cpu) + " [LOST 100 EVENTS]");
        std::copy_if(files.trace.begin() + from, files.trace.end(), std::back_inserter(lines),
                     [&](const std::string& line) { return CpuOf(line) != cpu; });
        for (const auto& [key, wait] : WaitsOf(Analyse(files, lines))) {
          auto same = before.find(key);
          if (same == before.end() || wait.verdict == "unknown") continue;
          CAPTURE(sample, cpu, from, wait.pid.value_or(0), wait.begin_ts.value_or(0), wait.verdict,
                  same->second.verdict);
          CHECK(RankOf(wait.verdict) <= RankOf(same->second.verdict));
        }
      }
    }
  }
}

TEST_CASE("a report of the kernel, printed after the trace ends, confirms nothing", "[perturbation]") {
  TemporaryFolder folder;
  std::string sample = SampleArchive("410-arm64-fired-stock");
  std::string trace;
  for (const InputMember& member : OpenInput(sample)) {
    std::string name = member.path.substr(member.path.rfind('/') + 1);
    std::string text = ReadAll(member, size_t{64} << 20).value();
    if (name == "trace.txt") {
      trace = std::move(text);
    } else {
      folder.Write(name, text);
    }
  }
  RecordingOptions options{.inputs = {folder.path()}, .dmesg = {}, .probes = {}};
  folder.Write("trace.txt", trace);
  Analysis whole(options);
  std::map<Key, WaitRow> before = WaitsOf(whole);
  int64_t last = whole.Count("SELECT last_ts FROM trace");
  int64_t later_reports = 0;
  for (int64_t at = whole.Count("SELECT min(ts) FROM events") + 250'000'000; at < last; at += 250'000'000) {
    std::string cut;
    int64_t line_number = 0;
    int64_t last_line = whole.Count("SELECT max(line) FROM events WHERE ts < " + std::to_string(at));
    ForEachLine(trace, [&](std::string_view line) {
      if (++line_number <= last_line) cut += std::string(line) + "\n";
    });
    folder.Write("trace.txt", cut);
    Analysis part(options);
    // What was printed just after it may be told of by the last events.
    const std::string after =
        "SELECT count(*) FROM console_reports r, trace t WHERE r.ts > t.last_ts AND r.ts <= t.last_ts + "
        "200000000";
    if (part.Count(after) > 0) continue;
    later_reports +=
        part.Count("SELECT count(*) FROM console_reports WHERE ts > (SELECT last_ts FROM trace)");
    for (const auto& [key, wait] : WaitsOf(part)) {
      auto same = before.find(key);
      if (same == before.end()) continue;
      CAPTURE(at, wait.pid.value_or(0), wait.begin_ts.value_or(0), same->second.verdict);
      CHECK((wait.verdict != "confirmed" || same->second.verdict == "confirmed"));
    }
  }
  CHECK(later_reports > 0);
}

TEST_CASE("kinds of events that are not on record accuse nobody and clear nobody", "[perturbation]") {
  const std::string confirmed = "SELECT count(*) FROM page_waits WHERE verdict = 'confirmed'";
  for (const char* sample : {"410-x86-held0.tar.xz", "arm64-stock.tar.xz", "x86-fixed.tar.xz",
                             "410-x86-fired-nochurn.tar.xz", "x86-fired.tar.xz", "arm64-latent.tar.xz"}) {
    SampleFiles files = ReadFiles(sample);
    Analysis whole = Analyse(files, files.trace);
    std::map<Key, std::string> before;
    for (const auto& [key, wait] : WaitsOf(whole)) before[key] = wait.verdict;
    REQUIRE_FALSE(before.empty());
    bool healthy = whole.ExitCode() == 0;
    ForEachPartOf(files, [&](const Missing& missing, const Lines& trace) {
      Analysis part = Analyse(files, trace);
      CAPTURE(sample, missing.first, missing.second);
      for (const WaitRow& wait : part.Waits()) {
        auto same = before.find({wait.pid, wait.begin_ts});
        const std::string verdict_before = same == before.end() ? "" : same->second;
        bool accused = wait.verdict == "confirmed" || wait.verdict == "probable";
        CAPTURE(wait.pid.value_or(0), wait.begin_ts.value_or(0), wait.verdict, verdict_before, wait.reason);
        CHECK_FALSE((accused && (healthy || verdict_before == "benign")));
        CHECK_FALSE((wait.verdict == "confirmed" && verdict_before == "latent"));
        CHECK_FALSE((wait.verdict == "benign" && verdict_before == "confirmed"));
      }
      // Nor does it become blind: one thing or another shows what the kernel did. Of 4.10 only the look-up's
      // probes tell the lock of the page table from others.
      bool alone = missing.second.empty();
      if (alone && missing.first != "look-ups") CHECK(part.Count(confirmed) == whole.Count(confirmed));
    });
  }
}

}  // namespace mmreplay
