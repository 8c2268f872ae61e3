-- What reports look up besides intervals: everything about one page is found by index. A database that is not kept
-- has them only where there are findings.
CREATE INDEX IF NOT EXISTS event_page_pfn ON event_page(pfn);
CREATE INDEX IF NOT EXISTS console_report_pfn ON console_report(pfn);
CREATE INDEX IF NOT EXISTS finding_pfn ON finding(pfn);
CREATE INDEX IF NOT EXISTS anomaly_pfn ON anomaly(pfn);
CREATE INDEX IF NOT EXISTS stack_event ON stack(event);
