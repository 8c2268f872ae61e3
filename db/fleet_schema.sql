-- A fleet database: what `mmreplay triage -o fleet.db` keeps of many logs, night after night. The views are the
-- interface; names and columns are added, never renamed or removed (PRAGMA user_version counts). The tables may
-- change with any version. Written in WAL mode, each log with its findings in one transaction, so that several
-- processes may append at once and a killed one leaves whole logs only. Unknown is NULL.

-- One call of `mmreplay triage`.
CREATE TABLE run (
  id       INTEGER PRIMARY KEY,
  started  INTEGER NOT NULL,  -- seconds since 1970
  finished INTEGER,           -- NULL while it runs, and where it was killed
  version  TEXT NOT NULL,     -- of mmreplay
  analysis TEXT NOT NULL,     -- hash of the program, its rules and the options that decide
  logs     INTEGER,
  exit_code INTEGER
);

-- A log as it was last judged: a path with this content. The same content under another path is another log.
CREATE TABLE log (
  id             INTEGER PRIMARY KEY,
  path           TEXT NOT NULL,
  content        TEXT NOT NULL,  -- SHA-256 of its bytes, or of its files' names and bytes; '' where they were not read
  analysis       TEXT NOT NULL,
  first_run      INTEGER NOT NULL REFERENCES run(id),
  last_run       INTEGER NOT NULL REFERENCES run(id),
  status         TEXT NOT NULL,
  reason         TEXT,
  format         TEXT,
  kernel_release TEXT,
  machine        TEXT,
  files          INTEGER NOT NULL,
  files_unused   INTEGER NOT NULL,
  lines          INTEGER,
  events         INTEGER,
  rejected       INTEGER,
  waits          INTEGER,
  unknown_waits  INTEGER,
  milliseconds   INTEGER NOT NULL,
  UNIQUE (path, content)
);
CREATE INDEX log_content ON log(content, analysis);

CREATE TABLE finding (
  id          INTEGER PRIMARY KEY,
  log         INTEGER NOT NULL REFERENCES log(id),
  rule        TEXT NOT NULL,
  severity    TEXT NOT NULL,
  grade       TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  member      TEXT NOT NULL,
  function    TEXT,
  outcome     TEXT,
  comm        TEXT,
  pid         INTEGER,
  pfn         INTEGER,
  summary     TEXT NOT NULL,
  path        TEXT,
  line        INTEGER
);
CREATE INDEX finding_log ON finding(log);
CREATE INDEX finding_fingerprint ON finding(fingerprint);

-- How many findings a judged log has, written with them (since version 2): of a log of which some were taken away, or of
-- which nothing is told, the next run judges again.
CREATE TABLE log_findings (
  log      INTEGER PRIMARY KEY REFERENCES log(id),
  findings INTEGER NOT NULL
);

-- Which logs a run went over.
CREATE TABLE run_log (
  run     INTEGER NOT NULL REFERENCES run(id),
  log     INTEGER NOT NULL REFERENCES log(id),
  skipped INTEGER NOT NULL,  -- 1: the log had been judged before, by the same program and rules
  PRIMARY KEY (run, log)
) WITHOUT ROWID;

CREATE VIEW runs(id, started, finished, version, analysis, logs, exit_code) AS
SELECT id, datetime(started, 'unixepoch'), datetime(finished, 'unixepoch'), version, analysis, logs, exit_code FROM run;

-- One row per log. status: found, clean, cannot tell, unreadable (reason says why), failed (it took too long, too much
-- memory, or the analysis ended by a signal: tried again by the next run). files: 1, or the files of its folder or
-- archive; files_unused: of these, no part of the recording.
-- lines, events and rejected are of the trace, as in `traces` of its own analysis.
CREATE VIEW logs(id, path, content_hash, first_run, last_run, status, reason, format, kernel_release, machine, files,
                 files_unused, lines, events, rejected, waits, unknown_waits, findings, milliseconds) AS
SELECT id, path, nullif(content, ''), first_run, last_run, status, reason, format, kernel_release, machine, files,
       files_unused, lines, events, rejected, waits, unknown_waits, (SELECT count(*) FROM finding f WHERE f.log = log.id), milliseconds
FROM log;

-- One row per finding. fingerprint groups the same bug over machines, kernels and forms of input; member is the
-- fingerprint within one trace, which may tell more. path and line: the event that shows it, as `events` has it.
CREATE VIEW findings(id, log_id, rule, severity, grade, fingerprint, member, function, outcome, comm, pid, pfn, summary,
                     path, line) AS
SELECT id, log, rule, severity, grade, fingerprint, member, function, outcome, comm, pid, pfn, summary, path, line
FROM finding;

-- One row per bug: the highest grade, where and since when it was seen.
CREATE VIEW groups(fingerprint, rule, severity, highest_grade, logs, findings, confirmed, probable, latent, functions,
                   kernels, first_run, last_run) AS
SELECT f.fingerprint, min(f.rule), min(f.severity),
       CASE max(CASE f.grade WHEN 'confirmed' THEN 3 WHEN 'probable' THEN 2 ELSE 1 END)
         WHEN 3 THEN 'confirmed' WHEN 2 THEN 'probable' ELSE 'latent' END,
       count(DISTINCT f.log), count(*), sum(f.grade = 'confirmed'), sum(f.grade = 'probable'), sum(f.grade = 'latent'),
       group_concat(DISTINCT f.function), group_concat(DISTINCT l.kernel_release), min(l.first_run), max(l.last_run)
FROM finding f JOIN log l ON l.id = f.log
GROUP BY f.fingerprint;

CREATE VIEW run_logs(run_id, log_id, skipped) AS
SELECT run, log, skipped FROM run_log;
