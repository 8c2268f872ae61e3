// Lines of the function_graph tracer (kernel/trace/trace_functions_graph.c), with and without the columns its
// options add: absolute and relative time, cpu, task, flags, duration.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>

#include "parser/ftrace_text.h"

namespace mmreplay {

// Remembers which task runs on a cpu, as the trace says it where the tracer switches tasks.
class FunctionGraph {
 public:
  enum class Line {
    kEvent,   // a call, a return, or an event printed as a comment
    kSwitch,  // the block that shows a task switch, an irq arrow, a blank row
    kOther,
  };

  //  3)   0.345 us    |  folio_wait_bit();
  //  24) @ 184008.2 us |      compact_zone_order();
  //    507.520069 |   53)               |  iommu_unmap() {
  //   0)   bash-1507    |  d... |   0.000 us    |    fput();
  //  3)               |  /* mm_page_alloc: page=... pfn=... */
  //  3)    bash-431    =>    <idle>-0
  // Calls are events named funcgraph_entry, returns funcgraph_exit, as trace-cmd names them.
  Line Read(std::string_view line, TraceLine* event, TraceBody* body);

 private:
  struct Task {
    std::string_view comm;
    std::optional<int32_t> pid;
  };
  struct KnownTask {
    std::string comm;
    int32_t pid;
  };
  bool ReadSwitch(std::string_view rest, std::optional<int32_t> cpu);

  std::unordered_map<int32_t, KnownTask> running_;  // by cpu
};

bool LooksLikeFunctionGraphRow(std::string_view line);

}  // namespace mmreplay
