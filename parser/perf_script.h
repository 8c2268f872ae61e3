// Lines of `perf script` (tools/perf/builtin-script.c), whatever its -F chose.
#pragma once

#include <optional>
#include <string_view>

#include "parser/ftrace_text.h"

namespace mmreplay {

// nullopt when the line is no sample. A line without a time stamp is taken for one only when its event is a
// tracepoint or a probe ("group:event:") or ends it.
//             work    69 [003]     5.607192:                   page_ref:page_ref_set: pfn=0x39126 flags=none
//             ...
//   swapper     0 [012] 2281339.604067:   20834821 cycles:
//   firefox  7564/7564  2574592.839818:          1 cycles:uppp:
//   364691/364691 62709.735347701:                            1   branches:uH:   jmp  40bb19 ...
//   java 19983 cycles:
//      5.607192:                   page_ref:page_ref_set: pfn=0x39126 flags=none        (-F time,event,trace)
//   work    69 [003] 2026-11-30 12:34:56.123456     5.607192: page_ref:page_ref_set: ...   (-F +tod)
// The body is everything from the event's name on.
// `may_be_taskless`: the tid may have been left out. In a file that has them, a line without is damaged.
bool SplitPerfLine(std::string_view line, TraceLine* out, bool may_be_taskless);
inline bool SplitPerfLine(std::string_view line, TraceLine* out) {
  return SplitPerfLine(line, out, true);
}

// "page_ref:page_ref_set: pfn=..." -> page_ref_set, "pfn=..."; "cycles:uppp: " -> "cycles:uppp", "".
TraceBody SplitPerfBody(std::string_view body);

// A frame of a call chain: an indented line, or one that begins with an address.
//         ffffffff811d3f20 folio_wait_bit+0x0 ([kernel.kallsyms])
std::optional<std::string_view> ParsePerfFrame(std::string_view line);

// What perf recorded beside the events (--show-task-events, --show-mmap-events, --show-lost-events).
//   work    69 [003]     5.606333: PERF_RECORD_COMM exec: work:69/69
//   work    69 [003]     5.606333: PERF_RECORD_FORK(75:75):(69:69)
bool IsPerfSideband(std::string_view line);

// work    69 [003]     5.607192: PERF_RECORD_LOST lost 12
// cpu is kAnyCpu where it is not printed.
std::optional<LostLine> ParsePerfLostLine(std::string_view line);

}  // namespace mmreplay
