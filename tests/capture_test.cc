// The capture script: what it chooses on which kernel, seen through --dry-run on made-up tracefs trees that
// list the functions and events of real ones. That it records and restores is shown in guests (samples/lab).
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "parser/lines.h"
#include "parser/probe_definitions.h"
#include "parser/probe_signatures.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

constexpr const char* kScript = MMREPLAY_SOURCE_DIR "/samples/capture/mmreplay-capture";

// A tracefs as the script sees it before it does anything, and the uname and id it calls.
class Machine {
 public:
  Machine(const std::string& release, const std::string& machine, const std::vector<std::string>& functions,
          const std::vector<std::string>& events) {
    namespace fs = std::filesystem;
    fs::create_directories(tracefs() + "/instances");
    for (const char* cpu : {"cpu0", "cpu1", "cpu2", "cpu3"})
      fs::create_directories(tracefs() + "/per_cpu/" + cpu);
    fs::create_directories(tracefs() + "/events");
    for (const std::string& event : events) {
      fs::create_directories(tracefs() + "/events/" + event);
      Write(tracefs() + "/events/" + event + "/enable", "0\n");
    }
    std::string list;
    for (const std::string& function : functions) list += function + "\n";
    Write(tracefs() + "/available_filter_functions", list);
    Write(tracefs() + "/kprobe_events", "");
    Tool("uname", "case $1 in -r) echo " + release + " ;; -m) echo " + machine + " ;; *) echo host ;; esac");
    Tool("id", "echo 0");
  }

  std::string tracefs() const { return folder_.path() + "/tracing"; }
  void Write(const std::string& path, const std::string& text) const { std::ofstream(path) << text; }

  Run Capture(const std::string& arguments, const std::string& before = "") const {
    return Shell("cd " + folder_.path() + " && TRACEFS=" + tracefs() + " PATH=" + folder_.path() +
                 "/bin:$PATH " + before + " sh " + kScript + " " + arguments);
  }

  // A main buffer nobody used yet, and instances as the kernel makes them: of `size` KB, with all events,
  // which say `enabled` once the trigger has fired. What the script did to one can be read in removed().
  void MakeRecordable(const std::string& size, const std::string& enabled) {
    std::string files = folder_.path() + "/instance";
    for (const char* folder :
         {"/options", "/per_cpu/cpu0", "/events/sched/sched_process_fork", "/events/mmreplay"}) {
      std::filesystem::create_directories(files + folder);
    }
    std::filesystem::copy(tracefs() + "/events", files + "/events", std::filesystem::copy_options::recursive);
    for (const char* event : {"/events/kmem/mm_page_alloc", "/events/mmreplay/folio_wait_bit",
                              "/events/mmreplay/folio_wait_bit_ret"}) {
      std::filesystem::create_directories(files + event);
      Write(files + event + "/enable", enabled);
      Write(files + event + "/format", "name: some\n");
    }
    Write(files + "/events/sched/sched_process_fork/trigger", "");
    for (const char* file : {"/tracing_on", "/trace_clock", "/options/overwrite", "/options/record-tgid",
                             "/events/mmreplay/enable"}) {
      Write(files + file, "0\n");
    }
    Write(files + "/events/enable", "X\n");
    Write(files + "/buffer_size_kb", size);
    Write(files + "/set_event", "kmem:mm_page_alloc\n");
    Write(files + "/trace", "# tracer: nop\n");
    Write(files + "/per_cpu/cpu0/stats", "overrun: 0\n");
    Write(tracefs() + "/buffer_size_kb", "7 (expanded: 1408)\n");
    Write(tracefs() + "/saved_cmdlines_size", "128\n");
    Tool("mkdir", "case $1 in */instances/*) cp -r " + files + " $1 ;; *) exec /bin/mkdir \"$@\" ;; esac");
    Tool("rmdir", "case $1 in */instances/*) mv $1 " + removed() + " ;; *) exec /bin/rmdir \"$@\" ;; esac");
    Tool("dmesg", "echo nothing");
  }
  std::string removed() const { return folder_.path() + "/removed"; }
  bool HasBundle(const std::string& name) const {
    return std::filesystem::exists(folder_.path() + "/" + name);
  }
  std::string Tree() const {
    return Shell("cd " + folder_.path() + " && find . -printf '%p %T@ %s\\n' | sort").out;
  }

 private:
  void Tool(const std::string& name, const std::string& body) {
    std::filesystem::create_directories(folder_.path() + "/bin");
    std::string path = folder_.path() + "/bin/" + name;
    Write(path, "#!/bin/sh\n" + body + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }

  TemporaryFolder folder_;
};

const std::vector<std::string> kStockEvents = {
    "kmem/mm_page_alloc", "kmem/mm_page_free",  "kmem/kmalloc",          "migrate/mm_migrate_pages",
    "sched/sched_switch", "sched/sched_waking", "lock/contention_begin", "lock/contention_end"};

bool HasLine(const std::string& text, const std::string& wanted) {
  bool found = false;
  ForEachLine(text, [&](std::string_view line) { found |= TrimBlanks(line) == wanted; });
  return found;
}

std::vector<ProbeDefinition> Probes(const std::string& plan) {
  std::vector<ProbeDefinition> probes;
  ForEachLine(plan, [&](std::string_view line) {
    if (line.find(":mmreplay/") == std::string_view::npos) return;
    auto probe = ParseProbeDefinition(TrimBlanks(line));
    CAPTURE(std::string(line));
    REQUIRE(probe);
    probes.push_back(std::move(*probe));
  });
  return probes;
}

std::set<ProbeRole> Roles(const std::vector<ProbeDefinition>& probes, const std::string& event,
                          const std::string& release) {
  std::set<ProbeRole> roles;
  for (const ProbeDefinition& probe : probes) {
    if (probe.event != event) continue;
    for (const BoundField& field :
         BindProbe(probe.function, probe.is_return, &probe, ParseKernelRelease(release))) {
      roles.insert(field.role);
    }
  }
  return roles;
}

}  // namespace

TEST_CASE("mmreplay capture prints the script", "[capture]") {
  Run run = Shell(MMREPLAY_BINARY " capture");
  CHECK(run.exit_code == 0);
  CHECK(run.out == ReadFile(kScript));
  CHECK(Shell(std::string("sh -n ") + kScript).exit_code == 0);
  run = Shell(MMREPLAY_BINARY " capture --duration 3");
  CHECK(run.exit_code == 2);
  CHECK(run.out.empty());
  CHECK(Shell(MMREPLAY_BINARY " capture --help").out.find("Examples:\n") != std::string::npos);
}

// What Ubuntu's 4.4, 4.15 and 4.18 can probe, of what the table asks for (functions out of line under their
// own names; 4.4 has bad_page only as bad_page.part.68).
TEST_CASE("4.4: hexadecimal was called u64, return probes had no maxactive", "[capture]") {
  std::vector<std::string> events = kStockEvents;
  events.emplace_back("migrate/mm_numa_migrate_ratelimit");
  Machine machine("4.4.0-210-generic", "x86_64",
                  {"wait_on_page_bit", "wait_on_page_bit_killable", "__lock_page", "__lock_page_killable",
                   "__lock_page_or_retry", "__migration_entry_wait", "migration_entry_wait",
                   "migration_entry_wait_huge", "do_huge_pmd_numa_page", "pmd_trans_migrating",
                   "migrate_misplaced_page", "migrate_misplaced_transhuge_page", "migrate_page_move_mapping",
                   "unlock_page", "isolate_lru_page", "putback_lru_page", "bad_page.part.68"},
                  events);
  Run run = machine.Capture("--dry-run --duration 1");
  CAPTURE(run.err);
  REQUIRE(run.exit_code == 0);
  CHECK(HasLine(run.out,
                "p:mmreplay/wait_on_page_bit wait_on_page_bit page=%di bit=%si:s32 flags=+0(%di):u64 "
                "ref=+28(%di):s32"));
  CHECK(run.out.find(":x64") == std::string::npos);
  CHECK(HasLine(run.out, "r:mmreplay/wait_on_page_bit_ret wait_on_page_bit"));
  CHECK(run.out.find("r1024:") == std::string::npos);
  // (mm, vma, addr, pmd, pmdp); from 4.8 on (fe, pmd)
  CHECK(HasLine(run.out,
                "p:mmreplay/do_huge_pmd_numa_page do_huge_pmd_numa_page mm=%di address=%dx pmdval=%cx"));
  CHECK(HasLine(run.out, "p:mmreplay/__migration_entry_wait __migration_entry_wait mm=%di ptep=%si"));
  CHECK(run.out.find("p:mmreplay/migration_entry_wait ") == std::string::npos);
  CHECK(run.out.find("bad_page") == std::string::npos);
  CHECK(HasLine(run.out, "migrate/mm_numa_migrate_ratelimit"));
  auto probes = Probes(run.out);
  CHECK(Roles(probes, "wait_on_page_bit", "4.4.0") ==
        std::set{ProbeRole::kPage, ProbeRole::kBit, ProbeRole::kPageFlags, ProbeRole::kPageCount});
  CHECK(Roles(probes, "migrate_page_move_mapping", "4.4.0").contains(ProbeRole::kPage));
  CHECK(machine.Capture("--boot-parameters").err.find("kprobe_event= is known from Linux 5.3") !=
        std::string::npos);
}

TEST_CASE("4.9, 4.15 and 4.18: what changed between them", "[capture]") {
  std::vector<std::string> functions = {"wait_on_page_bit",
                                        "__lock_page",
                                        "__migration_entry_wait",
                                        "do_huge_pmd_numa_page",
                                        "unlock_page",
                                        "pmd_trans_migrating",
                                        "migrate_misplaced_transhuge_page",
                                        "migrate_page_move_mapping"};
  std::string plan =
      Machine("4.9.0-19-amd64", "x86_64", functions, kStockEvents).Capture("--dry-run --duration 1").out;
  CHECK(HasLine(plan,
                "p:mmreplay/wait_on_page_bit wait_on_page_bit page=%di bit=%si:s32 flags=+0(%di):x64 "
                "ref=+28(%di):s32"));
  CHECK(HasLine(plan, "r:mmreplay/wait_on_page_bit_ret wait_on_page_bit"));
  CHECK(HasLine(plan, "p:mmreplay/do_huge_pmd_numa_page do_huge_pmd_numa_page vmf=%di pmdval=%si"));

  functions.emplace_back("pmd_migration_entry_wait");  // 4.14
  plan =
      Machine("4.15.0-213-generic", "aarch64", functions, kStockEvents).Capture("--dry-run --duration 1").out;
  CHECK(HasLine(plan,
                "p:mmreplay/wait_on_page_bit wait_on_page_bit page=%x0 bit=%x1:s32 flags=+0(%x0):x64 "
                "ref=+28(%x0):s32"));
  CHECK(HasLine(plan, "r1024:mmreplay/wait_on_page_bit_ret wait_on_page_bit"));
  CHECK(HasLine(plan, "p:mmreplay/pmd_migration_entry_wait pmd_migration_entry_wait mm=%x0 pmd=%x1"));

  plan = Machine("4.19.0-27-amd64", "x86_64", functions, kStockEvents).Capture("--dry-run --duration 1").out;
  CHECK(HasLine(plan,
                "p:mmreplay/wait_on_page_bit wait_on_page_bit page=%di bit=%si:s32 flags=+0(%di):x64 "
                "ref=+52(%di):s32"));
}

TEST_CASE("before 4.3 nothing says who is being woken by whom", "[capture]") {
  auto events = kStockEvents;
  events.emplace_back("sched/sched_wakeup");
  std::string plan = Machine("4.4.0", "x86_64", {}, events).Capture("--dry-run --duration 1").out;
  CHECK(HasLine(plan, "sched/sched_waking"));
  CHECK(!HasLine(plan, "sched/sched_wakeup"));
  std::erase(events, "sched/sched_waking");
  plan = Machine("3.16.0-11-amd64", "x86_64", {}, events).Capture("--dry-run --duration 1").out;
  CHECK(HasLine(plan, "sched/sched_wakeup"));
}

TEST_CASE("up to 6.6 ring buffers leave a mark, unless they are of the size the kernel gives", "[capture]") {
  Machine fresh("6.1.0-56-amd64", "x86_64", {"folio_wait_bit"}, kStockEvents);
  fresh.Write(fresh.tracefs() + "/buffer_size_kb", "7 (expanded: 1408)\n");
  Run run = fresh.Capture("--dry-run --duration 1");
  CHECK(run.out.find("\nmark: ") != std::string::npos);
  CHECK(run.out.find("--max-size 33)") != std::string::npos);
  CHECK(fresh.Capture("--dry-run --duration 1 --max-size 33").out.find("\nmark: ") == std::string::npos);
  CHECK(fresh.Capture("--dry-run --duration 1 --max-size 34").out.find("\nmark: ") != std::string::npos);
  CHECK(fresh.Capture("--dry-run --max-size 33 --only-command true").out.find("without --only-command)") !=
        std::string::npos);

  fresh.Write(fresh.tracefs() + "/buffer_size_kb", "1408\n");
  CHECK(fresh.Capture("--dry-run --duration 1").out.find("\nmark: ") == std::string::npos);
  Machine later("6.12.117+deb13-amd64", "x86_64", {"folio_wait_bit"}, kStockEvents);
  later.Write(later.tracefs() + "/buffer_size_kb", "7 (expanded: 1408)\n");
  CHECK(later.Capture("--dry-run --duration 1").out.find("\nmark: ") == std::string::npos);
}

namespace {

// After the script has ended, however it did: nothing of it is left.
void CheckRestored(const Machine& machine) {
  CHECK(std::filesystem::is_empty(machine.tracefs() + "/instances"));
  CHECK(ReadFile(machine.tracefs() + "/saved_cmdlines_size") == "128\n");
  CHECK(ReadFile(machine.removed() + "/tracing_on") == "0\n");
  std::string probes = ReadFile(machine.tracefs() + "/kprobe_events");
  for (const char* name : {"mmreplay/folio_wait_bit", "mmreplay/folio_wait_bit_ret"}) {
    CHECK(HasLine(probes, std::string("-:") + name));
  }
  CHECK(machine.Tree().find(".mmreplay-capture.") == std::string::npos);
}

class FreshMachine : public Machine {
 public:
  FreshMachine(const std::string& size, const std::string& enabled)
      : Machine("6.1.0-56-amd64", "x86_64", {"folio_wait_bit"}, {"kmem/mm_page_alloc"}) {
    MakeRecordable(size, enabled);
  }
};

}  // namespace

TEST_CASE("buffers of a size of their own: the main buffer is not touched, and the mark is named",
          "[capture]") {
  FreshMachine machine("1408 (expanded: 1408)\n", "0\n");
  // the command does what the kernel does when an instance is given a size
  Run run =
      machine.Capture("-o b.tar.gz -- sh -c 'echo 7 >" + machine.tracefs() + "/buffer_size_kb; exit 7'");
  CAPTURE(run.err);
  CHECK(run.exit_code == 7);
  CHECK(machine.HasBundle("b.tar.gz"));
  CheckRestored(machine);
  CHECK(ReadFile(machine.removed() + "/buffer_size_kb") == "21845\n");
  CHECK(ReadFile(machine.removed() + "/events/kmem/mm_page_alloc/enable") == "1\n");
  CHECK(ReadFile(machine.removed() + "/events/mmreplay/enable") == "1\n");
  CHECK(run.err.find("echo 1408 >" + machine.tracefs() + "/buffer_size_kb") != std::string::npos);
}

TEST_CASE("buffers of the kernel's own size: events by trigger, no size and no event set", "[capture]") {
  FreshMachine machine("1408 (expanded: 1408)\n", "1*\n");
  Run run = machine.Capture("-o b.tar.gz --max-size 33 -- true");
  CAPTURE(run.err);
  CHECK(run.exit_code == 0);
  CheckRestored(machine);
  CHECK(ReadFile(machine.removed() + "/events/sched/sched_process_fork/trigger") ==
        "enable_event:kmem:mm_page_alloc\nenable_event:mmreplay:folio_wait_bit\n"
        "enable_event:mmreplay:folio_wait_bit_ret\n");
  // any of these written would make the main buffer grow
  CHECK(ReadFile(machine.removed() + "/buffer_size_kb") == "1408 (expanded: 1408)\n");
  CHECK(ReadFile(machine.removed() + "/events/kmem/mm_page_alloc/enable") == "1*\n");
  CHECK(ReadFile(machine.removed() + "/events/mmreplay/enable") == "0\n");
  CHECK(ReadFile(machine.removed() + "/events/enable") == "X\n");
  CHECK(ReadFile(machine.tracefs() + "/buffer_size_kb") == "7 (expanded: 1408)\n");
  CHECK(run.err.find("main trace buffer") == std::string::npos);
}

TEST_CASE("a trigger that does not fire: events the usual way", "[capture]") {
  FreshMachine machine("1408 (expanded: 1408)\n", "0*\n");
  Run run = machine.Capture("-o b.tar.gz --max-size 33 -- true");
  CAPTURE(run.err);
  CHECK(run.exit_code == 0);
  CheckRestored(machine);
  CHECK(ReadFile(machine.removed() + "/events/kmem/mm_page_alloc/enable") == "1\n");
  CHECK(ReadFile(machine.removed() + "/buffer_size_kb") == "1408\n");
}

TEST_CASE("since 6.7 each buffer keeps its own promise", "[capture]") {
  FreshMachine machine("1408\n", "1*\n");
  Run run = machine.Capture("-o b.tar.gz --max-size 33 -- true");
  CAPTURE(run.err);
  CheckRestored(machine);
  CHECK(ReadFile(machine.removed() + "/events/kmem/mm_page_alloc/enable") == "1\n");
  CHECK(ReadFile(machine.removed() + "/events/sched/sched_process_fork/trigger").empty());
}

TEST_CASE("^C keeps what was recorded and restores", "[capture]") {
  FreshMachine machine("1408 (expanded: 1408)\n", "1*\n");
  Run run = machine.Capture("-o b.tar.gz --max-size 33 --duration 60", "timeout --foreground -s INT 2");
  CAPTURE(run.err);
  CHECK(run.err.find("interrupted") != std::string::npos);
  CHECK(machine.HasBundle("b.tar.gz"));
  CheckRestored(machine);
}

TEST_CASE("4.10: the wait of the original bug, struct page of that time", "[capture]") {
  Machine machine("4.10.17", "x86_64",
                  {"wait_on_page_bit", "pmd_trans_migrating", "do_huge_pmd_numa_page", "unlock_page",
                   "migrate_misplaced_transhuge_page", "__migration_entry_wait", "isolate_lru_page"},
                  kStockEvents);
  Run run = machine.Capture("--dry-run --duration 1");
  CAPTURE(run.err);
  REQUIRE(run.exit_code == 0);
  CHECK(HasLine(run.out,
                "p:mmreplay/wait_on_page_bit wait_on_page_bit page=%di bit=%si:s32 flags=+0(%di):x64 "
                "ref=+28(%di):s32"));
  CHECK(HasLine(run.out, "p:mmreplay/do_huge_pmd_numa_page do_huge_pmd_numa_page vmf=%di pmdval=%si"));
  CHECK(HasLine(run.out, "r:mmreplay/pmd_trans_migrating_ret pmd_trans_migrating ret=$retval:s32"));
  CHECK(run.out.find("folio") == std::string::npos);
  auto probes = Probes(run.out);
  CHECK(Roles(probes, "wait_on_page_bit", "4.10.17") ==
        std::set{ProbeRole::kPage, ProbeRole::kBit, ProbeRole::kPageFlags, ProbeRole::kPageCount});
  CHECK(Roles(probes, "migrate_misplaced_transhuge_page", "4.10.17").contains(ProbeRole::kPage));
}

TEST_CASE("5.10 arm64: its own wait, its own registers", "[capture]") {
  Machine machine("5.10.0-32-arm64", "aarch64",
                  {"wait_on_page_bit", "put_and_wait_on_page_locked", "pmd_trans_migrating", "unlock_page",
                   "do_huge_pmd_numa_page", "__migration_entry_wait", "migration_entry_wait",
                   "migrate_page_move_mapping", "__put_page"},
                  kStockEvents);
  Run run = machine.Capture("--dry-run --duration 1");
  REQUIRE(run.exit_code == 0);
  CHECK(HasLine(run.out,
                "p:mmreplay/put_and_wait_on_page_locked put_and_wait_on_page_locked page=%x0 "
                "flags=+0(%x0):x64 ref=+52(%x0):s32"));
  CHECK(HasLine(run.out, "p:mmreplay/__migration_entry_wait __migration_entry_wait mm=%x0 ptep=%x1"));
  CHECK(run.out.find("p:mmreplay/migration_entry_wait ") == std::string::npos);
}

// Debian's 6.1 and vendors' kernels of older number carry the same code: functions decide, not the version.
TEST_CASE("the lock's argument follows the functions there are", "[capture]") {
  std::vector<std::string> functions = {"migration_entry_wait_on_locked", "pmd_migration_entry_wait",
                                        "migration_entry_wait", "folio_unlock", "unlock_page"};
  std::string plan =
      Machine("5.14.0-503.el9.x86_64", "x86_64", functions, {}).Capture("--dry-run --duration 1").out;
  CHECK(HasLine(
      plan, "p:mmreplay/migration_entry_wait_on_locked migration_entry_wait_on_locked entry=%di ptl=%si"));
  CHECK(HasLine(plan, "p:mmreplay/migration_entry_wait migration_entry_wait mm=%di pmd=%si address=%dx"));
  // unlock_page only calls folio_unlock
  CHECK(plan.find("mmreplay/unlock_page") == std::string::npos);

  functions.emplace_back("__migration_entry_wait");
  plan = Machine("6.1.0-56-amd64", "x86_64", functions, {}).Capture("--dry-run --duration 1").out;
  CHECK(HasLine(plan,
                "p:mmreplay/migration_entry_wait_on_locked migration_entry_wait_on_locked entry=%di ptep=%si "
                "ptl=%dx"));
  CHECK(Roles(Probes(plan), "migration_entry_wait_on_locked", "6.1.0-56-amd64") ==
        std::set{ProbeRole::kSwapEntry, ProbeRole::kPtl});
}

TEST_CASE("7.2: the wait under its new name", "[capture]") {
  Machine machine("7.2.13+deb14-amd64", "x86_64",
                  {"softleaf_entry_wait_on_locked", "pmd_migration_entry_wait", "migration_entry_wait",
                   "__folio_migrate_mapping", "folio_unlock", "iwlwifi_fn [iwlwifi]"},
                  kStockEvents);
  Run run = machine.Capture("--dry-run --duration 1");
  CHECK(HasLine(run.out,
                "p:mmreplay/softleaf_entry_wait_on_locked softleaf_entry_wait_on_locked entry=%di ptl=%si"));
  CHECK(Roles(Probes(run.out), "softleaf_entry_wait_on_locked", "7.2.13") ==
        std::set{ProbeRole::kSwapEntry, ProbeRole::kPtl});
  CHECK(run.out.find("/migration_entry_wait_on_locked") == std::string::npos);
}

TEST_CASE("page_ref and page-table lock events where the kernel has them", "[capture]") {
  Machine stock("6.1.0", "x86_64", {"folio_wait_bit"}, kStockEvents);
  std::string plan = stock.Capture("--dry-run --duration 1").out;
  CHECK(HasLine(plan, "kmem/mm_page_free"));
  CHECK(HasLine(plan, "lock/contention_begin"));
  CHECK(plan.find("kmalloc") == std::string::npos);
  CHECK(plan.find("page_ref") == std::string::npos);

  auto events = kStockEvents;
  events.insert(events.end(), {"page_ref/page_ref_mod", "page_ref/page_ref_freeze", "lock/lock_acquire"});
  plan = Machine("6.1.192-lab", "x86_64", {"folio_wait_bit"}, events).Capture("--dry-run --duration 1").out;
  CHECK(HasLine(plan, "page_ref/page_ref_freeze"));
  CHECK(HasLine(plan, "lock/lock_acquire if name ~ \"*ptlock*\" || name ~ \"*page_table_lock*\""));
}

TEST_CASE("a name that stands for two functions is not probed", "[capture]") {
  Machine machine("6.1.0", "x86_64", {"folio_wait_bit", "bad_page", "bad_page"}, {});
  std::string plan = machine.Capture("--dry-run --duration 1").out;
  CHECK(plan.find("mmreplay/folio_wait_bit ") != std::string::npos);
  CHECK(plan.find("bad_page") == std::string::npos);
}

TEST_CASE("an architecture whose registers nobody wrote down", "[capture]") {
  Machine machine("6.1.0", "riscv64", {"folio_wait_bit"}, {});
  CHECK(HasLine(machine.Capture("--dry-run --duration 1").out,
                "p:mmreplay/folio_wait_bit folio_wait_bit folio=$arg1 bit=$arg2:s32 flags=+0($arg1):x64 "
                "ref=+52($arg1):s32"));
}

// Whatever the script may probe, the analysis must understand.
TEST_CASE("the analysis knows each function the script may probe", "[capture]") {
  std::set<std::string> names;
  std::string script = ReadFile(kScript);
  size_t begin = script.find("probe_table() {");
  size_t end = script.find("\nEND", begin);
  REQUIRE(end != std::string::npos);
  ForEachLine(std::string_view(script).substr(begin, end - begin), [&](std::string_view line) {
    std::vector<std::string_view> words = SplitWords(line);
    if (words.size() < 3 || (words[1] != "call" && words[1] != "entry" && words[1] != "value")) return;
    CAPTURE(std::string(line));
    CHECK(FunctionOfSymbol(words[2]) != KernelFunction::kOther);
    names.emplace(words[2]);
  });
  CHECK(names.size() > 30);
}

TEST_CASE("a dry run changes nothing, a wrong call says why", "[capture]") {
  Machine machine("6.1.0", "x86_64", {"folio_wait_bit"}, kStockEvents);
  std::string before = machine.Tree();
  CHECK(machine.Capture("--dry-run --duration 1").exit_code == 0);
  CHECK(machine.Tree() == before);

  for (const char* wrong :
       {"", "--duration", "--duration 0", "--duration 1x", "--max-size 99999999 --duration 1",
        "--only-command --duration 1", "--frobnicate", "--add /no/such --duration 1",
        "--dry-run --duration 1 --max-size 1000000", "--dry-run -o /no/such/x --duration 1"}) {
    Run run = machine.Capture(wrong);
    CAPTURE(wrong, run.out, run.err);
    CHECK(run.exit_code == 125);
    CHECK(run.err.starts_with("mmreplay-capture: "));
  }
  CHECK(machine.Tree() == before);

  std::filesystem::create_directory(machine.tracefs() + "/instances/mmreplay");
  Run run = machine.Capture("--dry-run --duration 1");
  CHECK(run.exit_code == 125);
  CHECK(run.err.find("--cleanup") != std::string::npos);
}

}  // namespace mmreplay
