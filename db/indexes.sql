-- Built after loading. Everything about one page or one task is found by index.
CREATE INDEX event_page_pfn ON event_page(pfn);
CREATE INDEX page_lifetime_pfn ON page_lifetime(pfn);
CREATE INDEX ptl_hold_task ON ptl_hold(pid, acquire_event);
CREATE INDEX page_wait_pfn ON page_wait(pfn);
CREATE INDEX migration_src ON migration(src_pfn);
CREATE INDEX migration_dst ON migration(dst_pfn);
CREATE INDEX console_report_pfn ON console_report(pfn);
CREATE INDEX finding_pfn ON finding(pfn);
CREATE INDEX anomaly_pfn ON anomaly(pfn);
CREATE INDEX stack_event ON stack(event);
