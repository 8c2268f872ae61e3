#include "replay/kernel_contracts.h"

#include <array>

namespace mmreplay {
namespace {

using Function = KernelFunction;

constexpr std::string_view kFaultHolds = "the fault that called it holds a reference";
constexpr std::string_view kLockPageOrRetry =
    "mm/filemap.c:__lock_page_or_retry, to 5.15: the fault (do_swap_page(), to 5.0 filemap_fault()) calls it "
    "with the reference of its look-up";
constexpr std::string_view kFolioLockOrRetry =
    "mm/filemap.c:__folio_lock_or_retry, 5.16 and later: the fault (do_swap_page(), "
    "remove_device_exclusive_entry()) calls it with the reference of its look-up";

constexpr std::array kContracts = {
    WaitContract{
        Function::kMigrationEntryWaitOnLocked, Function::kOther, Protection::kQueuedUnderPtl,
        "queues while the page-table lock is held",
        "mm/filemap.c:migration_entry_wait_on_locked, 5.17 and later (softleaf_entry_wait_on_locked from "
        "7.0 on): the waiter is on the wait queue "
        "before the lock is dropped, and the migration entry keeps the page until then"},
    WaitContract{Function::kPutAndWaitOnPageLocked, Function::kOther, Protection::kReference,
                 "drops its own reference once it is queued",
                 "mm/filemap.c:put_and_wait_on_page_locked, 5.0 to 5.15: the caller's reference is put after "
                 "the waiter is on the wait queue"},
    WaitContract{Function::kFolioPutWaitLocked, Function::kOther, Protection::kReference,
                 "drops its own reference once it is queued",
                 "mm/filemap.c:folio_put_wait_locked, 5.16 and later: as put_and_wait_on_page_locked"},
    WaitContract{Function::kLockPage, Function::kOther, Protection::kReference,
                 "its caller holds a reference",
                 "mm/filemap.c:__lock_page, to 5.15: lock_page() is for pages the caller has a reference on"},
    WaitContract{Function::kFolioLock, Function::kOther, Protection::kReference,
                 "its caller holds a reference",
                 "mm/filemap.c:__folio_lock, 5.16 and later: folio_lock() is for folios the caller has a "
                 "reference on"},
    WaitContract{Function::kWaitOnPageBit, Function::kPteMigrationEntryWait, Protection::kReference,
                 "its caller takes a reference under the page-table lock",
                 "mm/migrate.c:__migration_entry_wait, to 4.20: get_page_unless_zero() under the pte lock, "
                 "put_page() after the wait"},
    WaitContract{Function::kWaitOnPageBit, Function::kPmdMigrationEntryWait, Protection::kReference,
                 "its caller takes a reference under the page-table lock",
                 "mm/migrate.c:pmd_migration_entry_wait, 4.14 to 4.20: get_page_unless_zero() under the pmd "
                 "lock, put_page() after the wait"},
    WaitContract{Function::kWaitOnPageBit, Function::kLockOrRetry, Protection::kReference, kFaultHolds,
                 kLockPageOrRetry},
    WaitContract{Function::kWaitOnPageBitKillable, Function::kLockOrRetry, Protection::kReference,
                 kFaultHolds, kLockPageOrRetry},
    WaitContract{Function::kFolioWaitBit, Function::kLockOrRetry, Protection::kReference, kFaultHolds,
                 kFolioLockOrRetry},
    WaitContract{Function::kFolioWaitBitKillable, Function::kLockOrRetry, Protection::kReference, kFaultHolds,
                 kFolioLockOrRetry},
};

}  // namespace

const WaitContract* FindContract(KernelFunction function, KernelFunction caller) {
  for (const WaitContract& contract : kContracts) {
    if (contract.function == function && (contract.caller == Function::kOther || contract.caller == caller))
      return &contract;
  }
  return nullptr;
}

std::string_view ProtectionHistory(KernelFunction lookup) {
  switch (lookup) {
    case Function::kDoHugePmdNumaPage:
      return "mm/huge_memory.c:do_huge_pmd_numa_page: 3.13 to 4.11 wait without a reference (the bug that "
             "3c226c637b69 fixes); 4.12 to 4.20 take one with get_page_unless_zero() under the pmd lock and "
             "put it "
             "after the wait; 5.0 to 5.13 drop it with put_and_wait_on_page_locked(); later ones do not wait";
    case Function::kPmdMigrationEntryWait:
      return "mm/migrate.c:pmd_migration_entry_wait: 4.14 to 4.20 take a reference with "
             "get_page_unless_zero() under "
             "the pmd lock and put it after the wait; 5.0 to 5.16 drop it once they are queued; 5.17 and "
             "later queue "
             "under the lock (migration_entry_wait_on_locked)";
    case Function::kMigrationEntryWait:
    case Function::kPteMigrationEntryWait:
    case Function::kHugeMigrationEntryWait:
      return "mm/migrate.c:__migration_entry_wait: to 4.20 it takes a reference under the page-table lock "
             "and puts it "
             "after the wait; 5.0 to 5.16 drop it once they are queued; 5.17 and later queue under the lock "
             "(migration_entry_wait_on_locked)";
    default:
      return {};
  }
}

bool IsWaitFunction(KernelFunction function) {
  switch (function) {
    case Function::kWaitOnPageBit:
    case Function::kWaitOnPageBitKillable:
    case Function::kFolioWaitBit:
    case Function::kFolioWaitBitKillable:
    case Function::kLockPage:
    case Function::kFolioLock:
    case Function::kPutAndWaitOnPageLocked:
    case Function::kFolioPutWaitLocked:
    case Function::kMigrationEntryWaitOnLocked:
      return true;
    default:
      return false;
  }
}

bool LeavesPageToCaller(KernelFunction function) {
  switch (function) {
    case Function::kPutAndWaitOnPageLocked:
    case Function::kFolioPutWaitLocked:
    case Function::kMigrationEntryWaitOnLocked:
      return false;
    default:
      return IsWaitFunction(function);
  }
}

bool LooksUpPageTable(KernelFunction function) {
  switch (function) {
    case Function::kMigrationEntryWait:
    case Function::kPteMigrationEntryWait:
    case Function::kPmdMigrationEntryWait:
    case Function::kHugeMigrationEntryWait:
    case Function::kDoHugePmdNumaPage:
      return true;
    default:
      return false;
  }
}

}  // namespace mmreplay
