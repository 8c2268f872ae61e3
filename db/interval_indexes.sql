-- What rules and reports look up of intervals. Built after loading; where no database is kept, rows are found by the
-- same columns without them: see db/interval_table.h.
CREATE INDEX page_lifetime_pfn ON page_lifetime(pfn);
CREATE INDEX ptl_hold_task ON ptl_hold(pid, acquire_event);
CREATE INDEX page_wait_pfn ON page_wait(pfn);
CREATE INDEX migration_src ON migration(src_pfn);
CREATE INDEX migration_dst ON migration(dst_pfn);
