-- What the text report asks. One statement per name.

-- name: verdict
SELECT
  (SELECT lines_events FROM traces) AS events,
  (SELECT coalesce(sum(findings), 0) FROM rule_results WHERE severity IN ('error', 'warning')) AS findings,
  (SELECT count(*) FROM rule_results WHERE rule = 'wait_on_freed_page' AND applicable) AS wait_rule_applicable,
  (SELECT count(*) FROM page_waits WHERE verdict = 'unknown') AS unknown_waits,
  (SELECT count(*) FROM page_wait_evidence WHERE gap) AS waits_in_gaps;

-- name: grades
SELECT grade, count(*) FROM findings GROUP BY grade;

-- The strongest first: grade, then those that queued on a free page, then those the kernel complained about.
-- name: wait findings
SELECT f.grade, f.rule, w.comm, w.pid, x.death_comm, x.death_pid, w.pfn, x.death_ts, w.begin_ts, w.end_ts,
       (SELECT group_concat(event_id) FROM (SELECT event_id FROM finding_events
                                            WHERE finding_id = f.id ORDER BY event_id)) AS evidence,
       r.comm AS victim, r.flags, r.line, w.outcome, x.event_order, x.order_ns, r.kind
FROM findings f
JOIN page_waits w ON w.id = f.subject_id
JOIN page_wait_evidence x ON x.wait_id = w.id
LEFT JOIN console_reports r ON r.id = x.report_id AND w.outcome LIKE 'freed%'
WHERE f.subject = 'page_waits'
ORDER BY f.grade <> 'confirmed', f.grade <> 'probable', w.outcome <> 'freed_before_queue', r.id IS NULL,
         w.begin_event;

-- Waits by verdict; legal ones by why they are, unknown ones by what is missing, the rest by what became
-- of the page.
-- name: wait classes
SELECT w.verdict, w.function, x.reason,
       CASE WHEN w.verdict IN ('benign', 'unknown') THEN '' ELSE w.outcome END AS fate, count(*) AS n
FROM page_waits w
JOIN page_wait_evidence x ON x.wait_id = w.id
GROUP BY 1, 2, 3, 4
ORDER BY CASE w.verdict WHEN 'confirmed' THEN 0 WHEN 'probable' THEN 1 WHEN 'latent' THEN 2
                        WHEN 'unknown' THEN 3 ELSE 4 END,
         n DESC, w.function, x.reason, fate;

-- name: missing
SELECT rule, missing FROM rule_results WHERE NOT applicable ORDER BY rule;

-- name: fidelity
SELECT t.ref_anchors, t.ref_anchors_matched, b.ref_first_mismatch,
       (SELECT line FROM events WHERE id = b.ref_first_mismatch)
FROM traces t JOIN trace b ON b.id = t.id;

-- name: anomalies
SELECT invariant, count(*) FROM anomalies GROUP BY 1 ORDER BY 1;

-- name: input
SELECT path, format, kernel_release, machine, lines_total, lines_events, lines_comments, lines_continuations,
       lines_markers, lines_rejected, clock_unit = 'ticks' AS ticks
FROM traces;

-- name: clock
SELECT clock_unit = 'ticks', clock_error FROM trace;

-- name: gaps
SELECT cpu, from_ts, to_ts, lost, count(*) OVER () FROM gaps ORDER BY cpu, from_ts LIMIT 8;

-- name: issues
SELECT severity, count, text, first_line FROM trace_issues;
