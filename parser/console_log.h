// Page-state reports in a kernel's console log, over the kernel versions (mm/page_alloc.c bad_page,
// mm/debug.c __dump_page): "BUG: Bad page state in process ... pfn:..." with the lines that follow it,
// and page dumps of a kernel that stopped in VM_BUG_ON_PAGE.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/event.h"

namespace mmreplay {

struct ConsoleReport {
  int64_t line;            // of its first line, from 1
  std::string kind;        // "bad_page_state", "vm_bug_on_page"
  std::optional<Pfn> pfn;  // not printed by VM_BUG_ON_PAGE before 5.9
  std::string comm;        // the victim: whoever allocated or freed the page
  std::optional<Pid> pid;
  std::string flags;                  // flag names as printed, without node=, zone=, ...: "waiters"
  std::string reason;                 // "PAGE_FLAGS_CHECK_AT_PREP flag(s) set"
  std::optional<int64_t> printk_ts;   // ns of the console's own clock, where lines carry it
  std::optional<KernelAddress> page;  // struct page, where it is printed raw
};

// So many are kept. The kernel prints 60 a minute at most (mm/page_alloc.c: bad_page): more than this are
// made up.
inline constexpr size_t kMostPageReports = 20'000;

struct ConsoleFacts {
  std::vector<ConsoleReport> reports;         // kMostPageReports at most
  std::optional<std::string> kernel_release;  // from "Linux version 6.1.192 ..."
  std::optional<std::string> machine;         // "x86_64", "aarch64"
  int64_t lines = 0;
  std::optional<int64_t> suppressed;  // reports the kernel says it swallowed
  int64_t reports_left_out = 0;       // beyond those that are kept
  int64_t dump_events = 0;            // event lines of ftrace dumps
  bool empty_dump = false;            // "(ftrace buffer empty)"
};

// The flag names of a page dump's flags line, without its numbers and key=value parts:
// "flags: 0xe0bffe000080(waiters|section=7|node=1|zone=1|lastcpupid=0xfff)" -> "waiters".
std::string PageFlagNames(std::string_view flags_line);

// The line without what a console, dmesg, syslog or the journal puts before the kernel's text, and
// without a mail's quotes. `printk_ts`, if given, gets the kernel's time stamp where there is one.
//   <4>[   12.345678][   T12] text               printk with CONFIG_PRINTK_CALLER
//   [   12.345678] [    C1] text
//   4,1234,12345678,-;text                        /dev/kmsg
//   kern  :emerg : [   12.345678] text            dmesg -x
//   [Mon Nov 22 10:00:00 2026] text               dmesg -T
//   Nov 22 10:00:00 host kernel: [   12.345678] text
//   2026-11-22T10:00:00.123456+00:00 host kernel: text
//   [   12.345678] host kernel: text              journalctl -o short-monotonic
std::string_view StripConsolePrefix(std::string_view line, std::optional<int64_t>* printk_ts = nullptr);
// Of a line that is no event of a dump (in one there may be any text): also what terminals and collectors of
// logs put before the kernel's own time.
std::string_view StripForeignPrefix(std::string_view line, std::optional<int64_t>* printk_ts = nullptr);

ConsoleFacts ReadConsoleLog(std::string_view text);

}  // namespace mmreplay
