// Page-table entries and swap entries as the migration tracepoints and probes print them.
#pragma once

#include <cstdint>
#include <optional>

#include "parser/event.h"
#include "parser/probe_signatures.h"

namespace mmreplay {

enum class Architecture : uint8_t { kUnknown, kX86_64, kArm64 };

class PteDecoder {
 public:
  // Architecture kUnknown: every value is judged by itself, where its bits leave no doubt.
  // `release` chooses between arm64's layouts; without it an entry both can explain is unknown.
  explicit PteDecoder(Architecture architecture, std::optional<KernelRelease> release = std::nullopt,
                      int page_shift = 12)
      : architecture_(architecture), release_(release), page_shift_(page_shift) {}

  // pfn of a present entry (remove_migration_pmd/pte after a migration), nullopt if it is not one.
  std::optional<Pfn> Present(uint64_t entry) const;

  // pfn of a non-present migration entry (set_migration_pmd/pte). A huge page's pfn is a multiple
  // of its size.
  std::optional<Pfn> Migration(uint64_t entry, bool huge) const;

  // pfn of a swp_entry_t (first argument of migration_entry_wait_on_locked).
  std::optional<Pfn> SwapEntry(uint64_t entry) const;

 private:
  Architecture ArchitectureOf(uint64_t entry) const;
  std::optional<Pfn> Arm64Migration(uint64_t entry, bool huge) const;

  Architecture architecture_;
  std::optional<KernelRelease> release_;
  int page_shift_;
};

}  // namespace mmreplay
