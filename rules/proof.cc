#include "rules/proof.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
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

// Where stamps tell nothing any two events may be the ends of the whole trace. What all proofs look at is
// limited, so that the time they take grows with the trace and not faster; an order that would take more than
// is left stays open.
class RowBudget {
 public:
  explicit RowBudget(int64_t events) : left_(kLeast + events * kRowsPerEvent) {}

  bool Spend(int64_t rows) {
    if (rows > left_) return false;
    left_ -= std::max<int64_t>(rows, 0);
    return true;
  }

 private:
  static constexpr int64_t kLeast = 1'000'000;
  static constexpr int64_t kRowsPerEvent = 50;
  int64_t left_;
};

// Kinds of events of that name.
std::vector<int64_t> KindsOf(const Database& database, std::string_view name) {
  Statement query(database, "SELECT id FROM kind WHERE name = ?1 ORDER BY id");
  query.Bind(1, name);
  std::vector<int64_t> kinds;
  while (query.Step()) kinds.push_back(query.Int(0));
  return kinds;
}

bool Contains(const std::vector<int64_t>& kinds, int64_t kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// Holdings of page-table locks that ended between the events of a pair. The database finds them by when they began.
class Releases {
 public:
  struct Hold {
    int64_t pid;
    int64_t release;
    int64_t acquire;
    int64_t acquire_ts;
    int64_t lock;
  };

  // Of `pairs`, sorted by their first events.
  Releases(const Database& database, const std::vector<Pair>& pairs) {
    std::vector<Stretch> stretches;
    for (const Pair& pair : pairs) {
      if (stretches.empty() || stretches.back().last < pair.first) stretches.push_back({pair.first, pair.second});
      stretches.back().last = std::max(stretches.back().last, pair.second);
    }
    if (stretches.empty()) return;
    Statement query(database,
                    "SELECT pid, release_event, acquire_event, acquire_ts, lock FROM ptl_hold "
                    "WHERE pid IS NOT NULL AND release_event IS NOT NULL AND acquire_ts IS NOT NULL");
    while (query.Step()) {
      int64_t release = query.Int(1);
      auto stretch = std::partition_point(stretches.begin(), stretches.end(),
                                          [&](const Stretch& one) { return one.last < release; });
      if (stretch == stretches.end() || release < stretch->first) continue;
      holds_.push_back({query.Int(0), release, query.Int(2), query.Int(3), query.Int(4)});
    }
    std::sort(holds_.begin(), holds_.end(), [](const Hold& a, const Hold& b) {
      return std::tuple(a.pid, a.release, a.acquire) < std::tuple(b.pid, b.release, b.acquire);
    });
  }

  // Of that task from the one event to the other, both included, by when they ended.
  std::span<const Hold> Between(int64_t pid, int64_t first, int64_t last) const {
    auto begin = std::partition_point(holds_.begin(), holds_.end(), [&](const Hold& one) {
      return std::tuple(one.pid, one.release) < std::tuple(pid, first);
    });
    auto end = std::partition_point(begin, holds_.end(), [&](const Hold& one) {
      return std::tuple(one.pid, one.release) <= std::tuple(pid, last);
    });
    return {begin, end};
  }

 private:
  struct Stretch {
    int64_t first;
    int64_t last;
  };
  std::vector<Hold> holds_;
};

// When tasks last left a cpu, and whether they slept. Reads the events round those it is asked about, once.
class SwitchHistory {
 public:
  // `budget` is borrowed.
  SwitchHistory(const Database& database, RowBudget* budget)
      : budget_(budget),
        kinds_(KindsOf(database, "sched_switch")),
        switches_(database,
                  "SELECT e.id, e.args FROM event e WHERE e.kind = ?1 AND e.id BETWEEN ?2 AND ?3 ORDER BY e.id"),
        decoder_(&strings_, {}, {}) {}

  // The last switch away from the task before that event put it to sleep.
  bool SleptBefore(int64_t pid, int64_t event) {
    if (begin_ > event + kNear || end_ < event - kNear || end_ - begin_ > kMostKept) {
      tasks_.clear();
      begin_ = end_ = event;
    }
    if (end_ < event) {
      if (!budget_->Spend(event - end_)) return false;
      Read(end_, event - 1, [](Task* task, const Left& left) { task->after.push_back(left); });
      end_ = event;
    }
    for (int64_t step = kLeastStep;; step *= 2) {
      if (const Left* left = LastBefore(pid, event)) return left->event >= event - kFarthest && left->slept;
      int64_t least = std::max<int64_t>(event - kFarthest, 1);
      if (begin_ <= least) return false;
      int64_t from = std::max(least, begin_ - step);
      if (!budget_->Spend(begin_ - from)) return false;
      std::unordered_map<int64_t, Task> earlier = std::exchange(tasks_, {});
      Read(from, begin_ - 1, [](Task* task, const Left& left) { task->before.push_back(left); });
      begin_ = from;
      for (auto& [of, read] : tasks_) std::reverse(read.before.begin(), read.before.end());
      for (auto& [of, known] : earlier) {
        Task& task = tasks_[of];
        known.before.insert(known.before.end(), task.before.begin(), task.before.end());
        task = std::move(known);
      }
    }
  }

 private:
  static constexpr int64_t kFarthest = 1'000'000;
  static constexpr int64_t kNear = 100'000;  // what lies between is read, too
  static constexpr int64_t kMostKept = 4 * kFarthest;
  static constexpr int64_t kLeastStep = 1024;

  struct Left {
    int64_t event;
    bool slept;
  };
  // Switches away from it: those found on the way back, and those on the way forth.
  struct Task {
    std::vector<Left> before;
    std::vector<Left> after;
  };

  template <typename Add>
  void Read(int64_t first, int64_t last, const Add& add) {
    std::vector<std::pair<int64_t, Left>> found;
    for (int64_t kind : kinds_) {
      switches_.Bind(1, kind);
      switches_.Bind(2, first);
      switches_.Bind(3, last);
      while (switches_.Step()) {
        Payload payload = decoder_.Decode(strings_.Intern("sched_switch"), switches_.Text(1));
        const auto* sched = std::get_if<SchedSwitch>(&payload);
        if (!sched) continue;
        bool slept =
            sched->prev_state == SleepState::kUninterruptible || sched->prev_state == SleepState::kOther;
        found.push_back({Value(sched->prev), {switches_.Int(0), slept}});
      }
      switches_.Reset();
    }
    if (kinds_.size() > 1) {
      std::sort(found.begin(), found.end(),
                [](const auto& a, const auto& b) { return a.second.event < b.second.event; });
    }
    for (const auto& [pid, left] : found) add(&tasks_[pid], left);
  }

  const Left* LastBefore(int64_t pid, int64_t event) const {
    auto task = tasks_.find(pid);
    if (task == tasks_.end()) return nullptr;
    const auto& [before, after] = task->second;
    auto later = std::partition_point(after.begin(), after.end(),
                                      [&](const Left& left) { return left.event < event; });
    if (later != after.begin()) return &*std::prev(later);
    auto earlier = std::partition_point(before.begin(), before.end(),
                                        [&](const Left& left) { return left.event >= event; });
    return earlier == before.end() ? nullptr : &*earlier;
  }

  RowBudget* budget_;
  std::vector<int64_t> kinds_;
  Statement switches_;
  StringTable strings_;  // outlives the decoder
  Decoder decoder_;
  // Events that were read: none.
  int64_t begin_ = -kFarthest;
  int64_t end_ = -kFarthest;
  std::unordered_map<int64_t, Task> tasks_;
};

class Prover {
 public:
  Prover(const Database& database, const std::vector<Pair>& pairs)
      : count_(database,
               "SELECT x.death_event, w.begin_event FROM findings f JOIN page_waits w ON w.id = f.subject_id "
               "JOIN page_wait_evidence x ON x.wait_id = w.id "
               "WHERE f.id = ?1 AND f.subject = 'page_waits' AND x.event_order = 'count'"),
        releases_(database, pairs),
        taken_(database,
               "SELECT acquire_event, acquire_ts, lock FROM ptl_hold "
               "WHERE pid = ?1 AND acquire_event BETWEEN ?2 AND ?3 ORDER BY acquire_event"),
        event_(database,
               "SELECT e.cpu, e.pid, e.lifetime, e.delta, k.name, e.args FROM event e JOIN kind k ON k.id = "
               "e.kind "
               "WHERE e.id = ?1"),
        between_(database,
                 "SELECT e.id, e.cpu, e.pid, e.kind FROM event e WHERE e.id BETWEEN ?1 AND ?2 ORDER BY e.id"),
        args_(database, "SELECT args FROM event WHERE id = ?1"),
        waking_(KindsOf(database, "sched_waking")),
        switch_(KindsOf(database, "sched_switch")),
        fork_(KindsOf(database, "sched_process_fork")),
        history_(database, &budget_),
        decoder_(&strings_, {}, {}) {
    Statement trace(database, "SELECT lines_events, clock_error FROM trace");
    if (!trace.Step()) return;
    budget_ = RowBudget(trace.Int(0));
    clock_error_ = trace.Int(1);
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
    auto first = Find(pair.first);
    auto second = Find(pair.second);
    if (!first || !second || !first->pid || !second->pid) return std::nullopt;
    std::span<const Releases::Hold> dropped = releases_.Between(*first->pid, pair.first, pair.second);
    if (dropped.empty() || !budget_.Spend(static_cast<int64_t>(dropped.size()))) return std::nullopt;
    // Sections do not overlap: that the first began first must be beyond the clocks' error.
    __extension__ using Wide = __int128;
    std::unordered_map<int64_t, const Releases::Hold*> earliest;  // by lock, of those that are over
    auto next = dropped.begin();
    std::optional<Proof> proof;
    taken_.Bind(1, *second->pid);
    taken_.Bind(2, pair.first);
    taken_.Bind(3, pair.second);
    while (!proof && budget_.Spend(1) && taken_.Step()) {
      int64_t acquire = taken_.Int(0);
      auto ts = taken_.OptionalInt(1);
      int64_t lock = taken_.Int(2);
      for (; next != dropped.end() && next->release <= acquire; ++next) {
        auto [found, fresh] = earliest.try_emplace(next->lock, &*next);
        if (!fresh && next->acquire_ts < found->second->acquire_ts) found->second = &*next;
      }
      auto hold = earliest.find(lock);
      if (!ts || hold == earliest.end() || Wide{*ts} - hold->second->acquire_ts <= clock_error_) continue;
      proof = {pair, "lock hand-over",
               "page-table lock " + HexText(static_cast<uint64_t>(lock)) + " dropped at event " +
                   std::to_string(hold->second->release) + ", taken at event " + std::to_string(acquire)};
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
    if (!budget_.Spend(pair.second - pair.first)) return proof;
    between_.Bind(1, pair.first);
    between_.Bind(2, pair.second);
    while (!proof && between_.Step()) {
      int64_t id = between_.Int(0);
      int64_t kind = between_.Int(3);
      bool theirs = by_first(between_.OptionalInt(2), between_.OptionalInt(1));
      if (!woken && theirs && Contains(waking_, kind)) {
        Payload payload = Read("sched_waking", id);
        const auto* waking = std::get_if<SchedWaking>(&payload);
        // It was asleep: a runnable task runs without being woken.
        if (waking && !waking->done && Value(waking->pid) == *second->pid &&
            history_.SleptBefore(*second->pid, id))
          woken = id;
      } else if (woken && Contains(switch_, kind)) {
        Payload payload = Read("sched_switch", id);
        const auto* sched = std::get_if<SchedSwitch>(&payload);
        if (sched && Value(sched->next) == *second->pid) {
          proof = {pair, "wake-up",
                   "woken at event " + std::to_string(*woken) + ", ran at event " + std::to_string(id)};
        }
      } else if (theirs && Contains(fork_, kind)) {
        Payload payload = Read("sched_process_fork", id);
        const auto* fork = std::get_if<SchedFork>(&payload);
        if (fork && Value(fork->child) == *second->pid)
          proof = {pair, "fork", "forked at event " + std::to_string(id)};
      }
    }
    between_.Reset();
    return proof;
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
  // Borrows from what is read next.
  Payload Read(std::string_view name, int64_t id) {
    args_.Reset();
    args_.Bind(1, id);
    return args_.Step() ? Decode(name, args_.Text(0)) : Payload();
  }

  Statement count_;
  Releases releases_;
  Statement taken_;
  Statement event_;
  Statement between_;
  Statement args_;
  // Kinds of events.
  std::vector<int64_t> waking_;
  std::vector<int64_t> switch_;
  std::vector<int64_t> fork_;
  RowBudget budget_{0};
  SwitchHistory history_;
  int64_t clock_error_ = 0;
  StringTable strings_;  // outlives the decoder
  Decoder decoder_;
};

}  // namespace

void ProveFindings(Database* database) {
  std::vector<Pair> pairs;
  {
    Statement open(*database, "SELECT finding_id, first_event, second_event FROM proofs WHERE kind = 'open'");
    while (open.Step()) pairs.push_back({open.Int(0), open.Int(1), open.Int(2)});
  }
  // Neighbours ask about the same events.
  std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
    return std::tuple(a.first, a.second, a.finding) < std::tuple(b.first, b.second, b.finding);
  });
  std::vector<Proof> proofs;
  {
    Prover prover(*database, pairs);
    for (const Pair& pair : pairs) {
      if (auto proof = prover.Prove(pair)) proofs.push_back(std::move(*proof));
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
