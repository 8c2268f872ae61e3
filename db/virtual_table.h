// Read-only virtual tables of SQLite, made of a class with the rows and one that goes through them.
#pragma once

#include <sqlite3.h>

#include <exception>
#include <new>

namespace mmreplay {

// Rows has
//   const char* declaration() const;                     the CREATE TABLE that tells SQLite the columns
//   void BestIndex(sqlite3_index_info* query) const;     see xBestIndex
// and Rows::Cursor, which is made of a Rows* and has
//   void Filter(int plan, const char* more, sqlite3_value** arguments);    begins; all as BestIndex said
//   bool ended() const;
//   void Next();
//   void Column(int column, sqlite3_context* value);     not set is NULL
//   int64_t RowId();
// What these throw becomes the error of the statement. The Rows must outlive the connection.
template <typename Rows>
struct VirtualTable {
  struct Table {
    sqlite3_vtab base{};
    Rows* rows = nullptr;
  };
  struct Cursor {
    explicit Cursor(Rows* rows) : at(rows) {}
    sqlite3_vtab_cursor base{};
    typename Rows::Cursor at;
  };

  // Under this name in FROM where `eponymous`, else in CREATE VIRTUAL TABLE. Returns an SQLite code.
  static int Register(sqlite3* db, const char* name, Rows* rows, bool eponymous) {
    static const sqlite3_module kEponymous = Module(nullptr);
    static const sqlite3_module kCreated = Module(Connect);
    return sqlite3_create_module(db, name, eponymous ? &kEponymous : &kCreated, rows);
  }

 private:
  static typename Rows::Cursor& At(sqlite3_vtab_cursor* cursor) {
    return reinterpret_cast<Cursor*>(cursor)->at;
  }
  static int Fail(sqlite3_vtab* table, const std::exception& error) {
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("%s", error.what());
    return SQLITE_ERROR;
  }

  static int Connect(sqlite3* db, void* rows, int, const char* const*, sqlite3_vtab** table, char**) {
    auto* of = static_cast<Rows*>(rows);
    int code = sqlite3_declare_vtab(db, of->declaration());
    if (code != SQLITE_OK) return code;
    auto* made = new (std::nothrow) Table;
    if (!made) return SQLITE_NOMEM;
    made->rows = of;
    *table = &made->base;
    return SQLITE_OK;
  }
  static int Disconnect(sqlite3_vtab* table) {
    delete reinterpret_cast<Table*>(table);
    return SQLITE_OK;
  }
  static int BestIndex(sqlite3_vtab* table, sqlite3_index_info* query) {
    reinterpret_cast<Table*>(table)->rows->BestIndex(query);
    return SQLITE_OK;
  }
  static int Open(sqlite3_vtab* table, sqlite3_vtab_cursor** cursor) {
    auto* made = new (std::nothrow) Cursor(reinterpret_cast<Table*>(table)->rows);
    if (!made) return SQLITE_NOMEM;
    *cursor = &made->base;
    return SQLITE_OK;
  }
  static int Close(sqlite3_vtab_cursor* cursor) {
    delete reinterpret_cast<Cursor*>(cursor);
    return SQLITE_OK;
  }
  static int Filter(sqlite3_vtab_cursor* cursor, int plan, const char* more, int, sqlite3_value** arguments) {
    try {
      At(cursor).Filter(plan, more, arguments);
    } catch (const std::exception& error) {
      return Fail(cursor->pVtab, error);
    }
    return SQLITE_OK;
  }
  static int Next(sqlite3_vtab_cursor* cursor) {
    try {
      At(cursor).Next();
    } catch (const std::exception& error) {
      return Fail(cursor->pVtab, error);
    }
    return SQLITE_OK;
  }
  static int Ended(sqlite3_vtab_cursor* cursor) { return At(cursor).ended(); }
  static int ColumnValue(sqlite3_vtab_cursor* cursor, sqlite3_context* value, int column) {
    try {
      At(cursor).Column(column, value);
    } catch (const std::exception& error) {
      sqlite3_result_error(value, error.what(), -1);
    }
    return SQLITE_OK;
  }
  static int RowId(sqlite3_vtab_cursor* cursor, sqlite3_int64* id) {
    try {
      *id = At(cursor).RowId();
    } catch (const std::exception& error) {
      return Fail(cursor->pVtab, error);
    }
    return SQLITE_OK;
  }

  using Maker = int(sqlite3*, void*, int, const char* const*, sqlite3_vtab**, char**);
  static sqlite3_module Module(Maker* create) {
    sqlite3_module module{};
    module.xCreate = create;
    module.xConnect = Connect;
    module.xBestIndex = BestIndex;
    module.xDisconnect = Disconnect;
    module.xDestroy = Disconnect;
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

}  // namespace mmreplay
