#include "parser/console_log.h"

#include <catch2/catch.hpp>

namespace mmreplay {

// linux-mm, 3 Apr 2017, arm64 v4.11-rc4: this very bug.
TEST_CASE("a report without time stamps", "[console]") {
  ConsoleFacts facts = ReadConsoleLog(
      "BUG: Bad page state in process syz-executor0  pfn:77200\n"
      "page:ffff7e0000dc8000 count:0 mapcount:0 mapping:          (null) index:0x0\n"
      "flags: 0x4fffc00000000080(waiters)\n"
      "raw: 4fffc00000000080 0000000000000000 0000000000000000 00000000ffffffff\n"
      "page dumped because: PAGE_FLAGS_CHECK_AT_PREP flag set\n"
      "bad because of flags: 0x80(waiters)\n"
      "Modules linked in:\n"
      "CPU: 3 PID: 1317 Comm: syz-executor0 Not tainted 4.11.0-rc4-00002-g34b0849 #3\n");
  REQUIRE(facts.reports.size() == 1);
  const ConsoleReport& report = facts.reports[0];
  CHECK(report.line == 1);
  CHECK(Value(*report.pfn) == 0x77200);
  CHECK(report.comm == "syz-executor0");
  CHECK(report.flags == "waiters");
  CHECK(report.reason == "PAGE_FLAGS_CHECK_AT_PREP flag set");
  REQUIRE(report.pid);
  CHECK(Value(*report.pid) == 1317);
  CHECK_FALSE(report.printk_ts);
}

TEST_CASE("comms with blanks, printk prefixes, numbers beside flag names", "[console]") {
  ConsoleFacts facts = ReadConsoleLog(
      "[    3.918180] BUG: Bad page state in process thp mover  pfn:0c400\r\n"
      "<4>[    3.918906][   T69] flags: 0xe0bffe000080(waiters|section=7|node=1|zone=1|lastcpupid=0xfff)\n");
  REQUIRE(facts.reports.size() == 1);
  CHECK(facts.reports[0].comm == "thp mover");
  CHECK(Value(*facts.reports[0].pfn) == 0xc400);
  CHECK(facts.reports[0].flags == "waiters");
  CHECK(facts.reports[0].printk_ts == 3'918'180'000);
}

TEST_CASE("reports do not run into each other", "[console]") {
  ConsoleFacts facts = ReadConsoleLog(
      "BUG: Bad page state in process a  pfn:1\n"
      "BUG: Bad page state in process b  pfn:2\n"
      "anon flags: 0x1(locked|node=0)\n"
      "BUG: Bad page state: 12 messages suppressed\n"
      "flags: 0x80(waiters)\n");
  REQUIRE(facts.reports.size() == 2);
  CHECK(facts.reports[0].flags.empty());
  CHECK(facts.reports[1].flags == "locked");
  CHECK(facts.suppressed == 12);
}

TEST_CASE("machine and release from a boot log", "[console]") {
  ConsoleFacts facts = ReadConsoleLog(
      "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x411fd070]\n"
      "[    0.000000] Linux version 6.1.0-56-arm64 (debian-kernel@lists.debian.org) (gcc-12 ...)\n");
  CHECK(facts.machine == "aarch64");
  CHECK(facts.kernel_release == "6.1.0-56-arm64");
}

}  // namespace mmreplay
