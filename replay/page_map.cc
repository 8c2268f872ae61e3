#include "replay/page_map.h"

#include <algorithm>

namespace mmreplay {
namespace {

constexpr uint64_t kPageStructSize = 64;
constexpr int kSectionShift = 15;  // 128 MiB of 4 KiB pages
// Distinct pages that must agree before a base learned from sequences is used.
constexpr size_t kPairsNeeded = 2;
constexpr size_t kPfnsKept = 8;
// 1 TiB of sections with bases of their own: no machine has more than one without vmemmap, which has one base
// for all.
constexpr size_t kSectionsKept = 8192;
constexpr size_t kCandidatesKept = 4 * kSectionsKept;

uint64_t SectionOf(Pfn pfn) {
  return Value(pfn) >> kSectionShift;
}

}  // namespace

void PageMap::Learn(const PagePair& pair) {
  uint64_t base = Value(pair.page) - Value(pair.pfn) * kPageStructSize;
  uint64_t section = SectionOf(pair.pfn);
  auto known = base_of_section_.find(section);
  if (known != base_of_section_.end() && known->second == base) return;
  if (candidates_.size() >= kSectionsKept && !candidates_.contains(section)) return;
  auto& candidates = candidates_[section];
  auto candidate =
      std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& c) { return c.base == base; });
  if (candidate == candidates.end()) {
    constexpr size_t kMaxCandidates = 64;
    if (candidates.size() >= kMaxCandidates) return;
    if (candidate_count_ >= kCandidatesKept && !candidates.empty()) return;
    ++candidate_count_;
    candidate = candidates.insert(candidates.end(), Candidate{.base = base, .pfns = {}});
  }
  ++candidate->pairs;
  candidate->exact |= pair.exact;
  auto& pfns = candidate->pfns;
  if (pfns.size() < kPfnsKept && std::find(pfns.begin(), pfns.end(), pair.pfn) == pfns.end())
    pfns.push_back(pair.pfn);
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
  auto own = base_of_section_.find(section);
  size_t own_sections = own != base_of_section_.end() && own->second == best->base ? 1 : 0;
  auto sections = sections_of_base_.find(best->base);
  bool known_elsewhere = sections != sections_of_base_.end() && sections->second > own_sections;
  bool enough = best->exact || best->pfns.size() >= kPairsNeeded || known_elsewhere;
  for (const Candidate& rival : candidates) {
    if (&rival != best && rival.exact == best->exact && rival.pairs * 2 > best->pairs) enough = false;
  }
  SetBase(section, enough ? std::optional(best->base) : std::nullopt);
}

void PageMap::SetBase(uint64_t section, std::optional<uint64_t> base) {
  auto before = base_of_section_.find(section);
  if (before != base_of_section_.end()) {
    if (before->second == base) return;
    auto sections = sections_of_base_.find(before->second);
    if (--sections->second < 2) shared_bases_.erase(before->second);
    if (sections->second == 0) sections_of_base_.erase(sections);
    base_of_section_.erase(before);
  }
  // One vmemmap, or an array of struct page for each node; more are guesses gone wrong, and each is looked
  // through.
  constexpr size_t kMostBases = 1'024;
  if (!base || (sections_of_base_.size() >= kMostBases && !sections_of_base_.contains(*base))) return;
  base_of_section_[section] = *base;
  if (++sections_of_base_[*base] == 2) shared_bases_.insert(*base);
}

std::optional<Pfn> PageMap::PfnOf(KernelAddress page) const {
  if (!IsKernelAddress(page)) return std::nullopt;
  for (const auto& [base, sections] : sections_of_base_) {
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
