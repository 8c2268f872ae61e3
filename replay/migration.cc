#include "replay/migration.h"

#include <algorithm>
#include <iterator>

#include "replay/text.h"

namespace mmreplay {
namespace {

// A task migrates a batch of pages at a time (NR_MAX_BATCHED_MIGRATION is 512 pages).
constexpr size_t kOpenPerTask = 1024;

}  // namespace

MigrationTracker::Open& MigrationTracker::Begin(const Task* task, std::optional<Pfn> source,
                                                const Moment& at) {
  if (open_count_ >= open_limit_) {
    std::vector<Open> all;
    for (auto& [other, left] : tasks_) {
      std::move(left.open.begin(), left.open.end(), std::back_inserter(all));
      left.open.clear();
    }
    ForgetOpen(std::move(all));
  }
  OfTask& of = tasks_[task];
  if (of.open.size() >= kOpenPerTask) {
    Emit1(std::move(of.open.front()), std::nullopt);
    of.open.erase(of.open.begin());
  }
  ++open_count_;
  Open open;
  open.migration.pid = task->pid;
  open.migration.comm = task->comm;
  open.migration.source = source;
  open.migration.reason = of.reason;
  open.in_batch = !of.reason.empty();
  open.migration.begin = at;
  return of.open.emplace_back(std::move(open));
}

MigrationTracker::Open* MigrationTracker::FindSource(const Task* task, std::optional<Pfn> source) {
  auto of = tasks_.find(task);
  if (of == tasks_.end() || !source) return nullptr;
  for (auto open = of->second.open.rbegin(); open != of->second.open.rend(); ++open) {
    if (open->migration.source == source) return &*open;
  }
  return nullptr;
}

void MigrationTracker::OnBatchStart(const Task* task, std::string_view reason, const Moment& at) {
  OnBatchEnd(task, {}, at);
  tasks_[task].reason = reason;
  batch_starts_seen_ = true;
}

void MigrationTracker::OnBatchEnd(const Task* task, std::string_view reason, const Moment& at) {
  auto found = tasks_.find(task);
  if (found == tasks_.end()) return;
  OfTask& of = found->second;
  std::vector<Open> open = std::move(of.open);
  of.open.clear();
  of.reason.clear();
  for (Open& one : open) {
    if (one.huge_call) {
      of.open.push_back(std::move(one));
      continue;
    }
    if (one.migration.reason.empty()) one.migration.reason = reason;
    // migrate_pages() removes the entries of every page before its last tracepoint (mm/migrate.c of 6.1).
    if (!reason.empty()) EntryLeft(one, "migrate_pages is over (" + EventText(at.event) + ")");
    // Where the move's own last event is known, that is its end; the batch summary comes later.
    std::optional<Moment> end = one.migration.end ? one.migration.end : std::optional<Moment>(at);
    Emit1(std::move(one), end);
  }
}

void MigrationTracker::OnEntrySet(const Task* task, uint64_t address, std::optional<Pfn> source,
                                  const Moment& at) {
  Open* open = FindSource(task, source);
  if (open && open->migration.result == MigrationResult::kMigrated) {
    // The frame is a source again: where no batch events are recorded, nothing else ended the move before.
    std::vector<Open>& all = tasks_[task].open;
    auto done = all.begin() + (open - all.data());
    std::optional<Moment> end = done->migration.end;
    Emit1(std::move(*done), end);
    all.erase(done);
    open = nullptr;
  }
  if (!open) open = &Begin(task, source, at);
  if (!open->address) open->address = address;
  if (open->address == address) {
    open->entry_set = at;
    open->gaps_before = gaps_;
  }
}

std::optional<Pfn> MigrationTracker::OnEntryRemoved(const Task* task, uint64_t address,
                                                    std::optional<Pfn> present, const Moment& at) {
  removals_seen_ = true;
  auto of = tasks_.find(task);
  if (of == tasks_.end()) return std::nullopt;
  auto open = std::find_if(of->second.open.begin(), of->second.open.end(),
                           [&](const Open& o) { return o.address == address; });
  if (open == of->second.open.end()) return std::nullopt;
  open->migration.end = at;
  open->entry_set.reset();
  if (present && open->migration.source == present) {
    open->migration.result = MigrationResult::kFailed;
    if (open->migration.why.empty()) open->migration.why = "the entry was restored to the source page";
  } else if (present) {
    open->migration.destination = present;
    open->migration.result = MigrationResult::kMigrated;
    open->migration.why.clear();
    open->migration.holders = {};
  }
  return open->migration.source;
}

void MigrationTracker::OnMapping(const Task* task, std::optional<Pfn> source, std::optional<Pfn> destination,
                                 const Moment& at) {
  Open* open = FindSource(task, source);
  if (!open) {
    // The probe's page could not be tied to a pfn: it is the migration this task began last.
    auto of = tasks_.find(task);
    if (!source && of != tasks_.end() && !of->second.open.empty()) open = &of->second.open.back();
  }
  if (!open) open = &Begin(task, source, at);
  if (!open->migration.destination) open->migration.destination = destination;
  open->mapping_seen = true;
  open->mapping_ret = 0;
}

Migration* MigrationTracker::OnMappingResult(const Task* task, int64_t ret, const Moment& at) {
  auto of = tasks_.find(task);
  if (of == tasks_.end()) return nullptr;
  auto open = std::find_if(of->second.open.rbegin(), of->second.open.rend(), [](const Open& o) {
    return o.mapping_seen && o.migration.result == MigrationResult::kUnknown;
  });
  if (open == of->second.open.rend()) return nullptr;
  open->mapping_ret = ret;
  open->migration.end = at;
  open->migration.why.clear();  // an earlier attempt may have failed
  open->migration.holders = {};
  if (ret != 0) {
    open->migration.why = ret == -11 ? "folio_migrate_mapping returned -11 (EAGAIN): the reference count was "
                                       "not the expected one"
                                     : "folio_migrate_mapping returned " + std::to_string(ret);
  }
  return ret != 0 ? &open->migration : nullptr;
}

void MigrationTracker::OnHugeBegin(const Task* task, std::optional<Pfn> source, const Moment& at) {
  Open& open = Begin(task, source, at);
  open.huge_call = true;
  open.migration.reason = "numa_misplaced";
}

void MigrationTracker::OnHugeDestination(const Task* task, Pfn destination) {
  auto of = tasks_.find(task);
  if (of == tasks_.end()) return;
  for (Open& open : of->second.open) {
    if (open.huge_call && !open.migration.destination) open.migration.destination = destination;
  }
}

Migration* MigrationTracker::HugeMigration(const Task* task) {
  auto of = tasks_.find(task);
  if (of == tasks_.end()) return nullptr;
  auto& open = of->second.open;
  auto call = std::find_if(open.rbegin(), open.rend(), [](const Open& o) { return o.huge_call; });
  return call == open.rend() ? nullptr : &call->migration;
}

void MigrationTracker::OnHugeEnd(const Task* task, std::optional<int64_t> ret, const Moment& at) {
  auto of = tasks_.find(task);
  if (of == tasks_.end()) return;
  auto& open = of->second.open;
  auto call = std::find_if(open.rbegin(), open.rend(), [](const Open& o) { return o.huge_call; });
  if (call == open.rend()) return;
  Open done = std::move(*call);
  open.erase(std::next(call).base());
  if (ret) {
    done.migration.result = *ret == 1 ? MigrationResult::kMigrated : MigrationResult::kFailed;
    if (*ret != 1) done.migration.why = "migrate_misplaced_transhuge_page returned " + std::to_string(*ret);
  }
  Emit1(std::move(done), at);
}

void MigrationTracker::Emit1(Open open, std::optional<Moment> end) {
  --open_count_;
  Migration& migration = open.migration;
  migration.end = end;
  if (migration.result == MigrationResult::kUnknown && open.mapping_seen) {
    if (open.mapping_ret != 0)
      migration.result = MigrationResult::kFailed;
    else if (!open.huge_call && end)
      migration.result = MigrationResult::kMigrated;
  }
  // mm/huge_memory.c:split_huge_page_to_list (6.1) sets migration entries, too, and has them back: no page
  // was to move.
  bool split = migration.result == MigrationResult::kFailed && batch_starts_seen_ && !open.in_batch &&
               !open.mapping_seen && !open.huge_call;
  if (!split) emit_(std::move(migration));
}

// I13. A process that exits takes its entries along, and a removal may be lost.
void MigrationTracker::EntryLeft(const Open& open, std::string detail) {
  if (!open.entry_set || !removals_seen_ || open.gaps_before != gaps_) return;
  emit_(Anomaly{.invariant = "I13",
                .at = *open.entry_set,
                .pfn = open.migration.source,
                .detail = "a migration entry was set, and its removal is not on record: " + std::move(detail),
                .kind = "migration entry left"});
}

// How they end is unknown.
void MigrationTracker::ForgetOpen(std::vector<Open> open) {
  std::sort(open.begin(), open.end(), [](const Open& a, const Open& b) {
    return Value(a.migration.begin->event) < Value(b.migration.begin->event);
  });
  forgotten_ += static_cast<int64_t>(open.size());
  for (Open& one : open) {
    std::optional<Moment> end = one.migration.end;
    Emit1(std::move(one), end);
  }
}

void MigrationTracker::Forget(const std::vector<Task*>& tasks) {
  std::vector<Open> all;
  for (const Task* task : tasks) {
    auto of = tasks_.find(task);
    if (of == tasks_.end()) continue;
    std::move(of->second.open.begin(), of->second.open.end(), std::back_inserter(all));
    tasks_.erase(of);
  }
  ForgetOpen(std::move(all));
}

void MigrationTracker::Finish(std::optional<int64_t> last_ts) {
  constexpr int64_t kOverdue = 10'000'000'000;  // ns
  std::vector<Open> left;
  for (auto& [task, of] : tasks_) std::move(of.open.begin(), of.open.end(), std::back_inserter(left));
  std::sort(left.begin(), left.end(), [](const Open& a, const Open& b) {
    return Value(a.migration.begin->event) < Value(b.migration.begin->event);
  });
  for (Open& open : left) {
    std::optional<Moment> end = open.migration.end;
    if (last_ts && open.entry_set && open.entry_set->ts && *last_ts - *open.entry_set->ts > kOverdue)
      EntryLeft(open, "the recording goes on for another " +
                          std::to_string((*last_ts - *open.entry_set->ts) / 1'000'000'000) + " s");
    Emit1(std::move(open), end);
  }
}

}  // namespace mmreplay
