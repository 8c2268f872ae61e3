#include "replay/page.h"

#include <algorithm>
#include <bit>

#include "replay/text.h"

namespace mmreplay {
namespace {

constexpr int kChunkShift = 9;
// Dead pages kept for waits that may still begin on them. A waiter reaches its wait queue within
// moments of dropping the lock; thousands of frees later nobody asks.
constexpr size_t kDeadPagesKept = size_t{128} * 1024;
constexpr size_t kTakersKept = 64;
// With what the map and the allocator add.
constexpr size_t kBytesOfPage = sizeof(Page) + 128;
constexpr size_t kBytesOfTaker = 2 * sizeof(RefTaker);

uint64_t BlockPages(std::optional<uint32_t> order) {
  return uint64_t{1} << order.value_or(0);
}

bool Covers(const Page& page, Pfn pfn) {
  return Value(pfn) >= Value(page.pfn) && Value(pfn) - Value(page.pfn) < BlockPages(page.order);
}

// As atomic_add and atomic_sub count: the kernel's arithmetic wraps, and a trace may say any 32 bits.
int32_t Sum(int32_t count, int32_t change) {
  return static_cast<int32_t>(static_cast<uint32_t>(count) + static_cast<uint32_t>(change));
}
int32_t Difference(int32_t count, int32_t change) {
  return static_cast<int32_t>(static_cast<uint32_t>(count) - static_cast<uint32_t>(change));
}

std::string Number(int64_t n) {
  return std::to_string(n);
}

// About the page in its present life.
Anomaly AnomalyOf(std::string_view invariant, std::string_view kind, const Moment& at, const Page& page,
                  std::string detail, Certainty certainty = Certainty::kOpen,
                  std::optional<EventId> earlier = {}) {
  return {.invariant = invariant,
          .at = at,
          .pfn = page.pfn,
          .detail = std::move(detail),
          .kind = kind,
          .certainty = certainty,
          .earlier = earlier,
          .lifetime = page.life};
}

}  // namespace

PageTracker::PageTracker(Emit emit, Observers observers, const ClockError* clock, bool ticks,
                         const MemoryBudget& budget)
    : emit_(std::move(emit)),
      observers_(std::move(observers)),
      clock_(clock),
      pages_(budget.pages() / 2 / kBytesOfPage,
             {.keep = [this](const Page& page) { return observers_.has_waits && observers_.has_waits(page); },
              .drop = [this](std::vector<Page*> pages) { ForgetOldest(std::move(pages)); }}),
      takers_limit_(budget.pages() / 2 / kBytesOfTaker),
      ticks_(ticks),
      recent_(kRecentSteps) {}

Page* PageTracker::Find(Pfn pfn) {
  Page* dead = Exact(pfn);
  if (dead && dead->alive) return dead;
  // Buddy blocks are naturally aligned: one candidate head per order. A live block over a frame
  // that died on its own goes first.
  for (uint64_t orders = orders_ & ~uint64_t{1}; orders != 0; orders &= orders - 1) {
    int order = std::countr_zero(orders);
    uint64_t head = Value(pfn) & ~((uint64_t{1} << order) - 1);
    Page* page = Exact(static_cast<Pfn>(head));
    if (!page || !Covers(*page, pfn)) continue;
    if (page->alive) return page;
    if (!dead) dead = page;
  }
  return dead;
}

Page* PageTracker::FindOrInherit(Pfn pfn, const Moment& at) {
  if (Page* page = Find(pfn)) return page;
  return &NewPage(pfn, std::nullopt, LifetimeQuality::kInherited, at);
}

Page& PageTracker::NewPage(Pfn pfn, std::optional<uint32_t> order, LifetimeQuality quality,
                           const Moment& at) {
  Page& page = pages_[Value(pfn)];
  page = Page{};
  page.pfn = pfn;
  page.order = order;
  page.life = static_cast<LifetimeId>(next_life_++);
  page.quality = quality;
  page.first_event = at.event;
  page.gaps_before = gaps_;
  page.history_kept = quality != LifetimeQuality::kInherited || pages_.forgotten() == 0;
  if (order) orders_ |= uint64_t{1} << *order;
  ++live_in_chunk_[Value(pfn) >> kChunkShift];
  return page;
}

// What no later event of the page has denied.
void PageTracker::EmitPending(Page* page) {
  if (page->pending) emit_(*page->pending);
  if (page->negative) TellNegative(page);
}

void PageTracker::Erase(Page* page) {
  Declare(page);
  EmitPending(page);
  takers_ -= page->takers.size() + page->previous_takers.size();
  uint64_t pfn = Value(page->pfn);
  if (page->alive) NoteDead(pfn);
  pages_.Erase(pfn);
}

void PageTracker::NoteDead(uint64_t pfn) {
  auto live = live_in_chunk_.find(pfn >> kChunkShift);
  if (--live->second == 0) live_in_chunk_.erase(live);
}

// A new life on a frame the model knows already.
void PageTracker::BeginLife(Page* page, const Moment& at, bool unseen) {
  Declare(page);
  observers_.on_new_life(*page, at, unseen);
  EmitPending(page);
  takers_ -= page->previous_takers.size();
  if (!page->alive) ++live_in_chunk_[Value(page->pfn) >> kChunkShift];
  Page fresh;
  fresh.pfn = page->pfn;
  fresh.life = static_cast<LifetimeId>(next_life_++);
  fresh.first_event = at.event;
  fresh.previous_life = page->life;
  fresh.refs_on_record = page->refs_on_record;
  fresh.previous_death = page->death;
  fresh.previous_takers = std::move(page->takers);
  fresh.gaps_before = gaps_;
  *page = std::move(fresh);
}

void PageTracker::EndLife(Page* page, LifetimeQuality quality, std::optional<Moment> free) {
  if (!page->alive) return;
  page->alive = false;
  NoteDead(Value(page->pfn));
  moved_away_.erase(page->life);
  if (page->excess_run > 1) observers_.on_unrecorded_reference(*page, page->excess_after);
  if (free) {
    if (page->death) page->death->free = free->event;
    observers_.on_death(*page);
  }
  emit_(PageLifetime{.id = page->life,
                     .pfn = page->pfn,
                     .order = page->order,
                     .alloc = page->alloc,
                     .free = free,
                     .quality = quality});
  dead_.emplace_back(Value(page->pfn), page->life);
}

// A free or an allocation of a block ends every life inside it.
void PageTracker::CloseInside(Pfn pfn, uint32_t order, bool freed, const Moment& at) {
  uint64_t first = Value(pfn) + 1;
  uint64_t end = Value(pfn) + (uint64_t{1} << order);
  constexpr uint64_t kInChunk = (uint64_t{1} << kChunkShift) - 1;
  for (uint64_t p = first; p < end; ++p) {
    if (p == first || (p & kInChunk) == 0) {
      // Chunks without a page that is alive, but for the block's own head, are stepped over.
      auto chunk = live_in_chunk_.find(p >> kChunkShift);
      bool with_head = p >> kChunkShift == Value(pfn) >> kChunkShift;
      const Page* head = with_head ? Exact(pfn) : nullptr;
      if (chunk == live_in_chunk_.end() || chunk->second <= (head && head->alive ? 1 : 0)) {
        p |= kInChunk;
        continue;
      }
    }
    Page* inside = Exact(static_cast<Pfn>(p));
    if (!inside || !inside->alive) continue;
    bool split = inside->quality == LifetimeQuality::kSplit;
    if (freed) {
      EndLife(inside, split ? LifetimeQuality::kSplit : LifetimeQuality::kComplete, at);
    } else {
      EndLife(inside, split ? LifetimeQuality::kSplit : LifetimeQuality::kFreeUnseen, std::nullopt);
    }
  }
}

void PageTracker::Die(Page* page, const Moment& at, const Task* task) {
  if (page->death) return;
  moved_away_.erase(page->life);
  Death death{.at = at, .not_before = {}, .free = {}};
  if (task) {
    death.not_before = task->last_own;
    if (task->switched_in &&
        (!death.not_before || Value(task->switched_in->event) > Value(death.not_before->event))) {
      death.not_before = task->switched_in;
      death.resumed = true;
    }
  }
  page->death = death;
  page->migrating_by.reset();
  observers_.on_death(*page);
}

RefTaker& PageTracker::TakerOf(Page* page, const Task* task) {
  for (RefTaker& taker : page->takers) {
    if (taker.task != task->serial) continue;
    if (taker.scope != task->scope) {
      taker.scope = task->scope;
      taker.net_in_scope = 0;
      taker.taken_in.reset();
      taker.kept_since.reset();
      taker.net_in_hold = 0;
      taker.taken_after_release = false;
    }
    return taker;
  }
  if (page->takers.size() >= kTakersKept) {
    page->takers.erase(page->takers.begin());
  } else if (++takers_ > age_at_takers_) {
    pages_.Age();
    age_at_takers_ = std::max(takers_limit_, takers_ + takers_limit_ / 2);
  }
  return page->takers.emplace_back(RefTaker{.task = task->serial,
                                            .pid = task->pid,
                                            .scope = task->scope,
                                            .last_taken = {},
                                            .taken_in = {},
                                            .kept_since = {}});
}

void PageTracker::OnAlloc(const PageAlloc& alloc, const Moment& at) {
  Forget();
  sees_allocations_ = true;
  orders_ |= uint64_t{1} << alloc.order;
  Page* page = Exact(alloc.pfn);
  if (page) Settle(page, at, true);
  // The page_ref_set(1) of this very allocation came before its mm_page_alloc.
  bool opened = page && page->alive && !page->allocation_seen && page->alloc && page->alloc->pid == at.pid;
  if (!opened) {
    Page* covering = Find(alloc.pfn);
    if (covering && covering != page && covering->alive) {
      if (covering->quality != LifetimeQuality::kSplit) {
        emit_(Anomaly{.invariant = "I1",
                      .at = at,
                      .pfn = alloc.pfn,
                      .detail = "allocated inside a block that is still allocated (pfn " +
                                Number(static_cast<int64_t>(Value(covering->pfn))) +
                                "): its free was not recorded",
                      .kind = "allocated twice",
                      .lifetime = covering->life});
      }
      EndLife(covering, LifetimeQuality::kFreeUnseen, std::nullopt);
    }
    bool twice = page && page->alive;
    if (twice) {
      AddAnomaly("I1", "allocated twice", at, *page,
                 "allocated while it is still allocated: its free was not recorded");
      EndLife(page, LifetimeQuality::kFreeUnseen, std::nullopt);
    }
    if (page) {
      // Once: where a free is lost each later one would be taken for that of the life before.
      bool late = page->free_of_before;
      BeginLife(page, at);
      page->allocated_twice = twice && !late;
    } else {
      page = &NewPage(alloc.pfn, alloc.order, LifetimeQuality::kOpen, at);
    }
    page->count = 1;
  }
  page->order = alloc.order;
  page->alloc = at;
  page->allocation_seen = true;
  if (alloc.order > 0) CloseInside(alloc.pfn, alloc.order, false, at);
}

// A tail of a block that turns out to live on its own. The block stays.
Page* PageTracker::SplitTail(const Page& block, Pfn pfn, const Moment& at) {
  std::optional<Moment> alloc = block.alloc;
  bool refs_on_record = block.refs_on_record;
  if (Page* known = Exact(pfn)) Erase(known);
  Page* page = &NewPage(pfn, 0, LifetimeQuality::kSplit, at);
  page->alloc = alloc;
  page->refs_on_record = refs_on_record;
  return page;
}

// A block came apart (split_page, a split huge page) and the part of `order` at `pfn` goes its own
// way; what is left are its buddies. The part with the block's head keeps the block's life.
Page* PageTracker::SplitOff(Page* block, Pfn pfn, uint32_t order, const Moment& at) {
  uint64_t base = Value(block->pfn);
  uint32_t rest = block->order.value_or(0);
  auto part = [&](uint64_t head, uint32_t part_order) -> Page* {
    if (head == Value(block->pfn)) {
      block->order = part_order;
      return block;
    }
    if (Page* known = Exact(static_cast<Pfn>(head))) {
      if (known->alive) return known;
      Erase(known);  // what the frame was before it became part of the block
    }
    Page& fresh = NewPage(static_cast<Pfn>(head), part_order, LifetimeQuality::kSplit, at);
    fresh.alloc = block->alloc;
    fresh.refs_on_record = block->refs_on_record;
    return &fresh;
  };
  if (block->quality == LifetimeQuality::kOpen) block->quality = LifetimeQuality::kSplit;
  while (rest > order) {
    --rest;
    uint64_t middle = base + (uint64_t{1} << rest);
    bool upper = Value(pfn) >= middle;
    part(upper ? base : middle, rest);
    if (upper) base = middle;
  }
  return part(base, order);
}

// Lines of two cpus with the same stamp, or stamps closer than their clocks err, come in either order: a
// frame that was allocated while it still was is freed next by its owner before.
bool PageTracker::IsOfLifeBefore(const Page& page, const PageFree& free, const Moment& at) const {
  return page.alive && page.allocated_twice && page.alloc && page.alloc->ts && at.ts &&
         page.order == free.order && !page.previous_death &&
         OrderOf(*page.alloc, at, *clock_).before == Before::kOpen;
}

void PageTracker::OnFree(const PageFree& free, const Moment& at, const Task* task) {
  sees_frees_ = true;
  orders_ |= uint64_t{1} << free.order;
  Page* page = Exact(free.pfn);
  if (page && IsOfLifeBefore(*page, free, at)) {
    page->previous_death = Death{.at = at, .not_before = {}, .free = at.event};
    page->free_of_before = true;
    return;
  }
  if (!page || !page->alive) {
    Page* covering = Find(free.pfn);
    if (covering && covering != page && covering->alive) page = SplitOff(covering, free.pfn, free.order, at);
  } else if (page->order.value_or(0) > free.order) {
    page = SplitOff(page, free.pfn, free.order, at);
  }
  ++frees_;
  if (page && !page->alive) {
    ++unseen_births_;
    std::optional<EventId> earlier = page->death ? page->death->free : std::nullopt;
    bool same_block = earlier && page->order == free.order;
    // An allocation stamped a little late may still turn up: the anomaly waits for the page's next event.
    Anomaly twice{.invariant = "I4",
                  .at = at,
                  .pfn = free.pfn,
                  .detail = "freed while free: freed twice, or an allocation was not recorded",
                  .kind = "freed twice",
                  .certainty = same_block && !page->used_while_free ? IfComplete(*page) : Certainty::kOpen,
                  .earlier = earlier,
                  .lifetime = page->life};
    BeginLife(page, at, true);
    page->quality = LifetimeQuality::kInherited;
    page->pending = std::make_unique<Anomaly>(std::move(twice));
  }
  if (!page) page = &NewPage(free.pfn, free.order, LifetimeQuality::kInherited, at);

  bool known_not_zero = page->count && *page->count != 0 && !page->frozen;
  if (known_not_zero && !page->death && !page->takers.empty()) {
    AddAnomaly("I2", "freed while referenced", at, *page,
               "freed with a replayed reference count of " + Number(*page->count) +
                   ": references were dropped that are not recorded");
  }
  if (page->last_put && page->last_put->locked == FlagState::kSet && page->last_put->mark.pid == at.pid) {
    EventId put = page->last_put->mark.event;
    // Where an event is missing it may be the put that tells otherwise.
    bool open = !page->last_put->by_put && page->gaps_before != gaps_;
    AddAnomaly(
        "I3", "freed while locked", at, *page,
        "freed with PG_locked set: it was locked when its last reference went (" + EventText(put) + ")",
        open ? Certainty::kOpen : Certainty::kCertain, put);
  }
  if (page->frozen && page->frozen_at && page->frozen_at->pid != at.pid) {
    AddAnomaly("I3", "freed while frozen", at, *page,
               "freed while another task had its count frozen (" + EventText(page->frozen_at->event) + ")",
               Certainty::kOpen, page->frozen_at->event);
  }
  page->order = free.order;
  if (page->order) orders_ |= uint64_t{1} << *page->order;
  Die(page, at, task);
  if (free.order > 0) CloseInside(free.pfn, free.order, true, at);
  LifetimeQuality quality = page->quality == LifetimeQuality::kInherited ? LifetimeQuality::kInherited
                            : page->quality == LifetimeQuality::kSplit   ? LifetimeQuality::kSplit
                                                                         : LifetimeQuality::kComplete;
  EndLife(page, quality, at);
  page->count.reset();  // the next life starts with a page_ref_set or an allocation
  // mm/vmscan.c:__remove_mapping freezes the count, and the page is freed so.
  page->frozen = false;
  page->frozen_at.reset();
  Forget();
}

// Whether an operation shows that the count was above 0 before it. A get that takes a free page's count from
// 0 to 1, and the put that follows it, show nothing of the kind.
bool PageTracker::ProvesAlive(const PageRef& ref, const Page& page) {
  bool got_after_death = page.count.value_or(0) > 0;
  switch (ref.op) {
    case PageRefOp::kMod:
      return ref.val > 0 && ref.count && *ref.count > ref.val;
    case PageRefOp::kModAndTest:
      if (ref.val >= 0 || got_after_death || !ref.ret) return false;
      return *ref.ret == 1 || (ref.count && *ref.count > 0);
    case PageRefOp::kModAndReturn:
      return ref.ret && *ref.ret > std::max(ref.val, 0);
    case PageRefOp::kModUnless:
    case PageRefOp::kFreeze:
      return ref.ret == 1;
    case PageRefOp::kSet:
    case PageRefOp::kUnfreeze:
      return false;
  }
  return false;
}

void PageTracker::OnFoundAlive(Page* page, const Moment& at) {
  ++unseen_births_;
  AddAnomaly("I1", "found while free", at, *page, "in use while free: its allocation was not recorded");
  if (page->alive) EndLife(page, LifetimeQuality::kFreeUnseen, std::nullopt);
  BeginLife(page, at, true);
  page->quality = LifetimeQuality::kInherited;
}

void PageTracker::NoteReference(Page* page) const {
  if (page->refs_on_record) return;
  page->refs_on_record = true;
  observers_.on_first_reference(*page);
}

void PageTracker::OnLastPut(Pfn pfn, const Moment& at, const Task* task, FlagState locked) {
  Page* page = FindOrInherit(pfn, at);
  if (!page->alive) return;
  if (locked != FlagState::kUnknown && page->pfn == pfn) {
    // Nobody locks or unlocks a page whose count is 0: of two that tell otherwise one is damaged.
    const std::optional<LastPut>& put = page->last_put;
    bool contradicted =
        put && put->mark.pid == at.pid && put->locked != FlagState::kUnknown && put->locked != locked;
    bool by_put = put && put->mark.pid == at.pid && put->by_put;
    page->last_put = LastPut{{at.event, at.pid}, contradicted ? FlagState::kUnknown : locked, by_put};
  }
  Die(page, at, task);
}

void PageTracker::OnMovedAway(Pfn pfn, EventId since, const Moment& at) {
  Page* page = Find(pfn);
  // A life that began since the move is another page's.
  if (page && page->alive && !page->death && Value(page->first_event) < Value(since))
    moved_away_[page->life] = {at, gaps_};
}

void PageTracker::OnPageCache(Pfn pfn, const Moment& at) {
  Page* page = FindOrInherit(pfn, at);
  if (page->alive) page->in_page_cache = true;
}

// folio_unlock clears PG_locked of the head; unlock_page may be given a tail, whose own bit is clear at all
// times (mm/filemap.c of 4.10: unlock_page starts with compound_head).
void PageTracker::OnUnlockedTwice(Pfn pfn, const Moment& at) {
  Page* page = Find(pfn);
  if (!page) return;
  bool is_head = page->pfn == pfn && page->allocation_seen && page->alive;
  AddAnomaly("I11", "unlocked while not locked", at, *page,
             "unlocked with PG_locked clear: nobody had it locked",
             is_head && page->gaps_before == gaps_ ? Certainty::kCertain : Certainty::kOpen);
}

RefHolders PageTracker::HoldersOf(Pfn pfn, const Task* migrator, EventId begin) {
  RefHolders holders;
  Page* page = Find(pfn);
  if (!page) return holders;
  EventId latest{};
  for (const RefTaker& taker : page->takers) {
    if ((migrator && taker.task == migrator->serial) || !taker.last_taken) continue;
    if (Value(taker.last_taken->event) < Value(begin) && taker.net_in_life <= 0) continue;
    ++holders.count;
    if (Value(taker.last_taken->event) < Value(latest)) continue;
    latest = taker.last_taken->event;
    holders.latest = taker.pid;
    holders.comm = taker.last_taken->comm;
    holders.taken = latest;
  }
  return holders;
}

Certainty PageTracker::IfComplete(const Page& page) const {
  bool known = page.allocation_seen && !page.contradicted && !page.unsettled && page.gaps_before == gaps_;
  return known ? Certainty::kIfComplete : Certainty::kOpen;
}

// The page's next event after a second free. An allocation stamped within a clock's error of it may have come
// first: a page can be handed to another cpu and freed there at once.
void PageTracker::Settle(Page* page, const Moment& at, bool allocated) {
  if (!page->pending) return;
  constexpr int64_t kNear = 1'000'000;  // 1 ms, far above what clocks err; as many ticks
  const std::optional<int64_t>& freed = page->pending->at.ts;
  bool near = !freed || !at.ts || (*at.ts <= *freed || *at.ts - *freed <= kNear);
  if (allocated && near) page->pending->certainty = Certainty::kOpen;
  emit_(*page->pending);
  page->pending.reset();
}

void PageTracker::TellNegative(Page* page) {
  stats_.counts_contradicted += page->negative->certainty != Certainty::kCertain;
  emit_(*page->negative);
  page->negative.reset();
}

// A count below zero is printed by the kernel itself: no event that is missing explains it, but one damaged
// line does. Where the page's next reference event found it above zero one of the two lines is damaged.
// Certain it is where another number bears it out: what was counted before (`old`), the count that the
// operation returned, or what the next event found.
void PageTracker::CheckCount(Page* page, const PageRef& ref, std::optional<int32_t> old, const Moment& at) {
  if (page->negative) {
    bool adds = ref.op == PageRefOp::kMod || ref.op == PageRefOp::kModAndTest ||
                ref.op == PageRefOp::kModAndReturn || (ref.op == PageRefOp::kModUnless && ref.ret == 1);
    std::optional<int32_t> before;
    if (ref.count) before = Difference(*ref.count, ref.val);
    bool froze = ref.op == PageRefOp::kFreeze && ref.ret == 1;
    bool was_above = before && *before > 0;
    // Two cpus that drop at once both print what is left in the end.
    if ((adds && before == page->negative_count) || ref.count.value_or(0) < 0)
      page->negative->certainty = Certainty::kCertain;
    page->below_zero = !froze && !was_above;
    if (page->below_zero) {
      TellNegative(page);
    } else {
      ++stats_.counts_contradicted;
      page->negative.reset();
    }
  }
  int32_t count = ref.count.value_or(0);
  bool returned = ref.op == PageRefOp::kModAndReturn && ref.ret;
  if (!old && !page->alive && page->death) old = 0;
  // Another cpu may have changed the count before it was printed.
  bool borne_out =
      (returned && ref.ret == ref.count) || (old && Sum(*old, ref.val) == (returned ? ref.ret : ref.count));
  if (returned) count = std::min(count, *ref.ret);
  if (count < 0 && !page->below_zero) {
    page->below_zero = true;
    page->negative_count = count;
    page->negative = std::make_unique<Anomaly>(
        AnomalyOf("I6", "count below zero", at, *page,
                  "the reference count is " + Number(count) + ": a reference was dropped that nobody held",
                  borne_out ? Certainty::kCertain : Certainty::kOpen,
                  page->death ? std::optional(page->death->at.event) : std::nullopt));
  }
  // get_page() on a page that is free: 0 -> 1. With an owner it would be 2 at least.
  bool from_zero = ref.op == PageRefOp::kMod && ref.val > 0 && ref.count == ref.val;
  // A poisoned page is taken off the free lists so (mm/memory-failure.c:page_handle_poison, 5.10 and later).
  bool poisoned = ref.flags.hwpoison != FlagState::kClear;
  if (from_zero && !poisoned && !page->alive && page->death && page->death->free && !page->taken_while_free) {
    page->taken_while_free = true;
    AddAnomaly("I5", "reference taken on a free page", at, *page,
               "a reference was taken on a free page: the count went from 0 to " + Number(ref.val),
               IfComplete(*page), page->death->free);
  }
}

// page_ref_freeze sets the count to 0 so that nobody can take a reference until page_ref_unfreeze.
std::optional<Anomaly> PageTracker::CheckFrozen(const Page& page, const PageRef& ref,
                                                std::optional<int32_t> old, const Moment& at) const {
  bool frozen = page.frozen && page.frozen_at;
  bool from_zero = ref.op == PageRefOp::kMod && ref.val > 0 && ref.count == ref.val;
  // 4.10 thaws the head of a split huge page with page_ref_inc(): the freezer itself may.
  if (frozen && from_zero && page.frozen_at->pid != at.pid) {
    return AnomalyOf("I7", "reference taken while frozen", at, page,
                     "a reference was taken while the count was frozen (" + EventText(page.frozen_at->event) +
                         "): it went from 0 to " + Number(ref.val),
                     page.gaps_before == gaps_ ? Certainty::kCertain : Certainty::kOpen,
                     page.frozen_at->event);
  }
  if (ref.op == PageRefOp::kUnfreeze && !page.frozen && old.value_or(0) > 0) {
    return AnomalyOf("I7", "unfrozen while not frozen", at, page,
                     "the count is set to " + Number(ref.val) + " by page_ref_unfreeze, but it was " +
                         Number(*old) +
                         " and not frozen: references are lost, or the freeze is not on record");
  }
  if (ref.op == PageRefOp::kModUnless && ref.ret == 0 && old.value_or(0) > 0 && !page.frozen) {
    return AnomalyOf("I15", "no reference to be had", at, page,
                     "get_page_unless_zero() failed with a replayed count of " + Number(*old) +
                         ": the page was free or frozen, which is not on record");
  }
  return std::nullopt;
}

namespace {

// "1 reference was dropped that is not on record", as far as the outcome tells.
std::string MissingText(const PageRef& ref, int32_t old) {
  std::optional<int32_t> count;  // before the operation
  switch (ref.op) {
    case PageRefOp::kModAndTest:
      if (ref.ret == 1) count = Difference(0, ref.val);
      break;
    case PageRefOp::kModAndReturn:
      if (ref.ret) count = Difference(*ref.ret, ref.val);
      break;
    case PageRefOp::kModUnless:
      if (ref.ret == 0) count = 0;
      break;
    case PageRefOp::kFreeze:
      if (ref.ret == 1) count = ref.val;
      break;
    case PageRefOp::kUnfreeze:
      count = 0;
      break;
    default:
      break;
  }
  if (!count) return "a reference was taken that is not on record";
  int64_t missing = int64_t{*count} - old;
  int64_t references = missing < 0 ? -missing : missing;
  return "it was " + Number(*count) + ": " + Number(references) +
         (references == 1 ? " reference was " : " references were ") + (missing < 0 ? "dropped" : "taken") +
         (references == 1 ? " that is not on record" : " that are not on record");
}

}  // namespace

// What was certain of this event cannot be. What is missing becomes a record of its own.
void PageTracker::Contradict(Page* page, const PageRef& ref, int32_t old, const RefStep& step) {
  Declare(page);
  ForgetSteps(*page);
  bool too_low = false;
  switch (ref.op) {
    case PageRefOp::kModAndTest:
      too_low = ref.ret == 0;
      break;
    case PageRefOp::kModAndReturn:
      too_low = *ref.ret > Sum(old, ref.val);
      break;
    case PageRefOp::kModUnless:
      too_low = ref.ret == 1;
      break;
    case PageRefOp::kFreeze:
      too_low = ref.ret == 1 ? old < ref.val : true;
      break;
    default:
      break;
  }
  page->unsettled = std::make_unique<Contradiction>(Contradiction{
      .start = old,
      .steps = {step},
      .anomaly = AnomalyOf("I6", "count contradicted", step.at, *page,
                           "the replayed count was " + Number(old) +
                               " before this event, which the outcome contradicts: " + MissingText(ref, old)),
      .too_low = too_low});
}

// No order of the events explains it.
void PageTracker::Declare(Page* page) {
  if (!page->unsettled) return;
  std::unique_ptr<Contradiction> found = std::move(page->unsettled);
  if (found->too_low) observers_.on_unrecorded_reference(*page, EventId{});
  const Moment& at = found->steps.front().at;
  if (!stats_.first_mismatch || Value(at.event) < Value(*stats_.first_mismatch))
    stats_.first_mismatch = at.event;
  page->contradicted = true;
  emit_(std::move(found->anomaly));
}

// The operation may have come before one that contradicts the counts, and then nothing does. Returns the
// count after all of them.
std::optional<int32_t> PageTracker::RepairWith(Page* page, const RefStep& step) {
  constexpr size_t kLaterSteps = 3;
  Contradiction& open = *page->unsettled;
  open.steps.push_back(step);
  auto repaired = RepairOrder(open.start, open.steps, *clock_, ticks_);
  if (!repaired) {
    if (open.steps.size() > kLaterSteps) Declare(page);
    return std::nullopt;
  }
  EmitRepaired(open.steps, *repaired);
  ++stats_.ref_anchors_matched;
  // An unrecorded reference of the waiter's would explain it as well: where it matters, it may be one.
  if (open.too_low) observers_.on_unrecorded_reference(*page, EventId{});
  page->unsettled.reset();
  ForgetSteps(*page);
  return repaired->replayed.back();
}

// The operation itself may have come before others of its page. `ties_only`: only printed counts speak for
// it, which a reference that is not on record explains as well; then the stamps must leave the order open.
std::optional<int32_t> PageTracker::RepairBack(Page* page, const RefStep& step, bool ties_only) {
  std::vector<RefStep> steps;  // newest first
  size_t needed = 0;
  int32_t start = 0;
  steps.push_back(step);
  for (size_t back = 1; back <= kRecentSteps && steps.size() < kRefStepsRepaired; ++back) {
    size_t place = (next_recent_ + kRecentSteps - back) % kRecentSteps;
    if (recent_lives_[place] != page->life) continue;
    const RecentStep& recent = recent_[place];
    if (ties_only && OrderOf(recent.step.at, step.at, *clock_).before != Before::kOpen) break;
    steps.push_back(recent.step);
    if (MayPrecede(step, recent.step, *clock_, ticks_)) {
      needed = steps.size();
      start = recent.old;
    }
  }
  if (needed == 0) return std::nullopt;
  steps.resize(needed);
  std::reverse(steps.begin(), steps.end());
  auto repaired = RepairOrder(start, steps, *clock_, ticks_);
  if (!repaired || std::is_sorted(repaired->order.begin(), repaired->order.end())) return std::nullopt;
  EmitRepaired(steps, *repaired);
  ForgetSteps(*page);
  return repaired->replayed.back();
}

void PageTracker::EmitRepaired(const std::vector<RefStep>& steps, const RepairedOrder& repaired) {
  for (size_t place = 0; place < repaired.order.size(); ++place) {
    emit_(RepairedRef{.event = steps[repaired.order[place]].at.event,
                      .place = steps[place].at.event,
                      .replayed = repaired.replayed[place]});
  }
}

// Their counts no longer follow from each other.
void PageTracker::ForgetSteps(const Page& page) {
  std::replace(recent_lives_.begin(), recent_lives_.end(), page.life, LifetimeId{});
}

void PageTracker::OnRef(const PageRef& ref, const Moment& at, const Task* task, bool in_interrupt) {
  Forget();
  Page* page = Exact(ref.pfn);
  if (ref.op == PageRefOp::kSet) {
    Page* covering = Find(ref.pfn);
    bool is_tail = covering && covering != page && covering->alive;
    if (is_tail && ref.val == 0) {
      // prep_compound_page: the tails of a block start at 0. Nothing happens to the block.
      emit_(PageRefResult{.event = at.event,
                          .lifetime = covering->life,
                          .pfn = ref.pfn,
                          .delta = {},
                          .replayed = {},
                          .replayed_lo = {},
                          .replayed_hi = {}});
      return;
    }
    if (page) Settle(page, at, true);
    std::optional<int32_t> before = page && page->alive ? page->count : std::nullopt;
    // mm/page_alloc.c of 6.14: __alloc_pages_noprof sets the count behind mm_page_alloc.
    bool just_allocated = page && page->alive && !page->death && page->allocation_seen && page->alloc &&
                          page->alloc->pid == at.pid && page->last_ref == EventId{} && ref.val == 1;
    if (is_tail) {
      page = SplitTail(*covering, ref.pfn, at);
    } else if (!page) {
      page = &NewPage(ref.pfn, std::nullopt, LifetimeQuality::kOpen, at);
    } else if (!page->alive || page->death) {
      // Compaction and contiguous allocation take pages without mm_page_alloc.
      if (page->alive) EndLife(page, LifetimeQuality::kFreeUnseen, std::nullopt);
      BeginLife(page, at);
      page->alloc = at;
    } else if (before.value_or(0) > 0 && ref.val > 0 && !just_allocated) {
      AddAnomaly("I1", "allocated twice", at, *page,
                 "prepared for allocation with a replayed count of " + Number(*before) +
                     ": its free was not recorded");
      EndLife(page, LifetimeQuality::kFreeUnseen, std::nullopt);
      BeginLife(page, at);
      page->alloc = at;
      before.reset();
    }
    if (!page->alloc && page->quality == LifetimeQuality::kOpen) page->alloc = at;
    page->count = ref.val;
    page->last_ref = at.event;
    page->frozen = false;
    page->frozen_at.reset();
    page->last_put.reset();
    std::optional<int32_t> delta;
    if (before) delta = Difference(ref.val, *before);
    NoteReference(page);
    emit_(PageRefResult{.event = at.event,
                        .lifetime = page->life,
                        .pfn = ref.pfn,
                        .delta = delta,
                        .replayed = ref.val,
                        .replayed_lo = ref.val,
                        .replayed_hi = ref.val});
    return;
  }

  RefStep step{.op = ref.op,
               .val = ref.val,
               .ret = ref.ret,
               .count = ref.count,
               .at = at,
               .not_before = {},
               .resumed = {}};
  if (task && !in_interrupt) {
    step.not_before = task->last_own;
    if (task->switched_in && step.not_before &&
        Value(task->switched_in->event) > Value(step.not_before->event))
      step.resumed = task->switched_in;
  }
  std::optional<int32_t> repaired;  // count after it, were the order another one
  if (page && page->unsettled) repaired = RepairWith(page, step);
  if (!repaired && page && page->death && ProvesAlive(ref, *page) && clock_->Proves(page->death->at, at))
    OnFoundAlive(page, at);
  if (!page || !page->alive) {
    Page* covering = Find(ref.pfn);
    if (covering && covering != page && covering->alive) {
      // A tail with a count of its own: a block without compound head, or one that came apart.
      page = SplitTail(*covering, ref.pfn, at);
    } else if (!page) {
      page = &NewPage(ref.pfn, std::nullopt, LifetimeQuality::kInherited, at);
    }
  }

  // ---- predict, compare with what is certain, take over what is certain ----
  std::optional<int32_t> old = page->count;
  Settle(page, at, false);
  CheckCount(page, ref, old, at);
  if (!page->alive) page->used_while_free = true;
  std::optional<Anomaly> strange_freeze = CheckFrozen(*page, ref, old, at);
  page->last_put.reset();
  bool certain = ref.op != PageRefOp::kMod && (ref.ret || ref.op == PageRefOp::kUnfreeze);
  bool matched = true;
  std::optional<int32_t> now;
  std::optional<int32_t> delta = ref.val;
  std::optional<int32_t> lo;
  bool taken = false;
  bool dropped = false;
  bool reached_zero = false;
  switch (ref.op) {
    case PageRefOp::kSet:
      break;
    case PageRefOp::kMod:
      if (old) now = Sum(*old, ref.val);
      taken = ref.val > 0;
      dropped = ref.val < 0;
      break;
    case PageRefOp::kModAndTest:
      if (ref.ret) {
        reached_zero = *ref.ret == 1;
        if (old) matched = (Sum(*old, ref.val) == 0) == reached_zero;
        if (reached_zero) {
          now = 0;
        } else {
          lo = 1;
          if (old && matched) now = Sum(*old, ref.val);
        }
      } else if (old) {
        now = Sum(*old, ref.val);
      }
      dropped = true;
      break;
    case PageRefOp::kModAndReturn:
      if (ref.ret) {
        if (old) matched = Sum(*old, ref.val) == *ref.ret;
        now = ref.ret;
        reached_zero = *ref.ret == 0;
      } else if (old) {
        now = Sum(*old, ref.val);
      }
      taken = ref.val > 0;
      dropped = ref.val < 0;
      break;
    case PageRefOp::kModUnless:
      if (ref.ret) {
        bool done = *ref.ret == 1;
        if (old) matched = (*old != 0) == done;
        if (!done) {
          now = 0;
          delta = 0;
        } else {
          lo = Sum(ref.val, 1);
          if (old && matched) now = Sum(*old, ref.val);
        }
        taken = done;
      }
      break;
    case PageRefOp::kFreeze:
      if (ref.ret) {
        bool done = *ref.ret == 1;
        if (old) matched = (*old == ref.val) == done;
        if (done) now = 0;
        if (!done && matched) now = old;
        delta = done ? Difference(0, ref.val) : 0;
        page->frozen = done;
        page->frozen_at.reset();
        if (done) page->frozen_at = Mark{at.event, at.pid};
      }
      break;
    case PageRefOp::kUnfreeze:
      if (old) matched = *old == 0;
      now = ref.val;
      page->frozen = false;
      page->frozen_at.reset();
      break;
  }
  bool strange = old && now && ref.count && *ref.count != *now;
  if (!repaired && old && (!matched || strange)) repaired = RepairBack(page, step, matched);
  if (repaired) {
    now = repaired;
    matched = true;
  } else if (strange_freeze) {
    emit_(std::move(*strange_freeze));
  }
  if (old && certain) {
    ++stats_.ref_anchors;
    stats_.ref_anchors_matched += matched;
    if (!matched) Contradict(page, ref, *old, step);
  }
  if (old && matched && !repaired) {
    recent_[next_recent_] = {.old = *old, .step = step};
    recent_lives_[next_recent_] = page->life;
    next_recent_ = (next_recent_ + 1) % kRecentSteps;
  }
  bool first_sight = !old && !now;
  // The first observed count, and the one after a contradicted prediction, is the printed one: it was
  // sampled a moment after the operation.
  if (!now) now = ref.count;
  page->count = now;
  if (!first_sight && ref.count && *ref.count > *now) {
    if (page->excess_run++ == 0) page->excess_after = page->last_ref;
  } else {
    // An increment logged late explains a short excess that it ends; anything else leaves a
    // reference that came and went without a record.
    if (page->excess_run > (taken ? 3 : 1)) observers_.on_unrecorded_reference(*page, page->excess_after);
    page->excess_run = 0;
  }
  page->last_ref = at.event;
  NoteReference(page);
  emit_(PageRefResult{.event = at.event,
                      .lifetime = page->life,
                      .pfn = ref.pfn,
                      .delta = delta,
                      .replayed = first_sight ? std::nullopt : now,
                      .replayed_lo = first_sight ? lo : now,
                      .replayed_hi = first_sight ? std::nullopt : now});

  if (task && !in_interrupt && (taken || dropped)) {
    RefTaker& taker = TakerOf(page, task);
    taker.net_in_scope += *delta;
    taker.net_in_life += *delta;
    if (dropped && taker.net_in_scope < 0) observers_.on_unmatched_put(*page, *task, at);
    bool holds_one = taker.net_in_hold > 0;
    if (holds_one && (dropped || !task->holding)) taker.net_in_hold += *delta;
    if (taken) {
      if (task->holding) {
        if (taker.kept_since != task->holding) taker.net_in_hold = 0;
        taker.net_in_hold += *delta;
        taker.kept_since = task->holding;
        taker.kept_event = at.event;
      } else if (!holds_one) {
        taker.kept_since.reset();
      }
      taker.last_taken = at;
      taker.taken_in = task->holding;
      taker.taken_after_release =
          !task->holding && task->last_hold && !task->frames.empty() &&
          Value(task->last_hold->release.event) > Value(task->frames.back().entry.event);
    }
  }
  if (page->frozen && taken && page->frozen_at && page->frozen_at->pid == at.pid) {
    page->frozen = false;
    page->frozen_at.reset();
  }
  if (reached_zero) page->last_put = LastPut{{at.event, at.pid}, ref.flags.locked, true};
  if (reached_zero && page->alive) Die(page, at, in_interrupt ? nullptr : task);
}

void PageTracker::Forget() {
  while (dead_.size() > kDeadPagesKept) {
    auto [pfn, life] = dead_.front();
    dead_.pop_front();
    Page* page = Exact(static_cast<Pfn>(pfn));
    if (!page || page->alive || page->life != life || !page->waits.empty()) continue;
    Erase(page);
    ++stats_.pages_forgotten;
  }
}

// Their frames are as if they had not been seen yet.
void PageTracker::ForgetOldest(std::vector<Page*> pages) {
  std::sort(pages.begin(), pages.end(),
            [](const Page* a, const Page* b) { return Value(a->life) < Value(b->life); });
  for (Page* page : pages) {
    Declare(page);
    EmitPending(page);
    if (page->alive) {
      ++stats_.live_pages_forgotten;
      bool inherited = page->quality == LifetimeQuality::kInherited;
      EndLife(page, inherited ? LifetimeQuality::kInheritedOpen : page->quality, std::nullopt);
    } else {
      ++stats_.pages_forgotten;
    }
    takers_ -= page->takers.size() + page->previous_takers.size();
  }
}

void PageTracker::Finish(std::optional<int64_t> last_ts) {
  constexpr int64_t kOverdue = 10'000'000'000;  // ns
  std::vector<Page*> left;
  pages_.ForEach([&](uint64_t, Page& page) {
    if (page.alive || page.pending || page.negative || page.unsettled) left.push_back(&page);
  });
  std::sort(left.begin(), left.end(),
            [](const Page* a, const Page* b) { return Value(a->pfn) < Value(b->pfn); });
  for (Page* one : left) {
    Page& page = *one;
    Declare(&page);
    EmitPending(&page);
    if (!page.alive) continue;
    auto moved = moved_away_.find(page.life);
    bool on_record = moved != moved_away_.end() && moved->second.gaps == gaps_ && moved->second.at.ts;
    if (on_record && last_ts && *last_ts - *moved->second.at.ts > kOverdue) {
      AddAnomaly("I14", "source of a migration kept", moved->second.at, page,
                 "moved to another page and not freed in the " +
                     Number((*last_ts - *moved->second.at.ts) / 1'000'000'000) +
                     " s that follow: somebody has a reference");
    }
    LifetimeQuality quality =
        page.quality == LifetimeQuality::kInherited ? LifetimeQuality::kInheritedOpen : page.quality;
    EndLife(&page, quality, std::nullopt);
  }
}

void PageTracker::AddAnomaly(std::string_view invariant, std::string_view kind, const Moment& at,
                             const Page& page, std::string detail, Certainty certainty,
                             std::optional<EventId> earlier) {
  emit_(AnomalyOf(invariant, kind, at, page, std::move(detail), certainty, earlier));
}

}  // namespace mmreplay
