-- name: get_on_free_page
-- severity: error
-- summary: a task took a reference on a free page
-- why: It used a pointer to a page it did not keep alive. The page may be anybody's by now, and the reference it took
--   frees it a second time when it is dropped.
-- requires: page_ref_mod, page_ref_set, mm_page_alloc, mm_page_free, all_tasks, all_events
-- reference: get_page() on a page with count 0. include/linux/mm.h:get_page demands page_ref_count(page) > 0

-- The page's allocation and free are on record, nothing after the free allocates it, and the count went from 0 to what
-- get_page() added. In a recording of some tasks the page may have been allocated and split by another: hence
-- all_tasks.
SELECT
  'probable' AS grade,
  'anomalies' AS subject,
  a.id AS subject_id,
  a.pfn,
  a.pid,
  x.comm,
  a.detail || ' (freed by event ' || x.earlier_event || ')' AS summary,
  'reference on a free page' AS fingerprint,
  x.earlier_event AS free_event,
  a.event_id AS get_event
FROM anomalies a
JOIN anomaly_evidence x ON x.anomaly_id = a.id
WHERE x.kind = 'reference taken on a free page' AND x.certainty = 'if complete'
ORDER BY a.event_id;
