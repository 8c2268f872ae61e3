-- name: unlock_of_unlocked_page
-- severity: warning
-- summary: a page was unlocked that nobody had locked
-- why: Two tasks believed to own the page lock, or one unlocked it twice: what the lock protects was open in between.
--   Kernels with CONFIG_DEBUG_VM stop here (VM_BUG_ON_FOLIO(!folio_test_locked)).
-- requires: page_flags_at_unlock, all_events
-- reference: mm/filemap.c:folio_unlock, to 5.15 unlock_page

-- The probe fetched page->flags as the function was entered, and PG_locked was clear. That another task than the one
-- that locked the page unlocks it is legal (I/O completion does). A tail of a huge page never has the bit: only pages
-- whose allocation shows that they are no tail are judged.
SELECT
  'confirmed' AS grade,
  'anomalies' AS subject,
  a.id AS subject_id,
  a.pfn,
  a.pid,
  x.comm,
  a.detail AS summary,
  'unlocked while not locked' AS fingerprint,
  a.event_id AS unlock_event
FROM anomalies a
JOIN anomaly_evidence x ON x.anomaly_id = a.id
WHERE x.kind = 'unlocked while not locked' AND x.certainty = 'certain'
ORDER BY a.event_id;
