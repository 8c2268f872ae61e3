#include "parser/ftrace_text.h"

#include <algorithm>
#include <array>
#include <bit>

#include "parser/eight_bytes.h"
#include "parser/lines.h"

namespace mmreplay {
namespace {

// Columns are padded with blanks, a third of a line.
const char* SkipBlanks(const char* at, const char* end) {
  while (end - at >= 8) {
    uint64_t others = LoadEight(at) ^ kEachByte * ' ';
    if (others == 0) {
      at += 8;
      continue;
    }
    at += FirstMarked(others);
    if (*at != '\t') return at;
    ++at;
  }
  while (at < end && IsBlank(*at)) ++at;
  return at;
}

const char* FindBlank(const char* at, const char* end) {
  for (; end - at >= 8; at += 8) {
    uint64_t word = LoadEight(at);
    if (uint64_t blanks = MarkBytes(word, ' ') | MarkBytes(word, '\t'); blanks != 0)
      return at + FirstMarked(blanks);
  }
  while (at < end && !IsBlank(*at)) ++at;
  return at;
}

// Where the blanks before `end` begin.
const char* DropBlanks(const char* begin, const char* end) {
  while (end - begin >= 8) {
    uint64_t others = LoadEight(end - 8) ^ kEachByte * ' ';
    if (others == 0) {
      end -= 8;
      continue;
    }
    end -= std::countl_zero(others) / 8;
    if (end[-1] != '\t') return end;
    --end;
  }
  while (end > begin && IsBlank(end[-1])) --end;
  return end;
}

// The number whose last digit is before `end`; moves it to the first one. nullopt for none and for more than
// a 32-bit number has.
inline std::optional<int32_t> TakeNumberBefore(const char* begin, const char** end) {
  constexpr int64_t kTooMuch = 10'000'000'000;
  const char* digit = *end;
  int64_t value = 0;
  int64_t worth = 1;
  for (; digit > begin && IsDigit(digit[-1]); --digit) {
    int64_t times = digit[-1] - '0';
    if (worth < kTooMuch) {
      value += times * worth;
      worth *= 10;
    } else if (times != 0) {  // leading zeros may be any number
      return std::nullopt;
    }
  }
  if (digit == *end || value > INT32_MAX) return std::nullopt;
  *end = digit;
  return static_cast<int32_t>(value);
}

// The task columns, left of "[cpu]":
//            thp mover-69
//        toucher/0-64      (     63)
//           <idle>-0       (-------)
bool SplitTask(const char* begin, const char* end, TraceLine* out) {
  end = DropBlanks(begin, end);
  out->tgid.reset();
  if (end > begin && end[-1] == ')') {
    end = DropBlanks(begin, end - 1);
    if (end > begin && IsDigit(end[-1])) {
      out->tgid = TakeNumberBefore(begin, &end);
      if (!out->tgid) return false;
    } else {
      while (end > begin && end[-1] == '-') --end;
    }
    end = DropBlanks(begin, end);
    if (end == begin || end[-1] != '(') return false;
    end = DropBlanks(begin, end - 1);
  }
  // The dash before the pid is the last one: comms hold dashes and digits themselves.
  out->pid = TakeNumberBefore(begin, &end);
  if (!out->pid || end == begin || end[-1] != '-') return false;
  const char* dash = end - 1;
  begin = SkipBlanks(begin, dash);
  out->comm = std::string_view(begin, static_cast<size_t>(dash - begin));
  return true;
}

// "5.356488:", with the colon; a blank or the end comes behind it. False for other forms of numbers, which
// are rare and left to ParseTimeStamp.
bool TakeMicroseconds(const char** at, const char* end, TimeStamp* out) {
  constexpr int kMostDigits = 9;
  const char* digit = *at;
  const char* most = end - digit > kMostDigits ? digit + kMostDigits : end;
  int64_t seconds = 0;
  for (; digit < most && IsDigit(*digit); ++digit) seconds = seconds * 10 + (*digit - '0');
  if (digit == *at || end - digit < 8) return false;
  uint64_t decimals = LoadEight(digit);  // ".356488:"
  if ((decimals & 0xff) != '.' || decimals >> 56 != ':') return false;
  if (digit + 8 < end && !IsBlank(digit[8])) return false;
  auto microseconds = EightDecimals(decimals >> 8 << 16 | (kEachByte * '0' & 0xffff));
  if (!microseconds) return false;
  *out = {seconds * 1'000'000'000 + static_cast<int64_t>(*microseconds) * 1000, false};
  *at = digit + 8;
  return true;
}

// What follows "[cpu]":
//  d..2.     5.356488: sched_switch: ...
//      99.123456: sched_switch: ...            (no flags: options/irq-info 0)
//  ....      1234567: sched_switch: ...        (integer clock)
bool SplitTimeAndBody(const char* at, const char* end, TraceLine* out) {
  out->context = {};
  for (int token = 0; token < 2; ++token) {
    at = SkipBlanks(at, end);
    TimeStamp ts{};
    bool is_time = TakeMicroseconds(&at, end, &ts);
    if (!is_time) {
      const char* start = at;
      at = FindBlank(at, end);
      std::string_view word(start, static_cast<size_t>(at - start));
      if (word.size() > 1 && word.back() == ':') {
        auto other = ParseTimeStamp(word.substr(0, word.size() - 1));
        if (!other) return false;
        ts = *other;
        is_time = true;
      } else if (token == 0) {
        if (word.empty() || word.size() > 8) return false;
        out->context = word;
      }
    }
    if (is_time) {
      out->ts = ts;
      if (at < end) ++at;
      out->body = std::string_view(at, static_cast<size_t>(end - at));
      return true;
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

// Up to the first character that ends a name. Letters and '_' are above 0x3f, and what ends a name is below.
size_t NameLength(std::string_view body) {
  size_t end = 0;
  while (end < body.size()) {
    if (body.size() - end >= 8) {
      uint64_t word = LoadEight(body.data() + end);
      uint64_t lower = ~(word | word << 1) & kEachByte << 7;
      if (lower == 0) {
        end += 8;
        continue;
      }
      end += FirstMarked(lower);
    }
    if (kEndsName[static_cast<unsigned char>(body[end])]) break;
    ++end;
  }
  return end;
}

// With the cpu column at the '[' that is at `open`.
bool SplitAt(std::string_view line, size_t open, TraceLine* out) {
  const char* begin = line.data();
  const char* end = begin + line.size();
  if (open == 0 || !IsBlank(line[open - 1])) return false;
  const char* close = begin + open + 1;
  const char* digits = close;
  constexpr int kMostDigits = 6;
  const char* most = end - digits > kMostDigits ? digits + kMostDigits : end;
  int32_t cpu = 0;
  for (; close < most && IsDigit(*close); ++close) cpu = cpu * 10 + (*close - '0');
  if (close == digits || close == end || *close != ']') return false;
  if (!SplitTask(begin, begin + open, out) || !SplitTimeAndBody(close + 1, end, out)) return false;
  out->cpu = cpu;
  return true;
}

// "[007]" may occur in a comm or in the arguments too; the first one, from that at `open` on, with a task on
// its left and a time on its right is the cpu column.
bool SplitFrom(std::string_view line, size_t open, TraceLine* out) {
  for (; open != kNotFound; open = line.find('[', open + 1)) {
    if (SplitAt(line, open, out)) return true;
  }
  return false;
}

bool SameColumns(std::string_view a, std::string_view b) {
  if (a.size() != b.size() || a.size() < kEightBytes) return false;
  for (size_t at = 0; at + kEightBytes < a.size(); at += kEightBytes) {
    if (LoadEight(a.data() + at) != LoadEight(b.data() + at)) return false;
  }
  size_t last = a.size() - kEightBytes;
  return LoadEight(a.data() + last) == LoadEight(b.data() + last);
}

}  // namespace

bool SplitTraceLine(std::string_view line, TraceLine* out) {
  return SplitFrom(line, line.find('['), out);
}

// Where columns that end with the "[001]" at `open` are kept; nullptr for those of an unusual width.
TraceLineSplitter::Columns* TraceLineSplitter::Slot(std::string_view line, size_t open) {
  if (open < 16 || open + kCpuColumn > kWidest || line.size() - open < kCpuColumn) return nullptr;
  const char* at = line.data() + open;
  if (!IsDigit(at[1]) || !IsDigit(at[2]) || !IsDigit(at[3]) || at[4] != ']') return nullptr;
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;
  uint64_t hash = (LoadEight(at - 16) * kMultiplier ^ LoadEight(at - 8)) * kMultiplier ^ LoadEight(at - 3);
  return &known_[static_cast<size_t>(hash * kMultiplier >> 58) % kSlots];
}

bool TraceLineSplitter::Split(std::string_view line, TraceLine* out) {
  // Columns are known by a line's first '[': no other one can be the cpu's before it.
  size_t open = line.find('[');
  Columns* known = open == kNotFound ? nullptr : Slot(line, open);
  if (!known) return SplitFrom(line, open, out);
  std::string_view columns = line.substr(0, open + kCpuColumn);
  if (SameColumns(columns, {known->text.data(), known->size})) {
    if (!SplitTimeAndBody(line.data() + columns.size(), line.data() + line.size(), out))
      return SplitFrom(line, line.find('[', open + 1), out);
    out->comm = line.substr(known->comm_begin, known->comm_size);
    out->pid = known->pid;
    out->tgid = known->tgid;
    out->cpu = known->cpu;
    return true;
  }
  if (!SplitAt(line, open, out)) return SplitFrom(line, line.find('[', open + 1), out);
  std::copy(columns.begin(), columns.end(), known->text.begin());
  known->size = static_cast<uint8_t>(columns.size());
  known->comm_begin = static_cast<uint8_t>(out->comm.data() - line.data());
  known->comm_size = static_cast<uint8_t>(out->comm.size());
  known->pid = out->pid;
  known->tgid = out->tgid;
  known->cpu = *out->cpu;
  return true;
}

TraceBody SplitTraceBody(std::string_view body) {
  while (body.starts_with(' ')) body.remove_prefix(1);
  if (body.starts_with('<')) {
    if (body.starts_with("<stack trace>")) return {"kernel_stack", body};
    if (body.starts_with("<user stack trace>")) return {"user_stack", body};
  }
  size_t end = NameLength(body);
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
  if (context.starts_with("-0x")) {
    constexpr uint64_t kInterrupts = 0x08 | 0x10 | 0x40;  // TRACE_FLAG_HARDIRQ, _SOFTIRQ, _NMI
    return (ParseHexDigits(context.substr(3)).value_or(0) & kInterrupts) != 0;
  }
  char c = context[2];
  if (context.size() == 7) c = context[3];  // RT patch: irqs need-resched need-resched-lazy hard/soft ...
  return c == 'h' || c == 'H' || c == 's' || c == 'Z' || c == 'z';
}

std::optional<LostLine> ParseLostLineBehind(std::string_view line) {
  size_t at = line.ends_with(']') ? line.rfind("CPU:") : kNotFound;
  return at == kNotFound ? std::nullopt : ParseLostLine(line.substr(at));
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
