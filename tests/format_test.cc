#include "report/format.h"

#include <catch2/catch.hpp>

namespace mmreplay {

TEST_CASE("values as people read them", "[format]") {
  CHECK(TimeText(5'801'377'000, false) == "5.801377");
  CHECK(TimeText(5'801'377'123, false) == "5.801377123");
  CHECK(TimeText(30'203'635'046, true) == "30203635046");
  CHECK(TimeText(std::nullopt, false) == "?");
  CHECK(DurationText(13'944'123, false) == "13.9 ms");
  CHECK(DurationText(280'000, false) == "280 us");
  CHECK(DurationText(999, false) == "999 ns");
  CHECK(DurationText(-1'500'000'000, false) == "-1.5 s");
  CHECK(DurationText(1234, true) == "1,234 ticks");
  CHECK(CountText(0) == "0");
  CHECK(CountText(999) == "999");
  CHECK(CountText(1000) == "1,000");
  CHECK(CountText(-123456) == "-123,456");
  CHECK(CountText(12345678) == "12,345,678");
}

TEST_CASE("nothing a trace holds reaches a terminal as control", "[format]") {
  CHECK(Printable("thp mover") == "thp mover");
  CHECK(Printable("\x1b[31m") == "\\x1b[31m");
  CHECK(Printable(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(Printable("k\xc3\xb6ln") == "k\xc3\xb6ln");
  CHECK(Printable("\xff\xfe") == "\\xff\\xfe");
  CHECK(Printable("\xc2\x9b"
                  "31m") == "\\xc2\\x9b31m");             // C1 control
  CHECK(Printable("\xc0\xaf") == "\\xc0\\xaf");           // overlong
  CHECK(Printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // surrogate
  CHECK(Printable("\xe2\x82") == "\\xe2\\x82");           // cut off
  // Directions of writing, ends of lines that are not \n, what nobody sees, what is no character.
  CHECK(Printable("a\xe2\x80\xae"
                  "b") == "a\\xe2\\x80\\xaeb");
  for (const char* hidden : {"\x7f", "\xc2\x85", "\xc2\xad", "\xd8\x9c", "\xe2\x80\x8b", "\xe2\x80\x8f",
                             "\xe2\x80\xa8", "\xe2\x80\xaa", "\xe2\x81\xa6", "\xe2\x81\xa9", "\xef\xbb\xbf",
                             "\xef\xbf\xbf", "\xef\xb7\x90", "\xf3\xa0\x81\x81"}) {
    std::string shown = Printable(hidden);
    CAPTURE(shown);
    CHECK(shown.size() == 4 * std::string_view(hidden).size());
    CHECK(shown.starts_with("\\x"));
  }
  for (const char* plain :
       {"\xc2\xa0", "\xe2\x80\x90", "\xe2\x82\xac", "\xef\xbf\xbd", "\xf0\x9f\x90\xa7", "\\x1b"})
    CHECK(Printable(plain) == plain);
}

TEST_CASE("what leaves the program is harmless, in whatever form", "[format]") {
  CHECK(Harmless("a\tb\r\nc\n", {}) == "a\tb\r\nc\n");
  CHECK(Harmless("k\xc3\xb6ln\n", {}) == "k\xc3\xb6ln\n");
  CHECK(Harmless("a\rb\x1b[1mc\xff\xe2\x80\xae", {}) == "a\\x0db\\x1b[1mc\\xff\\xe2\\x80\\xae");
  CHECK(Inked("x", Ink::kRed, {}) == "x");
  TextStyle colour{.colour = true};
  std::string red = Inked("x", Ink::kRed, colour);
  CHECK(red == "\x1b[1;31mx\x1b[0m");
  CHECK(Harmless(red, colour) == red);
  CHECK(Harmless(red, {}) == "\\x1b[1;31mx\\x1b[0m");
  CHECK(Harmless("\x1b[2J\x1b[5m", colour) == "\\x1b[2J\\x1b[5m");
}

TEST_CASE("a paragraph is one, whatever is in it", "[format]") {
  CHECK(Wrap("a\nb \x1b[2J", 2, 4) == "  a\\x0ab \\x1b[2J\n");
}

}  // namespace mmreplay
