-- Takes a database of schema 5 back to what schema 3 was: columns that were appended since are dropped, phrases of
-- waits are texts again, and views read events where they now read those columns.
DROP VIEW traces;
DROP VIEW report_matches;
DROP VIEW page_wait_evidence;
DROP VIEW anomaly_evidence;
DROP VIEW migration_evidence;
UPDATE page_wait SET contract = (SELECT text FROM string WHERE id = contract),
                     reason = (SELECT text FROM string WHERE id = reason);
DELETE FROM string WHERE id < 0;
CREATE VIEW traces(id, path, format, kernel_release, machine, clock, page_shift, lines_total, lines_events,
                   lines_comments, lines_continuations, lines_markers, lines_rejected, ref_anchors,
                   ref_anchors_matched, clock_unit) AS
SELECT id, path, format, kernel_release, machine, clock, page_shift, lines_total, lines_events,
       lines_comments, lines_continuations, lines_markers, lines_rejected, ref_anchors,
       ref_anchors_matched, clock_unit
FROM trace;
CREATE VIEW report_matches(report_id, lifetime_id) AS
SELECT r.id, l.id
FROM console_report r
JOIN page_lifetime l ON l.pfn = r.pfn
WHERE (r.kind = 'bad_page_state'
       -- PG_waiters set while the page was being freed (__free_one_page): the kernel stops there
       OR r.kind = 'vm_bug_on_page' AND r.reason LIKE 'VM_BUG_ON_PAGE(page->flags &%')
  AND '|' || r.flags || '|' LIKE '%|waiters|%'
  AND l.free_event IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM page_lifetime later WHERE later.pfn = l.pfn AND later.id > l.id);
CREATE VIEW page_wait_evidence(wait_id, call_event, lock_acquired_event, lock_dropped_event, reference_event,
                               asleep_event, woken_event, death_event, death_ts, death_pid, death_comm,
                               free_event, event_order, order_ns, gap, reason, report_id, contract, path,
                               unlocked_event, unlocked_ts, woken_ts, over_event, over_ts) AS
SELECT w.id, w.call_event, (SELECT h.acquire_event FROM ptl_hold h WHERE h.id = w.hold), w.lock_dropped,
       w.reference_event, w.asleep_event, w.woken_event, w.death_event, w.death_ts, w.death_pid,
       (SELECT s.text FROM event e JOIN string s ON s.id = e.comm WHERE e.id = w.death_event),
       w.free_event,
       CASE w.event_order WHEN 0 THEN 'none' WHEN 1 THEN 'open' WHEN 2 THEN 'same cpu' WHEN 3 THEN 'apart' WHEN 4 THEN 'count'
            WHEN 5 THEN 'lock hand-over' WHEN 6 THEN 'wake-up' WHEN 7 THEN 'fork' END,
       w.order_ns, w.gap, w.reason,
       (SELECT min(m.report_id) FROM report_matches m WHERE m.lifetime_id = w.lifetime
        OR w.outcome = 2 AND m.lifetime_id = w.frame_life),
       w.contract,
       CASE w.path WHEN 0 THEN 'unknown' WHEN 1 THEN 'numa fault' WHEN 2 THEN 'pmd migration entry'
                   WHEN 3 THEN 'pte migration entry' WHEN 4 THEN 'hugetlb migration entry' WHEN 5 THEN 'page cache' END,
       w.unlocked_event, w.unlocked_ts, (SELECT e.ts FROM event e WHERE e.id = w.woken_event),
       w.over_event, w.over_ts
FROM page_wait w;
CREATE VIEW anomaly_evidence(anomaly_id, kind, certainty, earlier_event, lifetime_id, comm) AS
SELECT a.id, a.kind, CASE a.certainty WHEN 0 THEN 'open' WHEN 1 THEN 'if complete' WHEN 2 THEN 'certain' END,
       a.earlier, a.lifetime, (SELECT s.text FROM event e JOIN string s ON s.id = e.comm WHERE e.id = a.event)
FROM anomaly a;
CREATE VIEW migration_evidence(migration_id, holders, holder_pid, holder_comm, holder_event) AS
SELECT m.id, m.holders, m.holder_pid,
       (SELECT s.text FROM event e JOIN string s ON s.id = e.comm WHERE e.id = m.holder_event), m.holder_event
FROM migration m;
ALTER TABLE page_wait DROP COLUMN call_function;
ALTER TABLE page_wait DROP COLUMN woken_ts;
ALTER TABLE page_wait DROP COLUMN death_comm;
ALTER TABLE migration DROP COLUMN holder_comm;
ALTER TABLE anomaly DROP COLUMN comm;
PRAGMA writable_schema=ON;
UPDATE sqlite_schema
SET sql = replace(replace(sql, 'contract      INTEGER', 'contract      TEXT'), 'reason        INTEGER', 'reason        TEXT')
WHERE name = 'page_wait';
PRAGMA writable_schema=RESET;
PRAGMA user_version=3;
