#include "replay/shadow_mm.h"

#include <algorithm>
#include <type_traits>

#include "parser/overloaded.h"
#include "replay/text.h"

namespace mmreplay {
namespace {

using Function = KernelFunction;

Moment MomentOf(const Event& event) {
  return {event.id, event.ts, event.cpu, event.pid, event.comm};
}

// Of page->flags as a probe fetched them; PG_locked is bit 0 in every kernel.
FlagState LockedState(std::optional<uint64_t> flags) {
  if (!flags) return FlagState::kUnknown;
  return (*flags & 1) != 0 ? FlagState::kSet : FlagState::kClear;
}

// What a model still says that does not see all the events it should: what was seen to happen, not what
// follows from nothing else having happened.
bool SurvivesBlindness(Record* record) {
  if (std::holds_alternative<Anomaly>(*record) || std::holds_alternative<RepairedRef>(*record)) return false;
  if (auto* ref = std::get_if<PageRefResult>(record)) {
    ref->replayed.reset();
    ref->replayed_lo.reset();
    ref->replayed_hi.reset();
  }
  return true;
}

}  // namespace

ShadowMm::ShadowMm(ReplayOptions options, Sink sink)
    : options_(std::move(options)),
      sink_([this, sink = std::move(sink)](Record&& record) {
        if (!summary_.blinded || SurvivesBlindness(&record)) sink(std::move(record));
      }),
      clock_(options_.clock, options_.ticks),
      ptes_(options_.architecture, options_.release, options_.page_shift),
      tasks_(options_.memory.tasks(),
             [this](const std::vector<Task*>& tasks) {
               locks_.Forget(tasks);
               migrations_.Forget(tasks);
               for (const Task* task : tasks) EndMigrating(task);
             }),
      locks_(sink_, &clock_, options_.memory),
      pages_(sink_,
             {.on_death = [this](const Page& page) { waits_.OnDeath(page); },
              .on_new_life = [this](const Page& old_life, const Moment& at,
                                    bool unseen) { waits_.OnNewLife(old_life, at, unseen); },
              .on_unrecorded_reference = [this](const Page& page,
                                                EventId after) { waits_.OnUnrecordedReference(page, after); },
              .on_first_reference = [this](const Page& page) { waits_.OnFirstReference(page); },
              .on_unmatched_put = [this](const Page& page, const Task& task,
                                         const Moment& at) { waits_.OnUnmatchedPut(page, task, at); },
              .has_waits = [this](const Page& page) { return waits_.Keeps(page); }},
             &clock_, options_.ticks, options_.memory),
      migrations_(
          [this](Record&& record) {
            const auto* moved = std::get_if<Migration>(&record);
            if (moved && moved->result == MigrationResult::kMigrated && moved->source && moved->begin &&
                moved->end)
              pages_.OnMovedAway(*moved->source, moved->begin->event, *moved->end);
            sink_(std::move(record));
          },
          options_.memory),
      waits_(sink_, &pages_, &clock_) {}

void ShadowMm::Learn(const Lessons& lessons) {
  shown_ = lessons.shown;
  for (const PagePair& pair : lessons.pages) page_map_.Learn(pair);
  page_map_.Reach(lessons.highest_pfn);
  clock_.Adopt(lessons.clock);
  summary_.all_tasks = lessons.shown.all_tasks;
  waits_.Learn(shown_.births, shown_.all_tasks);
  summary_.clocks_forgotten = lessons.clocks_forgotten;
  if (lessons.disorder_line) OnDisorder(*lessons.disorder_line);
  if (shown_.processes) {
    summary_.processes = summary_.blinded = true;
    waits_.OnBlinded(WaitTracker::Blindness::kProcesses);
  }
}

// A missing +1 says something only if every event that could show one was on. They are switched on one after
// the other, and their buffer may begin later than others.
bool ShadowMm::ReferencesRecordable(const Moment& at) const {
  return shown_.page_ref_mod && shown_.page_ref_mod_unless && Value(*shown_.first_ref) < Value(at.event);
}

ShadowMm::CpuState& ShadowMm::CpuOf(int32_t cpu) {
  auto index = static_cast<size_t>(cpu);
  if (cpu < 0 || index >= known_cpus_.size()) return cpus_[cpu];
  CpuState*& known = known_cpus_[index];
  if (!known) known = &cpus_[cpu];
  return *known;
}

// NR_CPUS is 8192 at most (arch/x86/Kconfig): events of more cpus than that are of none we know.
bool ShadowMm::KnowsCpu(int32_t cpu) {
  constexpr size_t kCpus = 8192;
  auto index = static_cast<size_t>(cpu);
  if (cpu >= 0 && index < known_cpus_.size()) return true;
  if (cpus_.size() < known_cpus_.size() + kCpus || cpus_.contains(cpu)) return true;
  ++summary_.cpus_forgotten;
  return false;
}

bool ShadowMm::CloseGap(const Event& event) {
  if (!event.cpu) return false;
  CpuState& cpu = CpuOf(*event.cpu);
  if (!cpu.seen) {
    cpu.seen = true;
    const auto& listed = options_.overwritten_cpus;
    bool overwritten = options_.head_overwritten && (listed.empty() || std::find(listed.begin(), listed.end(),
                                                                                 *event.cpu) != listed.end());
    if (overwritten && !cpu.open_gap) {
      ++open_gaps_;
      cpu.open_gap = Gap{.cpu = *event.cpu, .from_ts = {}, .to_ts = {}, .lost = {}};
      waits_.OnGap(*event.cpu, std::nullopt);
    }
  }
  bool steps_back = false;
  if (cpu.open_gap) {
    cpu.open_gap->to_ts = event.ts;
    cpu.last_gap = event.id;
    last_gap_ = event.id;
    pages_.OnGap();
    migrations_.OnGap();
    sink_(*cpu.open_gap);
    cpu.open_gap.reset();
    --open_gaps_;
  } else if (event.ts && cpu.last_ts && *event.ts < *cpu.last_ts && !event.copy && !summary_.blinded) {
    steps_back = true;
    OnStepBack(*event.cpu);
    cpu.last_gap = event.id;
    last_gap_ = event.id;
  }
  cpu.last_ts = event.ts;
  cpu.last_event = event.id;
  if (!cpu.ran) ran_.push_back(*event.cpu);
  cpu.ran = true;
  return steps_back;
}

// Of the cpu's own. What may be missing of pages and migrations is of no cpu.
void ShadowMm::MissOn(int32_t cpu) {
  locks_.OnGap(cpu);
  waits_.OnGap(cpu, CpuOf(cpu).last_event);
}

// The event belongs elsewhere, or the one before: one may be missing here.
void ShadowMm::OnStepBack(int32_t cpu) {
  MissOn(cpu);
  pages_.OnGap();
  migrations_.OnGap();
}

// Nothing else is missing of its cpu, so this is over at once.
void ShadowMm::OnUnreadable(const LossMarker& marker) {
  auto note = [&](int32_t cpu) {
    MissOn(cpu);
    CpuOf(cpu).last_gap = marker.next_event;
  };
  if (marker.cpu == kAnyCpu) {
    for (int32_t cpu : ran_) {
      note(cpu);
      CpuOf(cpu).ran = false;
    }
    ran_.clear();
    // Lines without a cpu.
    if (cpus_.empty())
      waits_.OnGap(WaitTracker::kUnknownCpu, static_cast<EventId>(Value(marker.next_event) - 1));
  } else if (KnowsCpu(marker.cpu)) {
    note(marker.cpu);
  }
  last_gap_ = marker.next_event;
  pages_.OnGap();
  migrations_.OnGap();
}

// What comes from here on in the file did not happen after what came before.
void ShadowMm::OnDisorder(int64_t line) {
  if (summary_.disorder_line) return;
  summary_.disorder_line = line;
  summary_.blinded = true;
  waits_.OnBlinded(WaitTracker::Blindness::kDisorder);
}

// What a filter leaves out is no loss of one cpu. After a loss the model goes on with what it knows, and is
// mostly right; with a filter it would be wrong by design.
void ShadowMm::Cut(const LossMarker& marker) {
  switch (marker.kind) {
    case LossMarker::Kind::kLost:
    case LossMarker::Kind::kBufferStarted:
      break;
    case LossMarker::Kind::kStretchBegins:
      clock_.KnowOnlyPart();
      waits_.OnStretchBegin();
      break;
    case LossMarker::Kind::kStretchEnds:
      clock_.KnowOnlyPart();
      waits_.OnStretchEnd();
      break;
    case LossMarker::Kind::kLeftOut:
      summary_.blinded = true;
      waits_.OnBlinded(WaitTracker::Blindness::kLeftOut);
      break;
    case LossMarker::Kind::kNextBoot:
      // Pages, tasks and locks are others from here on.
      OnDisorder(marker.line);
      break;
    case LossMarker::Kind::kUnreadable:
      OnUnreadable(marker);
      break;
  }
}

void ShadowMm::Replay(const LossMarker& marker) {
  if (marker.kind != LossMarker::Kind::kLost && marker.kind != LossMarker::Kind::kBufferStarted) {
    Cut(marker);
    return;
  }
  if (!KnowsCpu(marker.cpu)) {
    waits_.OnGap(WaitTracker::kUnknownCpu, std::nullopt);
    pages_.OnGap();
    migrations_.OnGap();
    return;
  }
  CpuState& cpu = CpuOf(marker.cpu);
  if (marker.kind == LossMarker::Kind::kBufferStarted && cpu.seen) return;
  cpu.seen = true;
  if (!cpu.open_gap) {
    ++open_gaps_;
    cpu.open_gap = Gap{.cpu = marker.cpu, .from_ts = cpu.last_ts, .to_ts = {}, .lost = marker.lost};
  }
  MissOn(marker.cpu);
  pages_.OnGap();
  migrations_.OnGap();
}

// Events that would show a reference of the task may be missing since then.
bool ShadowMm::GapSince(const Task& task, EventId since) const {
  auto after = [&](bool open, const std::optional<EventId>& last) {
    return open || (last && Value(*last) > Value(since));
  };
  if (!task.scope_moved && task.scope_cpu) {
    auto cpu = cpus_.find(*task.scope_cpu);
    return cpu != cpus_.end() && after(cpu->second.open_gap.has_value(), cpu->second.last_gap);
  }
  return after(open_gaps_ > 0, last_gap_);
}

void ShadowMm::Replay(const Event& event) {
  if (event.cpu && static_cast<uint32_t>(*event.cpu) >= known_cpus_.size() && !KnowsCpu(*event.cpu)) {
    Event elsewhere = event;
    elsewhere.cpu.reset();
    Replay(elsewhere);
    return;
  }
  bool steps_back = CloseGap(event);
  Moment at = MomentOf(event);
  if (steps_back) at.ts.reset();  // a digit is lost here or before: it is no time to prove an order by
  if (!event.cpu) SeeLast(event.ts);
  Task* task = tasks_.Of(event);
  bool own = task && !event.in_interrupt;
  if (task) task->comm = event.comm;

  bool is_sched = std::holds_alternative<SchedSwitch>(event.payload) ||
                  std::holds_alternative<SchedWaking>(event.payload) ||
                  std::holds_alternative<SchedFork>(event.payload);
  bool is_opaque = std::holds_alternative<Opaque>(event.payload);
  if (own) {
    if (task->scope_cpu && task->scope_cpu != event.cpu) task->scope_moved = true;
    task->scope_cpu = event.cpu;
  }

  if (own && task->waiting) {
    // Without a return probe a wait is over when its task goes on: takes a page-table lock, works
    // on a page's count. With one, its return tells (a waiter may submit I/O before it sleeps).
    const auto* lock = std::get_if<LockEvent>(&event.payload);
    const auto* free = std::get_if<PageFree>(&event.payload);
    bool goes_on =
        free || std::holds_alternative<PageRef>(event.payload) || (lock && lock->step == LockStep::kAcquire);
    auto function = waits_.WaitingIn(*task);
    bool return_known = ReturnKnown(function);
    // Its return may be missing all the same: nobody frees a page while he waits for it.
    bool frees_it = free && waits_.WaitsFor(*task, pages_.Find(free->pfn));
    if (function && ((goes_on && !return_known) || frees_it)) waits_.EndUnseen(task, at);
  }

  std::visit(Overloaded{
                 [](const Opaque&) {},
                 [&](const PageCacheEvent& cached) {
                   FoundAlive(cached.pfn, at);
                   pages_.OnPageCache(cached.pfn, at);
                   NotePage(cached.pfn, at);
                 },
                 [&](const PageRef& ref) { pages_.OnRef(ref, at, task, event.in_interrupt); },
                 [&](const PageAlloc& alloc) {
                   pages_.OnAlloc(alloc, at);
                   NotePage(alloc.pfn, at);
                   if (own && alloc.order > 0 && task->FindFrame(Function::kMigrateMisplacedTranshugePage))
                     migrations_.OnHugeDestination(task, alloc.pfn);
                 },
                 [&](const PageFree& free) {
                   pages_.OnFree(free, at, own ? task : nullptr);
                   NotePage(free.pfn, at);
                 },
                 [&](const LockEvent& lock) { locks_.OnLock(lock, at, task, shown_.lock_acquired); },
                 [&](const ContentionEvent& contention) {
                   locks_.OnContention(contention, at, own ? task : nullptr);
                 },
                 [&](const SchedSwitch& sched) { OnSwitch(sched, event, at); },
                 [&](const SchedWaking& waking) {
                   if (waking.done) return;
                   OnWaking(waking, at);
                 },
                 [&](const SchedFork& fork) {
                   if (Task* child = tasks_.Of(fork.child, std::nullopt); child && !child->last_own)
                     child->led_by.Add({EventOrder::kFork, at, at.event});
                 },
                 [&](const MigratePages& batch) {
                   if (!own) return;
                   if (batch.start) {
                     migrations_.OnBatchStart(task, batch.reason, at);
                   } else {
                     migrations_.OnBatchEnd(task, batch.reason, at);
                     EndMigrating(task);
                   }
                 },
                 [&](const MigrationEntry& entry) {
                   if (own) OnMigrationEntry(entry, at, task);
                 },
                 [&](const FunctionEntry& call) {
                   if (own) OnEntry(call, event.name, at, task);
                   summary_.waits_of_nobody += !task && IsWaitFunction(call.function);
                 },
                 [&](const FunctionReturn& call) {
                   if (own) OnReturn(call, at, task);
                 },
             },
             event.payload);

  if (own) {
    bool releases = false;
    if (const auto* lock = std::get_if<LockEvent>(&event.payload))
      releases = lock->step == LockStep::kRelease;
    // What a task does between two of its own events is not recorded; scheduling and events without
    // meaning to the model do not count as something it did to pages or locks.
    if (task->last_hold && !is_sched && !is_opaque && !releases &&
        !(std::holds_alternative<FunctionEntry>(event.payload) && task->waiting)) {
      task->last_hold->direct = false;
    }
    if (!is_sched) task->last_own = at;
  }
}

bool ShadowMm::ReturnKnown(std::optional<KernelFunction> function) const {
  return function && (shown_.returns & Bit(*function)) != 0;
}

void ShadowMm::OnSwitch(const SchedSwitch& sched, const Event& event, const Moment& at) {
  if (Task* prev = tasks_.Of(sched.prev, event.cpu)) {
    if (sched.prev_state == SleepState::kUninterruptible || sched.prev_state == SleepState::kOther)
      locks_.OnSleep(prev, at);
    bool sleeps = sched.prev_state == SleepState::kUninterruptible || sched.prev_state == SleepState::kOther;
    // Between a page table's lock and the wait for what was found there nobody sleeps.
    if (sleeps && !prev->waiting && prev->last_hold) prev->last_hold->direct = false;
    // Page waits sleep uninterruptibly (or killably, shown as D too): any other sleep is another wait.
    if (sched.prev_state == SleepState::kUninterruptible) {
      waits_.OnSleep(*prev, at, ReturnKnown(waits_.WaitingIn(*prev)));
    }
    if (sched.prev_state == SleepState::kRunning) waits_.OnPreempted(*prev, at);
    if (sched.prev_state == SleepState::kOther) {
      if (prev->waiting) waits_.EndUnseen(prev, at);
      prev->last_idle = at;
      summary_.returns_missing += static_cast<int64_t>(tasks_.OnIdle(prev));
    }
    prev->asleep = sleeps;
    prev->woken.reset();
  }
  if (Task* next = tasks_.Of(sched.next, event.cpu)) {
    next->switched_in = at;
    if (next->asleep && next->woken) next->led_by.Add({EventOrder::kWakeUp, *next->woken, at.event});
    next->asleep = false;
    next->woken.reset();
    waits_.OnRun(*next, at);
    if (next->scope_cpu && next->scope_cpu != event.cpu) next->scope_moved = true;
  }
}

void ShadowMm::OnWaking(const SchedWaking& waking, const Moment& at) {
  Task* woken = tasks_.Of(waking.pid, std::nullopt);
  if (!woken) return;
  waits_.OnWaking(*woken, at);
  // Only who slept is woken (kernel/sched/core.c:try_to_wake_up looks at its state): see OnSwitch.
  if (!woken->waiting && woken->last_hold && clock_.Proves(woken->last_hold->release, at))
    woken->last_hold->direct = false;
  if (!woken->woken) woken->woken = at;
}

void ShadowMm::OnMigrationEntry(const MigrationEntry& entry, const Moment& at, Task* task) {
  locks_.Describe(task, "addr " + HexText(entry.address));
  if (!entry.set) {
    std::optional<Pfn> present = ptes_.Present(entry.value);
    if (present) {
      FoundAlive(*present, at);
      NotePage(*present, at);
    }
    auto source = migrations_.OnEntryRemoved(task, entry.address, present, at);
    if (source) {
      if (Page* page = pages_.Find(*source)) page->migration_ending = true;
    }
    return;
  }
  std::optional<Pfn> source = ptes_.Migration(entry.value, entry.pmd);
  migrations_.OnEntrySet(task, entry.address, source, at);
  if (!source) return;
  FoundAlive(*source, at);
  BeginMigrating(*source, false, at, task);
  NotePage(*source, at);
}

// What a page table or the page cache holds is not free. Compaction and CMA take free pages without an
// mm_page_alloc (mm/compaction.c:isolate_freepages, mm/page_alloc.c:alloc_contig_range).
void ShadowMm::FoundAlive(Pfn pfn, const Moment& at) {
  if (Page* page = pages_.Find(pfn); page && page->death && clock_.Proves(page->death->at, at))
    pages_.OnFoundAlive(page, at);
}

void ShadowMm::NotePage(Pfn pfn, const Moment& at) {
  Page* page = pages_.Find(pfn);
  sink_(
      PageEvent{.event = at.event, .pfn = pfn, .lifetime = page ? std::optional(page->life) : std::nullopt});
}

// The migrating task has the page locked and isolated until it unlocks it.
void ShadowMm::BeginMigrating(Pfn pfn, bool mapped, const Moment& at, const Task* task) {
  if (!(shown_.entries & Bit(Function::kUnlockPage))) return;
  Page* page = pages_.FindOrInherit(pfn, at);
  page->migrating_by = task->pid;
  page->migrating_mapped = mapped;
  page->migration_ending = false;
  // A batch of pages is at most 512 (NR_MAX_BATCHED_MIGRATION of mm/migrate.c); older ones were unlocked
  // unseen.
  constexpr size_t kMigratingKept = 1024;
  std::vector<Pfn>& migrating = migrating_[task];
  if (migrating.size() >= kMigratingKept) {
    auto half = migrating.begin() + kMigratingKept / 2;
    for (auto pfn_of = migrating.begin(); pfn_of != half; ++pfn_of) EndMigrating(*pfn_of, task);
    migrating.erase(migrating.begin(), half);
  }
  migrating.push_back(page->pfn);
}

void ShadowMm::EndMigrating(Pfn pfn, const Task* task) {
  if (Page* page = pages_.Find(pfn); page && page->migrating_by == task->pid) page->migrating_by.reset();
}

void ShadowMm::EndMigrating(const Task* task) {
  auto found = migrating_.find(task);
  if (found == migrating_.end()) return;
  for (Pfn pfn : found->second) EndMigrating(pfn, task);
  migrating_.erase(found);
}

std::optional<Pfn> ShadowMm::PfnOf(const FunctionEntry& call, ProbeRole role) {
  auto address = call.fields.Address(role);
  if (!address) return std::nullopt;
  auto pfn = page_map_.PfnOf(*address);
  if (!pfn) ++summary_.unresolved_pages;
  return pfn;
}

void ShadowMm::BeginWait(const FunctionEntry& call, StringId probe, const Moment& at, Task* task) {
  WaitTracker::Entry entry{.function = call.function,
                           .symbol = call.symbol,
                           .probe = probe,
                           .bit = {},
                           .pfn = {},
                           .count = {},
                           .locked = {},
                           .hold = {},
                           .references_recordable = ReferencesRecordable(at),
                           .last_gap = last_gap_};
  // A gap that has not ended yet reaches up to here.
  if (open_gaps_ > 0) entry.last_gap = at.event;
  entry.losing = open_gaps_ > 0;
  if (auto bit = call.fields.Get(ProbeRole::kBit))
    entry.bit = static_cast<int32_t>(static_cast<uint32_t>(*bit));
  if (auto count = call.fields.Get(ProbeRole::kPageCount))
    entry.count = static_cast<int32_t>(static_cast<uint32_t>(*count));
  // page->flags fetched by the probe: PG_locked is bit 0 in every kernel.
  if (auto flags = call.fields.Get(ProbeRole::kPageFlags)) entry.locked = (*flags & 1) != 0;
  if (call.function == Function::kMigrationEntryWaitOnLocked) {
    if (auto swap_entry = call.fields.Get(ProbeRole::kSwapEntry)) entry.pfn = ptes_.SwapEntry(*swap_entry);
    // Without lock events the probe's own argument shows the lock the task is under.
    auto ptl = call.fields.Address(ProbeRole::kPtl);
    if (ptl && !task->holding) {
      std::string protects;
      if (!task->frames.empty()) {
        if (auto pte = task->frames.back().fields.Get(ProbeRole::kPte)) protects = "pmd " + HexText(*pte);
      }
      entry.hold = locks_.OnLockArgument(*ptl, at, task, std::move(protects));
    } else if (task->holding) {
      entry.hold = task->holding;
    }
  } else {
    entry.pfn = PfnOf(call, ProbeRole::kPage);
  }
  EventId since = at.event;
  if (!task->frames.empty()) {
    since = task->frames.back().entry.event;
  } else if (task->last_hold && task->last_hold->acquire) {
    since = task->last_hold->acquire->event;
  }
  entry.gap_in_lookup = GapSince(*task, since);
  entry.gap_before = GapSince(*task, task->last_own ? task->last_own->event : EventId{});
  entry.preceded = task->last_own && !entry.gap_before;
  waits_.Begin(task, at, entry);
  if (entry.pfn) NotePage(*entry.pfn, at);
}

void ShadowMm::OnEntry(const FunctionEntry& call, StringId probe, const Moment& at, Task* task) {
  // A waiter is asleep or spinning in its wait function: anything else it enters shows that the
  // wait was over and its return lost.
  if (task->waiting && !IsWaitFunction(call.function)) waits_.EndUnseen(task, at);
  if (IsWaitFunction(call.function)) {
    summary_.wait_probes = true;
    summary_.caller_kept_waits |= LeavesPageToCaller(call.function);
    BeginWait(call, probe, at, task);
    return;
  }
  if (LooksUpPageTable(call.function)) {
    task->last_lookup_call = at;
    task->last_lookup_symbol = call.symbol;
    task->last_lookup_over = false;
  }
  if (shown_.returns & Bit(call.function) && call.function != Function::kOther)
    summary_.returns_missing += static_cast<int64_t>(tasks_.Enter(task, call, at));

  auto pfn = PfnOf(call, ProbeRole::kPage);
  // page->flags as fetched by the probe; PG_locked is bit 0 in every kernel.
  auto flags = call.fields.Get(ProbeRole::kPageFlags);
  switch (call.function) {
    case Function::kMigrateMisplacedTranshugePage:
      migrations_.OnHugeBegin(task, pfn, at);
      if (pfn) BeginMigrating(*pfn, true, at, task);
      break;
    case Function::kFolioMigrateMapping:
    case Function::kFolioMigrateFlags: {
      // The migrating task holds both.
      std::optional<Pfn> to = PfnOf(call, ProbeRole::kNewPage);
      if (pfn) FoundAlive(*pfn, at);
      if (to) FoundAlive(*to, at);
      migrations_.OnMapping(task, pfn, to, at);
      // Called once the mapping was moved: where folio_migrate_mapping is inlined (6.12), its success.
      if (call.function == Function::kFolioMigrateFlags) migrations_.OnMappingResult(task, 0, at);
      break;
    }
    case Function::kUnlockPage:
      if (flags) summary_.flags_at_unlock = true;
      if (!pfn) break;
      if (static_cast<int32_t>(call.fields.Get(ProbeRole::kPageCount).value_or(0)) > 0) FoundAlive(*pfn, at);
      EndMigrating(*pfn, task);
      if (Page* page = pages_.Find(*pfn)) {
        // Flags that tell otherwise than who waits for it are damaged.
        bool is_locked = waits_.IsWaitedForUnlock(*page);
        waits_.OnUnlock(*page, at);
        if (LockedState(flags) == FlagState::kClear && !is_locked) pages_.OnUnlockedTwice(*pfn, at);
      }
      break;
    case Function::kFreeCompoundPage:
    case Function::kPutPageFinal:
      if (flags) summary_.flags_at_last_put = true;
      if (!pfn) break;
      // A tail has no last reference of its own (mm/swap.c): the block came apart.
      if (const Page* block = pages_.Find(*pfn); block && block->alive && block->pfn != *pfn)
        pages_.OnFoundSplit(*block, *pfn, at);
      pages_.OnLastPut(*pfn, at, task, LockedState(flags));
      break;
    default:
      break;
  }
  if (pfn) NotePage(*pfn, at);
  // The page moved to is concerned too.
  auto destination = call.fields.Address(ProbeRole::kNewPage);
  if (auto to = destination ? page_map_.PfnOf(*destination) : std::nullopt) NotePage(*to, at);
}

void ShadowMm::OnReturn(const FunctionReturn& call, const Moment& at, Task* task) {
  if (IsWaitFunction(call.function)) {
    // The first of a task's may be of a wait that began before the trace.
    if (!task->waiting) {
      summary_.wait_entries_missing |= task->returned_from_wait;
      task->returned_from_wait = true;
    }
    waits_.End(task, at, call.function, call.caller, (shown_.entries & Bit(call.caller)) != 0);
    return;
  }
  if (task->waiting) waits_.EndUnseen(task, at);
  if (call.function == Function::kOther) return;
  tasks_.Leave(task, call.function);
  if (LooksUpPageTable(call.function)) task->last_lookup_over = true;
  std::optional<int64_t> ret;
  if (auto value = call.fields.Get(ProbeRole::kReturn))
    ret = static_cast<int32_t>(static_cast<uint32_t>(*value));
  if (call.function == Function::kMigrateMisplacedTranshugePage) {
    summary_.migration_results |= ret.has_value();
    Migration* migration = migrations_.HugeMigration(task);
    if (migration && ret == 0) NoteHolders(task, migration);
    migrations_.OnHugeEnd(task, ret, at);
    EndMigrating(task);
  }
  if (call.function == Function::kFolioMigrateMapping && ret) {
    summary_.migration_results = true;
    if (Migration* failed = migrations_.OnMappingResult(task, *ret, at)) NoteHolders(task, failed);
  }
}

// Who kept the page from being moved.
void ShadowMm::NoteHolders(const Task* task, Migration* migration) {
  if (!migration->source || !migration->begin || !ReferencesRecordable(*migration->begin)) return;
  migration->holders = pages_.HoldersOf(*migration->source, task, migration->begin->event);
}

void ShadowMm::SeeLast(std::optional<int64_t> ts) {
  if (ts && (!summary_.last_ts || *ts > *summary_.last_ts)) summary_.last_ts = ts;
}

ReplaySummary ShadowMm::Finish() {
  for (int32_t cpu : options_.full_cpus) Replay(LossMarker{LossMarker::Kind::kLost, cpu, {}, 0, {}});
  for (auto& [cpu, state] : cpus_) {
    if (state.open_gap) sink_(*state.open_gap);
    state.open_gap.reset();
    SeeLast(state.last_ts);  // one that its cpu's next event stepped back from is none
  }
  locks_.Finish();
  std::optional<int64_t> last_ns = options_.ticks ? std::nullopt : summary_.last_ts;
  migrations_.Finish(last_ns);
  pages_.Finish(last_ns);  // before the waits: its last word on a page's counts may be about them
  waits_.Finish();
  if (!summary_.blinded)
    summary_.pages = pages_.stats();
  else
    summary_.pages.live_pages_forgotten = pages_.stats().live_pages_forgotten;
  summary_.tasks_forgotten = tasks_.forgotten();
  summary_.locks_forgotten = locks_.locks_forgotten();
  summary_.migrations_forgotten = migrations_.forgotten();
  summary_.clock_error = clock_.bound();
  summary_.clock_error_learned = clock_.learned();
  return summary_;
}

}  // namespace mmreplay
