#include "parser/probe_signatures.h"

#include <array>
#include <unordered_map>

#include "parser/numbers.h"

namespace mmreplay {
namespace {

using Function = KernelFunction;

struct Parameter {
  int index;  // from 1
  ProbeRole role;
  std::array<std::string_view, 3> names;  // the kernel's names for it over the years
};

struct Signature {
  std::string_view symbol;
  Function function;
  std::vector<Parameter> parameters;
};

constexpr std::array<std::string_view, 3> kPageNames = {"page", "folio", "src"};

// Parameter lists are those of the kernels named beside them; positions that never moved carry no
// remark. mm/filemap.c, mm/migrate.c, mm/huge_memory.c, mm/vmscan.c, mm/swap.c, mm/page_alloc.c.
const std::vector<Signature>& Signatures() {
  static const std::vector<Signature> signatures = {
      // ---- waits on a page's flag bit ----
      // void wait_on_page_bit(struct page *page, int bit_nr), to 5.15
      {"wait_on_page_bit",
       Function::kWaitOnPageBit,
       {{1, ProbeRole::kPage, kPageNames}, {2, ProbeRole::kBit, {"bit_nr", "bit"}}}},
      {"wait_on_page_bit_killable",
       Function::kWaitOnPageBitKillable,
       {{1, ProbeRole::kPage, kPageNames}, {2, ProbeRole::kBit, {"bit_nr", "bit"}}}},
      // void folio_wait_bit(struct folio *folio, int bit_nr), from 5.16
      {"folio_wait_bit",
       Function::kFolioWaitBit,
       {{1, ProbeRole::kPage, kPageNames}, {2, ProbeRole::kBit, {"bit_nr", "bit"}}}},
      {"folio_wait_bit_killable",
       Function::kFolioWaitBitKillable,
       {{1, ProbeRole::kPage, kPageNames}, {2, ProbeRole::kBit, {"bit_nr", "bit"}}}},
      {"__lock_page", Function::kLockPage, {{1, ProbeRole::kPage, kPageNames}}},
      {"__lock_page_killable", Function::kLockPage, {{1, ProbeRole::kPage, kPageNames}}},
      {"__folio_lock", Function::kFolioLock, {{1, ProbeRole::kPage, kPageNames}}},
      {"__folio_lock_killable", Function::kFolioLock, {{1, ProbeRole::kPage, kPageNames}}},
      // 5.0 to 5.15; a second argument (state) from 5.11
      {"put_and_wait_on_page_locked", Function::kPutAndWaitOnPageLocked, {{1, ProbeRole::kPage, kPageNames}}},
      {"folio_put_wait_locked", Function::kFolioPutWaitLocked, {{1, ProbeRole::kPage, kPageNames}}},
      // (entry, ptep, ptl) from 5.17; (entry, ptl) from 6.5: see BindProbe
      {"migration_entry_wait_on_locked",
       Function::kMigrationEntryWaitOnLocked,
       {{1, ProbeRole::kSwapEntry, {"entry"}}, {3, ProbeRole::kPtl, {"ptl"}}}},
      // its name from 7.0 on
      {"softleaf_entry_wait_on_locked",
       Function::kMigrationEntryWaitOnLocked,
       {{1, ProbeRole::kSwapEntry, {"entry"}}, {2, ProbeRole::kPtl, {"ptl"}}}},

      // ---- faults ----
      {"migration_entry_wait", Function::kMigrationEntryWait, {{2, ProbeRole::kPte, {"pmd"}}}},
      // (mm, ptep, ptl) to 6.4, (mm, ptep?) later: only the first two are taken
      {"__migration_entry_wait", Function::kPteMigrationEntryWait, {{2, ProbeRole::kPte, {"ptep"}}}},
      {"pmd_migration_entry_wait", Function::kPmdMigrationEntryWait, {{2, ProbeRole::kPte, {"pmd"}}}},
      {"migration_entry_wait_huge",
       Function::kHugeMigrationEntryWait,
       {{2, ProbeRole::kPte, {"pte", "ptep"}}}},
      {"__migration_entry_wait_huge",
       Function::kHugeMigrationEntryWait,
       {{2, ProbeRole::kPte, {"ptep", "pte"}}}},
      // (mm, vma, addr, pmd, pmdp) to 4.7; (fe|vmf, pmd) 4.8 to 5.13; (vmf) from 5.14
      {"do_huge_pmd_numa_page", Function::kDoHugePmdNumaPage, {}},
      {"pmd_trans_migrating", Function::kPmdTransMigrating, {}},
      {"handle_mm_fault", Function::kHandleMmFault, {}},
      {"hugetlb_fault", Function::kHugetlbFault, {}},
      // (page, mm, flags) to 5.15; (folio, mm, flags) from 5.16; (folio, vmf) from 6.6
      {"__lock_page_or_retry", Function::kLockOrRetry, {{1, ProbeRole::kPage, kPageNames}}},
      {"__folio_lock_or_retry", Function::kLockOrRetry, {{1, ProbeRole::kPage, kPageNames}}},

      // ---- migration ----
      // (mm, vma, pmd, entry, address, page, node), 3.13 to 5.13
      {"migrate_misplaced_transhuge_page",
       Function::kMigrateMisplacedTranshugePage,
       {{3, ProbeRole::kPte, {"pmd"}}, {6, ProbeRole::kPage, kPageNames}}},
      {"migrate_misplaced_page", Function::kMigrateMisplacedPage, {{1, ProbeRole::kPage, kPageNames}}},
      {"migrate_misplaced_folio", Function::kMigrateMisplacedPage, {{1, ProbeRole::kPage, kPageNames}}},
      {"migrate_pages", Function::kMigratePages, {}},
      // (mapping, newpage, page, ...) and (mapping, newfolio, folio, extra)
      {"migrate_page_move_mapping",
       Function::kFolioMigrateMapping,
       {{2, ProbeRole::kNewPage, {"newpage"}}, {3, ProbeRole::kPage, kPageNames}}},
      {"folio_migrate_mapping",
       Function::kFolioMigrateMapping,
       {{2, ProbeRole::kNewPage, {"newfolio"}}, {3, ProbeRole::kPage, kPageNames}}},
      {"__folio_migrate_mapping",
       Function::kFolioMigrateMapping,
       {{2, ProbeRole::kNewPage, {"newfolio"}}, {3, ProbeRole::kPage, kPageNames}}},
      // (newfolio, folio)
      {"folio_migrate_flags",
       Function::kFolioMigrateFlags,
       {{1, ProbeRole::kNewPage, {"newfolio"}}, {2, ProbeRole::kPage, kPageNames}}},
      {"move_to_new_page",
       Function::kMoveToNewPage,
       {{1, ProbeRole::kNewPage, {"newpage"}}, {2, ProbeRole::kPage, kPageNames}}},
      {"move_to_new_folio",
       Function::kMoveToNewPage,
       {{1, ProbeRole::kNewPage, {"dst"}}, {2, ProbeRole::kPage, kPageNames}}},
      {"set_pmd_migration_entry", Function::kSetPmdMigrationEntry, {{2, ProbeRole::kPage, kPageNames}}},
      {"remove_migration_pmd", Function::kRemoveMigrationPmd, {{2, ProbeRole::kNewPage, {"new"}}}},
      {"try_to_migrate", Function::kTryToMigrate, {{1, ProbeRole::kPage, kPageNames}}},
      // (old, new, locked) and (src, dst, locked)
      {"remove_migration_ptes",
       Function::kRemoveMigrationPtes,
       {{1, ProbeRole::kPage, {"old", "src"}}, {2, ProbeRole::kNewPage, {"new", "dst"}}}},

      // ---- page state ----
      {"isolate_lru_page", Function::kIsolateLruPage, {{1, ProbeRole::kPage, kPageNames}}},
      {"folio_isolate_lru", Function::kIsolateLruPage, {{1, ProbeRole::kPage, kPageNames}}},
      {"putback_lru_page", Function::kPutbackLruPage, {{1, ProbeRole::kPage, kPageNames}}},
      {"folio_putback_lru", Function::kPutbackLruPage, {{1, ProbeRole::kPage, kPageNames}}},
      {"unlock_page", Function::kUnlockPage, {{1, ProbeRole::kPage, kPageNames}}},
      {"folio_unlock", Function::kUnlockPage, {{1, ProbeRole::kPage, kPageNames}}},
      // compound destructors, called once the count is 0
      {"free_transhuge_page", Function::kFreeCompoundPage, {{1, ProbeRole::kPage, kPageNames}}},
      {"free_compound_page", Function::kFreeCompoundPage, {{1, ProbeRole::kPage, kPageNames}}},
      {"destroy_large_folio", Function::kFreeCompoundPage, {{1, ProbeRole::kPage, kPageNames}}},
      // the last put, called with the count at 0
      {"__put_page", Function::kPutPageFinal, {{1, ProbeRole::kPage, kPageNames}}},
      {"__folio_put", Function::kPutPageFinal, {{1, ProbeRole::kPage, kPageNames}}},
      {"bad_page", Function::kBadPage, {{1, ProbeRole::kPage, kPageNames}}},
  };
  return signatures;
}

const Signature* FindSignature(std::string_view symbol) {
  static const std::unordered_map<std::string_view, const Signature*> by_symbol = [] {
    std::unordered_map<std::string_view, const Signature*> map;
    for (const Signature& signature : Signatures()) map.emplace(signature.symbol, &signature);
    return map;
  }();
  auto known = by_symbol.find(symbol);
  return known == by_symbol.end() ? nullptr : known->second;
}

// Offset of _refcount in a 64-byte struct page, 64 bit: 28 up to 4.17, 52 since 4.18
// (confirmed by the `raw:` words of page dumps of both eras).
bool IsRefcountOffset(int64_t offset, std::optional<KernelRelease> release) {
  if (!release) return false;
  return offset == (release->AtLeast(4, 18) ? 52 : 28);
}

// Bits a fetch of this type has of its value, from the lowest on; 0 for a text, an array, or bits out of the
// middle ("b1@7/64").
int BitsOfType(std::string_view type) {
  if (type.empty()) return 64;
  if (std::string_view("usxd").find(type[0]) == std::string_view::npos) return 0;
  auto bits = ParseDecimal(type.substr(1));
  return bits && *bits <= 64 ? static_cast<int>(*bits) : 0;
}

// Bits that must be there for a value to tell what the role means.
int BitsNeeded(ProbeRole role) {
  switch (role) {
    case ProbeRole::kBit:
    case ProbeRole::kPageFlags:  // of which PG_locked is looked at
      return 8;
    case ProbeRole::kPageCount:
    case ProbeRole::kReturn:
      return 32;
    default:
      return 64;
  }
}

// folio->flags, page->_refcount.counter: what follows the parameter.
std::optional<ProbeRole> RoleOfMember(std::string_view member) {
  if (member.starts_with("page.")) member.remove_prefix(5);
  if (member == "flags" || member == "flags.f") return ProbeRole::kPageFlags;
  if (member == "_refcount.counter" || member == "_count.counter") return ProbeRole::kPageCount;
  return std::nullopt;
}

std::optional<ProbeRole> RoleOfName(const Signature& signature, bool is_return, std::string_view name) {
  if (is_return) return std::nullopt;
  size_t arrow = name.find("->");
  for (const Parameter& parameter : signature.parameters) {
    for (std::string_view known : parameter.names) {
      if (known.empty() || known != name.substr(0, arrow)) continue;
      if (arrow == std::string_view::npos) return parameter.role;
      return parameter.role == ProbeRole::kPage ? RoleOfMember(name.substr(arrow + 2)) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<ProbeRole> RoleOfFetch(const Signature& signature, bool is_return, const FetchArgument& fetch,
                                     std::optional<KernelRelease> release) {
  if (fetch.base == FetchArgument::Base::kName) return RoleOfName(signature, is_return, fetch.name);
  if (fetch.base == FetchArgument::Base::kReturn) {
    if (is_return && fetch.offsets.empty()) return ProbeRole::kReturn;
    return std::nullopt;
  }
  // At a function's return its argument registers hold something else.
  if (fetch.base != FetchArgument::Base::kArgument || is_return) return std::nullopt;

  for (const Parameter& parameter : signature.parameters) {
    int index = parameter.index;
    if (parameter.role == ProbeRole::kPtl && parameter.index == 3) {
      if (!release) return std::nullopt;  // second or third argument: open
      if (release->AtLeast(6, 5)) index = 2;
    }
    if (index != fetch.index) continue;
    if (fetch.offsets.empty()) return parameter.role;
    if (parameter.role != ProbeRole::kPage || fetch.offsets.size() != 1) return std::nullopt;
    if (fetch.offsets[0] == 0) return ProbeRole::kPageFlags;  // page->flags is the first word
    if (IsRefcountOffset(fetch.offsets[0], release)) return ProbeRole::kPageCount;
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<KernelRelease> ParseKernelRelease(std::string_view text) {
  size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  size_t end = text.find_first_not_of("0123456789", dot + 1);
  auto major = ParseDecimal(text.substr(0, dot));
  auto minor = ParseDecimal(text.substr(dot + 1, end == std::string_view::npos ? end : end - dot - 1));
  if (!major || !minor || *major > 1000 || *minor > 1000) return std::nullopt;
  return KernelRelease{static_cast<int>(*major), static_cast<int>(*minor)};
}

KernelFunction FunctionOfSymbol(std::string_view symbol) {
  const Signature* signature = FindSignature(symbol);
  return signature ? signature->function : Function::kOther;
}

bool BeginsSymbol(std::string_view text) {
  const auto& known = Signatures();
  return std::any_of(known.begin(), known.end(),
                     [&](const Signature& signature) { return signature.symbol.starts_with(text); });
}

bool EndsSymbol(std::string_view text) {
  const auto& known = Signatures();
  return std::any_of(known.begin(), known.end(), [&](const Signature& signature) {
    std::string_view symbol = signature.symbol;
    auto behind = std::mismatch(text.rbegin(), text.rend(), symbol.rbegin(), symbol.rend()).first;
    auto rest = static_cast<size_t>(text.rend() - behind);
    return rest < text.size() && symbol.starts_with(text.substr(0, rest));
  });
}

std::vector<BoundField> BindProbe(std::string_view symbol, bool is_return, const ProbeDefinition* definition,
                                  std::optional<KernelRelease> release) {
  std::vector<BoundField> bound;
  const Signature* signature = FindSignature(symbol);
  if (!signature) return bound;
  if (definition) {
    for (const FetchArgument& fetch : definition->arguments) {
      auto role = RoleOfFetch(*signature, is_return, fetch, release);
      if (role && BitsOfType(fetch.type) >= BitsNeeded(*role)) bound.push_back({fetch.field, *role});
    }
    return bound;
  }
  if (is_return) {
    bound.push_back({"ret", ProbeRole::kReturn});
    return bound;
  }
  bool has_page = false;
  for (const Parameter& parameter : signature->parameters) {
    has_page |= parameter.role == ProbeRole::kPage;
    for (std::string_view name : parameter.names) {
      if (!name.empty()) bound.push_back({std::string(name), parameter.role});
    }
  }
  if (has_page) {
    bound.push_back({"flags", ProbeRole::kPageFlags});
    bound.push_back({"ref", ProbeRole::kPageCount});
  }
  return bound;
}

std::vector<std::string_view> KnownFunctionSymbols() {
  std::vector<std::string_view> symbols;
  for (const Signature& signature : Signatures()) symbols.push_back(signature.symbol);
  return symbols;
}

}  // namespace mmreplay
