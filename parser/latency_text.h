// The latency format: options/latency-format, the latency tracers, and the ftrace dump of a dying
// kernel (kernel/trace/trace_output.c: trace_print_lat_context).
#pragma once

#include <string_view>

#include "parser/ftrace_text.h"

namespace mmreplay {

// False when the line is not an event line of the latency format:
//   toucher/-122     1d.... 6259488us+: page_ref_set: pfn=0x3310 ...      comm cut to 8 characters
//     init-1         3..... 35123us : page_ref_set: pfn=0x3081c ...
//     bash-2086      0d....  1234567: sched_waking: ...                   (integer clock)
// Times count from the start of the buffer.
bool SplitLatencyLine(std::string_view line, TraceLine* out);

// The same with options/verbose, which has the absolute time as hex microseconds (or raw ticks):
//             bash     431   0 1 00000002 00000000 [0000f2b3] 62.131ms (+0.004ms): sched_waking: ...
bool SplitVerboseLine(std::string_view line, TraceLine* out);

// "trace-cmd report -l": the task and cpu columns of the latency format, the time of the default one.
//   trace-cm-20913   2d..2. 852655.067718: sched_switch: ...
//   trace-cm-20913   2-0x1  852655.067718: sched_switch: ...          (-l -R: the raw common_flags)
bool SplitLatencyReportLine(std::string_view line, TraceLine* out);

// Meant to be a line of the latency format.
bool LooksLikeLatencyEvent(std::string_view line);
// " 6362264us : wait: ", of an event's line whose other columns may be damaged.
bool HasLatencyTime(std::string_view line);

}  // namespace mmreplay
