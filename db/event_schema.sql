-- The tables of all events. Where only the evidence is kept, a virtual table takes the place of `event`: see
-- db/event_table.h.

-- Every event, understood or not: one wide row.
CREATE TABLE event (
  id      INTEGER PRIMARY KEY,  -- order of the input
  ts      INTEGER,              -- trace.clock_unit
  cpu     INTEGER,
  pid     INTEGER,              -- task id
  tgid    INTEGER,
  comm    INTEGER NOT NULL,     -- string
  kind    INTEGER NOT NULL,
  args    TEXT NOT NULL,        -- verbatim
  line    INTEGER NOT NULL,     -- in its source
  context INTEGER NOT NULL,     -- string; the flag columns verbatim
  source  INTEGER NOT NULL,
  flags   INTEGER NOT NULL,     -- 1 in an interrupt, 2 a copy of an event in another buffer
  -- What the model makes of it, where it is about a page.
  pfn         INTEGER,
  lifetime    INTEGER,
  delta       INTEGER,  -- change of the reference count; 0 for an attempt that failed
  replayed    INTEGER,  -- the model's count after the event
  replayed_lo INTEGER,
  replayed_hi INTEGER,
  -- Typed fields in the order of their kind; the seventeenth and later are in event_more.
  f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15
);

CREATE TABLE event_more (
  event INTEGER NOT NULL,
  field INTEGER NOT NULL,  -- 16 and above
  value,
  PRIMARY KEY (event, field)
) WITHOUT ROWID;
