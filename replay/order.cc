#include "replay/order.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace mmreplay {
namespace {

constexpr int64_t kLikely = 50'000;  // ns

bool SameCpu(const Moment& a, const Moment& b) {
  return a.cpu && b.cpu && *a.cpu == *b.cpu;
}

bool SameTaskOrCpu(const Moment& a, const Moment& b) {
  bool same_task = a.pid && b.pid && *a.pid == *b.pid && Value(*a.pid) != 0;
  return same_task || SameCpu(a, b);
}

// Of the stamps; 0 where one is not known. Unsigned, for stamps at the ends of 64 bits.
uint64_t DistanceOf(const Moment& a, const Moment& b) {
  if (!a.ts || !b.ts) return 0;
  auto one = static_cast<uint64_t>(*a.ts);
  auto other = static_cast<uint64_t>(*b.ts);
  return *a.ts < *b.ts ? other - one : one - other;
}

}  // namespace

ClockError::ClockError(std::optional<std::string_view> clock, bool ticks)
    : ticks_(ticks), named_(clock.has_value()) {
  // counter is one shared atomic, uptime one counter of jiffies; global never runs backwards across cpus
  // (kernel/trace/trace_clock.c: trace_clock_global), mono and boot read one timekeeper: different stamps
  // are ordered, equal ones are not. local and perf are per cpu: synchronised TSCs and arm64's system counter
  // agree to well below a microsecond, the resolution of the text. Of a clock whose name the recording does
  // not tell, the same is assumed; lock hand-overs correct it. x86-tsc reads the same TSCs, in ticks of a
  // third to one ns.
  bool coherent = clock && (*clock == "global" || *clock == "counter" || clock->starts_with("mono") ||
                            *clock == "boot" || *clock == "tai" || *clock == "uptime");
  known_.likely = coherent ? 0 : 1000;
  jiffies_ = clock && *clock == "uptime";
}

void ClockError::KnowOnlyPart() {
  if (!ticks_) known_.likely = std::max(known_.likely, kLikely);
}

void ClockError::Adopt(const ClockBound& known) {
  known_.likely = std::max(known_.likely, known.likely);
  known_.learned = std::max(known_.learned, known.learned);
}

void ClockError::HandOver(int32_t from_cpu, int32_t to_cpu, int64_t later_by) {
  if (!ticks_ && later_by > 0 && later_by <= kLikely) known_.learned = std::max(known_.learned, later_by);
  // NR_CPUS is 8192 at most (arch/x86/Kconfig); more are made up, and none of them happens again and again.
  constexpr size_t kCpus = 8192;
  for (auto [cpus, cpu] : {std::pair(&late_, from_cpu), std::pair(&early_, to_cpu)}) {
    if (cpus->size() < kCpus || cpus->contains(cpu)) Learn(&(*cpus)[cpu], later_by);
  }
}

void ClockError::Learn(Evidence* cpu, int64_t later_by) {
  constexpr size_t kOften = 3;
  constexpr size_t kOneIn = 50;
  constexpr size_t kKept = 64;
  ++cpu->hand_overs;
  std::vector<int64_t>& all = cpu->contradictions;
  if (later_by <= 0 || all.size() >= kKept) return;
  all.insert(std::upper_bound(all.begin(), all.end(), later_by), later_by);
  if (all.size() < kOften || all.size() * kOneIn < static_cast<size_t>(cpu->hand_overs)) return;
  // They are spread over 0 to the error, which may be above the largest that happened to be seen; a lost
  // event among them may be far above it.
  constexpr int64_t kSpread = 4;  // times the median
  int64_t median = std::min(all[all.size() / 2], std::numeric_limits<int64_t>::max() / (2 * kSpread));
  int64_t seen = std::min(all.back(), kSpread * median);
  known_.learned =
      std::max(known_.learned, seen + std::min(seen, std::numeric_limits<int64_t>::max() - seen));
}

bool ClockError::Proves(const Moment& first, const Moment& second) const {
  return OrderOf(first, second, *this).before == Before::kYes;
}

void SyncEdges::Add(const SyncEdge& edge) {
  constexpr size_t kKept = 8;
  if (edges_.size() == kKept) edges_.erase(edges_.begin());
  edges_.push_back(edge);
}

const SyncEdge* SyncEdges::From(const Moment& other, EventId own) const {
  for (const SyncEdge& edge : edges_) {
    // What its task, or its cpu, had done when it let this one go on.
    bool of_other = SameTaskOrCpu(edge.out, other) && Value(other.event) <= Value(edge.out.event);
    if (of_other && Value(edge.in) <= Value(own)) return &edge;
  }
  return nullptr;
}

Ordering OrderOf(const Moment& first, const Moment& second, const ClockError& clock,
                 const SyncEdges* to_second) {
  auto yes_no = [](bool yes) { return yes ? Before::kYes : Before::kNo; };
  uint64_t distance = DistanceOf(first, second);
  bool apart = distance > static_cast<uint64_t>(clock.bound());
  if (SameTaskOrCpu(first, second)) {
    bool in_file = Value(first.event) < Value(second.event);
    bool contradicted = distance > 0 && (*first.ts < *second.ts) != in_file;
    if (!contradicted) return {yes_no(in_file), EventOrder::kSameCpu};
    // One of the two stands where it does not belong, or its stamp is wrong.
    if (SameCpu(first, second)) return {Before::kOpen, EventOrder::kOpen};
    // The files of single cpus one after the other; or the clocks err.
    return {yes_no(apart ? !in_file : in_file), EventOrder::kSameCpu};
  }
  if (apart) return {yes_no(*first.ts < *second.ts), EventOrder::kApart};
  if (const SyncEdge* edge = to_second ? to_second->From(first, second.event) : nullptr)
    return {Before::kYes, edge->kind};
  return {Before::kOpen, EventOrder::kOpen};
}

}  // namespace mmreplay
