// What the replay establishes: facts about pages, locks, migrations and waits, each with the events
// that show them. Everything a trace does not show is nullopt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "parser/event.h"
#include "replay/ids.h"

namespace mmreplay {

// How much of a life the trace shows. Values are stored.
enum class LifetimeQuality : uint8_t {
  kComplete = 0,   // allocation and free are recorded
  kInherited = 1,  // lived before its first event
  kOpen = 2,       // still alive when the trace ends
  kInheritedOpen = 3,
  kFreeUnseen = 4,  // allocated again without a recorded free
  kSplit = 5,       // part of a larger block that came apart
};

struct PageLifetime {
  LifetimeId id;
  Pfn pfn;
  std::optional<uint32_t> order;  // nullopt where neither allocation nor free was seen
  std::optional<Moment> alloc;
  std::optional<Moment> free;
  LifetimeQuality quality;
};

// What the model makes of one page_ref event.
struct PageRefResult {
  EventId event;
  std::optional<LifetimeId> lifetime;
  Pfn pfn;
  std::optional<int32_t> delta;     // change of the count; nullopt where it is not known
  std::optional<int32_t> replayed;  // count after the event; nullopt while unknown
  std::optional<int32_t> replayed_lo;
  std::optional<int32_t> replayed_hi;
};

// A page_ref event that was logged out of order, as the counts show: its place among the page's events, and
// the count after it there.
struct RepairedRef {
  EventId event;
  EventId place;  // event whose place it takes
  int32_t replayed;
};

// An event that is about a page in another way: allocation, free, a migration entry, a probe hit.
struct PageEvent {
  EventId event;
  Pfn pfn;
  std::optional<LifetimeId> lifetime;
};

// What the replay makes of one event as it is stored: of its PageRefResult, or of its first PageEvent.
struct PageResult {
  std::optional<Pfn> pfn;
  std::optional<LifetimeId> lifetime;
  std::optional<int32_t> delta;
  std::optional<int32_t> replayed;
  std::optional<int32_t> replayed_lo;
  std::optional<int32_t> replayed_hi;
};

struct PtlHold {
  HoldId id;
  KernelAddress lock;
  std::optional<Pid> pid;
  StringId comm;
  std::optional<Moment> acquire;
  std::optional<Moment> release;
  std::optional<int64_t> contended_ts;
  std::string protects;  // "pmd 0xffff8880036a7f70", "addr 0x7f2fbe200000"; empty: not known
};

// Who had a reference on a page whose migration failed.
struct RefHolders {
  int32_t count = 0;                  // tasks, besides the migrating one
  std::optional<Pid> latest = {};     // the one that took its reference last
  StringId comm{};                    // its name
  std::optional<EventId> taken = {};  // the event that shows it
};

// Values are stored.
enum class MigrationResult : uint8_t {
  kUnknown = 0,
  kMigrated = 1,
  kFailed = 2,
};

struct Migration {
  std::optional<Pid> pid;
  StringId comm;
  std::optional<Pfn> source;
  std::optional<Pfn> destination;
  std::string reason;
  std::optional<Moment> begin;
  std::optional<Moment> end;
  MigrationResult result = MigrationResult::kUnknown;
  std::string why;
  RefHolders holders;  // of the source, where it failed and reference events tell
};

// What kept the page alive while the task queued on it. Values are stored.
enum class Protection : uint8_t {
  kUnknown = 0,
  kNone = 1,
  kReference = 2,
  kQueuedUnderPtl = 4,
};

enum class WaitOutcome : uint8_t {
  kUnknown = 0,
  kWokenAlive = 1,
  kFreedBeforeQueue = 2,
  kFreedWhileQueued = 3,
  kReused = 4,
  kOpen = 5,
};

// How the waiter came to the page: which of the family of patterns a wait is. Values are stored.
enum class WaitPath : uint8_t {
  kUnknown = 0,
  kNumaFault = 1,              // do_huge_pmd_numa_page: a huge page under NUMA migration
  kPmdMigrationEntry = 2,      // pmd_migration_entry_wait: a huge page's migration entry
  kPteMigrationEntry = 3,      // migration_entry_wait, __migration_entry_wait
  kHugetlbMigrationEntry = 4,  // migration_entry_wait_huge
  kPageCache = 5,              // a page of a file, found in the page cache
};

// How the free stands to the beginning of the wait in time.
enum class EventOrder : uint8_t {
  kNone = 0,          // no free
  kOpen = 1,          // different cpus, and nothing proves which was first
  kSameCpu = 2,       // one cpu's buffer, or one task's program
  kApart = 3,         // different cpus, further apart than the clock error
  kCount = 4,         // the wait's probe read a reference count of 0
  kLockHandOver = 5,  // different tasks, one of which took a page-table lock the other had dropped
  kWakeUp = 6,        // one woke the other
  kFork = 7,          // one made the other
};

struct PageWait {
  WaitId id{};
  std::optional<Pid> pid;
  StringId comm{};
  std::optional<Pfn> pfn;
  std::optional<LifetimeId> lifetime;    // in which the waiter found the page
  std::optional<LifetimeId> frame_life;  // of the frame when the wait began
  StringId function{};
  std::optional<int32_t> bit;  // PG_* number waited for
  bool judged = true;          // false for a wait on another bit than PG_locked
  Moment begin;
  std::optional<Moment> end;
  std::optional<EventId> call;  // entry of the function in which the page was found
  StringId call_function{};     // its symbol, where there is a call
  std::optional<HoldId> hold;
  std::optional<EventId> hold_release;
  std::optional<EventId> reference;     // the waiter's own, taken before or dropped after the wait
  std::optional<EventId> asleep;        // it went off its cpu
  std::optional<Moment> woken;          // somebody woke it
  std::optional<Moment> unlocked = {};  // the page's last unlock while it waited
  std::optional<Moment> over = {};      // it ran again, or did something a waiter cannot do
  WaitPath path = WaitPath::kUnknown;
  Protection protection = Protection::kUnknown;
  WaitOutcome outcome = WaitOutcome::kUnknown;
  std::optional<Moment> death;  // the count's fall to 0, or the free
  std::optional<EventId> free;  // mm_page_free of that life
  EventOrder order = EventOrder::kNone;
  std::optional<int64_t> order_ns;     // distance of free and beginning, clock units
  std::optional<int64_t> clock_error;  // the bound it was compared with
  bool gap = false;                    // events are missing during the wait or the lookup before it
  bool weakened = false;               // and they are evidence: one grade less
  std::string_view contract;           // what kernel versions do here, static text; empty: not known
  std::string reason;                  // short key, for counting: "reference taken under the lock"
  std::string why;                     // full sentence with event numbers
};

// What else could explain an anomaly. Values are stored.
enum class Certainty : uint8_t {
  kOpen = 0,        // events that were not recorded
  kIfComplete = 1,  // events of tasks that were not recorded: nothing in a recording of all tasks
  kCertain = 2,     // nothing: the recorded events alone contradict each other
};

struct Anomaly {
  std::string_view invariant;  // I1 ... I15, static text
  Moment at;
  std::optional<Pfn> pfn;
  std::string detail;
  std::string_view kind = {};  // short key, static text: "freed twice"
  Certainty certainty = Certainty::kOpen;
  std::optional<EventId> earlier = {};  // the event it contradicts
  std::optional<LifetimeId> lifetime = {};
};

struct Gap {
  int32_t cpu;
  std::optional<int64_t> from_ts;  // nullopt: from the beginning of the recording
  std::optional<int64_t> to_ts;
  std::optional<int64_t> lost;
};

using Record = std::variant<PageLifetime, PageRefResult, RepairedRef, PageEvent, PtlHold, Migration, PageWait,
                            Anomaly, Gap>;

}  // namespace mmreplay
