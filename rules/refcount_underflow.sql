-- name: refcount_underflow
-- severity: error
-- summary: a page's reference count fell below zero
-- why: Somebody dropped a reference that nobody held. The page is freed while others still use it, or the next
--   owner loses its reference: data of one program ends up in the memory of another.
-- requires: page_refs, all_events
-- reference: double put. mm/page_ref.h:page_ref_sub_and_test and VM_BUG_ON_PAGE(page_ref_count(page) == 0)
--   of put_page_testzero(); as reported for 5.0-rc (put_page after page_ref_freeze), linux-mm, January 2019

-- The count is the kernel's own word (count=-1 in the event): no event that is missing explains it, and another number on
-- record bears it out, which one damaged line has not. Once per life of a page.
SELECT
  'confirmed' AS grade,
  'anomalies' AS subject,
  a.id AS subject_id,
  a.pfn,
  a.pid,
  x.comm,
  a.detail AS summary,
  'count below zero' AS fingerprint,
  a.event_id AS drop_event,
  x.earlier_event AS last_reference_event
FROM anomalies a
JOIN anomaly_evidence x ON x.anomaly_id = a.id
WHERE x.kind = 'count below zero' AND x.certainty = 'certain'
ORDER BY a.event_id;
