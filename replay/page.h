// Pages: their lives, their reference counts, who took references.
//
// Consumes: kmem:mm_page_alloc, kmem:mm_page_free (always available); page_ref:* (CONFIG_DEBUG_PAGE_REF);
// entries of compound destructors and last puts (probes). mm_page_free_batched fires in addition to
// mm_page_free and says nothing new.
//
//   allocator              owner                     last owner
//   page_ref_set 1
//   mm_page_alloc ------->  page_ref_mod +1 ... -1 -> page_ref_mod_and_test -1 ret=1   (count 0: death)
//                                                     mm_page_free                     (end of the life)
//
// mm_page_alloc fires after the page was prepared, so a page_ref_set(1) before it belongs to the same
// life; compaction takes pages without mm_page_alloc at all, and page_ref_set(1) alone opens the life.
// mm_page_free fires before the page reaches a free list (mm/page_alloc.c of 6.1).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "parser/event.h"
#include "parser/memory_budget.h"
#include "replay/aging_map.h"
#include "replay/ids.h"
#include "replay/order.h"
#include "replay/records.h"
#include "replay/ref_order.h"
#include "replay/task.h"

namespace mmreplay {

// The end of a life: the moment the last reference went, or the free itself where no reference
// event or probe shows that.
struct Death {
  Moment at;
  // What the releasing task did before: the count fell between this and `at`.
  std::optional<Moment> not_before;
  bool resumed = false;  // it was put on a cpu since then: the count may have fallen long before `at`
  std::optional<EventId> free;
};

// One task's doings with a page's count within one life.
struct RefTaker {
  uint64_t task;  // Task::serial
  std::optional<Pid> pid;
  uint64_t scope;
  int64_t net_in_scope = 0;  // references taken minus dropped since the task's scope began
  int64_t net_in_life = 0;
  std::optional<Moment> last_taken;
  std::optional<HoldId> taken_in;  // innermost page-table lock held at last_taken
  // References are all alike: who took one under a lock and has one still has had one since.
  std::optional<HoldId> kept_since;
  EventId kept_event{};              // when it was taken
  int64_t net_in_hold = 0;           // references taken under that lock and later, minus those dropped since
  bool taken_after_release = false;  // one had been held and dropped in the same scope before it
};

struct Mark {
  EventId event;
  std::optional<Pid> pid;
};

// The count reached 0, and whether PG_locked was set.
struct LastPut {
  Mark mark;
  FlagState locked;
  bool by_put;  // a reference event tells it
};

// An outcome that contradicts the replayed count. An operation that is logged a moment later may have come
// first; until the page's next events show that none did, nothing is said.
struct Contradiction {
  int32_t start;               // count before the first step
  std::vector<RefStep> steps;  // the one that contradicts, and what came after it
  Anomaly anomaly;
  bool too_low;  // the replayed count was: a reference taken is missing
};

struct Page {
  // What every reference event reads, together.
  Pfn pfn;
  std::optional<uint32_t> order;
  LifetimeId life;
  bool alive = true;
  LifetimeQuality quality = LifetimeQuality::kOpen;
  bool allocation_seen = false;  // mm_page_alloc belongs to this life
  bool allocated_twice = false;  // and the free of the life before did not come before it
  bool free_of_before = false;   // it came after it
  bool frozen = false;
  bool migrating_mapped = false;  // by migrate_misplaced_transhuge_page: the mapping's reference
                                  // stays until after the page is unlocked
  bool migration_ending = false;  // the migration entry is gone; unlocking and the last put follow
  bool history_kept = true;       // false: what it was before first_event may have been known, and forgotten
  bool in_page_cache = false;     // it was added to the page cache in this life, or taken out
  // What the invariants need. A contradicted count proves nothing more; what a gap covers neither.
  bool contradicted = false;
  bool below_zero = false;       // told once per life
  bool used_while_free = false;  // reference events after the free: it was allocated without a record
  bool taken_while_free = false;
  std::optional<int32_t> count;  // known reference count
  // The printed count has been above the replayed one since: a reference was taken that is not on
  // record. Counts are sampled late, so one event alone says nothing.
  int32_t excess_run = 0;
  EventId excess_after{};  // last event before the first with an excess
  EventId last_ref{};
  bool refs_on_record = false;  // reference events of this frame, in this life or one before
  int64_t gaps_before = 0;
  std::unique_ptr<Contradiction> unsettled;
  std::unique_ptr<Anomaly> pending;   // a second free, until the page's next event
  std::unique_ptr<Anomaly> negative;  // a count below zero, until the page's next reference event
  int32_t negative_count = 0;         // that count
  std::vector<RefTaker> takers;
  std::optional<LastPut> last_put;  // the count reached 0: the free follows
  std::optional<Death> death;       // of this life

  std::optional<Mark> frozen_at;    // page_ref_freeze, while frozen
  std::optional<Moment> alloc;      // mm_page_alloc, or the page_ref_set that opened the life
  EventId first_event{};            // of this life
  std::vector<WaitId> waits;        // on this life, open ones and recent ones
  std::optional<Pid> migrating_by;  // task that holds the page locked for migration, and a reference
  // The life before this one, for waits that looked the page up in it.
  std::optional<LifetimeId> previous_life;
  std::optional<Death> previous_death;
  std::vector<RefTaker> previous_takers;
};

struct PageStats {
  int64_t ref_anchors = 0;  // reference events whose outcome is certain, on pages of known count
  int64_t ref_anchors_matched = 0;
  std::optional<EventId> first_mismatch;
  // Below zero, which no other number bears out: a line is damaged, or a reference was dropped twice.
  int64_t counts_contradicted = 0;
  int64_t pages_forgotten = 0;       // that were dead
  int64_t live_pages_forgotten = 0;  // for want of memory
};

class PageTracker {
 public:
  using Emit = std::function<void(Record&&)>;
  // The page's life ended, or a new one began on its frame: waits on it want to know.
  using OnDeath = std::function<void(const Page&)>;
  // `unseen`: it began at some time between the old one's end and `at`.
  using OnNewLife = std::function<void(const Page& old_life, const Moment& at, bool unseen)>;
  using OnFirstReference = std::function<void(const Page&)>;  // on record of its frame
  // The counts show that somebody took a reference after `after` that is not on record.
  using OnUnrecordedReference = std::function<void(const Page&, EventId after)>;
  // A task dropped a reference it was not seen to take since its present call began.
  using OnUnmatchedPut = std::function<void(const Page&, const Task&, const Moment& at)>;
  // A wait on it is not told of yet: the page is not forgotten.
  using HasWaits = std::function<bool(const Page&)>;

  struct Observers {
    OnDeath on_death;
    OnNewLife on_new_life;
    OnUnrecordedReference on_unrecorded_reference;
    OnFirstReference on_first_reference;
    OnUnmatchedPut on_unmatched_put;
    HasWaits has_waits = {};
  };

  // `clock` is borrowed. `ticks`: its unit is not a nanosecond.
  PageTracker(Emit emit, Observers observers, const ClockError* clock, bool ticks = false,
              const MemoryBudget& budget = MemoryBudget());

  // The page that covers a pfn; nullptr when nothing is known of it. Dead pages stay known for a while.
  Page* Find(Pfn pfn);
  // The same, or a new one that was there before the trace: inherited, everything unknown.
  Page* FindOrInherit(Pfn pfn, const Moment& at);

  void OnAlloc(const PageAlloc& alloc, const Moment& at);
  void OnFree(const PageFree& free, const Moment& at, const Task* task);
  void OnRef(const PageRef& ref, const Moment& at, const Task* task, bool in_interrupt);
  // Somebody uses a page that the model holds dead: it was allocated again without a record.
  void OnFoundAlive(Page* page, const Moment& at);
  // A tail of a block is used as a page of its own: the block came apart unseen. That page.
  Page* OnFoundSplit(const Page& block, Pfn pfn, const Moment& at) { return SplitTail(block, pfn, at); }
  // A probe shows that the count reached 0: free_transhuge_page, __folio_put. `locked`: of the flags it
  // fetched.
  void OnLastPut(Pfn pfn, const Moment& at, const Task* task, FlagState locked);
  void OnPageCache(Pfn pfn, const Moment& at);
  // The page's content lives elsewhere since: somebody has to drop the references that are left.
  void OnMovedAway(Pfn pfn, EventId since, const Moment& at);
  // unlock_page is called with PG_locked clear in the flags the probe fetched.
  void OnUnlockedTwice(Pfn pfn, const Moment& at);
  // Events are missing up to here.
  void OnGap() { ++gaps_; }

  // Tasks besides `migrator` that took a reference on the page since `begin` or hold one still.
  RefHolders HoldersOf(Pfn pfn, const Task* migrator, EventId begin);

  // `last_ts`: latest stamp of the recording, ns; nullopt where stamps are no times.
  void Finish(std::optional<int64_t> last_ts = {});
  const PageStats& stats() const { return stats_; }
  // Frees are recorded: one that is missing did not happen.
  bool sees_frees() const { return sees_frees_; }
  bool sees_allocations() const { return sees_allocations_; }
  // Of more than a few lives that ended the beginning is not on record: tasks are filtered, or their
  // allocations.
  bool MissesBirths() const {
    constexpr int64_t kOneIn = 64;
    return unseen_births_ * kOneIn > frees_;
  }

 private:
  Page* Exact(Pfn pfn) { return pages_.Find(Value(pfn)); }
  Page& NewPage(Pfn pfn, std::optional<uint32_t> order, LifetimeQuality quality, const Moment& at);
  void Erase(Page* page);
  void BeginLife(Page* page, const Moment& at, bool unseen = false);
  void EndLife(Page* page, LifetimeQuality quality, std::optional<Moment> free);
  void NoteReference(Page* page) const;
  Page* SplitTail(const Page& block, Pfn pfn, const Moment& at);
  bool IsOfLifeBefore(const Page& page, const PageFree& free, const Moment& at) const;
  Page* SplitOff(Page* block, Pfn pfn, uint32_t order, const Moment& at);
  void CloseInside(Pfn pfn, uint32_t order, bool freed, const Moment& at);
  void Die(Page* page, const Moment& at, const Task* task);
  static bool ProvesAlive(const PageRef& ref, const Page& page);
  RefTaker& TakerOf(Page* page, const Task* task);
  void Forget();
  void ForgetOldest(std::vector<Page*> pages);
  void NoteDead(uint64_t pfn);
  void AddAnomaly(std::string_view invariant, std::string_view kind, const Moment& at, const Page& page,
                  std::string detail, Certainty certainty = Certainty::kOpen,
                  std::optional<EventId> earlier = {});
  // What the recording knows of this life is complete if it is a recording of all tasks.
  Certainty IfComplete(const Page& page) const;
  void EmitPending(Page* page);
  void Settle(Page* page, const Moment& at, bool allocated);
  void Contradict(Page* page, const PageRef& ref, int32_t old, const RefStep& step);
  void Declare(Page* page);
  std::optional<int32_t> RepairWith(Page* page, const RefStep& step);
  std::optional<int32_t> RepairBack(Page* page, const RefStep& step, bool ties_only);
  void EmitRepaired(const std::vector<RefStep>& steps, const RepairedOrder& repaired);
  void ForgetSteps(const Page& page);
  void TellNegative(Page* page);
  void CheckCount(Page* page, const PageRef& ref, std::optional<int32_t> old, const Moment& at);
  std::optional<Anomaly> CheckFrozen(const Page& page, const PageRef& ref, std::optional<int32_t> old,
                                     const Moment& at) const;

  Emit emit_;
  Observers observers_;
  const ClockError* clock_;
  int64_t next_life_ = 1;
  AgingMap<uint64_t, Page> pages_;  // by pfn of the block's head
  size_t takers_limit_;             // of all pages
  size_t takers_ = 0;
  size_t age_at_takers_ = takers_limit_;
  uint64_t orders_ = 0;                                  // bit n: a block of order n was seen
  std::unordered_map<uint64_t, int32_t> live_in_chunk_;  // known pages that are alive, per 2 MiB of pfns
  std::deque<std::pair<uint64_t, LifetimeId>> dead_;     // in order of death, for Forget()
  int64_t gaps_ = 0;
  bool sees_frees_ = false;
  bool sees_allocations_ = false;
  int64_t frees_ = 0;
  int64_t unseen_births_ = 0;
  PageStats stats_;
  bool ticks_;
  struct MovedAway {
    Moment at;
    int64_t gaps;  // known of until then
  };
  std::unordered_map<LifetimeId, MovedAway> moved_away_;  // and not dead since

  // The latest operations of all pages whose count before them is known, for repairs of their order; and by
  // themselves the lives they are of, as most are of others.
  struct RecentStep {
    int32_t old = 0;
    RefStep step{};
  };
  static constexpr size_t kRecentSteps = 64;
  std::vector<RecentStep> recent_;
  std::array<LifetimeId, kRecentSteps> recent_lives_{};
  size_t next_recent_ = 0;
};

}  // namespace mmreplay
