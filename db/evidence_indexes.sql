-- What reports look up: everything about one page or one task is found by index. A database that is not kept has
-- them only where there are findings.
CREATE INDEX IF NOT EXISTS event_page_pfn ON event_page(pfn);
CREATE INDEX IF NOT EXISTS ptl_hold_task ON ptl_hold(pid, acquire_event);
CREATE INDEX IF NOT EXISTS page_wait_pfn ON page_wait(pfn);
CREATE INDEX IF NOT EXISTS migration_src ON migration(src_pfn);
CREATE INDEX IF NOT EXISTS migration_dst ON migration(dst_pfn);
CREATE INDEX IF NOT EXISTS console_report_pfn ON console_report(pfn);
CREATE INDEX IF NOT EXISTS finding_pfn ON finding(pfn);
CREATE INDEX IF NOT EXISTS anomaly_pfn ON anomaly(pfn);
CREATE INDEX IF NOT EXISTS stack_event ON stack(event);
