-- name: migration_stall
-- severity: warning
-- summary: a migration kept a task from its page
-- why: The fault does not end: the program hangs, and the hung task detector fires after two minutes. Either the
--   migration does not come to its end, or the task faults on the page again and again.
-- requires: page_waits, nanoseconds, all_events
-- reference: mm/migrate.c:migrate_pages retries a page ten times; kernel/hung_task.c

-- Stall: a task waited for 10 s on a page under migration that was not freed meanwhile. Sound migrations of a huge
-- page take milliseconds, under emulation 100 ms. A wait without a recorded end counts as long as the task is seen to
-- sleep.
-- Livelock: a task waited for one life of a page 100 times within 10 ms. One aborted attempt to move a page takes longer
-- than the tenth of a millisecond this leaves for each.
-- Waits that wait_on_freed_page reports are not reported again.
WITH
-- Of 100 waits of one task within 10 ms all but the last one are as short.
restless AS MATERIALIZED (
  SELECT pid, lifetime_id
  FROM (SELECT pid, lifetime_id FROM page_waits WHERE wait_time <= 10000000
        UNION ALL
        SELECT pid, lifetime_id FROM page_waits WHERE end_ts IS NULL)
  GROUP BY pid, lifetime_id HAVING count(*) >= 99
),
-- What can be a stall or part of a livelock: where no task is restless no wait is looked at for it.
candidates AS (
  SELECT id FROM page_waits WHERE wait_time > 10000000000
  UNION
  SELECT id FROM page_waits WHERE end_ts IS NULL
  UNION
  SELECT w.id
  FROM (SELECT EXISTS (SELECT 1 FROM restless) AS are) restless_tasks
  CROSS JOIN page_waits w
  WHERE restless_tasks.are AND (w.pid, w.lifetime_id) IN (SELECT pid, lifetime_id FROM restless)
),
waits AS MATERIALIZED (
  SELECT w.id, w.pid, w.comm, w.pfn, w.lifetime_id, w.begin_event, w.end_event, w.begin_ts, x.death_ts,
         CASE WHEN w.end_ts IS NOT NULL THEN w.end_ts
              WHEN x.asleep_event IS NULL THEN NULL
              WHEN x.woken_event IS NOT NULL THEN x.woken_ts
              WHEN x.over_event IS NULL THEN (SELECT last_ts FROM trace_evidence)
         END AS waited_until
  FROM candidates k
  CROSS JOIN page_waits w ON w.id = k.id
  JOIN page_wait_evidence x ON x.wait_id = k.id
  WHERE (x.path IN ('numa fault', 'pmd migration entry', 'pte migration entry', 'hugetlb migration entry')
         OR w.function IN ('migration_entry_wait_on_locked', 'softleaf_entry_wait_on_locked'))
    AND NOT x.gap
    AND w.verdict IN ('benign', 'unknown')
),
-- One stalled page is one finding, however many tasks wait for it: the longest wait (SQLite takes the other columns
-- from the row with the maximum).
stalls AS (
  SELECT *, count(DISTINCT pid) AS tasks, max(stalled) AS longest
  FROM (SELECT *, iif(death_ts > begin_ts, min(death_ts, waited_until), waited_until) - begin_ts AS stalled
        FROM waits)
  WHERE stalled > 10000000000
  GROUP BY coalesce(lifetime_id, -id)
),
storms AS (
  SELECT *, min(begin_event)
  FROM (SELECT *, begin_ts - lag(begin_ts, 99) OVER (PARTITION BY pid, lifetime_id ORDER BY begin_event) AS hundred
        FROM waits
        WHERE (pid, lifetime_id) IN (SELECT pid, lifetime_id FROM restless))
  WHERE hundred <= 10000000
  GROUP BY pid, lifetime_id
)
SELECT
  'confirmed' AS grade,
  'page_waits' AS subject,
  id AS subject_id,
  pfn,
  pid,
  comm,
  summary,
  fingerprint,
  begin_event AS wait_event,
  end_event AS woken_event
FROM (SELECT id, pid, comm, pfn, begin_event, end_event, 'stall' AS fingerprint,
             printf('%d %s waited up to %d ms for a page under migration', tasks, iif(tasks = 1, 'task', 'tasks'),
                    longest / 1000000) AS summary
      FROM stalls
      UNION ALL
      SELECT id, pid, comm, pfn, begin_event, end_event, 'livelock' AS fingerprint,
             'waited for a page under migration 100 times within 10 ms' AS summary
      FROM storms)
ORDER BY begin_event;
