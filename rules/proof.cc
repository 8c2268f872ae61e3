#include "rules/proof.h"

#include <optional>
#include <string>
#include <vector>

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

// Events of a kind occurred, and carry that field.
bool HasView(const Database& database, const char* view, const char* column) {
  Statement statement(database, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2");
  statement.Bind(1, view);
  statement.Bind(2, column);
  return statement.Step();
}

class Prover {
 public:
  explicit Prover(const Database& database)
      : count_(database,
               "SELECT x.death_event, w.begin_event FROM findings f JOIN page_waits w ON w.id = f.subject_id "
               "JOIN page_wait_evidence x ON x.wait_id = w.id "
               "WHERE f.id = ?1 AND f.subject = 'page_waits' AND x.event_order = 'count'"),
        last_(database,
              "SELECT a.event_id, b.event_id FROM page_refs a JOIN page_refs b ON b.lifetime_id = "
              "a.lifetime_id "
              "WHERE a.event_id IN (?1, ?2) AND b.event_id IN (?1, ?2) AND a.event_id <> b.event_id "
              "AND b.op = 'mod_and_test' AND b.ret = 1 AND a.delta <> 0"),
        handover_(
            database,
            "SELECT h1.lock, h1.release_event, h2.acquire_event FROM ptl_hold h1 JOIN ptl_hold h2 "
            "ON h2.lock = h1.lock AND h2.pid = (SELECT pid FROM event WHERE id = ?2) "
            "AND h2.acquire_event BETWEEN h1.release_event AND ?2 "
            "WHERE h1.pid = (SELECT pid FROM event WHERE id = ?1) AND h1.release_event BETWEEN ?1 AND ?2 "
            // Sections do not overlap: that the first began first must be beyond the clocks' error.
            "AND h2.acquire_ts - h1.acquire_ts > (SELECT clock_error FROM trace) "
            "ORDER BY h2.acquire_event LIMIT 1") {
    if (HasView(database, "sched_waking", "pid") && HasView(database, "sched_switch", "next_pid")) {
      wakeup_.emplace(database,
                      "SELECT w.event_id, s.event_id FROM sched_waking w JOIN sched_switch s "
                      "ON s.next_pid = w.pid AND s.event_id BETWEEN w.event_id AND ?2 "
                      "JOIN event a ON a.id = ?1 JOIN event b ON b.id = ?2 "
                      "WHERE w.event_id BETWEEN ?1 AND ?2 AND w.pid = b.pid "
                      // It was asleep: a runnable task runs without being woken.
                      "AND (SELECT iif(typeof(o.prev_state) = 'integer', o.prev_state & 255 <> 0, "
                      "o.prev_state NOT LIKE 'R%') FROM sched_switch o WHERE o.prev_pid = w.pid "
                      "AND o.event_id < w.event_id ORDER BY o.event_id DESC LIMIT 1) "
                      "AND (w.common_pid = a.pid AND a.pid <> 0 OR w.common_cpu = a.cpu) "
                      "ORDER BY w.event_id LIMIT 1");
    }
    if (HasView(database, "sched_process_fork", "child_pid")) {
      fork_.emplace(database,
                    "SELECT f.event_id FROM sched_process_fork f JOIN event a ON a.id = ?1 "
                    "JOIN event b ON b.id = ?2 WHERE f.event_id BETWEEN ?1 AND ?2 AND f.child_pid = b.pid "
                    "AND (f.common_pid = a.pid AND a.pid <> 0 OR f.common_cpu = a.cpu) LIMIT 1");
    }
  }

  std::optional<Proof> Prove(const Pair& pair) {
    if (auto proof = ByWaitCount(pair)) return proof;
    if (auto proof = ByLastReference(pair)) return proof;
    if (auto proof = ByLock(pair)) return proof;
    if (auto proof = ByWakeUp(pair)) return proof;
    return ByFork(pair);
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
    last_.Bind(1, pair.first);
    last_.Bind(2, pair.second);
    std::optional<Proof> proof;
    if (last_.Step())
      proof = {{pair.finding, last_.Int(0), last_.Int(1)}, "count", "the second took the page's count to 0"};
    last_.Reset();
    return proof;
  }

  // The first's task dropped a page-table lock after it, the second's task took that lock before it.
  std::optional<Proof> ByLock(const Pair& pair) {
    handover_.Bind(1, pair.first);
    handover_.Bind(2, pair.second);
    std::optional<Proof> proof;
    if (handover_.Step()) {
      proof = {pair, "lock hand-over",
               "page-table lock " + HexText(static_cast<uint64_t>(handover_.Int(0))) + " dropped at event " +
                   std::to_string(handover_.Int(1)) + ", taken at event " + std::to_string(handover_.Int(2))};
    }
    handover_.Reset();
    return proof;
  }

  // The first's task, or its cpu, woke the second's task, which then ran.
  std::optional<Proof> ByWakeUp(const Pair& pair) {
    if (!wakeup_) return std::nullopt;
    wakeup_->Bind(1, pair.first);
    wakeup_->Bind(2, pair.second);
    std::optional<Proof> proof;
    if (wakeup_->Step()) {
      proof = {pair, "wake-up",
               "woken at event " + std::to_string(wakeup_->Int(0)) + ", ran at event " +
                   std::to_string(wakeup_->Int(1))};
    }
    wakeup_->Reset();
    return proof;
  }

  std::optional<Proof> ByFork(const Pair& pair) {
    if (!fork_) return std::nullopt;
    fork_->Bind(1, pair.first);
    fork_->Bind(2, pair.second);
    std::optional<Proof> proof;
    if (fork_->Step()) proof = {pair, "fork", "forked at event " + std::to_string(fork_->Int(0))};
    fork_->Reset();
    return proof;
  }

  Statement count_;
  Statement last_;
  Statement handover_;
  std::optional<Statement> wakeup_;  // where the recording has the events
  std::optional<Statement> fork_;
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
