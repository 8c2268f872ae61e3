#include "replay/wait.h"

#include <algorithm>

#include "replay/text.h"

namespace mmreplay {
namespace {

// Closed waits kept back until their page's life is known to the end, or this many later ones.
constexpr size_t kWaitsKept = 8192;
constexpr size_t kWaitsPerPage = 256;

// What a probe on a bit-wait function waits for decides whether it is judged at all. lock_page() and
// the migration waits are about PG_locked (bit 0 in every kernel) by themselves.
bool TakesBit(KernelFunction function) {
  switch (function) {
    case KernelFunction::kWaitOnPageBit:
    case KernelFunction::kWaitOnPageBitKillable:
    case KernelFunction::kFolioWaitBit:
    case KernelFunction::kFolioWaitBitKillable:
      return true;
    default:
      return false;
  }
}

// Takes a struct folio, which is the head of a block (5.16 and later).
bool TakesFolio(KernelFunction function) {
  switch (function) {
    case KernelFunction::kFolioWaitBit:
    case KernelFunction::kFolioWaitBitKillable:
    case KernelFunction::kFolioLock:
    case KernelFunction::kFolioPutWaitLocked:
      return true;
    default:
      return false;
  }
}

bool DropsOwnReference(KernelFunction function) {
  return function == KernelFunction::kPutAndWaitOnPageLocked ||
         function == KernelFunction::kFolioPutWaitLocked;
}

// What a function that looks up a page table calls to wait (4.x: wait_on_page_locked; later
// put_and_wait_on_page_locked, migration_entry_wait_on_locked), and not to lock the page or to wait for as
// long as nobody kills it. Where the return of such a function was missed its task seems to be in it still.
bool MayWaitInLookup(KernelFunction function) {
  switch (function) {
    case KernelFunction::kLockPage:
    case KernelFunction::kFolioLock:
    case KernelFunction::kWaitOnPageBitKillable:
    case KernelFunction::kFolioWaitBitKillable:
      return false;
    default:
      return true;
  }
}

// For so long a waiter that is not seen to sleep is taken to wait, ns. Migrations take milliseconds, under
// emulation 100 ms; ones that stall are told by their sleepers.
constexpr int64_t kLongestUnseenWait = 200'000'000;

// References that a count fetched at a wait may have more than the model: two puts in a row end a migration,
// and their events may be stamped just before a wait that was just before them.
constexpr int32_t kMostInFlight = 2;

// Of a clock that counts ticks it is certain only beyond what the fastest counts meanwhile.
bool LaterByMore(int64_t ns, const Moment& later, const Moment& first, const ClockError& clock,
                 int64_t error = 0) {
  constexpr int64_t kMostTicks = 6;           // a ns
  constexpr int64_t kLeastJiffy = 1'000'000;  // ns
  int64_t limit = clock.jiffies() ? ns / kLeastJiffy : clock.ticks() ? kMostTicks * ns : ns;
  if (!later.ts || !first.ts || *later.ts <= *first.ts) return false;
  uint64_t distance = static_cast<uint64_t>(*later.ts) - static_cast<uint64_t>(*first.ts);
  return distance > static_cast<uint64_t>(limit) + static_cast<uint64_t>(error);
}

// A waiter that was woken looks at the bit and sleeps again at once (mm/filemap.c:folio_wait_bit_common). One
// that runs for so long has found it clear, ns.
constexpr int64_t kLongestLook = 1'000'000;

// Of a wait whose end is not on record, and whose task was awake at a moment: whether it was over by a later
// one.
bool MayBeOver(const Moment& awake, const Moment& later, const ClockError& clock) {
  return LaterByMore(kLongestUnseenWait, later, awake, clock);
}

// From a page's free until its frame has been allocated, mapped and isolated for a migration again, ns.
constexpr int64_t kShortestMappedLife = 1'000'000;

// Between an atomic operation and its event lie a few instructions, and an emulator or a hypervisor may take
// the cpu away in between: for 280 us in our recordings, where a page-table lock was held for 96 ms so.
constexpr int64_t kLongestLogDelay = 100'000'000;

// The page's death, shown after `moment`, is too long after it to have come before it.
bool DiedAfter(const Death& death, const Moment& moment, const ClockError& clock) {
  return !death.resumed && LaterByMore(kLongestLogDelay, death.at, moment, clock, clock.bound());
}

struct Fate {
  WaitOutcome outcome;
  EventOrder order = EventOrder::kNone;  // of death and beginning
  bool proven_before_end = false;        // the page died before the wait was over, beyond clock error
  bool may_be_reborn = false;            // and its frame may have had another life by then
};

// Where the page's death falls: before the wait began, inside it, after it. The count fell at some
// time between the releaser's previous event and the one that shows it.
Fate FateOf(const WaitFacts& f, const ClockError& clock) {
  std::optional<Moment> over = f.end ? f.end : f.not_after;
  if (!f.page_known) return {WaitOutcome::kUnknown};
  if (!f.death) {
    // Its free is not on record. What began after the wait was over says nothing of the wait.
    bool later_life = f.reused && (over ? clock.Proves(*over, *f.reused)
                                        : f.awake_from && MayBeOver(*f.awake_from, *f.reused, clock));
    if (later_life && (!over || f.gap_before_wait || f.gap_in_wait)) return {WaitOutcome::kUnknown};
    if (later_life) return {WaitOutcome::kWokenAlive};
    if (f.reused) return {WaitOutcome::kReused};
    if (f.gap_before_wait || f.gap_in_wait) return {WaitOutcome::kUnknown};
    return {over ? WaitOutcome::kWokenAlive : WaitOutcome::kOpen};
  }
  const Moment& death = f.death->at;
  auto reused_before = [&](const Moment& moment) {
    return f.reused && Value(f.reused->event) < Value(moment.event);
  };

  Ordering to_begin = OrderOf(death, f.begin, clock, &f.led_by);
  // A count of 0 where the waiter looked: the last reference was gone. (A count frozen for a migration is 0
  // too, but then the releaser has events after it, and the death cannot have been as early as the wait.)
  bool none_left = f.count_at_entry == 0;
  if (to_begin.before == Before::kOpen && none_left) to_begin = {Before::kYes, EventOrder::kCount};
  // Where no stamp tells of a distance the file's order is what there is: whoever prints a trace sorts it.
  const bool by_file = clock.TellsNoDistance(death, f.begin);
  if (to_begin.before == Before::kOpen && by_file && Value(death.event) > Value(f.begin.event))
    to_begin.before = Before::kNo;
  // Above 0: it died after that, or its frame had a new owner, whose allocation is not on record.
  bool owned = f.count_at_entry.value_or(0) > 0;
  if (to_begin.before == Before::kYes) {
    // All that a cpu did since is lost, its frame's next allocation perhaps, and the page was not seen to be
    // found before that.
    bool may_be_reborn = f.losing && f.gap_before_wait && !f.found_under_lock && !none_left;
    if (may_be_reborn && !reused_before(f.begin) && !owned)
      return {.outcome = WaitOutcome::kFreedBeforeQueue, .order = EventOrder::kOpen, .may_be_reborn = true};
    if (!reused_before(f.begin) && !owned) return {WaitOutcome::kFreedBeforeQueue, to_begin.proof, true};
    // The frame found a new owner, and may have lost it again: then the waiter queues on a free page,
    // else on a stranger's.
    if (f.freed_again && !owned) {
      Ordering again = OrderOf(f.freed_again->at, f.begin, clock, &f.led_by);
      if (again.before != Before::kNo) return {WaitOutcome::kFreedBeforeQueue, again.proof, true};
    }
    return {WaitOutcome::kReused, to_begin.proof, true};
  }
  if (!over) {
    if (to_begin.before == Before::kNo && f.awake_from && MayBeOver(*f.awake_from, death, clock))
      return {WaitOutcome::kUnknown, to_begin.proof};
    // Whoever slept then waited then. Of who did not nothing tells how long it waited.
    bool asleep = !f.awake_from || OrderOf(death, *f.awake_from, clock).before == Before::kYes;
    return {
        to_begin.before == Before::kOpen ? WaitOutcome::kFreedBeforeQueue : WaitOutcome::kFreedWhileQueued,
        to_begin.proof, asleep};
  }
  Ordering to_end = OrderOf(death, *over, clock);
  if (to_end.before == Before::kOpen && by_file && Value(death.event) > Value(over->event))
    return {WaitOutcome::kWokenAlive, EventOrder::kOpen};
  // A clock of jiffies shows the death, the beginning and the end of a wait as one moment.
  bool at_once = clock.jiffies() && f.begin.ts && f.begin.ts == death.ts && f.begin.ts == over->ts;
  if (to_begin.before == Before::kOpen && at_once) return {WaitOutcome::kUnknown};
  if (to_begin.before == Before::kOpen)
    return {WaitOutcome::kFreedBeforeQueue, EventOrder::kOpen, f.end && to_end.before == Before::kYes};
  if (to_end.before != Before::kNo) {
    if (!f.end) return {WaitOutcome::kUnknown, to_begin.proof};  // the wait may have been over
    return {reused_before(*over) ? WaitOutcome::kReused : WaitOutcome::kFreedWhileQueued, to_begin.proof,
            to_end.before == Before::kYes};
  }
  // Shown after the wait, but perhaps from before it.
  const std::optional<Moment>& not_before = f.death->not_before;
  if (not_before && !by_file && death.pid != f.begin.pid && !DiedAfter(*f.death, *over, clock) &&
      OrderOf(*not_before, f.begin, clock).before != Before::kNo)
    return {WaitOutcome::kFreedBeforeQueue, none_left ? EventOrder::kCount : EventOrder::kOpen, none_left};
  return {WaitOutcome::kWokenAlive, to_begin.proof};
}

struct Shield {
  Protection protection;
  std::string reason;
  std::string why;
};

// Protection, which the page's fate does not decide yet.
Shield ShieldOf(const WaitFacts& f, const Fate& fate) {
  const WaitContract* contract = f.contract;
  if (contract && contract->protection == Protection::kQueuedUnderPtl)
    return {Protection::kQueuedUnderPtl, std::string(contract->reason), std::string(contract->source)};

  std::string own_event = f.own_event ? " (" + EventText(*f.own_event) + ")" : "";
  bool lookup_seen = f.lookup != PageLookup::kUnseen;
  Shield cut_off{
      Protection::kUnknown, "the stretch of time ends too early",
      "the stretch of time ends before the waiter's call does: it may drop a reference of its own after "
      "it; let --time go on"};
  // Who has a reference reads no 0, and no migration freezes the count beside him.
  Shield counted{Protection::kNone, "the reference count was 0 at the wait",
                 "the reference count was 0 when the wait began: nobody held the page"};
  if (fate.outcome != WaitOutcome::kFreedBeforeQueue)
    counted.why += ", or its migration had frozen the count, which a reference of the waiter does not allow";
  bool taken_before = f.own == OwnReference::kTakenLate || f.own == OwnReference::kTaken;
  if (taken_before && f.count_at_entry == 0 && !contract) return counted;
  switch (f.own) {
    case OwnReference::kTakenUnderLock:
      return {Protection::kReference, "reference taken under the page-table lock",
              "the waiter took a reference while it held the page-table lock" + own_event};
    case OwnReference::kTakenLate:
      if (lookup_seen && !f.gap_in_lookup && !f.lookup_cut) {
        return {Protection::kNone, "reference taken after the page-table lock was dropped",
                "the waiter took its reference" + own_event +
                    " only after it had dropped the page-table lock: in between nothing kept the page"};
      }
      return {Protection::kReference, "reference taken before the wait",
              "the waiter took a reference before it waited" + own_event};
    case OwnReference::kTaken:
      return {Protection::kReference, "reference taken before the wait",
              "the waiter took a reference before it waited" + own_event};
    case OwnReference::kNone:
      if (f.put_after) {
        return {Protection::kReference, "reference dropped after the wait",
                "the waiter dropped a reference after the wait (" + EventText(*f.put_after) +
                    ") that it must have held, though its taking is not on record"};
      }
      if (f.cut_off_after) return cut_off;
      if (f.unrecorded_reference || f.references_left_out || f.of_a_tail) break;
      // What a task did last under a page-table lock need not be the look-up of this page.
      if (contract && f.lookup == PageLookup::kUnderLock) break;
      if (lookup_seen && !f.gap_in_lookup && !f.lookup_cut) {
        return {Protection::kNone, "no reference taken",
                f.lookup == PageLookup::kUnderLock
                    ? "the waiter took no reference between the page-table lock and the wait"
                    : "the waiter took no reference in the call that found the page"};
      }
      break;
    case OwnReference::kPerhapsOlder:
    case OwnReference::kNotRecorded:
      break;
  }
  if (contract) return {contract->protection, std::string(contract->reason), std::string(contract->source)};

  if (f.cut_off_after) return cut_off;
  if (f.freed_by_waiter) {
    return {Protection::kReference, "the waiter dropped the last reference itself",
            "the waiter itself dropped the last reference (" + EventText(f.death->at.event) +
                ") after it had waited"};
  }

  if (f.count_at_entry) {
    if (*f.count_at_entry == 0) return counted;
    if (f.counted_owners > 0 && *f.count_at_entry <= f.counted_owners) {
      std::string owners = f.counted_owners == 1 ? "the migration" : "the mapping and the migration";
      return {Protection::kNone, "all references at the wait belong to others",
              "the reference count was " + std::to_string(*f.count_at_entry) +
                  " when the wait began, all of it owned by " + owners};
    }
  }

  auto unknown = [](const char* reason, std::string why) {
    return Shield{Protection::kUnknown, reason, std::move(why)};
  };
  if (f.forgotten)
    return unknown(
        "what was known of the page was not kept",
        "what was known of the page was forgotten before the wait, for want of memory: a reference "
        "may have been taken; give more with --max-memory");
  if (f.call_missed)
    return unknown(
        "the beginning of the waiter's call was missed",
        "the wait returned into a function that is probed, and its call is not on record: a probe that was "
        "missed or not enabled; a reference may have been taken there");
  if (f.gap_in_lookup)
    return unknown("events were lost before the wait",
                   "events were lost between the lookup and the wait: a reference may have been taken there");
  if (f.lookup_cut)
    return unknown(
        "the recording begins within the waiter's call",
        "the waiter's call began before the recording, or before the waiter's first event in it: a "
        "reference may have been taken there");
  if (!f.page_known)
    return unknown(
        "the page could not be identified",
        "the struct page address could not be tied to a pfn: record mm_page_alloc and mm_page_free "
        "with unhashed pointers (boot option no_hash_pointers)");
  if (f.own == OwnReference::kPerhapsOlder)
    return unknown("an older reference may still be held",
                   "the waiter took references on this page earlier that may still be its own" + own_event);
  if (f.own == OwnReference::kNone && f.of_a_tail)
    return unknown(
        "the address is that of a part of a block",
        "the kernel waits for the head of a block, and this is the address of another page of one: the "
        "line is damaged, or the block came apart unseen");
  if (f.own == OwnReference::kNone && f.references_left_out)
    return unknown(
        "no reference event of the page is on record",
        "other pages' reference events are on record, and of this one none: a filter of the recording "
        "may have left them out");
  if (f.own == OwnReference::kNone && f.unrecorded_reference)
    return unknown("a reference was taken that is not on record",
                   "the page's counts show a reference that nobody is seen to take: it may be the waiter's");
  if (f.own == OwnReference::kNone)
    return unknown("how the page was found is not recorded",
                   "nothing shows how the waiter found the page: a reference may be older; probe "
                   "pmd_migration_entry_wait and do_huge_pmd_numa_page, or record lock events");
  if (f.count_at_entry)
    return unknown("the count at the wait leaves room for a reference of the waiter",
                   "the reference count was " + std::to_string(*f.count_at_entry) +
                       " when the wait began: more than its known owners, the waiter may be one; record "
                       "page_ref events");
  return unknown("no reference events",
                 "no reference events and no count fetched at the wait: record page_ref events, or fetch "
                 "page->_refcount in the wait probe");
}

WaitPath PathOf(const WaitFacts& f) {
  switch (f.caller) {
    case KernelFunction::kDoHugePmdNumaPage:
      return WaitPath::kNumaFault;
    case KernelFunction::kPmdMigrationEntryWait:
      return WaitPath::kPmdMigrationEntry;
    case KernelFunction::kMigrationEntryWait:
    case KernelFunction::kPteMigrationEntryWait:
      return WaitPath::kPteMigrationEntry;
    case KernelFunction::kHugeMigrationEntryWait:
      return WaitPath::kHugetlbMigrationEntry;
    default:
      return f.lookup == PageLookup::kUnseen && f.page_cache ? WaitPath::kPageCache : WaitPath::kUnknown;
  }
}

// What became of the page, for the reader of a finding.
std::string FateText(const WaitFacts& f, const Fate& fate) {
  if (!f.death) return {};
  std::string by = "; the page's last reference went";
  std::string proof;
  switch (fate.order) {
    case EventOrder::kSameCpu:
      proof = ", ordered by one cpu's buffer or one task's program";
      break;
    case EventOrder::kApart:
      proof = ", further apart than the cpus' clocks may differ";
      break;
    case EventOrder::kCount:
      proof = ": the probe on the wait read a count of 0";
      break;
    case EventOrder::kLockHandOver:
      proof = ": between them a page-table lock went from one task to the other";
      break;
    case EventOrder::kWakeUp:
      proof = ": between them one task woke the other";
      break;
    case EventOrder::kFork:
      proof = ": between them one task forked the other";
      break;
    case EventOrder::kOpen:
      proof = ", but nothing proves which was first";
      break;
    case EventOrder::kNone:
      break;
  }
  switch (fate.outcome) {
    case WaitOutcome::kFreedBeforeQueue:
      if (fate.may_be_reborn)
        return by +
               " before the wait began, but its frame's next allocation may be among the events lost since";
      if (f.freed_again && f.reused) by += ", its frame was allocated again and free again";
      return by +
             (fate.order == EventOrder::kOpen ? " about when the wait began" : " before the wait began") +
             proof;
    case WaitOutcome::kFreedWhileQueued:
      if (!fate.proven_before_end) return by + " while it waited, as far as the order of events is known";
      return by + " while it waited";
    case WaitOutcome::kReused:
      return by + ", and its frame was allocated again before the wait was over";
    default:
      return {};
  }
}

// Whether the frame of a page that died may have had another life since, whose beginning is not on record,
// and the wait may be of that one.
bool MayHaveBeenReborn(const WaitFacts& f, const ClockError& clock) {
  if (f.lookup_begins) return false;
  // It has, by the end of the wait.
  if (f.reused_unseen && f.count_at_entry != 0) return true;
  if (f.births_recorded) return false;
  // One that is found in a page table in its next life was mapped, and is migrated: that takes a while.
  bool by_page_table = f.lookup == PageLookup::kPageTable;
  const auto& hold = f.direct_hold;
  bool just_locked = hold && f.death && f.allocations_recorded &&
                     !LaterByMore(kShortestMappedLife, f.begin, hold->release, clock) &&
                     !clock.Proves(f.death->at, hold->acquire);
  if ((by_page_table || just_locked) && f.death &&
      !LaterByMore(kShortestMappedLife, f.begin, f.death->at, clock))
    return false;
  // And where the next event of the frame is its allocation it had been free since the page died: a life in
  // between would have ended with a free.
  if (f.reused && !f.reused_unseen && f.frees_recorded) return false;
  // Where all but what compaction and its like take is recorded, and no kernel has the caller keep the page,
  // a wait on a page that was freed is what it seems.
  return !(by_page_table && !f.contract && f.allocations_recorded);
}

}  // namespace

WaitJudgement JudgeWait(const WaitFacts& f, const ClockError& clock) {
  Fate fate = FateOf(f, clock);
  WaitJudgement j{.protection = Protection::kUnknown,
                  .outcome = fate.outcome,
                  .order = fate.order,
                  .order_ns = {},
                  .judged = true,
                  .weakened = false,
                  .reason = {},
                  .why = {}};
  if (f.death && f.death->at.ts && f.begin.ts) j.order_ns = *f.begin.ts - *f.death->at.ts;

  if (TakesBit(f.function) && f.bit && *f.bit != 0) {
    j.judged = false;
    j.reason = "waits for another bit than PG_locked";
    j.why = "it waits for page flag " + std::to_string(*f.bit) + ", not for PG_locked";
    return j;
  }
  if (f.caller == KernelFunction::kHugetlbFault) {
    j.judged = false;
    j.reason = "hugetlb_fault waits without a reference on purpose";
    j.why =
        "mm/hugetlb.c:hugetlb_fault, 4.5 and later: it waits for a page of the pool that it found locked, "
        "without a "
        "reference, and does not look at it again; the pool's pages stay what they are when they are freed";
    return j;
  }
  if (f.left_out || f.disorder || f.processes) {
    j.outcome = WaitOutcome::kUnknown;
    j.order = EventOrder::kNone;
    j.order_ns.reset();
  }
  if (f.disorder) {
    j.reason = "events are not in the order they were recorded in";
    j.why =
        "time stamps run backwards in the file, which they do not as they are recorded and printed: what "
        "comes first in it did not happen first; analyze each recording by itself, as the kernel wrote it";
    return j;
  }
  if (f.processes) {
    j.reason = "threads cannot be told apart";
    j.why =
        "the recording names processes in place of tasks (sched_switch tells other ones): which thread took "
        "a "
        "reference and which one waited is not known; print tids (perf script -F tid)";
    return j;
  }
  if (f.left_out) {
    j.reason = "events that decide were left out";
    j.why =
        "events that decide were left out, such as a reference taken: analyze without --event, --comm, --pid "
        "and --cpu, or with more --max-memory, to judge it";
    return j;
  }
  Shield shield = ShieldOf(f, fate);
  bool bit_open = TakesBit(f.function) && !f.bit && f.lookup != PageLookup::kPageTable;
  if (bit_open && shield.protection != Protection::kReference) {
    j.reason = "which bit it waits for is not recorded";
    j.why = "which page flag it waits for is not recorded: fetch the bit_nr argument in the wait probe";
    return j;
  }

  // A page that died under a waiter shows that the waiter held no reference, whatever else is
  // recorded or agreed upon. Waits that drop their own reference, or queue under the lock, are exempt:
  // their page may be freed as soon as they are queued.
  bool claim = f.own == OwnReference::kTakenUnderLock ||
               (f.own == OwnReference::kTaken && f.lookup != PageLookup::kUnseen);
  bool exempt = shield.protection == Protection::kQueuedUnderPtl || DropsOwnReference(f.function);
  bool open_to_proof =
      shield.protection == Protection::kUnknown || (shield.protection == Protection::kReference && !claim);
  // Where events are missing since the page died, or those of lives that begin, the frame may have had
  // another life since: unless the waiter is seen to find it before that.
  bool same_life = fate.outcome == WaitOutcome::kFreedWhileQueued ||
                   !(f.gap_before_wait || f.gap_in_lookup || f.pooled || MayHaveBeenReborn(f, clock));
  // The end that is on record may be that of a later wait, where its own and the beginning of that one were
  // lost.
  bool end_may_be_lost = fate.outcome == WaitOutcome::kFreedWhileQueued && f.gap_in_wait;
  if (open_to_proof && !exempt && fate.proven_before_end && same_life && !end_may_be_lost) {
    shield.protection = Protection::kNone;
    shield.reason = "the page was freed under the waiter";
    shield.why = "the page's last reference went (" + EventText(f.death->at.event) +
                 ") before the wait was over: the waiter held none";
  }
  if (claim && !exempt && fate.outcome == WaitOutcome::kFreedWhileQueued && fate.proven_before_end && f.end &&
      f.death->at.pid != f.begin.pid) {
    shield.protection = Protection::kUnknown;
    shield.reason = "the page was freed beside a reference";
    shield.why = "the waiter took a reference" + (f.own_event ? " (" + EventText(*f.own_event) + ")" : "") +
                 ", and the page's last one went (" + EventText(f.death->at.event) +
                 ") before the wait was over: somebody dropped it for the waiter";
  }
  // Whether it still waited then decides only what nothing protects.
  bool over_unknown = f.death && !f.end && !f.not_after && !fate.proven_before_end;
  if (over_unknown && shield.protection != Protection::kNone) j.outcome = WaitOutcome::kUnknown;
  j.protection = shield.protection;
  j.reason = std::move(shield.reason);
  j.why = std::move(shield.why);
  if (j.protection == Protection::kNone) j.why += FateText(f, fate);
  // What was lost once the waiter queued on a page that was free already changes nothing.
  bool freed_in_time = fate.outcome == WaitOutcome::kFreedBeforeQueue;
  j.weakened = f.gap_before_wait || f.gap_in_lookup || (f.gap_in_wait && !freed_in_time);
  if (j.protection == Protection::kNone && j.weakened && f.death)
    j.why += "; events were lost in between: one grade less";
  return j;
}

void WaitTracker::Begin(Task* task, const Moment& at, const Entry& entry) {
  if (const Wait* wait = task->waiting ? Get(*task->waiting) : nullptr; wait) {
    // Two probes on one function are hit one after the other.
    bool same_call = wait->record.function == entry.symbol && wait->probe != entry.probe && task->last_own &&
                     task->last_own->event == wait->record.begin.event && !wait->record.asleep;
    if (same_call) return;
    EndUnseen(task, at);
  }
  Wait wait;
  PageWait& record = wait.record;
  record.id = static_cast<WaitId>(next_wait_++);
  record.pid = task->pid;
  record.comm = task->comm;
  record.function = entry.symbol;
  record.pfn = entry.pfn;
  record.begin = at;
  if (entry.bit && *entry.bit >= 0 && *entry.bit < 1024) record.bit = static_cast<int32_t>(*entry.bit);

  WaitFacts& facts = wait.facts;
  facts.function = entry.function;
  facts.bit = entry.bit;
  facts.contract = FindContract(entry.function, KernelFunction::kOther);
  facts.begin = at;
  facts.led_by = task->led_by;
  facts.count_at_entry = entry.count;
  facts.gap_in_lookup = entry.gap_in_lookup;
  facts.losing = facts.gap_in_wait = entry.losing;
  facts.page_known = entry.pfn.has_value();

  // How the page was found, and when: while the lock was held, else at some time before the wait,
  // and not before the call it was found in, or what the task did last.
  Moment lookup = at;
  std::optional<Moment> not_before = task->last_lookup_call;
  if (task->last_idle && (!not_before || Value(task->last_idle->event) > Value(not_before->event)))
    not_before = task->last_idle;
  bool in_lookup_call = !task->frames.empty() && LooksUpPageTable(task->frames.back().function) &&
                        MayWaitInLookup(entry.function);
  if (in_lookup_call) {
    facts.lookup = PageLookup::kPageTable;
    facts.caller = task->frames.back().function;
    not_before = task->frames.back().entry;
  }
  if (in_lookup_call) {
    record.call = task->frames.back().entry.event;
    record.call_function = task->frames.back().symbol;
  } else if (task->last_lookup_call && !task->last_lookup_over &&
             (!task->last_idle || Value(task->last_idle->event) < Value(task->last_lookup_call->event))) {
    record.call = task->last_lookup_call->event;
    record.call_function = task->last_lookup_symbol;
  }
  std::optional<Moment> locked_at;
  if (task->last_hold) {
    const ReleasedHold& hold = *task->last_hold;
    bool in_call = in_lookup_call && Value(hold.release.event) > Value(task->frames.back().entry.event);
    // Where no call brackets the two, they are of one call as far as the time between tells.
    bool directly = hold.direct && !in_lookup_call && IsSoonAfter(*task, hold.release, at);
    // But all that a task did in between must be on record: it finds pages of files by a reference of their
    // own.
    if (directly && entry.references_recordable) {
      facts.lookup = PageLookup::kUnderLock;
      // What was done under the lock before the trace began is not on record.
      if (!hold.acquire) facts.gap_in_lookup = true;
      not_before = hold.acquire;
    }
    if (in_call) locked_at = hold.acquire;
    if (in_call || directly) {
      facts.found_under_lock = facts.lookup != PageLookup::kUnseen;
      if (facts.found_under_lock) lookup = hold.release;
      record.hold = hold.id;
      record.hold_release = hold.release.event;
      if (directly && hold.acquire) facts.direct_hold = {*hold.acquire, hold.release};
    }
  }
  if (entry.hold) record.hold = entry.hold;

  wait.asked = entry.pfn;
  facts.lookup_begins = facts.lookup != PageLookup::kUnseen;
  if (entry.pfn) {
    Page* page = pages_->FindOrInherit(*entry.pfn, at);
    // Nobody finds a free page in a page table: one that died before the lookup has another life.
    // Nor was it free, by its stamp, when the lock was taken under which it was found.
    auto over_before_lookup = [&](const std::optional<Death>& death) {
      if (!death) return false;
      if (locked_at && clock_->Proves(death->at, *locked_at)) return true;
      return not_before && OrderOf(death->at, *not_before, *clock_, &task->led_by).before == Before::kYes;
    };
    // Nor do references count on one: where the lookup is not on record, it may have been in a later life.
    // And from the lookup to the wait no call takes so long.
    bool dead = page->death && facts.lookup == PageLookup::kUnseen && clock_->Proves(page->death->at, at);
    // A folio is no tail: the count is its own.
    bool own_count = page->pfn == *entry.pfn || TakesFolio(entry.function);
    bool counted_alive = dead && own_count && entry.count.value_or(0) > 0;
    bool long_dead = dead && !record.call && entry.count != 0 &&
                     LaterByMore(kLongestUnseenWait, at, page->death->at, *clock_);
    if (over_before_lookup(page->death) || counted_alive || long_dead) pages_->OnFoundAlive(page, at);
    // No caller gives these functions a tail: the line is damaged, or the block came apart unseen.
    facts.of_a_tail = page->pfn != *entry.pfn && page->alive &&
                      (TakesFolio(entry.function) || entry.function == KernelFunction::kWaitOnPageBit ||
                       entry.function == KernelFunction::kWaitOnPageBitKillable);
    // For a folio's the latter is assumed.
    if (page->pfn != *entry.pfn && page->alive && TakesFolio(entry.function))
      page = pages_->OnFoundSplit(*page, *entry.pfn, at);
    // A tail page's own count is 0 at all times.
    if (page->pfn != *entry.pfn) facts.count_at_entry.reset();
    record.pfn = page->pfn;
    record.lifetime = page->life;
    facts.death = page->death;
    // The page seen under the lock may have died and its frame begun another life since.
    if (page->previous_life && Value(page->first_event) > Value(lookup.event) &&
        !over_before_lookup(page->previous_death)) {
      record.lifetime = page->previous_life;
      facts.death = page->previous_death;
      facts.reused = Moment{page->first_event, {}, {}, {}};
      facts.freed_again = page->death;
    }
    record.frame_life = page->life;
    const std::vector<RefTaker>& takers =
        record.lifetime == page->life ? page->takers : page->previous_takers;
    facts.page_cache = page->in_page_cache;
    if (entry.references_recordable) facts.own = OwnReferenceOf(takers, *task, facts, &facts.own_event);
    // An event filter of the recording may leave out a page's reference events (events/page_ref/filter): what
    // is migrated has some, from its isolation on. Nor are all of them there where the probe counts more.
    bool of_life = record.lifetime == page->life;
    facts.references_left_out = of_life && page->alive && !page->refs_on_record;
    // The frame's present life, whichever was found.
    bool counted = own_count && entry.references_recordable && !page->frozen;
    bool more =
        counted && page->alive && page->count && entry.count.value_or(0) > *page->count + kMostInFlight;
    bool reborn_unseen = counted && !page->alive && page->death && entry.count.value_or(0) > 0 &&
                         clock_->Proves(page->death->at, at);
    const bool events_missing = more || reborn_unseen;
    facts.unrecorded_reference |= events_missing;
    // Among events lost since the page was found may be an allocation that gave it a new owner.
    facts.gap_before_wait =
        facts.death && entry.last_gap &&
        Value(*entry.last_gap) > Value(not_before ? not_before->event : facts.death->at.event);
    if (events_missing) facts.gap_before_wait = facts.gap_in_lookup = true;
    // While the page is locked for migration, the migrating task's reference is not the waiter's.
    bool being_migrated = entry.locked ? *entry.locked : !page->migration_ending;
    if (page->migrating_by && page->migrating_by != task->pid && being_migrated)
      facts.counted_owners = page->migrating_mapped ? 2 : 1;
    if (page->waits.size() == page->waits.capacity())
      std::erase_if(page->waits, [&](WaitId id) { return Value(id) < first_; });
    page->waits.push_back(record.id);
    if (page->waits.size() > kWaitsPerPage) page->waits.erase(page->waits.begin());
    if (!page->history_kept && (!not_before || Value(page->first_event) >= Value(not_before->event)))
      facts.forgotten = facts.gap_in_lookup = facts.gap_before_wait = true;
  }
  task->waiting = record.id;
  wait.task = task;
  wait.probe = entry.probe;
  ++task->waits_kept;
  wait.scope = task->scope;
  // In a recording that was cut off at its head the event before the wait may be of the same call, and what
  // the waiter did earlier in it may be left out.
  bool cut = begin_cut_ || !task->history_kept;
  wait.preceded = entry.preceded && (!cut || task->scope > 0 || task->last_idle);
  wait.gap_before = entry.gap_before || !task->history_kept;
  wait.cpu = task->scope_cpu;
  wait.moved = task->scope_moved;
  waits_.push_back(std::move(wait));

  while (waits_.size() > kWaitsKept && (waits_.front().closed || waits_.size() > 2 * kWaitsKept)) {
    EmitWait(waits_.front());
    waits_.pop_front();
    ++first_;
  }
}

// What the task did first is the last it did before, and of the same call, as far as the time between tells:
// what a task does much later is not. Time without the cpu does not count.
bool WaitTracker::Directly(const Task& task, const Moment& first, const Moment& later) const {
  if (!task.last_own || task.last_own->event != first.event) return false;
  return IsSoonAfter(task, first, later);
}

bool WaitTracker::IsSoonAfter(const Task& task, const Moment& first, const Moment& later) const {
  bool resumed = task.switched_in && Value(task.switched_in->event) > Value(first.event);
  return !LaterByMore(kLongestUnseenWait, later, resumed ? *task.switched_in : first, *clock_);
}

OwnReference WaitTracker::OwnReferenceOf(const std::vector<RefTaker>& takers, const Task& task,
                                         const WaitFacts& facts, std::optional<EventId>* taken) const {
  for (const RefTaker& taker : takers) {
    if (taker.task != task.serial) continue;
    // A sum above 0 without a reference that was taken: an operation that only drops had it grow, in a
    // damaged line.
    if (!taker.last_taken) return OwnReference::kNone;
    bool in_scope = taker.scope == task.scope && taker.net_in_scope > 0;
    // Other tasks' references, dropped with the cpu's batches before (mm/swap.c), are no part of it.
    bool kept = taker.kept_since && taker.scope == task.scope && taker.net_in_hold > 0;
    bool under_lock = kept || (taker.taken_in && taker.scope == task.scope && in_scope);
    if (in_scope || under_lock || taker.net_in_life > 0) *taken = taker.last_taken->event;
    auto under_its_lock = [&] {
      if (kept) *taken = taker.kept_event;
      return OwnReference::kTakenUnderLock;
    };
    switch (facts.lookup) {
      case PageLookup::kPageTable:
        if (under_lock) return under_its_lock();
        if (!in_scope) return OwnReference::kNone;
        return taker.taken_after_release ? OwnReference::kTakenLate : OwnReference::kTaken;
      case PageLookup::kUnderLock:
        // References older than the lock section belong to what the task did before: the mapping,
        // the lru batch.
        if (under_lock && (kept ? taker.kept_since : taker.taken_in) == task.last_hold->id)
          return under_its_lock();
        return OwnReference::kNone;
      case PageLookup::kUnseen:
        // Of a task whose calls are not on record all it did is one scope: only what it did last is of this
        // call.
        if (in_scope && !taker.taken_in &&
            (!task.frames.empty() || Directly(task, *taker.last_taken, facts.begin)))
          return OwnReference::kTaken;
        if (taker.net_in_life > 0) return OwnReference::kPerhapsOlder;
        return OwnReference::kNone;
    }
  }
  return OwnReference::kNone;
}

WaitTracker::Wait* WaitTracker::Get(WaitId id) {
  int64_t index = Value(id) - first_;
  if (index < 0 || index >= static_cast<int64_t>(waits_.size())) return nullptr;
  return &waits_[static_cast<size_t>(index)];
}

void WaitTracker::End(Task* task, const Moment& at, KernelFunction function, KernelFunction caller,
                      bool caller_probed) {
  if (!task->waiting) return;
  Wait* wait = Get(*task->waiting);
  if (wait && wait->facts.function != function) return;
  task->waiting.reset();
  if (!wait) return;
  wait->facts.end = at;
  wait->record.end = at;
  if (!wait->facts.contract) wait->facts.contract = FindContract(function, caller);
  if (wait->facts.caller == KernelFunction::kOther &&
      (LooksUpPageTable(caller) || caller == KernelFunction::kHugetlbFault))
    wait->facts.caller = caller;
  // The caller says how the page was found where no bracket does.
  if (wait->facts.lookup != PageLookup::kPageTable && LooksUpPageTable(caller)) {
    // Its beginning is not on record; whatever the waiter did there may be missing too.
    bool under_lock = wait->facts.lookup == PageLookup::kUnderLock;
    if (!under_lock && (caller_probed || wait->gap_before)) wait->facts.gap_in_lookup = true;
    wait->facts.call_missed = !under_lock && caller_probed && !wait->gap_before;
    if (!under_lock && !wait->preceded) wait->facts.lookup_cut = true;
    wait->facts.lookup = PageLookup::kPageTable;
    wait->facts.lookup_begins |= wait->facts.direct_hold.has_value();
  }
  Close(wait);
}

void WaitTracker::EndUnseen(Task* task, const Moment& at) {
  if (!task->waiting) return;
  Wait* wait = Get(*task->waiting);
  task->waiting.reset();
  if (!wait) return;
  wait->facts.not_after = at;
  if (!wait->record.over) wait->record.over = at;
  Close(wait);
}

void WaitTracker::OnSleep(const Task& task, const Moment& at, bool return_known) {
  Wait* wait = task.waiting ? Get(*task.waiting) : nullptr;
  if (!wait) return;
  PageWait& record = wait->record;
  if (return_known && record.asleep) {
    // Woken, and the page still locked.
    record.woken.reset();
    record.over.reset();
    wait->went_on.reset();
  } else if (!record.asleep && (return_known || !MayBeOver(record.begin, at, *clock_))) {
    record.asleep = at.event;
  }
}

void WaitTracker::OnWaking(const Task& task, const Moment& at) {
  if (!task.waiting) return;
  if (Wait* wait = Get(*task.waiting); wait && !wait->record.woken) wait->record.woken = at;
}

void WaitTracker::OnRun(const Task& task, const Moment& at) {
  if (!task.waiting) return;
  if (Wait* wait = Get(*task.waiting); wait && wait->record.asleep && !wait->record.over)
    wait->record.over = at;
}

void WaitTracker::OnPreempted(const Task& task, const Moment& at) {
  Wait* wait = task.waiting ? Get(*task.waiting) : nullptr;
  if (!wait || !wait->record.over || wait->went_on) return;
  if (task.switched_in && LaterByMore(kLongestLook, at, *task.switched_in, *clock_)) wait->went_on = at;
}

void WaitTracker::OnUnlock(const Page& page, const Moment& at) {
  for (WaitId id : page.waits) {
    Wait* wait = Get(id);
    if (wait && !wait->closed && wait->record.lifetime == page.life) wait->record.unlocked = at;
  }
}

bool WaitTracker::IsWaitedForUnlock(const Page& page) {
  return std::any_of(page.waits.begin(), page.waits.end(), [&](WaitId id) {
    const Wait* wait = Get(id);
    return wait && !wait->closed && wait->facts.bit.value_or(0) == 0 && wait->record.lifetime == page.life &&
           wait->record.asleep && !wait->record.unlocked;
  });
}

std::optional<KernelFunction> WaitTracker::WaitingIn(const Task& task) {
  if (!task.waiting) return std::nullopt;
  Wait* wait = Get(*task.waiting);
  if (!wait) return std::nullopt;
  return wait->facts.function;
}

bool WaitTracker::WaitsFor(const Task& task, const Page* page) {
  const Wait* wait = task.waiting && page ? Get(*task.waiting) : nullptr;
  return wait && wait->record.lifetime == page->life;
}

void WaitTracker::Close(Wait* wait) {
  wait->closed = true;
  while (!closed_.empty() && Value(closed_.front()) < first_) closed_.pop_front();
  closed_.push_back(wait->record.id);
  ++closings_;
}

void WaitTracker::OnDeath(const Page& page) {
  for (WaitId id : page.waits) {
    Wait* wait = Get(id);
    if (!wait || wait->record.lifetime != page.life) continue;
    // The head of a block that came apart: of other parts it says nothing.
    uint64_t inside = wait->asked ? Value(*wait->asked) - Value(page.pfn) : 0;
    if (inside > 0 && page.order && inside >> *page.order != 0) {
      wait->facts.death.reset();
      continue;
    }
    // None where a block was freed around the page: how the page itself ended is not on record.
    wait->facts.death = page.death;
    wait->facts.freed_by_waiter = page.death && wait->closed && page.death->at.pid == wait->record.pid &&
                                  wait->task->scope == wait->scope && !wait->task->frames.empty();
  }
}

void WaitTracker::OnUnrecordedReference(const Page& page, EventId after) {
  for (WaitId id : page.waits) {
    Wait* wait = Get(id);
    if (wait && wait->record.lifetime == page.life && Value(wait->facts.begin.event) > Value(after))
      wait->facts.unrecorded_reference = true;
  }
}

void WaitTracker::OnFirstReference(const Page& page) {
  for (WaitId id : page.waits) {
    if (Wait* wait = Get(id)) wait->facts.references_left_out = false;
  }
}

void WaitTracker::OnUnmatchedPut(const Page& page, const Task& task, const Moment& at) {
  for (WaitId id : page.waits) {
    Wait* wait = Get(id);
    if (!wait || wait->task != &task || !wait->closed) continue;
    bool same_life = wait->record.lifetime == page.life;
    if (!same_life && wait->record.frame_life != page.life) continue;
    bool same_call = wait->scope == task.scope && !task.frames.empty();
    bool directly = wait->facts.end && Directly(task, *wait->facts.end, at);
    if ((!same_call && !directly) || wait->facts.put_after) continue;
    wait->facts.put_after = at.event;
    // It had found the frame in its present life.
    if (!same_life) wait->facts.gap_in_lookup = wait->facts.gap_before_wait = true;
  }
}

void WaitTracker::OnNewLife(const Page& old_life, const Moment& at, bool unseen) {
  for (WaitId id : old_life.waits) {
    Wait* wait = Get(id);
    if (!wait || wait->record.lifetime != old_life.life || wait->facts.reused) continue;
    wait->facts.reused = at;
    wait->facts.reused_unseen = unseen && !wait->closed;
  }
}

void WaitTracker::OnGap(int32_t cpu, std::optional<EventId> last) {
  // Losses may be as many as events: what an earlier one said of a wait is not said again.
  for (auto wait = waits_.rbegin(); wait != waits_.rend() && Value(wait->record.id) >= under_way_; ++wait) {
    if (!wait->closed) wait->facts.gap_in_wait = true;
  }
  under_way_ = next_wait_;
  ToldGap& told = told_gaps_[cpu];
  if (!told.any || told.last != last) told = {.any = true, .last = last};
  // Those that began while events were being lost: what the waiter did before on that cpu, and who freed or
  // allocated the page, may be among them.
  for (auto wait = waits_.rbegin(); wait != waits_.rend() && Value(wait->record.id) >= told.begun; ++wait) {
    WaitFacts& facts = wait->facts;
    if (last && Value(facts.begin.event) < Value(*last)) break;
    facts.gap_in_wait = true;
    facts.gap_before_wait = true;
    if (wait->moved || wait->cpu == cpu) facts.gap_in_lookup = true;
  }
  // And those that were not over then.
  int64_t index = closings_;
  for (auto id = closed_.rbegin(); id != closed_.rend() && --index >= told.closings; ++id) {
    Wait* wait = Get(*id);
    if (!wait) continue;
    const std::optional<Moment>& over = wait->facts.end ? wait->facts.end : wait->facts.not_after;
    if (over && last && Value(over->event) < Value(*last)) break;
    wait->facts.gap_in_wait = true;
  }
  told.begun = next_wait_;
  told.closings = closings_;
}

void WaitTracker::EmitWait(Wait& wait) {
  --wait.task->waits_kept;
  if (!wait.closed) Close(&wait);
  wait.facts.left_out = blindness_ == Blindness::kLeftOut;
  wait.facts.disorder = blindness_ == Blindness::kDisorder;
  wait.facts.processes = blindness_ == Blindness::kProcesses;
  PageWait& record = wait.record;
  wait.facts.awake_from = record.woken    ? record.woken
                          : record.over   ? record.over
                          : record.asleep ? std::nullopt
                                          : std::optional(record.begin);
  // Its return is not on record.
  if (!wait.facts.end && !wait.facts.not_after) wait.facts.not_after = wait.went_on;
  // mm/compaction.c takes pages from the free lists without mm_page_alloc; mm/page_alloc.c:post_alloc_hook
  // sets the count of each.
  bool all_lives = all_tasks_ || !pages_->MissesBirths();
  wait.facts.frees_recorded = pages_->sees_frees() && all_lives;
  wait.facts.allocations_recorded = pages_->sees_allocations() && all_lives;
  wait.facts.births_recorded = sees_births_ && all_lives;
  wait.facts.pooled = wait.facts.death && !wait.facts.death->free && pages_->sees_frees();
  WaitJudgement judgement = JudgeWait(wait.facts, *clock_);
  record.judged = judgement.judged;
  record.protection = judgement.protection;
  record.outcome = judgement.outcome;
  record.order = judgement.order;
  record.order_ns = judgement.order_ns;
  record.clock_error = clock_->bound();
  record.gap = wait.facts.gap_before_wait || wait.facts.gap_in_wait || wait.facts.gap_in_lookup;
  record.weakened = judgement.weakened;
  record.path = PathOf(wait.facts);
  record.reference = wait.facts.put_after ? wait.facts.put_after : wait.facts.own_event;
  const WaitContract* contract = wait.facts.contract;
  record.contract = contract ? contract->source : ProtectionHistory(wait.facts.caller);
  record.reason = std::move(judgement.reason);
  record.why = std::move(judgement.why);
  if (wait.facts.death && blindness_ == Blindness::kNone) {
    record.death = wait.facts.death->at;
    record.free = wait.facts.death->free;
  }
  // An exempt wait must find its page alive when it queues (I9).
  bool exempt = record.protection == Protection::kQueuedUnderPtl || DropsOwnReference(wait.facts.function);
  if (exempt && record.outcome == WaitOutcome::kFreedBeforeQueue && record.order == EventOrder::kSameCpu) {
    emit_(Anomaly{.invariant = "I9",
                  .at = record.begin,
                  .pfn = record.pfn,
                  .detail = "queued on a page that was free already",
                  .kind = "exempt wait on a free page",
                  .earlier = record.death->event,
                  .lifetime = record.lifetime});
  }
  bool unprotected = record.judged && record.protection == Protection::kNone;
  auto add = [&](std::string_view invariant, std::string_view kind, std::string detail) {
    emit_(Anomaly{.invariant = invariant,
                  .at = record.begin,
                  .pfn = record.pfn,
                  .detail = std::move(detail),
                  .kind = kind,
                  .earlier = record.hold_release,
                  .lifetime = record.lifetime});
  };
  if (unprotected) add("I8", "wait without protection", "waited without protection: " + record.reason);
  if (unprotected && record.outcome == WaitOutcome::kReused)
    add("I10", "wait across lives", "the wait ended in another life of the page than it was meant for");
  emit_(std::move(record));
}

void WaitTracker::Finish() {
  if (end_cut_) {
    for (Wait& wait : waits_) {
      const Task& task = *wait.task;
      bool same_call = wait.scope == task.scope && !task.frames.empty();
      bool did_no_more = !wait.closed || (wait.facts.end && task.last_own->event == wait.facts.end->event);
      wait.facts.cut_off_after = same_call || did_no_more;
    }
  }
  for (Wait& wait : waits_) EmitWait(wait);
  first_ += static_cast<int64_t>(waits_.size());
  waits_.clear();
}

}  // namespace mmreplay
