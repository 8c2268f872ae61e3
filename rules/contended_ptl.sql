-- name: contended_ptl
-- severity: info
-- summary: a task spun for long on a page-table lock
-- why: It did nothing else meanwhile: faults of the threads of one program hold each other up on the same page table.
-- requires: ptl_holds, ptl_contention, nanoseconds, all_events
-- reference: lock:lock_contended and lock_acquired, lock:contention_begin and contention_end (5.19 and later)

-- 200 ms: a long hold, and a cpu taken away from the next in turn. One finding per lock: the longest wait for it.
SELECT
  'confirmed' AS grade,
  'ptl_holds' AS subject,
  h.id AS subject_id,
  NULL AS pfn,
  h.pid,
  h.comm,
  printf('spun %d ms for the page-table lock %#x; waits for it beyond 200 ms: %d', h.longest / 1000000, h.lock,
         h.spins) || coalesce(' (' || h.protects || ')', '') AS summary,
  'contended' AS fingerprint,
  h.acquire_event AS lock_acquired_event
FROM (SELECT id, lock, pid, comm, protects, acquire_event, max(wait_time) AS longest, count(*) AS spins
      FROM ptl_holds
      WHERE wait_time > 200000000
      GROUP BY lock) h
ORDER BY h.longest DESC, h.id;
