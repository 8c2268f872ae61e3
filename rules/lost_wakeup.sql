-- name: lost_wakeup
-- severity: error
-- summary: a task was left asleep although its page was unlocked
-- why: Nothing will wake it any more: it stays in D state until a signal that it may not take, or for ever.
-- requires: page_waits, page_unlocks, mm_page_free, sched_switch, sched_waking, nanoseconds, all_events
-- reference: mm/filemap.c:folio_wake_bit (wake_up_page_bit), whose bookmark let waiters slip in 4.14 to 5.9

-- The page was unlocked while the task slept, and then freed: whoever else waited to lock it is through, and nobody will
-- unlock it again. The waiter is not woken within 1 s of that, nor seen to run. A page that lives on is not judged: a task that locks it
-- without an event may keep the waiter for as long as it likes. Only a wait of 1 s and more, or one without an end, is that
-- long after its page's unlock.
WITH candidates AS (
  SELECT id FROM page_waits WHERE wait_time >= 1000000000
  UNION ALL
  SELECT id FROM page_waits WHERE wait_time IS NULL
)
SELECT
  'confirmed' AS grade,
  'page_waits' AS subject,
  w.id AS subject_id,
  w.pfn,
  w.pid,
  w.comm,
  printf('still asleep in %s %d ms after the page was unlocked and freed', w.function,
         (coalesce(x.woken_ts, x.over_ts, w.end_ts, t.last_ts) - max(x.death_ts, x.unlocked_ts)) / 1000000) AS summary,
  'lost wake-up' AS fingerprint,
  w.begin_event AS wait_event,
  x.asleep_event AS asleep_event,
  x.unlocked_event AS unlock_event,
  x.free_event AS free_event,
  x.woken_event AS woken_event
FROM candidates k
CROSS JOIN page_waits w ON w.id = k.id
JOIN page_wait_evidence x ON x.wait_id = w.id
JOIN trace_evidence t ON t.trace_id = w.trace_id
WHERE x.unlocked_event IS NOT NULL AND x.asleep_event IS NOT NULL
  AND x.asleep_event < x.unlocked_event AND x.free_event IS NOT NULL AND x.free_event > x.unlocked_event
  AND coalesce(x.woken_ts, x.over_ts, w.end_ts, t.last_ts) - max(x.death_ts, x.unlocked_ts) >= 1000000000
  AND NOT x.gap
  AND w.verdict IN ('benign', 'unknown')
ORDER BY w.begin_event;
