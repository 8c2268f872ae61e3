#include "db/database.h"

#include <unistd.h>

#include "db/output_file.h"
#include "parser/error.h"
#include "parser/temporary_file.h"

namespace mmreplay {

namespace {

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

}  // namespace

Database::Database(const std::string& path, Mode mode, const std::string& name)
    : path_(!name.empty()  ? name
            : path.empty() ? "temporary database"
                           : path) {
  // SQLite would wait for a fifo, and leave its journal beside a device.
  if (!path.empty()) RequireRegularFile(path);
  int flags = SQLITE_OPEN_NOMUTEX;
  switch (mode) {
    case Mode::kReadOnly:
      flags |= SQLITE_OPEN_READONLY;
      break;
    case Mode::kReadWrite:
      flags |= SQLITE_OPEN_READWRITE;
      break;
    case Mode::kCreate:
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      break;
  }
  SetTemporaryFolderOfSqlite();
  sqlite3* raw = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  handle_.reset(raw);
  if (code != SQLITE_OK) throw Error(path_ + ": " + (raw ? sqlite3_errmsg(raw) : sqlite3_errstr(code)));
  sqlite3_extended_result_codes(raw, 1);
}

void Database::Exec(const char* sql) {
  char* message = nullptr;
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, &message) != SQLITE_OK) {
    std::string text = message ? message : sqlite3_errmsg(handle_.get());
    sqlite3_free(message);
    throw Error(path_ + ": " + text);
  }
}

void Database::Check(int code, std::string_view doing) const {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
  throw Error(path_ + ": " + std::string(doing) + ": " + sqlite3_errmsg(handle_.get()));
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

std::optional<int64_t> Statement::OptionalInt(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Int(column);
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

std::unique_ptr<Database> OpenTraceDatabase(const std::string& path, Database::Mode mode) {
  if (access(path.c_str(), R_OK) != 0) throw Error(path + ": cannot be opened");
  auto database = std::make_unique<Database>(path, mode);
  int64_t id = 0;
  int64_t version = 0;
  try {
    Statement application(*database, "PRAGMA application_id");
    if (application.Step()) id = application.Int(0);
    Statement user(*database, "PRAGMA user_version");
    if (user.Step()) version = user.Int(0);
  } catch (const Error&) {
    throw Error(path + ": is not a database mmreplay wrote");
  }
  if (id == kFleetApplicationId)
    throw Error(path + ": is a fleet database of many logs; ask it with mmreplay query");
  if (id != kApplicationId) throw Error(path + ": is not a database mmreplay wrote");
  if (version > kSchemaVersion) {
    throw Error(path + ": was written by a newer mmreplay (schema " + std::to_string(version) +
                "; this one reads up to " + std::to_string(kSchemaVersion) + ")");
  }
  return database;
}

}  // namespace mmreplay
