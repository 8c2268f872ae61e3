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
}

}  // namespace mmreplay
