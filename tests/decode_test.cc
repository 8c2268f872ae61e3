#include "parser/decode.h"

#include <catch2/catch.hpp>

namespace mmreplay {
namespace {

struct Fixture {
  StringTable strings;
  Decoder decoder;
  explicit Fixture(std::string_view probes = "", std::optional<KernelRelease> release = std::nullopt)
      : decoder(&strings, ParseProbeDefinitions(probes), release) {}

  template <typename T>
  T As(std::string_view name, std::string_view args) {
    Payload payload = decoder.Decode(strings.Intern(name), args);
    CAPTURE(name, args);
    REQUIRE(std::holds_alternative<T>(payload));
    return std::get<T>(payload);
  }
  bool Understands(std::string_view name, std::string_view args) {
    Event event{.id = EventId{1}};
    event.name = strings.Intern(name);
    return decoder.Understand(args, &event);
  }
  bool IsOpaque(std::string_view name, std::string_view args) {
    return std::holds_alternative<Opaque>(decoder.Decode(strings.Intern(name), args));
  }
};

}  // namespace

TEST_CASE("reference count events", "[decode]") {
  Fixture f;
  auto ref = f.As<PageRef>("page_ref_mod_and_test",
                           "pfn=0xbe00 flags= count=1 mapcount=0 mapping=ffff888003499b61 mt=1 val=-1 ret=0");
  CHECK(ref.op == PageRefOp::kModAndTest);
  CHECK(Value(ref.pfn) == 0xbe00);
  CHECK(ref.val == -1);
  CHECK(ref.ret == 0);
  CHECK(ref.count == 1);
  CHECK(ref.flags.locked == FlagState::kUnknown);  // printed empty is not "none"

  ref = f.As<PageRef>("page_ref_set",
                      "pfn=0x59654 flags=none count=1 mapcount=0 mapping=          (null) mt=0 val=1");
  CHECK(ref.val == 1);
  CHECK_FALSE(ref.ret);
  CHECK(ref.flags.locked == FlagState::kClear);

  ref = f.As<PageRef>("page_ref_mod",
                      "pfn=0x27c00 flags=locked|uptodate|lru|active|head|swapbacked count=2 mapcount=1 "
                      "mapping=ffff88002e19f321 mt=1 val=1");
  CHECK(ref.flags.locked == FlagState::kSet);
  CHECK(ref.flags.waiters == FlagState::kClear);
  CHECK(ParsePageFlags("0x8003d").locked == FlagState::kSet);
  // trace-cmd may break the list off: no flag of the page then.
  CHECK(ParsePageFlags("locked|").locked == FlagState::kUnknown);

  CHECK(f.IsOpaque("page_ref_mod", "count=2"));
  CHECK(f.IsOpaque("page_ref_mod", ""));
}

TEST_CASE("page allocator events of both eras", "[decode]") {
  Fixture f;
  auto alloc = f.As<PageAlloc>(
      "mm_page_alloc",
      "page=ffffea0001659500 pfn=366164 order=2 migratetype=0 gfp_flags=GFP_KERNEL_ACCOUNT|__GFP_NOTRACK");
  CHECK(Value(alloc.pfn) == 366164);
  CHECK(alloc.order == 2);
  CHECK(alloc.page == static_cast<KernelAddress>(0xffffea0001659500));
  auto free = f.As<PageFree>("mm_page_free", "page=fffffd990a338000 pfn=0x4ce00 order=9");
  CHECK(Value(free.pfn) == 0x4ce00);

  // Allocations that failed name no page.
  CHECK(
      f.IsOpaque("mm_page_alloc", "page=0000000000000000 pfn=0 order=2 migratetype=0 gfp_flags=GFP_ATOMIC"));
  CHECK(f.IsOpaque("mm_page_alloc",
                   "page=          (null) pfn=0x0 order=2 migratetype=0 gfp_flags=GFP_ATOMIC"));
  CHECK(f.IsOpaque("mm_page_free", "page=fffffd990a338000 pfn=0x4ce00 order=99"));
}

// Synthetic, after the formats of 6.1 and 4.10 (include/trace/events/filemap.h).
TEST_CASE("page cache events of both eras", "[decode]") {
  Fixture f;
  auto gone = f.As<PageCacheEvent>("mm_filemap_delete_from_page_cache",
                                   "dev 254:0 ino 2fe pfn=0x2b100 ofs=4096 order=0");
  CHECK(gone.pfn == static_cast<Pfn>(0x2b100));
  CHECK_FALSE(gone.added);
  auto added = f.As<PageCacheEvent>("mm_filemap_add_to_page_cache",
                                    "dev 254:0 ino 2fe page=ffffea0000a3c000 pfn=167680 ofs=0");
  CHECK(added.pfn == static_cast<Pfn>(167680));
  CHECK(added.added);
  CHECK(f.IsOpaque("mm_filemap_add_to_page_cache", "dev 254:0 ino 2fe ofs=0"));
}

TEST_CASE("lock events", "[decode]") {
  Fixture f;
  auto lock = f.As<LockEvent>("lock_acquire", "ffff88800284cf00 ptlock_ptr(page)");
  CHECK(lock.step == LockStep::kAcquire);
  CHECK(lock.lock_class == LockClass::kPageTable);
  CHECK(f.As<LockEvent>("lock_release", "ffff8880034965b8 ").lock_class == LockClass::kUnknown);
  CHECK(f.As<LockEvent>("lock_acquire", "ffff88002e1a2180 &(ptlock_ptr(page))->rlock").lock_class ==
        LockClass::kPageTable);
  CHECK(f.As<LockEvent>("lock_acquire", "00000000b7dd7669 ptlock_ptr(ptdesc)").lock_class ==
        LockClass::kPageTable);
  CHECK(f.As<LockEvent>("lock_acquire", "ffff88002e1a2180 try read &mm->mmap_lock").lock_class ==
        LockClass::kOther);
  CHECK(f.As<LockEvent>("lock_acquire", "ffff88002e1a2180 &(&mm->page_table_lock)->rlock").lock_class ==
        LockClass::kPageTable);
  CHECK(f.As<ContentionEvent>("contention_begin", "ffff88800311f778 (flags=SPIN|MUTEX)").begin);
  CHECK(f.IsOpaque("contention_begin", "ffff88800311f778"));
}

TEST_CASE("scheduler events with comms that hold anything", "[decode]") {
  Fixture f;
  auto sched = f.As<SchedSwitch>("sched_switch",
                                 "prev_comm=a ==> next_comm=b prev_pid=1 prev_pid=65 prev_prio=120 "
                                 "prev_state=D|K ==> next_comm=x next_pid=9 next_pid=38 next_prio=120");
  CHECK(Value(sched.prev) == 65);
  CHECK(Value(sched.next) == 38);
  CHECK(sched.prev_state == SleepState::kUninterruptible);
  CHECK(f.As<SchedSwitch>("sched_switch",
                          "prev_comm= prev_pid=65 prev_prio=120 prev_state=R+ ==> next_comm=kcompactd0 "
                          "next_pid=38 next_prio=120")
            .prev_state == SleepState::kRunning);
  CHECK(Value(f.As<SchedWaking>("sched_waking", "comm=x pid=4 pid=69 prio=120 target_cpu=001").pid) == 69);
  CHECK(f.IsOpaque("sched_switch", "trace-cmd [120] R ==> migration/2 [0]"));
}

TEST_CASE("one name, two shapes: the body decides", "[decode]") {
  Fixture f;
  auto entry = f.As<MigrationEntry>("remove_migration_pmd", "addr=7f2fbde00000, pmd=800000002ec000e7");
  CHECK_FALSE(entry.set);
  CHECK(entry.address == 0x7f2fbde00000);
  CHECK(entry.value == 0x800000002ec000e7);
  auto call =
      f.As<FunctionEntry>("remove_migration_pmd",
                          "(remove_migration_pmd+0x0/0x2d0) pvmw=0xffff888032ce3bb0 new=0xffffea0000ce8000");
  CHECK(call.function == KernelFunction::kRemoveMigrationPmd);
  // trace_printk in a function of that name
  CHECK(f.IsOpaque("remove_migration_pmd", "note pfn=39a00 count=1"));
}

TEST_CASE("what has the name of an event and none of its arguments", "[decode]") {
  Fixture f;
  auto should_mean = [&](const char* name, std::string_view args) {
    CAPTURE(name, std::string(args));
    CHECK(f.IsOpaque(name, args));
    return !f.Understands(name, args);
  };
  CHECK(should_mean("page_ref_set", "pfn=0y3081c flags=none count=1 mapcount=0 mapping=0 mt=1 val=1"));
  CHECK(should_mean("mm_page_alloc", "page=ffff88802f2dcc00 pfn=0x37"));
  CHECK(should_mean("mm_page_free", ""));
  CHECK(should_mean("set_migration_pmd", "addr=7f2fbde00000, pmd=8x"));
  CHECK(should_mean("folio_wait_bit", "(folio_wait_bit+0x/0x24) folio=0xffffea0000a00000 bit=0"));
  CHECK(should_mean("folio_wait_bit", "(folio_wait_bit+0x0/0x24"));
  // An allocation that failed; a note printed in a function; a probe further in; other events.
  CHECK_FALSE(
      should_mean("mm_page_alloc", "page=0000000000000000 pfn=0x0 order=2 migratetype=0 gfp_flags=0"));
  CHECK_FALSE(should_mean("remove_migration_pmd", "note pfn=39a00 count=1"));
  CHECK_FALSE(should_mean("folio_wait_bit", "(folio_wait_bit+0x14/0x24) folio=0xffffea0000a00000"));
  CHECK_FALSE(should_mean("lock_acquire", "(____ptrval____) ptlock_ptr(page)"));
  CHECK_FALSE(should_mean("mm_page_free", "page=ffffea0002000000 pfn=0x80000 order=18"));
  CHECK_FALSE(should_mean("mm_page_alloc", "page=0000000000000000 pfn=0"));  // wrapped in a mail
  CHECK_FALSE(should_mean("tracing_mark_write", "(starting migrate_pages test"));
  CHECK_FALSE(should_mean("lock_acquire", "(hello"));
  CHECK_FALSE(should_mean("lock_release", "&mm->mmap_sem"));  // 2.6.31
  CHECK_FALSE(should_mean("sched_switch", "task bash:4711 [120] (S)"));
  CHECK(should_mean("lock_release", "ffff8880034965bx ptlock_ptr(page)"));
  CHECK_FALSE(should_mean("xyz", "(xfs_buf_get+0x/0x24)"));
  CHECK_FALSE(should_mean("kfree", "ptr=x"));
}

TEST_CASE("probes are bound by function and definition, not by name", "[decode]") {
  Fixture f("p:x/zz folio_wait_bit a=%si b=%di:x64\np:x/late folio_wait_bit+16 a=%di\n", KernelRelease{6, 1});
  // The definition says that a is the second argument: the bit. Silly, but the user's own.
  auto call = f.As<FunctionEntry>("zz", "(folio_wait_bit+0x0/0x20) a=0x0 b=5");
  CHECK(call.function == KernelFunction::kFolioWaitBit);
  CHECK(call.fields.Get(ProbeRole::kBit) == 0u);
  CHECK(call.fields.Get(ProbeRole::kPage) == 5u);
  // In the middle of a function registers are no arguments.
  CHECK(f.IsOpaque("late", "(folio_wait_bit+0x10/0x20) a=0x0"));
  // After endbr64 they are.
  CHECK(f.As<FunctionEntry>("zz", "(folio_wait_bit+0x4/0x20) a=0x0 b=5").function ==
        KernelFunction::kFolioWaitBit);
}

TEST_CASE("without definitions the kernel's own names tell", "[decode]") {
  Fixture f;
  auto call = f.As<FunctionEntry>(
      "wait", "(wait_on_page_bit+0x0/0x100) page=0xffffea0000a00000 bit=0 flags=0x1fff00000000000 ref=0");
  CHECK(call.fields.Get(ProbeRole::kPage) == 0xffffea0000a00000u);
  CHECK(call.fields.Get(ProbeRole::kBit) == 0u);
  CHECK(call.fields.Get(ProbeRole::kPageCount) == 0u);
  CHECK(call.fields.Get(ProbeRole::kPageFlags) == 0x1fff00000000000u);
  // page=$arg1:u64
  call = Fixture().As<FunctionEntry>("wait", "(wait_on_page_bit+0x0/0x100) page=18446719884466552832 bit=0");
  CHECK(call.fields.Get(ProbeRole::kPage) == 18446719884466552832u);
  call = Fixture().As<FunctionEntry>("wait", "(wait_on_page_bit+0x0/0x100) page=-24189242998784 bit=0");
  CHECK(call.fields.Get(ProbeRole::kPage) == 18446719884466552832u);
  call = Fixture().As<FunctionEntry>("wait", "(wait_on_page_bit+0x0/0x100) mystery=0xffffea0000a00000");
  CHECK_FALSE(call.fields.Get(ProbeRole::kPage));
}

TEST_CASE("what is no number of its kind is damaged", "[decode]") {
  Fixture f;
  // A block begins at a multiple of its size.
  CHECK(f.Understands("mm_page_free", "page=ffffea0000a00000 pfn=0x28000 order=9"));
  CHECK_FALSE(f.Understands("mm_page_free", "page=ffffea0000a00000 pfn=0x28001 order=9"));
  CHECK_FALSE(f.Understands("mm_page_alloc", "page=ffffea0000a00000 pfn=0x28001 order=1 migratetype=0"));
  CHECK(f.Understands("mm_page_alloc", "page=0000000000000000 pfn=0x0 order=9 migratetype=0"));
  // Switches and wake-ups that are cut behind their first field.
  CHECK(f.Understands("sched_waking", "comm=toucher/3 pid=67 prio=120 target_cpu=003"));
  CHECK_FALSE(f.Understands("sched_waking", "comm=touc"));
  CHECK_FALSE(f.Understands("sched_switch", "prev_comm=toucher/3 prev_pid=67 prev_prio=120 prev_st"));
  // A return whose arrow, or whose end, is torn.
  CHECK_FALSE(
      f.Understands("w_ret", "(pmd_migration_entry_wait+0xa1/0xc0 UUU..3 3629993us : x: (y+0x0/0x8)"));
  CHECK(f.Understands("w_ret", "(pmd_migration_entry_wait+0xa1/0xc0 <- folio_wait_bit)"));
  CHECK_FALSE(f.Understands("w_ret", "(pmd_migration_entry_wait+0xa1/0xc0<- folio_wait_bit)"));
  CHECK_FALSE(f.Understands("w_ret", "(pmd_migration_entry_wait+0xa1/0xc0 <-folio_wait_bit)"));
  // Flags at the end of a line that may have lost digits say nothing, where others have a zone in them.
  const std::string place = "(free_transhuge_page+0x0/0xa0) page=0xffffea0000bb0000 flags=0x";
  auto flags_of = [](Fixture* fixture, const std::string& args) {
    return fixture->As<FunctionEntry>("cfree", args).fields.Get(ProbeRole::kPageFlags);
  };
  Fixture small;
  for (int i = 0; i < 5; ++i) CHECK(flags_of(&small, place + "8009") == 0x8009);
  for (int i = 0; i < 5; ++i) CHECK(flags_of(&f, place + "1fff00000008000") == 0x1fff00000008000);
  CHECK(flags_of(&f, place + "1f") == std::nullopt);
  CHECK(flags_of(&f, place + "8009 ref=1") == 0x8009);
  CHECK(f.Understands("cfree", place + "1f"));
}

TEST_CASE("a probe's hit that lacks what others told is cut off", "[decode]") {
  Fixture f;
  const std::string place = "(folio_unlock+0x0/0x30)";
  const std::string whole = place + " folio=0xffffea0000160000 flags=0x4ffe000000b000d ref=6";
  auto understood = [&](const std::string& args) {
    bool opaque = f.IsOpaque("folio_unlock", args);
    CHECK(f.Understands("folio_unlock", args) != opaque);
    return !opaque;
  };
  CHECK(understood(place + " folio=0xffffea0000160000"));  // nothing is known yet
  // One hit alone may be two lines that run together.
  for (int i = 0; i < 3; ++i) {
    CHECK(understood(whole));
    CHECK(understood(place + " folio=0xffffea0000160000"));
  }
  for (int i = 0; i < 3; ++i) CHECK(understood(whole));
  CHECK_FALSE(understood(place + " folio=0xffffea0000160000 flags=0xffe"));
  CHECK_FALSE(understood(place + " folio=0xffffea0000160000 flags=0x4ffe000000b000d ref="));
  CHECK_FALSE(understood(place + " folio=0xffffea0000160000 flags=0x4ffe000000b000d ref=x"));
  CHECK_FALSE(understood(place));
  CHECK_FALSE(understood("(folio_unl"));
  CHECK_FALSE(understood(""));
  CHECK_FALSE(understood("????"));
  CHECK(f.IsOpaque("folio_unlock", "here we are"));  // trace_printk in the function
  CHECK(f.Understands("folio_unlock", "here we are"));
  CHECK(understood(place + " folio=0xffffea0000160000 flags=(fault) ref=(fault)"));
  CHECK(understood(whole));
  // Two probes of one name: each fetches its own, and not all is known of them.
  Fixture unknown;
  for (int i = 0; i < 40; ++i) {
    unknown.decoder.Decode(unknown.strings.Intern("folio_unlock"), whole);
    bool opaque = unknown.IsOpaque("folio_unlock", place + " folio=0xffffea0000160000");
    unknown.Understands("folio_unlock", place + " folio=0xffffea0000160000");
    if (i > 20) CHECK_FALSE(opaque);
  }
  Fixture two(
      "p:a/folio_unlock folio_unlock folio=%di ref=+52(%di):s32\np:b/folio_unlock folio_unlock folio=%di\n");
  CHECK_FALSE(two.IsOpaque("folio_unlock", place + " folio=0xffffea0000160000 ref=6"));
  CHECK_FALSE(two.IsOpaque("folio_unlock", place + " folio=0xffffea0000160000"));
}

TEST_CASE("arguments of two events that run together are none of either", "[decode]") {
  Fixture f;
  const std::string place = "(folio_unlock+0x0/0x30)";
  const std::string hit = place + " folio=0xffffea0000160000 flags=0x4ffe000000b000d ref=6";
  struct Form {
    const char* name;
    std::string whole;
  };
  const Form forms[] = {
      {"folio_unlock", hit},
      {"folio_wait_bit_ret", "(do_numa_page+0x30/0x90 <- folio_wait_bit) page=0x1 ret=1"},
      {"mm_page_free", "page=ffffea0001659500 pfn=0x59654 order=2"},
      {"mm_page_alloc", "page=ffffea0001659500 pfn=0x59654 order=0 migratetype=1 gfp_flags=GFP_KERNEL"},
      {"mm_filemap_add_to_page_cache", "dev 254:0 ino 2fe page=ffffea0000a3c000 pfn=167680 ofs=0"},
      {"page_ref_mod", "pfn=0xbe00 flags= count=1 mapcount=0 mapping=ffff888003499b61 mt=1 val=-1"},
      {"set_migration_pmd", "addr=7f65003000, pmd=7800000c0000c000"},
  };
  for (const Form& form : forms) {
    CAPTURE(form.name);
    CHECK(f.Understands(form.name, form.whole));
    size_t second = 0;
    for (size_t cut = form.whole.size() / 2; cut < form.whole.size(); ++cut) {
      std::string joined = form.whole.substr(0, cut) + form.whole;
      second += !f.Understands(form.name, joined) && f.IsOpaque(form.name, joined);
    }
    CHECK(second == form.whole.size() - form.whole.size() / 2);
    CHECK(f.Understands(form.name, form.whole));
  }
  // What stands in parentheses is not always a place, and a string that was fetched may hold anything.
  CHECK(f.Understands("folio_unlock", hit + " name=\"a folio=1 (folio_lock+0x0/0x10)\""));
  auto named = f.As<FunctionEntry>("folio_unlock", place + " task=\"a folio=0\" folio=0xffffea0000160000");
  CHECK(named.fields.Get(ProbeRole::kPage) == 0xffffea0000160000);
  CHECK(f.Understands("folio_unlock", place + " task=\"a folio=0\" folio=0xffffea0000160000"));
  CHECK(f.Understands("print", "(folio_wait_bit(0x123) took 5 us)"));
  CHECK(f.Understands("tracing_mark_write", "(mm_page_alloc(order=9): slow)"));
  CHECK(f.Understands("folio_unlock", place + " folio=0xffffea0000160000 flags=(fault) ref=(fault)"));
  CHECK(f.Understands("page_ref_set",
                      "pfn=0x59654 flags=none count=1 mapcount=0 mapping=          (null) mt=0 val=1"));
}

TEST_CASE("a count, or what an operation returned, that is no number is no count", "[decode]") {
  Fixture fixture;
  const std::string event = "pfn=0x3730 flags= count=2 mapcount=1 mapping=0 mt=1 val=-1 ret=0";
  CHECK(fixture.Understands("page_ref_mod_and_test", event));
  for (const char* count : {"?", "0xg", "0xffffffffffffffff", "200000000000000000000", "0o17", ""}) {
    for (const char* key : {"count=2", "ret=0"}) {
      std::string damaged = event;
      std::string name = std::string(key).substr(0, std::string(key).find('=') + 1);
      damaged.replace(damaged.find(key), std::string(key).size(), name + count);
      CAPTURE(damaged);
      CHECK_FALSE(fixture.Understands("page_ref_mod_and_test", damaged));
    }
  }
  // kernel/trace/trace_output.c of 6.4: print_fields
  CHECK(fixture.Understands("page_ref_mod_and_test",
                            "pfn=0x3730 (14128) flags=0x0 (0) count=0xffffffff (-1) mapcount=0x0 "
                            "(0) mapping=0x0 mt=0x1 (1) val=0xffffffff (-1) ret=0x0 (0)"));
}

TEST_CASE("struct layouts follow the release, and stay open without one", "[decode]") {
  const char* probes = "p:mmr/wait wait_on_page_bit page=%di r=+28(%di):s32 s=+52(%di):s32 f=+0(%di):x64\n";
  const char* hit = "(wait_on_page_bit+0x0/0x100) page=0xffffea0000a00000 r=3 s=7 f=0x1";
  CHECK(Fixture(probes, KernelRelease{4, 10})
            .As<FunctionEntry>("wait", hit)
            .fields.Get(ProbeRole::kPageCount) == 3u);
  CHECK(
      Fixture(probes, KernelRelease{5, 4}).As<FunctionEntry>("wait", hit).fields.Get(ProbeRole::kPageCount) ==
      7u);
  CHECK_FALSE(Fixture(probes).As<FunctionEntry>("wait", hit).fields.Get(ProbeRole::kPageCount));
  CHECK(Fixture(probes).As<FunctionEntry>("wait", hit).fields.Get(ProbeRole::kPageFlags) == 1u);

  // migration_entry_wait_on_locked lost its ptep in 6.5: the third argument is the lock before.
  const char* locked = "p:numa/w migration_entry_wait_on_locked entry=$arg1 b=$arg2 c=$arg3\n";
  const char* locked_hit = "(migration_entry_wait_on_locked+0x0/0x2d0) entry=0x780000300004ce00 b=0x2 c=0x3";
  CHECK(Fixture(locked, KernelRelease{6, 1}).As<FunctionEntry>("w", locked_hit).fields.Get(ProbeRole::kPtl) ==
        3u);
  CHECK(
      Fixture(locked, KernelRelease{6, 12}).As<FunctionEntry>("w", locked_hit).fields.Get(ProbeRole::kPtl) ==
      2u);
  CHECK_FALSE(Fixture(locked).As<FunctionEntry>("w", locked_hit).fields.Get(ProbeRole::kPtl));
}

TEST_CASE("return probes name the caller", "[decode]") {
  Fixture f;
  auto back = f.As<FunctionReturn>("wait_r", "(do_huge_pmd_numa_page+0x3fa/0x7e0 <- wait_on_page_bit)");
  CHECK(back.function == KernelFunction::kWaitOnPageBit);
  CHECK(back.caller == KernelFunction::kDoHugePmdNumaPage);
  back = f.As<FunctionReturn>("m", "(migrate_folio_extra+0x29/0x70 <- folio_migrate_mapping) ret=-11");
  CHECK(back.fields.Get(ProbeRole::kReturn) == static_cast<uint64_t>(-11));
  back = f.As<FunctionReturn>("m", "(__migration_entry_wait.isra.0+0x154/0x1f0 <- wait_on_page_bit)");
  CHECK(back.caller == KernelFunction::kPteMigrationEntryWait);
  // A copy the compiler specialised may take other arguments: not the function we know.
  CHECK(f.As<FunctionEntry>("w", "(folio_wait_bit.constprop.0+0x0/0x20) folio=0x1").function ==
        KernelFunction::kOther);
}

TEST_CASE("hostile probe bodies", "[decode]") {
  Fixture f;
  CHECK(f.IsOpaque("x", "("));
  CHECK(f.IsOpaque("x", "()"));
  CHECK(f.IsOpaque("x", "(0xffffffff81154d40)"));
  CHECK(f.As<FunctionReturn>("x", "( <- )").function == KernelFunction::kOther);
  CHECK(
      f.As<FunctionEntry>("x", "(folio_wait_bit+0x0/0x20) folio=(fault) bit=").fields.Get(ProbeRole::kPage) ==
      std::nullopt);
}

}  // namespace mmreplay
