#include "parser/numbers.h"

#include <catch2/catch.hpp>
#include <string>

namespace mmreplay {

TEST_CASE("the prefix decides the radix, never the digits", "[numbers]") {
  CHECK(ParseUnsigned("0x28000") == 0x28000u);
  CHECK(ParseUnsigned("28000") == 28000u);
  CHECK_FALSE(ParseUnsigned("28c00"));
  CHECK_FALSE(ParseUnsigned(""));
  CHECK_FALSE(ParseUnsigned("0x"));
  CHECK_FALSE(ParseUnsigned("12 "));
  CHECK(ParseSigned("-1") == -1);
  CHECK(ParseSigned("0xffffffffffffffff") == -1);
  CHECK_FALSE(ParseSigned("--1"));
  CHECK_FALSE(ParseUnsigned("18446744073709551616"));
}

TEST_CASE("what %p prints", "[numbers]") {
  CHECK(ParsePointer("ffffea0000a00000") == 0xffffea0000a00000u);
  CHECK(ParsePointer("0xffffea0000a00000") == 0xffffea0000a00000u);
  CHECK_FALSE(ParsePointer("(null)"));
  CHECK_FALSE(ParsePointer("(____ptrval____)"));
  CHECK_FALSE(ParsePointer("(nil)"));
}

TEST_CASE("numbers of eight digits and more", "[numbers]") {
  CHECK(ParseHexDigits("01234567") == 0x01234567u);
  CHECK(ParseHexDigits("89abcdef") == 0x89abcdefu);
  CHECK(ParseHexDigits("89ABCDEF9") == 0x89abcdef9u);
  CHECK(ParseHexDigits("00000000fedcba9876543210") == 0xfedcba9876543210u);
  CHECK_FALSE(ParseHexDigits("1fedcba9876543210"));
  CHECK(EightDecimals(LoadEight("90817263")) == 90817263u);
  // Each byte that is no digit, in each place.
  for (size_t at = 0; at < 8; ++at) {
    for (int c = 0; c < 256; ++c) {
      std::string text = "90817263";
      text[at] = static_cast<char>(c);
      bool decimal = c >= '0' && c <= '9';
      bool hex = decimal || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      CHECK(ParseHexDigits(text).has_value() == hex);
      CHECK(EightDecimals(LoadEight(text.data())).has_value() == decimal);
    }
  }
}

TEST_CASE("time stamps are scaled exactly", "[numbers]") {
  auto ns = [](std::string_view text) {
    auto ts = ParseTimeStamp(text);
    REQUIRE(ts);
    CHECK_FALSE(ts->is_ticks);
    return ts->value;
  };
  CHECK(ns("5.364208") == 5'364'208'000);
  // These come out one nanosecond low when they pass through a double.
  CHECK(ns("9007199.254741") == 9'007'199'254'741'000);
  CHECK(ns("1234567.000001") == 1'234'567'000'001'000);
  CHECK(ns("5.364208123") == 5'364'208'123);
  CHECK(ns("5.1") == 5'100'000'000);

  auto ticks = ParseTimeStamp("30203635046");
  REQUIRE(ticks);
  CHECK(ticks->is_ticks);
  CHECK(ticks->value == 30'203'635'046);

  CHECK_FALSE(ParseTimeStamp("5.3642081234"));
  CHECK_FALSE(ParseTimeStamp("5."));
  CHECK_FALSE(ParseTimeStamp(".5"));
  CHECK_FALSE(ParseTimeStamp("9223372037.000000"));
  CHECK(ns("9223372036.854775807") == INT64_MAX);
  CHECK_FALSE(ParseTimeStamp("9223372036.854775808"));
  CHECK_FALSE(ParseTimeStamp("99999999999999999999"));
}

}  // namespace mmreplay
