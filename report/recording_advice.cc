#include "report/recording_advice.h"

#include <array>

namespace mmreplay {
namespace {

constexpr int kNewest = 99;  // stands for a release nobody told

class Kernel {
 public:
  Kernel(std::optional<KernelRelease> release, const std::string& machine)
      : release_(release.value_or(KernelRelease{kNewest, 0})), machine_(machine) {}

  bool Since(int major, int minor) const { return release_.AtLeast(major, minor); }

  // $argN is understood since 4.20; before, the register that holds it.
  std::string Argument(size_t number) const {
    constexpr std::array<const char*, 6> kX86 = {"%di", "%si", "%dx", "%cx", "%r8", "%r9"};
    if (Since(4, 20) || (machine_ != "x86_64" && machine_ != "aarch64"))
      return "$arg" + std::to_string(number);
    if (machine_ == "aarch64") return "%x" + std::to_string(number - 1);
    return kX86[number - 1];
  }

  // page->_refcount, fetched through a struct page argument.
  std::string Count(size_t number) const {
    return "ref=" + std::string(Since(4, 18) ? "+52(" : "+28(") + Argument(number) + "):s32";
  }

 private:
  KernelRelease release_;
  std::string machine_;
};

// An entry probe, and a return probe where the function blocks or its end matters.
void Probe(const std::string& function, const std::string& fields, bool returns, RecordingAdvice* advice) {
  advice->probes.push_back("p:mmreplay/" + function + " " + function + " " + fields);
  if (returns) advice->probes.push_back("r256:mmreplay/" + function + "_ret " + function);
}

// What the function returned, too: how a migration ended.
void ProbeResult(const std::string& function, const std::string& fields, RecordingAdvice* advice) {
  Probe(function, fields, true, advice);
  advice->probes.back() += " ret=$retval:s32";
}

void ProbeWaits(const Kernel& kernel, RecordingAdvice* advice) {
  std::string bit = " bit=" + kernel.Argument(2) + ":s32";
  if (kernel.Since(5, 16)) {
    Probe("folio_wait_bit", "folio=" + kernel.Argument(1) + bit + " " + kernel.Count(1), true, advice);
  } else {
    Probe("wait_on_page_bit", "page=" + kernel.Argument(1) + bit + " " + kernel.Count(1), true, advice);
    if (kernel.Since(5, 0)) Probe("put_and_wait_on_page_locked", "page=" + kernel.Argument(1), true, advice);
  }
  if (kernel.Since(7, 0)) {
    Probe("softleaf_entry_wait_on_locked", "entry=" + kernel.Argument(1) + " ptl=" + kernel.Argument(2), true,
          advice);
  } else if (kernel.Since(5, 17)) {
    std::string ptl = kernel.Argument(kernel.Since(6, 5) ? 2 : 3);
    Probe("migration_entry_wait_on_locked", "entry=" + kernel.Argument(1) + " ptl=" + ptl, true, advice);
  }
}

void ProbeFaults(const Kernel& kernel, RecordingAdvice* advice) {
  Probe("do_huge_pmd_numa_page", "vmf=" + kernel.Argument(1), true, advice);
  if (kernel.Since(4, 14))
    Probe("pmd_migration_entry_wait", "mm=" + kernel.Argument(1) + " pmd=" + kernel.Argument(2), true,
          advice);
  if (kernel.Since(6, 5)) {
    Probe("migration_entry_wait", "mm=" + kernel.Argument(1) + " pmd=" + kernel.Argument(2), true, advice);
  } else {
    Probe("__migration_entry_wait",
          "mm=" + kernel.Argument(1) + " ptep=" + kernel.Argument(2) + " ptl=" + kernel.Argument(3), true,
          advice);
  }
}

void RecordMigrations(const Kernel& kernel, RecordingAdvice* advice) {
  advice->events.emplace_back("migrate:mm_migrate_pages");
  if (kernel.Since(5, 19)) {
    for (const char* event : {"thp:set_migration_pmd", "thp:remove_migration_pmd",
                              "migrate:set_migration_pte", "migrate:remove_migration_pte"})
      advice->events.emplace_back(event);
  } else if (kernel.Since(5, 14)) {
    ProbeResult("migrate_page_move_mapping", "newpage=" + kernel.Argument(2) + " page=" + kernel.Argument(3),
                advice);
  } else {
    ProbeResult("migrate_misplaced_transhuge_page", "page=" + kernel.Argument(6), advice);
  }
}

}  // namespace

RecordingAdvice AdviseRecording(EvidenceKind kind, std::optional<KernelRelease> release,
                                const std::string& machine) {
  Kernel kernel(release, machine);
  RecordingAdvice advice;
  switch (kind) {
    case EvidenceKind::kWaits:
    case EvidenceKind::kWaitProbes:
    case EvidenceKind::kWaitEnds:
      ProbeWaits(kernel, &advice);
      break;
    case EvidenceKind::kReferenceCounts:
      advice.events = {"page_ref:page_ref_set",          "page_ref:page_ref_mod",
                       "page_ref:page_ref_mod_and_test", "page_ref:page_ref_mod_and_return",
                       "page_ref:page_ref_mod_unless",   "page_ref:page_ref_freeze",
                       "page_ref:page_ref_unfreeze"};
      advice.needs =
          "CONFIG_DEBUG_PAGE_REF; on other kernels the probes on the wait functions fetch the count";
      ProbeWaits(kernel, &advice);
      break;
    case EvidenceKind::kFreesAndAllocations:
      advice.events = {"kmem:mm_page_free", "kmem:mm_page_alloc"};
      break;
    case EvidenceKind::kPageTableLocks:
      advice.events = {"lock:lock_acquire", "lock:lock_contended", "lock:lock_acquired", "lock:lock_release"};
      advice.needs = "CONFIG_LOCK_STAT; filter name ~ \"ptlock*\"";
      break;
    case EvidenceKind::kFaults:
      ProbeFaults(kernel, &advice);
      break;
    case EvidenceKind::kMigrations:
      RecordMigrations(kernel, &advice);
      break;
    case EvidenceKind::kScheduling:
      advice.events = {"sched:sched_switch", "sched:sched_waking"};
      break;
    case EvidenceKind::kConsole:
      break;  // not the ring buffer's business
  }
  return advice;
}

}  // namespace mmreplay
