-- Built after loading. Here what rules look up; see evidence_indexes.sql and event_indexes.sql.
CREATE INDEX page_lifetime_pfn ON page_lifetime(pfn);
