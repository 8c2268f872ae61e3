// struct page address <-> pfn, learned from the trace itself.
//
// struct page addresses are base + pfn * 64, with one base for the whole machine (vmemmap) or one
// per memory section (classic SPARSEMEM: 128 MiB on x86-64, include/linux/mmzone.h). Sources, the
// first being exact, the others sequences of one task:
//   mm_page_alloc / mm_page_free  page=X pfn=P, where %p is not hashed
//   mm_page_alloc pfn=P           then its folio_migrate_mapping or folio_migrate_flags newfolio=X
//   set_pmd_migration_entry page=X  then the set_migration_pmd it ends with (pfn in the entry)
//   remove_migration_pmd (pfn in the entry)  then folio_unlock of the new page, then of the old one
//   free_transhuge_page, __folio_put  then the mm_page_free it leads to
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "parser/event.h"
#include "parser/memory_budget.h"
#include "replay/aging_map.h"
#include "replay/pte.h"

namespace mmreplay {

class PageMap {
 public:
  explicit PageMap(const PteDecoder& ptes, const MemoryBudget& budget = MemoryBudget())
      : ptes_(ptes), trails_(budget.trails()) {}

  // Called for every event, ahead of the replay, so that pages are known when they matter.
  void Learn(const Event& event);

  // nullopt for a hashed pointer and for an address no learned base explains.
  std::optional<Pfn> PfnOf(KernelAddress page) const;

  // Pairs that agree with the bases in use, and pairs that contradict them.
  int64_t agreeing_pairs() const { return agreeing_; }
  int64_t contradicting_pairs() const { return contradicting_; }
  // Pairs of sections beyond those a machine has.
  int64_t pairs_left_out() const { return left_out_; }

 private:
  struct TaskTrail {
    std::deque<Pfn> allocated;              // huge pages allocated, not yet migrated to
    std::optional<KernelAddress> entering;  // page of an open set_pmd_migration_entry
    std::optional<Pfn> migrating_source;
    std::optional<Pfn> migrating_destination;
    int unlocks = 0;  // since remove_migration_pmd
    std::optional<KernelAddress> final_put;
  };
  struct Candidate {
    uint64_t base;
    int64_t pairs = 0;
    bool exact = false;
    std::vector<Pfn> pfns;  // distinct, up to a few
  };

  void Vote(KernelAddress page, Pfn pfn, bool exact);
  void Settle(uint64_t section);
  void SetBase(uint64_t section, std::optional<uint64_t> base);

  PteDecoder ptes_;
  AgingMap<int32_t, TaskTrail> trails_;
  std::unordered_map<uint64_t, std::vector<Candidate>> candidates_;  // by section
  size_t candidate_count_ = 0;
  std::unordered_map<uint64_t, uint64_t> base_of_section_;
  std::map<uint64_t, size_t> sections_of_base_;
  std::set<uint64_t> shared_bases_;  // those that hold for more than one section
  uint64_t highest_pfn_ = 0;         // of all events
  int64_t agreeing_ = 0;
  int64_t contradicting_ = 0;
  int64_t left_out_ = 0;
};

// True for an address in the kernel half: what %p printed is not hashed.
bool IsKernelAddress(KernelAddress address);

}  // namespace mmreplay
