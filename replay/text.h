// Small texts of the records.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <string>

#include "replay/ids.h"

namespace mmreplay {

// "0xffff8880036a7f70"
inline std::string HexText(uint64_t value) {
  std::array<char, 16> digits{};
  auto* end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  return "0x" + std::string(digits.data(), end);
}

// "event 1234"
inline std::string EventText(EventId event) {
  return "event " + std::to_string(Value(event));
}

}  // namespace mmreplay
