#include "cli/allocator.h"

#include <sys/types.h>

#include <climits>
#include <cstddef>

// An analysis fills some hundred MiB and is over. Its time is that of page faults, to a third where a
// hypervisor shadows page tables: huge pages (madvise; transparent_hugepage=never leaves it at small ones)
// make 3,000 of 35,000 at a million events. All threads take from one arena: what one gives back the others
// use, and each has its own cache before it. Read before main().
extern "C" {
const char* malloc_conf = "thp:always,metadata_thp:auto,narenas:1";
int mallctl(const char* name, void* old, size_t* old_size, void* value, size_t size) noexcept
    __attribute__((weak));
}

namespace mmreplay {

void KeepLittleFreeMemory(FreeMemory goes) {
  static ssize_t kept = SSIZE_MAX;
  ssize_t milliseconds = goes == FreeMemory::kAtOnce ? 100 : 500;
  if (!mallctl || milliseconds >= kept) return;
  kept = milliseconds;
  mallctl("arena.0.dirty_decay_ms", nullptr, nullptr, &milliseconds, sizeof milliseconds);
  mallctl("arena.0.muzzy_decay_ms", nullptr, nullptr, &milliseconds, sizeof milliseconds);
}

}  // namespace mmreplay
