// Every event of a recording, one short row each, in an unnamed temporary file: what an analysis that keeps
// no database reads the lines of its evidence from. Texts stay in the file they came from where that can be
// read again, else they are in the spool too; records of binary forms are, without their text.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/spool_file.h"
#include "parser/batch.h"
#include "parser/event_layout.h"
#include "parser/input.h"
#include "replay/records.h"

namespace mmreplay {

// One event, and what the replay made of it. Values of unset bits of `known` mean nothing.
struct SpooledEvent {
  enum Known : uint16_t {
    kTs = 1,
    kCpu = 2,
    kPid = 4,
    kTgid = 8,
    kPfn = 16,
    kLifetime = 32,
    kDelta = 64,
    kReplayed = 128,
    kReplayedLo = 256,
    kReplayedHi = 512,
  };
  int64_t ts;
  int64_t line;
  uint64_t args_at;
  uint64_t pfn;
  int64_t lifetime;
  uint32_t args_size;
  uint32_t id;  // after the first of its batch
  int32_t cpu;
  int32_t pid;
  int32_t tgid;
  uint32_t comm;
  uint32_t context;
  uint32_t kind;
  uint32_t source;
  int32_t delta;
  int32_t replayed;
  int32_t replayed_lo;
  int32_t replayed_hi;
  uint32_t layout;  // as Event::layout
  uint16_t known;
  uint8_t flags;         // as event.flags
  uint8_t args_in_file;  // args_at counts in the trace's own file, not in the spool
};

class EventSpool {
 public:
  // `text`: the file that Batch::text_at counts in; nullptr where there is none.
  explicit EventSpool(std::shared_ptr<SeekableFile> text);

  // Sees to it that the batch's text need not be held until it is written: its arguments are kept here, where
  // they cannot be read from the text's file. May be called while others are written. Throws Error.
  void KeepArgs(Batch* batch);

  // Batches in order, with one result per event. Throws Error.
  void Write(const Batch& batch, const std::vector<PageResult>& results);

  // For events whose arguments are records still. Complete before the first Args().
  RecordLayouts* layouts() { return &layouts_; }

  // For what else is not held in memory.
  SpoolFile* file() { return &file_; }

  int64_t rows() const { return total_; }
  // Batches that hold events.
  size_t batches() const { return index_.size(); }
  // The first batch that ends at or after the event, and its number of rows.
  size_t BatchOf(int64_t id) const;
  uint32_t rows(size_t batch) const { return index_[batch].rows; }
  int64_t first_id(size_t batch) const { return index_[batch].first_id; }
  int64_t last_id(size_t batch) const { return index_[batch].last_id; }
  // False: no event of the batch is about that page.
  bool MayHavePage(size_t batch, uint64_t pfn) const;

  // Borrowed until the next Read. Throws Error when the file cannot be read.
  const SpooledEvent& Read(size_t batch, uint32_t row);
  std::string Args(const SpooledEvent& event) const;

 private:
  // Of the pages a batch is about, two bits each.
  using PageFilter = std::array<uint64_t, 256>;
  // As a row is written, where its values are those of usual events; `other` is the place of what it has
  // besides, among the pages or the wide rows of its batch. To write a byte takes longer than to pack it.
  struct Packed {
    int64_t ts;
    uint32_t args_at;  // from the batch's own
    uint32_t comm;
    int32_t pid;
    int32_t tgid;
    uint32_t other;
    uint16_t line;  // from the batch's first
    uint16_t id;
    uint16_t args_size;
    uint16_t cpu;
    uint16_t context;
    uint16_t kind;
    uint16_t source;
    uint16_t layout;
    uint16_t known;
    uint8_t flags;
    uint8_t form;
  };
  // What the replay made of an event about a page.
  struct PackedPage {
    uint32_t pfn_low;
    uint32_t pfn_high;
    uint32_t lifetime;
    int32_t delta;
    int32_t replayed;
  };
  struct BatchIndex {
    int64_t first_id;
    int64_t last_id;
    int64_t first_line;
    uint64_t file_args_at;   // of texts in the trace's own file
    uint64_t spool_args_at;  // and of others
    uint64_t at;
    uint64_t pages_at;
    uint64_t wide_at;
    uint32_t rows;
  };
  PageFilter& FilterOfNext();
  void Pack(const SpooledEvent& row, const BatchIndex& batch);
  SpooledEvent Unpack(const Packed& packed, const BatchIndex& batch) const;
  void ReadWindow(const BatchIndex& batch, uint32_t begin, uint32_t count);

  SpoolFile file_;
  std::shared_ptr<SeekableFile> text_;
  RecordLayouts layouts_;
  int64_t total_ = 0;
  std::vector<BatchIndex> index_;
  // One for so many batches each; when there are too many filters, two become one.
  std::vector<std::unique_ptr<PageFilter>> filters_;
  size_t batches_per_filter_ = 1;
  // Being written, or read.
  std::vector<Packed> packed_;
  std::vector<PackedPage> pages_;
  std::vector<SpooledEvent> wide_;
  uint32_t first_page_ = 0;  // of the window, in its batch
  uint32_t first_wide_ = 0;
  std::string texts_;
  std::string kept_args_;  // of who calls KeepArgs

  // Rows read last.
  std::vector<SpooledEvent> window_;
  size_t window_batch_ = SIZE_MAX;
  uint32_t window_row_ = 0;
};

}  // namespace mmreplay
