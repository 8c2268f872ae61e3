#include "report/format.h"

#include <fmt/format.h>

#include <array>

namespace mmreplay {
namespace {

// Length of the valid UTF-8 sequence at the start of `text`, 0 if there is none.
size_t Utf8Length(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  size_t length = first < 0x80                    ? 1
                  : first >= 0xc2 && first < 0xe0 ? 2
                  : first >= 0xe0 && first < 0xf0 ? 3
                  : first >= 0xf0 && first < 0xf5 ? 4
                                                  : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && byte(1) < 0xa0) return 0;  // overlong
  if (first == 0xed && byte(1) > 0x9f) return 0;  // surrogates
  if (first == 0xf0 && byte(1) < 0x90) return 0;  // overlong
  if (first == 0xf4 && byte(1) > 0x8f) return 0;  // beyond U+10FFFF
  return length;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    auto first = static_cast<unsigned char>(text[0]);
    size_t length = Utf8Length(text);
    bool control = first < 0x20 || first == 0x7f ||
                   (first == 0xc2 && length == 2 && static_cast<unsigned char>(text[1]) < 0xa0);
    if (length == 0 || control) {
      shown += fmt::format("\\x{:02x}", first);
      text.remove_prefix(1);
      continue;
    }
    shown += text.substr(0, length);
    text.remove_prefix(length);
  }
  return shown;
}

std::string TimeText(std::optional<int64_t> ts, bool ticks) {
  if (!ts) return "?";
  if (ticks || *ts < 0) return std::to_string(*ts);
  int64_t seconds = *ts / 1'000'000'000;
  int64_t nanoseconds = *ts % 1'000'000'000;
  if (nanoseconds % 1000 == 0) return fmt::format("{}.{:06}", seconds, nanoseconds / 1000);
  return fmt::format("{}.{:09}", seconds, nanoseconds);
}

std::string DurationText(int64_t duration, bool ticks) {
  if (ticks) return CountText(duration) + " ticks";
  struct Unit {
    int64_t ns;
    const char* name;
  };
  constexpr std::array<Unit, 3> kUnits = {Unit{1'000'000'000, "s"}, Unit{1'000'000, "ms"}, Unit{1'000, "us"}};
  int64_t size = duration < 0 ? -duration : duration;
  for (const Unit& unit : kUnits) {
    if (size < unit.ns) continue;
    // One decimal while it says something, from integers: 13,944,123 ns is 13.9 ms.
    int64_t tenths = size / (unit.ns / 10);
    const char* sign = duration < 0 ? "-" : "";
    if (tenths % 10 == 0 || tenths >= 1000) return fmt::format("{}{} {}", sign, tenths / 10, unit.name);
    return fmt::format("{}{}.{} {}", sign, tenths / 10, tenths % 10, unit.name);
  }
  return fmt::format("{} ns", duration);
}

std::string CountText(int64_t count) {
  std::string digits = std::to_string(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    size_t left = digits.size() - i;  // digits from here on; a comma before each group of three
    if (left % 3 == 0 && i > 0 && digits[i - 1] != '-') text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace mmreplay
