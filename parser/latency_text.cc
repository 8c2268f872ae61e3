#include "parser/latency_text.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

// A character of the flag columns: d D b X N n p B L l Z z H h s . and hex digits for depths.
bool IsFlag(char c) {
  return c == '.' || IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string_view TakeWord(std::string_view* text) {
  size_t start = 0;
  while (start < text->size() && IsBlank((*text)[start])) ++start;
  size_t end = start;
  while (end < text->size() && !IsBlank((*text)[end])) ++end;
  std::string_view word = text->substr(start, end - start);
  text->remove_prefix(end);
  return word;
}

// "-0x24": the raw common_flags, as trace-cmd report -l -R prints them.
bool IsRawFlags(std::string_view flags) {
  return flags.starts_with("-0x") && ParseHexDigits(flags.substr(3)).has_value();
}

// "3d.s5.", "3-0x24": the cpu, and glued to it the flags. Flags never begin with a digit.
bool SplitCpuAndFlags(std::string_view word, TraceLine* out) {
  size_t digits = 0;
  while (digits < word.size() && IsDigit(word[digits])) ++digits;
  if (digits == 0 || digits > 6) return false;
  std::string_view flags = word.substr(digits);
  if (flags.size() < 3 || flags.size() > 8) return false;
  if (!std::all_of(flags.begin(), flags.end(), IsFlag) && !IsRawFlags(flags)) return false;
  auto cpu = ParseDecimal(word.substr(0, digits));
  if (!cpu) return false;
  out->cpu = static_cast<int32_t>(*cpu);
  out->context = flags;
  return true;
}

// "comm-pid", by the last dash before the pid. The comm has eight characters (trace_output.c:
// lat_print_generic): what stands before them was put there by whoever kept the log.
bool SplitTaskColumns(std::string_view task, TraceLine* out) {
  size_t dash = task.rfind('-');
  if (dash == kNotFound) return false;
  auto pid = ParseDecimal(task.substr(dash + 1));
  if (!pid || *pid > INT32_MAX) return false;
  out->pid = static_cast<int32_t>(*pid);
  constexpr size_t kComm = 8;
  std::string_view comm = task.substr(0, dash);
  if (comm.size() > kComm) comm.remove_prefix(comm.size() - kComm);
  out->comm = TrimBlanks(comm);
  return true;
}

std::optional<int64_t> Microseconds(std::string_view digits) {
  bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  auto value = ParseDecimal(digits);
  if (!value || *value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max() / 1000))
    return std::nullopt;
  auto ns = static_cast<int64_t>(*value) * 1000;
  return negative ? -ns : ns;
}

// "35123us : body", "6259488us+: body", "0us!: body"; "1234567: body" with an integer clock.
bool SplitLatencyTime(std::string_view rest, TraceLine* out) {
  std::string_view word = TakeWord(&rest);
  if (size_t us = word.find("us"); us != kNotFound) {
    auto ns = Microseconds(word.substr(0, us));
    if (!ns) return false;
    out->ts = TimeStamp{*ns, false};
    std::string_view mark = word.substr(us + 2);
    if (mark.empty()) {  // the mark is a blank
      mark = TakeWord(&rest);
      if (mark != ":") return false;
    } else if (mark.size() > 2 || mark.back() != ':') {
      return false;
    }
  } else {
    if (word.size() < 2 || word.back() != ':') return false;
    auto ts = ParseTimeStamp(word.substr(0, word.size() - 1));
    if (!ts || !ts->is_ticks) return false;
    out->ts = ts;
  }
  if (!rest.empty()) rest.remove_prefix(1);
  out->body = rest;
  return true;
}

// The columns before the time, for both readers of them: "comm-pid" and "cpu+flags", which is the word after
// the last "-digits" that has one.
template <typename SplitTime>
bool SplitColumns(std::string_view line, SplitTime&& split_time, TraceLine* out) {
  // comms may hold blanks and dashes: "irq/14-d-596"; comm and pid end where a word of cpu and flags follows.
  for (size_t dash = line.find('-'); dash != kNotFound; dash = line.find('-', dash + 1)) {
    size_t end = dash + 1;
    while (end < line.size() && IsDigit(line[end])) ++end;
    if (end == dash + 1 || end >= line.size() || !IsBlank(line[end])) continue;
    *out = {};
    std::string_view rest = line.substr(end);
    if (!SplitCpuAndFlags(TakeWord(&rest), out)) continue;
    if (!split_time(rest, out)) continue;
    if (SplitTaskColumns(line.substr(0, end), out)) return true;
  }
  return false;
}

}  // namespace

bool SplitLatencyLine(std::string_view line, TraceLine* out) {
  return SplitColumns(line, SplitLatencyTime, out);
}

bool SplitLatencyReportLine(std::string_view line, TraceLine* out) {
  auto split_time = [](std::string_view rest, TraceLine* split) {
    std::string_view word = TakeWord(&rest);
    if (word.size() < 2 || word.back() != ':') return false;
    split->ts = ParseTimeStamp(word.substr(0, word.size() - 1));
    if (!split->ts) return false;
    if (!rest.empty()) rest.remove_prefix(1);
    split->body = rest;
    return true;
  };
  return SplitColumns(line, split_time, out);
}

bool SplitVerboseLine(std::string_view line, TraceLine* out) {
  // "... [0000f2b3] 62.131ms (+0.004ms): body" or "... [000000000000f2b3] 62131 (+4): body"
  constexpr size_t kMostDigits = 16;
  constexpr size_t kLongestTime = 64;
  size_t open = line.find(" [");
  for (; open != kNotFound; open = line.find(" [", open + 1)) {
    std::string_view column = line.substr(open + 2, kMostDigits + 2);
    size_t close = column.find("] ");
    if (close == kNotFound) continue;
    auto stamp = ParseHexDigits(column.substr(0, close));
    close += open + 2;
    size_t end = line.substr(close, kLongestTime).find("): ");
    if (!stamp || end == kNotFound) continue;
    end += close;
    std::string_view relative = line.substr(close + 2, end - close - 2);
    size_t delta = relative.find(" (+");
    if (delta == kNotFound || relative.find(' ') != delta) continue;
    bool is_ns = relative.substr(0, delta).ends_with("ms");

    // comm pid cpu flags preempt-count index, from the right: the comm may hold blanks.
    std::string_view left = line.substr(0, open);
    std::string_view words[5];
    bool complete = true;
    for (int i = 4; i >= 0; --i) {
      while (!left.empty() && IsBlank(left.back())) left.remove_suffix(1);
      size_t start = left.find_last_of(" \t");
      complete &= start != kNotFound;
      if (!complete) break;
      words[i] = left.substr(start + 1);
      left = left.substr(0, start);
    }
    if (!complete) continue;
    auto pid = ParseDecimal(words[0]);
    auto cpu = ParseDecimal(words[1]);
    if (!pid || *pid > INT32_MAX || !cpu || *cpu > 1'000'000) continue;
    constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (*stamp > (is_ns ? kMax / 1000 : kMax)) continue;
    *out = {};
    out->comm = TrimBlanks(left);
    out->pid = static_cast<int32_t>(*pid);
    out->cpu = static_cast<int32_t>(*cpu);
    out->ts = TimeStamp{static_cast<int64_t>(*stamp) * (is_ns ? 1000 : 1), !is_ns};
    out->body = line.substr(end + 3);
    return true;
  }
  return false;
}

bool LooksLikeLatencyEvent(std::string_view line) {
  // "-123  3d..2. 98": a task, and a cpu with its flags, whatever follows
  TraceLine split;
  auto begins_with_digit = [](std::string_view rest, TraceLine*) {
    std::string_view time = TakeWord(&rest);
    return !time.empty() && IsDigit(time[0]);
  };
  return SplitColumns(line, begins_with_digit, &split);
}

bool HasLatencyTime(std::string_view line) {
  constexpr std::string_view kMarks = " +!#*@$";
  for (size_t us = line.find("us"); us != kNotFound; us = line.find("us", us + 2)) {
    if (us == 0 || !IsDigit(line[us - 1])) continue;
    std::string_view rest = line.substr(us + 2);
    while (!rest.empty() && kMarks.find(rest[0]) != kNotFound) rest.remove_prefix(1);
    if (!rest.starts_with(": ")) continue;
    std::string_view name = rest.substr(2);
    size_t colon = name.find(": ");
    if (colon != kNotFound && colon > 0 && name.substr(0, colon).find(' ') == kNotFound) return true;
  }
  return false;
}

}  // namespace mmreplay
