#include "parser/ftrace_text.h"

#include "parser/lines.h"

namespace mmreplay {
namespace {

constexpr size_t kNotFound = std::string_view::npos;

// The task columns, left of "[cpu]":
//            thp mover-69
//        toucher/0-64      (     63)
//           <idle>-0       (-------)
bool SplitTask(std::string_view left, TraceLine* out) {
  while (!left.empty() && IsBlank(left.back())) left.remove_suffix(1);
  out->tgid.reset();
  if (!left.empty() && left.back() == ')') {
    size_t open = left.rfind('(');
    if (open == kNotFound) return false;
    std::string_view tgid = TrimBlanks(left.substr(open + 1, left.size() - open - 2));
    if (tgid.find_first_not_of('-') != kNotFound) {
      auto value = ParseDecimal(tgid);
      if (!value || *value > INT32_MAX) return false;
      out->tgid = static_cast<int32_t>(*value);
    }
    left = left.substr(0, open);
    while (!left.empty() && IsBlank(left.back())) left.remove_suffix(1);
  }
  size_t digits = left.size();
  while (digits > 0 && IsDigit(left[digits - 1])) --digits;
  // The dash before the pid is the last one: comms hold dashes and digits themselves.
  if (digits == left.size() || digits == 0 || left[digits - 1] != '-') return false;
  auto pid = ParseDecimal(left.substr(digits));
  if (!pid || *pid > INT32_MAX) return false;
  out->pid = static_cast<int32_t>(*pid);
  out->comm = left.substr(0, digits - 1);
  while (!out->comm.empty() && IsBlank(out->comm.front())) out->comm.remove_prefix(1);
  return true;
}

// What follows "[cpu]":
//  d..2.     5.356488: sched_switch: ...
//      99.123456: sched_switch: ...            (no flags: options/irq-info 0)
//  ....      1234567: sched_switch: ...        (integer clock)
bool SplitTimeAndBody(std::string_view right, TraceLine* out) {
  out->context = {};
  for (int token = 0; token < 2; ++token) {
    size_t start = 0;
    while (start < right.size() && IsBlank(right[start])) ++start;
    size_t end = start;
    while (end < right.size() && !IsBlank(right[end])) ++end;
    std::string_view word = right.substr(start, end - start);
    right.remove_prefix(end);
    if (word.size() > 1 && word.back() == ':') {
      auto ts = ParseTimeStamp(word.substr(0, word.size() - 1));
      if (!ts) return false;
      out->ts = ts;
      if (!right.empty()) right.remove_prefix(1);
      out->body = right;
      return true;
    }
    if (token == 0) {
      if (word.empty() || word.size() > 8) return false;
      out->context = word;
    }
  }
  return false;
}

}  // namespace

bool SplitTraceLine(std::string_view line, TraceLine* out) {
  // "[007]" may occur in a comm or in the arguments too; the first one with a task on its left and
  // a time on its right is the cpu column.
  for (size_t open = line.find('['); open != kNotFound; open = line.find('[', open + 1)) {
    if (open == 0 || !IsBlank(line[open - 1])) continue;
    size_t close = open + 1;
    int32_t cpu = 0;
    for (; close < line.size() && IsDigit(line[close]) && close - open <= 7; ++close)
      cpu = cpu * 10 + (line[close] - '0');
    size_t digits = close - open - 1;
    if (digits == 0 || digits > 6 || close >= line.size() || line[close] != ']') continue;
    if (!SplitTask(line.substr(0, open), out)) continue;
    if (!SplitTimeAndBody(line.substr(close + 1), out)) continue;
    out->cpu = cpu;
    return true;
  }
  return false;
}

TraceBody SplitTraceBody(std::string_view body) {
  if (body.starts_with("<stack trace>")) return {"kernel_stack", body};
  if (body.starts_with("<user stack trace>")) return {"user_stack", body};
  // The name ends at the first colon; no event name holds a blank or a parenthesis.
  size_t end = 0;
  auto ends_name = [](char c) { return c == ':' || c == ' ' || c == '(' || c == '<'; };
  while (end < body.size() && !ends_name(body[end])) ++end;
  if (end == body.size()) end = kNotFound;
  if (end != kNotFound && end > 0 && body[end] == ':') {
    std::string_view args = body.substr(end + 1);
    if (!args.empty() && args[0] == ' ') args.remove_prefix(1);
    return {body.substr(0, end), args};
  }
  // copy_process <-_do_fork                                  (function tracer)
  if (body.find(" <-") != kNotFound) return {"function", body};
  // sys_clone(clone_flags: 1200011, newsp: 0)    sys_clone -> 0x0
  if (end != kNotFound && end > 0 && (body[end] == '(' || body.substr(end).starts_with(" -> ")))
    return {body.substr(0, end), body.substr(end)};
  return {{}, body};
}

bool ContextIsInterrupt(std::string_view context) {
  if (context.size() < 3) return false;
  char c = context[2];
  if (context.size() == 7) c = context[3];  // RT patch: irqs need-resched need-resched-lazy hard/soft ...
  return c == 'h' || c == 'H' || c == 's' || c == 'Z' || c == 'z';
}

std::optional<LostLine> ParseLostLine(std::string_view line) {
  line = TrimBlanks(line);
  if (!line.starts_with("CPU:")) return std::nullopt;
  size_t open = line.find(" [");
  if (open == kNotFound || open < 5) return std::nullopt;
  auto cpu = ParseDecimal(line.substr(4, open - 4));
  if (!cpu || *cpu > 1'000'000) return std::nullopt;
  std::string_view count = line.substr(open + 2);
  if (count.starts_with("LOST ") && count.ends_with("EVENTS]")) {
    count = TrimBlanks(count.substr(5, count.size() - 5 - 7));
  } else if (count.ends_with("EVENTS DROPPED]")) {
    count = TrimBlanks(count.substr(0, count.size() - 15));
  } else {
    return std::nullopt;
  }
  LostLine lost{static_cast<int32_t>(*cpu), std::nullopt};
  if (auto value = ParseDecimal(count); value && *value <= INT64_MAX)
    lost.lost = static_cast<int64_t>(*value);
  return lost;
}

std::optional<int32_t> ParseBufferStartedLine(std::string_view line) {
  line = TrimBlanks(line);
  if (!line.starts_with("##### CPU ")) return std::nullopt;
  size_t end = line.find(" buffer started");
  if (end == kNotFound || end < 10) return std::nullopt;
  auto cpu = ParseDecimal(line.substr(10, end - 10));
  if (!cpu || *cpu > 1'000'000) return std::nullopt;
  return static_cast<int32_t>(*cpu);
}

std::optional<std::string_view> ParseStackFrame(std::string_view line) {
  line = TrimBlanks(line);
  if (!line.starts_with("=> ")) return std::nullopt;
  return TrimBlanks(line.substr(3));
}

void ParseHeaderLine(std::string_view line, TraceHeader* header) {
  constexpr std::string_view kTracer = "# tracer: ";
  constexpr std::string_view kEntries = "# entries-in-buffer/entries-written: ";
  if (line.starts_with(kTracer)) {
    header->tracer = TrimBlanks(line.substr(kTracer.size()));
  } else if (line.starts_with(kEntries)) {
    std::string_view rest = line.substr(kEntries.size());
    size_t slash = rest.find('/');
    if (slash == kNotFound) return;
    std::string_view written = rest.substr(slash + 1);
    auto signed_count = [](std::string_view text) { return ParseSigned(text); };
    header->entries = signed_count(rest.substr(0, slash));
    header->written = signed_count(written.substr(0, written.find(' ')));
    if (size_t p = rest.find("#P:"); p != kNotFound) {
      if (auto cpus = ParseDecimal(TrimBlanks(rest.substr(p + 3))); cpus && *cpus <= INT32_MAX)
        header->cpus = static_cast<int32_t>(*cpus);
    }
  }
}

}  // namespace mmreplay
