-- name: migration_stall
-- severity: warning
-- summary: a migration kept a task from its page
-- why: The fault does not end: the program hangs, and the hung task detector fires after two minutes. Either the
--   migration does not come to its end, or the task faults on the page again and again.
-- requires: page_waits, nanoseconds, all_events
-- reference: mm/migrate.c:migrate_pages retries a page ten times; kernel/hung_task.c

-- Stall: a task waited for 10 s on a page under migration that was not freed meanwhile. Sound migrations of a huge
-- page take milliseconds, under emulation 100 ms. A wait without a recorded end counts where the task is seen to go
-- to sleep and nobody wakes it.
-- Livelock: a task waited for one life of a page 100 times within 10 ms. One aborted attempt to move a page takes longer
-- than the tenth of a millisecond this leaves for each.
-- Waits that wait_on_freed_page reports are not reported again.
WITH waits AS NOT MATERIALIZED (
  SELECT w.id, w.pid, w.comm, w.pfn, w.lifetime_id, w.function, w.begin_event, w.end_event, w.begin_ts, x.path,
         CASE WHEN x.death_ts > w.begin_ts THEN x.death_ts
              WHEN w.end_ts IS NOT NULL THEN w.end_ts
              WHEN w.outcome = 'open' AND x.asleep_event IS NOT NULL AND x.woken_event IS NULL
                   AND x.over_event IS NULL THEN t.last_ts
         END - w.begin_ts AS stalled,
         max(coalesce(x.death_ts, w.begin_ts), coalesce(w.end_ts, t.last_ts)) - w.begin_ts AS at_most
  FROM page_waits w
  JOIN page_wait_evidence x ON x.wait_id = w.id
  JOIN trace_evidence t ON t.trace_id = w.trace_id
  WHERE (x.path IN ('numa fault', 'pmd migration entry', 'pte migration entry', 'hugetlb migration entry')
         OR w.function IN ('migration_entry_wait_on_locked', 'softleaf_entry_wait_on_locked'))
    AND NOT x.gap
),
-- One stalled page is one finding, however many tasks wait for it: the longest wait (SQLite takes the other columns
-- from the row with the maximum).
stalls AS (
  SELECT 'stall' AS kind, *, count(DISTINCT pid) AS tasks, max(stalled) AS longest
  FROM waits
  WHERE at_most > 10000000000 AND stalled > 10000000000
  GROUP BY coalesce(lifetime_id, -id)
),
storms AS (
  SELECT 'livelock' AS kind, *, 1 AS tasks, min(begin_event) AS longest
  FROM (SELECT *, begin_ts - lag(begin_ts, 99) OVER (PARTITION BY pid, lifetime_id ORDER BY begin_event) AS hundred
        FROM waits
        -- Of 100 waits of one task within 10 ms all but the last one are as short.
        WHERE (pid, lifetime_id) IN (SELECT pid, lifetime_id FROM page_waits
                                     WHERE coalesce(end_ts, begin_ts) - begin_ts <= 10000000
                                     GROUP BY pid, lifetime_id HAVING count(*) >= 99))
  WHERE hundred <= 10000000
  GROUP BY pid, lifetime_id
)
SELECT
  'confirmed' AS grade,
  'page_waits' AS subject,
  s.id AS subject_id,
  s.pfn,
  s.pid,
  s.comm,
  CASE s.kind
    WHEN 'stall' THEN printf('%d %s waited up to %d ms for a page under migration', s.tasks, iif(s.tasks = 1, 'task', 'tasks'),
                             s.longest / 1000000)
    ELSE 'waited for a page under migration 100 times within 10 ms'
  END AS summary,
  s.kind AS fingerprint,
  s.begin_event AS wait_event,
  s.end_event AS woken_event
FROM (SELECT id, pid, comm, pfn, begin_event, end_event, kind, tasks, longest FROM stalls
      UNION ALL
      SELECT id, pid, comm, pfn, begin_event, end_event, kind, tasks, longest FROM storms) s
JOIN page_waits w ON w.id = s.id
WHERE w.verdict IN ('benign', 'unknown')
ORDER BY s.begin_event;
