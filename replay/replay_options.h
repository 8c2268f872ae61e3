// What a recording says about itself that the replay goes by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parser/memory_budget.h"
#include "parser/probe_definitions.h"
#include "parser/probe_signatures.h"
#include "replay/pte.h"

namespace mmreplay {

// All of it may be unknown.
struct ReplayOptions {
  Architecture architecture = Architecture::kUnknown;
  std::optional<KernelRelease> release;  // chooses entry layouts, no more
  int page_shift = 12;
  std::optional<std::string> clock;
  bool ticks = false;
  // Functions with a return probe in the recording's definitions.
  std::vector<KernelFunction> return_probes;
  std::vector<KernelFunction> entry_probes;
  // Events at the head of the trace were overwritten before it was read: on these cpus, or on
  // every cpu where the list is empty.
  bool head_overwritten = false;
  std::vector<int32_t> overwritten_cpus;
  // Events at the end found these cpus' buffers full (options/overwrite 0).
  std::vector<int32_t> full_cpus;
  MemoryBudget memory = MemoryBudget();
};

}  // namespace mmreplay
