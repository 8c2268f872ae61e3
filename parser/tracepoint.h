// The tracepoints that mean something to the model, by the name the kernel gives them, and what values mean
// that they print as the kernel has them.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "parser/event.h"

namespace mmreplay {

enum class Tracepoint : uint8_t {
  kNone,
  kPageRefSet,
  kPageRefMod,
  kPageRefModAndTest,
  kPageRefModAndReturn,
  kPageRefModUnless,
  kPageRefFreeze,
  kPageRefUnfreeze,
  kPageAlloc,
  kPageFree,
  kAddToPageCache,
  kDeleteFromPageCache,
  kLockAcquire,
  kLockContended,
  kLockAcquired,
  kLockRelease,
  kContentionBegin,
  kContentionEnd,
  kSchedSwitch,
  kSchedWaking,
  kSchedWakeup,
  kSchedFork,
  kMigratePagesStart,
  kMigratePages,
  kSetMigrationPmd,
  kRemoveMigrationPmd,
  kSetMigrationPte,
  kRemoveMigrationPte,
};

// kNone for any other.
Tracepoint TracepointNamed(std::string_view name);
const std::unordered_map<std::string_view, Tracepoint>& TracepointsByName();
// Whether one of their names begins so.
bool BeginsTracepoint(std::string_view text);

// Whether an event of that name prints what anybody may have written.
bool PrintsText(std::string_view name);

// Orders are below MAX_ORDER, which is 11 to 16 (mm/Kconfig, arch/*/Kconfig: ARCH_FORCE_MAX_ORDER); a block
// of 2^40 pages would be walked by the model.
inline constexpr uint64_t kHighestOrder = 16;
// Of the page allocator: its blocks begin at multiples of their size (mm/page_alloc.c: __free_one_page).
inline bool IsBlock(uint64_t pfn, uint64_t order) {
  return order <= kHighestOrder && (pfn & ((uint64_t{1} << order) - 1)) == 0;
}

// What an allocation that failed has in the place of its page (since 4.1).
inline constexpr uint64_t kNoPfn = ~uint64_t{0};

// Whether page_ref_* has a field `ret` (include/trace/events/page_ref.h).
bool HasReturn(PageRefOp op);

// The raw page->flags.
PageFlags PageFlagsOfBits(uint64_t bits);

// By the name lockdep has of it.
LockClass ClassOfLock(std::string_view name);

// The raw prev_state of sched_switch.
SleepState SleepStateOfBits(uint64_t state);

}  // namespace mmreplay
