#include "db/database.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "db/embedded_sql.h"
#include "db/kind_views.h"
#include "db/output_file.h"
#include "db/read_only.h"
#include "parser/bundle.h"
#include "parser/console_log.h"
#include "parser/error.h"
#include "parser/event_filter.h"
#include "parser/probe_definitions.h"
#include "parser/temporary_file.h"
#include "parser/uri.h"

namespace mmreplay {
namespace {

constexpr size_t kHeaderBytes = 100;
constexpr std::string_view kMagic("SQLite format 3\0", 16);

// For what is stored, whatever it is: a loop in it ends. A report on a trace takes a few thousand
// instructions per event, of which a file has some hundred bytes.
constexpr int64_t kLeastSteps = 500'000'000;
constexpr int64_t kStepsPerByte = 50;
constexpr std::chrono::seconds kUnknownSchemaTime(60);

int32_t BigEndian32(const std::array<unsigned char, kHeaderBytes>& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | bytes[at + i];
  return static_cast<int32_t>(value);
}

// SQLite gives its temporary files a name and takes it away again; who is killed in between leaves a file
// behind that nobody removes. Here they never have one, where the file system can do that.
int OpenUnnamed(const char* path, int flags, int mode) {
  constexpr int kFresh = O_CREAT | O_EXCL;
  std::string_view name(path);
  size_t slash = name.rfind('/');
  if ((flags & kFresh) == kFresh && slash != std::string_view::npos &&
      name.substr(slash + 1).starts_with("etilqs_")) {
    std::string folder(name.substr(0, slash + 1));
    int fd = open(folder.c_str(), O_TMPFILE | O_RDWR | (flags & O_CLOEXEC), 0600);
    if (fd >= 0) return fd;
  }
  return open(path, flags, mode);
}

// Of the process, before its first connection.
void SetUpSqlite() {
  static const bool done = [] {
    sqlite3_initialize();
    sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
    if (vfs && vfs->iVersion >= 3) {
      vfs->xSetSystemCall(vfs, "open", reinterpret_cast<sqlite3_syscall_ptr>(&OpenUnnamed));
      vfs->xSetSystemCall(vfs, "pwrite64", reinterpret_cast<sqlite3_syscall_ptr>(&WriteWithinBudget));
    }
    return true;
  }();
  static_cast<void>(done);
}

// The sums every reader of a trace keeps: a database in which they do not hold would report some of its
// events.
void RequireAccounting(const Database& database) {
  Statement sums(database,
                 "SELECT lines_total = lines_events + lines_comments + lines_continuations + lines_markers + "
                 "lines_rejected AND min(lines_events, lines_comments, lines_continuations, lines_markers, "
                 "lines_rejected) >= 0, lines_events, (SELECT coalesce(max(id), 0) FROM event), "
                 "(SELECT coalesce(sum(events), 0) FROM trace_batch), "
                 "(SELECT coalesce(sum(count), 0) FROM trace_issue WHERE of_input AND kind = ?1), "
                 "lines_total = (SELECT coalesce(sum(lines_total), 0) FROM source WHERE part IS NOT NULL), "
                 "(SELECT count(*) FROM finding) = (SELECT coalesce(sum(findings), 0) FROM rule_result) AND "
                 "NOT EXISTS (SELECT 1 FROM (SELECT rule, count(*) AS findings FROM finding GROUP BY rule) f "
                 "LEFT JOIN rule_result r ON r.rule = f.rule WHERE r.findings IS NOT f.findings) "
                 "FROM trace");
  sums.Bind(1, kFilteredIssue);
  if (!sums.Step()) database.FailDamaged("it holds no trace");
  // Events that a filter left out have numbers, too.
  bool complete = sums.Int(4) == 0 ? sums.Int(1) == sums.Int(2) : sums.Int(1) >= sums.Int(2);
  bool hold = sums.Int(0) != 0 && complete && sums.Int(3) + sums.Int(4) == sums.Int(1) && sums.Int(5) != 0;
  if (!hold) database.FailDamaged("its lines do not add up");
  if (sums.Int(6) == 0) database.FailDamaged("its findings do not add up");
  if (sums.Step()) database.FailDamaged("it holds several traces");
}

// What verdicts rest on has the values that are written: another one is no finding's grade, and no error.
void RequireKnownValues(const Database& database) {
  const std::string no_severity = std::string(" WHERE severity NOT IN ") + kSeverityValues;
  Statement values(database, "SELECT (SELECT severity FROM rule_result" + no_severity +
                                 "), (SELECT severity FROM trace_issue" + no_severity +
                                 "), (SELECT grade FROM finding WHERE grade NOT IN " + kGradeValues +
                                 "), (SELECT applicable FROM rule_result WHERE applicable NOT IN (0, 1)), "
                                 "(SELECT of_input FROM trace_issue WHERE of_input NOT IN (0, 1))");
  if (!values.Step()) return;
  static constexpr std::array<const char*, 5> kWhat = {"a rule's severity", "an issue's severity",
                                                       "a finding's grade", "a rule that is applicable",
                                                       "an issue of the input"};
  for (size_t i = 0; i < kWhat.size(); ++i) {
    int column = static_cast<int>(i);
    if (!values.IsNull(column))
      database.FailDamaged(std::string(kWhat[i]) + " has a value that no analysis writes");
  }
}

}  // namespace

std::optional<DatabaseHeader> ReadDatabaseHeader(const std::string& path) {
  RequireRegularFile(path);
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (fd < 0) throw Error(path + ": " + Reason(errno));
  std::array<unsigned char, kHeaderBytes> bytes{};
  size_t have = 0;
  int error = 0;
  while (have < kHeaderBytes) {
    ssize_t got = read(fd, bytes.data() + have, kHeaderBytes - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  close(fd);
  if (error != 0) throw Error(path + ": " + Reason(error));
  DatabaseHeader header;
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), kMagic.size());
  header.is_sqlite = have == kHeaderBytes && text == kMagic;
  if (!header.is_sqlite) return header;
  header.user_version = BigEndian32(bytes, 60);
  header.application_id = BigEndian32(bytes, 68);
  constexpr unsigned char kWal = 2;
  header.wal = bytes[18] == kWal || bytes[19] == kWal;
  // The size counts where it was written with the latest change (www.sqlite.org/fileformat.html, 1.3.7).
  uint64_t page = static_cast<uint64_t>(bytes[16]) << 8 | bytes[17];
  if (page == 1) page = 65'536;
  bool size_known = BigEndian32(bytes, 24) == BigEndian32(bytes, 92);
  std::error_code ignored;
  auto size = std::filesystem::file_size(path, ignored);
  header.cut_off = size_known && !ignored && size < page * static_cast<uint32_t>(BigEndian32(bytes, 28));
  return header;
}

namespace {

// Files SQLite keeps beside a database, and how they begin: www.sqlite.org/fileformat.html 3 and 4.1, and
// walformat.html 2.1 for a little-endian machine.
struct Companion {
  const char* suffix;
  std::string_view magic;
};
constexpr Companion kJournal{"-journal", "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"};
constexpr Companion kWal{"-wal", "\x37\x7f\x06"};
constexpr std::array kCompanions = {kJournal, kWal, Companion{"-shm", "\x18\xe2\x2d"}};

enum class Beside : uint8_t { kNothing, kEmpty, kOfSqlite, kOther };

std::string NameOf(const std::string& path, const Companion& companion) {
  std::string name = path;
  name += companion.suffix;
  return name;
}

Beside WhatIsBeside(const std::string& path, const Companion& companion) {
  int fd = open(NameOf(path, companion).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  // ENOTDIR: there is a file where the folder should be. Whoever makes the result says so.
  if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? Beside::kNothing : Beside::kOther;
  std::array<char, 8> head{};
  ssize_t got = read(fd, head.data(), companion.magic.size());
  close(fd);
  if (got == 0) return Beside::kEmpty;
  bool of_sqlite = got > 0 && std::string_view(head.data(), static_cast<size_t>(got)) == companion.magic;
  return of_sqlite ? Beside::kOfSqlite : Beside::kOther;
}

// What SQLite may keep beside a database; -1 where there is nothing of that name.
int OpenBeside(const std::string& name) {
  int fd = open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && errno != ENOENT && errno != ENOTDIR) throw Error(name + ": " + Reason(errno));
  return fd;
}

// A journal that ends with the name of another file: one of a transaction over several databases. SQLite
// would put the pages back, and then delete that file, whatever it is (fileformat.html 3; pager.c:
// pager_delsuper). None of ours is such a transaction.
void RequireOwnJournal(const std::string& path) {
  const std::string journal = NameOf(OutputFile(path), kJournal);  // beside what a link leads to
  int fd = OpenBeside(journal);
  if (fd < 0) return;
  std::array<char, 8> end{};
  constexpr auto kSize = static_cast<ssize_t>(end.size());
  off_t size = lseek(fd, 0, SEEK_END);
  ssize_t got = size >= kSize ? pread(fd, end.data(), end.size(), size - kSize) : 0;
  int error = got < 0 ? errno : 0;
  close(fd);
  if (error != 0) throw Error(journal + ": " + Reason(error));
  if (got == kSize && std::string_view(end.data(), end.size()) == kJournal.magic)
    throw Error(path + ": what stands beside it (" + journal +
                ") makes SQLite delete another file; move it away if it is not yours");
}

std::string Settle(const std::string& path, const char* pragma) {
  return ", and this settles it: sqlite3 '" + path + "' 'PRAGMA " + pragma + "'";
}

}  // namespace

void FailInterrupted(const std::string& path) {
  throw Error(path + ": another program is changing it, or was interrupted while it did (" +
              NameOf(path, kJournal) + ")" + Settle(path, "user_version"));
}

void RequireSettled(const std::string& path, const DatabaseHeader& header) {
  RequireOwnJournal(path);
  if (header.wal)
    throw Error(path + ": another program keeps changes of it beside it (WAL)" +
                Settle(path, "journal_mode=DELETE"));
  const std::string file = OutputFile(path);
  if (WhatIsBeside(file, kJournal) == Beside::kOfSqlite) FailInterrupted(path);
  // SQLite reads it even where the database has none by its head, and makes or overwrites what belongs to it.
  const std::string wal = NameOf(file, kWal);
  int fd = OpenBeside(wal);
  if (fd < 0) return;
  off_t size = lseek(fd, 0, SEEK_END);
  close(fd);
  if (size > 0)
    throw Error(path + ": SQLite would take " + wal + " for a part of it" +
                Settle(path, "journal_mode=DELETE") + "; or move that file away if it is another database's");
}

void RequireFreeName(const std::string& path) {
  for (const Companion& companion : kCompanions) {
    if (WhatIsBeside(path, companion) == Beside::kOther)
      throw Error(path + ": SQLite would take " + NameOf(path, companion) +
                  " for a part of it; keep the result under another name");
  }
}

bool HasCompanions(const std::string& path) {
  return std::any_of(kCompanions.begin(), kCompanions.end(), [&](const Companion& companion) {
    return WhatIsBeside(path, companion) != Beside::kNothing;
  });
}

void RemoveCompanions(const std::string& path) {
  for (const Companion& companion : kCompanions) {
    Beside what = WhatIsBeside(path, companion);
    if (what != Beside::kEmpty && what != Beside::kOfSqlite) continue;
    if (unlink(NameOf(path, companion).c_str()) != 0 && errno != ENOENT)
      throw Error(path + ": " + NameOf(path, companion) +
                  ", left by another program, cannot be removed: " + Reason(errno));
  }
}

namespace {

// SQLite's words, and where it was the system that failed, the system's.
std::string WhatFailed(sqlite3* db) {
  std::string what = sqlite3_errmsg(db);
  int code = sqlite3_errcode(db) & 0xff;
  int error = sqlite3_system_errno(db);
  if ((code == SQLITE_CANTOPEN || code == SQLITE_IOERR) && error != 0) what += ": " + Reason(error);
  return what;
}

// SQLite's own temporary files go where ours go, and no variable but $TMPDIR has a say. It may be told once,
// before there are connections.
void SetTemporaryFolderOfSqlite() {
  static const bool told = [] {
    sqlite3_initialize();
    sqlite3_temp_directory = sqlite3_mprintf("%s", FolderOfTemporaries().c_str());
    return true;
  }();
  static_cast<void>(told);
}

// https://www.sqlite.org/uri.html
std::string UriAtRest(const std::string& path) {
  // What follows two slashes would be a host.
  return (path.starts_with("//") ? "file://" : "file:") + PercentEncoded(path) + "?immutable=1";
}

}  // namespace

Database::Database(const std::string& path, Mode mode, const std::string& name)
    : path_(!name.empty()  ? name
            : path.empty() ? "temporary database"
                           : path) {
  SetUpSqlite();
  // SQLite would wait for a fifo, and leave its journal beside a device.
  if (!path.empty()) {
    const std::string file = OutputFile(path);
    for (const char* suffix : {"", "-journal", "-wal"}) RequireRegularFile(file + suffix);
    RequireOwnJournal(file);
  }
  int flags = SQLITE_OPEN_NOMUTEX;
  switch (mode) {
    case Mode::kReadOnly:
      flags |= SQLITE_OPEN_READONLY;
      break;
    case Mode::kAtRest:
      flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
      break;
    case Mode::kReadWrite:
      flags |= SQLITE_OPEN_READWRITE;
      break;
    case Mode::kCreate:
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      break;
  }
  SetTemporaryFolderOfSqlite();
  // Debian's SQLite takes "file:x?mode=memory" for a URI, which is another file; ":memory:" is none.
  std::string plain = path.starts_with("file:") || path.starts_with(':') ? "./" + path : path;
  if (mode == Mode::kAtRest) plain = UriAtRest(plain);
  sqlite3* raw = nullptr;
  int code = sqlite3_open_v2(plain.c_str(), &raw, flags, nullptr);
  handle_.reset(raw);
  if (code != SQLITE_OK) {
    const sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
    std::error_code ignored;
    if (vfs &&
        std::filesystem::absolute(plain, ignored).native().size() >= static_cast<size_t>(vfs->mxPathname))
      throw Error(path_ + ": its path is longer than SQLite takes (" + std::to_string(vfs->mxPathname) +
                  " bytes)");
    throw Error(path_ + ": " + (raw ? WhatFailed(raw) : sqlite3_errstr(code)));
  }
  // SQLite takes what it may not write for something to be read.
  bool writes = mode == Mode::kReadWrite || mode == Mode::kCreate;
  if (writes && !path.empty() && sqlite3_db_readonly(raw, "main") == 1)
    throw Error(path_ + ": cannot be written: " +
                Reason(sqlite3_system_errno(raw) != 0 ? sqlite3_system_errno(raw) : EACCES));
  sqlite3_extended_result_codes(raw, 1);
  // Nothing we store is a trigger, and the virtual tables SQLite has of its own are where damaged files hurt.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  sqlite3_drop_modules(raw, nullptr);
}

// Of what an analysis stores, the text of an event is the longest: some eight MiB of a record of 64 KiB.
constexpr int kLongestValue = 16 << 20;

void Database::Lift::operator()(Restriction* restriction) const {
  delete restriction;
}

void Database::LimitMemory() {
  sqlite3_limit(handle_.get(), SQLITE_LIMIT_LENGTH, kLongestValue);
  sqlite3_hard_heap_limit64(kMostHeapBytes);
}

void Database::Distrust(bool known_schema) {
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  Exec("PRAGMA query_only=ON; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0");
  LimitMemory();
  int64_t bytes = 0;
  {
    Statement pages(*this, "PRAGMA page_count");
    if (pages.Step()) bytes = pages.Int(0);
    Statement size(*this, "PRAGMA page_size");
    if (size.Step()) bytes *= size.Int(0);
  }
  Budget budget{.steps = kLeastSteps + bytes * kStepsPerByte, .cpu = {}, .may_check = true};
  if (!known_schema) budget.cpu = kUnknownSchemaTime;
  restriction_.reset(new Restriction(handle_.get(), path_, budget, nullptr));
}

void Database::Exec(const char* sql) {
  char* message = nullptr;
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, &message) != SQLITE_OK) {
    sqlite3_free(message);
    throw Error(path_ + ": " + WhatFailed(handle_.get()));
  }
}

void Database::Check(int code, std::string_view doing) const {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
  std::string what = WhatFailed(handle_.get());
  switch (code & 0xff) {
    case SQLITE_INTERRUPT:
      FailDamaged("reading it does not end");
    case SQLITE_CORRUPT:
    case SQLITE_AUTH:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      FailDamaged(what);
    case SQLITE_TOOBIG:
      FailDamaged("a value is longer than any that mmreplay writes");
    default:
      throw Error(path_ + ": " + std::string(doing) + ": " + what);
  }
}

void Database::FailDamaged(std::string_view what) const {
  // SQLite says so, too, where the disk cannot be read.
  int error = 0;
  sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_LAST_ERRNO, &error);
  if (error == EIO) throw Error(path_ + ": " + Reason(EIO));
  throw Error(path_ + ": is damaged, or was changed since mmreplay wrote it (" + std::string(what) +
              "); analyze the recording again");
}

Statement::Statement(const Database& database, std::string_view sql) : database_(&database) {
  sqlite3_stmt* raw = nullptr;
  int code = sqlite3_prepare_v3(database.handle(), sql.data(), static_cast<int>(sql.size()),
                                SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  handle_.reset(raw);
  database.Check(code, "statement");
}

void Statement::Bind(int index, int64_t value) {
  database_->Check(sqlite3_bind_int64(handle_.get(), index, value), "bind");
}

void Statement::Bind(int index, std::string_view text) {
  // A null pointer would bind NULL; an empty view may carry one.
  const char* data = text.data() ? text.data() : "";
  database_->Check(sqlite3_bind_text64(handle_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8),
                   "bind");
}

void Statement::BindNull(int index) {
  database_->Check(sqlite3_bind_null(handle_.get(), index), "bind");
}

bool Statement::Step() {
  int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_->Check(code, "step");
  return false;
}

void Statement::Reset() {
  sqlite3_reset(handle_.get());
}

void Statement::Run() {
  while (Step()) {
  }
  Reset();
}

std::string_view Statement::Name(int column) const {
  return sqlite3_column_name(handle_.get(), column);
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

int64_t Statement::Int(int column) const {
  return OptionalInt(column).value_or(0);
}

std::optional<int64_t> Statement::OptionalInt(int column) const {
  // A value in the hand: each sqlite3_column_* would look it up, and lock, once more. Only the thread that
  // steps asks.
  sqlite3_value* value = sqlite3_column_value(handle_.get(), column);
  int type = sqlite3_value_type(value);
  if (type == SQLITE_NULL) return std::nullopt;
  if (type != SQLITE_INTEGER) database_->FailDamaged(std::string(Name(column)) + " is no number");
  return sqlite3_value_int64(value);
}

std::string_view Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (!text) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

Statement InsertInto(const Database& database, const std::string& table) {
  Statement columns(database, "SELECT * FROM " + table);
  std::string marks = "?";
  for (int i = 1; i < columns.columns(); ++i) marks += ",?";
  return {database, "INSERT INTO " + table + " VALUES(" + marks + ")"};
}

void RequireSchema(const Database& database, const Database& expected) {
  Statement trigger(database, "SELECT name FROM sqlite_schema WHERE type NOT IN ('table', 'view', 'index')");
  if (trigger.Step()) database.FailDamaged("it has a trigger, " + std::string(trigger.Text(0)));
  Statement wanted(expected, "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL");
  Statement found(database, "SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2 AND sql = ?3");
  while (wanted.Step()) {
    for (int i = 0; i < 3; ++i) found.Bind(i + 1, wanted.Text(i));
    if (!found.Step())
      database.FailDamaged("the " + std::string(wanted.Text(0)) + " " + std::string(wanted.Text(1)) +
                           " is not as it was made");
    found.Reset();
  }
}

void RequireSound(const Database& database, const Database& expected) {
  // SQLite finds what was torn or overwritten between the records; numbers within them it cannot know. A
  // large file would take longer than what is asked of it.
  constexpr int64_t kSmall = int64_t{16} << 20;
  std::error_code error;
  auto bytes = std::filesystem::file_size(database.path(), error);
  if (error || bytes > static_cast<uint64_t>(kSmall)) return;
  // Of our tables: others may have constraints that compute whatever they like.
  Statement table(expected, "SELECT name FROM sqlite_schema WHERE type = 'table'");
  while (table.Step()) {
    Statement check(database, "PRAGMA quick_check('" + std::string(table.Text(0)) + "')");
    if (!check.Step() || check.Text(0) == "ok") continue;
    // *** in database main ***\nPage 7: btreeInitPage() returns error code 11
    std::string_view text = check.Text(0);
    if (text.find("error code=" + std::to_string(SQLITE_NOMEM)) != std::string_view::npos)
      throw Error(database.path() + ": out of memory");
    database.FailDamaged(text.substr(text.find('\n') + 1));
  }
}

// What is held in memory to be reported or replayed has no more rows than an analysis writes.
void RequireFewRows(const Database& database) {
  constexpr std::pair<const char*, int64_t> kMost[] = {{"source", 16'384},
                                                       {"trace_probe", kMostProbes},
                                                       {"trace_cpu_stats", kMostCpuStats},
                                                       {"console_report", kMostPageReports},
                                                       {"trace_issue", 100'000},
                                                       {"kind", 1'000'000}};
  for (const auto& [table, most] : kMost) {
    Statement count(database, "SELECT count(*) FROM " + std::string(table));
    if (count.Step() && count.Int(0) > most)
      database.FailDamaged("it has more rows of " + std::string(table) + " than an analysis writes");
  }
}

// In a database of an earlier version: what has the name of a table of ours is one, and no view in its place,
// and has no columns that compute whatever they like (those two no replay reads).
void RequireTables(const Database& database, const Database& expected) {
  Statement table(expected, "SELECT name FROM sqlite_schema WHERE type = 'table'");
  // SQLite's names are the same in any case.
  Statement other(
      database,
      "SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND (type NOT IN ('table', 'index') OR "
      "type = 'table' AND EXISTS (SELECT 1 FROM pragma_table_xinfo(?1) WHERE hidden <> 0 AND name NOT IN "
      "('hold_time', 'wait_time')))");
  while (table.Step()) {
    other.Bind(1, table.Text(0));
    if (other.Step())
      database.FailDamaged("the table " + std::string(table.Text(0)) + " is not as it was made");
    other.Reset();
  }
}

// Before version 9 tables were not strict.
std::string SqlOfVersion(const char* file, int32_t version) {
  std::string sql(DatabaseSql(file));
  if (version == kSchemaVersion) return sql;
  for (const auto& [now, then] :
       {std::pair<std::string_view, std::string_view>{") STRICT, ", ") "}, {") STRICT", ")"}, {" ANY", ""}}) {
    for (size_t at = sql.find(now); at != std::string::npos; at = sql.find(now, at))
      sql.replace(at, now.size(), then);
  }
  return sql;
}

std::unique_ptr<Database> WholeSchema(int32_t version) {
  auto whole = std::make_unique<Database>("", Database::Mode::kCreate);
  for (const char* file : {"schema.sql", "event_schema.sql", "views.sql", "event_indexes.sql",
                           "evidence_indexes.sql", "interval_indexes.sql"})
    whole->Exec(SqlOfVersion(file, version).c_str());
  return whole;
}

std::unique_ptr<Database> OpenTraceDatabase(const std::string& path, Database::Mode mode) {
  std::optional<DatabaseHeader> header;
  try {
    header = ReadDatabaseHeader(path);
  } catch (const Error& error) {
    if (access(path.c_str(), R_OK) != 0) throw Error(path + ": cannot be opened");
    throw;
  }
  if (!header) throw Error(path + ": cannot be opened");
  if (header->application_id == kFleetApplicationId)
    throw Error(path + ": is a fleet database of many logs; ask it with mmreplay query");
  if (header->application_id != kApplicationId) throw Error(path + ": is not a database mmreplay wrote");
  if (header->user_version > kSchemaVersion || header->user_version < 0) {
    throw Error(path + ": was written by a newer mmreplay (schema " + std::to_string(header->user_version) +
                "; this one reads up to " + std::to_string(kSchemaVersion) + ")");
  }
  if (mode == Database::Mode::kReadOnly) RequireSettled(path, *header);
  auto database = std::make_unique<Database>(path, mode);
  if (header->cut_off) database->FailDamaged("it is cut off");
  if (mode != Database::Mode::kReadOnly) return database;
  // Of earlier versions the views are not known, and may compute whatever they like.
  bool known = header->user_version >= kReportableSchema;
  // One transaction for all that is asked: SQLite would lock and unlock the file for each statement.
  database->Exec("BEGIN");
  std::unique_ptr<Database> whole = WholeSchema(header->user_version);
  const Database& expected = *whole;
  if (!known) RequireTables(*database, expected);  // while pragmas may be asked
  database->Distrust(known);
  if (!known) {
    if (header->user_version >= kReplayableSchema) RequireFewRows(*database);
    return database;
  }
  RequireSchema(*database, expected);
  RequireSound(*database, expected);
  RequireFewRows(*database);
  RequireKindViews(*database);
  RequireAccounting(*database);
  RequireKnownValues(*database);
  return database;
}

std::unique_ptr<Database> OpenJudgedDatabase(const std::string& path) {
  auto database = OpenTraceDatabase(path, Database::Mode::kReadOnly);
  int32_t schema = ReadDatabaseHeader(path)->user_version;
  if (schema >= kReportableSchema) return database;
  std::string next = schema >= kReplayableSchema
                         ? "`mmreplay replay " + path + " -o NEW` makes one of it that can"
                         : "analyze the recording again";
  throw Error(path + ": was written by an earlier mmreplay (schema " + std::to_string(schema) +
              ", this one has " + std::to_string(kSchemaVersion) + "), and cannot be reported on as it is; " +
              next);
}

}  // namespace mmreplay
