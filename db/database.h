// RAII over SQLite: a connection and prepared statements. Errors are thrown as Error, naming the file.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mmreplay {

// "mmrp": marks a file as ours.
inline constexpr int32_t kApplicationId = 0x6d6d7270;
// "mmfl": marks a fleet database: see db/fleet_store.h.
inline constexpr int32_t kFleetApplicationId = 0x6d6d666c;
// Raised whenever columns, views or kinds of markers are appended.
inline constexpr int32_t kSchemaVersion = 9;
// The first one whose views are today's. Its tables take values of any type.
inline constexpr int32_t kReportableSchema = 8;
// The first one that keeps what a replay needs: batches, markers and probes.
inline constexpr int32_t kReplayableSchema = 3;

// What SQLite may take for a file, a query or a rule from anybody.
inline constexpr int64_t kMostHeapBytes = int64_t{256} << 20;

// What the first bytes of a file say of it.
struct DatabaseHeader {
  bool is_sqlite = false;
  int32_t application_id = 0;
  int32_t user_version = 0;
  bool wal = false;             // changes may stand in a file beside it
  bool cut_off = false;         // the file is shorter than it says
};
// nullopt where there is no such file. Throws Error for one that cannot be read, or is no file.
std::optional<DatabaseHeader> ReadDatabaseHeader(const std::string& path);

// Throws Error where another program has begun to change the database, and what it did stands beside it
// (PATH-wal, PATH-journal): reading would write there.
void RequireSettled(const std::string& path, const DatabaseHeader& header);
// A sentence about the second case.
[[noreturn]] void FailInterrupted(const std::string& path);
// What SQLite left in another program beside a database that is replaced (PATH-wal, -shm, -journal) would be taken for
// the new one's. Throws Error where it cannot be removed.
void RemoveCompanions(const std::string& path);
bool HasCompanions(const std::string& path);
// Throws Error where a file of somebody's has the name of one of these.
void RequireFreeName(const std::string& path);

// What columns of these names hold, for SQL.
inline constexpr const char* kSeverityValues = "('error', 'warning', 'info')";
inline constexpr const char* kGradeValues = "('confirmed', 'probable', 'latent')";

class Restriction;

class Database {
 public:
  // kAtRest: read, and nobody changes it meanwhile. SQLite makes no files beside it.
  enum class Mode : uint8_t { kReadOnly, kAtRest, kReadWrite, kCreate };

  // An empty path is a private temporary database on disk, gone when closed. Messages call it `name`, or by
  // its path.
  Database(const std::string& path, Mode mode, const std::string& name = {});

  // One or several statements without parameters and results.
  void Exec(const char* sql);

  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

  // Throws Error with SQLite's message for a failed call.
  void Check(int code, std::string_view doing) const;
  // Throws Error for a value that has no business to be there.
  [[noreturn]] void FailDamaged(std::string_view what) const;

  // For a file from anybody: it may hold what no writer of ours puts there. From now on nothing but reading
  // is possible, and not for ever. `known_schema`: RequireSchema will say that nothing in it computes.
  void Distrust(bool known_schema);
  // What a file from anybody may take: no value is longer than mmreplay writes one, SQLite has kMostHeapBytes.
  void LimitMemory();
  // nullptr for a database of our own.
  Restriction* restriction() const { return restriction_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  struct Lift {
    void operator()(Restriction* restriction) const;
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
  std::unique_ptr<Restriction, Lift> restriction_;
};

// Throws Error if one of the tables, views and indexes of `expected` is another one in `database`, is
// missing, or there is a trigger: then it does not say what its writer wrote.
void RequireSchema(const Database& database, const Database& expected);
// Throws Error if one of those tables is torn. After RequireSchema.
void RequireSound(const Database& database, const Database& expected);

// For columns in which no text is NULL. Borrows.
inline std::optional<std::string_view> NullIfEmpty(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return std::string_view(text);
}

class Statement {
 public:
  // `database` must outlive the statement.
  Statement(const Database& database, std::string_view sql);

  // Parameters from 1. Texts are borrowed until the next Reset or Step to the end.
  void Bind(int index, int64_t value);
  void Bind(int index, std::string_view text);
  void BindNull(int index);
  template <typename T>
  void Bind(int index, const std::optional<T>& value) {
    if (value) {
      Bind(index, *value);
    } else {
      BindNull(index);
    }
  }
  void Bind(int index, int32_t value) { Bind(index, static_cast<int64_t>(value)); }
  void Bind(int index, uint32_t value) { Bind(index, static_cast<int64_t>(value)); }
  void Bind(int index, uint64_t value) { Bind(index, static_cast<int64_t>(value)); }
  void Bind(int index, bool value) { Bind(index, static_cast<int64_t>(value)); }
  void Bind(int index, const char* text) { Bind(index, std::string_view(text)); }
  void Bind(int index, const std::string& text) { Bind(index, std::string_view(text)); }
  void Bind(int index, std::string&& text) = delete;  // it would be gone before the step

  // True while there is a row.
  bool Step();
  void Reset();
  // Step to the end and reset, for statements without rows.
  void Run();

  // Columns from 0.
  int columns() const { return sqlite3_column_count(handle_.get()); }
  std::string_view Name(int column) const;
  bool IsNull(int column) const;
  // 0 for NULL. Throws Error for what is no integer: a stored text is no 0.
  int64_t Int(int column) const;
  std::optional<int64_t> OptionalInt(int column) const;
  std::string_view Text(int column) const;  // empty for NULL; valid until the next Step

  sqlite3_stmt* handle() const { return handle_.get(); }
  const Database& database() const { return *database_; }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  const Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// Inserts a row of a table, one parameter per column in the schema's order. A parameter that is never
// bound is NULL, which makes SQLite number an id.
Statement InsertInto(const Database& database, const std::string& table);

// Opens a file mmreplay wrote, whoever had it since. Anything else, a file of a newer version, and one in
// which tables and views are not as mmreplay makes them, is refused with a sentence.
std::unique_ptr<Database> OpenTraceDatabase(const std::string& path, Database::Mode mode);

// To be read for what this version's model and rules say: one of an earlier version lacks columns, and is
// refused with what to do about it. Its views can be queried, and its events replayed.
std::unique_ptr<Database> OpenJudgedDatabase(const std::string& path);

// A temporary database with all tables, indexes and views of an analysis but those of event kinds, and no row.
std::unique_ptr<Database> WholeSchema(int32_t version = kSchemaVersion);

}  // namespace mmreplay
