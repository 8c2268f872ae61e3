// Binary records of one kind of event -> typed payload, without the text between: the same as the Decoder
// makes of the text that AppendArguments prints of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parser/event.h"
#include "parser/event_layout.h"
#include "parser/string_table.h"
#include "parser/tracepoint.h"

namespace mmreplay {

class RecordDecoder {
 public:
  // nullopt where the text is needed: probes, fields that are not what the kernel has, rare events.
  static std::optional<RecordDecoder> For(const EventLayout& layout);

  // Whether it is a record as the layout says, and makes sense. No other may be decoded: its text is needed.
  bool Holds(std::string_view record) const {
    return shape_.Holds(record) && (!is_block_ || HoldsBlock(record));
  }
  Payload Decode(std::string_view record);

 private:
  // A number of 4 or 8 bytes.
  struct Number {
    uint32_t offset = 0;
    uint32_t size = 0;
  };
  static constexpr size_t kMostNumbers = 5;

  explicit RecordDecoder(const EventLayout& layout) : shape_(layout) {}

  bool Bind(const EventLayout& layout);
  bool HoldsBlock(std::string_view record) const;
  uint64_t Unsigned(size_t number, std::string_view record) const;
  int32_t Int(size_t number, std::string_view record) const;
  PageRef ReadPageRef(PageRefOp op, std::string_view record) const;
  template <typename AllocOrFree>
  Payload ReadPage(std::string_view record) const;
  LockEvent ReadLock(LockStep step, std::string_view record);

  RecordShape shape_;
  Tracepoint tracepoint_ = Tracepoint::kNone;
  bool is_block_ = false;                     // it is about a block of the page allocator
  std::array<Number, kMostNumbers> numbers_;  // in the order Bind() asks for them
  RecordField lock_name_;
  RecentlyMade<LockClass> lock_classes_;
};

}  // namespace mmreplay
