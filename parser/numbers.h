// Exact integers from the texts the kernel prints. Nothing here rounds, guesses a radix or
// falls back to 0: what is not a whole number of the expected form is nullopt.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "parser/eight_bytes.h"

namespace mmreplay {

// Ten to fifteen numbers of each line go through these, a few digits each: a loop that is inlined takes half
// the time of std::from_chars.

// As ParseDecimal, for texts of any length.
std::optional<uint64_t> ParseLongDecimal(std::string_view text);

// Digits only, no sign, no prefix.
inline std::optional<uint64_t> ParseDecimal(std::string_view text) {
  constexpr size_t kCannotOverflow = 19;
  if (text.empty()) return std::nullopt;
  if (text.size() > kCannotOverflow) return ParseLongDecimal(text);
  uint64_t value = 0;
  for (char c : text) {
    auto digit = static_cast<unsigned char>(c - '0');
    if (digit > 9) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

// Hex digits without prefix, as %lx and %p print them: "ffffea0001659500".
inline std::optional<uint64_t> ParseHexDigits(std::string_view text) {
  while (text.size() > 16 && text[0] == '0') text.remove_prefix(1);
  if (text.empty() || text.size() > 16) return std::nullopt;
  uint64_t value = 0;
  for (; text.size() >= 8; text.remove_prefix(8)) {
    auto eight = EightHexDigits(LoadEight(text.data()));
    if (!eight) return std::nullopt;
    value = value << 32 | *eight;
  }
  for (char c : text) {
    auto digit = static_cast<unsigned char>(c - '0');
    auto letter = static_cast<unsigned char>((c | 0x20) - 'a');
    if (digit > 9) {
      if (letter > 5) return std::nullopt;
      digit = static_cast<unsigned char>(letter + 10);
    }
    value = value << 4 | digit;
  }
  return value;
}

inline bool HasHexPrefix(std::string_view text) {
  return text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

// "0x1f" is hex, "31" is decimal; "1f" is neither. kmem events printed pfn as %lu until about 5.13
// and as 0x%lx since, so the prefix and never the digits decide the radix.
inline std::optional<uint64_t> ParseUnsigned(std::string_view text) {
  return HasHexPrefix(text) ? ParseHexDigits(text.substr(2)) : ParseDecimal(text);
}

// As ParseUnsigned, with an optional '-' before decimal digits ("-1").
std::optional<int64_t> ParseSigned(std::string_view text);

// What %p prints: hex digits with or without "0x". nullopt for "(null)", "(nil)",
// "(____ptrval____)", "(ptrval)" and "(fault)": those name no object.
inline std::optional<uint64_t> ParsePointer(std::string_view text) {
  return ParseHexDigits(HasHexPrefix(text) ? text.substr(2) : text);
}

// A time stamp of a trace line, scaled without floating point.
struct TimeStamp {
  int64_t value;  // nanoseconds, or the raw counter when is_ticks
  bool is_ticks;  // integer clocks (x86-tsc, counter, uptime) print no decimal point
};

// "5.364208" -> 5364208000 ns; "12345" -> 12345 ticks. One to nine decimals.
std::optional<TimeStamp> ParseTimeStamp(std::string_view text);

}  // namespace mmreplay
