-- Named queries: `mmreplay query DB @NAME`. The line under the name says what it shows. Numbers that
-- people read as hex are printed so here; the views hold integers.

-- name: waits
-- Waits on pages, the worst first: who, which page, what protected it, what became of it.
SELECT w.id, w.verdict, w.comm, w.pid, printf('%#x', w.pfn) AS pfn, w.function, w.protection, w.outcome, w.begin_ts,
       w.end_ts, w.end_ts - w.begin_ts AS duration, w.begin_event, w.why
FROM page_waits w
ORDER BY CASE w.verdict WHEN 'confirmed' THEN 0 WHEN 'probable' THEN 1 WHEN 'latent' THEN 2 WHEN 'unknown' THEN 3 ELSE 4 END,
         w.begin_event;

-- name: findings
-- Findings with their evidence.
SELECT f.id, f.grade, f.rule, f.comm, f.pid, printf('%#x', f.pfn) AS pfn,
       (SELECT group_concat(role || ' ' || event_id, ', ')
        FROM (SELECT role, event_id FROM finding_events WHERE finding_id = f.id ORDER BY event_id)) AS evidence,
       f.summary
FROM findings f
ORDER BY f.grade <> 'confirmed', f.grade <> 'probable', f.id;

-- name: migrations
-- Pages moved or attempted to, with how long it took and why it failed.
SELECT id, result, comm, pid, printf('%#x', src_pfn) AS src_pfn, printf('%#x', dst_pfn) AS dst_pfn, reason, begin_ts,
       end_ts - begin_ts AS duration, begin_event, end_event, why
FROM migrations
ORDER BY begin_event;

-- name: locks
-- Page-table locks by the longest hold.
SELECT printf('%#x', lock) AS lock, count(*) AS holds, max(release_ts - acquire_ts) AS longest,
       sum(release_ts - acquire_ts) AS total, count(contended_ts) AS contended, count(DISTINCT pid) AS tasks,
       max(protects) AS protects
FROM ptl_holds
GROUP BY 1
ORDER BY longest DESC, holds DESC, lock;

-- name: holds
-- The longest single holdings of page-table locks.
SELECT id, release_ts - acquire_ts AS held, comm, pid, printf('%#x', lock) AS lock, acquire_ts, acquire_event,
       release_event, contended_ts IS NOT NULL AS contended, protects
FROM ptl_holds
WHERE release_ts IS NOT NULL AND acquire_ts IS NOT NULL
ORDER BY held DESC, id
LIMIT 100;

-- name: lifetimes
-- Lives of page blocks.
SELECT id, printf('%#x', pfn) AS pfn, page_order, quality, alloc_ts, free_ts, free_ts - alloc_ts AS lived, alloc_pid,
       free_pid, alloc_event, free_event
FROM page_lifetimes
ORDER BY id;

-- name: pages
-- Frames that had several lives, the busiest first.
SELECT printf('%#x', pfn) AS pfn, count(*) AS lives, max(page_order) AS page_order, min(alloc_ts) AS first_alloc,
       max(free_ts) AS last_free
FROM page_lifetimes
GROUP BY page_lifetimes.pfn
HAVING count(*) > 1
ORDER BY lives DESC, page_lifetimes.pfn;

-- name: tasks
-- Tasks by what they did to pages and locks.
WITH task(pid) AS (SELECT pid FROM page_waits UNION SELECT pid FROM ptl_holds UNION SELECT pid FROM migrations)
SELECT t.pid, (SELECT max(comm) FROM events e WHERE e.pid = t.pid) AS comm,
       (SELECT count(*) FROM page_waits w WHERE w.pid = t.pid) AS waits,
       (SELECT sum(end_ts - begin_ts) FROM page_waits w WHERE w.pid = t.pid) AS waited,
       (SELECT count(*) FROM ptl_holds h WHERE h.pid = t.pid) AS holds,
       (SELECT max(release_ts - acquire_ts) FROM ptl_holds h WHERE h.pid = t.pid) AS longest_hold,
       (SELECT count(*) FROM migrations m WHERE m.pid = t.pid AND m.result = 'migrated') AS migrated,
       (SELECT count(*) FROM migrations m WHERE m.pid = t.pid AND m.result = 'failed') AS failed
FROM task t
ORDER BY waits DESC, holds DESC, t.pid;

-- name: loss
-- Where events are missing, and what else is wrong with the recording.
SELECT 'gap' AS what, printf('cpu %d', cpu) AS place, lost AS count, from_ts, to_ts, '' AS text FROM gaps
UNION ALL
SELECT kind, CASE WHEN first_line IS NULL THEN '' ELSE printf('line %d', first_line) END, count, NULL, NULL, text
FROM trace_issues;

-- name: anomalies
-- Transitions that cannot happen on a healthy machine with a complete recording.
SELECT a.invariant, a.event_id, (SELECT e.line FROM events e WHERE e.id = a.event_id) AS line, a.ts, a.pid, x.comm,
       printf('%#x', a.pfn) AS pfn, x.kind, x.certainty, x.earlier_event, a.detail
FROM anomalies a JOIN anomaly_evidence x ON x.anomaly_id = a.id
ORDER BY a.id;

-- name: kinds
-- Kinds of events, with the view that holds their fields.
SELECT rows, name, shape, system, sql_name, columns FROM event_kinds ORDER BY rows DESC, name;

-- name: reports
-- What the kernel itself printed about pages, and the life each report fits.
SELECT r.id, r.line, r.kind, printf('%#x', r.pfn) AS pfn, r.flags, r.reason, r.comm, r.ts,
       (SELECT lifetime_id FROM report_matches m WHERE m.report_id = r.id) AS lifetime_id
FROM console_reports r
ORDER BY r.line;

-- name: aborts
-- Migrations that failed, with the tasks that took references on the page while it was tried.
SELECT m.id, m.comm, m.pid, printf('%#x', m.src_pfn) AS src_pfn, m.begin_ts, m.end_ts - m.begin_ts AS duration, m.why,
       (SELECT group_concat(DISTINCT r.comm || '-' || r.pid) FROM page_refs r
        WHERE r.pfn = m.src_pfn AND r.delta > 0 AND r.pid <> m.pid
          AND r.event_id BETWEEN m.begin_event AND m.end_event) AS referenced_by
FROM migrations m
WHERE m.result = 'failed'
ORDER BY m.begin_event;

-- name: rules
-- What each rule found, or what would have to be recorded for it.
SELECT rule, severity, applicable, findings, missing FROM rule_results ORDER BY applicable DESC, findings DESC, rule;

-- name: sources
-- Files of the recording.
SELECT id, role, path, lines_total FROM sources ORDER BY id;

-- name: groups
-- Findings of one cause, counted.
SELECT rule, fingerprint, count(*) AS findings, sum(grade = 'confirmed') AS confirmed, sum(grade = 'probable') AS probable,
       sum(grade = 'latent') AS latent, count(DISTINCT pfn) AS pages, count(DISTINCT pid) AS tasks
FROM findings
GROUP BY rule, fingerprint
ORDER BY confirmed DESC, findings DESC, fingerprint;

-- name: near_misses
-- Waits that matched all of wait_on_freed_page but one step, and the event that decided it.
SELECT wait_id AS id, comm, pid, printf('%#x', pfn) AS pfn, function, begin_ts, end_ts, outcome, failed_step, reason, event_id
FROM near_misses
ORDER BY begin_event, wait_id;
