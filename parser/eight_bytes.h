// Eight characters at a time, in one word: what a trace is searched for and made of stands in words of that
// length, and one character after the other takes four times as long.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace mmreplay {

static_assert(std::endian::native == std::endian::little, "the first character is the lowest byte");

inline constexpr uint64_t kEachByte = 0x0101010101010101;
inline constexpr size_t kEightBytes = 8;

// There must be eight.
inline uint64_t LoadEight(const char* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// The high bit of the first byte that is `c` is the lowest bit set; 0 where none is.
inline uint64_t MarkBytes(uint64_t word, char c) {
  uint64_t others = word ^ kEachByte * static_cast<unsigned char>(c);
  return (others - kEachByte) & ~others & kEachByte << 7;
}

// The index of the first byte that is marked, which there must be.
inline size_t FirstMarked(uint64_t marks) {
  return static_cast<size_t>(std::countr_zero(marks)) / 8;
}

// The first `c` at or behind `at`, or `end`. For texts too short for memchr to be worth its call.
inline const char* FindNear(const char* at, const char* end, char c) {
  for (; end - at >= 8; at += 8) {
    if (uint64_t marks = MarkBytes(LoadEight(at), c); marks != 0) return at + FirstMarked(marks);
  }
  while (at < end && *at != c) ++at;
  return at;
}

// What eight decimal digits are worth; nullopt where they are something else.
inline std::optional<uint64_t> EightDecimals(uint64_t word) {
  constexpr uint64_t kHigh = kEachByte * 0xf0;
  constexpr uint64_t kZeros = kEachByte * '0';
  if (((word & kHigh) ^ kZeros) != 0 || (((word + kEachByte * 6) & kHigh) ^ kZeros) != 0) return std::nullopt;
  // Pairs, then fours of them, then both.
  word -= kZeros;
  word = (word * 10 + (word >> 8)) & 0x00ff00ff00ff00ff;
  word = (word * 100 + (word >> 16)) & 0x0000ffff0000ffff;
  return (word * 10'000 + (word >> 32)) & 0xffffffff;
}

// What eight hex digits are worth; nullopt where they are something else.
inline std::optional<uint64_t> EightHexDigits(uint64_t word) {
  uint64_t letters = word >> 6 & kEachByte;  // 'A' is 0x41, 'a' 0x61, and '0' 0x30
  uint64_t upper = word & ~(letters << 5);
  uint64_t values = (upper ^ (kEachByte * '0' ^ letters * 0x70)) + letters * 9;
  if ((values & kEachByte * 0xf0) != 0 || ((values + kEachByte * 6) >> 4 & kEachByte) != letters)
    return std::nullopt;
  values = (values << 4 | values >> 8) & 0x00ff00ff00ff00ff;
  values = (values << 8 | values >> 16) & 0x0000ffff0000ffff;
  return (values << 16 | values >> 32) & 0xffffffff;
}

}  // namespace mmreplay
