// Building blocks of the replay, one tracker at a time.
#include <catch2/catch.hpp>

#include "replay/clock_learner.h"
#include "replay/kernel_contracts.h"
#include "replay/order.h"
#include "replay/page.h"
#include "replay/page_map.h"
#include "replay/pte.h"
#include "replay/ptl.h"
#include "replay/record_order.h"
#include "replay/ref_order.h"
#include "replay/wait.h"

namespace mmreplay {
namespace {

Moment At(int64_t event, int64_t ts, int32_t cpu, int32_t pid) {
  return {static_cast<EventId>(event), ts, cpu, static_cast<Pid>(pid)};
}

Pfn P(uint64_t pfn) {
  return static_cast<Pfn>(pfn);
}

// A page tracker with what it emits.
struct Pages {
  std::vector<Record> records;
  int deaths = 0;
  int unrecorded = 0;
  Task task;
  int64_t next = 1;
  ClockError clock{"global", false};
  PageTracker tracker{[this](Record&& record) { records.push_back(std::move(record)); },
                      {.on_death = [this](const Page&) { ++deaths; },
                       .on_new_life = [](const Page&, const Moment&, bool) {},
                       .on_unrecorded_reference = [this](const Page&, EventId) { ++unrecorded; },
                       .on_first_reference = [](const Page&) {},
                       .on_unmatched_put = [](const Page&, const Task&, const Moment&) {}},
                      &clock};

  Moment Now() {
    int64_t event = next++;
    return At(event, event * 1000, 0, 1);
  }
  PageRefResult Ref(uint64_t pfn, PageRefOp op, int32_t val, std::optional<int32_t> ret = {},
                    std::optional<int32_t> count = {}) {
    tracker.OnRef({.op = op, .pfn = P(pfn), .val = val, .ret = ret, .count = count, .flags = {}}, Now(),
                  &task, false);
    for (auto record = records.rbegin(); record != records.rend(); ++record) {
      if (auto* result = std::get_if<PageRefResult>(&*record)) return *result;
    }
    FAIL("no result");
    return *std::get_if<PageRefResult>(&records.front());
  }
  std::vector<std::string> Anomalies() const {
    std::vector<std::string> ids;
    for (const Record& record : records) {
      if (auto* anomaly = std::get_if<Anomaly>(&record)) ids.emplace_back(anomaly->invariant);
    }
    return ids;
  }
  std::vector<PageLifetime> Lives() const {
    std::vector<PageLifetime> lives;
    for (const Record& record : records) {
      if (auto* life = std::get_if<PageLifetime>(&record)) lives.push_back(*life);
    }
    return lives;
  }
};

}  // namespace

TEST_CASE("order within a cpu: stamps that run backwards", "[order]") {
  auto broken = [](const std::vector<std::pair<int32_t, int64_t>>& stamps) {
    RecordOrder order(false);
    int64_t line = 0;
    for (auto [cpu, ts] : stamps) {
      Event event{};
      event.ts = ts;
      event.cpu = cpu;
      event.line = ++line;
      order.See(event);
    }
    return order.broken_at().value_or(0);
  };
  // Of several cpus; equal ones.
  CHECK(broken({{0, 10}, {1, 5}, {0, 10}, {1, 6}, {0, 11}}) == 0);
  // One stands alone, ahead or behind; so does the first.
  CHECK(broken({{0, 10}, {0, 90}, {0, 11}, {0, 12}}) == 0);
  CHECK(broken({{0, 10}, {0, 11}, {0, 3}, {0, 12}}) == 0);
  CHECK(broken({{0, 90}, {0, 10}, {0, 11}}) == 0);
  // The next ones agree with it.
  CHECK(broken({{0, 10}, {0, 11}, {0, 3}, {0, 4}}) == 4);
  CHECK(broken({{0, 10}, {0, 11}, {1, 20}, {0, 3}, {1, 21}, {0, 3}}) == 6);
  // One too many of those that stand alone.
  CHECK(broken({{0, 10}, {0, 9}, {0, 12}, {0, 11}, {0, 14}, {0, 13}}) == 6);
  std::vector<std::pair<int32_t, int64_t>> rare;
  for (int64_t i = 0; i < 2000; ++i) rare.emplace_back(0, i % 500 == 499 ? 0 : 1000 + i);
  CHECK(broken(rare) == 0);
  // Pieces of cpus one behind the other; a late one now and then.
  constexpr int64_t kTenth = 100'000'000;
  std::vector<std::pair<int32_t, int64_t>> pieces;
  for (int64_t i = 0; i < 20; ++i) pieces.emplace_back(0, i * kTenth);
  for (int64_t i = 0; i < 20; ++i) pieces.emplace_back(1, i * kTenth);
  CHECK(broken(pieces) == 30);  // the eighth and one for twenty may be late
  std::vector<std::pair<int32_t, int64_t>> late;
  for (int64_t i = 0; i < 2000; ++i) late.emplace_back(i % 50 == 49, (i - (i % 50 == 49 ? 10 : 0)) * kTenth);
  CHECK(broken(late) == 0);
}

TEST_CASE("order of two events whose stamps contradict their places", "[order]") {
  ClockError clock("local", false);  // within 1 us
  auto order = [&](const Moment& first, const Moment& second) {
    return OrderOf(first, second, clock).before;
  };
  CHECK(order(At(1, 5000, 0, 7), At(2, 9000, 0, 8)) == Before::kYes);
  CHECK(order(At(2, 9000, 0, 7), At(1, 5000, 0, 8)) == Before::kNo);
  CHECK(order(At(1, 5000, 0, 7), At(2, 5000, 0, 8)) == Before::kYes);
  CHECK(order(At(1, 9000, 0, 7), At(2, 5000, 0, 8)) == Before::kOpen);
  // One task on two cpus, whose files follow each other, or whose clocks err.
  CHECK(order(At(1, 9000, 0, 7), At(2, 5000, 1, 7)) == Before::kNo);
  CHECK(order(At(1, 5500, 0, 7), At(2, 5000, 1, 7)) == Before::kYes);
}

TEST_CASE("migration entries of both architectures", "[pte]") {
  // From arm64-stock and x86-fired; the pfns are those of the pages' own events.
  PteDecoder arm(Architecture::kArm64);
  CHECK(arm.Migration(0x300004ce00f0, true) == P(0x4ce00));
  CHECK(arm.Present(0xe8000069a00f41) == P(0x69a00));
  CHECK(arm.SwapEntry(0x780000300004ce00) == P(0x4ce00));
  PteDecoder x86(Architecture::kX86_64);
  CHECK(x86.Migration(0xf7ffe7fffe83fe00, true) == P(0xbe00));
  CHECK(x86.Present(0x80000000390000e7) == P(0x39000));
  CHECK(x86.SwapEntry(0x6c00030000005c00) == P(0x5c00));  // 7.2, five levels: young and dirty are bits 40, 41
  // What the value shows when nobody says which machine it is.
  PteDecoder unknown(Architecture::kUnknown);
  CHECK(unknown.Migration(0x300004ce00f0, true) == P(0x4ce00));
  CHECK(unknown.Migration(0xf7ffe7fffe83fe00, true) == P(0xbe00));
  // arm64 moved type and offset in 6.10: 6.12 and 7.2.
  CHECK(unknown.Migration(0x3000040000780, true) == P(0x40000));
  CHECK(unknown.Migration(0x30000712006c0, true) == P(0x71200));
  CHECK(arm.Migration(0x30000712006c0, true) == P(0x71200));
  // No migration entries.
  CHECK_FALSE(x86.Migration(0x80000000390000e7, true));
  CHECK_FALSE(arm.Migration(0, true));
  CHECK_FALSE(x86.SwapEntry(0));
  CHECK_FALSE(arm.Present(0));
}

TEST_CASE("order across cpus needs distance, within one it needs none", "[order]") {
  ClockError global("global", false);
  ClockError unnamed(std::nullopt, false);
  Moment free = At(1, 5'000'000, 0, 10);
  Moment tie = At(2, 5'000'000, 1, 20);
  Moment near = At(2, 5'001'000, 1, 20);
  Moment far = At(2, 5'050'000, 1, 20);
  CHECK(OrderOf(free, tie, global).before == Before::kOpen);
  CHECK(OrderOf(free, near, global).before == Before::kYes);
  CHECK(OrderOf(near, free, global).before == Before::kNo);
  CHECK(OrderOf(free, near, unnamed).before == Before::kOpen);
  CHECK(OrderOf(free, far, unnamed).proof == EventOrder::kApart);
  CHECK(OrderOf(free, At(2, 5'000'000, 0, 20), unnamed).proof == EventOrder::kSameCpu);
  CHECK(OrderOf(free, At(2, 5'000'000, 3, 10), unnamed).before == Before::kYes);  // one task's program
  // The idle tasks share pid 0 and are not one task.
  CHECK(OrderOf(At(1, 5, 0, 0), At(2, 5, 1, 0), unnamed).before == Before::kOpen);
  Moment timeless = far;
  timeless.ts.reset();
  CHECK(OrderOf(free, timeless, global).before == Before::kOpen);

  for (int i = 0; i < 3; ++i) unnamed.HandOver(0, 1, 200'000);
  CHECK(OrderOf(free, far, unnamed).before == Before::kOpen);
  CHECK(OrderOf(At(1, INT64_MIN, 0, 1), At(2, INT64_MAX, 1, 2), global).before == Before::kYes);
}

TEST_CASE("how far clocks err is learned from what must not be", "[order]") {
  ClockError clock("local", false);
  clock.HandOver(0, 1, 30'000);
  CHECK(clock.learned() == 30'000);
  SECTION("one that large may be an event that is not on record") {
    clock.HandOver(0, 1, 500'000'000);
    clock.HandOver(2, 3, 500'000'000);
    CHECK(clock.learned() == 30'000);
  }
  SECTION("the same again and again is the clocks, and one outlier is not") {
    for (int i = 0; i < 8; ++i) clock.HandOver(i % 3, 3, 2'000'000 + i);
    clock.HandOver(0, 3, 700'000'000);
    CHECK(clock.learned() >= 2'000'007);
    CHECK(clock.learned() < 20'000'000);
  }
  SECTION("unless most are as they should be") {
    for (int i = 0; i < 300; ++i) clock.HandOver(0, 1, 0);
    for (int i = 0; i < 3; ++i) clock.HandOver(0, 1, 2'000'000);
    CHECK(clock.learned() == 30'000);
  }
  SECTION("ticks have no likely size") {
    ClockError ticks("x86-tsc", true);
    ticks.HandOver(0, 1, 30'000);
    CHECK(ticks.learned() == 0);
  }
}

TEST_CASE("locks, migrating tasks and wake-ups show it", "[order]") {
  ClockError clock("local", false);
  ClockLearner learner(&clock);
  int64_t next = 1;
  auto event = [&](int64_t ts, int32_t cpu, int32_t pid, Payload payload) {
    Event one{};
    one.id = static_cast<EventId>(next++);
    one.ts = ts;
    one.cpu = cpu;
    one.pid = static_cast<Pid>(pid);
    one.payload = payload;
    learner.Learn(one);
  };
  auto lock = [](LockStep step) {
    return LockEvent{step, static_cast<KernelAddress>(0x10), LockClass::kPageTable};
  };
  auto pid = [](int32_t value) { return static_cast<Pid>(value); };
  SECTION("a lock dropped after its next owner has it") {
    event(1'000'000, 0, 1, lock(LockStep::kAcquired));
    event(1'500'000, 1, 2, lock(LockStep::kAcquired));
    event(1'507'000, 0, 1, lock(LockStep::kRelease));
    CHECK(clock.learned() == 7'000);
  }
  SECTION("a lock dropped and taken in order") {
    event(1'000'000, 0, 1, lock(LockStep::kAcquired));
    event(1'500'000, 0, 1, lock(LockStep::kRelease));
    event(1'507'000, 1, 2, lock(LockStep::kAcquired));
    CHECK(clock.learned() == 0);
  }
  SECTION("a task that is woken while it is on its way to sleep") {
    auto switched = [&](int64_t ts, int32_t cpu, int32_t from, int32_t to, SleepState state) {
      event(ts, cpu, from, SchedSwitch{pid(from), pid(to), state});
    };
    switched(1'000'000, 3, 0, 7, SleepState::kRunning);
    event(2'000'000, 0, 8, SchedWaking{pid(7), false});
    switched(2'028'000, 3, 7, 0, SleepState::kUninterruptible);
    switched(2'118'000, 3, 0, 7, SleepState::kRunning);
    event(9'000'000, 0, 8, SchedWaking{pid(7), false});
    switched(9'010'000, 3, 7, 0, SleepState::kUninterruptible);
    switched(9'100'000, 3, 0, 7, SleepState::kRunning);
    CHECK(clock.learned() == 0);
    // One that has slept and runs before it is woken.
    switched(9'200'000, 3, 7, 0, SleepState::kUninterruptible);
    switched(9'300'000, 3, 0, 7, SleepState::kRunning);
    event(9'305'000, 0, 8, SchedWaking{pid(7), false});
    CHECK(clock.learned() == 5'000);
  }
  SECTION("a task on two cpus at a time") {
    event(1'000'000, 0, 0, SchedSwitch{pid(0), pid(7), SleepState::kRunning});
    event(2'000'000, 1, 0, SchedSwitch{pid(0), pid(7), SleepState::kRunning});
    event(2'004'000, 0, 7, SchedSwitch{pid(7), pid(0), SleepState::kRunning});
    CHECK(clock.learned() == 4'000);
  }
  SECTION("a task that runs before it is woken") {
    event(1'000'000, 1, 7, SchedSwitch{pid(7), pid(0), SleepState::kUninterruptible});
    event(2'000'000, 1, 0, SchedSwitch{pid(0), pid(7), SleepState::kRunning});
    event(2'009'000, 0, 1, SchedWaking{pid(7), false});
    CHECK(clock.learned() == 9'000);
  }
  SECTION("a cpu that is late each time it wakes a task") {
    for (int64_t i = 1; i <= 5; ++i) {
      event(i * 100'000'000, 1, 7, SchedSwitch{pid(7), pid(0), SleepState::kUninterruptible});
      event(i * 100'000'000 + 1'000'000, 1, 0, SchedSwitch{pid(0), pid(7), SleepState::kRunning});
      event(i * 100'000'000 + 9'000'000, 0, 1, SchedWaking{pid(7), false});
    }
    CHECK(clock.learned() >= 8'000'000);
  }
  SECTION("stamps at the ends of 64 bits") {
    for (int i = 0; i < 4; ++i) {
      event(INT64_MIN, 1, 7, SchedSwitch{pid(7), pid(0), SleepState::kUninterruptible});
      event(INT64_MIN, 1, 0, SchedSwitch{pid(0), pid(7), SleepState::kRunning});
      event(INT64_MAX, 0, 1, SchedWaking{pid(7), false});
    }
    CHECK(clock.learned() > 0);
  }
}

TEST_CASE("what a task had to wait for orders events that stamps do not", "[order]") {
  ClockError clock("local", false);
  Moment death = At(10, 5'000'000, 0, 1);
  Moment wait = At(14, 5'000'400, 1, 2);
  CHECK(OrderOf(death, wait, clock).before == Before::kOpen);
  auto before = [&](const Moment& out, int64_t in) {
    SyncEdges edges;
    edges.Add({EventOrder::kWakeUp, out, static_cast<EventId>(in)});
    return OrderOf(death, wait, clock, &edges);
  };
  CHECK(before(At(11, 5'000'100, 0, 1), 13).before == Before::kYes);
  CHECK(before(At(11, 5'000'100, 0, 1), 13).proof == EventOrder::kWakeUp);
  CHECK(before(At(11, 5'000'100, 3, 1), 13).before == Before::kYes);  // the task has moved
  // What was done after the other was let go; another task's; what the waiter did before it was.
  CHECK(before(At(9, 4'999'900, 0, 1), 13).before == Before::kOpen);
  CHECK(before(At(11, 5'000'100, 2, 3), 13).before == Before::kOpen);
  CHECK(before(At(11, 5'000'100, 0, 1), 15).before == Before::kOpen);
}

TEST_CASE("a page-table lock that goes from one task to another orders what is around it", "[ptl]") {
  ClockError clock("local", false);
  PtlTracker locks([](Record&&) {}, &clock);
  Task a;
  Task b;
  a.pid = static_cast<Pid>(1);
  b.pid = static_cast<Pid>(2);
  auto on = [&](LockStep step, int64_t event, int64_t ts, Task* task, bool acquired = true) {
    int32_t pid = Value(*task->pid);
    locks.OnLock({step, static_cast<KernelAddress>(0x10), LockClass::kPageTable}, At(event, ts, pid, pid),
                 task, acquired);
  };
  SECTION("sections that cannot have been the other way round") {
    on(LockStep::kAcquired, 1, 1'000'000, &a);
    on(LockStep::kRelease, 2, 1'004'000, &a);
    on(LockStep::kAcquired, 3, 1'004'100, &b);
    REQUIRE(b.led_by.edges().size() == 1);
    CHECK(Value(b.led_by.edges()[0].out.event) == 2);
    CHECK(Value(b.led_by.edges()[0].in) == 3);
  }
  SECTION("sections so short that the clocks leave it open") {
    on(LockStep::kAcquired, 1, 1'003'500, &a);
    on(LockStep::kRelease, 2, 1'004'000, &a);
    on(LockStep::kAcquired, 3, 1'004'100, &b);
    CHECK(b.led_by.edges().empty());
  }
  SECTION("the intent to take a lock proves nothing") {
    on(LockStep::kAcquire, 1, 1'000'000, &a, false);
    on(LockStep::kRelease, 2, 1'004'000, &a, false);
    on(LockStep::kAcquire, 3, 1'004'100, &b, false);
    CHECK(b.led_by.edges().empty());
  }
}

TEST_CASE("holds of page-table locks", "[ptl]") {
  ClockError clock("local", false);
  std::vector<Record> records;
  PtlTracker locks([&](Record&& record) { records.push_back(std::move(record)); }, &clock);
  Task a;
  Task b;
  a.pid = static_cast<Pid>(1);
  b.pid = static_cast<Pid>(2);
  auto lock = [](LockStep step) {
    return LockEvent{step, static_cast<KernelAddress>(0x10), LockClass::kPageTable};
  };
  locks.OnLock(lock(LockStep::kAcquired), At(1, 1'000'000, 0, 1), &a, true);
  CHECK(a.holding);
  locks.OnLock(lock(LockStep::kAcquired), At(2, 1'500'000, 1, 2), &b, true);
  locks.OnLock(lock(LockStep::kRelease), At(3, 1'507'000, 0, 1), &a, true);
  CHECK_FALSE(a.holding);
  REQUIRE(a.last_hold);
  CHECK(a.last_hold->direct);
  REQUIRE(records.size() == 1);

  SECTION("a release nobody saw the acquisition of is a hold of unknown beginning") {
    locks.OnLock(LockEvent{LockStep::kRelease, static_cast<KernelAddress>(0x20), LockClass::kPageTable},
                 At(4, 2'000'000, 0, 1), &a, true);
    REQUIRE(records.size() == 2);
    CHECK_FALSE(std::get<PtlHold>(records[1]).acquire);
  }
  SECTION("lost events end holds on their cpu only") {
    locks.OnGap(1);
    CHECK_FALSE(b.holding);
    REQUIRE(records.size() == 2);
    CHECK_FALSE(std::get<PtlHold>(records[1]).release);
  }
  SECTION("sleeping with it is an anomaly") {
    locks.OnSleep(&b, At(4, 2'000'000, 1, 2));
    REQUIRE(records.size() == 2);
    CHECK(std::get<Anomaly>(records[1]).invariant == "I12");
  }
  SECTION("a nameless event takes the class its lock has elsewhere, another class is not tracked") {
    locks.OnLock(LockEvent{LockStep::kAcquired, static_cast<KernelAddress>(0x10), LockClass::kUnknown},
                 At(4, 2'000'000, 0, 1), &a, true);
    CHECK(a.holding);
    locks.OnLock(LockEvent{LockStep::kAcquired, static_cast<KernelAddress>(0x30), LockClass::kOther},
                 At(5, 2'000'000, 2, 1), &b, true);
    CHECK(Value(*b.holding) == 2);
  }
}

TEST_CASE("lives from allocation to free", "[page]") {
  Pages pages;
  pages.Ref(0x100, PageRefOp::kSet, 1);
  pages.tracker.OnAlloc({.pfn = P(0x100), .order = 0, .page = {}}, pages.Now());
  CHECK(pages.Ref(0x100, PageRefOp::kMod, 1).replayed == 2);
  CHECK(pages.Ref(0x100, PageRefOp::kModAndTest, -1, 0).replayed == 1);
  CHECK(pages.Ref(0x100, PageRefOp::kModAndTest, -1, 1).replayed == 0);
  CHECK(pages.deaths == 1);
  pages.tracker.OnFree({.pfn = P(0x100), .order = 0, .page = {}}, pages.Now(), &pages.task);
  REQUIRE(pages.Lives().size() == 1);
  CHECK(pages.Lives()[0].quality == LifetimeQuality::kComplete);
  CHECK(pages.tracker.stats().ref_anchors == 2);
  CHECK(pages.tracker.stats().ref_anchors_matched == 2);
  CHECK(pages.Anomalies().empty());

  SECTION("the next allocation is another life") {
    pages.tracker.OnAlloc({.pfn = P(0x100), .order = 0, .page = {}}, pages.Now());
    CHECK(Value(pages.tracker.Find(P(0x100))->life) == 2);
    CHECK(pages.tracker.Find(P(0x100))->previous_life == static_cast<LifetimeId>(1));
  }
  SECTION("a second free is an anomaly, not an error") {
    pages.tracker.OnFree({.pfn = P(0x100), .order = 0, .page = {}}, pages.Now(), &pages.task);
    // Told when the page's next event shows that no allocation was stamped late, or at the end.
    CHECK(pages.Anomalies().empty());
    pages.tracker.Finish();
    CHECK(pages.Anomalies() == std::vector<std::string>{"I4"});
  }
}

TEST_CASE("an allocation of a live page says that its free is missing", "[page]") {
  Pages pages;
  pages.tracker.OnAlloc({.pfn = P(0x100), .order = 0, .page = {}}, pages.Now());
  pages.tracker.OnAlloc({.pfn = P(0x100), .order = 0, .page = {}}, pages.Now());
  CHECK(pages.Anomalies() == std::vector<std::string>{"I1"});
  REQUIRE(pages.Lives().size() == 1);
  CHECK(pages.Lives()[0].quality == LifetimeQuality::kFreeUnseen);
  // A huge page over it ends it as well.
  pages.tracker.OnAlloc({.pfn = P(0x0), .order = 9, .page = {}}, pages.Now());
  CHECK(pages.Lives().size() == 2);
  CHECK(pages.tracker.Find(P(0x100))->pfn == P(0));
}

TEST_CASE("blocks come apart into their buddies", "[page]") {
  Pages pages;
  pages.tracker.OnAlloc({.pfn = P(0x200), .order = 3, .page = {}}, pages.Now());
  pages.tracker.OnFree({.pfn = P(0x205), .order = 0, .page = {}}, pages.Now(), &pages.task);
  REQUIRE(pages.Lives().size() == 1);
  CHECK(pages.Lives()[0].pfn == P(0x205));
  CHECK(pages.Lives()[0].quality == LifetimeQuality::kSplit);
  CHECK(pages.Lives()[0].alloc.has_value());
  // 0x200-3 stays with the head, 0x204 and 0x206-7 are buddies.
  CHECK(pages.tracker.Find(P(0x203))->pfn == P(0x200));
  CHECK(pages.tracker.Find(P(0x204))->pfn == P(0x204));
  CHECK(pages.tracker.Find(P(0x207))->pfn == P(0x206));
  pages.tracker.OnFree({.pfn = P(0x200), .order = 0, .page = {}}, pages.Now(), &pages.task);
  CHECK(pages.tracker.Find(P(0x203))->pfn == P(0x202));
  CHECK(pages.Anomalies().empty());
}

TEST_CASE("counts are predicted, and resynchronised at anchors only", "[page]") {
  Pages pages;
  // First sight: the observed count is taken over, nothing is predicted.
  CHECK_FALSE(pages.Ref(0x100, PageRefOp::kMod, 1, {}, 3).replayed);
  CHECK(pages.tracker.stats().ref_anchors == 0);
  CHECK(pages.Ref(0x100, PageRefOp::kModUnless, 1, 1, 4).replayed == 4);
  CHECK(pages.Ref(0x100, PageRefOp::kModAndReturn, -1, 3, 3).replayed == 3);
  CHECK(pages.Ref(0x100, PageRefOp::kFreeze, 3, 1, 0).replayed == 0);
  CHECK(pages.Ref(0x100, PageRefOp::kModUnless, 1, 0, 0).replayed == 0);  // frozen: not taken
  CHECK(pages.Ref(0x100, PageRefOp::kUnfreeze, 3, {}, 3).replayed == 3);
  CHECK(pages.tracker.stats().ref_anchors == 5);
  CHECK(pages.tracker.stats().ref_anchors_matched == 5);
  // Somebody who is not recorded dropped one: 3 - 1 is not 0, the kernel says it is.
  CHECK(pages.Ref(0x100, PageRefOp::kModAndTest, -1, 1, 0).replayed == 0);
  CHECK(pages.tracker.stats().ref_anchors == 6);
  CHECK(pages.tracker.stats().ref_anchors_matched == 5);
  CHECK(pages.Anomalies().empty());  // an operation logged a moment later may explain it still
  pages.tracker.Finish();
  CHECK(pages.Anomalies() == std::vector<std::string>{"I6"});
  CHECK(pages.unrecorded == 0);
}

TEST_CASE("a page that should have died and lives shows a reference nobody recorded", "[page]") {
  Pages pages;
  pages.Ref(0x100, PageRefOp::kSet, 1);
  pages.Ref(0x100, PageRefOp::kModAndTest, -1, 0, 1);
  pages.tracker.Finish();
  CHECK(pages.unrecorded == 1);
}

TEST_CASE("printed counts that stay above the replayed ones do too", "[page]") {
  Pages pages;
  pages.Ref(0x100, PageRefOp::kSet, 1, {}, 1);
  pages.Ref(0x100, PageRefOp::kMod, 1, {}, 3);
  SECTION("but one sampled late says nothing") {
    pages.Ref(0x100, PageRefOp::kMod, 1, {}, 3);
    CHECK(pages.unrecorded == 0);
  }
  SECTION("two in a row at the end") {
    pages.Ref(0x100, PageRefOp::kMod, 1, {}, 4);
    pages.tracker.Finish();
    CHECK(pages.unrecorded == 1);
  }
}

TEST_CASE("operations logged out of order are put in the order their outcomes force", "[ref_order]") {
  ClockError clock("global", false);
  auto step = [](int64_t event, int64_t ts, int32_t task, PageRefOp op, int32_t val,
                 std::optional<int32_t> ret = {}, std::optional<int32_t> count = {}) {
    return RefStep{.op = op,
                   .val = val,
                   .ret = ret,
                   .count = count,
                   .at = At(event, ts, task, task),
                   .not_before = {},
                   .resumed = {}};
  };
  auto order = [&](int32_t start, const std::vector<RefStep>& steps) {
    auto repaired = RepairOrder(start, steps, clock, false);
    return repaired ? repaired->order : std::vector<size_t>{};
  };
  using Order = std::vector<size_t>;
  // Two puts, the last logged first.
  std::vector<RefStep> puts = {step(1, 1'000'000, 1, PageRefOp::kModAndTest, -1, 1),
                               step(2, 1'003'000, 2, PageRefOp::kModAndTest, -1, 0)};
  CHECK(order(2, puts) == Order{1, 0});
  CHECK(order(3, puts) == Order{});  // 3 -> 2 -> 1: nothing makes the first reach 0
  SECTION("not of one cpu, nor of one task") {
    puts[1].at.cpu = 1;
    CHECK(order(2, puts) == Order{});
    puts[1].at.cpu = 2;
    puts[1].at.pid = puts[0].at.pid;
    CHECK(order(2, puts) == Order{});
  }
  SECTION("not long after") {
    puts[1].at.ts = 9'000'000;
    CHECK(order(2, puts) == Order{});
    puts[1].resumed = At(7, 8'990'000, 2, 0);  // its task was off its cpu in between
    CHECK(order(2, puts) == Order{1, 0});
  }
  SECTION("not when its task did something between the two") {
    puts[1].not_before = At(7, 1'001'000, 2, 2);
    CHECK(order(2, puts) == Order{});
    puts[1].not_before = At(0, 999'000, 2, 2);
    CHECK(order(2, puts) == Order{1, 0});
  }
  // A try_get on a frozen page whose thaw is logged after it.
  CHECK(order(0, {step(1, 1'000'000, 1, PageRefOp::kModUnless, 1, 1, 3),
                  step(2, 1'001'000, 2, PageRefOp::kUnfreeze, 2)}) == Order{1, 0});
  // Exact results order three.
  CHECK(order(5, {step(1, 1'000'000, 1, PageRefOp::kModAndReturn, -1, 2),
                  step(2, 1'001'000, 2, PageRefOp::kModAndReturn, -1, 4),
                  step(3, 1'002'000, 3, PageRefOp::kModAndReturn, -1, 3)}) == Order{1, 2, 0});
  // Printed counts alone: 1 -> 2 -> 3, the second logged first.
  CHECK(order(1, {step(1, 1'000'000, 1, PageRefOp::kMod, 1, {}, 3),
                  step(2, 1'000'000, 2, PageRefOp::kMod, 1, {}, 2)}) == Order{1, 0});
  // Sampled late: both orders do as well, the logged one stays.
  CHECK(order(1, {step(1, 1'000'000, 1, PageRefOp::kMod, 1, {}, 3),
                  step(2, 1'000'000, 2, PageRefOp::kMod, 1, {}, 3)}) == Order{0, 1});
  // A count that occurs in no order was changed by somebody who is not recorded.
  CHECK(order(2, {step(1, 1'000'000, 1, PageRefOp::kModAndTest, -1, 1, 0),
                  step(2, 1'003'000, 2, PageRefOp::kModAndTest, -1, 0, 3)}) == Order{});
  // Values from files: no overflow.
  CHECK(Apply(INT32_MAX, step(1, 1, 1, PageRefOp::kMod, INT32_MAX)).agrees == false);
  CHECK(Apply(INT32_MIN, step(1, 1, 1, PageRefOp::kMod, INT32_MIN)).agrees == false);
}

TEST_CASE("a repaired order leaves no contradiction, an event that is missing does", "[page][ref_order]") {
  Pages pages;
  Task other;
  auto put_by_other = [&](int64_t late, int32_t ret) {
    int64_t event = pages.next++;
    pages.tracker.OnRef(
        {.op = PageRefOp::kModAndTest, .pfn = P(0x100), .val = -1, .ret = ret, .count = {}, .flags = {}},
        At(event, event * 1000 + late, 2, 9), &other, false);
  };
  auto repaired = [&] {
    std::vector<std::pair<int64_t, int64_t>> places;
    for (const Record& record : pages.records) {
      if (auto* ref = std::get_if<RepairedRef>(&record))
        places.emplace_back(Value(ref->event), Value(ref->place));
    }
    return places;
  };
  using Places = std::vector<std::pair<int64_t, int64_t>>;
  pages.Ref(0x100, PageRefOp::kSet, 2);
  CHECK(pages.Ref(0x100, PageRefOp::kModAndTest, -1, 1).replayed == 0);  // event 2: predicted 1
  SECTION("the put before it is logged after it") {
    put_by_other(0, 0);
    pages.tracker.Finish();
    CHECK(repaired() == Places{{3, 2}, {2, 3}});
    CHECK(pages.Anomalies().empty());
    CHECK(pages.tracker.stats().ref_anchors == pages.tracker.stats().ref_anchors_matched);
  }
  SECTION("nothing is") {
    pages.tracker.Finish();
    CHECK(repaired().empty());
    CHECK(pages.Anomalies() == std::vector<std::string>{"I6"});
    CHECK(pages.tracker.stats().ref_anchors == 1);
    CHECK(pages.tracker.stats().ref_anchors_matched == 0);
  }
  SECTION("a put long after it is another one") {
    put_by_other(80'000'000, 0);
    pages.tracker.Finish();
    CHECK(repaired().empty());
    CHECK(pages.Anomalies() == std::vector<std::string>{"I6"});
  }
}

TEST_CASE("an operation moves back before what was logged before it", "[page][ref_order]") {
  Pages pages;
  Task other;
  pages.Ref(0x100, PageRefOp::kSet, 1);
  CHECK(pages.Ref(0x100, PageRefOp::kMod, 1, {}, 1).replayed == 2);
  // Another cpu's put found 1 and left 0: it came before that get.
  pages.tracker.OnRef(
      {.op = PageRefOp::kModAndReturn, .pfn = P(0x100), .val = -1, .ret = 0, .count = {}, .flags = {}},
      At(3, 2500, 2, 9), &other, false);
  pages.tracker.Finish();
  std::vector<int64_t> places;
  for (const Record& record : pages.records) {
    if (auto* ref = std::get_if<RepairedRef>(&record)) places.push_back(Value(ref->event));
  }
  CHECK(places == std::vector<int64_t>{3, 2});
  CHECK(pages.Anomalies().empty());
}

TEST_CASE("what succeeds on a page held dead shows that it lives again", "[page]") {
  Pages pages;
  pages.Ref(0x100, PageRefOp::kSet, 1);
  pages.tracker.OnAlloc({.pfn = P(0x100), .order = 0, .page = {}}, pages.Now());
  pages.Ref(0x100, PageRefOp::kModAndTest, -1, 1, 0);
  pages.tracker.OnFree({.pfn = P(0x100), .order = 0, .page = {}}, pages.Now(), &pages.task);
  auto lives = [&] {
    Page* page = pages.tracker.Find(P(0x100));
    return page && page->alive && !page->death;
  };
  CHECK_FALSE(lives());
  SECTION("get_page_unless_zero") {
    pages.Ref(0x100, PageRefOp::kModUnless, 1, 1, 2);
    CHECK(lives());
  }
  SECTION("a get that leaves more than it took") {
    pages.Ref(0x100, PageRefOp::kMod, 1, {}, 2);
    CHECK(lives());
  }
  SECTION("a put that leaves some") {
    pages.Ref(0x100, PageRefOp::kModAndTest, -1, 0, 1);
    CHECK(lives());
  }
  SECTION("a freeze") {
    pages.Ref(0x100, PageRefOp::kFreeze, 2, 1, 0);
    CHECK(lives());
  }
  SECTION("a get from 0 to 1 shows a use of a free page, and so does its put") {
    pages.Ref(0x100, PageRefOp::kMod, 1, {}, 1);
    CHECK_FALSE(lives());
    pages.Ref(0x100, PageRefOp::kModAndTest, -1, 1, 0);
    CHECK_FALSE(lives());
  }
  SECTION("an attempt that fails") {
    pages.Ref(0x100, PageRefOp::kModUnless, 1, 0, 0);
    CHECK_FALSE(lives());
  }
}

TEST_CASE("struct page addresses", "[page_map]") {
  PteDecoder ptes(Architecture::kX86_64);
  PagePairs pairs(ptes);
  PageMap map;
  auto learn = [&](Payload payload) {
    Event event{};
    event.pid = static_cast<Pid>(7);
    event.payload = std::move(payload);
    pairs.See(event);
    for (const PagePair& pair : pairs.Take()) map.Learn(pair);
    map.Reach(pairs.highest_pfn());
  };
  auto alloc = [](uint64_t page, uint64_t pfn) {
    return PageAlloc{.pfn = P(pfn), .order = 9, .page = static_cast<KernelAddress>(page)};
  };
  SECTION("one exact pair settles a section, another section has another base") {
    // x86-fired: classic SPARSEMEM.
    learn(alloc(0xffff88802f298000, 0x2600));
    learn(alloc(0xffff88805f448000, 0x39200));
    CHECK(map.PfnOf(static_cast<KernelAddress>(0xffff88802f298000 + 64)) == P(0x2601));
    CHECK(map.PfnOf(static_cast<KernelAddress>(0xffff88805f440000)) == P(0x39000));
    CHECK_FALSE(map.PfnOf(static_cast<KernelAddress>(0xffff88802f298001)));
  }
  SECTION("hashed pointers teach nothing and mean nothing") {
    learn(alloc(0xa1b2c3d4, 0x2600));
    CHECK_FALSE(map.PfnOf(static_cast<KernelAddress>(0xa1b2c3d4)));
  }
  SECTION("sequences of one task must agree for several pages") {
    auto move_to = [&](uint64_t pfn, uint64_t folio) {
      learn(PageAlloc{.pfn = P(pfn), .order = 9, .page = static_cast<KernelAddress>(0xa1b2c3d4)});
      ProbeFields fields;
      fields.Set(ProbeRole::kNewPage, folio);
      learn(FunctionEntry{KernelFunction::kFolioMigrateMapping, StringId{}, fields});
    };
    move_to(0x2600, 0xffffea0000098000);
    CHECK_FALSE(map.PfnOf(static_cast<KernelAddress>(0xffffea0000098000)));
    move_to(0x2800, 0xffffea00000a0000);
    CHECK(map.PfnOf(static_cast<KernelAddress>(0xffffea0000098000)) == P(0x2600));
  }
}

// ---- the judgement, fact by fact ----

namespace {

WaitFacts Unprotected() {
  WaitFacts facts;
  facts.function = KernelFunction::kFolioWaitBit;
  facts.bit = 0;
  facts.lookup = PageLookup::kPageTable;
  facts.own = OwnReference::kNone;
  facts.page_known = true;
  facts.begin = At(100, 10'000'000, 1, 71);
  facts.end = At(110, 20'000'000, 1, 71);
  return facts;
}

Death DiedAt(int64_t event, int64_t ts, std::optional<Moment> not_before = {}) {
  return {.at = At(event, ts, 3, 73), .not_before = not_before, .free = {}};
}

}  // namespace

TEST_CASE("where the page's death falls", "[wait]") {
  ClockError clock("global", false);
  WaitFacts facts = Unprotected();
  auto outcome = [&] { return JudgeWait(facts, clock).outcome; };
  CHECK(outcome() == WaitOutcome::kWokenAlive);
  CHECK(JudgeWait(facts, clock).protection == Protection::kNone);

  facts.death = DiedAt(90, 9'000'000);
  CHECK(outcome() == WaitOutcome::kFreedBeforeQueue);
  CHECK(JudgeWait(facts, clock).order == EventOrder::kApart);
  CHECK(JudgeWait(facts, clock).order_ns == 1'000'000);

  facts.death = DiedAt(105, 15'000'000);
  CHECK(outcome() == WaitOutcome::kFreedWhileQueued);

  facts.death = DiedAt(120, 25'000'000);
  CHECK(outcome() == WaitOutcome::kWokenAlive);
  // Logged late: the releaser's event before it precedes the wait, so the count may have fallen before.
  facts.death = DiedAt(120, 25'000'000, At(95, 9'500'000, 3, 73));
  CHECK(outcome() == WaitOutcome::kFreedBeforeQueue);
  CHECK(JudgeWait(facts, clock).order == EventOrder::kOpen);

  facts.death = DiedAt(99, 10'000'000);
  CHECK(outcome() == WaitOutcome::kFreedBeforeQueue);
  CHECK(JudgeWait(facts, clock).order == EventOrder::kOpen);

  facts.death.reset();
  facts.end.reset();
  CHECK(outcome() == WaitOutcome::kOpen);
  facts.death = DiedAt(105, 15'000'000);
  CHECK(outcome() == WaitOutcome::kFreedWhileQueued);
  facts.not_after = At(130, 30'000'000, 1, 71);  // its return is not recorded: it may have been over
  CHECK(outcome() == WaitOutcome::kUnknown);
}

TEST_CASE("a count of 0 at the wait orders what the stamps leave open", "[wait]") {
  ClockError clock("global", false);
  WaitFacts facts = Unprotected();
  facts.death = DiedAt(99, 10'000'000);  // the stamp of the wait
  CHECK(JudgeWait(facts, clock).order == EventOrder::kOpen);
  facts.count_at_entry = 1;
  CHECK(JudgeWait(facts, clock).order == EventOrder::kOpen);
  facts.count_at_entry = 0;
  CHECK(JudgeWait(facts, clock).order == EventOrder::kCount);
  CHECK(JudgeWait(facts, clock).outcome == WaitOutcome::kFreedBeforeQueue);
  // Logged after the wait was over.
  facts.death = DiedAt(120, 25'000'000, At(95, 9'500'000, 3, 73));
  CHECK(JudgeWait(facts, clock).order == EventOrder::kCount);
  facts.count_at_entry = 1;
  CHECK(JudgeWait(facts, clock).order == EventOrder::kOpen);
}

TEST_CASE("a wake-up between death and wait orders them", "[wait]") {
  ClockError clock("local", false);
  WaitFacts facts = Unprotected();
  facts.death = DiedAt(96, 9'999'600);
  CHECK(JudgeWait(facts, clock).order == EventOrder::kOpen);
  facts.led_by.Add({EventOrder::kWakeUp, At(97, 9'999'700, 3, 73), static_cast<EventId>(98)});
  CHECK(JudgeWait(facts, clock).order == EventOrder::kWakeUp);
  CHECK(JudgeWait(facts, clock).outcome == WaitOutcome::kFreedBeforeQueue);
}

TEST_CASE("what lost events weaken", "[wait]") {
  ClockError clock("global", false);
  WaitFacts facts = Unprotected();
  facts.death = DiedAt(90, 9'000'000);
  CHECK_FALSE(JudgeWait(facts, clock).weakened);
  SECTION("lost between death and wait") {
    facts.gap_before_wait = true;
    CHECK(JudgeWait(facts, clock).weakened);
    // The frame may have had another life since: that the page died proves nothing about the waiter.
    facts.own = OwnReference::kNotRecorded;
    CHECK(JudgeWait(facts, clock).protection == Protection::kUnknown);
    facts.gap_before_wait = false;
    CHECK(JudgeWait(facts, clock).protection == Protection::kNone);
  }
  SECTION("lost while it waited") {
    facts.gap_in_wait = true;
    CHECK_FALSE(JudgeWait(facts, clock).weakened);  // the page was free already
    facts.death = DiedAt(105, 15'000'000);
    CHECK(JudgeWait(facts, clock).weakened);
    facts.death.reset();
    CHECK(JudgeWait(facts, clock).outcome == WaitOutcome::kUnknown);
  }
}

TEST_CASE("what protects", "[wait]") {
  ClockError clock("global", false);
  WaitFacts facts = Unprotected();
  auto protection = [&] { return JudgeWait(facts, clock).protection; };

  facts.own = OwnReference::kTakenUnderLock;
  CHECK(protection() == Protection::kReference);
  facts.own = OwnReference::kTakenLate;
  CHECK(protection() == Protection::kNone);
  facts.own = OwnReference::kNone;
  facts.put_after = static_cast<EventId>(111);
  CHECK(protection() == Protection::kReference);
  facts.put_after.reset();

  facts.gap_in_lookup = true;
  CHECK(protection() == Protection::kUnknown);
  facts.gap_in_lookup = false;
  facts.unrecorded_reference = true;
  CHECK(protection() == Protection::kUnknown);
  facts.unrecorded_reference = false;
  facts.lookup = PageLookup::kUnseen;
  CHECK(protection() == Protection::kUnknown);

  SECTION("counts fetched at the wait") {
    facts.own = OwnReference::kNotRecorded;
    CHECK(protection() == Protection::kUnknown);
    facts.count_at_entry = 0;
    CHECK(protection() == Protection::kNone);
    facts.count_at_entry = 2;
    CHECK(protection() == Protection::kUnknown);
    facts.counted_owners = 2;
    CHECK(protection() == Protection::kNone);
    facts.count_at_entry = 3;
    CHECK(protection() == Protection::kUnknown);
  }
  SECTION("a death inside the wait shows that the waiter held nothing, unless the clocks leave it open") {
    facts.own = OwnReference::kNotRecorded;
    facts.death = DiedAt(105, 15'000'000);
    CHECK(protection() == Protection::kNone);
    facts.death = DiedAt(105, 20'000'000);  // stamp of the wait's end
    CHECK(protection() == Protection::kUnknown);
  }
  SECTION("contracts") {
    facts.own = OwnReference::kNotRecorded;
    facts.function = KernelFunction::kMigrationEntryWaitOnLocked;
    facts.contract = FindContract(facts.function, KernelFunction::kOther);
    facts.bit.reset();
    facts.death = DiedAt(105, 15'000'000);
    CHECK(protection() == Protection::kQueuedUnderPtl);
    facts.function = KernelFunction::kPutAndWaitOnPageLocked;
    facts.contract = FindContract(facts.function, KernelFunction::kOther);
    CHECK(protection() == Protection::kReference);
    facts.function = KernelFunction::kFolioWaitBit;
    CHECK_FALSE(FindContract(facts.function, KernelFunction::kPmdMigrationEntryWait));
    // A contract of the caller gives way to what is recorded.
    facts.function = KernelFunction::kWaitOnPageBit;
    facts.bit = 0;
    facts.contract = FindContract(facts.function, KernelFunction::kPteMigrationEntryWait);
    REQUIRE(facts.contract);
    CHECK(protection() == Protection::kNone);
    facts.death.reset();
    CHECK(protection() == Protection::kReference);
    facts.lookup = PageLookup::kPageTable;
    facts.own = OwnReference::kNone;
    CHECK(protection() == Protection::kNone);
  }
  SECTION("another bit is not judged, an unknown one only where the caller tells") {
    facts.bit = 15;
    CHECK_FALSE(JudgeWait(facts, clock).judged);
    facts.bit.reset();
    facts.own = OwnReference::kNone;
    CHECK(protection() == Protection::kUnknown);
    facts.lookup = PageLookup::kPageTable;
    CHECK(protection() == Protection::kNone);
  }
  SECTION("a page that is not known cannot be judged") {
    facts.own = OwnReference::kNotRecorded;
    facts.page_known = false;
    CHECK(protection() == Protection::kUnknown);
    CHECK(JudgeWait(facts, clock).outcome == WaitOutcome::kUnknown);
  }
}

}  // namespace mmreplay
