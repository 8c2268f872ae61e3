-- name: wait_on_freed_page
-- severity: error
-- summary: a task waited for a page that nothing kept alive
-- why: The waiter dropped the page-table lock and then queued on the page without a reference of its own.
--   The migrating task may free the page in between; the waiter then sets PG_waiters on a free page, and
--   the next allocation of it fails with "BUG: Bad page state" in a task that has nothing to do with it.
-- requires: page_waits, all_events
-- reference: mm: numa: avoid waiting on freed migrated pages (3c226c637b69, v4.12)
-- releases: put by another task

-- The grade is the wait's verdict: see the table at page_waits in db/views.sql. The fingerprint names the member of the
-- family: how the waiter came to the page, or that it ended up waiting for a stranger's page.
SELECT
  w.verdict AS grade,
  'page_waits' AS subject,
  w.id AS subject_id,
  w.pfn,
  w.pid,
  w.comm,
  w.function || ' without a reference: ' || w.why AS summary,
  CASE
    WHEN w.outcome = 'reused' THEN 'spurious wait on a reused page'
    WHEN x.path = 'unknown' THEN 'page wait without protection'
    ELSE x.path || ' without protection'
  END AS fingerprint,
  x.lock_dropped_event,
  w.begin_event AS wait_event,
  w.end_event AS woken_event,
  CASE WHEN w.outcome IN ('freed_before_queue', 'freed_while_queued', 'reused') THEN x.death_event END
    AS last_reference_event,
  CASE WHEN w.outcome IN ('freed_before_queue', 'freed_while_queued', 'reused') THEN x.free_event END AS free_event
FROM page_waits w
JOIN page_wait_evidence x ON x.wait_id = w.id
WHERE w.verdict NOT IN ('benign', 'unknown')
ORDER BY w.verdict <> 'confirmed', w.verdict <> 'probable', w.begin_event;
