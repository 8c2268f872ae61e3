// What is fuzzed: a reader, or more of the program, as a function of one input. Each checks more than that
// nothing crashes, and aborts where what it checks does not hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mmreplay {

struct FuzzTarget {
  std::string_view name;  // of its folder in cases/, too
  bool lines;             // the input is text: mutated line by line
  size_t max_size;        // of an input
  void (*run)(std::string_view input);
  uint32_t cost = 1;  // of a run, in those of a reader
};

// Of all files in this folder.
std::span<const FuzzTarget> TextTargets();
std::span<const FuzzTarget> BinaryTargets();
std::span<const FuzzTarget> PartTargets();
std::span<const FuzzTarget> ReplayTargets();
std::span<const FuzzTarget> PipelineTargets();

// Calls per_target(target) for each.
template <typename PerTarget>
void ForEachTarget(PerTarget&& per_target) {
  for (std::span<const FuzzTarget> targets :
       {TextTargets(), BinaryTargets(), PartTargets(), ReplayTargets(), PipelineTargets()}) {
    for (const FuzzTarget& target : targets) per_target(target);
  }
}

// nullptr where there is none of that name.
const FuzzTarget* FindTarget(std::string_view name);

// Aborts, telling `what`, where it does not hold.
void Require(bool holds, std::string_view what);

}  // namespace mmreplay
