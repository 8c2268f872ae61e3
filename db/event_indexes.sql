-- Of the tables of event_schema.sql; built after loading.
CREATE INDEX event_kind ON event(kind);
CREATE INDEX event_pfn ON event(pfn) WHERE pfn IS NOT NULL;
