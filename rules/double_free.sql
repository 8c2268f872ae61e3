-- name: double_free
-- severity: error
-- summary: a page was freed twice
-- why: The second free puts a page on a free list that is there already, or that somebody else owns by now: the
--   allocator then gives it to two owners.
-- requires: mm_page_alloc, mm_page_free, page_ref_set, all_tasks, all_events
-- reference: free twice without an allocation. mm/page_alloc.c:free_pages_prepare emits mm_page_free once per free

-- Allocation, free and free again of one block, all on record. In a recording of some tasks the allocation in between
-- may be another's, and compaction allocates without mm_page_alloc (but not without page_ref_set): hence what is
-- required. No finding where events were lost, where an allocation is stamped so near that the clocks may have swapped the
-- two, or where reference events in between show that somebody had the page: get_on_free_page and refcount_underflow
-- judge those.
SELECT
  'probable' AS grade,
  'anomalies' AS subject,
  a.id AS subject_id,
  a.pfn,
  a.pid,
  x.comm,
  'freed again with no allocation since its last free (event ' || x.earlier_event || ')' AS summary,
  'freed twice' AS fingerprint,
  x.earlier_event AS first_free_event,
  a.event_id AS second_free_event
FROM anomalies a
JOIN anomaly_evidence x ON x.anomaly_id = a.id
WHERE x.kind = 'freed twice' AND x.certainty = 'if complete'
ORDER BY a.event_id;
