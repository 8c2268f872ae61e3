// Page-state reports in a kernel's console log: "BUG: Bad page state in process ... pfn:..." with
// the lines that follow it, over the kernel versions (mm/page_alloc.c bad_page, mm/debug.c
// __dump_page).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/event.h"

namespace mmreplay {

struct ConsoleReport {
  int64_t line;      // of the "BUG:" line, from 1
  std::string kind;  // "bad_page_state"
  Pfn pfn;
  std::string comm;  // the victim: whoever allocated or freed the page
  std::optional<Pid> pid;
  std::string flags;                 // flag names as printed, without node=, zone=, ...: "waiters"
  std::string reason;                // "PAGE_FLAGS_CHECK_AT_PREP flag(s) set"
  std::optional<int64_t> printk_ts;  // ns of the console's own clock, where lines carry it
};

struct ConsoleFacts {
  std::vector<ConsoleReport> reports;
  std::optional<std::string> kernel_release;  // from "Linux version 6.1.192 ..."
  std::optional<std::string> machine;         // "x86_64", "aarch64"
  int64_t lines = 0;
  std::optional<int64_t> suppressed;  // reports the kernel says it swallowed
};

// The flag names of a page dump's flags line, without its numbers and key=value parts:
// "flags: 0xe0bffe000080(waiters|section=7|node=1|zone=1|lastcpupid=0xfff)" -> "waiters".
std::string PageFlagNames(std::string_view flags_line);

// The line without printk prefixes: "<4>", "[   12.345678]", "[   T12]", "[    C1]".
// `printk_ts` gets the time if there is one.
std::string_view StripPrintkPrefix(std::string_view line, std::optional<int64_t>* printk_ts);

ConsoleFacts ReadConsoleLog(std::string_view text);

}  // namespace mmreplay
