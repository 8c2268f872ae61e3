// What to switch on so that the next recording can be judged: probes and events by kernel version.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parser/probe_signatures.h"

namespace mmreplay {

// What a verdict may rest on.
enum class EvidenceKind : uint8_t {
  kWaits,
  kWaitProbes,  // defined; whether they were on is not known
  kWaitEnds,
  kReferenceCounts,
  kFreesAndAllocations,
  kPageTableLocks,
  kFaults,
  kMigrations,
  kScheduling,
  kConsole,
};

struct RecordingAdvice {
  std::vector<std::string> probes;  // as kprobe_events takes them
  std::vector<std::string> events;  // "kmem:mm_page_free"
  std::string needs;                // of the kernel's configuration; empty where any kernel will do
};

// How to record a kind of evidence. An unknown release gets the forms
// of current kernels, an unknown machine $argN. Kernel functions and their arguments: mm/filemap.c,
// mm/migrate.c and mm/huge_memory.c of 4.4 to 7.0.
RecordingAdvice AdviseRecording(EvidenceKind kind, std::optional<KernelRelease> release,
                                const std::string& machine);

}  // namespace mmreplay
