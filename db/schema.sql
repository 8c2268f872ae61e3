-- Base tables: the writer's business. Queries and rules read the views of views.sql; these tables
-- may change with any version.
--
-- Numbers are stored as integers (pfn and addresses too; addresses above 2^63 as two's complement,
-- as SQLite's own hex literals), unknown is NULL. Enumerations are stored as the values of
-- replay/records.h.

-- Texts that repeat: comms, event names, flag columns, function names, and below 0 the model's own phrases.
CREATE TABLE string (
  id   INTEGER PRIMARY KEY,
  text TEXT NOT NULL
) STRICT;

-- The recording. One row.
CREATE TABLE trace (
  id                  INTEGER PRIMARY KEY,
  path                TEXT NOT NULL,    -- as given on the command line
  format              TEXT NOT NULL,
  kernel_release      TEXT,
  machine             TEXT,
  clock               TEXT,             -- name of the trace clock, where a file tells
  clock_unit          TEXT,             -- ns, or ticks of an integer clock
  clock_error         INTEGER NOT NULL, -- stamps of two cpus this far apart are ordered; clock_unit
  page_shift          INTEGER,
  tracer              TEXT,
  entries_in_buffer   INTEGER,          -- of the trace header
  entries_written     INTEGER,
  lines_total         INTEGER NOT NULL, -- of the trace itself; side files are in source
  lines_events        INTEGER NOT NULL,
  lines_comments      INTEGER NOT NULL,
  lines_continuations INTEGER NOT NULL,
  lines_markers       INTEGER NOT NULL,
  lines_rejected      INTEGER NOT NULL,
  ref_anchors         INTEGER NOT NULL, -- reference events of certain outcome on pages of known count
  ref_anchors_matched INTEGER NOT NULL, -- of these, predicted
  ref_first_mismatch  INTEGER,          -- event of the first that was not
  all_tasks           INTEGER NOT NULL, -- events of the idle task show that no task was filtered out
  last_ts             INTEGER,          -- latest stamp; clock_unit
  probe_misses        INTEGER NOT NULL, -- of kprobe_profile
  reports_suppressed  INTEGER           -- page-state reports the kernel says it swallowed
) STRICT;

-- Files of the recording.
CREATE TABLE source (
  id          INTEGER PRIMARY KEY,
  role        TEXT NOT NULL,  -- trace probes console cpu_stats uname formats probe_profile clock other
  path        TEXT NOT NULL,
  lines_total INTEGER,        -- NULL for a file that was not read
  part        INTEGER         -- of the trace, from 0; NULL for side files
) STRICT;

-- What a replay needs besides the events: `mmreplay replay`.

-- Batches the events were read in: what the model learns ahead of its replay depends on them.
CREATE TABLE trace_batch (
  id     INTEGER PRIMARY KEY,
  events INTEGER NOT NULL
) STRICT;

CREATE TABLE trace_marker (
  batch      INTEGER NOT NULL,
  kind       INTEGER NOT NULL,  -- LossMarker::Kind: 0 lost, 1 buffer started; of filters 2 begin, 3 end of a
                                -- stretch of time, 4 events with a meaning left out; 5 another
                                -- boot; 6 something could not be read
  cpu        INTEGER NOT NULL,  -- -1 where it is about all
  lost       INTEGER,
  line       INTEGER NOT NULL,
  next_event INTEGER NOT NULL
) STRICT;

CREATE TABLE trace_probe (
  id         INTEGER PRIMARY KEY,
  definition TEXT NOT NULL  -- as in kprobe_events, arguments by their number
) STRICT;

-- Fields printed as hexadecimal without 0x, of events with formats.
CREATE TABLE trace_format (
  event      TEXT NOT NULL,
  hex_fields TEXT NOT NULL  -- separated by blanks
) STRICT;

CREATE TABLE trace_cpu_stats (
  cpu            INTEGER NOT NULL,
  overrun        INTEGER NOT NULL,
  commit_overrun INTEGER NOT NULL,
  dropped        INTEGER NOT NULL
) STRICT;

-- Kinds of events: a name in one of its shapes.
CREATE TABLE kind (
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL,
  system   TEXT,              -- kmem, sched, numa, ...
  shape    TEXT NOT NULL,     -- event, probe, return
  sql_name TEXT,              -- view with its typed fields; NULL beyond the limit of kinds
  rows     INTEGER NOT NULL,
  columns  TEXT NOT NULL      -- of the view, after the common ones, separated by blanks
) STRICT;

-- page_ref events that were logged out of order, as the counts show.
CREATE TABLE repaired_ref (
  event    INTEGER PRIMARY KEY,
  place    INTEGER NOT NULL,  -- event whose place among the page's it takes
  replayed INTEGER NOT NULL   -- count after it, there
) STRICT;

-- Further pages an event is about: the destination of a migration.
CREATE TABLE event_page (
  event INTEGER NOT NULL,
  pfn   INTEGER NOT NULL
) STRICT;

CREATE TABLE stack (
  event INTEGER NOT NULL,
  depth INTEGER NOT NULL,  -- 0 is the innermost frame
  frame TEXT NOT NULL
) STRICT;

-- Intervals. Where no database is kept, virtual tables take the place of the next four: see db/interval_table.h.

CREATE TABLE page_lifetime (
  id          INTEGER PRIMARY KEY,
  pfn         INTEGER NOT NULL,  -- of the block's head
  page_order  INTEGER,           -- log2 of the number of pages
  alloc_event INTEGER,
  free_event  INTEGER,
  alloc_ts    INTEGER,
  free_ts     INTEGER,
  alloc_pid   INTEGER,
  free_pid    INTEGER,
  quality     INTEGER NOT NULL
) STRICT;

CREATE TABLE ptl_hold (
  id            INTEGER PRIMARY KEY,
  lock          INTEGER NOT NULL,  -- address of the lockdep map (lock events) or of the lock (probes)
  pid           INTEGER,
  comm          INTEGER NOT NULL,
  acquire_event INTEGER,
  release_event INTEGER,
  acquire_ts    INTEGER,
  release_ts    INTEGER,
  contended_ts  INTEGER,
  protects      TEXT,
  hold_time     INTEGER AS (release_ts - acquire_ts),
  wait_time     INTEGER AS (acquire_ts - contended_ts)
) STRICT;

CREATE TABLE migration (
  id          INTEGER PRIMARY KEY,
  pid         INTEGER,
  comm        INTEGER NOT NULL,
  src_pfn     INTEGER,
  dst_pfn     INTEGER,
  reason      TEXT,
  begin_event INTEGER,
  end_event   INTEGER,
  begin_ts    INTEGER,
  end_ts      INTEGER,
  result      INTEGER NOT NULL,
  why         TEXT,
  holders      INTEGER NOT NULL, -- other tasks with a reference on the source, where it failed
  holder_pid   INTEGER,          -- of these, who took it last
  holder_comm  INTEGER,          -- string
  holder_event INTEGER
) STRICT;

CREATE TABLE page_wait (
  id            INTEGER PRIMARY KEY,
  pid           INTEGER,
  comm          INTEGER NOT NULL,
  pfn           INTEGER,           -- NULL where the struct page address is not tied to a pfn
  lifetime      INTEGER,           -- the life in which the waiter found the page
  frame_life    INTEGER,           -- the frame's life when the wait began, often the same
  function      INTEGER NOT NULL,  -- string
  bit           INTEGER,           -- page flag waited for
  judged        INTEGER NOT NULL,  -- 0: waits for another flag than PG_locked
  begin_event   INTEGER NOT NULL,
  end_event     INTEGER,
  begin_ts      INTEGER,
  end_ts        INTEGER,
  call_event    INTEGER,           -- entry of the function in which the page was found
  call_function INTEGER,           -- string; its name
  hold          INTEGER,           -- ptl_hold under which the page was found
  lock_dropped  INTEGER,           -- event that ended it
  reference_event INTEGER,         -- the waiter's own: taken before the wait, or dropped after it
  asleep_event  INTEGER,           -- it went off its cpu
  woken_event   INTEGER,           -- somebody woke it
  woken_ts      INTEGER,
  protection    INTEGER NOT NULL,
  outcome       INTEGER NOT NULL,
  death_event   INTEGER,           -- the count fell to 0, or the free
  death_ts      INTEGER,
  death_pid     INTEGER,
  death_comm    INTEGER,           -- string
  death_cpu     INTEGER,
  free_event    INTEGER,           -- mm_page_free
  event_order   INTEGER NOT NULL,  -- of death and begin
  order_ns      INTEGER,           -- begin minus death, clock_unit
  gap           INTEGER NOT NULL,  -- events are missing during the wait or the lookup before it
  weakened      INTEGER NOT NULL,  -- and they are evidence: one grade less
  contract      INTEGER NOT NULL,  -- string; what kernel versions do in such a wait, empty where not known
  reason        INTEGER NOT NULL,  -- string; short, for counting
  why           TEXT NOT NULL,
  path          INTEGER NOT NULL,  -- how the waiter came to the page
  unlocked_event INTEGER,          -- the page's last unlock during the wait
  unlocked_ts   INTEGER,
  over_event    INTEGER,           -- after its sleep it ran again, or did something a waiter cannot do
  over_ts       INTEGER,
  wait_time     INTEGER AS (end_ts - begin_ts)
) STRICT;

CREATE TABLE anomaly (
  id        INTEGER PRIMARY KEY,
  event     INTEGER,
  ts        INTEGER,
  invariant TEXT NOT NULL,  -- I1 ... I15
  pfn       INTEGER,
  pid       INTEGER,
  detail    TEXT NOT NULL,
  kind      TEXT NOT NULL,     -- short, for rules and for counting
  certainty INTEGER NOT NULL,
  comm      INTEGER NOT NULL,  -- string; of the event's task
  earlier   INTEGER,           -- event it contradicts
  lifetime  INTEGER
) STRICT;

CREATE TABLE gap (
  id      INTEGER PRIMARY KEY,
  cpu     INTEGER NOT NULL,
  from_ts INTEGER,  -- NULL: since the recording began
  to_ts   INTEGER,  -- NULL: until it ended
  lost    INTEGER   -- NULL: not known how many
) STRICT;

CREATE TABLE console_report (
  id     INTEGER PRIMARY KEY,
  source INTEGER,
  line   INTEGER NOT NULL,
  kind   TEXT NOT NULL,  -- bad_page_state vm_bug_on_page
  pfn    INTEGER,        -- NULL: not printed (VM_BUG_ON_PAGE before 5.9)
  flags  TEXT,           -- names only
  reason TEXT,
  comm   TEXT,           -- whom it hit
  ts     INTEGER,        -- on the trace's clock where ts_error_ns is known, else printk time
  ts_error_ns INTEGER,   -- NULL: the console's time is not related to the trace's clock
  event  INTEGER,        -- bad_page probe hit
  pid    INTEGER,
  printk_ts INTEGER,     -- ns of the console's own clock
  page   INTEGER         -- struct page, where it is printed raw
) STRICT;

CREATE TABLE trace_issue (
  severity   TEXT NOT NULL,  -- info warning error
  kind       TEXT NOT NULL,
  first_line INTEGER,
  count      INTEGER NOT NULL,
  text       TEXT NOT NULL,
  of_input   INTEGER NOT NULL  -- found by the reader of the files, not by the replay
) STRICT;

-- What the recording could have shown: events, probed functions and views that occur, or whose
-- probe or event is known to have been on.
CREATE TABLE recordable (
  name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE finding (
  id          INTEGER PRIMARY KEY,
  rule        TEXT NOT NULL,
  grade       TEXT NOT NULL,
  subject     TEXT NOT NULL,
  subject_id  INTEGER NOT NULL,
  pfn         INTEGER,
  pid         INTEGER,
  comm        TEXT,
  summary     TEXT NOT NULL,
  fingerprint TEXT NOT NULL
) STRICT;

CREATE TABLE finding_event (
  finding INTEGER NOT NULL,
  event   INTEGER NOT NULL,
  role    TEXT NOT NULL,
  PRIMARY KEY (finding, event, role)
) STRICT, WITHOUT ROWID;

-- Orders of evidence events that stamps, cpus and tasks leave open, and values prove (rules/proof.cc).
CREATE TABLE proof (
  finding      INTEGER NOT NULL,
  first_event  INTEGER NOT NULL,
  second_event INTEGER NOT NULL,
  kind         TEXT NOT NULL,
  detail       TEXT NOT NULL,
  PRIMARY KEY (finding, first_event, second_event)
) STRICT, WITHOUT ROWID;

CREATE TABLE rule_result (
  rule       TEXT PRIMARY KEY,
  severity   TEXT NOT NULL,
  summary    TEXT NOT NULL,
  why        TEXT NOT NULL,
  reference  TEXT NOT NULL,
  applicable INTEGER NOT NULL,
  missing    TEXT,  -- what would have to be recorded
  findings   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
