-- What triage asks of each log: its findings, in the order of reports, each with the event that shows it.

-- name: triage findings
SELECT f.rule, r.severity, f.grade, f.fingerprint, w.function, w.outcome, f.comm, f.pid, f.pfn, f.summary, s.path, e.line
FROM findings f
JOIN rule_result r ON r.rule = f.rule
LEFT JOIN page_waits w ON f.subject = 'page_waits' AND w.id = f.subject_id
LEFT JOIN page_wait_evidence x ON x.wait_id = w.id
LEFT JOIN event e ON e.id = coalesce(
    w.begin_event, (SELECT min(event_id) FROM finding_events WHERE finding_id = f.id))
LEFT JOIN sources s ON s.id = e.source
ORDER BY r.severity = 'info', f.grade <> 'confirmed', f.grade <> 'probable', w.outcome IS NOT 'freed_before_queue',
         CASE WHEN w.outcome LIKE 'freed%' THEN x.report_id END IS NULL, w.begin_event, f.id;

-- name: triage trace
SELECT t.format, t.kernel_release, t.machine, t.lines_total, t.lines_events, t.lines_rejected,
       (SELECT count(*) FROM sources), (SELECT count(*) FROM sources WHERE role = 'other')
FROM traces t;
