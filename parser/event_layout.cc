#include "parser/event_layout.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

#include "parser/byte_reader.h"
#include "parser/eight_bytes.h"
#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

// Bytes of a C type of a 64-bit kernel, 0 where the name does not tell.
uint32_t SizeOfType(std::string_view type) {
  if (type.find('*') != kNotFound) return 8;
  struct Known {
    std::string_view word;
    uint32_t size;
  };
  static constexpr std::array kKnown = {
      Known{"int64", 8}, Known{"size_t", 8}, Known{"int16", 2}, Known{"int8", 1}, Known{"char", 1},
      Known{"u8", 1},    Known{"s8", 1},     Known{"bool", 1},  Known{"u16", 2},  Known{"s16", 2},
      Known{"short", 2}, Known{"u64", 8},    Known{"s64", 8},   Known{"long", 8}, Known{"u32", 4},
      Known{"s32", 4},   Known{"int", 4},
  };
  for (const Known& known : kKnown) {
    if (type.find(known.word) != kNotFound) return known.size;
  }
  return 0;
}

bool IsCharType(std::string_view type) {
  for (std::string_view word : {"const ", "signed "}) {
    if (type.starts_with(word)) type.remove_prefix(word.size());
  }
  return type == "char";
}

// "12" of "offset:12;", after the key.
std::optional<uint32_t> NumberAfter(std::string_view line, std::string_view key) {
  size_t at = line.find(key);
  if (at == kNotFound) return std::nullopt;
  std::string_view value = line.substr(at + key.size());
  auto number = ParseDecimal(value.substr(0, value.find(';')));
  if (!number || *number > UINT32_MAX) return std::nullopt;
  return static_cast<uint32_t>(*number);
}

// 	field:char prev_comm[16];	offset:8;	size:16;	signed:0;
std::optional<RecordField> ParseFieldLine(std::string_view line) {
  line = TrimBlanks(line);
  for (std::string_view start : {"field:", "field special:"}) {
    if (!line.starts_with(start)) continue;
    line.remove_prefix(start.size());
    std::string_view declaration = line.substr(0, line.find(';'));
    auto offset = NumberAfter(line, "offset:");
    auto size = NumberAfter(line, "size:");
    if (!offset || !size) return std::nullopt;
    std::string brackets;
    if (declaration.ends_with(']')) {
      size_t open = declaration.rfind('[');
      if (open == kNotFound) return std::nullopt;
      // "__data_loc char[] name" has its brackets on the type already.
      brackets = declaration.substr(open);
      declaration = declaration.substr(0, open);
    }
    size_t name = declaration.find_last_of(" *");
    if (name == kNotFound) return std::nullopt;
    std::string type(TrimBlanks(declaration.substr(0, name + 1)));
    return MakeField(type + brackets, declaration.substr(name + 1), *offset, *size,
                     NumberAfter(line, "signed:") == 1u);
  }
  return std::nullopt;
}

// What follows the format string of a print fmt: ", REC->pfn, (REC->x) ? ... : "none", REC->ret" as
// "pfn", "", "ret".
std::vector<std::string> ArgumentsOf(std::string_view text) {
  std::vector<std::string> arguments;
  auto add = [&](std::string_view argument) {
    argument = TrimBlanks(argument);
    bool plain =
        argument.starts_with("REC->") &&
        std::all_of(argument.begin() + 5, argument.end(), [](char c) { return IsKeyChar(c) && c != '-'; });
    arguments.emplace_back(plain ? argument.substr(5) : "");
  };
  size_t comma = text.find(',');
  if (comma == kNotFound) return arguments;
  size_t start = comma + 1;
  int depth = 0;
  bool in_string = false;
  for (size_t at = start; at < text.size(); ++at) {
    char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '(' || c == '{' || c == '[') {
      ++depth;
    } else if (c == ')' || c == '}' || c == ']') {
      --depth;
    } else if (c == ',' && depth == 0) {
      add(text.substr(start, at - start));
      start = at + 1;
    }
  }
  add(text.substr(start));
  return arguments;
}

// The bytes of a field that is no number; nullopt when they are not in the record.
std::optional<std::string_view> BytesOf(const RecordField& field, std::string_view record) {
  uint64_t offset = field.offset;
  uint64_t size = field.size;
  switch (field.place) {
    case RecordField::Place::kFixed:
      break;
    case RecordField::Place::kRest:
      if (offset > record.size()) return std::nullopt;
      return record.substr(static_cast<size_t>(offset));
    case RecordField::Place::kDynamic:
    case RecordField::Place::kRelative: {
      if (offset + 4 > record.size()) return std::nullopt;
      uint32_t location = 0;
      std::memcpy(&location, record.data() + offset, 4);
      size = location >> 16;
      offset = (location & 0xffff) + (field.place == RecordField::Place::kRelative ? offset + 4 : 0);
      if (size == 0) return std::string_view();
      break;
    }
  }
  // The array of kernel_stack is given a length that no record needs to have: "unsigned long caller[8]".
  bool open_end = field.place == RecordField::Place::kFixed && field.kind == RecordField::Kind::kArray;
  if (open_end && offset <= record.size()) size = std::min<uint64_t>(size, record.size() - offset);
  if (offset + size > record.size()) return std::nullopt;
  return record.substr(static_cast<size_t>(offset), static_cast<size_t>(size));
}

bool HoldsField(const RecordField& field, std::string_view record) {
  return uint64_t{field.offset} + field.size <= record.size();
}

// The eight hex digits of a number, the highest one first.
uint64_t EightHexCharacters(uint32_t value) {
  uint64_t digits = value;
  digits = (digits | digits << 16) & 0x0000ffff0000ffff;
  digits = (digits | digits << 8) & 0x00ff00ff00ff00ff;
  digits = (digits | digits << 4) & 0x0f0f0f0f0f0f0f0f;
  uint64_t letters = (digits + kEachByte * 6) >> 4 & kEachByte;
  return __builtin_bswap64(digits + kEachByte * '0' + letters * ('a' - '0' - 10));
}

// As %x does. May write up to eight characters more than it returns the end of.
char* PutHex(uint64_t value, char* to) {
  auto upper = static_cast<uint32_t>(value >> 32);
  auto lower = static_cast<uint32_t>(value);
  uint32_t first = upper != 0 ? upper : lower;
  int digits = std::max((static_cast<int>(std::bit_width(first)) + 3) / 4, 1);
  uint64_t characters = EightHexCharacters(first) >> (64 - digits * 8);
  std::memcpy(to, &characters, sizeof(characters));
  to += digits;
  if (upper == 0) return to;
  characters = EightHexCharacters(lower);
  std::memcpy(to, &characters, sizeof(characters));
  return to + sizeof(characters);
}

constexpr size_t kMostDigits = 32;  // with what PutHex writes behind them

// At most kMostDigits characters; returns their end.
char* PutNumber(uint64_t value, const RecordField& field, size_t size, char* to) {
  char* end = to + kMostDigits;
  if (field.hex) {
    *to++ = '0';
    *to++ = 'x';
    return PutHex(value, to);
  }
  if (value < 10) {
    *to = static_cast<char>('0' + value);
    return to + 1;
  }
  uint64_t sign = uint64_t{1} << (size * 8 - 1);
  if (field.is_signed && (value & sign) != 0) {
    // The magnitude, so that the smallest number needs no special case.
    value = ~(size < 8 ? value | ~((sign << 1) - 1) : value) + 1;
    *to++ = '-';
  }
  return std::to_chars(to, end, value).ptr;
}

// memcpy is a call, and keys are short.
void CopyKey(std::string_view key, char* to) {
  size_t size = key.size();
  const char* from = key.data();
  auto copy = [&](size_t at, auto word) {
    std::memcpy(&word, from + at, sizeof(word));
    std::memcpy(to + at, &word, sizeof(word));
  };
  if (size >= 8) {
    for (size_t at = 0; at + 8 < size; at += 8) copy(at, uint64_t{});
    copy(size - 8, uint64_t{});
  } else if (size >= 4) {
    copy(0, uint32_t{});
    copy(size - 4, uint32_t{});
  } else {
    for (size_t at = 0; at < size; ++at) to[at] = from[at];
  }
}

// Most fields are numbers: their texts are put together here, so that the whole grows once and not twice for
// each.
class NumberRun {
 public:
  explicit NumberRun(std::string* out) : out_(out) {}

  void Add(std::string_view key, uint64_t value, const RecordField& field) {
    if (key.size() + kMostDigits > text_.size() - size_) Flush();
    if (key.size() + kMostDigits > text_.size()) {
      out_->append(key);
      key = {};
    }
    char* to = text_.data() + size_;
    CopyKey(key, to);
    to = PutNumber(value, field, field.size, to + key.size());
    size_ = static_cast<size_t>(to - text_.data());
  }
  void Flush() {
    if (size_ == 0) return;
    out_->append(text_.data(), size_);
    size_ = 0;
  }
  bool empty() const { return size_ == 0; }

 private:
  std::string* out_;
  size_t size_ = 0;
  std::array<char, 512>
      text_;  // NOLINT(cppcoreguidelines-pro-type-member-init): only what was written is read
};

bool IsNumberSize(size_t size) {
  return size == 1 || size == 2 || size == 4 || size == 8;
}

// {0x1,0x2}
void AppendArray(std::string_view bytes, const RecordField& field, std::string* out) {
  out->push_back('{');
  for (size_t at = 0; at + field.element_size <= bytes.size(); at += field.element_size) {
    if (at > 0) out->push_back(',');
    std::array<char, kMostDigits> digits;
    char* end =
        PutNumber(LoadNumber(bytes, at, field.element_size), field, field.element_size, digits.data());
    out->append(digits.data(), end);
  }
  out->push_back('}');
}

// Of a field that is no number.
bool AppendValue(const RecordField& field, std::string_view record, std::string* out) {
  auto bytes = BytesOf(field, record);
  if (!bytes) return false;
  if (field.kind == RecordField::Kind::kArray) {
    AppendArray(*bytes, field, out);
    return true;
  }
  if (field.quoted) out->push_back('"');
  out->append(bytes->substr(0, bytes->find('\0')));
  if (field.quoted) out->push_back('"');
  return true;
}

void AppendPlace(uint64_t address, bool with_offset, const SymbolPrinter& symbols, std::string* out) {
  std::string_view symbol = symbols ? symbols(address, with_offset) : std::string_view();
  out->append(symbol);
  if (!symbol.empty()) return;
  std::array<char, kMostDigits> digits;
  out->append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), address, 16).ptr);
}

// (folio_wait_bit+0x0/0x24)      (caller+0x1f/0x80 <- folio_wait_bit)
bool AppendProbePlace(const EventLayout& layout, std::string_view record, const SymbolPrinter& symbols,
                      std::string* out) {
  out->push_back('(');
  if (layout.probe_ip) {
    auto ip = ReadNumber(*layout.probe_ip, record);
    if (!ip) return false;
    AppendPlace(*ip, true, symbols, out);
  } else {
    auto func = ReadNumber(*layout.probe_func, record);
    auto caller = ReadNumber(*layout.probe_ret_ip, record);
    if (!func || !caller) return false;
    AppendPlace(*caller, true, symbols, out);
    out->append(" <- ");
    AppendPlace(*func, false, symbols, out);
  }
  out->push_back(')');
  return true;
}

// Fields that lie side by side, with names as the kernel has them, print no longer: a format may list one
// byte any number of times.
size_t LongestArguments(std::string_view record) {
  return size_t{4096} + 128 * record.size();
}

// Behind what was appended since the length `start`, which goes too where they do not fit.
bool AppendFields(const EventLayout& layout, std::string_view record, size_t start, std::string* out) {
  const size_t most = start + LongestArguments(record);
  NumberRun numbers(out);
  bool good = true;
  for (const RecordField& field : layout.fields) {
    bool first = numbers.empty() && out->size() == start;
    std::string_view key = field.key;
    if (first) key.remove_prefix(1);
    if (field.kind == RecordField::Kind::kNumber) {
      good = HoldsField(field, record);
      if (good) numbers.Add(key, LoadNumber(record, field.offset, field.size), field);
    } else {
      numbers.Flush();
      out->append(key);
      good = AppendValue(field, record, out);
    }
    if (!good || out->size() > most) break;
  }
  numbers.Flush();
  good = good && out->size() <= most;
  if (!good) out->resize(start);
  return good;
}

}  // namespace

RecordField MakeField(std::string_view type, std::string_view name, uint32_t offset, uint32_t size,
                      bool is_signed) {
  RecordField field{.name = std::string(name),
                    .key = " " + std::string(name) + "=",
                    .offset = offset,
                    .size = size,
                    .is_signed = is_signed};
  type = TrimBlanks(type);
  if (type.starts_with("__data_loc ")) field.place = RecordField::Place::kDynamic;
  if (type.starts_with("__rel_loc ")) field.place = RecordField::Place::kRelative;
  if (field.place != RecordField::Place::kFixed) type = TrimBlanks(type.substr(type.find(' ')));

  size_t open = type.find('[');
  std::string_view base = TrimBlanks(type.substr(0, open));
  bool dynamic = field.place != RecordField::Place::kFixed;
  if (dynamic || open != kNotFound || size == 0) {
    if (size == 0) field.place = RecordField::Place::kRest;
    field.kind = IsCharType(base) ? RecordField::Kind::kText : RecordField::Kind::kArray;
    field.element_size = SizeOfType(base);
    std::optional<uint64_t> length;
    if (open != kNotFound) length = ParseDecimal(type.substr(open + 1, type.find(']', open) - open - 1));
    if (!dynamic && length && *length > 0 && size % *length == 0)
      field.element_size = static_cast<uint32_t>(size / *length);
    if (!IsNumberSize(field.element_size)) field.element_size = 1;
  } else if (!IsNumberSize(size)) {
    field.kind = RecordField::Kind::kArray;  // a structure: its bytes
    field.hex = true;
  }
  // Without a word of the print format: addresses and bit masks are unsigned long or pointers.
  bool is_long = base == "unsigned long" || base == "long unsigned int" || base.find('*') != kNotFound;
  if (is_long || (field.kind == RecordField::Kind::kArray && !is_signed)) field.hex = true;
  return field;
}

void AddField(RecordField field, EventLayout* layout) {
  if (field.name.starts_with("common_")) {
    field.name.erase(0, 7);
    layout->common.push_back(std::move(field));
  } else if (field.name == "__probe_ip") {
    layout->probe_ip = std::move(field);
  } else if (field.name == "__probe_func") {
    layout->probe_func = std::move(field);
  } else if (field.name == "__probe_ret_ip") {
    layout->probe_ret_ip = std::move(field);
  } else {
    layout->fields.push_back(std::move(field));
  }
}

void ApplyPrintFormat(std::string_view format, const std::vector<std::string>& arguments,
                      EventLayout* layout) {
  size_t argument = 0;
  for (size_t percent = format.find('%'); percent != kNotFound; percent = format.find('%', percent)) {
    size_t conversion = format.find_first_not_of("#0- +123456789.*lhLzjt", percent + 1);
    if (conversion == kNotFound) return;
    size_t start = std::exchange(percent, conversion + 1);
    char kind = format[conversion];
    if (kind == '%') continue;
    std::string_view width = format.substr(start, conversion - start);
    argument += static_cast<size_t>(std::count(width.begin(), width.end(), '*'));

    // key=0x%lx     key=%p     key=\"%s\"     key=%d
    std::string_view before = format.substr(0, start);
    bool quoted = before.ends_with("\\\"") || before.ends_with('"');
    while (!before.empty() && (before.back() == '"' || before.back() == '\\')) before.remove_suffix(1);
    if (before.ends_with("0x")) before.remove_suffix(2);
    std::string_view key;
    if (before.ends_with('=')) {
      before.remove_suffix(1);
      size_t begin = before.size();
      while (begin > 0 && IsKeyChar(before[begin - 1])) --begin;
      key = before.substr(begin);
    }
    // "nr_succeeded=%lu" prints REC->succeeded: the argument knows better than the key.
    if (argument < arguments.size() && !arguments[argument].empty()) key = arguments[argument];
    ++argument;
    for (RecordField& field : layout->fields) {
      if (key.empty() || field.name != key) continue;
      if (kind == 'x' || kind == 'X' || kind == 'p') field.hex = true;
      if (kind == 'd' || kind == 'u' || kind == 'i') field.hex = false;
      if (kind == 's') field.quoted = quoted;
    }
  }
}

std::optional<EventLayout> ParseEventLayout(std::string_view system, std::string_view text) {
  EventLayout layout;
  layout.system = system;
  bool has_id = false;
  ForEachLine(text, [&](std::string_view line) {
    if (line.starts_with("name: ")) {
      layout.name = TrimBlanks(line.substr(6));
    } else if (line.starts_with("ID: ")) {
      auto id = ParseDecimal(TrimBlanks(line.substr(4)));
      has_id = id && *id <= UINT32_MAX;
      if (has_id) layout.id = static_cast<uint32_t>(*id);
    } else if (line.starts_with("print fmt: \"")) {
      // The format string ends at a quote that is not escaped.
      std::string_view format = line.substr(12);
      size_t end = 0;
      while (end < format.size() && format[end] != '"') end += format[end] == '\\' ? 2 : 1;
      end = std::min(end, format.size());
      ApplyPrintFormat(format.substr(0, end), ArgumentsOf(format.substr(end)), &layout);
    } else if (auto field = ParseFieldLine(line)) {
      AddField(std::move(*field), &layout);
    }
  });
  if (layout.name.empty() || !has_id || layout.common.empty()) return std::nullopt;
  return layout;
}

std::optional<std::string_view> ReadText(const RecordField& field, std::string_view record) {
  if (field.kind != RecordField::Kind::kText) return std::nullopt;
  auto bytes = BytesOf(field, record);
  if (!bytes) return std::nullopt;
  return bytes->substr(0, bytes->find('\0'));
}

std::optional<uint64_t> ReadNumber(const RecordField& field, std::string_view record) {
  if (field.kind != RecordField::Kind::kNumber || !HoldsField(field, record)) return std::nullopt;
  return LoadNumber(record, field.offset, field.size);
}

CommonFields::CommonFields(const EventLayout& layout) {
  auto find = [&](std::string_view name) -> Number {
    for (const RecordField& field : layout.common) {
      if (field.name != name) continue;
      if (field.kind == RecordField::Kind::kNumber) return {field.offset, field.size};
      break;
    }
    return {};
  };
  pid_ = find("pid");
  flags_ = find("flags");
  preempt_count_ = find("preempt_count");
}

bool AppendArguments(const EventLayout& layout, std::string_view record, const SymbolPrinter& symbols,
                     std::string* out) {
  size_t start = out->size();
  if (layout.is_probe() && !AppendProbePlace(layout, record, symbols, out)) {
    out->resize(start);
    return false;
  }
  return AppendFields(layout, record, start, out);
}

bool AppendArgumentsAt(std::string_view place, const EventLayout& layout, std::string_view record,
                       std::string* out) {
  size_t start = out->size();
  if (!HoldsField(*layout.probe_ip, record)) return false;
  out->append(place);
  return AppendFields(layout, record, start, out);
}

RecordShape::RecordShape(const EventLayout& layout) {
  // What LongestArguments allows of any record: a byte of an array prints as up to 5 characters.
  constexpr size_t kMostText = 4096;
  constexpr size_t kMostPlaced = 16;
  size_t text = 0;
  for (const RecordField& field : layout.fields) {
    text += field.key.size() + kMostDigits;
    if (field.kind == RecordField::Kind::kNumber) {
      smallest_ = std::max(smallest_, uint64_t{field.offset} + field.size);
    } else {
      placed_.push_back(field);
    }
  }
  if (layout.probe_ip)
    smallest_ = std::max(smallest_, uint64_t{layout.probe_ip->offset} + layout.probe_ip->size);
  may_wait_ = !layout.probe_func && text <= kMostText && placed_.size() <= kMostPlaced;
}

bool RecordShape::Holds(std::string_view record) const {
  return record.size() >= smallest_ && record.size() <= kLongest &&
         std::all_of(placed_.begin(), placed_.end(),
                     [&](const RecordField& field) { return BytesOf(field, record).has_value(); });
}

std::string PackLayout(const EventLayout& layout) {
  std::string packed;
  auto add = [&](auto value) { packed.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  auto add_text = [&](std::string_view text) {
    add(static_cast<uint32_t>(text.size()));
    packed.append(text);
  };
  add_text(layout.system);
  add_text(layout.name);
  add(layout.id);
  for (const RecordField& field : layout.fields) {
    add_text(field.name);
    add(field.kind);
    add(field.place);
    for (uint32_t number : {field.offset, field.size, field.element_size}) add(number);
    for (bool flag : {field.is_signed, field.hex, field.quoted}) add(static_cast<uint8_t>(flag));
  }
  return packed;
}

std::optional<EventLayout> UnpackLayout(std::string_view packed) {
  ByteReader reader(packed);
  auto text = [&] { return std::string(reader.Bytes(reader.U32())); };
  EventLayout layout;
  layout.system = text();
  layout.name = text();
  layout.id = reader.U32();
  while (reader.ok() && !reader.rest().empty()) {
    RecordField field;
    field.name = text();
    field.key = " " + field.name + "=";
    uint8_t kind = reader.U8();
    uint8_t place = reader.U8();
    for (uint32_t* number : {&field.offset, &field.size, &field.element_size}) *number = reader.U32();
    for (bool* flag : {&field.is_signed, &field.hex, &field.quoted}) *flag = reader.U8() != 0;
    if (kind > static_cast<uint8_t>(RecordField::Kind::kArray) ||
        place > static_cast<uint8_t>(RecordField::Place::kRest))
      return std::nullopt;
    field.kind = static_cast<RecordField::Kind>(kind);
    field.place = static_cast<RecordField::Place>(place);
    bool number = field.kind == RecordField::Kind::kNumber;
    if (!IsNumberSize(number ? field.size : field.element_size)) return std::nullopt;
    layout.fields.push_back(std::move(field));
  }
  if (!reader.ok()) return std::nullopt;
  return layout;
}

uint32_t RecordLayouts::Add(const EventLayout& layout, std::string_view place) {
  if (layout.fields.size() > kMostFields - fields_ || layouts_.size() >= kMostFields) return 0;
  fields_ += layout.fields.size();
  layouts_.push_back({layout, std::string(place)});
  return static_cast<uint32_t>(layouts_.size());
}

std::string RecordLayouts::Text(uint32_t layout, std::string_view record) const {
  std::string text;
  const Known& known = layouts_[layout - 1];
  if (known.place.empty()) {
    AppendArguments(known.layout, record, {}, &text);
  } else {
    AppendArgumentsAt(known.place, known.layout, record, &text);
  }
  return text;
}

std::string ContextColumns(uint64_t flags, uint64_t preempt_count) {
  std::string columns = ".....";
  bool irqs_off = (flags & 0x01) != 0;
  bool bottom_halves_off = (flags & 0x80) != 0;
  if (irqs_off) columns[0] = bottom_halves_off ? 'D' : 'd';
  if (!irqs_off && bottom_halves_off) columns[0] = 'b';
  bool need_resched = (flags & 0x04) != 0;
  bool preempt_resched = (flags & 0x20) != 0;
  if (need_resched) columns[1] = preempt_resched ? 'N' : 'n';
  if (!need_resched && preempt_resched) columns[1] = 'p';
  bool hardirq = (flags & 0x08) != 0;
  bool softirq = (flags & 0x10) != 0;
  if (softirq) columns[2] = 's';
  if (hardirq) columns[2] = softirq ? 'H' : 'h';
  if (flags & 0x40) columns[2] = hardirq ? 'Z' : 'z';
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (preempt_count & 0xf) columns[3] = kDigits[preempt_count & 0xf];
  if (preempt_count >> 4 & 0xf) columns[4] = kDigits[preempt_count >> 4 & 0xf];
  return columns;
}

}  // namespace mmreplay
