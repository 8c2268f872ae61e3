#include "parser/console_timeline.h"

#include <algorithm>
#include <limits>

namespace mmreplay {
namespace {

using Interval = std::pair<int64_t, int64_t>;

// Both sorted and disjoint.
std::vector<Interval> Intersect(const std::vector<Interval>& a, const std::vector<Interval>& b) {
  std::vector<Interval> both;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    int64_t low = std::max(a[i].first, b[j].first);
    int64_t high = std::min(a[i].second, b[j].second);
    if (low <= high) both.emplace_back(low, high);
    ++(a[i].second < b[j].second ? i : j);
  }
  return both;
}

// Stamps of both are cut to microseconds.
constexpr int64_t kResolution = 1000;

// No machine is up for a century: what is stamped later is damage, and sums of two stamps fit 64 bits.
constexpr int64_t kLatest = std::numeric_limits<int64_t>::max() / 2;

}  // namespace

ConsoleTimeline::ConsoleTimeline(const std::vector<ConsoleReport>& reports) {
  for (const ConsoleReport& report : reports) {
    if (!report.pid || !report.printk_ts || *report.printk_ts > kLatest) continue;
    reports_.emplace_back(*report.printk_ts, *report.pid);
    tasks_[Value(*report.pid)];
  }
}

void ConsoleTimeline::See(const Event& event) {
  if (reports_.empty() || !event.ts || *event.ts > kLatest) return;
  if (!first_ts_) first_ts_ = event.ts;
  last_ts_ = event.ts;
  // NR_CPUS is 8192 at most (arch/x86/Kconfig). Of one that is not followed nothing is known at any time.
  constexpr size_t kCpus = 8192;
  bool follows = event.cpu && (cpus_.size() < kCpus || cpus_.contains(*event.cpu));
  if (event.cpu && !follows) complete_from_ = std::max(complete_from_, *event.ts);
  if (follows) {
    auto [cpu, fresh] = cpus_.try_emplace(*event.cpu, Cpu{*event.ts});
    // The buffer of a cpu may have been overwritten up to here.
    if (fresh) complete_from_ = std::max(complete_from_, *event.ts);
    if (cpu->second.lost) AddUnknown(cpu->second.last_ts, *event.ts);
    cpu->second = {*event.ts};
  }
  const auto* sched = std::get_if<SchedSwitch>(&event.payload);
  if (!sched) return;
  if (auto prev = tasks_.find(Value(sched->prev)); prev != tasks_.end()) {
    // Where it was not seen to get the cpu, it may have had it since it left one last.
    Running& task = prev->second;
    task.intervals.emplace_back(task.since.value_or(task.left.value_or(*first_ts_)), *event.ts);
    task.since.reset();
    task.left = event.ts;
    task.seen = true;
  }
  if (auto next = tasks_.find(Value(sched->next)); next != tasks_.end()) {
    next->second.since = event.ts;
    next->second.seen = true;
  }
}

// Of very many stretches one is made: less is known then.
void ConsoleTimeline::AddUnknown(int64_t from, int64_t to) {
  constexpr size_t kStretches = size_t{64} * 1024;
  if (unknown_.size() >= kStretches) {
    for (const auto& [first, last] : unknown_) {
      from = std::min(from, first);
      to = std::max(to, last);
    }
    unknown_.clear();
  }
  unknown_.emplace_back(from, to);
}

void ConsoleTimeline::See(const LossMarker& loss) {
  // A filter tells what it leaves out by a marker of no cpu.
  if (auto cpu = cpus_.find(loss.cpu); cpu != cpus_.end()) cpu->second.lost = true;
}

std::optional<ConsoleOffset> ConsoleTimeline::Find() const {
  std::vector<Interval> offsets = {{-kWindow, kWindow}};
  int64_t used = 0;
  for (const auto& [printed, pid] : reports_) {
    const Running& task = tasks_.at(Value(pid));
    if (!task.seen) continue;
    // When it may have run. Outside of the trace anything may have.
    std::vector<Interval> running = task.intervals;
    running.insert(running.end(), unknown_.begin(), unknown_.end());
    if (task.since) running.emplace_back(*task.since, *last_ts_);
    running.emplace_back(std::min(printed - kWindow, complete_from_), complete_from_);
    running.emplace_back(*last_ts_, std::max(printed + kWindow, *last_ts_));
    std::sort(running.begin(), running.end());
    std::vector<Interval> allowed;
    for (const auto& [from, to] : running) {
      Interval shifted{from - printed - kResolution, to - printed + kResolution};
      if (!allowed.empty() && shifted.first <= allowed.back().second) {
        allowed.back().second = std::max(allowed.back().second, shifted.second);
      } else {
        allowed.push_back(shifted);
      }
    }
    offsets = Intersect(offsets, allowed);
    if (offsets.empty()) return std::nullopt;
    ++used;
  }
  if (used == 0) return std::nullopt;
  int64_t low = offsets.front().first;
  int64_t high = offsets.back().second;
  if ((high - low) / 2 > kUsefulError) return std::nullopt;
  return ConsoleOffset{low + (high - low) / 2, (high - low + 1) / 2, used};
}

}  // namespace mmreplay
