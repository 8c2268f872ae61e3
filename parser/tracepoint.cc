#include "parser/tracepoint.h"

#include <algorithm>
#include <unordered_map>

#include "parser/lines.h"

namespace mmreplay {

const std::unordered_map<std::string_view, Tracepoint>& TracepointsByName() {
  static const std::unordered_map<std::string_view, Tracepoint> by_name = {
      {"page_ref_set", Tracepoint::kPageRefSet},
      {"page_ref_mod", Tracepoint::kPageRefMod},
      {"page_ref_mod_and_test", Tracepoint::kPageRefModAndTest},
      {"page_ref_mod_and_return", Tracepoint::kPageRefModAndReturn},
      {"page_ref_mod_unless", Tracepoint::kPageRefModUnless},
      {"page_ref_freeze", Tracepoint::kPageRefFreeze},
      {"page_ref_unfreeze", Tracepoint::kPageRefUnfreeze},
      {"mm_page_alloc", Tracepoint::kPageAlloc},
      {"mm_page_free", Tracepoint::kPageFree},
      {"mm_filemap_add_to_page_cache", Tracepoint::kAddToPageCache},
      {"mm_filemap_delete_from_page_cache", Tracepoint::kDeleteFromPageCache},
      {"lock_acquire", Tracepoint::kLockAcquire},
      {"lock_contended", Tracepoint::kLockContended},
      {"lock_acquired", Tracepoint::kLockAcquired},
      {"lock_release", Tracepoint::kLockRelease},
      {"contention_begin", Tracepoint::kContentionBegin},
      {"contention_end", Tracepoint::kContentionEnd},
      {"sched_switch", Tracepoint::kSchedSwitch},
      {"sched_waking", Tracepoint::kSchedWaking},
      {"sched_wakeup", Tracepoint::kSchedWakeup},
      {"sched_wakeup_new", Tracepoint::kSchedWakeup},
      {"sched_process_fork", Tracepoint::kSchedFork},
      {"mm_migrate_pages_start", Tracepoint::kMigratePagesStart},
      {"mm_migrate_pages", Tracepoint::kMigratePages},
      {"set_migration_pmd", Tracepoint::kSetMigrationPmd},
      {"remove_migration_pmd", Tracepoint::kRemoveMigrationPmd},
      {"set_migration_pte", Tracepoint::kSetMigrationPte},
      {"remove_migration_pte", Tracepoint::kRemoveMigrationPte},
  };
  return by_name;
}

Tracepoint TracepointNamed(std::string_view name) {
  auto found = TracepointsByName().find(name);
  return found == TracepointsByName().end() ? Tracepoint::kNone : found->second;
}

bool BeginsTracepoint(std::string_view text) {
  const auto& by_name = TracepointsByName();
  return std::any_of(by_name.begin(), by_name.end(),
                     [&](const auto& known) { return known.first.starts_with(text); });
}

bool PrintsText(std::string_view name) {
  return name == "tracing_mark_write" || name == "print" || name == "bprint" || name == "bputs" ||
         name == "console" || name == "bpf_trace_printk";
}

bool HasReturn(PageRefOp op) {
  return op != PageRefOp::kSet && op != PageRefOp::kMod && op != PageRefOp::kUnfreeze;
}

// PG_locked is bit 0 in every kernel; PG_waiters is bit 7 from 4.10 to 6.5 and PG_head moved more than once,
// so only a name tells those. PG_hwpoison is one of bits 16 to 25.
PageFlags PageFlagsOfBits(uint64_t bits) {
  PageFlags flags{.locked = bits & 1 ? FlagState::kSet : FlagState::kClear};
  if ((bits >> 16 & 0x3ff) == 0) flags.hwpoison = FlagState::kClear;
  return flags;
}

// The spin_lock_init() argument text names the class: ptlock_ptr(page) (to 6.5),
// ptlock_ptr(ptdesc) (6.6+), &(ptlock_ptr(page))->rlock (3.x-5.0), and the mm-wide lock where
// page-table locks are not split.
LockClass ClassOfLock(std::string_view name) {
  if (name.empty()) return LockClass::kUnknown;
  if (name.find("ptlock_ptr(") != kNotFound || name.find("mm->page_table_lock") != kNotFound)
    return LockClass::kPageTable;
  return LockClass::kOther;
}

// TASK_INTERRUPTIBLE is 1 and TASK_UNINTERRUPTIBLE 2 in all kernels, and
// what a sleeping task can be lies below 256. The bit for "preempted" stands above all others and moved:
// TASK_REPORT_MAX 0x100 since 4.14, TASK_STATE_MAX 0x400 to 0x2000 before.
SleepState SleepStateOfBits(uint64_t state) {
  if (state & 2) return SleepState::kUninterruptible;
  if (state & 0xff) return SleepState::kOther;
  if (state == 0 || state == 0x100 || (state >= 0x400 && state <= 0x2000)) return SleepState::kRunning;
  return SleepState::kUnknown;
}

}  // namespace mmreplay
