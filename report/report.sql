-- What reports ask. One statement per name.

-- name: verdict
SELECT
  (SELECT lines_events FROM traces) AS events,
  (SELECT coalesce(sum(findings), 0) FROM rule_results WHERE severity IN ('error', 'warning')) AS findings,
  (SELECT count(*) FROM rule_results WHERE rule = 'wait_on_freed_page' AND applicable) AS wait_rule_applicable,
  EXISTS (SELECT 1 FROM trace_issues WHERE severity = 'error') AS incomplete,
  EXISTS (SELECT 1 FROM trace_issues WHERE kind = 'events in disorder') AS in_disorder;

-- name: clock
SELECT clock, clock_unit = 'ticks', clock_error FROM trace;

-- name: input
SELECT path, format, kernel_release, machine, lines_total, lines_events, lines_comments, lines_continuations,
       lines_markers, lines_rejected
FROM traces;

-- name: sources
SELECT role, path, lines_total FROM sources ORDER BY id;

-- Findings that count: those of severity info are for the reader to know, see `also seen`.
-- name: grades
SELECT f.grade, count(*) FROM findings f JOIN rule_result r ON r.rule = f.rule WHERE r.severity <> 'info' GROUP BY f.grade;

-- name: also seen
SELECT rule, summary, findings FROM rule_result WHERE severity = 'info' AND findings > 0 ORDER BY rule;

-- Those that count before those of severity info, then the strongest first: grade, then those that queued on a free page, then those the kernel complained about.
-- name: findings
SELECT f.id, f.rule, f.grade, f.comm, f.pid, f.pfn, f.subject, f.subject_id, f.summary, f.fingerprint,
       w.function, w.begin_ts, w.end_ts, w.protection, w.outcome, x.death_comm, x.death_pid, x.death_ts, x.event_order,
       x.order_ns, CASE WHEN w.outcome LIKE 'freed%' THEN x.report_id END AS report_id,
       r.severity
FROM findings f
JOIN rule_result r ON r.rule = f.rule
LEFT JOIN page_waits w ON f.subject = 'page_waits' AND w.id = f.subject_id
LEFT JOIN page_wait_evidence x ON x.wait_id = w.id
ORDER BY r.severity = 'info', f.grade <> 'confirmed', f.grade <> 'probable', w.outcome IS NOT 'freed_before_queue',
         CASE WHEN w.outcome LIKE 'freed%' THEN x.report_id END IS NULL, w.begin_event, f.id;

-- name: evidence
SELECT event_id, role FROM finding_events WHERE finding_id = ?1 ORDER BY event_id, role;

-- Orders of its events, in the order of the trace.
-- name: proofs
SELECT first_event, second_event, kind, detail FROM proofs WHERE finding_id = ?1
ORDER BY min(first_event, second_event), max(first_event, second_event);

-- name: kernel report
SELECT r.kind, r.comm, r.flags, r.reason, r.pfn, s.path, r.line
FROM console_report r LEFT JOIN source s ON s.id = r.source
WHERE r.id = ?1;

-- Findings of one cause, the strongest cause first.
-- name: groups
SELECT f.fingerprint, f.rule, r.severity, r.summary, r.why, r.reference, sum(f.grade = 'confirmed'),
       sum(f.grade = 'probable'), sum(f.grade = 'latent'), count(DISTINCT f.pfn), count(DISTINCT f.pid)
FROM findings f JOIN rule_result r ON r.rule = f.rule
WHERE r.severity <> 'info'
GROUP BY f.fingerprint
ORDER BY max(CASE f.grade WHEN 'confirmed' THEN 3 WHEN 'probable' THEN 2 ELSE 1 END) DESC,
         count(*) DESC, f.fingerprint;

-- name: strongest of groups
SELECT fingerprint, id, summary
FROM (SELECT f.fingerprint, f.id, f.summary, row_number() OVER (
        PARTITION BY f.fingerprint
        ORDER BY f.grade <> 'confirmed', f.grade <> 'probable', w.outcome IS NOT 'freed_before_queue',
                 CASE WHEN w.outcome LIKE 'freed%' THEN x.report_id END IS NULL, w.begin_event, f.id) AS place
      FROM findings f
      LEFT JOIN page_waits w ON f.subject = 'page_waits' AND w.id = f.subject_id
      LEFT JOIN page_wait_evidence x ON x.wait_id = w.id)
WHERE place = 1;

-- name: functions of groups
SELECT DISTINCT f.fingerprint, w.function
FROM findings f JOIN page_waits w ON w.id = f.subject_id
WHERE f.subject = 'page_waits'
ORDER BY 1, 2;

-- The most frequent one.
-- name: contracts of groups
SELECT fingerprint, contract
FROM (SELECT f.fingerprint, x.contract,
             row_number() OVER (PARTITION BY f.fingerprint ORDER BY count(*) DESC, x.contract) AS place
      FROM findings f JOIN page_wait_evidence x ON x.wait_id = f.subject_id
      WHERE f.subject = 'page_waits' AND x.contract <> ''
      GROUP BY f.fingerprint, x.contract)
WHERE place = 1;

-- Of each wait what it is counted by and what its verdict rests on: of waits of which all but the id are the same, the
-- verdict is the same; NULL: of no wait that an analysis writes. Where the kernel reported, a wait on a page that was freed is its own kind.
-- name: wait kinds
SELECT id, function, call_function, reason,
       CASE WHEN protection BETWEEN 0 AND 4 AND protection <> 3 AND outcome BETWEEN 0 AND 5
            THEN (judged <> 0) + (weakened <> 0) * 2 + (event_order >= 2) * 4 + (gap = 1) * 8 + protection * 16 + outcome * 128
       END AS facts,
       CASE WHEN outcome BETWEEN 2 AND 4 AND EXISTS (SELECT 1 FROM console_report) THEN id END AS only
FROM page_wait;

-- Waits are told by verdict; legal ones by why they are, unknown ones by what is missing, the rest by what became
-- of the page. The caller is the call in which the page was found.
-- name: verdict of wait
SELECT verdict, CASE WHEN verdict IN ('benign', 'unknown') THEN '' ELSE outcome END FROM page_waits WHERE id = ?1;

-- name: texts of wait
SELECT f.text, coalesce(k.text, ''), r.text, x.contract
FROM page_wait w
JOIN page_wait_evidence x ON x.wait_id = w.id
JOIN string f ON f.id = w.function
JOIN string r ON r.id = w.reason
LEFT JOIN string k ON k.id = w.call_function
WHERE w.id = ?1;

-- name: waits that ended
SELECT EXISTS (SELECT 1 FROM page_wait WHERE end_event IS NOT NULL);

-- By result, in the order of their names.
-- name: migrations
WITH results AS MATERIALIZED (
  SELECT sum(result = 2) AS failed, sum(result = 1) AS migrated, sum(result = 0) AS unknown FROM migration
)
SELECT 'failed', failed FROM results
UNION ALL SELECT 'migrated', migrated FROM results
UNION ALL SELECT 'unknown', unknown FROM results;

-- name: reports
SELECT count(*) FROM console_reports;

-- name: rules
SELECT rule, applicable, missing, findings, severity, summary, why, reference FROM rule_result ORDER BY rule;

-- Events, probed functions and views the recording could have shown.
-- name: recordable
SELECT name FROM recordable;

-- name: fidelity
SELECT t.ref_anchors, t.ref_anchors_matched, b.ref_first_mismatch,
       (SELECT line FROM events WHERE id = b.ref_first_mismatch)
FROM traces t JOIN trace b ON b.id = t.id;

-- Of each anomaly.
-- name: anomalies
SELECT invariant FROM anomaly;

-- name: gaps
SELECT cpu, from_ts, to_ts, lost FROM gaps ORDER BY cpu, from_ts, id;

-- name: issues
SELECT severity, kind, count, text, first_line FROM trace_issues;

-- name: near misses
SELECT n.comm, n.pid, n.pfn, n.function, n.begin_ts, n.end_ts, n.outcome, n.reason, n.failed_step, n.event_id,
       (SELECT e.line FROM event e WHERE e.id = n.event_id)
FROM near_misses n
ORDER BY n.begin_event, n.wait_id;

-- For the doctor: what there was of each kind of evidence.
-- name: evidence had
SELECT 'waits on pages', (SELECT count(*) FROM page_wait)
UNION ALL SELECT 'events of reference counts', (SELECT coalesce(sum(rows), 0) FROM event_kinds WHERE name LIKE 'page\_ref\_%' ESCAPE '\')
UNION ALL SELECT 'frees and allocations of pages', (SELECT coalesce(sum(rows), 0) FROM event_kinds WHERE name IN ('mm_page_free', 'mm_page_alloc'))
UNION ALL SELECT 'holdings of page-table locks', (SELECT count(*) FROM ptl_hold)
UNION ALL SELECT 'migrations', (SELECT count(*) FROM migration)
UNION ALL SELECT 'task switches and wake-ups', (SELECT coalesce(sum(rows), 0) FROM event_kinds WHERE name IN ('sched_switch', 'sched_waking', 'sched_wakeup'))
UNION ALL SELECT 'kernel reports on pages', (SELECT count(*) FROM console_reports);

-- What a diagram needs of its wait.
-- name: diagram wait
SELECT w.comm, w.pid, w.pfn, w.function, w.begin_event, w.end_event, w.protection, w.outcome, w.why, x.call_event,
       x.lock_acquired_event, x.lock_dropped_event, x.reference_event, x.asleep_event, x.woken_event, x.death_event,
       x.death_comm, x.death_pid, x.free_event, x.event_order, x.order_ns, x.report_id,
       (SELECT h.lock FROM ptl_holds h WHERE h.id = w.ptl_hold_id) AS lock,
       (SELECT l.page_order FROM page_lifetimes l WHERE l.id = w.lifetime_id) AS page_order
FROM findings f
JOIN page_waits w ON w.id = f.subject_id
JOIN page_wait_evidence x ON x.wait_id = w.id
WHERE f.id = ?1 AND f.subject = 'page_waits';

-- The releaser's migration of the page: the last one it began before the page died.
-- name: diagram migration
SELECT begin_event, end_event FROM migrations
WHERE src_pfn = ?1 AND pid = ?2 AND begin_event <= ?3
ORDER BY begin_event DESC LIMIT 1;

-- What others did to the page in the meantime.
-- name: diagram page events
SELECT e.id FROM event e
WHERE e.pfn = ?1 AND e.id BETWEEN ?2 AND ?3 AND e.pid IS NOT ?4
ORDER BY e.id;

-- The releaser's holdings of the waiter's own lock in the meantime.
-- name: diagram holds
SELECT acquire_event, release_event, lock FROM ptl_hold
WHERE pid = ?1 AND acquire_event BETWEEN ?2 AND ?3 AND lock = ?4
ORDER BY acquire_event LIMIT 4;

-- Page-table locks a task held at an event. Holds nest a few deep at most.
-- name: holds at
SELECT acquire_event, release_event, lock FROM (
  SELECT h.acquire_event, h.release_event, h.lock FROM ptl_hold h
  WHERE h.pid = ?1 AND h.acquire_event <= ?2
  ORDER BY h.acquire_event DESC LIMIT 8)
WHERE release_event >= ?2
ORDER BY acquire_event;

-- The latest locks a task took after one event and up to another.
-- name: holds taken
SELECT acquire_event, release_event, lock FROM ptl_hold
WHERE pid = ?1 AND acquire_event > ?2 AND acquire_event <= ?3
ORDER BY acquire_event DESC LIMIT ?4;

-- name: count at
SELECT replayed FROM event WHERE pfn = ?1 AND id <= ?2 AND (delta IS NOT NULL OR replayed IS NOT NULL) ORDER BY id DESC LIMIT 1;

-- Its texts are asked for by themselves: they repeat.
-- name: event line
SELECT ts, cpu, pid, comm, kind, args, line, context, tgid, source, replayed FROM event WHERE id = ?1;

-- name: string
SELECT text FROM string WHERE id = ?1;

-- name: name of kind
SELECT name FROM kind WHERE id = ?1;

-- name: path of source
SELECT path FROM source WHERE id = ?1;

-- The biography of a page. Lives of the block it heads, and of larger blocks around it: ?2 is the largest order.
-- name: page lives
WITH RECURSIVE block(page_order, head) AS (
  SELECT 0, ?1
  UNION ALL
  SELECT page_order + 1, (?1 >> (page_order + 1)) << (page_order + 1) FROM block WHERE page_order < ?2)
SELECT DISTINCT l.id, l.pfn, l.page_order, l.quality, l.alloc_ts, l.alloc_pid,
       (SELECT comm FROM events WHERE id = l.alloc_event) AS alloc_comm, l.free_ts, l.free_pid,
       (SELECT comm FROM events WHERE id = l.free_event) AS free_comm, l.alloc_event
FROM block b
JOIN page_lifetimes l ON l.pfn = b.head AND (b.head = ?1 OR l.page_order >= b.page_order)
ORDER BY coalesce(l.alloc_event, 0), l.id;

-- name: page events
SELECT id, lifetime FROM event WHERE pfn = ?1
UNION ALL
SELECT event, NULL FROM event_page WHERE pfn = ?1
ORDER BY 1;

-- name: page waits
SELECT w.id, w.begin_event, w.end_event, w.comm, w.pid, w.function, w.protection, w.outcome, w.verdict, w.why, w.lifetime_id,
       x.lock_acquired_event, x.lock_dropped_event, x.call_event, x.asleep_event, x.woken_event,
       (SELECT h.lock FROM ptl_holds h WHERE h.id = w.ptl_hold_id) AS lock, w.begin_ts, w.end_ts
FROM page_waits w JOIN page_wait_evidence x ON x.wait_id = w.id
WHERE w.pfn = ?1
ORDER BY w.begin_event, w.id;

-- name: page migrations
SELECT comm, pid, src_pfn, dst_pfn, reason, begin_event, end_event, result, why
FROM migrations WHERE src_pfn = ?1
UNION ALL
SELECT comm, pid, src_pfn, dst_pfn, reason, begin_event, end_event, result, why
FROM migrations WHERE dst_pfn = ?1
ORDER BY begin_event;

-- name: page findings
SELECT id, grade, rule, subject, subject_id, summary,
       CASE subject WHEN 'anomalies' THEN (SELECT lifetime FROM anomaly WHERE id = subject_id)
                    WHEN 'page_lifetimes' THEN subject_id END
FROM findings WHERE pfn = ?1 ORDER BY id;

-- name: page reports
SELECT r.id, (SELECT lifetime_id FROM report_matches m WHERE m.report_id = r.id) FROM console_reports r
WHERE r.pfn = ?1 ORDER BY r.line;

-- name: page anomalies
SELECT event_id, invariant, detail FROM anomalies WHERE pfn = ?1 ORDER BY id;

-- Pictures: waits on a page that touch a stretch of the trace.
-- name: waits on page between
SELECT comm, pid, begin_event, end_event FROM page_waits
WHERE pfn = ?1 AND begin_event <= ?3 AND (end_event IS NULL OR end_event >= ?2)
ORDER BY begin_event, id;

-- name: lives of page
SELECT alloc_event, free_event FROM page_lifetimes WHERE pfn = ?1 ORDER BY coalesce(alloc_event, 0), id;

-- name: page of finding
SELECT pfn FROM findings WHERE id = ?1;

-- The overview: how much there is, when it was, and the most telling of it.
-- name: overview totals
SELECT (SELECT count(*) FROM page_wait) AS waits, (SELECT count(begin_ts) FROM page_wait) AS with_time,
       (SELECT count(*) FROM migration) AS migrations, (SELECT count(coalesce(begin_ts, end_ts)) FROM migration) AS with_time,
       (SELECT count(*) FROM ptl_hold) AS holds, (SELECT count(coalesce(acquire_ts, release_ts)) FROM ptl_hold) AS with_time;

-- name: overview waits
SELECT w.comm, w.pid, w.begin_ts, w.end_ts, w.verdict, w.pfn, w.function, w.outcome, w.protection
FROM page_waits w
WHERE w.begin_ts IS NOT NULL
ORDER BY CASE w.verdict WHEN 'confirmed' THEN 0 WHEN 'probable' THEN 1 WHEN 'latent' THEN 2 WHEN 'unknown' THEN 3 ELSE 4 END,
         coalesce(w.end_ts - w.begin_ts, 0) DESC, w.id
LIMIT ?1;

-- name: overview migrations
SELECT comm, pid, begin_ts, end_ts, result, src_pfn, dst_pfn, why
FROM migrations
WHERE begin_ts IS NOT NULL OR end_ts IS NOT NULL
ORDER BY coalesce(end_ts - begin_ts, 0) DESC, id
LIMIT ?1;

-- name: overview holds
SELECT comm, pid, acquire_ts, release_ts, lock, contended_ts IS NOT NULL, protects
FROM ptl_holds
WHERE acquire_ts IS NOT NULL OR release_ts IS NOT NULL
ORDER BY coalesce(release_ts - acquire_ts, 0) DESC, id
LIMIT ?1;

-- name: overview reports
SELECT ts, id FROM console_reports WHERE ts IS NOT NULL AND ts_error_ns IS NOT NULL ORDER BY ts, id LIMIT ?1;

-- Perfetto: rows of a task by begin, the longer first, so that each fits into or behind those before it.
-- name: perfetto waits
SELECT comm, pid, function, begin_ts, end_ts, id, pfn, verdict, protection, outcome, why, begin_event, end_event
FROM page_waits ORDER BY pid, begin_ts, end_ts DESC, id;

-- name: perfetto migrations
SELECT comm, pid, begin_ts, end_ts, id, src_pfn, dst_pfn, reason, result, why, begin_event, end_event
FROM migrations ORDER BY pid, begin_ts, end_ts DESC, id;

-- name: perfetto holds
SELECT comm, pid, acquire_ts, release_ts, id, lock, protects, contended_ts IS NOT NULL, acquire_event, release_event
FROM ptl_holds ORDER BY pid, acquire_ts, release_ts DESC, id;

-- name: perfetto has switches
SELECT EXISTS (SELECT 1 FROM event_kinds WHERE name = 'sched_switch' AND sql_name = 'sched_switch'
               AND ' ' || columns || ' ' LIKE '% prev_pid %' AND ' ' || columns || ' ' LIKE '% next_pid %'
               AND ' ' || columns || ' ' LIKE '% next_comm %');

-- One value that could not be read makes texts of all.
-- name: perfetto switches
WITH switches AS (
  SELECT event_id, common_cpu, common_ts, next_comm,
         iif(CAST(CAST(next_pid AS INTEGER) AS TEXT) = CAST(next_pid AS TEXT), CAST(next_pid AS INTEGER), NULL) AS next_pid,
         iif(CAST(CAST(prev_pid AS INTEGER) AS TEXT) = CAST(prev_pid AS TEXT), CAST(prev_pid AS INTEGER), NULL) AS prev_pid
  FROM sched_switch
)
SELECT common_cpu, common_ts, lead(common_ts) OVER cpu AS until, next_pid, next_comm, lead(prev_pid) OVER cpu AS left_pid
FROM switches WINDOW cpu AS (PARTITION BY common_cpu ORDER BY event_id)
ORDER BY common_cpu, event_id;

-- name: perfetto gaps
SELECT cpu, from_ts, to_ts, lost FROM gaps ORDER BY cpu, from_ts, to_ts DESC, id;

-- name: perfetto counts
SELECT e.pfn, e.lifetime, e.ts, e.replayed
FROM event e
WHERE e.pfn IN (SELECT pfn FROM finding WHERE pfn IS NOT NULL) AND (e.delta IS NOT NULL OR e.replayed IS NOT NULL)
ORDER BY e.pfn, e.id;

-- A finding lasts from its first piece of evidence to its last.
-- name: perfetto findings
SELECT f.comm, f.pid, (SELECT min(e.ts) FROM finding_event x JOIN event e ON e.id = x.event WHERE x.finding = f.id) AS begin_ts,
       (SELECT max(e.ts) FROM finding_event x JOIN event e ON e.id = x.event WHERE x.finding = f.id) AS end_ts,
       NULL, f.id, f.grade, f.rule, f.pfn, f.summary, f.fingerprint
FROM findings f ORDER BY f.pid, begin_ts, end_ts DESC, f.id;

-- name: perfetto reports
SELECT id, ts, ts_error_ns FROM console_reports ORDER BY line, id;
