#include "parser/bundle.h"

#include <re2/re2.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "parser/archive.h"
#include "parser/error.h"
#include "parser/event_source.h"
#include "parser/line_format.h"
#include "parser/lines.h"
#include "parser/numbers.h"
#include "parser/perf_header.h"
#include "parser/trace_dat_header.h"

namespace mmreplay {
namespace {

// Side files are read whole. Console logs of long-running machines are the largest; one with the trace in it
// is read whole, too.
constexpr size_t kConsoleTraceLimit = size_t{160} << 20;
constexpr size_t kConsoleLimit = size_t{64} << 20;
constexpr size_t kSideFileLimit = size_t{16} << 20;
constexpr size_t kUnpackersAtOnce = 4;

std::string TooLong(const InputMember& member, size_t limit) {
  return member.path + ": is longer than " + std::to_string(limit >> 20) + " MiB, too long for a side file";
}

int64_t CountLines(std::string_view text) {
  int64_t lines = std::count(text.begin(), text.end(), '\n');
  return lines + (!text.empty() && text.back() != '\n');
}

bool IsTraceFormat(InputFormat format) {
  switch (format) {
    case InputFormat::kFtraceText:
    case InputFormat::kTraceCmdReport:
    case InputFormat::kPerfScript:
    case InputFormat::kFunctionGraph:
    case InputFormat::kLatencyText:
    case InputFormat::kSystraceHtml:
    case InputFormat::kContextless:
    case InputFormat::kRawText:
    case InputFormat::kHexText:
    case InputFormat::kTraceDat:
    case InputFormat::kPerfData:
      return true;
    default:
      return false;
  }
}

bool IsSideFormat(InputFormat format) {
  switch (format) {
    case InputFormat::kProbeDefinitions:
    case InputFormat::kConsoleLog:
    case InputFormat::kUname:
    case InputFormat::kCpuStats:
    case InputFormat::kEventFormats:
    case InputFormat::kTraceClock:
    case InputFormat::kProbeProfile:
      return true;
    default:
      return false;
  }
}

// Packed text may have lines in it that can be read, by chance.
InputFormat FormatOf(const InputMember& member) {
  if (IsPacked(member.head) || OtherPackage(member.head)) return InputFormat::kBinary;
  return DetectFormat(member.head);
}

// Linux (none) 6.1.0-56-arm64 #1 SMP Debian 6.1.192-2 (2026-11-16) aarch64 GNU/Linux
// Linux version 4.10.17 (root@vm) (gcc version ...) #4 SMP PREEMPT ...
void ReadUname(std::string_view text, Recording* recording) {
  ForEachLine(text, [&](std::string_view line) {
    constexpr size_t kMostWords = 64;
    std::vector<std::string_view> words = SplitWords(line, kMostWords);
    if (words.size() < 3 || words[0] != "Linux") return;
    if (!recording->kernel_release && ParseKernelRelease(words[2])) recording->kernel_release = words[2];
    for (std::string_view word : words) {
      if (!recording->machine && (word == "x86_64" || word == "aarch64")) recording->machine = word;
    }
  });
}

// per_cpu/cpu3/stats
std::optional<int32_t> CpuOfPath(std::string_view path) {
  constexpr std::string_view kFolder = "per_cpu/cpu";
  size_t at = path.rfind(kFolder);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view digits = path.substr(at + kFolder.size());
  auto cpu = ParseDecimal(digits.substr(0, digits.find_first_not_of("0123456789")));
  if (!cpu || *cpu >= 100'000) return std::nullopt;
  return static_cast<int32_t>(*cpu);
}

bool IsTraceOfCpu(std::string_view path) {
  size_t name = path.rfind('/');
  if (!CpuOfPath(path) || name == std::string_view::npos) return false;
  path.remove_prefix(name + 1);
  return path == "trace" || path.starts_with("trace.");
}

// == per_cpu/cpu0       (heading, optional: files are concatenated in cpu order)
// entries: 1287
// overrun: 0
// What is wrong with them, behind which nothing is read; nullopt where nothing is.
std::optional<std::string> ReadCpuStats(std::string_view text, std::string_view path,
                                        std::vector<CpuStats>* all) {
  std::vector<CpuStats> cpus;
  std::optional<std::string> wrong;
  // Of the next block: the heading's, else that of the file's folder, else one after the other.
  int32_t next = CpuOfPath(path).value_or(0);
  bool too_many = false;
  ForEachLine(text, [&](std::string_view line) {
    if (too_many) return;
    if (auto cpu = CpuOfPath(line)) {
      next = *cpu;
      return;
    }
    size_t colon = line.find(": ");
    if (colon == std::string_view::npos) return;
    std::string_view key = TrimBlanks(line.substr(0, colon));
    auto value = ParseSigned(TrimBlanks(line.substr(colon + 2)));
    // unsigned long
    if (!value && ParseUnsigned(TrimBlanks(line.substr(colon + 2))))
      value = std::numeric_limits<int64_t>::max();
    if (key == "entries") {
      if (all->size() + cpus.size() == kMostCpuStats) {
        wrong = "tells of more cpus than are kept";
        too_many = true;
        return;
      }
      cpus.push_back({.cpu = next++});
    }
    if (key == "oldest event ts" && !cpus.empty()) {
      auto ts = ParseTimeStamp(TrimBlanks(line.substr(colon + 2)));
      if (ts && !ts->is_ticks) cpus.back().oldest_us = ts->value / 1000;
    }
    bool of_losses = key == "overrun" || key == "commit overrun" || key == "dropped events";
    if (of_losses && value.value_or(-1) < 0 && !wrong)
      wrong = "no number is in \"" + std::string(line.substr(0, 80)) + "\"";
    if (cpus.empty() || value.value_or(-1) < 0) return;
    if (key == "overrun") cpus.back().overrun = *value;
    if (key == "commit overrun") cpus.back().commit_overrun = *value;
    if (key == "dropped events") cpus.back().dropped = *value;
    if (key == "read events") cpus.back().read = *value;
  });
  all->insert(all->end(), cpus.begin(), cpus.end());
  return wrong;
}

//   folio_wait_bit                      185               0
void AddProbeMisses(std::string_view text, int64_t* misses) {
  ForEachLine(text, [&](std::string_view line) {
    std::vector<std::string_view> words = SplitWords(line, 4);
    if (words.size() != 3) return;
    // Any number may stand there.
    if (auto missed = ParseSigned(words[2]); missed && *missed > 0)
      *misses += std::min(*missed, std::numeric_limits<int64_t>::max() - *misses);
  });
}

// False for one that is not used.
bool AddConsole(ConsoleFacts facts, size_t source, Recording* recording) {
  if (!recording->kernel_release) recording->kernel_release = facts.kernel_release;
  if (!recording->machine) recording->machine = facts.machine;
  if (recording->console.dump_events > 0) return false;  // the trace is a console log, and speaks for itself
  // One of before and one of after: what counts is what the kernel said of pages.
  if (recording->console.reports.size() > facts.reports.size()) return false;
  for (Source& other : recording->sources) {
    if (other.role == "console") other.role = "other";
  }
  recording->console = std::move(facts);
  recording->console_source = source;
  return true;
}

void AddSideFile(InputFormat format, const InputMember& member, Recording* recording) {
  Source source{.role = "other", .path = member.path, .lines = {}};
  std::string text;
  if (IsSideFormat(format)) {
    size_t limit = format == InputFormat::kConsoleLog ? kConsoleLimit : kSideFileLimit;
    auto whole = ReadAll(member, limit);
    if (!whole) {
      // The trace can do without it, better than its reader without the trace.
      recording->damage.push_back(std::make_shared<std::string>(TooLong(member, limit)));
      format = InputFormat::kText;
    } else {
      text = std::move(*whole);
      if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
      source.lines = CountLines(text);
    }
  }
  size_t index = recording->sources.size();
  switch (format) {
    case InputFormat::kProbeDefinitions: {
      source.role = "probes";
      bool left_out = false;
      auto probes = ParseProbeDefinitions(text, &left_out);
      if (left_out || recording->probes.size() + probes.size() > kMostProbes) {
        recording->damage.push_back(
            std::make_shared<std::string>(member.path + ": defines more probes than are kept"));
        probes.resize(std::min(probes.size(), kMostProbes - recording->probes.size()));
      }
      std::move(probes.begin(), probes.end(), std::back_inserter(recording->probes));
      break;
    }
    case InputFormat::kConsoleLog:
      if (AddConsole(ReadConsoleLog(text), index, recording)) source.role = "console";
      break;
    case InputFormat::kUname:
      source.role = "uname";
      ReadUname(text, recording);
      break;
    case InputFormat::kCpuStats:
      source.role = "cpu_stats";
      if (auto wrong = ReadCpuStats(text, member.path, &recording->cpu_stats))
        recording->damage.push_back(std::make_shared<std::string>(member.path + ": " + *wrong));
      break;
    case InputFormat::kEventFormats:
      source.role = "formats";
      if (recording->format_room.full()) break;  // which was told
      for (EventFormat& event : ParseEventFormats(text, &recording->format_room))
        recording->formats.push_back(std::move(event));
      if (recording->format_room.full())
        recording->damage.push_back(
            std::make_shared<std::string>(member.path + ": has more formats of events than are kept"));
      break;
    case InputFormat::kProbeProfile:
      source.role = "probe_profile";
      AddProbeMisses(text, &recording->probe_misses);
      break;
    case InputFormat::kTraceClock: {
      // "local [global] counter": the one in brackets was on.
      source.role = "clock";
      size_t open = text.find('[');
      recording->clock = text.substr(open + 1, text.find(']', open) - open - 1);
      break;
    }
    default:
      break;
  }
  recording->sources.push_back(std::move(source));
}

// The machine as the replay knows it: perf writes what `uname -m` says, and so does trace-cmd.
void SetMachine(const std::string& machine, Recording* recording) {
  if (!recording->machine && (machine == "x86_64" || machine == "aarch64")) recording->machine = machine;
}

// A probe beside a binary recording counts if the recording has its format: defined is not recorded.
void DropOtherProbes(const std::set<std::string>& recorded, Recording* recording) {
  if (recorded.empty()) return;
  std::erase_if(recording->probes, [&](const ProbeDefinition& probe) {
    return !recorded.contains(probe.group + ":" + probe.event);
  });
}

// What a binary recording says about itself counts where no side file does.
void AddTraceDatFacts(Recording* recording) {
  TraceDatHeader header = ReadTraceDatHeader(*recording->trace_file);
  if (header.uname) ReadUname(*header.uname, recording);
  if (header.clock) recording->clock = header.clock;
  DropOtherProbes(header.events, recording);
}

void AddPerfFacts(Recording* recording) {
  PerfHeader header = ReadPerfHeader(*recording->trace_file);
  if (!recording->kernel_release) recording->kernel_release = header.kernel_release;
  if (header.machine) SetMachine(*header.machine, recording);
  recording->clock = header.Clock();
  std::set<std::string> events;
  for (const auto& [id, layout] : header.layouts) events.insert(layout.system + ":" + layout.name);
  DropOtherProbes(events, recording);
}

void OpenTraceFile(Recording* recording) {
  bool dat = recording->trace_format == InputFormat::kTraceDat;
  if (!dat && recording->trace_format != InputFormat::kPerfData) return;
  recording->trace_file = OpenSeekable(recording->trace);
  // Which events were lost is in the records themselves. Statistics of the ring buffers repeat it at best,
  // and perf does not use those buffers.
  recording->cpu_stats.clear();
  if (dat) {
    AddTraceDatFacts(recording);
  } else {
    AddPerfFacts(recording);
  }
}

std::string WhatItLooksLike(const InputMember& member, InputFormat format) {
  if (const char* package = OtherPackage(member.head))
    return std::string("is a ") + package +
           ", which is not read; unpack it, or pack it as tar, gzip, bzip2, xz or zstd";
  if (IsPacked(member.head)) return "is an archive or a compressed file inside another; unpack the outer one";
  if (member.head.starts_with("\xff\xfe") || member.head.starts_with("\xfe\xff"))
    return "is a text in UTF-16; give it as UTF-8: `iconv -f UTF-16 -t UTF-8 FILE`";
  std::string name(FormatName(format));
  switch (format) {
    case InputFormat::kEmpty:
      return "is empty";
    case InputFormat::kContextless:
      return "is a " + name +
             ": who did what, where and when is not in it; record with `echo 1 > options/context-info`, "
             "print a perf.data with `perf script -F comm,tid,cpu,time,event,trace`";
    case InputFormat::kRawText:
    case InputFormat::kHexText:
      return "is a " + name +
             ": the kernel prints no fields of events and probes in it; record with `echo 0 > options/raw` "
             "and `echo 0 > options/hex`, or with trace-cmd record";
    case InputFormat::kBinary:
      return "looks like a " + name +
             ", not like a trace; what tracefs prints with options/bin, and trace_pipe_raw, cannot be read: "
             "record the text (`echo 0 > options/bin`), or with trace-cmd record";
    case InputFormat::kProbeDefinitions:
      return "looks like a " + name + "; it goes beside a trace: mmreplay analyze TRACE --probes FILE";
    default:
      return "looks like a " + name + ", not like a trace";
  }
}

[[noreturn]] void Refuse(const InputMember& member, InputFormat format) {
  if (member.damage && !member.damage->empty()) throw Error(*member.damage);
  throw Error(member.path + " " + WhatItLooksLike(member, format));
}

// A file the user named for a purpose must serve it.
InputMember OpenNamed(const std::string& path, InputFormat wanted, const char* option) {
  std::vector<InputMember> members = OpenInput(path);
  if (members.size() != 1) throw Error(path + ": " + option + " takes one file");
  InputFormat format = FormatOf(members[0]);
  if (format == InputFormat::kEmpty) Refuse(members[0], format);
  bool fits = format == wanted || (wanted == InputFormat::kConsoleLog && format == InputFormat::kText);
  if (!fits) {
    throw Error(path + ": " + option + " takes a " + std::string(FormatName(wanted)) + "; this is a " +
                std::string(FormatName(format)));
  }
  return std::move(members[0]);
}

// A console log in memory: read once, as what the kernel printed and as the trace it dumped.
struct Console {
  size_t member;
  std::string text;
  ConsoleFacts facts;
  std::optional<int64_t> trace_from;  // a line that is no dump's, but an event's; where there is no dump
};

std::optional<int64_t> LineOfFirstEvent(std::string_view text) {
  std::optional<int64_t> found;
  int64_t line_number = 0;
  ForEachLine(text, [&](std::string_view line) {
    ++line_number;
    if (!found && ReadsAsEvent(line)) found = line_number;
  });
  return found;
}

std::string ConsoleRefusal(const Console& console) {
  const ConsoleFacts& facts = console.facts;
  std::string text = "is a console log without an ftrace dump";
  if (facts.empty_dump) text = "is a console log whose ftrace dump is empty";
  if (console.trace_from) {
    return text + ", and from line " + std::to_string(*console.trace_from) +
           " on it has lines of a trace: put them into a file of their own, and give the log beside it "
           "(mmreplay analyze TRACE --dmesg FILE)";
  }
  text += ": there are no events to replay";
  if (!facts.reports.empty()) {
    const ConsoleReport& first = facts.reports.front();
    text += "; it holds " + std::to_string(facts.reports.size()) +
            (facts.reports.size() == 1 ? " page-state report" : " page-state reports, the first") +
            " in line " + std::to_string(first.line);
    if (!first.flags.empty()) text += " (flags " + first.flags + ")";
  }
  return text +
         "; give it beside a trace of the same boot (mmreplay analyze TRACE --dmesg FILE), or boot with "
         "ftrace_dump_on_oops";
}

// A damaged file of which nothing could be read: that was the trace, where there is none.
std::optional<std::string> DamageOfUnread(const std::vector<InputMember>& members) {
  for (const InputMember& member : members) {
    if (member.damage && !member.damage->empty() && member.head.empty()) return *member.damage;
  }
  return std::nullopt;
}

// The console log that is the trace: the one with a dump.
Console OpenConsoleTrace(const std::vector<InputMember>& members, const std::vector<InputFormat>& formats) {
  std::optional<Console> found;
  std::optional<Console> first;
  for (size_t i = 0; i < members.size(); ++i) {
    if (formats[i] != InputFormat::kConsoleLog) continue;
    auto text = ReadAll(members[i], kConsoleTraceLimit);
    if (!text) throw Error(TooLong(members[i], kConsoleTraceLimit) + "; cut the ftrace dump out of it");
    Console console{i, std::move(*text), {}, {}};
    console.facts = ReadConsoleLog(console.text);
    if (console.facts.dump_events == 0) {
      console.trace_from = LineOfFirstEvent(console.text);
      console.text = std::string();
    }
    if (console.facts.dump_events > 0) {
      if (found) {
        throw Error(members[i].path + ": a second console log with an ftrace dump beside " +
                    members[found->member].path + "; one analysis takes one trace");
      }
      found = std::move(console);
    } else if (!first) {
      first = std::move(console);
    }
  }
  if (!found) {
    if (auto damage = DamageOfUnread(members)) throw Error(*damage);
    throw Error(members[first->member].path + " " + ConsoleRefusal(*first));
  }
  return std::move(*found);
}

// Reads a text that is in memory.
std::function<ReadFn()> OpenText(std::string text) {
  auto shared = std::make_shared<const std::string>(std::move(text));
  return [shared]() -> ReadFn {
    return [shared, at = size_t{0}](char* buffer, size_t size) mutable -> size_t {
      size_t take = std::min(size, shared->size() - at);
      shared->copy(buffer, take, at);
      at += take;
      return take;
    };
  };
}

// --input-format says what the trace is. Nothing else may be it.
void ForceFormat(const std::string& name, const std::vector<InputMember>& members,
                 std::vector<InputFormat>* formats) {
  auto wanted = FormatOfOption(name);
  if (!wanted) throw Error("--input-format: no format is called " + name + "; there are " + FormatOptions());
  std::optional<size_t> other;
  bool found = false;
  for (size_t i = 0; i < members.size(); ++i) {
    InputFormat detected = (*formats)[i];
    bool side = IsSideFormat(detected) && detected != InputFormat::kConsoleLog;
    if (!side && MayBeReadAs(members[i].head, detected, *wanted)) {
      (*formats)[i] = *wanted;
      found = true;
    } else if (!side && !other) {
      other = i;
    }
  }
  if (found) return;
  size_t blame = other.value_or(0);
  throw Error(members[blame].path + ": --input-format " + name + " says a " +
              std::string(FormatName(*wanted)) + ", but it looks like a " +
              std::string(FormatName((*formats)[blame])));
}

// The first events of a text trace, one after the other.
template <typename Visit>
void ForEachFirstEvent(std::string_view head, InputFormat format, const Visit& visit) {
  std::unique_ptr<LineFormat> lines = MakeLineFormat(format);
  std::deque<std::string> owned;
  ForEachLine(head, [&](std::string_view line) {
    TraceLine event;
    TraceBody body;
    if (lines->Split(line, &owned, &event, &body)) visit(event);
  });
}

std::set<int32_t> CpusOf(std::string_view head, InputFormat format) {
  std::set<int32_t> cpus;
  ForEachFirstEvent(head, format, [&](const TraceLine& event) {
    if (event.cpu) cpus.insert(*event.cpu);
  });
  return cpus;
}

// A damaged file of which only lines before the first event can be read: no trace where there is another.
bool IsRemnant(const InputMember& member, InputFormat format) {
  bool damaged = member.whole && member.damage && !member.damage->empty();
  if (!damaged || format == InputFormat::kTraceDat || format == InputFormat::kPerfData) return false;
  bool has_events = false;
  ForEachFirstEvent(member.head, format, [&](const TraceLine&) { has_events = true; });
  return !has_events;
}

// Several traces are one recording only if each holds what one cpu saw.
void CheckPerCpuFiles(const std::vector<InputMember>& members, const std::vector<InputFormat>& formats,
                      size_t first, const std::vector<size_t>& more) {
  std::map<int32_t, size_t> seen;  // in which file
  for (int32_t cpu : CpusOf(members[first].head, formats[first])) seen.emplace(cpu, first);
  bool one_each = seen.size() <= 1;
  for (size_t i : more) {
    bool text = formats[i] != InputFormat::kTraceDat && formats[i] != InputFormat::kPerfData;
    std::set<int32_t> cpus;
    if (text && formats[i] == formats[first]) cpus = CpusOf(members[i].head, formats[i]);
    one_each = one_each && text && formats[i] == formats[first] && cpus.size() <= 1;
    size_t beside = first;
    for (int32_t cpu : cpus) {
      auto [known, fresh] = seen.emplace(cpu, i);
      if (!fresh && one_each) beside = known->second;
      one_each = one_each && fresh;
    }
    if (one_each) continue;
    throw Error(
        members[i].path + ": a second trace beside " + members[beside].path +
        "; one analysis takes one trace, or the files of its cpus (per_cpu/cpu*/trace), one cpu in each");
  }
}

// trace.dat beside its own report, perf.data beside its perf script: the records know more than the text made
// of them.
void PreferRawRecords(const std::vector<InputFormat>& formats, std::optional<size_t>* trace,
                      std::vector<size_t>* more) {
  if (!*trace) return;
  auto text_of = [&](size_t raw) {
    return formats[raw] == InputFormat::kTraceDat   ? InputFormat::kTraceCmdReport
           : formats[raw] == InputFormat::kPerfData ? InputFormat::kPerfScript
                                                    : InputFormat::kEmpty;
  };
  std::vector<size_t> all = {**trace};
  all.insert(all.end(), more->begin(), more->end());
  for (size_t raw : all) {
    InputFormat text = text_of(raw);
    if (text == InputFormat::kEmpty) continue;
    std::erase_if(all, [&](size_t i) { return formats[i] == text; });
    break;
  }
  *trace = all.front();
  more->assign(all.begin() + 1, all.end());
}

// What a trace says about its machine before its events.
//   # os release : 6.1.192              perf script --header
//   # arch : x86_64
//   # irqsoff latency trace v1.1.5 on 6.1.192
void ReadTraceHead(Recording* recording) {
  ForEachLine(std::string_view(recording->trace.head).substr(0, size_t{8} * 1024),
              [&](std::string_view line) {
                if (!line.starts_with("# ")) return;
                auto value_of = [&](std::string_view key) -> std::string_view {
                  if (!line.substr(2).starts_with(key)) return {};
                  std::string_view rest = TrimBlanks(line.substr(2 + key.size()));
                  return rest.starts_with(':') ? TrimBlanks(rest.substr(1)) : std::string_view();
                };
                std::string_view release = value_of("os release");
                if (size_t on = line.find(" latency trace v"); on != std::string_view::npos) {
                  if (size_t at = line.find(" on ", on); at != std::string_view::npos)
                    release = line.substr(at + 4);
                }
                if (!recording->kernel_release && ParseKernelRelease(release))
                  recording->kernel_release = release;
                std::string_view machine = value_of("arch");
                if (!recording->machine && (machine == "x86_64" || machine == "aarch64"))
                  recording->machine = machine;
              });
}

// "per_cpu-cpu2.txt", "per_cpu/cpu2/trace": a file that says which cpu it is of.
bool IsNamedAfterCpu(std::string_view path) {
  if (IsTraceOfCpu(path)) return true;
  std::string_view name = path.substr(path.rfind('/') + 1);
  size_t at = name.find("cpu");
  return at != std::string_view::npos && at + 3 < name.size() && IsDigit(name[at + 3]);
}

// What a folder's file would be in a recording.
struct FolderFile {
  std::string path;
  InputFormat format;
  std::set<int32_t> cpus;  // of a text trace
};

bool IsUnreadableTraceOfCpu(const std::string& path) {
  std::error_code none;
  return IsTraceOfCpu(path) && !std::filesystem::is_regular_file(path, none);
}

// nullopt for an archive, and for what cannot be read.
std::optional<FolderFile> LookAt(const std::string& path) {
  if (IsUnreadableTraceOfCpu(path)) return FolderFile{path, InputFormat::kEmpty, {}};
  try {
    std::vector<InputMember> members = OpenInput(path);
    if (members.size() != 1 || members[0].path != path) return std::nullopt;
    FolderFile file{path, DetectFormat(members[0].head), {}};
    bool text = file.format != InputFormat::kTraceDat && file.format != InputFormat::kPerfData &&
                file.format != InputFormat::kConsoleLog;
    if (text && IsReadableTrace(file.format)) file.cpus = CpusOf(members[0].head, file.format);
    return file;
  } catch (const Error&) {
    return std::nullopt;  // whoever opens it for its own sake will say why
  }
}

// One trace, or the parts of one: see PreferRawRecords and CheckPerCpuFiles.
bool MayBeOneTrace(std::vector<const FolderFile*> traces) {
  for (auto [raw, text] : {std::pair(InputFormat::kTraceDat, InputFormat::kTraceCmdReport),
                           std::pair(InputFormat::kPerfData, InputFormat::kPerfScript)}) {
    auto is_raw = [raw = raw](const FolderFile* file) { return file->format == raw; };
    if (std::any_of(traces.begin(), traces.end(), is_raw))
      std::erase_if(traces, [text = text](const FolderFile* file) { return file->format == text; });
  }
  if (traces.size() <= 1) return true;
  std::set<int32_t> cpus;
  return std::all_of(traces.begin(), traces.end(), [&](const FolderFile* file) {
    if (file->format != traces.front()->format || !IsNamedAfterCpu(file->path)) return false;
    if (file->cpus.empty()) return IsTraceOfCpu(file->path);  // an idle cpu recorded nothing
    return file->cpus.size() == 1 && cpus.insert(*file->cpus.begin()).second;
  });
}

std::string Join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) {
    if (!joined.empty()) joined += ' ';
    joined += part;
  }
  return joined;
}

}  // namespace

Recording OpenRecording(const RecordingOptions& options) {
  Recording recording;
  recording.path = Join(options.inputs);
  auto standard_inputs = std::count(options.inputs.begin(), options.inputs.end(), "-") +
                         (options.dmesg == "-" ? 1 : 0) + (options.probes == "-" ? 1 : 0);
  if (standard_inputs > 1) throw Error("-: standard input can be read once, and is given twice");

  std::vector<InputMember> members;
  for (const std::string& input : options.inputs) {
    if (options.inputs.size() > 1 && IsUnreadableTraceOfCpu(input)) {
      members.push_back(UnreadablePart(input));
      continue;
    }
    std::vector<InputMember> of_input = OpenInput(input);
    if (of_input.empty()) throw Error(input + ": has no files in it");
    std::move(of_input.begin(), of_input.end(), std::back_inserter(members));
  }
  std::vector<InputFormat> formats;
  formats.reserve(members.size());
  for (const InputMember& member : members) formats.push_back(FormatOf(member));

  std::optional<size_t> trace;
  std::optional<size_t> other_trace;
  std::optional<size_t> remnant;
  std::vector<size_t> more;
  if (options.input_format) ForceFormat(*options.input_format, members, &formats);
  for (size_t i = 0; i < members.size(); ++i) {
    if (formats[i] == InputFormat::kConsoleLog) continue;  // a trace only where there is no other
    if (IsReadableTrace(formats[i]) && !remnant && IsRemnant(members[i], formats[i])) {
      remnant = i;
    } else if (IsReadableTrace(formats[i])) {
      if (trace) {
        more.push_back(i);
      } else {
        trace = i;
      }
    } else if (IsTraceFormat(formats[i]) && !other_trace) {
      other_trace = i;
    }
  }
  if (!trace) trace = remnant;
  PreferRawRecords(formats, &trace, &more);
  if (!more.empty()) CheckPerCpuFiles(members, formats, *trace, more);
  bool has_console = std::find(formats.begin(), formats.end(), InputFormat::kConsoleLog) != formats.end();
  if (!trace && (other_trace || !has_console)) {
    if (auto damage = DamageOfUnread(members)) throw Error(*damage);
    size_t blame = other_trace.value_or(0);
    Refuse(members[blame], formats[blame]);
  }
  if (!trace) {
    Console console = OpenConsoleTrace(members, formats);
    trace = console.member;
    members[*trace].open = OpenText(std::move(console.text));
    AddConsole(std::move(console.facts), *trace, &recording);
  }

  for (const InputMember& member : members) {
    std::vector<std::shared_ptr<const std::string>>& known = recording.damage;
    if (member.damage && std::find(known.begin(), known.end(), member.damage) == known.end())
      known.push_back(member.damage);
  }
  if (more.size() >= kUnpackersAtOnce) {
    Unpack(&members[*trace]);
    for (size_t i : more) Unpack(&members[i]);
  }
  for (size_t i = 0; i < members.size(); ++i) {
    if (i == *trace) {
      recording.trace_source = recording.sources.size();
      recording.sources.push_back({.role = "trace", .path = members[i].path, .lines = {}});
      recording.trace = std::move(members[i]);
      recording.trace_format = formats[i];
      ReadTraceHead(&recording);
    } else if (std::find(more.begin(), more.end(), i) != more.end()) {
      recording.more_trace_sources.push_back(recording.sources.size());
      recording.sources.push_back({.role = "trace", .path = members[i].path, .lines = {}});
      recording.more_traces.push_back(std::move(members[i]));
      std::string().swap(recording.more_traces.back().head);  // there may be thousands; it has been looked at
    } else {
      AddSideFile(formats[i], members[i], &recording);
      if (members[i].head.find_first_not_of('\0') == std::string::npos && !members[i].head.empty())
        recording.damage.push_back(std::make_shared<std::string>(members[i].path + ": holds NUL bytes only"));
      if (IsTraceOfCpu(members[i].path) && formats[i] != InputFormat::kEmpty && !IsTraceFormat(formats[i]))
        recording.damage.push_back(std::make_shared<std::string>(
            members[i].path + ": is the file of a cpu, and " + WhatItLooksLike(members[i], formats[i])));
    }
  }
  auto add_named = [&](const std::string& path, InputFormat format, const char* option) {
    InputMember member = OpenNamed(path, format, option);
    AddSideFile(format, member, &recording);
    if (member.damage) recording.damage.push_back(member.damage);
  };
  if (options.dmesg) add_named(*options.dmesg, InputFormat::kConsoleLog, "--dmesg");
  if (options.probes) add_named(*options.probes, InputFormat::kProbeDefinitions, "--probes");
  OpenTraceFile(&recording);
  return recording;
}

std::vector<std::string> PartsOfOneRecording(const std::vector<std::string>& files) {
  // Of one kind beside a trace: the console before and after. More are of several machines.
  constexpr int kSideFilesOfAKind = 2;
  // A folder of thousands is no recording, and is found out early: see below.
  std::list<FolderFile> seen;
  std::vector<const FolderFile*> traces;
  std::map<InputFormat, int> beside;
  for (const std::string& path : files) {
    std::optional<FolderFile> file = LookAt(path);
    if (!file) continue;
    seen.push_back(std::move(*file));
    InputFormat format = seen.back().format;
    if (IsSideFormat(format)) {
      bool many = ++beside[format] > kSideFilesOfAKind && format != InputFormat::kEventFormats &&
                  format != InputFormat::kCpuStats;
      if (many) return {};
    } else if (IsReadableTrace(format)) {
      traces.push_back(&seen.back());
      // A trace.dat may come after two texts, so three traces have to be there before they are told apart.
      bool look = traces.size() == 3 || (traces.size() > 3 && std::has_single_bit(traces.size()));
      if (look && !MayBeOneTrace(traces)) return {};
    }
  }
  size_t side_files = 0;
  for (const auto& [format, count] : beside) side_files += static_cast<size_t>(count);
  bool console_is_trace = traces.empty() && beside[InputFormat::kConsoleLog] == 1;
  if ((traces.empty() && !console_is_trace) || !MayBeOneTrace(traces)) return {};
  if (traces.size() + side_files < 2) return {};  // a trace among strangers
  std::vector<std::string> parts;
  for (const FolderFile& file : seen) parts.push_back(file.path);
  return parts;
}

}  // namespace mmreplay
