#include "db/bulk_insert.h"

#include <new>

namespace mmreplay {

struct BulkInsert::Source {
  Column column;
  std::string declaration;
  const void* rows = nullptr;
  size_t count = 0;
};

namespace {

// A virtual table of the rows a BulkInsert holds at the moment.
template <typename Source>
struct Rows {
  struct Table {
    sqlite3_vtab base{};
    const Source* source = nullptr;
  };
  struct Cursor {
    sqlite3_vtab_cursor base{};
    const Source* source = nullptr;
    size_t row = 0;
  };

  static int Connect(sqlite3* db, void* source, int, const char* const*, sqlite3_vtab** table, char**) {
    auto* from = static_cast<const Source*>(source);
    int code = sqlite3_declare_vtab(db, from->declaration.c_str());
    if (code != SQLITE_OK) return code;
    auto* made = new (std::nothrow) Table;
    if (!made) return SQLITE_NOMEM;
    made->source = from;
    *table = &made->base;
    return SQLITE_OK;
  }
  static int Disconnect(sqlite3_vtab* table) {
    delete reinterpret_cast<Table*>(table);
    return SQLITE_OK;
  }
  static int BestIndex(sqlite3_vtab*, sqlite3_index_info* info) {
    info->estimatedCost = 1e6;
    return SQLITE_OK;
  }
  static int Open(sqlite3_vtab* table, sqlite3_vtab_cursor** cursor) {
    auto* made = new (std::nothrow) Cursor;
    if (!made) return SQLITE_NOMEM;
    made->source = reinterpret_cast<Table*>(table)->source;
    *cursor = &made->base;
    return SQLITE_OK;
  }
  static int Close(sqlite3_vtab_cursor* cursor) {
    delete reinterpret_cast<Cursor*>(cursor);
    return SQLITE_OK;
  }
  static int Filter(sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value**) {
    reinterpret_cast<Cursor*>(cursor)->row = 0;
    return SQLITE_OK;
  }
  static int Next(sqlite3_vtab_cursor* cursor) {
    ++reinterpret_cast<Cursor*>(cursor)->row;
    return SQLITE_OK;
  }
  static int Ended(sqlite3_vtab_cursor* cursor) {
    auto* at = reinterpret_cast<Cursor*>(cursor);
    return at->row >= at->source->count;
  }
  static int ColumnValue(sqlite3_vtab_cursor* cursor, sqlite3_context* value, int column) {
    auto* at = reinterpret_cast<Cursor*>(cursor);
    at->source->column(at->source->rows, at->row, column, value);
    return SQLITE_OK;
  }
  static int RowId(sqlite3_vtab_cursor* cursor, sqlite3_int64* id) {
    *id = static_cast<sqlite3_int64>(reinterpret_cast<Cursor*>(cursor)->row);
    return SQLITE_OK;
  }
  static sqlite3_module Module() {
    sqlite3_module module{};  // without xCreate the table is there by its module's name
    module.xConnect = Connect;
    module.xBestIndex = BestIndex;
    module.xDisconnect = Disconnect;
    module.xOpen = Open;
    module.xClose = Close;
    module.xFilter = Filter;
    module.xNext = Next;
    module.xEof = Ended;
    module.xColumn = ColumnValue;
    module.xRowid = RowId;
    return module;
  }
};

}  // namespace

BulkInsert::BulkInsert(const Database& database, const std::string& table, Column column)
    : source_(std::make_unique<Source>()) {
  source_->column = column;
  Statement columns(database, "SELECT * FROM " + table);
  std::string names;
  for (int i = 0; i < columns.columns(); ++i) names += (i == 0 ? "c" : ", c") + std::to_string(i);
  source_->declaration = "CREATE TABLE rows(" + names + ")";
  static const sqlite3_module kModule = Rows<Source>::Module();
  module_ = "rows_of_" + table;
  database.Check(sqlite3_create_module(database.handle(), module_.c_str(), &kModule, source_.get()),
                 "module");
  insert_ =
      std::make_unique<Statement>(database, "INSERT INTO " + table + " SELECT " + names + " FROM " + module_);
}

BulkInsert::~BulkInsert() {
  sqlite3* db = sqlite3_db_handle(insert_->handle());
  insert_.reset();
  sqlite3_create_module(db, module_.c_str(), nullptr, nullptr);  // forgets it
}

void BulkInsert::Insert(const void* rows, size_t count) {
  if (count == 0) return;
  source_->rows = rows;
  source_->count = count;
  insert_->Run();
  source_->rows = nullptr;
  source_->count = 0;
}

}  // namespace mmreplay
