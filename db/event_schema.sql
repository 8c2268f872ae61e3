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
  f0 ANY, f1 ANY, f2 ANY, f3 ANY, f4 ANY, f5 ANY, f6 ANY, f7 ANY, f8 ANY, f9 ANY, f10 ANY, f11 ANY, f12 ANY, f13 ANY, f14 ANY, f15 ANY
) STRICT;

CREATE TABLE event_more (
  event INTEGER NOT NULL,
  field INTEGER NOT NULL,  -- 16 and above
  value ANY,
  PRIMARY KEY (event, field)
) STRICT, WITHOUT ROWID;
