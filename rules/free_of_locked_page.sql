-- name: free_of_locked_page
-- severity: error
-- summary: a page was freed while it was locked
-- why: Whoever locked it goes on working on a page that is not its own, and unlocks the next owner's. The kernel
--   reports it as "PAGE_FLAGS_CHECK_AT_FREE flag(s) set" where it checks.
-- requires: page_flags_at_last_put, all_events
-- reference: PG_locked is one of PAGE_FLAGS_CHECK_AT_FREE (include/linux/page-flags.h)

-- PG_locked was set at the moment the count reached 0, when nobody else can change the page any more, and the same
-- task then freed it (where its destructor alone tells, no event of the page's life is missing). What was known of the
-- lock earlier proves nothing: reclaim unlocks a frozen page without an event.
SELECT
  'confirmed' AS grade,
  'anomalies' AS subject,
  a.id AS subject_id,
  a.pfn,
  a.pid,
  x.comm,
  a.detail AS summary,
  'freed while locked' AS fingerprint,
  x.earlier_event AS last_reference_event,
  a.event_id AS free_event
FROM anomalies a
JOIN anomaly_evidence x ON x.anomaly_id = a.id
WHERE x.kind = 'freed while locked' AND x.certainty = 'certain'
ORDER BY a.event_id;
