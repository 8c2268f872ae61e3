// tracefs text: `trace` and `trace_pipe` in the default line format, with and without the tgid
// column, with 0, 4, 5 or 7 flag columns (kernel/trace/trace_output.c: trace_print_context).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "parser/numbers.h"

namespace mmreplay {

// One event line split at its fixed anchors. Views borrow from the line. In the default format pid, cpu
// and time are always there; other forms may lack them.
struct TraceLine {
  std::string_view comm;  // "<...>" where the kernel no longer knew it
  std::optional<int32_t> pid;
  std::optional<int32_t> tgid;  // nullopt for "(-------)" and where the column is absent
  std::optional<int32_t> cpu;
  std::string_view context;  // flag columns, empty where not printed
  std::optional<TimeStamp> ts;
  std::string_view body;    // everything after "<time>: "
  std::string_view buffer;  // of a report on several buffers or files: whose event it is; empty for the first
};

// False when the line is not an event line: `out` then means nothing.
bool SplitTraceLine(std::string_view line, TraceLine* out);

// SplitTraceLine for line after line: the same few tasks on the same few cpus make the same columns again and
// again, and those met lately are known as a whole.
class TraceLineSplitter {
 public:
  bool Split(std::string_view line, TraceLine* out);

 private:
  static constexpr size_t kCpuColumn = 5;
  static constexpr size_t kWidest = 64;
  static constexpr size_t kSlots = 64;

  // "         toucher/0-64      (     63) [001]"
  struct Columns {
    std::array<char, kWidest> text{};
    uint8_t size = 0;
    uint8_t comm_begin = 0;
    uint8_t comm_size = 0;
    int32_t cpu = 0;
    std::optional<int32_t> pid;
    std::optional<int32_t> tgid;
  };

  Columns* Slot(std::string_view line, size_t open);

  std::array<Columns, kSlots> known_;
};

// The body of an event line.
struct TraceBody {
  std::string_view name;
  std::string_view args;
};
// "mm_page_free: page=... pfn=..." -> name and arguments; function-tracer bodies ("a <-b") get the
// name "function", "<stack trace>" the name "kernel_stack".
TraceBody SplitTraceBody(std::string_view body);

// True for the flag columns of an event recorded in hard or soft irq or nmi context: the third
// column is h H s Z or z. Raw flags (-0x19, trace-cmd report -l -R) have the bits of TRACE_FLAG_*.
bool ContextIsInterrupt(std::string_view context);

// CPU:3 [LOST 5255 EVENTS]     CPU:3 [LOST EVENTS]     CPU:3 [5255 EVENTS DROPPED] (trace-cmd)
struct LostLine {
  int32_t cpu;
  std::optional<int64_t> lost;
};
std::optional<LostLine> ParseLostLine(std::string_view line);
// The same with anything before it.
std::optional<LostLine> ParseLostLineBehind(std::string_view line);

// ##### CPU 3 buffer started ####
std::optional<int32_t> ParseBufferStartedLine(std::string_view line);

// " => do_syscall_64" below a stack trace: the frame without the arrow.
std::optional<std::string_view> ParseStackFrame(std::string_view line);

// Facts of the comment block at the head of a `trace` file.
struct TraceHeader {
  std::string tracer;              // "nop"
  std::optional<int64_t> entries;  // entries-in-buffer
  std::optional<int64_t> written;  // entries-written; more than entries: the head is lost
  std::optional<int32_t> cpus;     // #P:4
  bool keeps_last = false;         // only the last events were kept: the head may be lost
};
// Reads one line that starts with '#' into the header; ignores what says nothing.
void ParseHeaderLine(std::string_view line, TraceHeader* header);

}  // namespace mmreplay
