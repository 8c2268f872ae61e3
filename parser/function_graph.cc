#include "parser/function_graph.h"

#include <array>
#include <string>

#include "parser/decode.h"
#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

std::string_view TrimLeft(std::string_view text) {
  size_t first = text.find_first_not_of(" \t");
  return first == kNotFound ? std::string_view() : text.substr(first);
}

// "507.520069 | " at the start: the absolute time.
std::optional<TimeStamp> TakeTime(std::string_view* rest) {
  std::string_view text = TrimLeft(*rest);
  size_t end = text.find_first_not_of("0123456789.");
  if (end == kNotFound || end == 0 || !IsBlank(text[end])) return std::nullopt;
  std::string_view after = TrimLeft(text.substr(end));
  std::string_view word = text.substr(0, end);
  size_t dot = word.find('.');
  if (!after.starts_with('|') || dot == kNotFound || word.size() - dot != 7) return std::nullopt;
  auto ts = ParseTimeStamp(word);
  if (ts) *rest = after.substr(1);
  return ts;
}

// "   0 us |" at the start: time since the trace began (options/funcgraph-... of the latency tracers).
void SkipRelativeTime(std::string_view* rest) {
  std::string_view text = TrimLeft(*rest);
  size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) ++digits;
  if (digits == 0 || !text.substr(digits).starts_with(" us |")) return;
  *rest = text.substr(digits + 5);
}

// " 53)" at the start.
std::optional<int32_t> TakeCpu(std::string_view* rest) {
  std::string_view text = TrimLeft(*rest);
  size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) ++digits;
  if (digits == 0 || digits > 6 || digits >= text.size() || text[digits] != ')') return std::nullopt;
  if (digits + 1 < text.size() && !IsBlank(text[digits + 1])) return std::nullopt;
  auto cpu = ParseDecimal(text.substr(0, digits));
  *rest = text.substr(digits + 1);
  return static_cast<int32_t>(*cpu);
}

// "0.345 us", "@ 184008.2 us", "$ 50412985 us", "+ 12.3 us"; empty where a call has only begun.
bool IsDuration(std::string_view text) {
  if (text.empty()) return true;
  if (std::string_view("+!#*@$").find(text[0]) != kNotFound) text = TrimLeft(text.substr(1));
  size_t end = text.find_first_not_of("0123456789.");
  return end != kNotFound && end > 0 && IsDigit(text[0]) && TrimBlanks(text.substr(end)) == "us";
}

// "bash-1507", comm cut to 7 characters; it may be empty.
bool SplitTask(std::string_view text, std::string_view* comm, std::optional<int32_t>* pid) {
  size_t dash = text.rfind('-');
  if (dash == kNotFound) return false;
  auto value = ParseDecimal(text.substr(dash + 1));
  if (!value || *value > INT32_MAX) return false;
  *comm = TrimBlanks(text.substr(0, dash));
  *pid = static_cast<int32_t>(*value);
  return true;
}

// "d..1", ".....", "dNh2": the flag columns of funcgraph-... latency formats. Where nothing is a dot each
// must be what kernel/trace/trace_output.c (trace_print_lat_fmt) prints there: irqs off, need-resched, the
// context, depths.
bool IsFlags(std::string_view text) {
  if (text.size() < 4 || text.size() > 8) return false;
  constexpr std::array<std::string_view, 3> kFlags = {"dDbBX", "NnpPLlbB", "hHsSzZ"};
  size_t dots = 0;
  bool each_known = true;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    dots += c == '.';
    bool flag = c == '.' || IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!flag) return false;
    bool depth = IsDigit(c) || (c >= 'a' && c <= 'f');
    each_known &= i < kFlags.size() ? kFlags[i].find(c) != kNotFound : depth;
  }
  return dots > 0 || each_known;
}

bool IsIrqArrow(std::string_view text) {
  return text.find("==========>") != kNotFound || text.find("<==========") != kNotFound;
}

// The bar behind a task in whose name there are bars ("tou|1-65    |"), `bar` the first of them.
size_t EndOfTask(std::string_view columns, size_t bar) {
  constexpr size_t kLongest = 40;  // a name of 15 characters, a number, blanks
  std::string_view comm;
  std::optional<int32_t> pid;
  for (bar = columns.find('|', bar + 1); bar <= kLongest; bar = columns.find('|', bar + 1)) {
    std::string_view task = TrimBlanks(columns.substr(0, bar));
    bool is_function = task.find_first_of("(;{}") != kNotFound || task.find("/*") != kNotFound;
    if (!is_function && SplitTask(task, &comm, &pid)) return bar;
  }
  return kNotFound;
}

// The function column: a call, a return or a comment.
bool ReadFunction(std::string_view text, std::string_view with_duration, TraceBody* body) {
  text = TrimBlanks(text);
  if (text.starts_with("/*")) {
    // /* mm_page_alloc: page=... */       /* a text of trace_printk */
    std::string_view inside = text.substr(2);
    if (inside.ends_with("*/")) inside.remove_suffix(2);
    inside = TrimBlanks(inside);
    *body = SplitTraceBody(inside);
    bool is_event = !body->name.empty() && body->name != "function" && !body->args.empty();
    if (!is_event && body->name != "kernel_stack" && body->name != "user_stack") {
      *body = {LooksLikeNamelessEvent(inside) ? "" : "print", inside};
    }
    return true;
  }
  if (text.starts_with('}')) {
    *body = {"funcgraph_exit", with_duration};
    return true;
  }
  // fn() {    fn();    fn [module]();    fn(a=0x1, b=2) { /* <-caller */    fn(); /* = 0x0 */    fn();
  // (ret=0x0)
  size_t open = text.find('(');
  bool call = open != kNotFound && open > 0 &&
              (text.find(';', open) != kNotFound || text.find('{', open) != kNotFound);
  if (!call) return false;
  *body = {"funcgraph_entry", with_duration};
  return true;
}

}  // namespace

//  3)    bash-431    =>    <idle>-0
bool FunctionGraph::ReadSwitch(std::string_view rest, std::optional<int32_t> cpu) {
  size_t arrow = rest.find(" => ");
  if (arrow == kNotFound || rest.find('|') != kNotFound) return false;
  Task from;
  Task to;
  if (!SplitTask(TrimBlanks(rest.substr(0, arrow)), &from.comm, &from.pid) ||
      !SplitTask(TrimBlanks(rest.substr(arrow + 4)), &to.comm, &to.pid))
    return false;
  constexpr size_t kCpus = 8192;  // NR_CPUS at most (arch/x86/Kconfig)
  if (running_.size() >= kCpus) running_.clear();
  if (cpu) running_[*cpu] = {std::string(to.comm), *to.pid};
  return true;
}

FunctionGraph::Line FunctionGraph::Read(std::string_view line, TraceLine* event, TraceBody* body) {
  std::string_view rest = line;
  event->ts = TakeTime(&rest);
  SkipRelativeTime(&rest);
  event->cpu = TakeCpu(&rest);
  if (!event->cpu && !event->ts && TrimBlanks(rest).find_first_not_of('-') == kNotFound &&
      rest.find("--------") != kNotFound)
    return Line::kSwitch;
  if (ReadSwitch(rest, event->cpu)) return Line::kSwitch;

  // Columns end at '|': task, flags, then the duration; behind it the function.
  std::string_view columns = rest;
  bool has_duration = false;
  for (size_t bar = columns.find('|'); bar != kNotFound; bar = columns.find('|')) {
    std::string_view column = TrimBlanks(columns.substr(0, bar));
    if (IsIrqArrow(column)) return Line::kSwitch;
    if (IsDuration(column)) {
      has_duration = true;
      break;
    }
    if (!event->pid && SplitTask(column, &event->comm, &event->pid)) {
    } else if (event->context.empty() && IsFlags(column)) {
      event->context = column;
    } else if (size_t end = event->pid ? kNotFound : EndOfTask(columns, bar); end != kNotFound) {
      SplitTask(TrimBlanks(columns.substr(0, end)), &event->comm, &event->pid);
      bar = end;
    } else {
      break;
    }
    columns.remove_prefix(bar + 1);
  }
  std::string_view function = columns;
  if (has_duration) {
    function = columns.substr(columns.find('|') + 1);
  } else if (!event->cpu && !event->ts) {
    return Line::kOther;  // neither cpu, nor time, nor duration: prose
  }
  if (TrimBlanks(function).empty()) return event->cpu || event->ts ? Line::kSwitch : Line::kOther;
  bool bare = TrimBlanks(columns).starts_with('|');
  if (!ReadFunction(function, TrimBlanks(bare ? function : columns), body)) return Line::kOther;
  // A table of prose may have bars: without a cpu, only what the tracer's own columns surround is an event.
  if (!event->cpu && !event->ts && !IsBlank(line.empty() ? 'x' : line[0])) return Line::kOther;
  if (!event->pid && event->cpu) {
    if (auto known = running_.find(*event->cpu); known != running_.end()) {
      event->comm = known->second.comm;
      event->pid = known->second.pid;
    }
  }
  return Line::kEvent;
}

bool LooksLikeFunctionGraphRow(std::string_view line) {
  std::string_view rest = line;
  bool has_time = TakeTime(&rest).has_value();
  bool has_cpu = TakeCpu(&rest).has_value();
  return (has_time || has_cpu) && rest.find('|') != kNotFound;
}

}  // namespace mmreplay
