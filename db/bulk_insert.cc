#include "db/bulk_insert.h"

#include "db/virtual_table.h"

namespace mmreplay {

// The rows a BulkInsert holds at the moment, as a virtual table.
struct BulkInsert::Source {
  class Cursor {
   public:
    explicit Cursor(Source* source) : source_(source) {}
    void Filter(int, const char*, sqlite3_value**) { row_ = 0; }
    bool ended() const { return row_ >= source_->count; }
    void Next() { ++row_; }
    void Column(int column, sqlite3_context* value) { source_->column(source_->rows, row_, column, value); }
    int64_t RowId() const { return static_cast<int64_t>(row_); }

   private:
    const Source* source_;
    size_t row_ = 0;
  };

  const char* declaration() const { return columns.c_str(); }
  void BestIndex(sqlite3_index_info* query) const { query->estimatedCost = 1e6; }

  BulkInsert::Column column;
  std::string columns;
  const void* rows = nullptr;
  size_t count = 0;
};

BulkInsert::BulkInsert(const Database& database, const std::string& table, Column column)
    : source_(std::make_unique<Source>()) {
  source_->column = column;
  Statement columns(database, "SELECT cid FROM pragma_table_info(?) ORDER BY cid");
  columns.Bind(1, table);
  std::string names;
  while (columns.Step()) names += (names.empty() ? "c" : ", c") + std::string(columns.Text(0));
  source_->columns = "CREATE TABLE rows(" + names + ")";
  module_ = "rows_of_" + table;
  database.Check(
      VirtualTable<Source>::Register(database.handle(), module_.c_str(), source_.get(), /*eponymous=*/true),
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
