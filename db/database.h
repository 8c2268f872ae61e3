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
// Raised whenever columns or views are appended.
inline constexpr int32_t kSchemaVersion = 4;

class Database {
 public:
  enum class Mode : uint8_t { kReadOnly, kReadWrite, kCreate };

  // An empty path is a private temporary database on disk, gone when closed. Messages call it `name`, or by
  // its path.
  Database(const std::string& path, Mode mode, const std::string& name = {});

  // One or several statements without parameters and results.
  void Exec(const char* sql);

  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

  // Throws Error with SQLite's message for a failed call.
  void Check(int code, std::string_view doing) const;

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

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
  int64_t Int(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  std::optional<int64_t> OptionalInt(int column) const;
  std::string_view Text(int column) const;  // empty for NULL; valid until the next Step

  sqlite3_stmt* handle() const { return handle_.get(); }

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

// Opens a file mmreplay wrote. Anything else, and a file of a newer version, is refused with a
// sentence.
std::unique_ptr<Database> OpenTraceDatabase(const std::string& path, Database::Mode mode);

}  // namespace mmreplay
