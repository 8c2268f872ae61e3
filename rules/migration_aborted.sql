-- name: migration_aborted
-- severity: info
-- summary: a page could not be moved, because somebody had a reference on it
-- why: The copy is thrown away and the page stays on the wrong node, or in the way of compaction and offlining. A few
--   are normal; many on one page mean that its users wait for its migration with references held.
-- requires: migration_results, all_events
-- reference: mm/migrate.c:folio_migrate_mapping returns -EAGAIN; migrate_misplaced_transhuge_page to 5.13

-- One finding per page: its failed attempts, and who took the last reference besides the migrating task. A failed one says
-- why; no other does.
SELECT
  'confirmed' AS grade,
  'migrations' AS subject,
  f.id AS subject_id,
  f.src_pfn AS pfn,
  f.pid,
  f.comm,
  printf('failed attempts to move the page: %d of %d', f.failed, f.attempts) || ': ' || f.why ||
    CASE WHEN f.holders > 0
         THEN printf('; other tasks with references: %d, last taken by %s-%d', f.holders, f.holder_comm, f.holder_pid)
         ELSE '; who held a reference is not on record' END AS summary,
  'extra references' AS fingerprint,
  f.begin_event AS migration_event,
  f.holder_event AS reference_event,
  f.end_event AS abort_event
FROM (
  -- SQLite takes the other columns from the row with the maximum.
  SELECT m.id, m.src_pfn, m.pid, m.comm, m.why, m.begin_event, m.end_event, x.holders, x.holder_pid, x.holder_comm,
         x.holder_event, count(*) AS failed, max(x.holders) AS most,
         (SELECT count(*) FROM migrations n WHERE n.src_pfn = m.src_pfn) AS attempts
  FROM migrations m
  JOIN migration_evidence x ON x.migration_id = m.id
  WHERE m.result = 'failed' AND m.why IS NOT NULL AND m.src_pfn IS NOT NULL
  GROUP BY m.src_pfn) f
ORDER BY f.begin_event;
