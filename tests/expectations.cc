#include "tests/expectations.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <set>

#include "parser/input.h"
#include "parser/lines.h"
#include "parser/numbers.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

// One seeded wait, taken down inside the kernel and not in the trace.
struct Label {
  int64_t pid;
  int64_t begin;  // ns or ticks
  int64_t end;
  int64_t pfn;
  int64_t count_begin;
  int64_t count_end;
  bool held;
};

std::vector<Label> ReadLabels(const std::string& path) {
  std::vector<Label> labels;
  for (const InputMember& member : OpenInput(path)) {
    if (!member.path.ends_with("labels.tsv")) continue;
    bool header = true;
    ForEachLine(member.head, [&](std::string_view line) {
      std::vector<std::string_view> fields;
      while (true) {
        size_t tab = line.find('\t');
        fields.push_back(line.substr(0, tab));
        if (tab == std::string_view::npos) break;
        line.remove_prefix(tab + 1);
      }
      if (std::exchange(header, false) || fields.size() < 8) return;
      auto begin = ParseTimeStamp(fields[2]);
      auto end = ParseTimeStamp(fields[3]);
      auto pfn = ParseHexDigits(fields[4]);
      REQUIRE((begin && end && pfn));
      labels.push_back({.pid = ParseSigned(fields[0]).value(),
                        .begin = begin->value,
                        .end = end->value,
                        .pfn = static_cast<int64_t>(*pfn),
                        .count_begin = ParseSigned(fields[5]).value(),
                        .count_end = ParseSigned(fields[6]).value(),
                        .held = fields[7] == "1"});
    });
  }
  return labels;
}

int Rank(const std::string& verdict) {
  if (verdict == "confirmed") return 3;
  if (verdict == "probable") return 2;
  if (verdict == "latent") return 1;
  return 0;
}

// At least 98 % or all but one.
bool NearlyAll(int64_t good, int64_t all, int64_t percent) {
  return good * 100 >= all * percent || good + 1 >= all;
}

// A label belongs to the wait of its task on its page that begins next to it.
const WaitRow* Match(const Label& label, const std::vector<WaitRow>& waits, const std::set<int64_t>& taken) {
  const WaitRow* best = nullptr;
  for (const WaitRow& wait : waits) {
    if (wait.pid != label.pid || wait.pfn != label.pfn || taken.contains(wait.id) || !wait.begin_ts) continue;
    // The label is taken just before the wait; the probe may hit a little later.
    constexpr int64_t kBefore = 5'000'000;
    constexpr int64_t kAfter = 1'000'000;
    if (*wait.begin_ts < label.begin - kBefore || *wait.begin_ts > label.end + kAfter) continue;
    auto distance = [&](const WaitRow& row) { return std::abs(*row.begin_ts - label.begin); };
    if (!best || distance(wait) < distance(*best)) best = &wait;
  }
  return best;
}

void CheckLabels(const Analysis& analysis, const std::vector<Label>& labels, const Expectation& expected) {
  std::vector<WaitRow> waits = analysis.Waits();
  std::set<int64_t> taken;
  int64_t damaging = 0, damaging_confirmed = 0, under = 0, under_probable = 0;
  for (const Label& label : labels) {
    const WaitRow* wait = Match(label, waits, taken);
    CAPTURE(label.pid, label.begin, label.pfn, label.count_begin, label.count_end, label.held);
    REQUIRE(wait);
    CAPTURE(wait->verdict, wait->protection, wait->outcome, wait->reason, wait->event_order);
    taken.insert(wait->id);
    if (label.held) {
      CHECK(Rank(wait->verdict) == 0);
      if (expected.has_references) CHECK(wait->verdict == "benign");
    } else if (label.count_begin == 0) {
      ++damaging;
      CHECK(Rank(wait->verdict) >= 2);
      bool confirmed = wait->verdict == "confirmed";
      damaging_confirmed += confirmed;
      // Whatever is not confirmed is so because the trace leaves the order open.
      if (!confirmed) CHECK(wait->event_order == "open");
    } else if (label.count_end == 0) {
      ++under;
      under_probable += Rank(wait->verdict) >= 2;
      if (expected.has_references) CHECK(Rank(wait->verdict) >= 1);
    } else if (expected.has_references) {
      CHECK(Rank(wait->verdict) >= 1);
    } else {
      CHECK((Rank(wait->verdict) >= 1 || wait->verdict == "unknown"));
    }
  }
  CAPTURE(damaging, damaging_confirmed, under, under_probable);
  CHECK(NearlyAll(damaging_confirmed, damaging, 98));
  CHECK(NearlyAll(under_probable, under, 95));
  if (labels.empty()) return;
  for (const WaitRow& wait : waits) {
    if (taken.contains(wait.id)) continue;
    CAPTURE(wait.id, wait.comm, wait.verdict, wait.reason);
    CHECK(Rank(wait.verdict) == 0);
  }
}

void CheckFidelity(const Analysis& analysis, const Expectation& expected) {
  int64_t anchors = analysis.Count("SELECT ref_anchors FROM traces");
  int64_t matched = analysis.Count("SELECT ref_anchors_matched FROM traces");
  CAPTURE(anchors, matched);
  if (expected.all_anchors) {
    CHECK(matched == anchors);
  } else {
    // What is lost is not predicted.
    bool lossy = analysis.Count("SELECT count(*) FROM gaps") > 0;
    CHECK(matched * 1000 >= anchors * (lossy ? 970 : 985));
  }
  // Every miss is named, and none is on a huge page.
  CHECK(analysis.Count("SELECT count(*) FROM anomalies WHERE invariant = 'I6'") == anchors - matched);
  CHECK(analysis.Count(
            "SELECT count(*) FROM anomalies a JOIN page_refs r ON r.event_id = a.event_id "
            "JOIN page_lifetimes l ON l.id = r.lifetime_id WHERE a.invariant = 'I6' AND l.page_order >= 9") ==
        0);
}

void CheckLines(const Analysis& analysis) {
  CHECK(analysis.Count(
            "SELECT lines_total - lines_events - lines_comments - lines_continuations - lines_markers - "
            "lines_rejected FROM traces") == 0);
  CHECK(analysis.Count("SELECT count(*) FROM events") == analysis.facts().lines.events);
}

}  // namespace

const Expectation* FindExpectation(const std::string& name) {
  static const std::array kExpectations = {
      Expectation{"arm64-stock", 0, true, false},
      Expectation{"arm64-fixed", 0, false, true},
      Expectation{"arm64-fired", 1, false, true},
      Expectation{"arm64-latent", 1, false, true},
      Expectation{"x86-fixed", 0, false, true},
      Expectation{"x86-fired", 1, false, true},
      Expectation{"x86-latent", 1, false, true},
      Expectation{"x86-all-tasks", 0, true, true},
      Expectation{"x86-hashed", 1, false, true},
      Expectation{"410-x86-fired-nochurn", 1, true, true},
      Expectation{"410-x86-held0", 0, true, true},
      Expectation{"410-arm64-fired-stock", 1, true, true},
      Expectation{"stock-5.10-amd64", 0, true, false},
      Expectation{"stock-5.10-arm64", 0, true, false},
      Expectation{"stock-6.1-amd64", 0, true, false},
      Expectation{"stock-6.12-amd64", 0, true, false},
      Expectation{"stock-6.12-rt-arm64", 0, true, false},
      Expectation{"stock-7.2-amd64", 0, true, false},
      Expectation{"stock-7.2-arm64", 0, true, false},
      Expectation{"lab-x86-held", 0, true, true},
      Expectation{"lab-x86-hashed", 1, true, true},
      Expectation{"lab-arm64-fired", 1, true, true},
      Expectation{"x86-panic", 1, false, true},
      Expectation{"x86-dat-fired", 1, false, true},
      Expectation{"x86-dat-3.3", 1, false, true},
      Expectation{"arm64-dat", 3, false, false},
      Expectation{"x86-dat-buffers", 3, true, false},
      Expectation{"x86-dat-lost", 1, true, true},
      Expectation{"x86-dat-v6", 3, true, false},
      Expectation{"x86-perf-zstd", 0, true, false},
      Expectation{"x86-perf-pipe", 0, true, false},
      Expectation{"x86-perf-lost", 0, true, false},
      Expectation{"x86-trace-cmd", 1, false, true},
      Expectation{"x86-perf", 1, false, true},
  };
  auto found = std::find_if(kExpectations.begin(), kExpectations.end(),
                            [&](const Expectation& e) { return e.name == name; });
  return found == kExpectations.end() ? nullptr : &*found;
}

void CheckRecording(const std::string& path, const Expectation& expected) {
  CAPTURE(path);
  Analysis analysis({.inputs = {path}, .dmesg = {}, .probes = {}});
  CHECK(analysis.ExitCode() == expected.exit_code);
  CheckLines(analysis);
  CHECK(analysis.facts().lines.rejected == 0);
  CheckFidelity(analysis, expected);
  CheckLabels(analysis, ReadLabels(path), expected);
  // Every page the kernel complained about has a confirmed finding.
  CHECK(analysis.Text("SELECT group_concat(printf('%x', pfn)) FROM console_reports WHERE pfn NOT IN "
                      "(SELECT pfn FROM findings WHERE grade = 'confirmed' AND pfn IS NOT NULL)") == "");
  if (expected.exit_code == 0) {
    CHECK(analysis.Count("SELECT count(*) FROM findings f JOIN rule_results r ON r.rule = f.rule "
                         "WHERE r.severity <> 'info'") == 0);
    CHECK(analysis.Count("SELECT count(*) FROM page_waits WHERE verdict = 'benign'") > 0);
  }
}

void CheckAccounting(const std::string& path) {
  CAPTURE(path);
  Analysis analysis({.inputs = {path}, .dmesg = {}, .probes = {}});
  CheckLines(analysis);
}

}  // namespace mmreplay
