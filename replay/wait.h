// Waits of tasks on pages, and what kept each page alive meanwhile: the heart of the model.
//
// Consumes: entry and return probes of wait functions (kernel_contracts.h); everything else comes
// from the other trackers.
//
//   W (waiter)                                 M (releaser)
//   page-table lock taken, page found
//   lock dropped                  <- from here
//   wait function entered                      last reference dropped, page freed
//   queued, asleep                <- to here: something W owns must keep the page alive
//   woken, returns
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "parser/event.h"
#include "replay/ids.h"
#include "replay/kernel_contracts.h"
#include "replay/order.h"
#include "replay/page.h"
#include "replay/records.h"
#include "replay/task.h"

namespace mmreplay {

// How the waiter found the page, as far as the trace tells.
enum class PageLookup : uint8_t {
  kUnseen,     // nothing shows it: a reference may be older
  kPageTable,  // through a page-table entry in the call it is still inside of
  kUnderLock,  // the page-table lock was dropped directly before the wait
};

// What the waiter itself did to the count since it found the page.
enum class OwnReference : uint8_t {
  kNotRecorded,  // no reference events, or not all kinds that could show one
  kNone,         // none taken
  kTakenUnderLock,
  kTakenLate,     // after the page-table lock was dropped
  kTaken,         // taken; no lock event says when
  kPerhapsOlder,  // more taken than dropped during this life, before the lookup
};

struct WaitFacts {
  KernelFunction function = KernelFunction::kOther;
  KernelFunction caller = KernelFunction::kOther;  // where it looks up the page table
  std::optional<int64_t> bit;
  const WaitContract* contract = nullptr;
  PageLookup lookup = PageLookup::kUnseen;
  OwnReference own = OwnReference::kNotRecorded;
  std::optional<EventId> own_event;
  bool gap_in_lookup = false;             // lost events between lookup and wait: own may be wrong
  bool call_missed = false;               // so, because the probe on the call it returns into was not hit
  bool lookup_cut = false;                // the recording begins between lookup and wait: so is own
  bool page_cache = false;                // the page was in the page cache
  bool freed_by_waiter = false;           // the waiter dropped the last reference, in the same call
  std::optional<EventId> put_after;       // the waiter dropped a reference after the wait, taken unseen
  bool references_left_out = false;       // no reference event of the page's life is on record
  bool of_a_tail = false;                 // the address is a tail's, which no caller gives
  bool unrecorded_reference = false;      // counts show a reference taken that is not on record
  std::optional<int64_t> count_at_entry;  // fetched by the probe
  int32_t counted_owners = 0;             // references at entry that are known to be others'
  bool page_known = false;                // the struct page pointer was tied to a pfn

  Moment begin;
  SyncEdges led_by;  // to the beginning
  std::optional<Moment> end;
  std::optional<Moment> not_after;  // the task did something else: the wait was over by then
  bool pooled = false;              // the page that died went to no free list: to a pool of its owner's
  std::optional<Moment>
      awake_from;              // it was not seen to sleep, or woken: without more the wait may be over since
  std::optional<Death> death;  // of the life the waiter looked up
  std::optional<Moment> reused;      // the next life of the frame
  bool reused_unseen = false;        // nothing shows when it began, but that it had before the wait was over
  std::optional<Death> freed_again;  // that life, or a later one, was over when the wait began
  bool gap_before_wait = false;      // lost events between the page's death, or its lookup, and the beginning
  bool gap_in_wait = false;
  bool losing = false;            // of a cpu nothing is on record from before the wait on
  bool found_under_lock = false;  // the lock's release, before the wait, is on record
  bool births_recorded = false;  // lives that begin are on record, whoever begins them
  bool frees_recorded = false;   // likewise lives that end
  bool allocations_recorded = false;  // and those that begin, but for what compaction and its like take
  struct Hold {
    Moment acquire;
    Moment release;
  };
  std::optional<Hold> direct_hold;  // of a page-table lock, taken and dropped directly before
  bool lookup_begins = false;    // the beginning of the call that looks the page up is on record, or its lock's
  bool forgotten = false;      // what was known of the page before it was found was not kept
  bool left_out = false;       // events that decide were left out by a filter
  bool disorder = false;       // events are not in the order they were recorded in
  bool processes = false;      // threads cannot be told apart
  bool cut_off_after = false;  // the recording was cut off before what the waiter did after the wait
};

struct WaitJudgement {
  Protection protection;
  WaitOutcome outcome;
  EventOrder order;
  std::optional<int64_t> order_ns;
  bool judged;         // false: on another bit than PG_locked
  bool weakened;       // lost events intersect the evidence: one grade less
  std::string reason;  // short key
  std::string why;
};

// The decision, from the facts alone. DESIGN.md chapter 4 maps the result to a grade.
WaitJudgement JudgeWait(const WaitFacts& facts, const ClockError& clock);

class WaitTracker {
 public:
  using Emit = std::function<void(Record&&)>;

  // All borrowed, and alive as long as the tracker.
  WaitTracker(Emit emit, PageTracker* pages, const ClockError* clock)
      : emit_(std::move(emit)), pages_(pages), clock_(clock) {}

  struct Entry {
    KernelFunction function;
    StringId symbol;
    StringId probe;  // name of its event
    std::optional<int64_t> bit;
    std::optional<Pfn> pfn;
    std::optional<int64_t> count;
    std::optional<bool> locked;  // PG_locked in the flags the probe fetched
    std::optional<HoldId> hold;  // shown by a probe argument, else the task's last hold
    bool references_recordable = false;
    bool gap_in_lookup = false;
    bool preceded = false;            // the task's own events before the wait are on record
    bool gap_before = false;          // or lost since the latest that is
    std::optional<EventId> last_gap;  // event after the latest loss on any cpu
    bool losing = false;              // and of one nothing is on record since
  };
  void Begin(Task* task, const Moment& at, const Entry& entry);
  // `caller`: the function it returns into, kOther where not known; `caller_probed`: its entry
  // would be on record.
  void End(Task* task, const Moment& at, KernelFunction function, KernelFunction caller, bool caller_probed);
  // The waiting task went off its cpu, uninterruptibly; `return_known`: the wait's end would be on record.
  void OnSleep(const Task& task, const Moment& at, bool return_known);
  // Somebody wakes it.
  void OnWaking(const Task& task, const Moment& at);
  // The waiting task is put on a cpu.
  void OnRun(const Task& task, const Moment& at);
  // It loses its cpu, and would run on.
  void OnPreempted(const Task& task, const Moment& at);
  // PG_locked of the page is cleared.
  // A task sleeps until the page is unlocked, which it was not yet: it is locked.
  bool IsWaitedForUnlock(const Page& page);
  void OnUnlock(const Page& page, const Moment& at);
  // The waiting task did something a waiter cannot do.
  void EndUnseen(Task* task, const Moment& at);
  // What the task waits in; nullopt when it does not.
  std::optional<KernelFunction> WaitingIn(const Task& task);
  // `page` may be null.
  bool WaitsFor(const Task& task, const Page* page);

  void OnDeath(const Page& page);
  void OnUnrecordedReference(const Page& page, EventId after);
  // A filter of the recording would have left this one out, too.
  void OnFirstReference(const Page& page);
  void OnUnmatchedPut(const Page& page, const Task& task, const Moment& at);
  void OnNewLife(const Page& old_life, const Moment& at, bool unseen);
  // A cpu's events after `last` (from the beginning where it has none) up to here are missing. kUnknownCpu:
  // it is not known which cpu's.
  static constexpr int32_t kUnknownCpu = INT32_MIN;
  void OnGap(int32_t cpu, std::optional<EventId> last);

  // A wait on the page is not told of yet.
  bool Keeps(const Page& page) const {
    return std::any_of(page.waits.begin(), page.waits.end(), [&](WaitId id) { return Value(id) >= first_; });
  }

  // The recording is part of a longer one: its events before here, or after, were left out.
  void OnStretchBegin() { begin_cut_ = true; }
  void OnStretchEnd() { end_cut_ = true; }
  // Nothing that is not emitted yet can be judged: events of any kind were left out, or they are not in the
  // order they were recorded in.
  // Or the recording tells processes for tasks.
  enum class Blindness : uint8_t { kNone, kLeftOut, kDisorder, kProcesses };
  void OnBlinded(Blindness why) {
    if (blindness_ == Blindness::kNone) blindness_ = why;
  }

  // What the recording shows, so far: page_ref_set, and events of all tasks.
  void Learn(bool births, bool all_tasks) {
    sees_births_ = births;
    all_tasks_ = all_tasks;
  }

  void Finish();

 private:
  struct Wait {
    PageWait record;
    WaitFacts facts;
    Task* task = nullptr;
    StringId probe{};
    uint64_t scope = 0;  // of the task, when it began to wait
    bool preceded = false;
    bool gap_before = false;
    std::optional<Pfn> asked;  // of the argument; record.pfn is the block's head
    bool closed = false;
    std::optional<int32_t> cpu;     // of the waiter's call so far
    bool moved = false;             // it was on several
    std::optional<Moment> went_on;  // it ran after its sleep for longer than a look at the bit takes
  };

  Wait* Get(WaitId id);
  bool Directly(const Task& task, const Moment& first, const Moment& later) const;
  bool IsSoonAfter(const Task& task, const Moment& first, const Moment& later) const;
  OwnReference OwnReferenceOf(const std::vector<RefTaker>& takers, const Task& task, const WaitFacts& facts,
                              std::optional<EventId>* taken) const;
  void Close(Wait* wait);
  void EmitWait(Wait& wait);

  Emit emit_;
  PageTracker* pages_;
  const ClockError* clock_;
  int64_t next_wait_ = 1;
  std::deque<Wait> waits_;     // those not emitted yet, by id; front is first_
  int64_t first_ = 1;          // id of waits_.front()
  std::deque<WaitId> closed_;  // of them, in the order in which they were
  int64_t closings_ = 0;
  int64_t under_way_ = 1;  // waits from here on may not know of the latest gap
  // The latest gap of a cpu, and the waits and closings it was told of.
  struct ToldGap {
    bool any = false;
    std::optional<EventId> last = {};
    int64_t begun = 1;
    int64_t closings = 0;
  };
  std::unordered_map<int32_t, ToldGap> told_gaps_;
  bool sees_births_ = false;
  bool all_tasks_ = false;
  bool begin_cut_ = false;
  bool end_cut_ = false;
  Blindness blindness_ = Blindness::kNone;
};

}  // namespace mmreplay
