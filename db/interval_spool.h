// Lives, lock holdings, migrations and waits of an analysis that keeps no database: rows of fixed size in a
// spool file, each at the place its id gives it. They come when they end, in no order of their ids, but those
// of one time are neighbours: blocks of rows in work are in memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "db/spool_file.h"

namespace mmreplay {

// Texts of rows, and where they are.
class TextSpool {
 public:
  // `file` must outlive it.
  explicit TextSpool(SpoolFile* file) : file_(file) {}

  int64_t Add(std::string_view text);
  // Borrowed until the next call.
  std::string_view Read(int64_t place);

 private:
  SpoolFile* file_;
  // Being filled; its room in the file is reserved.
  std::string chunk_;
  uint64_t chunk_at_ = 0;
  // Read last.
  std::string window_;
  uint64_t window_at_ = 0;
};

class IntervalSpool {
 public:
  // A row: which columns are known, and their values. That of a text is its place.
  class Row {
   public:
    bool Has(int column) const { return (cells_[0] >> column & 1) != 0; }
    bool HasAll(int64_t columns) const { return (cells_[0] & columns) == columns; }  // a bit each
    int64_t Value(int column) const { return cells_[1 + column]; }

   private:
    friend class IntervalSpool;
    explicit Row(const int64_t* cells) : cells_(cells) {}
    const int64_t* cells_;
  };

  // Sets a column of a row that is being put. Not set is NULL.
  class Writer {
   public:
    void Set(int64_t value) const {
      cells_[0] |= int64_t{1} << column_;
      cells_[1 + column_] = value;
    }
    void Set(std::string_view text) const { Set(texts_->Add(text)); }

   private:
    friend class IntervalSpool;
    Writer(int64_t* cells, TextSpool* texts, int column) : cells_(cells), texts_(texts), column_(column) {}
    int64_t* cells_;
    TextSpool* texts_;
    int column_;
  };

  static constexpr int kMostColumns = 62;

  // `file` and `texts` must outlive it. Of the `peaked` columns the greatest value of each block is known,
  // see SkipBelow.
  IntervalSpool(SpoolFile* file, TextSpool* texts, int columns, const std::vector<int>& peaked = {});

  // `set` is called with a Writer for each column, from 0. Throws Error, as all do that go to the file.
  template <int kColumns, typename SetColumn>
  void Put(int64_t id, const SetColumn& set) {
    int64_t* cells = Place(id);
    [&]<int... kColumn>(std::integer_sequence<int, kColumn...>) {
      (set(kColumn, Writer(cells, texts_, kColumn)), ...);
    }
    (std::make_integer_sequence<int, kColumns>());
    Columns& columns = columns_of_block_[static_cast<size_t>(id) / kRowsInBlock];
    columns.known |= cells[0];
    columns.unknown |= ~cells[0];
    for (Peaks& peaks : peaks_) {
      if ((cells[0] >> peaks.column & 1) == 0) continue;
      int64_t& peak = peaks.of_block[static_cast<size_t>(id) / kRowsInBlock];
      peak = std::max(peak, cells[1 + peaks.column]);
    }
  }

  // Ids are from 0 to this one, with gaps; -1 where there are none.
  int64_t last_id() const { return last_id_; }
  // Borrowed as long as replaced() stays.
  std::optional<Row> Find(int64_t id) {
    if (id < 0 || id > last_id_) return std::nullopt;
    auto place = static_cast<size_t>(id);
    const int64_t* cells = &Load(place / kRowsInBlock).cells[place % kRowsInBlock * row_cells_];
    if ((cells[0] & kThere) == 0) return std::nullopt;
    return Row(cells);
  }
  uint64_t replaced() const { return replaced_; }
  // The id itself, or past the blocks of ids from there on (`backward`: from there back) in which no row has
  // at least that value in the column. Ids before or behind all are returned as they are.
  int64_t SkipBelow(int64_t id, int column, int64_t least, bool backward) const;
  // Likewise past those in which no row lacks the columns `unknown`, or one of the columns `known` no row
  // has. A bit each.
  int64_t SkipByColumns(int64_t id, int64_t known, int64_t unknown, bool backward) const;
  // For rows that are gone through again and again: if all blocks have room in that many bytes, each stays
  // once it was loaded.
  void StayLoaded(size_t room);
  std::string_view Text(const Row& row, int column) { return texts_->Read(row.Value(column)); }

  int columns() const { return columns_; }
  SpoolFile* file() const { return file_; }

 private:
  static constexpr size_t kRowsInBlock = 64;
  // Of a row's first cell, whose other bits are the columns: there is such a row.
  static constexpr int64_t kThere = int64_t{1} << kMostColumns;

  struct Block {
    size_t number = SIZE_MAX;
    bool changed = false;
    std::vector<int64_t> cells;
  };

  // Of a column, the greatest value of each block's rows; the least number where none has one.
  struct Peaks {
    int column;
    std::vector<int64_t> of_block;
  };

  // Of a block, the columns that a row has, and those that a row lacks, a bit each.
  struct Columns {
    int64_t known = 0;
    int64_t unknown = 0;
  };

  // The id itself, or past the blocks from there on that `has_none` is true for.
  template <typename HasNone>
  int64_t SkipBlocks(int64_t id, bool backward, const HasNone& has_none) const {
    constexpr auto kRows = static_cast<int64_t>(kRowsInBlock);
    while (id >= 0 && id <= last_id_ && has_none(static_cast<size_t>(id / kRows)))
      id = backward ? id / kRows * kRows - 1 : (id / kRows + 1) * kRows;
    return id;
  }

  // Of a new row, cleared.
  int64_t* Place(int64_t id);
  Block& Load(size_t number) {
    Block& block = loaded_[number & (loaded_.size() - 1)];
    if (block.number != number) Replace(&block, number);
    return block;
  }
  void Replace(Block* block, size_t number);
  size_t block_bytes() const { return kRowsInBlock * row_cells_ * sizeof(int64_t); }

  SpoolFile* file_;
  TextSpool* texts_;
  int columns_;
  size_t row_cells_;
  int64_t last_id_ = -1;
  std::vector<uint64_t> places_;  // in the file, of each block, plus 1; 0: it has none yet
  std::vector<Columns> columns_of_block_;
  std::vector<Peaks> peaks_;
  std::vector<Block> loaded_;  // a block has one place here
  uint64_t replaced_ = 0;      // how often a block gave its place to another one
};

// Rows by one or two of their columns, sorted, in the spool file.
class IntervalIndex {
 public:
  struct Entry {
    int64_t first;
    int64_t second;
    int64_t id;
    bool operator<(const Entry& other) const {
      return std::tie(first, second, id) < std::tie(other.first, other.second, other.id);
    }
    bool operator>(const Entry& other) const { return other < *this; }
  };

  // Of rows that have the first column. Without a second one it is the id; where it is NULL, it counts as the
  // least.
  IntervalIndex(IntervalSpool* rows, int first, std::optional<int> second);

  size_t size() const { return size_; }
  // The first that is not less; ids do not count.
  size_t LowerBound(int64_t first, int64_t second);
  // Borrowed until the next call.
  const Entry& At(size_t position);

 private:
  // Sorted stretches of the file become one.
  void Merge(const std::vector<std::pair<uint64_t, size_t>>& runs);

  SpoolFile* file_;
  uint64_t at_ = 0;
  size_t size_ = 0;
  std::vector<Entry> page_firsts_;
  std::vector<Entry> page_;  // read last
  size_t page_number_ = SIZE_MAX;
};

}  // namespace mmreplay
