// struct page address <-> pfn, learned from the trace itself.
//
// struct page addresses are base + pfn * 64, with one base for the whole machine (vmemmap) or one
// per memory section (classic SPARSEMEM: 128 MiB on x86-64, include/linux/mmzone.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "replay/page_pairs.h"

namespace mmreplay {

class PageMap {
 public:
  // Ahead of the replay, so that pages are known when they matter.
  void Learn(const PagePair& pair);
  // The machine has at least this page.
  void Reach(uint64_t pfn) { highest_pfn_ = std::max(highest_pfn_, pfn); }

  // nullopt for a hashed pointer and for an address no learned base explains.
  std::optional<Pfn> PfnOf(KernelAddress page) const;

 private:
  struct Candidate {
    uint64_t base;
    int64_t pairs = 0;
    bool exact = false;
    std::vector<Pfn> pfns;  // distinct, up to a few
  };

  void Settle(uint64_t section);
  void SetBase(uint64_t section, std::optional<uint64_t> base);

  std::unordered_map<uint64_t, std::vector<Candidate>> candidates_;  // by section
  size_t candidate_count_ = 0;
  std::unordered_map<uint64_t, uint64_t> base_of_section_;
  std::map<uint64_t, size_t> sections_of_base_;
  std::set<uint64_t> shared_bases_;  // those that hold for more than one section
  uint64_t highest_pfn_ = 0;
};

}  // namespace mmreplay
