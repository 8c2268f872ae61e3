-- name: long_ptl_hold
-- severity: info
-- summary: a page-table lock was held for long
-- why: Nobody else can fault on, map or unmap what it guards, and with CONFIG_PREEMPT_NONE the cpu does nothing else.
-- requires: lock_acquired, nanoseconds, all_events
-- reference: mm/huge_memory.c, mm/mprotect.c: the lock is dropped after each page table

-- 100 ms: a kernel holds it for microseconds, but a hypervisor or an emulator takes the cpu away for tens of
-- milliseconds at a time (96 ms in our recordings). One finding per lock: its longest hold. Holds that lost events cut
-- short have no end and do not count.
SELECT
  'confirmed' AS grade,
  'ptl_holds' AS subject,
  h.id AS subject_id,
  NULL AS pfn,
  h.pid,
  h.comm,
  printf('held the page-table lock %#x for %d ms; holds of it beyond 100 ms: %d', h.lock, h.longest / 1000000, h.holds) || coalesce(' (' || h.protects || ')', '') AS summary,
  'long hold' AS fingerprint,
  h.acquire_event AS lock_acquired_event,
  h.release_event AS lock_dropped_event
FROM (SELECT id, lock, pid, comm, protects, acquire_event, release_event, max(hold_time) AS longest, count(*) AS holds
      FROM ptl_holds
      WHERE hold_time > 100000000
      GROUP BY lock) h
ORDER BY h.longest DESC, h.id;
