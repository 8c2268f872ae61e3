#include "replay/record_order.h"

#include <algorithm>

namespace mmreplay {

void RecordOrder::See(const Event& event) {
  // A copy's place is that of another buffer.
  if (broken_at_ || !event.ts || event.copy) return;
  // NR_CPUS is 8192 at most (arch/x86/Kconfig); more are made up.
  constexpr int32_t kCpus = 8192;
  // Where no cpu is told the file was sorted by time.
  int32_t number = event.cpu.value_or(-1);
  if (number < -1 || number >= kCpus) return;
  auto index = static_cast<size_t>(number) + 1;  // -1 is the first
  if (index >= cpus_.size()) cpus_.resize(index + 1);
  Cpu& cpu = cpus_[index];
  ++seen_;
  SeeLate(event);
  if (!cpu.latest || *event.ts >= *cpu.latest) {
    if (cpu.latest) settled_ = std::max(settled_, *cpu.latest);
    cpu.before = cpu.latest;
    cpu.latest = event.ts;
    cpu.behind = false;
  } else if (!cpu.before || *event.ts >= *cpu.before) {
    cpu.latest = event.ts;  // the one that was the latest stands alone
    SeeStray(event);
  } else if (!cpu.behind) {
    cpu.behind = true;
    SeeStray(event);
  } else {
    broken_at_ = event.line;
  }
}

void RecordOrder::SeeLate(const Event& event) {
  constexpr int64_t kFarBehind = 100'000'000;  // ns
  constexpr int64_t kFew = 8;
  constexpr int64_t kOneIn = 20;
  bool late = !ticks_ && settled_ > INT64_MIN + kFarBehind && *event.ts < settled_ - kFarBehind;
  late_ += late;
  if (late && late_ > kFew + seen_ / kOneIn) broken_at_ = event.line;
}

void RecordOrder::SeeStray(const Event& event) {
  constexpr int64_t kFew = 2;
  constexpr int64_t kOneIn = 100;
  ++strays_;
  if (strays_ > kFew + seen_ / kOneIn) broken_at_ = event.line;
}

}  // namespace mmreplay
