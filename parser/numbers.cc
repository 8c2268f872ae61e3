#include "parser/numbers.h"

#include <charconv>
#include <limits>

namespace mmreplay {

std::optional<uint64_t> ParseLongDecimal(std::string_view text) {
  uint64_t value{};
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value, 10);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::optional<int64_t> ParseSigned(std::string_view text) {
  if (HasHexPrefix(text)) {
    // %x of a negative int, or a 64-bit register: two's complement.
    auto bits = ParseHexDigits(text.substr(2));
    if (!bits) return std::nullopt;
    return static_cast<int64_t>(*bits);
  }
  bool negative = !text.empty() && text[0] == '-';
  auto digits = ParseDecimal(negative ? text.substr(1) : text);
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (!digits || *digits > kMax + negative) return std::nullopt;
  return static_cast<int64_t>(negative ? ~*digits + 1 : *digits);
}

std::optional<TimeStamp> ParseTimeStamp(std::string_view text) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  size_t dot = text.find('.');
  auto whole = ParseDecimal(text.substr(0, dot));
  if (!whole || *whole > static_cast<uint64_t>(kMax)) return std::nullopt;
  auto seconds = static_cast<int64_t>(*whole);
  if (dot == std::string_view::npos) return TimeStamp{seconds, true};

  std::string_view decimals = text.substr(dot + 1);
  if (decimals.size() > 9) return std::nullopt;
  auto fraction = ParseDecimal(decimals);
  if (!fraction) return std::nullopt;
  auto nanoseconds = static_cast<int64_t>(*fraction);
  for (size_t digits = decimals.size(); digits < 9; ++digits) nanoseconds *= 10;
  if (seconds > (kMax - nanoseconds) / 1'000'000'000) return std::nullopt;
  return TimeStamp{seconds * 1'000'000'000 + nanoseconds, false};
}

}  // namespace mmreplay
