#include "rules/proof.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "parser/decode.h"
#include "replay/text.h"

namespace mmreplay {
namespace {

struct Pair {
  int64_t finding;
  int64_t first;
  int64_t second;
};

struct Proof {
  Pair pair;
  std::string kind;
  std::string detail;
};

// An event of the pair, or between its two.
struct ProofEvent {
  int64_t id;
  std::optional<int64_t> cpu;
  std::optional<int64_t> pid;
};

class Prover {
 public:
  explicit Prover(const Database& database)
      : count_(database,
               "SELECT x.death_event, w.begin_event FROM findings f JOIN page_waits w ON w.id = f.subject_id "
               "JOIN page_wait_evidence x ON x.wait_id = w.id "
               "WHERE f.id = ?1 AND f.subject = 'page_waits' AND x.event_order = 'count'"),
        released_(database,
                  "SELECT lock, acquire_ts, release_event FROM ptl_hold "
                  "WHERE pid = (SELECT pid FROM event WHERE id = ?1) AND acquire_event <= ?2 "
                  "ORDER BY acquire_event DESC"),
        taken_(database,
               "SELECT lock, acquire_ts, acquire_event FROM ptl_hold "
               "WHERE pid = (SELECT pid FROM event WHERE id = ?2) AND acquire_event BETWEEN ?1 AND ?2 "
               "ORDER BY acquire_event"),
        event_(database,
               "SELECT e.cpu, e.pid, e.lifetime, e.delta, k.name, e.args FROM event e JOIN kind k ON k.id = "
               "e.kind "
               "WHERE e.id = ?1"),
        between_(database,
                 "SELECT e.id, e.cpu, e.pid, k.name, e.args FROM event e CROSS JOIN kind k ON k.id = e.kind "
                 "WHERE e.id BETWEEN ?1 AND ?2 AND k.name IN ('sched_waking', 'sched_switch', "
                 "'sched_process_fork') "
                 "ORDER BY e.id"),
        before_(database,
                "SELECT e.args, e.id FROM event e CROSS JOIN kind k ON k.id = e.kind "
                "WHERE e.id BETWEEN ?1 AND ?2 AND k.name = 'sched_switch' ORDER BY e.id DESC"),
        decoder_(&strings_, {}, {}) {
    Statement trace(database, "SELECT lines_events, clock_error FROM trace");
    if (!trace.Step()) return;
    clock_error_ = trace.Int(1);
    rows_left_ += trace.Int(0) * kRowsPerEvent;
  }

  std::optional<Proof> Prove(const Pair& pair) {
    if (auto proof = ByWaitCount(pair)) return proof;
    if (auto proof = ByLastReference(pair)) return proof;
    if (auto proof = ByLock(pair)) return proof;
    return ByScheduler(pair);
  }

 private:
  // The probe on the wait read the count: 0, so the last reference was gone.
  std::optional<Proof> ByWaitCount(const Pair& pair) {
    count_.Bind(1, pair.finding);
    std::optional<Proof> proof;
    if (count_.Step()) {
      int64_t death = count_.Int(0);
      int64_t begin = count_.Int(1);
      if ((death == pair.first && begin == pair.second) || (death == pair.second && begin == pair.first))
        proof = {{pair.finding, death, begin}, "count", "the probe on the wait read a reference count of 0"};
    }
    count_.Reset();
    return proof;
  }

  // The operation that took the count to 0 comes after every other of that life.
  std::optional<Proof> ByLastReference(const Pair& pair) {
    struct RefEvent {
      std::optional<int64_t> lifetime;
      bool changes_count = false;
      bool is_last = false;
    };
    auto read = [&](int64_t id) {
      RefEvent ref;
      event_.Bind(1, id);
      if (event_.Step()) {
        ref.lifetime = event_.OptionalInt(2);
        ref.changes_count = event_.OptionalInt(3).value_or(0) != 0;
        Payload payload = Decode(event_.Text(4), event_.Text(5));
        const auto* decoded = std::get_if<PageRef>(&payload);
        ref.is_last = decoded && decoded->op == PageRefOp::kModAndTest && decoded->ret == 1;
      }
      event_.Reset();
      return ref;
    };
    RefEvent first = read(pair.first);
    RefEvent second = read(pair.second);
    if (!first.lifetime || first.lifetime != second.lifetime) return std::nullopt;
    auto proof = [&](int64_t before, int64_t last) {
      return Proof{{pair.finding, before, last}, "count", "the second took the page's count to 0"};
    };
    if (second.is_last && first.changes_count) return proof(pair.first, pair.second);
    if (first.is_last && second.changes_count) return proof(pair.second, pair.first);
    return std::nullopt;
  }

  // The first's task dropped a page-table lock after it, the second's task took that lock before it.
  std::optional<Proof> ByLock(const Pair& pair) {
    struct Released {
      int64_t event;
      int64_t lock;
      int64_t acquire_ts;
    };
    std::vector<Released> released;
    released_.Bind(1, pair.first);
    released_.Bind(2, pair.second);
    // A task holds no more locks at once (include/linux/sched.h: MAX_LOCK_DEPTH): before so many that were
    // over there is none that was not.
    constexpr int kMostHeld = 48;
    for (int over = 0; over < kMostHeld && Step(&released_);) {
      int64_t event = released_.Int(2);
      over = !released_.IsNull(2) && event < pair.first ? over + 1 : 0;
      if (!released_.IsNull(1) && event >= pair.first && event <= pair.second)
        released.push_back({event, released_.Int(0), released_.Int(1)});
    }
    released_.Reset();
    if (released.empty()) return std::nullopt;
    std::sort(released.begin(), released.end(),
              [](const Released& a, const Released& b) { return a.event < b.event; });

    // Sections do not overlap: that the first began first must be beyond the clocks' error.
    std::unordered_map<int64_t, const Released*> earliest;  // by lock
    auto next = released.begin();
    std::optional<Proof> proof;
    taken_.Bind(1, pair.first);
    taken_.Bind(2, pair.second);
    while (!proof && Step(&taken_)) {
      int64_t event = taken_.Int(2);
      for (; next != released.end() && next->event <= event; ++next) {
        auto [found, fresh] = earliest.try_emplace(next->lock, &*next);
        if (!fresh && next->acquire_ts < found->second->acquire_ts) found->second = &*next;
      }
      auto found = earliest.find(taken_.Int(0));
      if (found == earliest.end() || taken_.IsNull(1)) continue;
      if (__int128{taken_.Int(1)} - found->second->acquire_ts <= clock_error_) continue;
      proof = {pair, "lock hand-over",
               "page-table lock " + HexText(static_cast<uint64_t>(found->first)) + " dropped at event " +
                   std::to_string(found->second->event) + ", taken at event " + std::to_string(event)};
    }
    taken_.Reset();
    return proof;
  }

  // The first's task, or its cpu, woke the second's task, which then ran; or made it.
  std::optional<Proof> ByScheduler(const Pair& pair) {
    auto first = Find(pair.first);
    auto second = Find(pair.second);
    if (!first || !second || !second->pid) return std::nullopt;
    auto by_first = [&](std::optional<int64_t> pid, std::optional<int64_t> cpu) {
      return (pid && pid == first->pid && *pid != 0) || (cpu && cpu == first->cpu);
    };
    std::optional<Proof> proof;
    std::optional<int64_t> woken;
    if (!Spend(pair.second - pair.first)) return proof;
    between_.Bind(1, pair.first);
    between_.Bind(2, pair.second);
    while (!proof && between_.Step()) {
      int64_t id = between_.Int(0);
      Payload payload = Decode(between_.Text(3), between_.Text(4));
      bool theirs = by_first(between_.OptionalInt(2), between_.OptionalInt(1));
      if (const auto* waking = std::get_if<SchedWaking>(&payload)) {
        // It was asleep: a runnable task runs without being woken.
        if (!woken && !waking->done && theirs && Value(waking->pid) == *second->pid &&
            SleptBefore(waking->pid, id))
          woken = id;
      } else if (const auto* sched = std::get_if<SchedSwitch>(&payload)) {
        if (woken && Value(sched->next) == *second->pid) {
          proof = {pair, "wake-up",
                   "woken at event " + std::to_string(*woken) + ", ran at event " + std::to_string(id)};
        }
      } else if (const auto* fork = std::get_if<SchedFork>(&payload)) {
        if (theirs && Value(fork->child) == *second->pid)
          proof = {pair, "fork", "forked at event " + std::to_string(id)};
      }
    }
    between_.Reset();
    return proof;
  }

  // Where stamps tell nothing any two events may be the ends of the whole trace. What all proofs look at is
  // limited, so that the time they take grows with the trace and not faster; an order that would take more
  // than is left stays open.
  bool Spend(int64_t rows) {
    if (rows > rows_left_) return false;
    rows_left_ -= std::max<int64_t>(rows, 0);
    return true;
  }
  bool Step(Statement* statement) { return Spend(1) && statement->Step(); }

  // The last switch away from the task before that event put it to sleep.
  bool SleptBefore(Pid pid, int64_t event) {
    constexpr int64_t kFarthest = 1'000'000;
    bool slept = false;
    before_.Bind(1, event - kFarthest);
    before_.Bind(2, event - 1);
    int64_t at = event;
    while (before_.Step()) {
      if (!Spend(at - before_.Int(1))) break;
      at = before_.Int(1);
      Payload payload = Decode("sched_switch", before_.Text(0));
      const auto* sched = std::get_if<SchedSwitch>(&payload);
      if (!sched || sched->prev != pid) continue;
      slept = sched->prev_state == SleepState::kUninterruptible || sched->prev_state == SleepState::kOther;
      break;
    }
    before_.Reset();
    return slept;
  }

  std::optional<ProofEvent> Find(int64_t id) {
    event_.Bind(1, id);
    std::optional<ProofEvent> found;
    if (event_.Step()) found = {id, event_.OptionalInt(0), event_.OptionalInt(1)};
    event_.Reset();
    return found;
  }

  Payload Decode(std::string_view name, std::string_view args) {
    return decoder_.Decode(strings_.Intern(name), args);
  }

  Statement count_;
  Statement released_;
  Statement taken_;
  Statement event_;
  Statement between_;
  Statement before_;
  StringTable strings_;  // outlives the decoder
  Decoder decoder_;
  static constexpr int64_t kRowsPerEvent = 10;
  int64_t rows_left_ = 1'000'000;
  int64_t clock_error_ = 0;
};

}  // namespace

void ProveFindings(Database* database) {
  std::vector<Proof> proofs;
  {
    Statement open(*database, "SELECT finding_id, first_event, second_event FROM proofs WHERE kind = 'open'");
    Prover prover(*database);
    while (open.Step()) {
      if (auto proof = prover.Prove({open.Int(0), open.Int(1), open.Int(2)}))
        proofs.push_back(std::move(*proof));
    }
  }
  Statement insert = InsertInto(*database, "proof");
  for (const Proof& proof : proofs) {
    insert.Bind(1, proof.pair.finding);
    insert.Bind(2, proof.pair.first);
    insert.Bind(3, proof.pair.second);
    insert.Bind(4, proof.kind);
    insert.Bind(5, proof.detail);
    insert.Run();
  }
}

}  // namespace mmreplay
