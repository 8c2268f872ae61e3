// Pairs of struct page address and pfn that a trace shows. Sources, the first being exact, the others
// sequences of one task:
//   mm_page_alloc / mm_page_free  page=X pfn=P, where %p is not hashed
//   mm_page_alloc pfn=P           then its folio_migrate_mapping or folio_migrate_flags newfolio=X
//   set_pmd_migration_entry page=X  then the set_migration_pmd it ends with (pfn in the entry)
//   remove_migration_pmd (pfn in the entry)  then folio_unlock of the new page, then of the old one
//   free_transhuge_page, __folio_put  then the mm_page_free it leads to
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "parser/event.h"
#include "parser/memory_budget.h"
#include "replay/aging_map.h"
#include "replay/pte.h"

namespace mmreplay {

struct PagePair {
  KernelAddress page;
  Pfn pfn;
  bool exact;
};

class PagePairs {
 public:
  explicit PagePairs(const PteDecoder& ptes, const MemoryBudget& budget = MemoryBudget())
      : ptes_(ptes), trails_(budget.trails()) {}

  // Events in the order of the trace.
  void See(const Event& event);

  // Those since they were taken last.
  std::vector<PagePair> Take() { return std::exchange(found_, {}); }
  uint64_t highest_pfn() const { return highest_pfn_; }  // of all events

 private:
  struct TaskTrail {
    std::vector<Pfn> allocated;             // a few huge pages allocated, not yet migrated to
    std::optional<KernelAddress> entering;  // page of an open set_pmd_migration_entry
    std::optional<Pfn> migrating_source;
    std::optional<Pfn> migrating_destination;
    int unlocks = 0;  // since remove_migration_pmd
    std::optional<KernelAddress> final_put;
  };

  void Add(KernelAddress page, Pfn pfn, bool exact);

  PteDecoder ptes_;
  AgingMap<int32_t, TaskTrail> trails_;
  std::vector<PagePair> found_;
  uint64_t highest_pfn_ = 0;
};

// True for an address in the kernel half: what %p printed is not hashed.
bool IsKernelAddress(KernelAddress address);

}  // namespace mmreplay
