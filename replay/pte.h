// Page-table entries and swap entries as the migration tracepoints and probes print them.
#pragma once

#include <cstdint>
#include <optional>

#include "parser/event.h"

namespace mmreplay {

enum class Architecture : uint8_t { kUnknown, kX86_64, kArm64 };

class PteDecoder {
 public:
  // Architecture kUnknown: every value is judged by itself, where its bits leave no doubt.
  explicit PteDecoder(Architecture architecture, int page_shift = 12)
      : architecture_(architecture), page_shift_(page_shift) {}

  // pfn of a present entry (remove_migration_pmd/pte after a migration), nullopt if it is not one.
  std::optional<Pfn> Present(uint64_t entry) const;

  // pfn of a non-present migration entry (set_migration_pmd/pte).
  std::optional<Pfn> Migration(uint64_t entry) const;

  // pfn of a swp_entry_t (first argument of migration_entry_wait_on_locked).
  std::optional<Pfn> SwapEntry(uint64_t entry) const;

 private:
  Architecture ArchitectureOf(uint64_t entry) const;

  Architecture architecture_;
  int page_shift_;
};

}  // namespace mmreplay
