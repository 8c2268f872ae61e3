#include "replay/page_map.h"

#include <algorithm>

namespace mmreplay {
namespace {

constexpr uint64_t kPageStructSize = 64;
constexpr int kSectionShift = 15;  // 128 MiB of 4 KiB pages
constexpr uint32_t kHugeOrder = 9;
// Distinct pages that must agree before a base learned from sequences is used.
constexpr size_t kPairsNeeded = 2;
constexpr size_t kPfnsKept = 8;

uint64_t SectionOf(Pfn pfn) {
  return Value(pfn) >> kSectionShift;
}

}  // namespace

bool IsKernelAddress(KernelAddress address) {
  return Value(address) >= 0xff00'0000'0000'0000;
}

void PageMap::Learn(const Event& event) {
  if (const auto* ref = std::get_if<PageRef>(&event.payload)) {
    highest_pfn_ = std::max(highest_pfn_, Value(ref->pfn));
    return;
  }
  if (!event.pid) return;
  if (const auto* alloc = std::get_if<PageAlloc>(&event.payload)) {
    highest_pfn_ = std::max(highest_pfn_, Value(alloc->pfn) + (uint64_t{1} << alloc->order) - 1);
    if (alloc->page && IsKernelAddress(*alloc->page)) {
      Vote(*alloc->page, alloc->pfn, true);
    } else if (alloc->order >= kHugeOrder) {
      // A batch allocates its destinations first and moves to them in the same order.
      auto& allocated = trails_[Value(*event.pid)].allocated;
      allocated.push_back(alloc->pfn);
      if (allocated.size() > kPfnsKept) allocated.pop_front();
    }
    return;
  }
  if (std::holds_alternative<MigratePages>(event.payload)) {
    if (auto trail = trails_.find(Value(*event.pid)); trail != trails_.end()) trail->second.allocated.clear();
    return;
  }
  if (const auto* free = std::get_if<PageFree>(&event.payload)) {
    if (free->page && IsKernelAddress(*free->page)) {
      Vote(*free->page, free->pfn, true);
      return;
    }
    auto trail = trails_.find(Value(*event.pid));
    if (trail != trails_.end() && trail->second.final_put) {
      Vote(*trail->second.final_put, free->pfn, false);
      trail->second.final_put.reset();
    }
    return;
  }
  if (const auto* entry = std::get_if<MigrationEntry>(&event.payload)) {
    if (!entry->pmd) return;
    TaskTrail& trail = trails_[Value(*event.pid)];
    if (entry->set) {
      trail.migrating_source = ptes_.Migration(entry->value, entry->pmd);
      if (trail.entering && trail.migrating_source) Vote(*trail.entering, *trail.migrating_source, false);
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
      auto found = trails_.find(Value(*event.pid));
      if (found == trails_.end() || found->second.allocated.empty()) break;
      if (new_page) Vote(*new_page, found->second.allocated.front(), false);
      found->second.allocated.pop_front();
      break;
    }
    case KernelFunction::kSetPmdMigrationEntry:
      trails_[Value(*event.pid)].entering = page;
      break;
    case KernelFunction::kUnlockPage: {
      // migrate_folio_move of 6.1: remove_migration_ptes, then the new folio is unlocked, then the old.
      auto found = trails_.find(Value(*event.pid));
      if (found == trails_.end() || !page) break;
      TaskTrail& trail = found->second;
      if (trail.migrating_destination && trail.unlocks == 0) Vote(*page, *trail.migrating_destination, false);
      if (trail.migrating_destination && trail.unlocks == 1 && trail.migrating_source)
        Vote(*page, *trail.migrating_source, false);
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

void PageMap::Vote(KernelAddress page, Pfn pfn, bool exact) {
  if (!IsKernelAddress(page)) return;
  uint64_t base = Value(page) - Value(pfn) * kPageStructSize;
  uint64_t section = SectionOf(pfn);
  if (auto known = base_of_section_.find(section); known != base_of_section_.end()) {
    ++(known->second == base ? agreeing_ : contradicting_);
    if (known->second == base) return;
  }
  auto& candidates = candidates_[section];
  auto candidate =
      std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& c) { return c.base == base; });
  if (candidate == candidates.end()) {
    constexpr size_t kMaxCandidates = 64;
    if (candidates.size() >= kMaxCandidates) return;
    candidate = candidates.insert(candidates.end(), Candidate{.base = base, .pfns = {}});
  }
  ++candidate->pairs;
  candidate->exact |= exact;
  auto& pfns = candidate->pfns;
  if (pfns.size() < kPfnsKept && std::find(pfns.begin(), pfns.end(), pfn) == pfns.end()) pfns.push_back(pfn);
  Settle(section);
}

// One exact pair settles a section unless another contradicts it; sequences must agree for several
// pages and outnumber every rival.
void PageMap::Settle(uint64_t section) {
  const auto& candidates = candidates_[section];
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (!best || candidate.exact > best->exact ||
        (candidate.exact == best->exact && candidate.pairs > best->pairs)) {
      best = &candidate;
    }
  }
  // A base that holds elsewhere needs one pair to hold here.
  bool known_elsewhere =
      std::any_of(base_of_section_.begin(), base_of_section_.end(),
                  [&](const auto& entry) { return entry.first != section && entry.second == best->base; });
  bool enough = best->exact || best->pfns.size() >= kPairsNeeded || known_elsewhere;
  for (const Candidate& rival : candidates) {
    if (&rival != best && rival.exact == best->exact && rival.pairs * 2 > best->pairs) enough = false;
  }
  if (!enough) {
    base_of_section_.erase(section);
  } else {
    base_of_section_[section] = best->base;
  }
  bases_.clear();
  shared_bases_.clear();
  auto contains = [](const std::vector<uint64_t>& list, uint64_t base) {
    return std::find(list.begin(), list.end(), base) != list.end();
  };
  for (const auto& [other_section, base] : base_of_section_) {
    if (!contains(bases_, base)) {
      bases_.push_back(base);
    } else if (!contains(shared_bases_, base)) {
      shared_bases_.push_back(base);
    }
  }
}

std::optional<Pfn> PageMap::PfnOf(KernelAddress page) const {
  if (!IsKernelAddress(page)) return std::nullopt;
  for (uint64_t base : bases_) {
    uint64_t distance = Value(page) - base;
    if (distance % kPageStructSize != 0) continue;
    auto pfn = static_cast<Pfn>(distance / kPageStructSize);
    auto section = base_of_section_.find(SectionOf(pfn));
    if (section != base_of_section_.end()) {
      if (section->second == base) return pfn;
      continue;
    }
  }
  // A section without a pair of its own. Bases hold for neighbouring sections (one vmemmap, or one
  // allocation per node): one that holds for several does for this one too, if it is the only one
  // that leads to a page the machine can have.
  std::optional<Pfn> only;
  for (uint64_t base : shared_bases_) {
    uint64_t distance = Value(page) - base;
    if (distance % kPageStructSize != 0) continue;
    uint64_t pfn = distance / kPageStructSize;
    if (pfn > (highest_pfn_ | ((uint64_t{1} << kSectionShift) - 1))) continue;
    if (base_of_section_.contains(pfn >> kSectionShift)) continue;
    if (only) return std::nullopt;
    only = static_cast<Pfn>(pfn);
  }
  return only;
}

}  // namespace mmreplay
