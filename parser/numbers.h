// Exact integers from the texts the kernel prints. Nothing here rounds, guesses a radix or
// falls back to 0: what is not a whole number of the expected form is nullopt.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mmreplay {

// Digits only, no sign, no prefix.
std::optional<uint64_t> ParseDecimal(std::string_view text);

// Hex digits without prefix, as %lx and %p print them: "ffffea0001659500".
std::optional<uint64_t> ParseHexDigits(std::string_view text);

// "0x1f" is hex, "31" is decimal; "1f" is neither. kmem events printed pfn as %lu until about 5.13
// and as 0x%lx since, so the prefix and never the digits decide the radix.
std::optional<uint64_t> ParseUnsigned(std::string_view text);

// As ParseUnsigned, with an optional '-' before decimal digits ("-1").
std::optional<int64_t> ParseSigned(std::string_view text);

// What %p prints: hex digits with or without "0x". nullopt for "(null)", "(nil)",
// "(____ptrval____)", "(ptrval)" and "(fault)": those name no object.
std::optional<uint64_t> ParsePointer(std::string_view text);

// A time stamp of a trace line, scaled without floating point.
struct TimeStamp {
  int64_t value;  // nanoseconds, or the raw counter when is_ticks
  bool is_ticks;  // integer clocks (x86-tsc, counter, uptime) print no decimal point
};

// "5.364208" -> 5364208000 ns; "12345" -> 12345 ticks. One to nine decimals.
std::optional<TimeStamp> ParseTimeStamp(std::string_view text);

}  // namespace mmreplay
