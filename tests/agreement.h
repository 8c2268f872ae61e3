// A binary recording against what its own tool printed of it: the same events, with name, pid, cpu and time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mmreplay {

// One event, or one loss of events of a cpu (name is empty, `lost` how many: -1 where it is not said).
struct PrintedEvent {
  std::string name;
  int64_t pid = 0;
  int64_t cpu = 0;
  int64_t time = 0;
  int64_t lost = 0;
  auto operator<=>(const PrintedEvent&) const = default;
};

// `path` is a folder or archive with the recording and the tool's print of it. Prints the figures.
void CheckAgreement(const std::string& path);

}  // namespace mmreplay
