#include "db/interval_table.h"

#include <algorithm>
#include <limits>

#include "db/virtual_table.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// How a query is answered: constraints in the order of its arguments, then by which key plus 1, 0 is the id,
// and by which other column, 0 is none. Columns that must not be NULL are told besides, as the text of a
// number with a bit each.
enum IntervalPlan : unsigned {
  kEqual = 1,        // id, the first column of a key, or another column
  kSecondEqual = 2,  // of a key
  kFrom = 4,         // id, the second column of a key, or another column
  kAfter = 8,
  kTo = 16,
  kBefore = 32,
  kBackward = 64,
  kUnknown = 128,  // the other column is NULL; no argument
};
constexpr unsigned kKeyShift = 8;
constexpr unsigned kOtherShift = 16;

int ColumnCount(const Database& database, const std::string& table) {
  return Statement(database, "SELECT * FROM " + table).columns();
}

// Columns that are computed: lengths of time, of which rules ask for the few that are beyond a threshold.
std::vector<int> Lengths(const Database& database, const std::string& table) {
  Statement generated(database, "SELECT cid FROM pragma_table_xinfo(?) WHERE hidden <> 0");
  generated.Bind(1, table);
  std::vector<int> columns;
  while (generated.Step()) columns.push_back(static_cast<int>(generated.Int(0)));
  return columns;
}

}  // namespace

class IntervalTable::Cursor {
 public:
  explicit Cursor(IntervalTable* table) : table_(table) {}

  void Filter(int plan, const char* known, sqlite3_value** arguments) {
    known_ = known ? ParseDecimal(known).value_or(0) : 0;
    auto bits = static_cast<unsigned>(plan);
    unsigned key = bits >> kKeyShift & 0xff;
    other_ = static_cast<int>(bits >> kOtherShift);
    backward_ = (bits & kBackward) != 0;
    ended_ = false;
    int64_t equal = 0;
    from_ = kLeast;
    to_ = kMost;
    for (unsigned bit : {kEqual, kSecondEqual, kFrom, kAfter, kTo, kBefore}) {
      if ((bits & bit) != 0) Limit(bit, *arguments++, &equal);
    }
    if (ended_) return;
    index_ = nullptr;
    unknown_ = false;
    if (other_ != 0) {
      if ((bits & kEqual) != 0) from_ = to_ = equal;
      unknown_ = (bits & kUnknown) != 0;
      if (!unknown_) known_ |= uint64_t{1} << other_;
      begin_ = 0;
      end_ = table_->rows_.last_id();
    } else if (key == 0) {
      if ((bits & kEqual) != 0) from_ = to_ = equal;
      begin_ = std::max<int64_t>(from_, 0);
      end_ = std::min(to_, table_->rows_.last_id());
    } else {
      Key& by = table_->keys_[static_cast<size_t>(key) - 1];
      if (!by.index) by.index = std::make_unique<IntervalIndex>(&table_->rows_, by.first, by.second);
      index_ = by.index.get();
      begin_ = static_cast<int64_t>(index_->LowerBound(equal, from_));
      end_ = to_ != kMost     ? static_cast<int64_t>(index_->LowerBound(equal, to_ + 1)) - 1
             : equal != kMost ? static_cast<int64_t>(index_->LowerBound(equal + 1, kLeast)) - 1
                              : static_cast<int64_t>(index_->size()) - 1;
    }
    at_ = backward_ ? end_ : begin_;
    if (!index_ && begin_ < end_) table_->rows_.StayLoaded(table_->room_);
    Settle();
  }

  bool ended() const { return ended_; }

  void Next() {
    at_ += backward_ ? -1 : 1;
    Settle();
  }

  void Column(int column, sqlite3_context* value) {
    if (column == 0) return sqlite3_result_int64(value, id_);
    // Another cursor may have gone on.
    if (replaced_ != table_->rows_.replaced()) Load();
    if (!row_ || !row_->Has(column)) return;
    if ((table_->texts_ >> column & 1) == 0) return sqlite3_result_int64(value, row_->Value(column));
    std::string_view text = table_->rows_.Text(*row_, column);
    sqlite3_result_text64(value, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }

  int64_t RowId() const { return id_; }

 private:
  // What is no integer is compared by SQLite; no integer of a row equals it.
  void Limit(unsigned bit, sqlite3_value* argument, int64_t* equal) {
    int type = sqlite3_value_numeric_type(argument);  // columns are of integers: '2' is compared as 2
    int64_t value = sqlite3_value_int64(argument);
    bool is_equal = bit == kEqual || bit == kSecondEqual;
    bool whole = type == SQLITE_INTEGER ||
                 (type == SQLITE_FLOAT && sqlite3_value_double(argument) == static_cast<double>(value));
    if (type == SQLITE_NULL || (is_equal && !whole)) ended_ = true;
    if (!whole || ended_) return;
    if (bit == kEqual) *equal = value;
    if (bit == kSecondEqual || bit == kFrom) from_ = std::max(from_, value);
    if (bit == kSecondEqual || bit == kTo) to_ = std::min(to_, value);
    // The next whole number may be of a float that is none.
    if (bit == kAfter) from_ = std::max(from_, type == SQLITE_INTEGER && value != kMost ? value + 1 : value);
    if (bit == kBefore) to_ = std::min(to_, type == SQLITE_INTEGER && value != kLeast ? value - 1 : value);
  }

  void Settle() {
    for (;; at_ += backward_ ? -1 : 1) {
      if (other_ != 0 && from_ != kLeast) at_ = table_->rows_.SkipBelow(at_, other_, from_, backward_);
      if (!index_) {
        int64_t lacked = unknown_ ? int64_t{1} << other_ : 0;
        at_ = table_->rows_.SkipByColumns(at_, static_cast<int64_t>(known_), lacked, backward_);
      }
      if (at_ < begin_ || at_ > end_) break;
      id_ = index_ ? index_->At(static_cast<size_t>(at_)).id : at_;
      Load();
      if (row_ && row_->HasAll(static_cast<int64_t>(known_)) && IsOfOther()) return;
    }
    ended_ = true;
  }

  bool IsOfOther() const {
    if (other_ == 0) return true;
    if (unknown_) return !row_->Has(other_);
    int64_t value = row_->Value(other_);
    return value >= from_ && value <= to_;
  }

  void Load() {
    row_ = table_->rows_.Find(id_);
    replaced_ = table_->rows_.replaced();
  }

  IntervalTable* table_;
  IntervalIndex* index_ = nullptr;  // nullptr: rows come by id
  uint64_t known_ = 0;
  bool backward_ = false;
  bool ended_ = true;
  bool unknown_ = false;
  int other_ = 0;  // column that rows are passed over by, one by one; 0: none
  // Wanted of the id, of the key's second column, or of the other one.
  int64_t from_ = kLeast;
  int64_t to_ = kMost;
  // Ids, or positions in the index.
  int64_t begin_ = 0;
  int64_t end_ = -1;
  int64_t at_ = 0;
  int64_t id_ = 0;
  std::optional<IntervalSpool::Row> row_;  // that of the id, as long as this stays
  uint64_t replaced_ = 0;
};

IntervalTable::IntervalTable(Database* database, const std::string& table, SpoolFile* file, TextSpool* texts,
                             size_t room)
    : rows_(file, texts, ColumnCount(*database, table), Lengths(*database, table)), room_(room) {
  // Those that are generated are like the others here: a virtual table has none.
  Statement column(
      *database,
      "SELECT name || ' ' || type || iif(pk, ' PRIMARY KEY', '') || iif(\"notnull\", ' NOT NULL', ''), "
      "type = 'TEXT' FROM pragma_table_xinfo(?) ORDER BY cid");
  column.Bind(1, table);
  for (int i = 0; column.Step(); ++i) {
    declaration_ += i == 0 ? "CREATE TABLE rows(" : ", ";
    declaration_ += column.Text(0);
    texts_ |= static_cast<uint64_t>(column.Int(1) != 0) << i;
  }
  declaration_ += ")";
  column.Reset();
  Statement key(
      *database,
      "SELECT c.cid, (SELECT cid FROM pragma_index_info(i.name) WHERE seqno = 1) "
      "FROM pragma_index_list(?) i JOIN pragma_index_info(i.name) c ON c.seqno = 0 ORDER BY i.name");
  key.Bind(1, table);
  while (key.Step()) {
    auto second = key.OptionalInt(1);
    keys_.push_back({.first = static_cast<int>(key.Int(0)),
                     .second = second ? std::optional(static_cast<int>(*second)) : std::nullopt,
                     .index = {}});
  }
  key.Reset();
  std::string module = table + "_spool";
  database->Exec(("DROP TABLE " + table).c_str());
  database->Check(
      VirtualTable<IntervalTable>::Register(database->handle(), module.c_str(), this, /*eponymous=*/false),
      "module");
  database->Exec(("CREATE VIRTUAL TABLE " + table + " USING " + module).c_str());
}

void IntervalTable::BestIndex(sqlite3_index_info* query) const {
  unsigned plan = 0;
  int arguments = 0;
  bool through_all = false;  // the rows, for each value of a constraint
  auto find = [&](int column, int op) -> int {
    for (int i = 0; i < query->nConstraint; ++i) {
      const auto& one = query->aConstraint[i];
      bool same = one.iColumn == column || (column == 0 && one.iColumn == -1);
      if (!one.usable || !same || one.op != op || query->aConstraintUsage[i].argvIndex != 0) continue;
      if (through_all && sqlite3_vtab_in(query, i, -1) != 0) continue;  // IN has many
      return i;
    }
    return -1;
  };
  // In the order of the plan's bits; each constraint is used once, and checked by SQLite, too.
  auto use = [&](unsigned bit, int column, int op) {
    int found = find(column, op);
    if (found < 0) return;
    plan |= bit;
    query->aConstraintUsage[found].argvIndex = ++arguments;
  };
  auto use_range = [&](int column) {
    use(kFrom, column, SQLITE_INDEX_CONSTRAINT_GE);
    use(kAfter, column, SQLITE_INDEX_CONSTRAINT_GT);
    use(kTo, column, SQLITE_INDEX_CONSTRAINT_LE);
    use(kBefore, column, SQLITE_INDEX_CONSTRAINT_LT);
  };
  // Estimates as SQLite's own of a table it knows nothing of, so that plans are those of stored tables.
  double rows = 1'048'576;
  int ordered_by = 0;
  use(kEqual, 0, SQLITE_INDEX_CONSTRAINT_EQ);
  if ((plan & kEqual) != 0) {
    rows = 1;
    query->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
  } else {
    for (size_t k = 0; k < keys_.size() && plan == 0; ++k) {
      const Key& key = keys_[k];
      use(kEqual, key.first, SQLITE_INDEX_CONSTRAINT_EQ);
      if (plan == 0) continue;
      plan |= static_cast<unsigned>(k + 1) << kKeyShift;
      rows = 10;
      ordered_by = key.second.value_or(0);
      if (key.second) use(kSecondEqual, *key.second, SQLITE_INDEX_CONSTRAINT_EQ);
      if ((plan & kSecondEqual) == 0) use_range(key.second.value_or(0));
    }
    if (plan == 0) use_range(0);
    if ((plan & (kFrom | kAfter)) != 0) rows /= 4;
    if ((plan & (kTo | kBefore)) != 0) rows /= 4;
    // Of the first column that a constraint is on, what does not fit is passed over before SQLite sees it.
    // The estimates stay those of a table that is gone through.
    through_all = true;
    for (int column = 1; column < rows_.columns() && plan == 0; ++column) {
      if ((texts_ >> column & 1) != 0) continue;
      use(kEqual, column, SQLITE_INDEX_CONSTRAINT_EQ);
      if (plan == 0) use_range(column);
      if (plan == 0 && find(column, SQLITE_INDEX_CONSTRAINT_ISNULL) >= 0) plan |= kUnknown;
      if (plan != 0) plan |= static_cast<unsigned>(column) << kOtherShift;
    }
  }
  if (query->nOrderBy == 1) {
    int column = std::max(query->aOrderBy[0].iColumn, 0);
    if (column == ordered_by) {
      query->orderByConsumed = 1;
      if (query->aOrderBy[0].desc != 0) plan |= kBackward;
    }
  }
  uint64_t known = 0;
  for (int i = 0; i < query->nConstraint; ++i) {
    const auto& one = query->aConstraint[i];
    if (one.usable && one.op == SQLITE_INDEX_CONSTRAINT_ISNOTNULL && one.iColumn > 0)
      known |= uint64_t{1} << one.iColumn;
  }
  if (known != 0) {
    query->idxStr = sqlite3_mprintf("%llu", static_cast<unsigned long long>(known));
    query->needToFreeIdxStr = query->idxStr != nullptr;
    // Rows without are passed over before SQLite sees them: of two tables this is the one to go through.
    rows = std::max(rows / 8, 1.0);
  }
  query->estimatedRows = std::max<sqlite3_int64>(1, static_cast<sqlite3_int64>(rows));
  query->estimatedCost = rows * 3 + 10;
  query->idxNum = static_cast<int>(plan);
}

}  // namespace mmreplay
