#include "parser/ftrace_text.h"

#include <array>
#include <cstring>

#include "parser/lines.h"

namespace mmreplay {
namespace {

constexpr size_t kNotFound = std::string_view::npos;

// Columns are padded with blanks, a third of a line.
const char* SkipBlanks(const char* at, const char* end) {
  constexpr uint64_t kEightBlanks = 0x2020202020202020;
  uint64_t eight = 0;
  while (end - at >= 8) {
    std::memcpy(&eight, at, sizeof(eight));
    if (eight != kEightBlanks) break;
    at += 8;
  }
  while (at < end && IsBlank(*at)) ++at;
  return at;
}

// Digits that end at `end`, from the right, down to `begin` at most. Moves `end` before them; nullopt for
// none and for more than a 32-bit number has.
std::optional<int32_t> TakeNumberBefore(const char* begin, const char** end) {
  int64_t value = 0;
  int64_t place = 1;
  const char* at = *end;
  for (; at > begin && IsDigit(at[-1]); --at) {
    if (place > 1'000'000'000) {
      if (at[-1] != '0') return std::nullopt;
      continue;
    }
    value += (at[-1] - '0') * place;
    place *= 10;
  }
  if (at == *end || value > INT32_MAX) return std::nullopt;
  *end = at;
  return static_cast<int32_t>(value);
}

// The task columns, left of "[cpu]":
//            thp mover-69
//        toucher/0-64      (     63)
//           <idle>-0       (-------)
bool SplitTask(std::string_view left, TraceLine* out) {
  const char* begin = left.data();
  const char* end = begin + left.size();
  auto drop_blanks = [&] {
    while (end > begin && IsBlank(end[-1])) --end;
  };
  drop_blanks();
  out->tgid.reset();
  if (end > begin && end[-1] == ')') {
    --end;
    drop_blanks();
    if (end > begin && IsDigit(end[-1])) {
      out->tgid = TakeNumberBefore(begin, &end);
      if (!out->tgid) return false;
    } else {
      while (end > begin && end[-1] == '-') --end;
    }
    drop_blanks();
    if (end == begin || end[-1] != '(') return false;
    --end;
    drop_blanks();
  }
  // The dash before the pid is the last one: comms hold dashes and digits themselves.
  auto pid = TakeNumberBefore(begin, &end);
  if (!pid || end == begin || end[-1] != '-') return false;
  out->pid = pid;
  --end;
  begin = SkipBlanks(begin, end);
  out->comm = std::string_view(begin, static_cast<size_t>(end - begin));
  return true;
}

// What follows "[cpu]":
//  d..2.     5.356488: sched_switch: ...
//      99.123456: sched_switch: ...            (no flags: options/irq-info 0)
//  ....      1234567: sched_switch: ...        (integer clock)
bool SplitTimeAndBody(std::string_view right, TraceLine* out) {
  out->context = {};
  const char* at = right.data();
  const char* end = at + right.size();
  for (int token = 0; token < 2; ++token) {
    at = SkipBlanks(at, end);
    const char* start = at;
    while (at < end && !IsBlank(*at)) ++at;
    std::string_view word(start, static_cast<size_t>(at - start));
    if (word.size() > 1 && word.back() == ':') {
      auto ts = ParseTimeStamp(word.substr(0, word.size() - 1));
      if (!ts) return false;
      out->ts = ts;
      if (at < end) ++at;
      out->body = std::string_view(at, static_cast<size_t>(end - at));
      return true;
    }
    if (token == 0) {
      if (word.empty() || word.size() > 8) return false;
      out->context = word;
    }
  }
  return false;
}

// Characters that end the name of an event; no event name holds a blank or a parenthesis.
constexpr std::array<bool, 256> kEndsName = [] {
  std::array<bool, 256> ends{};
  for (char c : {':', ' ', '(', '<'}) ends[static_cast<unsigned char>(c)] = true;
  return ends;
}();

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
  size_t end = 0;
  while (end < body.size() && !kEndsName[static_cast<unsigned char>(body[end])]) ++end;
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
