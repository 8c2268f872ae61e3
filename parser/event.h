// What the format readers hand to the replay and to the store: one Event per recorded event,
// understood or not, in the order of the input.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "parser/string_table.h"

namespace mmreplay {

// Ordinal of an event in its recording, from 1. Identity and file order.
enum class EventId : int64_t {};
// Page frame number.
enum class Pfn : uint64_t {};
// A kernel virtual address as printed: struct page, folio, lock, page-table entry.
enum class KernelAddress : uint64_t {};
// ftrace's pid is the task id (user space calls it tid); tgid is the process.
enum class Pid : int32_t {};

constexpr int64_t Value(EventId id) {
  return static_cast<int64_t>(id);
}
constexpr uint64_t Value(Pfn pfn) {
  return static_cast<uint64_t>(pfn);
}
constexpr uint64_t Value(KernelAddress address) {
  return static_cast<uint64_t>(address);
}
constexpr int32_t Value(Pid pid) {
  return static_cast<int32_t>(pid);
}

// ---- page reference counts (page_ref:*, CONFIG_DEBUG_PAGE_REF, include/trace/events/page_ref.h) ----

enum class PageRefOp : uint8_t {
  kSet = 0,           // page_ref_set: set_page_count, init_page_count
  kMod = 1,           // page_ref_mod: get_page and friends, result unused
  kModAndTest = 2,    // page_ref_mod_and_test: put_page; ret=1 when the count reached 0
  kModAndReturn = 3,  // page_ref_mod_and_return: ret is the exact new count
  kModUnless = 4,     // page_ref_mod_unless: get_page_unless_zero; ret=1 when taken
  kFreeze = 5,        // page_ref_freeze: count == val -> 0, ret=1 when done
  kUnfreeze = 6,      // page_ref_unfreeze: count = val
};

// A page flag as far as the printed flags tell.
enum class FlagState : uint8_t { kUnknown, kClear, kSet };

struct PageFlags {
  FlagState locked = FlagState::kUnknown;
  FlagState waiters = FlagState::kUnknown;
  FlagState head = FlagState::kUnknown;
  FlagState hwpoison = FlagState::kUnknown;
  bool operator==(const PageFlags&) const = default;
};

struct PageRef {
  PageRefOp op;
  Pfn pfn;
  int32_t val;
  std::optional<int32_t> ret;
  std::optional<int32_t> count;  // sampled after the operation, not atomically with it
  PageFlags flags;
  bool operator==(const PageRef&) const = default;
};

// ---- page allocator (kmem:*) ----

struct PageAlloc {
  Pfn pfn;
  uint32_t order;
  std::optional<KernelAddress> page;  // as printed: raw, or hashed when it fits 32 bits
  bool operator==(const PageAlloc&) const = default;
};

struct PageFree {
  Pfn pfn;
  uint32_t order;
  std::optional<KernelAddress> page;
  bool operator==(const PageFree&) const = default;
};

// ---- page cache (filemap:*) ----

// mm_filemap_add_to_page_cache, mm_filemap_delete_from_page_cache: the page belongs to a file.
struct PageCacheEvent {
  bool added;
  Pfn pfn;
  bool operator==(const PageCacheEvent&) const = default;
};

// ---- locks (lock:*) ----

enum class LockClass : uint8_t { kUnknown, kPageTable, kOther };
enum class LockStep : uint8_t { kAcquire, kContended, kAcquired, kRelease };

// lock_* print the address of the lockdep map, contention_* that of the lock: never equal.
struct LockEvent {
  LockStep step;
  KernelAddress lock;
  LockClass lock_class;  // kUnknown where the class name was printed empty
  bool operator==(const LockEvent&) const = default;
};

struct ContentionEvent {
  bool begin;
  KernelAddress lock;
  bool operator==(const ContentionEvent&) const = default;
};

// ---- scheduler ----

enum class SleepState : uint8_t {
  kRunning,          // R, R+: preempted
  kUninterruptible,  // D, also as D|K
  kOther,            // S and the rest
  kUnknown,          // printed as a number or not at all
};

struct SchedSwitch {
  Pid prev;
  Pid next;
  SleepState prev_state;
  bool operator==(const SchedSwitch&) const = default;
};

// sched_waking, emitted before the wake-up on the waker's cpu; sched_wakeup after it.
struct SchedWaking {
  Pid pid;
  bool done;  // sched_wakeup, sched_wakeup_new
  bool operator==(const SchedWaking&) const = default;
};

// sched_process_fork: emitted by the parent before the child is put on a run queue (kernel/fork.c of 6.1:
// kernel_clone).
struct SchedFork {
  Pid child;
  bool operator==(const SchedFork&) const = default;
};

// ---- migration ----

// mm_migrate_pages_start, mm_migrate_pages: the bracket of one migrate_pages() call.
struct MigratePages {
  bool start;
  std::string_view reason;
  bool operator==(const MigratePages&) const = default;
};

// set_migration_pmd/pte and remove_migration_pmd/pte, emitted under the page-table lock after the
// entry was written (mm/huge_memory.c, mm/rmap.c, mm/migrate.c of 6.1).
struct MigrationEntry {
  bool set;
  bool pmd;  // else pte
  uint64_t address;
  uint64_t value;  // raw page-table entry; decoded by architecture, see PteDecoder
  bool operator==(const MigrationEntry&) const = default;
};

// ---- probed kernel functions ----

enum class KernelFunction : uint8_t {
  kOther = 0,
  // waits on a page
  kWaitOnPageBit,
  kWaitOnPageBitKillable,
  kFolioWaitBit,
  kFolioWaitBitKillable,
  kLockPage,
  kFolioLock,
  kPutAndWaitOnPageLocked,
  kFolioPutWaitLocked,
  kMigrationEntryWaitOnLocked,
  // faults that meet a migration or a NUMA hint
  kMigrationEntryWait,
  kPteMigrationEntryWait,
  kPmdMigrationEntryWait,
  kHugeMigrationEntryWait,
  kDoHugePmdNumaPage,
  kPmdTransMigrating,
  kHandleMmFault,
  kHugetlbFault,
  kLockOrRetry,
  // migration
  kMigrateMisplacedTranshugePage,
  kMigrateMisplacedPage,
  kMigratePages,
  kFolioMigrateMapping,
  kFolioMigrateFlags,
  kMoveToNewPage,
  kSetPmdMigrationEntry,
  kRemoveMigrationPmd,
  kTryToMigrate,
  kRemoveMigrationPtes,
  // page state
  kIsolateLruPage,
  kPutbackLruPage,
  kUnlockPage,
  kFreeCompoundPage,
  kPutPageFinal,
  kBadPage,
};

// What a probed argument is, whatever the user called the field.
enum class ProbeRole : uint8_t {
  kPage,       // struct page or folio the call is about; the source of a migration
  kNewPage,    // destination of a migration
  kBit,        // PG_* bit number waited for
  kPtl,        // spinlock_t of the page table
  kPte,        // pointer to the pte or pmd
  kSwapEntry,  // swp_entry_t of a migration entry
  kReturn,     // return value
  kPageFlags,  // page->flags, fetched by the probe
  kPageCount,  // page->_refcount, fetched by the probe
};

// The fields of one probe hit that have a known role, none twice. At most kMax are kept: as many as any probe
// has, two of its function's parameters, and a page's flags and count.
class ProbeFields {
 public:
  static constexpr size_t kMax = 4;
  void Set(ProbeRole role, uint64_t value) {
    if (size_ == kMax || Get(role)) return;
    values_[size_] = value;
    roles_[size_++] = role;
  }
  std::optional<uint64_t> Get(ProbeRole role) const {
    for (size_t i = 0; i < size_; ++i) {
      if (roles_[i] == role) return values_[i];
    }
    return std::nullopt;
  }
  std::optional<KernelAddress> Address(ProbeRole role) const {
    auto value = Get(role);
    if (!value) return std::nullopt;
    return static_cast<KernelAddress>(*value);
  }
  bool operator==(const ProbeFields&) const = default;

 private:
  std::array<uint64_t, kMax> values_{};
  std::array<ProbeRole, kMax> roles_{};
  uint8_t size_ = 0;
};

struct FunctionEntry {
  KernelFunction function;
  StringId symbol;
  ProbeFields fields;
  bool operator==(const FunctionEntry&) const = default;
};

struct FunctionReturn {
  KernelFunction function;
  KernelFunction caller;  // the function the probed one returns into
  StringId symbol;
  ProbeFields fields;
  bool operator==(const FunctionReturn&) const = default;
};

// What an event line is: its name alone may be shared. Values are stored.
enum class EventShape : uint8_t {
  kEvent = 0,   // a tracepoint, or text
  kProbe = 1,   // name: (function+0x0/0x20) ...
  kReturn = 2,  // name: (caller+0x1f/0x80 <- function) ...
};

// Recorded, stored, but without meaning for the model.
struct Opaque {
  bool operator==(const Opaque&) const = default;
};

using Payload = std::variant<Opaque, PageRef, PageAlloc, PageFree, PageCacheEvent, LockEvent, ContentionEvent,
                             SchedSwitch, SchedWaking, SchedFork, MigratePages, MigrationEntry, FunctionEntry,
                             FunctionReturn>;

// Where the arguments of an event are, verbatim: see Batch::Args.
struct ArgsPlace {
  static constexpr uint32_t kOwned = uint32_t{1} << 31;

  uint32_t at = 0;  // in the batch's text; with kOwned: which of its owned texts they are
  uint32_t size = 0;

  bool is_owned() const { return (at & kOwned) != 0; }
};

struct Event {
  EventId id;
  std::optional<int64_t> ts;  // ns, or ticks of an integer clock
  std::optional<int32_t> cpu;
  std::optional<Pid> pid;
  std::optional<int32_t> tgid;
  StringId comm;
  StringId name;
  StringId context;  // the flag columns verbatim, empty where not printed
  // Not 0: the arguments are the binary record, of which RecordLayouts::Text() makes the text.
  uint32_t layout = 0;
  ArgsPlace args;
  int64_t line;
  Payload payload;
  uint32_t source = 0;  // of several files that make up the trace; `line` counts in it
  // Set where fields are typed (typed_fields.h): kind, and the event's values in its batch.
  uint32_t kind = 0;
  uint32_t first_field = 0;
  uint16_t field_count = 0;
  bool in_interrupt : 1 = false;  // hard or soft irq or nmi: not the task's own program order
  bool copy : 1 = false;          // the same event was recorded in another buffer, too: its payload is Opaque
  bool unreadable : 1 = false;    // so it is: what counts in it could not be read
};
// There are as many in memory as 16 MiB of a trace hold, each is written and read by three threads.
static_assert(sizeof(Event) == 152);

// One typed field of an event.
struct FieldValue {
  enum class Type : uint8_t { kNull, kInteger, kText };
  Type type = Type::kNull;
  int64_t number = 0;     // 64 bits, two's complement
  std::string_view text;  // borrowed from the batch
};

// Of what is about all cpus, or about one that is not known.
inline constexpr int32_t kAnyCpu = -1;

// A place in the event stream where a cpu's events are missing.
struct LossMarker {
  enum class Kind : uint8_t {
    kLost,           // CPU:3 [LOST 5255 EVENTS]
    kBufferStarted,  // ##### CPU 3 buffer started ####
    // No lines of the trace: what an EventFilter leaves out, see there. Of no cpu.
    kStretchBegins,  // events before it were left out
    kStretchEnds,    // events after it were left out
    kLeftOut,        // events with a meaning to the model are left out from here on
    kNextBoot,       // another boot of the machine goes on, or another kernel's recording; of no cpu
    kUnreadable,     // an event, or a piece of the trace, could not be read: what it told is missing
  };
  Kind kind;
  int32_t cpu;
  std::optional<int64_t> lost;
  int64_t line;
  EventId next_event;  // id the event after the marker gets, if there is one
};

struct StackFrame {
  EventId event;
  int32_t depth;  // 0 is the innermost
  std::string_view text;
};

}  // namespace mmreplay
