#include "tests/fuzz/target.h"

#include <cstdio>
#include <cstdlib>

namespace mmreplay {

const FuzzTarget* FindTarget(std::string_view name) {
  const FuzzTarget* found = nullptr;
  ForEachTarget([&](const FuzzTarget& target) {
    if (target.name == name) found = &target;
  });
  return found;
}

void Require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace mmreplay
