// How the kernel lays out an event's binary record (events/*/*/format), and the record's fields as the
// key=value text that the decoder and the typed fields know from tracefs.
//
//   name: mm_page_free
//   ID: 229
//   format:
//           field:unsigned short common_type;       offset:0;       size:2; signed:0;
//           field:unsigned long pfn;        offset:8;       size:8; signed:0;
//           field:__data_loc char[] name;   offset:12;      size:4; signed:1;
//   print fmt: "page=%p pfn=0x%lx order=%d", ...
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/string_table.h"

namespace mmreplay {

struct RecordField {
  enum class Kind : uint8_t { kNumber, kText, kArray };
  enum class Place : uint8_t {
    kFixed,
    kDynamic,   // __data_loc: a word with offset and length of the data
    kRelative,  // __rel_loc: the same, counted from behind that word
    kRest,      // size 0: up to the end of the record
  };
  std::string name;
  std::string key;  // " name=", as it is printed
  Kind kind = Kind::kNumber;
  Place place = Place::kFixed;
  uint32_t offset = 0;
  uint32_t size = 0;
  uint32_t element_size = 1;  // of arrays
  bool is_signed = false;
  bool hex = false;     // printed as 0x1f
  bool quoted = false;  // printed as "text"
};

struct EventLayout {
  std::string system;
  std::string name;
  uint32_t id = 0;
  std::vector<RecordField> common;  // common_type, common_flags, ...
  std::vector<RecordField> fields;
  // Of kprobes and kretprobes, empty otherwise. They are not in `fields`.
  std::optional<RecordField> probe_ip;
  std::optional<RecordField> probe_func;
  std::optional<RecordField> probe_ret_ip;

  bool is_probe() const { return probe_ip || (probe_func && probe_ret_ip); }
};

// `type` as the format has it, with the brackets of an array: "unsigned long", "char[16]",
// "__data_loc char[]".
RecordField MakeField(std::string_view type, std::string_view name, uint32_t offset, uint32_t size,
                      bool is_signed);

// Puts the field where it belongs: among the common ones, the probe's places or the fields.
void AddField(RecordField field, EventLayout* layout);

// Takes the radix of fields, and which strings are quoted, from `print fmt`: its format string, and the field
// each of its arguments is where that is all the argument is ("REC->order"), else empty.
void ApplyPrintFormat(std::string_view format, const std::vector<std::string>& arguments,
                      EventLayout* layout);

// The text of one format file; nullopt when it has no name, id or field.
std::optional<EventLayout> ParseEventLayout(std::string_view system, std::string_view text);

// Where a kernel address is, as the kernel prints it: "folio_wait_bit+0x0/0x24"; the symbol alone where
// `with_offset` is false. Empty where it is not known.
using SymbolPrinter = std::function<std::string_view(uint64_t address, bool with_offset)>;

// A number of 1, 2, 4 or 8 bytes, which must be there.
inline uint64_t LoadNumber(std::string_view record, size_t offset, size_t size) {
  uint64_t value = 0;
  if (offset + sizeof(value) <= record.size()) {
    // Fields of all sizes follow one another: a branch on the size would be guessed wrong.
    std::memcpy(&value, record.data() + offset, sizeof(value));
    return size == sizeof(value) ? value : value & ((uint64_t{1} << size * 8) - 1);
  }
  std::memcpy(&value, record.data() + offset, size);
  return value;
}

// A number of the record; nullopt when the record is too short for it.
std::optional<uint64_t> ReadNumber(const RecordField& field, std::string_view record);

// A text of the record, up to its NUL; nullopt when the field is none, or not in the record.
std::optional<std::string_view> ReadText(const RecordField& field, std::string_view record);

// The common fields that every event of a kind is asked for.
class CommonFields {
 public:
  explicit CommonFields(const EventLayout& layout);

  // nullopt where the layout has no such number, or the record does not hold it.
  std::optional<uint64_t> Pid(std::string_view record) const { return Read(pid_, record); }
  std::optional<uint64_t> Flags(std::string_view record) const { return Read(flags_, record); }
  std::optional<uint64_t> PreemptCount(std::string_view record) const { return Read(preempt_count_, record); }

 private:
  struct Number {
    uint32_t offset = 0;
    uint32_t size = 0;  // 0: there is none
  };

  static std::optional<uint64_t> Read(const Number& number, std::string_view record) {
    if (number.size == 0 || uint64_t{number.offset} + number.size > record.size()) return std::nullopt;
    return LoadNumber(record, number.offset, number.size);
  }

  Number pid_;
  Number flags_;
  Number preempt_count_;
};

// Appends the fields in the format's order: "pfn=0x4ce00 order=9". A probe's begin as tracefs prints them:
// "(folio_wait_bit+0x0/0x24) folio=0x...", "(caller+0x1f/0x80 <- folio_wait_bit)"; addresses without a symbol
// in hex. False, and nothing appended, when the record does not hold what its layout says.
bool AppendArguments(const EventLayout& layout, std::string_view record, const SymbolPrinter& symbols,
                     std::string* out);
// Those of an entry probe, which begin with `place`: "(folio_wait_bit+0x0)".
bool AppendArgumentsAt(std::string_view place, const EventLayout& layout, std::string_view record,
                       std::string* out);

// Which records AppendArguments appends text of, without making it.
class RecordShape {
 public:
  explicit RecordShape(const EventLayout& layout);

  // The text of such a record may be made later: Holds() tells whether there is one, and nothing but the
  // layout and the record is needed for it.
  bool may_wait() const { return may_wait_; }
  // Longer records are few, and their text may be too long.
  static constexpr size_t kLongest = 4096;
  bool Holds(std::string_view record) const;

 private:
  bool may_wait_ = false;
  uint64_t smallest_ = 0;            // that holds the numbers
  std::vector<RecordField> placed_;  // the other fields
};

// The fields of a layout that is no probe's, for another process of this program.
std::string PackLayout(const EventLayout& layout);
// nullopt for what no PackLayout made.
std::optional<EventLayout> UnpackLayout(std::string_view packed);

// Layouts of the events whose arguments are records still (Event::layout).
class RecordLayouts {
 public:
  // 0: there is no room for more. `place`: that of an entry probe, see AppendArgumentsAt.
  uint32_t Add(const EventLayout& layout, std::string_view place = {});
  // What AppendArguments makes of it.
  std::string Text(uint32_t layout, std::string_view record) const;

 private:
  static constexpr size_t kMostFields = 32'768;
  struct Known {
    EventLayout layout;
    std::string place;
  };
  std::deque<Known> layouts_;
  size_t fields_ = 0;  // of all
};

// The flag columns of tracefs (kernel 6.1 print, trace_print_lat_fmt): "d..2.".
std::string ContextColumns(uint64_t flags, uint64_t preempt_count);

// Flag columns as a string table has them: there are few of them, and every event has some.
class ContextTable {
 public:
  // `strings` must outlive it.
  explicit ContextTable(StringTable* strings) : strings_(strings) {}

  StringId Columns(uint64_t flags, uint64_t preempt_count) {
    size_t index = (flags & 0xff) << 8 | (preempt_count & 0xff);
    if (index >= known_.size()) known_.resize(index + 1);
    std::optional<StringId>& columns = known_[index];
    if (!columns) columns = strings_->Intern(ContextColumns(flags, preempt_count));
    return *columns;
  }

 private:
  StringTable* strings_;
  std::vector<std::optional<StringId>> known_;
};

// Recorded in hard or soft irq or nmi: TRACE_FLAG_HARDIRQ, _SOFTIRQ, _NMI, the same bits in all kernels.
constexpr bool FlagsAreInterrupt(uint64_t flags) {
  return (flags & (0x08 | 0x10 | 0x40)) != 0;
}

}  // namespace mmreplay
