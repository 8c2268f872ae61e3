#include "parser/perf_script.h"

#include <algorithm>

#include "parser/event.h"
#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

std::string_view TrimRight(std::string_view text) {
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

// Removes and returns the last word.
std::string_view TakeLastWord(std::string_view* text) {
  *text = TrimRight(*text);
  size_t start = text->size();
  while (start > 0 && !IsBlank((*text)[start - 1])) --start;
  std::string_view word = text->substr(start);
  text->remove_suffix(word.size());
  return word;
}

bool ReadId(std::string_view text, std::optional<int32_t>* id) {
  if (text == "-1") return true;  // perf does not know
  auto value = ParseDecimal(text);
  if (!value || *value > INT32_MAX) return false;
  *id = static_cast<int32_t>(*value);
  return true;
}

// "69", "7564/7571": tid, or process and tid.
bool SplitIds(std::string_view word, TraceLine* out) {
  size_t slash = word.find('/');
  if (slash == kNotFound) return ReadId(word, &out->pid);
  return ReadId(word.substr(0, slash), &out->tgid) && ReadId(word.substr(slash + 1), &out->pid);
}

// "[003]"
bool SplitCpu(std::string_view word, TraceLine* out) {
  if (word.size() < 3 || word.front() != '[' || word.back() != ']') return false;
  auto cpu = ParseDecimal(word.substr(1, word.size() - 2));
  if (!cpu || *cpu > 1'000'000) return false;
  out->cpu = static_cast<int32_t>(*cpu);
  return true;
}

// perf script -L: "%8.8s %5d %3d ", comm, tid and cpu.
bool SplitLatencyTask(std::string_view left, TraceLine* out) {
  constexpr size_t kComm = 8;
  auto cpu = ParseDecimal(TakeLastWord(&left));
  left = TrimRight(left);
  if (!cpu || *cpu > 1'000'000 || left.size() < kComm + 6 || left[kComm] != ' ') return false;
  std::string_view ids = left.substr(kComm + 1);
  std::string_view comm = TrimBlanks(left.substr(0, kComm));
  if (comm.empty() || ids.find_first_not_of(" 0123456789/-") != kNotFound || !SplitIds(TrimBlanks(ids), out))
    return false;
  out->cpu = static_cast<int32_t>(*cpu);
  out->comm = comm;
  return true;
}

// "12:34:56.123456", "2026-11-30": numbers, with all of the separators between them.
bool AreDigitsWith(std::string_view separators, std::string_view text) {
  auto is_part = [&](char c) { return IsDigit(c) || separators.find(c) != kNotFound; };
  return text.size() > 1 && IsDigit(text[0]) && std::all_of(text.begin(), text.end(), is_part) &&
         std::all_of(separators.begin(), separators.end(), [&](char c) { return text.find(c) != kNotFound; });
}

// -F +tod: "2026-11-30 12:34:56.123456" before the time (builtin-script.c: tod_scnprintf).
std::string_view WithoutTimeOfDay(std::string_view left) {
  std::string_view rest = left;
  std::string_view time = TakeLastWord(&rest);
  if (!AreDigitsWith(":.", time)) return left;
  return AreDigitsWith("-", TakeLastWord(&rest)) ? rest : left;
}

// What stands left of the time: "            work    69 [003]", "364691/364691", with -F +misc "perf 12 [000]
// K".
bool SplitTask(std::string_view left, TraceLine* out) {
  left = WithoutTimeOfDay(left);
  if (SplitLatencyTask(left, out)) return true;
  std::string_view word = TakeLastWord(&left);
  if (!word.empty() && word.size() <= 4 && word.find_first_not_of("KUHGgMSEFf") == kNotFound &&
      !left.empty()) {
    out->context = word;
    word = TakeLastWord(&left);
  }
  if (SplitCpu(word, out)) word = TakeLastWord(&left);
  if (!SplitIds(word, out)) return false;
  out->comm = TrimBlanks(left);
  return true;
}

// Without -F tid: a cpu, a comm or nothing. What may be a tid behind a comm is no part of it.
bool SplitTaskless(std::string_view left, TraceLine* out) {
  constexpr size_t kLongestComm = 15;
  *out = {};
  left = WithoutTimeOfDay(left);
  std::string_view before = left;
  if (SplitCpu(TakeLastWord(&before), out)) left = before;
  out->comm = TrimBlanks(left);
  std::string_view last = left;
  last = TakeLastWord(&last);
  bool has_blank = last.size() < out->comm.size();
  return out->comm.size() <= kLongestComm && !(has_blank && last.find_first_of("0123456789") != kNotFound);
}

// "5.607192:" or "62709.735347701:" ends at `colon`; where it begins.
size_t TimeBegin(std::string_view line, size_t colon) {
  size_t dot = colon;
  while (dot > 0 && IsDigit(line[dot - 1])) --dot;
  size_t decimals = colon - dot;
  if ((decimals != 6 && decimals != 9) || dot == 0 || line[dot - 1] != '.') return kNotFound;
  size_t begin = dot - 1;
  while (begin > 0 && IsDigit(line[begin - 1])) --begin;
  if (begin == dot - 1 || (begin > 0 && !IsBlank(line[begin - 1]))) return kNotFound;
  return begin;
}

// Drops the period before the event's name.
std::string_view WithoutPeriod(std::string_view right) {
  right = right.substr(std::min(right.find_first_not_of(" \t"), right.size()));
  size_t digits = 0;
  while (digits < right.size() && IsDigit(right[digits])) ++digits;
  if (digits == 0 || digits == right.size() || !IsBlank(right[digits])) return right;
  right.remove_prefix(digits);
  return right.substr(std::min(right.find_first_not_of(" \t"), right.size()));
}

// The length of "page_ref:page_ref_set:", with its last colon; 0 if no event's name begins the text.
size_t EventLength(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && !IsBlank(text[end])) ++end;
  if (end < 2 || text[end - 1] != ':' || text[0] == '(' || text[0] == '[') return 0;
  return end;
}

// cycles, cpu-clock, cpu/event=0x3c/: an event that is counted, no word of prose.
bool IsSampledEvent(std::string_view name) {
  for (std::string_view known : {"cycles", "instructions", "branches", "faults", "dummy", "migrations"}) {
    if (name == known) return true;
  }
  return name.find_first_of("-/") != kNotFound;
}

// No time stamp (-F without time): task, cpu if any, event.
bool SplitTimeless(std::string_view line, TraceLine* out) {
  size_t at = 0;
  std::string_view before;
  while (at < line.size()) {
    size_t start = line.find_first_not_of(" \t", at);
    if (start == kNotFound) return false;
    size_t end = std::min(line.find_first_of(" \t", start), line.size());
    std::string_view word = line.substr(start, end - start);
    if (word.size() > 1 && word.back() == ':' && !before.empty()) {
      word.remove_suffix(1);
      bool names_group = word.find(':') != kNotFound;
      bool sampled = IsSampledEvent(word) && TrimBlanks(line.substr(end)).empty();
      if (!names_group && !sampled) return false;
      // A period may stand between the ids and the event.
      auto is_task = [&](std::string_view left) {
        *out = {};
        return SplitTask(left, out);
      };
      if (!is_task(before) && !is_task(before.substr(0, before.find_last_of(" \t")))) return false;
      out->body = line.substr(start);
      return true;
    }
    before = TrimRight(line.substr(0, end));
    at = end;
  }
  return false;
}

// A modifier of a hardware or software event (cycles:uppp), not the event of a group.
bool IsModifier(std::string_view text) {
  return text.size() <= 6 && text.find_first_not_of("ukhpPGHSDIWe") == kNotFound;
}

}  // namespace

bool IsPerfSideband(std::string_view line) {
  constexpr std::string_view kRecord = "PERF_RECORD_";
  size_t at = line.find(kRecord);
  if (at == kNotFound || line.substr(at + kRecord.size()).starts_with("LOST")) return false;
  std::string_view left = TrimRight(line.substr(0, at));
  return !left.empty() && left.back() == ':' && TimeBegin(left, left.size() - 1) != kNotFound;
}

bool SplitPerfLine(std::string_view line, TraceLine* out, bool may_be_taskless) {
  bool has_time = false;
  for (size_t colon = line.find(':'); colon != kNotFound; colon = line.find(':', colon + 1)) {
    if (colon + 1 < line.size() && !IsBlank(line[colon + 1])) continue;
    size_t begin = TimeBegin(line, colon);
    if (begin == kNotFound) continue;
    has_time = true;
    *out = {};
    std::string_view right = WithoutPeriod(line.substr(colon + 1));
    size_t length = EventLength(right);
    if (length == 0) continue;
    std::string_view left = line.substr(0, begin);
    if (!SplitTask(left, out)) {
      bool names_group = right.find(':') + 1 < length;
      if (!may_be_taskless || !names_group || !SplitTaskless(left, out)) continue;
    }
    out->ts = ParseTimeStamp(line.substr(begin, colon - begin));
    if (!out->ts) continue;
    out->body = right;
    return true;
  }
  return !has_time && SplitTimeless(line, out);
}

TraceBody SplitPerfBody(std::string_view body) {
  size_t length = EventLength(body);
  std::string_view name = body.substr(0, length - 1);
  std::string_view args = TrimBlanks(body.substr(length));
  size_t colon = name.find(':');
  if (colon == kNotFound) return {name, args};
  std::string_view tail = name.substr(colon + 1);
  if (tail.empty() || IsModifier(tail)) return {name, args};
  // page_ref:page_ref_set, sched:sched_switch:u
  size_t modifier = tail.find(':');
  return {tail.substr(0, modifier), args};
}

std::optional<std::string_view> ParsePerfFrame(std::string_view line) {
  std::string_view text = TrimBlanks(line);
  if (text.empty() || text[0] == '#') return std::nullopt;
  size_t digits = text.find_first_not_of("0123456789abcdef");
  bool address = digits != kNotFound && digits > 0 && IsBlank(text[digits]);
  if (!address && !IsBlank(line[0])) return std::nullopt;
  return text;
}

std::optional<LostLine> ParsePerfLostLine(std::string_view line) {
  size_t at = line.find("PERF_RECORD_LOST");
  if (at == kNotFound) return std::nullopt;
  std::string_view left = TrimRight(line.substr(0, at));
  TraceLine task;
  if (left.empty() || left.back() != ':') return std::nullopt;
  size_t begin = TimeBegin(left, left.size() - 1);
  if (begin == kNotFound) return std::nullopt;
  // -F may have left out cpu and tid.
  std::string_view head = left.substr(0, begin);
  if (!SplitTask(head, &task)) SplitTaskless(head, &task);
  LostLine lost{task.cpu.value_or(kAnyCpu), std::nullopt};
  if (size_t count = line.find("lost ", at); count != kNotFound) {
    if (auto value = ParseSigned(TrimBlanks(line.substr(count + 5)))) lost.lost = value;
  }
  return lost;
}

}  // namespace mmreplay
