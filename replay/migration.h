// Migrations: which page went where, for whom, and why it failed.
//
// Consumes, as far as they are recorded: mm_migrate_pages_start and mm_migrate_pages (reason),
// set_migration_pmd/pte and remove_migration_pmd/pte (pfn in the entry), probes on
// folio_migrate_mapping or migrate_page_move_mapping (source, destination, verdict), and on
// migrate_misplaced_transhuge_page (to 5.13, where a huge page's move is one call and emits none of
// these tracepoints).
//
//   M: mm_migrate_pages_start
//      set_migration_pmd (src) ... folio_migrate_mapping src->dst ... remove_migration_pmd (dst)
//      mm_migrate_pages
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "parser/event.h"
#include "parser/memory_budget.h"
#include "replay/ids.h"
#include "replay/records.h"
#include "replay/task.h"

namespace mmreplay {

class MigrationTracker {
 public:
  using Emit = std::function<void(Record&&)>;

  explicit MigrationTracker(Emit emit, const MemoryBudget& budget = MemoryBudget())
      : emit_(std::move(emit)), open_limit_(budget.migrations()) {}

  void OnBatchStart(const Task* task, std::string_view reason, const Moment& at);
  void OnBatchEnd(const Task* task, std::string_view reason, const Moment& at);

  // The entry of `address` now points at a migration entry for `source`.
  void OnEntrySet(const Task* task, uint64_t address, std::optional<Pfn> source, const Moment& at);
  // The entry of `address` is present again: the destination, or the source after a failure. Returns
  // the source.
  std::optional<Pfn> OnEntryRemoved(const Task* task, uint64_t address, std::optional<Pfn> present,
                                    const Moment& at);

  void OnMapping(const Task* task, std::optional<Pfn> source, std::optional<Pfn> destination,
                 const Moment& at);
  // The verdict on the move begun last. Returns it where it failed.
  Migration* OnMappingResult(const Task* task, int64_t ret, const Moment& at);

  // migrate_misplaced_transhuge_page: one huge page, from entry to return.
  void OnHugeBegin(const Task* task, std::optional<Pfn> source, const Moment& at);
  // A huge page the task allocates inside it is the destination.
  void OnHugeDestination(const Task* task, Pfn destination);
  // The huge page the task is migrating, if it is.
  Migration* HugeMigration(const Task* task);
  void OnHugeEnd(const Task* task, std::optional<int64_t> ret, const Moment& at);

  // Events are missing up to here.
  void OnGap() { ++gaps_; }

  // Nothing more is known of the tasks.
  void Forget(const std::vector<Task*>& tasks);
  int64_t forgotten() const { return forgotten_; }

  // `last_ts`: latest stamp of the recording, ns; nullopt where stamps are no times.
  void Finish(std::optional<int64_t> last_ts);

 private:
  struct Open {
    Migration migration;
    std::optional<uint64_t> address;
    std::optional<Moment> entry_set;  // the entry of `address`; nullopt once it is removed
    int64_t gaps_before = 0;          // known of when it was
    bool mapping_seen = false;
    int64_t mapping_ret = 0;
    bool huge_call = false;
    bool in_batch = false;  // begun between mm_migrate_pages_start and mm_migrate_pages of its task
  };
  struct OfTask {
    std::string reason;
    std::vector<Open> open;
  };

  Open& Begin(const Task* task, std::optional<Pfn> source, const Moment& at);
  Open* FindSource(const Task* task, std::optional<Pfn> source);
  void Emit1(Open open, std::optional<Moment> end);
  void ForgetOpen(std::vector<Open> open);
  void EntryLeft(const Open& open, std::string detail);

  Emit emit_;
  bool removals_seen_ = false;
  bool batch_starts_seen_ = false;
  int64_t gaps_ = 0;
  std::unordered_map<const Task*, OfTask> tasks_;
  size_t open_limit_;
  size_t open_count_ = 0;  // of all tasks
  int64_t forgotten_ = 0;
};

}  // namespace mmreplay
