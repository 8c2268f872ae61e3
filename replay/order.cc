#include "replay/order.h"

namespace mmreplay {

ClockError::ClockError(std::optional<std::string_view> clock, bool ticks) {
  // counter is one shared atomic; global never runs backwards across cpus (kernel/trace/
  // trace_clock.c: trace_clock_global), mono and boot read one timekeeper: different stamps are
  // ordered, equal ones are not. local and perf are per cpu: synchronised TSCs and arm64's system
  // counter agree to well below a microsecond, the resolution of the text. Of a clock whose name
  // the recording does not tell, the same is assumed; lock hand-overs correct it.
  bool coherent = clock && (*clock == "global" || *clock == "counter" || clock->starts_with("mono") ||
                            *clock == "boot" || *clock == "tai");
  base_ = coherent || ticks ? 0 : 1000;
}

bool ClockError::Proves(const Moment& first, const Moment& second) const {
  return OrderOf(first, second, *this).before == Before::kYes;
}

Ordering OrderOf(const Moment& first, const Moment& second, const ClockError& clock) {
  auto yes_no = [](bool yes) { return yes ? Before::kYes : Before::kNo; };
  bool same_task = first.pid && second.pid && *first.pid == *second.pid && Value(*first.pid) != 0;
  bool same_cpu = first.cpu && second.cpu && *first.cpu == *second.cpu;
  if (same_task || same_cpu) return {yes_no(Value(first.event) < Value(second.event)), EventOrder::kSameCpu};
  if (!first.ts || !second.ts) return {Before::kOpen, EventOrder::kOpen};
  // Unsigned, for stamps at the ends of 64 bits.
  bool first_is_lower = *first.ts < *second.ts;
  auto low = static_cast<uint64_t>(first_is_lower ? *first.ts : *second.ts);
  auto high = static_cast<uint64_t>(first_is_lower ? *second.ts : *first.ts);
  if (high - low <= static_cast<uint64_t>(clock.bound())) return {Before::kOpen, EventOrder::kOpen};
  return {yes_no(first_is_lower), EventOrder::kApart};
}

}  // namespace mmreplay
