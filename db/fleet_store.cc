#include "db/fleet_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <thread>

#include "db/embedded_sql.h"
#include "db/output_file.h"
#include "parser/error.h"

namespace mmreplay {
namespace {

// How long another process may hold the database. A log's transaction takes milliseconds.
constexpr int kBusyMilliseconds = 120'000;

constexpr std::array<std::string_view, 5> kStatusNames = {"found", "clean", "cannot tell", "unreadable",
                                                          "failed"};

LogStatus StatusOf(std::string_view name) {
  for (size_t i = 0; i < kStatusNames.size(); ++i) {
    if (kStatusNames[i] == name) return static_cast<LogStatus>(i);
  }
  return LogStatus::kFailed;
}

int64_t Pragma(const Database& database, const char* sql) {
  Statement query(database, sql);
  return query.Step() ? query.Int(0) : 0;
}

// A program that is killed loses nothing it committed; the last logs before a power failure may have to be
// judged again. SQLite does not wait for a lock while it turns WAL on, so that is tried again here.
void SetUp(Database* database) {
  sqlite3_busy_timeout(database->handle(), kBusyMilliseconds);
  for (int attempt = 0;; ++attempt) {
    int code = sqlite3_exec(database->handle(), "PRAGMA journal_mode=WAL", nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) break;
    bool busy = (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED;
    if (!busy || attempt == 2000) database->Check(code, "journal");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  // Keys of a stranger's tables that refer to ours would compute what these say whenever a row of ours goes.
  database->Exec("PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=OFF");
  database->LimitMemory();
}

// None that computes, or that refuses rows. Before it is written to, and before it is distrusted.
void RequireNoOtherIndex(const Database& database) {
  Statement index(
      database,
      "SELECT i.name FROM sqlite_schema t, pragma_index_list(t.name) i, pragma_index_xinfo(i.name) x "
      "WHERE t.type = 'table' AND (i.partial OR x.cid = -2 OR (i.origin = 'c' AND i.\"unique\"))");
  if (index.Step())
    database.FailDamaged("it has an index that is none of mmreplay, " + std::string(index.Text(0)));
}

int64_t RequireKnownVersion(const Database& database) {
  int64_t version = Pragma(database, "PRAGMA user_version");
  if (version > kFleetSchemaVersion) throw Error(database.path() + ": was written by a newer mmreplay");
  if (version < 1) database.FailDamaged("no fleet database has that version");
  return version;
}

void RequireFleetSchema(const Database& database, int64_t version) {
  Database expected("", Database::Mode::kCreate);
  expected.Exec(std::string(DatabaseSql("fleet_schema.sql")).c_str());
  if (version == 1) expected.Exec("DROP TABLE log_findings");
  RequireSchema(database, expected);
  RequireSound(database, expected);
}

FleetLog ReadLog(const Statement& row) {
  FleetLog log;
  log.path = row.Text(1);
  log.content = row.Text(2);
  log.status = StatusOf(row.Text(3));
  log.reason = row.Text(4);
  log.format = row.Text(5);
  log.kernel_release = row.Text(6);
  log.machine = row.Text(7);
  log.files = row.Int(8);
  log.files_unused = row.Int(9);
  log.lines = row.OptionalInt(10);
  log.events = row.OptionalInt(11);
  log.rejected = row.OptionalInt(12);
  log.waits = row.OptionalInt(13);
  log.unknown_waits = row.OptionalInt(14);
  log.milliseconds = row.Int(15);
  return log;
}

FleetFinding ReadFinding(const Statement& row) {
  FleetFinding finding;
  finding.rule = row.Text(0);
  finding.severity = row.Text(1);
  finding.grade = row.Text(2);
  finding.fingerprint = row.Text(3);
  finding.member = row.Text(4);
  finding.function = row.Text(5);
  finding.outcome = row.Text(6);
  finding.comm = row.Text(7);
  finding.pid = row.OptionalInt(8);
  finding.pfn = row.OptionalInt(9);
  finding.summary = row.Text(10);
  finding.path = row.Text(11);
  finding.line = row.OptionalInt(12);
  return finding;
}

void MarkAsFleet(Database* database) {
  std::string mark = "PRAGMA application_id=" + std::to_string(kFleetApplicationId) +
                     "; PRAGMA user_version=" + std::to_string(kFleetSchemaVersion);
  database->Exec(mark.c_str());
}

void MakeTables(Database* database) {
  MarkAsFleet(database);
  database->Exec(std::string(DatabaseSql("fleet_schema.sql")).c_str());
}

// Of the first version, which lacks log_findings. Its logs are judged again.
void UpgradeTables(Database* database) {
  Database made("", Database::Mode::kCreate);
  made.Exec(std::string(DatabaseSql("fleet_schema.sql")).c_str());
  Statement added(made, "SELECT sql FROM sqlite_schema WHERE name = 'log_findings'");
  added.Step();
  database->Exec(std::string(added.Text(0)).c_str());
  MarkAsFleet(database);
}

// Where there is nothing of that name, a database without rows gets it: whole, or not at all on a disk that
// is full. Another process may be doing the same, and the first one wins.
const std::string& MakeFile(const std::string& path) {
  std::error_code ignored;
  const std::string target = OutputFile(path);
  if (std::filesystem::exists(target, ignored)) return path;
  RequireFreeName(target);
  // SQLite would take what a deleted one left there for the new one's, unless that is empty.
  if (HasCompanions(target)) {
    int fd = open(target.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) close(fd);  // where it cannot be made, opening it will say why
    return path;
  }
  PartialFile file(path);
  {
    Database database(file.partial(), Database::Mode::kReadWrite, path);
    database.Exec("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN");
    MakeTables(&database);
    database.Exec("COMMIT");
  }
  file.PublishNew();
  return path;
}

}  // namespace

std::string_view LogStatusName(LogStatus status) {
  return kStatusNames[static_cast<size_t>(status)];
}

namespace {

// Of a log: it was judged, and its findings are as they were written, in one transaction one behind the
// other. Where somebody deleted or changed them it is judged again.
std::string Judged() {
  const std::string of_log =
      " FROM finding f LEFT JOIN temp.known_rule r ON r.name = f.rule WHERE f.log = log.id";
  std::string numbers;
  for (const char* number :
       {"files", "files_unused", "lines", "events", "rejected", "waits", "unknown_waits"})
    numbers += " AND coalesce(" + std::string(number) + ", 0) >= 0";
  return "status IN ('found', 'clean', 'cannot tell') AND NOT EXISTS (SELECT 1" + of_log +
         " AND (f.grade NOT IN " + kGradeValues +
         " OR r.severity IS NOT f.severity OR substr(f.fingerprint, 1, length(f.rule)) <> f.rule)) AND "
         "(status = 'found') = EXISTS (SELECT 1" +
         of_log +
         " AND r.counts) AND (SELECT count(*) FROM finding f WHERE f.log = log.id) = "
         "(SELECT n.findings FROM log_findings n WHERE n.log = log.id) AND "
         "(SELECT count(*) = 0 OR count(*) = max(f.id) - min(f.id) + 1 FROM finding f WHERE f.log = log.id)" +
         numbers;
}

}  // namespace

struct FleetStore::Statements {
  explicit Statements(const Database& db)
      : find(db,
             "SELECT id, path, content, status, reason, format, kernel_release, machine, files, "
             "files_unused, lines, events, "
             "rejected, waits, unknown_waits, milliseconds FROM log WHERE content = ?1 AND analysis = ?2 "
             "AND " +
                 Judged() + " ORDER BY path <> ?3, id LIMIT 1"),
        findings(
            db,
            "SELECT rule, severity, grade, fingerprint, member, function, outcome, comm, pid, pfn, summary, "
            "path, line FROM finding WHERE log = ?1 ORDER BY id"),
        copy_log(
            db,
            "INSERT INTO log(path, content, analysis, first_run, last_run, status, reason, format, "
            "kernel_release, machine, files, files_unused, lines, events, rejected, waits, unknown_waits, "
            "milliseconds) "
            "SELECT ?2, content, analysis, ?3, ?3, status, reason, format, kernel_release, machine, files, "
            "files_unused, "
            "lines, events, rejected, waits, unknown_waits, milliseconds FROM log WHERE id = ?1 "
            "ON CONFLICT (path, content) DO UPDATE SET analysis = excluded.analysis, last_run = "
            "excluded.last_run, status = excluded.status, reason = excluded.reason, format = "
            "excluded.format, "
            "kernel_release = excluded.kernel_release, machine = excluded.machine, files = excluded.files, "
            "files_unused = excluded.files_unused, "
            "lines = excluded.lines, events = excluded.events, rejected = excluded.rejected, waits = "
            "excluded.waits, unknown_waits = excluded.unknown_waits, milliseconds = excluded.milliseconds "
            "RETURNING id"),
        copy_findings(
            db,
            "INSERT INTO finding(log, rule, severity, grade, fingerprint, member, function, outcome, comm, "
            "pid, pfn, summary, path, line) SELECT ?2, rule, severity, grade, fingerprint, member, "
            "function, outcome, comm, pid, pfn, summary, CASE WHEN substr(path, 1, length(?3)) = ?3 THEN "
            "?4 || substr(path, length(?3) + 1) ELSE path END, line FROM finding WHERE log = ?1 ORDER BY id"),
        known(db, "SELECT id, analysis = ?3 AND " + Judged() + " FROM log WHERE path = ?1 AND content = ?2"),
        drop_findings(db, "DELETE FROM finding WHERE log = ?1"),
        count_findings(db,
                       "INSERT OR REPLACE INTO log_findings(log, findings) "
                       "SELECT ?1, count(*) FROM finding WHERE log = ?1"),
        insert_log(db,
                   "INSERT INTO log(path, content, analysis, first_run, last_run, status, reason, format, "
                   "kernel_release, machine, files, files_unused, lines, events, rejected, waits, "
                   "unknown_waits, milliseconds) "
                   "VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) "
                   "ON CONFLICT (path, content) DO UPDATE SET analysis = ?3, last_run = ?4, status = ?5, "
                   "reason = ?6, "
                   "format = ?7, kernel_release = ?8, machine = ?9, files = ?10, files_unused = ?11, lines = "
                   "?12, events = ?13, "
                   "rejected = ?14, waits = ?15, unknown_waits = ?16, milliseconds = ?17 RETURNING id"),
        insert_finding(
            db,
            "INSERT INTO finding(log, rule, severity, grade, fingerprint, member, function, outcome, comm, "
            "pid, pfn, summary, path, line) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        touch(db, "UPDATE log SET last_run = ?2 WHERE id = ?1"),
        seen(db, "INSERT OR IGNORE INTO run_log(run, log, skipped) VALUES (?1, ?2, ?3)") {}

  Statement find;
  Statement findings;
  Statement copy_log;
  Statement copy_findings;
  Statement known;
  Statement drop_findings;
  Statement count_findings;
  Statement insert_log;
  Statement insert_finding;
  Statement touch;
  Statement seen;
};

FleetStore::FleetStore(const std::string& path, std::string_view version, std::string analysis,
                       const std::vector<FleetRule>& rules)
    : database_(MakeFile(path), Database::Mode::kCreate), analysis_(std::move(analysis)) {
  sqlite3_busy_timeout(database_.handle(), kBusyMilliseconds);
  CreateTables();
  database_.Exec("CREATE TEMP TABLE known_rule(name TEXT PRIMARY KEY, severity TEXT, counts INTEGER)");
  Statement rule = InsertInto(database_, "temp.known_rule");
  for (const FleetRule& one : rules) {
    rule.Bind(1, one.name);
    rule.Bind(2, one.severity);
    rule.Bind(3, static_cast<int64_t>(one.counts));
    rule.Run();
  }
  statements_ = std::make_unique<Statements>(database_);
  Statement run(database_, "INSERT INTO run(started, version, analysis) VALUES (?1, ?2, ?3) RETURNING id");
  run.Bind(1, static_cast<int64_t>(std::time(nullptr)));
  run.Bind(2, version);
  run.Bind(3, analysis_);
  run.Step();
  run_ = run.Int(0);
  run.Run();
}

// Where nobody else is on it the database is one file again, which anybody may read.
FleetStore::~FleetStore() {
  statements_.reset();
  sqlite3_busy_timeout(database_.handle(), 0);
  sqlite3_exec(database_.handle(), "PRAGMA journal_mode=DELETE", nullptr, nullptr, nullptr);
}

void FleetStore::CreateTables() {
  int64_t id = 0;
  bool empty = false;
  try {
    // At one time: another process may be making the tables.
    database_.Exec("BEGIN");
    id = Pragma(database_, "PRAGMA application_id");
    empty = Pragma(database_, "SELECT count(*) FROM sqlite_schema") == 0;
    database_.Exec("COMMIT");
  } catch (const Error& error) {
    if (sqlite3_errcode(database_.handle()) != SQLITE_NOTADB) throw;
    throw Error(database_.path() + ": exists, and is no database; give a fleet database another name");
  }
  if (id != kFleetApplicationId && !(id == 0 && empty)) {
    throw Error(
        database_.path() +
        (id == kApplicationId
             ? ": is the database of one trace (mmreplay analyze -o); give a fleet database another name"
             : ": exists, and is not a fleet database; give it another name"));
  }
  int64_t version = id == kFleetApplicationId ? RequireKnownVersion(database_) : kFleetSchemaVersion;
  sqlite3_db_config(database_.handle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(database_.handle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  // What is refused stays as it is.
  if (id == kFleetApplicationId) {
    RequireNoOtherIndex(database_);
    RequireFleetSchema(database_, version);
  }
  SetUp(&database_);
  database_.Exec("BEGIN IMMEDIATE");
  // Another process may have made the tables since.
  bool makes = Pragma(database_, "PRAGMA application_id") == 0;
  if (makes) MakeTables(&database_);  // it was an empty file
  if (Pragma(database_, "PRAGMA user_version") == 1) UpgradeTables(&database_);
  database_.Exec("COMMIT");
  // Into the file itself, by whose first bytes it is known while it grows.
  if (makes) Pragma(database_, "PRAGMA wal_checkpoint(TRUNCATE)");
}

void FleetStore::SeenInRun(int64_t log, bool skipped) {
  statements_->touch.Bind(1, log);
  statements_->touch.Bind(2, run_);
  statements_->touch.Run();
  statements_->seen.Bind(1, run_);
  statements_->seen.Bind(2, log);
  statements_->seen.Bind(3, skipped);
  statements_->seen.Run();
}

void FleetStore::CountFindings(int64_t log) {
  statements_->count_findings.Bind(1, log);
  statements_->count_findings.Run();
}

int64_t FleetStore::CopyLog(int64_t log, const std::string& from, const std::string& to) {
  Statement& copy = statements_->copy_log;
  copy.Bind(1, log);
  copy.Bind(2, to);
  copy.Bind(3, run_);
  copy.Step();
  int64_t id = copy.Int(0);
  copy.Run();
  statements_->drop_findings.Bind(1, id);
  statements_->drop_findings.Run();
  Statement& findings = statements_->copy_findings;
  findings.Bind(1, log);
  findings.Bind(2, id);
  findings.Bind(3, from);
  findings.Bind(4, to);
  findings.Run();
  CountFindings(id);
  return id;
}

std::optional<FleetLog> FleetStore::Reuse(const std::string& path, const std::string& content,
                                          const std::function<void(const FleetFinding&)>& visit) {
  Statement& find = statements_->find;
  auto look = [&]() -> std::optional<std::pair<int64_t, FleetLog>> {
    find.Bind(1, content);
    find.Bind(2, analysis_);
    find.Bind(3, path);
    std::optional<std::pair<int64_t, FleetLog>> found;
    if (find.Step()) found = {find.Int(0), ReadLog(find)};
    find.Reset();
    return found;
  };
  if (!look()) return std::nullopt;  // without taking the lock
  database_.Exec("BEGIN IMMEDIATE");
  auto found = look();
  if (!found) {
    Rollback();
    return std::nullopt;
  }
  auto [id, log] = std::move(*found);
  if (log.path != path) id = CopyLog(id, log.path, path);
  SeenInRun(id, true);
  database_.Exec("COMMIT");
  log.path = path;
  Statement& findings = statements_->findings;
  findings.Bind(1, id);
  while (findings.Step()) visit(ReadFinding(findings));
  findings.Reset();
  return log;
}

void FleetStore::PutLog(const FleetLog& log) {
  Statement& known = statements_->known;
  known.Bind(1, log.path);
  known.Bind(2, log.content);
  known.Bind(3, analysis_);
  bool there = known.Step();
  int64_t id = there ? known.Int(0) : 0;
  has_it_all_ = there && known.Int(1) != 0;
  known.Reset();
  log_ = id;
  if (has_it_all_) return;
  if (there) {
    statements_->drop_findings.Bind(1, id);
    statements_->drop_findings.Run();
  }
  Statement& insert = statements_->insert_log;
  std::string_view status = LogStatusName(log.status);
  insert.Bind(1, log.path);
  insert.Bind(2, log.content);
  insert.Bind(3, analysis_);
  insert.Bind(4, run_);
  insert.Bind(5, status);
  insert.Bind(6, NullIfEmpty(log.reason));
  insert.Bind(7, NullIfEmpty(log.format));
  insert.Bind(8, NullIfEmpty(log.kernel_release));
  insert.Bind(9, NullIfEmpty(log.machine));
  insert.Bind(10, log.files);
  insert.Bind(11, log.files_unused);
  insert.Bind(12, log.lines);
  insert.Bind(13, log.events);
  insert.Bind(14, log.rejected);
  insert.Bind(15, log.waits);
  insert.Bind(16, log.unknown_waits);
  insert.Bind(17, log.milliseconds);
  insert.Step();
  log_ = insert.Int(0);
  insert.Run();
}

void FleetStore::Begin(const FleetLog& log) {
  database_.Exec("BEGIN IMMEDIATE");
  PutLog(log);
}

void FleetStore::Add(const FleetFinding& finding) {
  if (has_it_all_) return;
  Statement& insert = statements_->insert_finding;
  insert.Bind(1, log_);
  insert.Bind(2, finding.rule);
  insert.Bind(3, finding.severity);
  insert.Bind(4, finding.grade);
  insert.Bind(5, finding.fingerprint);
  insert.Bind(6, finding.member);
  insert.Bind(7, NullIfEmpty(finding.function));
  insert.Bind(8, NullIfEmpty(finding.outcome));
  insert.Bind(9, NullIfEmpty(finding.comm));
  insert.Bind(10, finding.pid);
  insert.Bind(11, finding.pfn);
  insert.Bind(12, finding.summary);
  insert.Bind(13, NullIfEmpty(finding.path));
  insert.Bind(14, finding.line);
  insert.Run();
}

void FleetStore::Commit() {
  if (!has_it_all_) CountFindings(log_);
  SeenInRun(log_, false);
  database_.Exec("COMMIT");
}

void FleetStore::Rollback() {
  database_.Exec("ROLLBACK");
}

void FleetStore::Finish(int64_t logs, int exit_code) {
  Statement finish(database_, "UPDATE run SET finished = ?2, logs = ?3, exit_code = ?4 WHERE id = ?1");
  finish.Bind(1, run_);
  finish.Bind(2, static_cast<int64_t>(std::time(nullptr)));
  finish.Bind(3, logs);
  finish.Bind(4, exit_code);
  finish.Run();
}

bool IsFleetDatabase(const std::string& path) {
  try {
    auto header = ReadDatabaseHeader(path);
    return header && header->application_id == kFleetApplicationId;
  } catch (const Error&) {
    return false;  // whoever opens it says why
  }
}

std::unique_ptr<Database> OpenFleetDatabase(const std::string& path) {
  // Of one in WAL mode SQLite leaves files beside it where there were none.
  auto header = ReadDatabaseHeader(path);
  bool at_rest = header && header->wal && !HasCompanions(OutputFile(path));
  auto database =
      std::make_unique<Database>(path, at_rest ? Database::Mode::kAtRest : Database::Mode::kReadOnly);
  sqlite3_busy_timeout(database->handle(), kBusyMilliseconds);
  // What a killed run left beside it can be put back by who may write.
  if (sqlite3_exec(database->handle(), "PRAGMA application_id", nullptr, nullptr, nullptr) ==
      SQLITE_READONLY_ROLLBACK)
    FailInterrupted(path);
  if (Pragma(*database, "PRAGMA application_id") != kFleetApplicationId)
    throw Error(path + ": is not a fleet database");
  int64_t version = RequireKnownVersion(*database);
  database->Distrust(true);
  RequireFleetSchema(*database, version);
  return database;
}

}  // namespace mmreplay
