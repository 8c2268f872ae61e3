-- name: freeze_mismatch
-- severity: error
-- summary: a page's frozen reference count was not left alone
-- why: Whoever froze the count (a migration, a split) counted on nobody taking a reference until it is set again, and
--   overwrites the one that was taken: the page is freed while that task uses it.
-- requires: page_ref_freeze, page_ref_mod, all_events
-- reference: include/linux/page_ref.h:page_ref_freeze, page_ref_unfreeze; the case reported for 5.0-rc,
--   linux-mm, January 2019

-- A reference taken from 0 while another task's freeze is on record. A count that page_ref_unfreeze sets without a freeze
-- on record is an anomaly and no finding: one lost event explains it. A page that is frozen and stays so is none: hugetlb
-- keeps its free pages like that.
SELECT
  'confirmed' AS grade,
  'anomalies' AS subject,
  a.id AS subject_id,
  a.pfn,
  a.pid,
  x.comm,
  a.detail AS summary,
  'reference taken while frozen' AS fingerprint,
  x.earlier_event AS freeze_event,
  a.event_id AS change_event
FROM anomalies a
JOIN anomaly_evidence x ON x.anomaly_id = a.id
WHERE x.kind = 'reference taken while frozen' AND x.certainty = 'certain'
ORDER BY a.event_id;
