#include "replay/page_pairs.h"

#include <algorithm>

namespace mmreplay {
namespace {

constexpr uint32_t kHugeOrder = 9;
// Huge pages of one task that are allocated and not yet migrated to.
constexpr size_t kAllocatedKept = 8;

}  // namespace

bool IsKernelAddress(KernelAddress address) {
  return Value(address) >= 0xff00'0000'0000'0000;
}

void PagePairs::See(const Event& event) {
  if (const auto* ref = std::get_if<PageRef>(&event.payload)) {
    highest_pfn_ = std::max(highest_pfn_, Value(ref->pfn));
    return;
  }
  if (!event.pid) return;
  if (const auto* alloc = std::get_if<PageAlloc>(&event.payload)) {
    highest_pfn_ = std::max(highest_pfn_, Value(alloc->pfn) + (uint64_t{1} << alloc->order) - 1);
    if (alloc->page && IsKernelAddress(*alloc->page)) {
      Add(*alloc->page, alloc->pfn, true);
    } else if (alloc->order >= kHugeOrder) {
      // A batch allocates its destinations first and moves to them in the same order.
      auto& allocated = trails_[Value(*event.pid)].allocated;
      allocated.push_back(alloc->pfn);
      if (allocated.size() > kAllocatedKept) allocated.erase(allocated.begin());
    }
    return;
  }
  if (std::holds_alternative<MigratePages>(event.payload)) {
    if (TaskTrail* trail = trails_.Find(Value(*event.pid))) trail->allocated.clear();
    return;
  }
  if (const auto* free = std::get_if<PageFree>(&event.payload)) {
    if (free->page && IsKernelAddress(*free->page)) {
      Add(*free->page, free->pfn, true);
      return;
    }
    TaskTrail* trail = trails_.Find(Value(*event.pid));
    if (trail && trail->final_put) {
      Add(*trail->final_put, free->pfn, false);
      trail->final_put.reset();
    }
    return;
  }
  if (const auto* entry = std::get_if<MigrationEntry>(&event.payload)) {
    if (!entry->pmd) return;
    TaskTrail& trail = trails_[Value(*event.pid)];
    if (entry->set) {
      trail.migrating_source = ptes_.Migration(entry->value, entry->pmd);
      if (trail.entering && trail.migrating_source) Add(*trail.entering, *trail.migrating_source, false);
      trail.entering.reset();
    } else {
      trail.migrating_destination = ptes_.Present(entry->value);
      trail.unlocks = 0;
    }
    return;
  }
  const auto* call = std::get_if<FunctionEntry>(&event.payload);
  if (!call || event.in_interrupt) return;
  auto page = call->fields.Address(ProbeRole::kPage);
  switch (call->function) {
    case KernelFunction::kFolioMigrateFlags:
    case KernelFunction::kFolioMigrateMapping: {
      auto new_page = call->fields.Address(ProbeRole::kNewPage);
      TaskTrail* found = trails_.Find(Value(*event.pid));
      if (!found || found->allocated.empty()) break;
      if (new_page) Add(*new_page, found->allocated.front(), false);
      found->allocated.erase(found->allocated.begin());
      break;
    }
    case KernelFunction::kSetPmdMigrationEntry:
      trails_[Value(*event.pid)].entering = page;
      break;
    case KernelFunction::kUnlockPage: {
      // migrate_folio_move of 6.1: remove_migration_ptes, then the new folio is unlocked, then the old.
      TaskTrail* found = trails_.Find(Value(*event.pid));
      if (!found || !page) break;
      TaskTrail& trail = *found;
      if (trail.migrating_destination && trail.unlocks == 0) Add(*page, *trail.migrating_destination, false);
      if (trail.migrating_destination && trail.unlocks == 1 && trail.migrating_source)
        Add(*page, *trail.migrating_source, false);
      if (++trail.unlocks == 2) {
        trail.migrating_destination.reset();
        trail.migrating_source.reset();
      }
      break;
    }
    case KernelFunction::kFreeCompoundPage:
    case KernelFunction::kPutPageFinal:
      trails_[Value(*event.pid)].final_put = page;
      break;
    default:
      break;
  }
}

void PagePairs::Add(KernelAddress page, Pfn pfn, bool exact) {
  if (IsKernelAddress(page)) found_.push_back({page, pfn, exact});
}

}  // namespace mmreplay
