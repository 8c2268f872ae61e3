#include "parser/buffer_copies.h"

#include <functional>

namespace mmreplay {

std::string_view BufferCopies::SubjectOf(std::string_view args) {
  size_t place = args.starts_with('(') ? args.find(") ") : std::string_view::npos;
  return args.substr(0, args.find(' ', place == std::string_view::npos ? 0 : place + 2));
}

std::string BufferCopies::Note(std::string_view event, std::string_view buffer) {
  std::string where = buffer.empty() ? "the top buffer" : "buffer " + std::string(buffer);
  return std::string(event) + " was recorded in " + where +
         " as well as in another buffer: the second copies are stored and not replayed";
}

bool BufferCopies::IsCopy(uint32_t buffer, StringId name, int32_t cpu, int32_t pid,
                          std::string_view subject) {
  constexpr size_t kMix = 0x9e3779b97f4a7c15;
  size_t what = std::hash<std::string_view>()(subject);
  what = (what ^ static_cast<size_t>(name)) * kMix;
  what = (what ^ static_cast<size_t>(static_cast<uint32_t>(pid))) * kMix;
  if (cpus_.size() >= kMostCpus && !cpus_.contains(cpu)) cpus_.clear();
  Cpu& of_cpu = cpus_[cpu];
  // Which of the buffers that a bit stands for matters only where there are more than 64.
  uint64_t bit = uint64_t{1} << buffer % 64;
  for (size_t back = 1; back <= of_cpu.latest.size(); ++back) {
    Seen& seen = of_cpu.latest[(of_cpu.next - back) % of_cpu.latest.size()];
    if (seen.what != what || seen.buffer == buffer || (seen.copied_to & bit) != 0) continue;
    seen.copied_to |= bit;
    return true;
  }
  of_cpu.latest[of_cpu.next % of_cpu.latest.size()] = {what, buffer, 0};
  ++of_cpu.next;
  return false;
}

}  // namespace mmreplay
