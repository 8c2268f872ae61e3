-- The contract: views with fixed names and columns. Columns and views are appended, never renamed or
-- removed (PRAGMA user_version counts). Times are in traces.clock_unit: nanoseconds, or ticks of an
-- integer clock; NULL is unknown. pfn and addresses are integers.
--
-- Texts of intervals are subqueries, not joins: nothing is looked up where nobody asks for the text.

-- The recording: what it is, what its lines were, how well the model predicted it. lines_events counts the
-- events of the input; events_left_out of them were left out by --time, --cpu, --pid, --comm and --event (a
-- row of trace_issues each, kind 'filtered'), and the view events has the others.
CREATE VIEW traces(id, path, format, kernel_release, machine, clock, page_shift, lines_total, lines_events,
                   lines_comments, lines_continuations, lines_markers, lines_rejected, ref_anchors,
                   ref_anchors_matched, clock_unit, events_left_out) AS
SELECT id, path, format, kernel_release, machine, clock, page_shift, lines_total, lines_events,
       lines_comments, lines_continuations, lines_markers, lines_rejected, ref_anchors,
       ref_anchors_matched, clock_unit,
       (SELECT coalesce(sum(count), 0) FROM trace_issue WHERE kind = 'filtered')
FROM trace;

-- Its files.
CREATE VIEW sources(id, trace_id, role, path, lines_total) AS
SELECT id, 1, role, path, lines_total FROM source;

-- Every event as recorded. args and context (the flag columns) are verbatim. Each kind of event is a view
-- of its own too, with typed fields: see event_kinds.
CREATE VIEW events(id, trace_id, ts, cpu, pid, tgid, comm, name, args, line, context, source_id) AS
SELECT e.id, 1, e.ts, e.cpu, e.pid, e.tgid, c.text, k.name, e.args, e.line, x.text, e.source
FROM event e
JOIN kind k ON k.id = e.kind
JOIN string c ON c.id = e.comm
JOIN string x ON x.id = e.context;

CREATE VIEW stacks(event_id, depth, frame) AS
SELECT event, depth, frame FROM stack;

-- Lives of page blocks. quality: complete, inherited (began before the trace), open (alive at its end),
-- inherited open, free unseen (allocated again without a recorded free), split (part of a larger block).
CREATE VIEW page_lifetimes(id, trace_id, pfn, page_order, alloc_event, free_event, alloc_ts, free_ts,
                           alloc_pid, free_pid, quality) AS
SELECT id, 1, pfn, page_order, alloc_event, free_event, alloc_ts, free_ts, alloc_pid, free_pid,
       CASE quality WHEN 0 THEN 'complete' WHEN 1 THEN 'inherited' WHEN 2 THEN 'open'
                    WHEN 3 THEN 'inherited open' WHEN 4 THEN 'free unseen' WHEN 5 THEN 'split' END
FROM page_lifetime;

-- Holdings of page-table locks. acquire_event is NULL where the lock was taken before the trace, or where
-- only a probe's argument shows that it is held. hold_time: release_ts - acquire_ts; wait_time, for the lock:
-- acquire_ts - contended_ts.
CREATE VIEW ptl_holds(id, trace_id, lock, pid, comm, acquire_event, release_event, acquire_ts, release_ts,
                      contended_ts, protects, hold_time, wait_time) AS
SELECT h.id, 1, h.lock, h.pid, (SELECT s.text FROM string s WHERE s.id = h.comm), h.acquire_event, h.release_event, h.acquire_ts, h.release_ts,
       h.contended_ts, h.protects, h.hold_time, h.wait_time
FROM ptl_hold h;

-- Pages moved, or attempted to. result: migrated, failed, unknown.
CREATE VIEW migrations(id, trace_id, pid, comm, src_pfn, dst_pfn, reason, begin_event, end_event, begin_ts,
                       end_ts, result, why) AS
SELECT m.id, 1, m.pid, (SELECT s.text FROM string s WHERE s.id = m.comm), m.src_pfn, m.dst_pfn, m.reason, m.begin_event, m.end_event, m.begin_ts,
       m.end_ts, CASE m.result WHEN 0 THEN 'unknown' WHEN 1 THEN 'migrated' WHEN 2 THEN 'failed' END, m.why
FROM migration m;

-- What the kernel itself printed about pages. ts is on the trace's clock, give or take ts_error_ns; where
-- that is NULL, ts is the console's own time, which nothing ties to the trace's.
CREATE VIEW console_reports(id, trace_id, line, kind, pfn, flags, reason, comm, ts, ts_error_ns, event_id) AS
SELECT id, 1, line, kind, pfn, flags, reason, comm, ts, ts_error_ns, event FROM console_report;

-- A report that fits a life of its page: PG_waiters set on a page about to be allocated (at a page's free it may be set:
-- mm/page_alloc.c clears it only there), and not from before it was freed. The kernel
-- never uses such a page again (mm/page_alloc.c: a page that fails check_new_page stays off the free
-- lists), so it is the frame's last life, and that life has ended. Which life was the last one a trace whose
-- end was left out (a marker of kind 3) does not show, unless the report is known to be from before; nor does one that
-- had ended when the report was printed, unless the probe on bad_page was hit. (printk's clock is that of local, global and
-- perf, but for 200 ms: an unstable TSC was 110 ms off.)
CREATE VIEW report_matches(report_id, lifetime_id) AS
SELECT r.id, l.id
FROM console_report r
JOIN page_lifetime l ON l.pfn = r.pfn
WHERE (r.kind = 'bad_page_state' AND r.reason LIKE '%CHECK_AT_PREP%'
       -- the line that says why is lost, and no other flag is set
       OR r.kind = 'bad_page_state' AND r.reason IS NULL AND r.flags = 'waiters'
       -- PG_waiters set while the page was being freed (__free_one_page): the kernel stops there
       OR r.kind = 'vm_bug_on_page' AND r.reason LIKE 'VM_BUG_ON_PAGE(page->flags &%')
  AND '|' || r.flags || '|' LIKE '%|waiters|%'
  AND l.free_event IS NOT NULL
  AND (r.ts_error_ns IS NULL OR l.free_ts IS NULL OR r.ts + r.ts_error_ns >= l.free_ts)
  AND NOT EXISTS (SELECT 1 FROM page_lifetime later WHERE later.pfn = l.pfn AND later.id > l.id)
  AND (NOT EXISTS (SELECT 1 FROM trace_marker WHERE kind = 3)
       OR r.ts + r.ts_error_ns <= (SELECT last_ts FROM trace))
  AND (r.event IS NOT NULL
       OR NOT EXISTS (SELECT 1 FROM trace t WHERE r.ts - coalesce(r.ts_error_ns, 200000000) > t.last_ts
                      AND t.clock_unit = 'ns' AND coalesce(t.clock, 'local') IN ('local', 'global', 'perf')
                      AND t.format NOT IN ('console log', 'trace in latency format')));

-- Waits of tasks on pages.
--   protection: reference, queued_under_ptl, none, unknown
--   outcome: woken_alive, freed_before_queue, freed_while_queued, reused, open, unknown
--   verdict: the grade, by this table (a gap in the evidence lowers confirmed and probable by one):
--     protection                   outcome                                               verdict
--     none                         freed_before_queue, order proven                      confirmed
--     none                         any free, and the kernel's report matches that life   confirmed
--     none                         freed_before_queue, order open                        probable
--     none                         freed_while_queued, reused                            probable
--     none                         woken_alive, open, unknown                            latent
--     unknown                      any                                                   unknown
--     reference, queued_under_ptl  any                                                   benign
--   A wait for another flag than PG_locked is not judged: benign.
--   wait_time: end_ts - begin_ts
CREATE VIEW page_waits(id, trace_id, pid, comm, pfn, lifetime_id, function, begin_event, end_event, begin_ts,
                       end_ts, ptl_hold_id, protection, outcome, verdict, why, wait_time) AS
SELECT w.id, 1, w.pid, (SELECT s.text FROM string s WHERE s.id = w.comm), w.pfn, w.lifetime,
       (SELECT s.text FROM string s WHERE s.id = w.function), w.begin_event, w.end_event, w.begin_ts, w.end_ts,
       w.hold,
       CASE w.protection WHEN 0 THEN 'unknown' WHEN 1 THEN 'none' WHEN 2 THEN 'reference'
                         WHEN 4 THEN 'queued_under_ptl' END,
       CASE w.outcome WHEN 0 THEN 'unknown' WHEN 1 THEN 'woken_alive' WHEN 2 THEN 'freed_before_queue'
                      WHEN 3 THEN 'freed_while_queued' WHEN 4 THEN 'reused' WHEN 5 THEN 'open' END,
       CASE
         WHEN NOT w.judged THEN 'benign'
         WHEN w.protection IN (2, 4) THEN 'benign'
         WHEN w.protection = 0 THEN 'unknown'
         WHEN w.outcome IN (2, 3, 4)
              AND EXISTS (SELECT 1 FROM report_matches m WHERE m.lifetime_id = w.lifetime
                          OR w.outcome = 2 AND m.lifetime_id = w.frame_life) THEN 'confirmed'
         WHEN w.outcome = 2 AND w.event_order >= 2 THEN CASE WHEN w.weakened THEN 'probable' ELSE 'confirmed' END
         WHEN w.outcome IN (2, 3, 4) THEN CASE WHEN w.weakened THEN 'latent' ELSE 'probable' END
         ELSE 'latent'
       END,
       w.why, w.wait_time
FROM page_wait w;

-- The events behind a wait's verdict: the call in which the page was found, the lock held and dropped there, the
-- waiter's own reference if it had one, its sleep and who woke it, the page's death and free. event_order: how the
-- page's death stands to the wait's beginning: none, open, same cpu, apart (further than the clock may err), count (the
-- wait's own probe read 0), lock hand-over, wake-up, fork (between the two one task let the other go on);
-- order_ns: beginning minus death. reason: the verdict's cause in a few words. contract: which kernel versions
-- protect such a wait, and how. path: how the waiter came to the page: numa fault, pmd / pte / hugetlb migration
-- entry, page cache, unknown. unlocked_event: the page's last unlock during the wait.
-- over_event: after its sleep the waiter ran again, or did something a waiter cannot do. call_function: name of
-- the function that call_event enters.
CREATE VIEW page_wait_evidence(wait_id, call_event, lock_acquired_event, lock_dropped_event, reference_event,
                               asleep_event, woken_event, death_event, death_ts, death_pid, death_comm,
                               free_event, event_order, order_ns, gap, reason, report_id, contract, path,
                               unlocked_event, unlocked_ts, woken_ts, over_event, over_ts, call_function) AS
SELECT w.id, w.call_event, (SELECT h.acquire_event FROM ptl_hold h WHERE h.id = w.hold), w.lock_dropped,
       w.reference_event, w.asleep_event, w.woken_event, w.death_event, w.death_ts, w.death_pid,
       (SELECT s.text FROM string s WHERE s.id = w.death_comm),
       w.free_event,
       CASE w.event_order WHEN 0 THEN 'none' WHEN 1 THEN 'open' WHEN 2 THEN 'same cpu' WHEN 3 THEN 'apart' WHEN 4 THEN 'count'
            WHEN 5 THEN 'lock hand-over' WHEN 6 THEN 'wake-up' WHEN 7 THEN 'fork' END,
       w.order_ns, w.gap, (SELECT s.text FROM string s WHERE s.id = w.reason),
       (SELECT min(m.report_id) FROM report_matches m WHERE m.lifetime_id = w.lifetime
        OR w.outcome = 2 AND m.lifetime_id = w.frame_life),
       (SELECT s.text FROM string s WHERE s.id = w.contract),
       CASE w.path WHEN 0 THEN 'unknown' WHEN 1 THEN 'numa fault' WHEN 2 THEN 'pmd migration entry'
                   WHEN 3 THEN 'pte migration entry' WHEN 4 THEN 'hugetlb migration entry' WHEN 5 THEN 'page cache' END,
       w.unlocked_event, w.unlocked_ts, w.woken_ts, w.over_event, w.over_ts,
       (SELECT s.text FROM string s WHERE s.id = w.call_function)
FROM page_wait w;

-- Waits that matched all of wait_on_freed_page but one step: which, why, and the event that decided it.
CREATE VIEW near_misses(wait_id, pid, comm, pfn, function, begin_event, begin_ts, end_ts, outcome, failed_step, reason,
                        event_id) AS
SELECT w.id, w.pid, w.comm, w.pfn, w.function, w.begin_event, w.begin_ts, w.end_ts, w.outcome,
       CASE w.protection WHEN 'reference' THEN 'holds no reference'
                         WHEN 'queued_under_ptl' THEN 'drops the page-table lock before it queues'
                         ELSE 'waits for PG_locked' END,
       x.reason, coalesce(CASE WHEN w.protection = 'reference' THEN x.reference_event END, w.begin_event)
FROM page_waits w JOIN page_wait_evidence x ON x.wait_id = w.id
WHERE w.verdict = 'benign';

-- Transitions that cannot happen on a healthy machine with a complete recording (invariants I1-I15).
CREATE VIEW anomalies(id, trace_id, event_id, ts, invariant, pfn, pid, detail) AS
SELECT id, 1, event, ts, invariant, pfn, pid, detail FROM anomaly;

-- What an anomaly rests on. certainty: what else could explain it: certain (nothing), if complete (tasks that were
-- not recorded), open (events that were not recorded). earlier_event: what it contradicts, the first free of two.
-- kind, by invariant:
--   I1 allocated twice, found while free             I7 reference taken while frozen, unfrozen while not frozen
--   I2 freed while referenced                        I8 wait without protection
--   I3 freed while locked, freed while frozen        I9 exempt wait on a free page
--   I4 freed twice                                   I10 wait across lives
--   I5 reference taken on a free page                I11 unlocked while not locked
--   I6 count contradicted, count below zero          I12 slept with a page-table lock
--   I13 migration entry left                          I14 source of a migration kept
--   I15 no reference to be had
CREATE VIEW anomaly_evidence(anomaly_id, kind, certainty, earlier_event, lifetime_id, comm) AS
SELECT a.id, a.kind, CASE a.certainty WHEN 0 THEN 'open' WHEN 1 THEN 'if complete' WHEN 2 THEN 'certain' END,
       a.earlier, a.lifetime, (SELECT s.text FROM string s WHERE s.id = a.comm)
FROM anomaly a;

-- Who had references on a page whose migration failed: how many tasks besides the migrating one, the one that took
-- its reference last, and the event that shows it. 0 where reference events do not tell.
CREATE VIEW migration_evidence(migration_id, holders, holder_pid, holder_comm, holder_event) AS
SELECT m.id, m.holders, m.holder_pid,
       (SELECT s.text FROM string s WHERE s.id = m.holder_comm), m.holder_event
FROM migration m;

-- What the recording covers. all_tasks: events of the idle task show that no task was filtered out.
CREATE VIEW trace_evidence(trace_id, all_tasks, last_ts) AS
SELECT id, all_tasks, last_ts FROM trace;

-- Where a cpu's events are missing. from_ts NULL: since the recording began.
CREATE VIEW gaps(id, trace_id, cpu, from_ts, to_ts, lost) AS
SELECT id, 1, cpu, from_ts, to_ts, lost FROM gap;

-- Data-quality facts, counted by kind.
CREATE VIEW trace_issues(trace_id, severity, kind, first_line, count, text) AS
SELECT 1, severity, kind, first_line, count, text FROM trace_issue;

-- What the rules found. subject names a view, subject_id its row.
CREATE VIEW findings(id, trace_id, rule, grade, subject, subject_id, pfn, pid, comm, summary, fingerprint) AS
SELECT id, 1, rule, grade, subject, subject_id, pfn, pid, comm, summary, fingerprint FROM finding;

CREATE VIEW finding_events(finding_id, event_id, role) AS
SELECT finding, event, role FROM finding_event;

-- Why the evidence of a finding is in that order: one row per pair of its events. kind: same task, same cpu
-- (program order, one buffer), apart (of two cpus, further than the clock may err), count, lock hand-over (values
-- prove it), open (nothing does; first_event is then the one the trace shows first). error_ns: what the clock may
-- err, in traces.clock_unit, where stamps are the proof.
CREATE VIEW proofs(finding_id, first_event, second_event, kind, detail, error_ns) AS
WITH pair AS (
  SELECT a.finding AS finding, e1.id AS first, e2.id AS second,
         e1.cpu = e2.cpu AS same_cpu, e1.pid = e2.pid AND e1.pid <> 0 AS same_task, e1.pid AS pid, e1.cpu AS cpu,
         e2.ts - e1.ts AS distance, t.clock_error AS error, coalesce(t.clock_unit, 'ns') AS unit
  FROM (SELECT DISTINCT finding, event FROM finding_event) a
  JOIN (SELECT DISTINCT finding, event FROM finding_event) b ON b.finding = a.finding AND b.event > a.event
  JOIN event e1 ON e1.id = a.event
  JOIN event e2 ON e2.id = b.event
  CROSS JOIN trace t),
known AS (
  SELECT p.finding, p.first, p.second, p.pid, p.cpu, p.error, p.unit, p.distance,
         CASE WHEN p.same_task THEN 'same task' WHEN p.same_cpu THEN 'same cpu'
              WHEN abs(p.distance) > p.error THEN 'apart' ELSE 'open' END AS kind
  FROM pair p)
SELECT k.finding,
       CASE WHEN k.kind = 'apart' AND k.distance < 0 THEN k.second ELSE coalesce(v.first_event, k.first) END,
       CASE WHEN k.kind = 'apart' AND k.distance < 0 THEN k.first ELSE coalesce(v.second_event, k.second) END,
       CASE WHEN k.kind = 'open' THEN coalesce(v.kind, 'open') ELSE k.kind END,
       CASE k.kind
         WHEN 'same task' THEN printf('program order of task %d', k.pid)
         WHEN 'same cpu' THEN printf('buffer of cpu %d', k.cpu)
         WHEN 'apart' THEN CASE
           WHEN k.unit = 'ticks' THEN printf('%d ticks apart, clock error %d', abs(k.distance), k.error)
           WHEN abs(k.distance) >= 1000000000 THEN printf('%.1f s apart, clock error %d ns', abs(k.distance) / 1e9, k.error)
           WHEN abs(k.distance) >= 1000000 THEN printf('%.1f ms apart, clock error %d ns', abs(k.distance) / 1e6, k.error)
           WHEN abs(k.distance) >= 1000 THEN printf('%.1f us apart, clock error %d ns', abs(k.distance) / 1e3, k.error)
           ELSE printf('%d ns apart, clock error %d ns', abs(k.distance), k.error) END
         ELSE coalesce(v.detail, 'of different cpus, and nothing proves which was first') END,
       CASE WHEN k.kind = 'apart' THEN k.error END
FROM known k
LEFT JOIN proof v ON v.finding = k.finding AND k.kind = 'open'
     AND ((v.first_event = k.first AND v.second_event = k.second) OR (v.first_event = k.second AND v.second_event = k.first));

-- Which rules could be judged on this recording, and what the others miss.
CREATE VIEW rule_results(trace_id, rule, severity, applicable, missing, findings) AS
SELECT 1, rule, severity, applicable, missing, findings FROM rule_result;

-- Kinds of events and the views that hold their typed fields (sql_name): event_id, common_ts, common_cpu,
-- common_pid, common_tgid, common_comm, then the fields as printed (columns). Names compare without case; one
-- that is taken by a view or table of this file, or by another shape, gets _event, _probe, _2. A field is an
-- integer if its radix is known (the event's format, our own table, 0x) or all its values are decimal, else
-- text; 64-bit values are two's complement; empty and unreadable ones are NULL.
CREATE VIEW event_kinds(name, system, shape, sql_name, rows, columns) AS
SELECT name, system, shape, sql_name, rows, columns FROM kind;

-- page_refs is made for each recording (db/kind_views.cc), because its columns sit where the kernel prints them:
--
-- page_refs(event_id, ts, cpu, pid, comm, pfn, lifetime_id, op, delta, ret, observed, replayed, flags,
--           replayed_lo, replayed_hi, order_seq)
-- Reference count events. op: set, mod, mod_and_test, mod_and_return, mod_unless, freeze, unfreeze. observed is
-- the printed count, sampled after the operation; replayed is the model's count after the event, replayed_lo
-- and replayed_hi its bounds where it is not exact. Sorted by order_seq, a page's events are in the order they
-- happened as far as their values tell: an event logged before one it came after has that one's event_id, any other
-- its own. replayed is the count in that order.
