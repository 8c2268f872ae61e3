#include "parser/input_format.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "parser/console_log.h"
#include "parser/disguise.h"
#include "parser/ftrace_text.h"
#include "parser/function_graph.h"
#include "parser/latency_text.h"
#include "parser/line_format.h"
#include "parser/lines.h"
#include "parser/perf_script.h"
#include "parser/probe_definitions.h"

namespace mmreplay {
namespace {

bool StartsWithAny(std::string_view text, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view p) { return text.starts_with(p); });
}

// More than a few control characters in the first bytes: not a text file.
bool LooksBinary(std::string_view head) {
  std::string_view sample = head.substr(0, 4096);
  auto is_control = [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != '\x1b';
  };
  auto control = static_cast<size_t>(std::count_if(sample.begin(), sample.end(), is_control));
  return control * 20 > sample.size();
}

bool IsUname(std::string_view head) {
  // Linux (none) 6.1.0-56-arm64 #1 SMP Debian 6.1.192-2 (2026-11-16) aarch64 GNU/Linux
  static const RE2 pattern(R"(^Linux \S+ \d+\.\d+\S* #)");
  return RE2::PartialMatch(head, pattern) || head.starts_with("Linux version ");
}

bool IsCpuStats(std::string_view head) {
  return head.find("entries: ") != std::string_view::npos &&
         head.find("\noverrun: ") != std::string_view::npos &&
         head.find("\noldest event ts: ") != std::string_view::npos;
}

// [local] global counter uptime perf mono mono_raw boot tai x86-tsc
bool IsTraceClock(std::string_view head) {
  static const RE2 pattern(R"(^(?:[a-z_0-9-]+ )*\[[a-z_0-9-]+\](?: [a-z_0-9-]+)*\s*$)");
  return head.size() < 256 && head.find("local") != std::string_view::npos && RE2::FullMatch(head, pattern);
}

bool IsProbeProfile(std::string_view head) {
  //   folio_wait_bit                                              185               0
  static const RE2 pattern(R"(^\s*[\w.]+\s+\d+\s+\d+\s*$)");
  size_t lines = 0;
  size_t matches = 0;
  ForEachLine(head.substr(0, size_t{16} * 1024), [&](std::string_view line) {
    if (TrimBlanks(line).empty()) return;
    ++lines;
    matches += RE2::FullMatch(line, pattern);
  });
  return lines > 0 && matches == lines;
}

// [   12.345678] text, <4>[   12.345678][   T12] text, Nov 22 10:00:00 host kernel: text
bool IsPrintk(std::string_view line) {
  std::optional<int64_t> ts;
  return StripForeignPrefix(line, &ts).size() < line.size() &&
         (ts || line.find("kernel") != std::string_view::npos);
}

// page_ref_set: pfn=0x3081c flags=none ...            at the start of the line
bool IsContextless(std::string_view line) {
  static const RE2 pattern(R"(^[a-z_][\w.]*: (?:\w+=|\([\w.]+\+0x)\S*)");
  return RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), pattern);
}

//    page_ref_set: pfn=0x10e38c flags=...         anywhere, by the names of the kernel's events
//    work [003]   page_ref:page_ref_set: pfn=...  perf script without tid and time
bool IsKnownBareEvent(std::string_view line) {
  static const RE2 pattern(
      R"(^(?:\s*|.{0,30}\s(?:page_ref|kmem|sched):|(?:page_ref|kmem|sched):))"
      R"((?:page_ref_(?:set|mod|freeze|unfreeze)\w*|mm_page_(?:alloc|free)\w*|sched_(?:switch|waking|wakeup)): \w+=)");
  return RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), pattern);
}

// 67 3 5364544123 type: 312        (pid, cpu, time; kernel/trace/trace.c: print_raw_fmt)
bool IsRawEvent(std::string_view line) {
  static const RE2 pattern(R"(^-?\d+ \d+ \d+ (?:type: \d+|[0-9a-f]+ |\?|# ))");
  return RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), pattern);
}

// 00000043 00000003 000000013fbe3c7b type: 312        (print_hex_fmt)
bool IsHexEvent(std::string_view line) {
  static const RE2 pattern(R"(^[0-9a-f]{8} [0-9a-f]{8} [0-9a-f]{16}(?: |$))");
  return RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), pattern);
}

bool IsHtml(std::string_view head) {
  return StartsWithAny(TrimBlanks(head.substr(0, 256)), {"<!DOCTYPE", "<!doctype", "<html", "<HTML"});
}

// What systrace and its relatives write: the viewer, and in it the trace.
bool IsSystrace(std::string_view head) {
  constexpr std::array<std::string_view, 5> kMarks = {"trace-data", "linuxPerfData", "Android System Trace",
                                                      "trace-viewer", "tracing/"};
  return std::any_of(kMarks.begin(), kMarks.end(),
                     [&](std::string_view mark) { return head.find(mark) != std::string_view::npos; });
}

// How many lines of a text have the shape of each form.
struct LineShapes {
  size_t ftrace = 0;
  size_t padded = 0;  // of these: event names padded to a column, as trace-cmd report prints them
  size_t report = 0;  // trace-cmd report -l
  size_t perf = 0;
  size_t graph = 0;
  size_t latency = 0;
  size_t printk = 0;
  size_t contextless = 0;
  size_t raw = 0;
  size_t hex = 0;
  size_t lines = 0;       // that are not blank
  size_t known_bare = 0;  // of the contextless: events of the kernel's own
  bool report_head = false;
  bool tracer_head = false;
  bool console_words = false;
};

LineShapes ShapesOf(std::string_view head) {
  constexpr size_t kEnough = 4000;
  LineShapes shapes;
  FunctionGraph graph;
  ForEachLine(head, [&](std::string_view line) {
    if (shapes.lines > kEnough || line.empty()) return;
    ++shapes.lines;
    shapes.report_head |= IsReportPrologue(line) && shapes.lines < 10;
    shapes.console_words |= line.find("BUG: ") != std::string_view::npos ||
                            line.find("Linux version ") != std::string_view::npos ||
                            line.find("Call Trace:") != std::string_view::npos ||
                            line.find("Dumping ftrace buffer:") != std::string_view::npos;
    while (line.starts_with('>')) {  // quoted in a mail
      line.remove_prefix(1);
      if (line.starts_with(" >")) line.remove_prefix(1);
    }
    shapes.tracer_head |= line.starts_with("# tracer: ");
    TraceLine split;
    TraceLine row;
    TraceBody body;
    if (SplitTraceLine(line, &split)) {
      ++shapes.ftrace;
      body = SplitTraceBody(split.body);
      shapes.padded += split.context.empty() && (body.args.starts_with(' ') || body.args.empty());
    } else if (SplitLatencyLine(StripConsolePrefix(line), &split) || SplitVerboseLine(line, &split)) {
      ++shapes.latency;
    } else if (SplitLatencyReportLine(line, &split)) {
      ++shapes.report;
    } else if (IsPrintk(line)) {
      ++shapes.printk;
    } else if (graph.Read(line, &row, &body) != FunctionGraph::Line::kOther && !line.starts_with('-')) {
      ++shapes.graph;
    } else if (SplitPerfLine(line, &split)) {
      ++shapes.perf;
    } else {
      bool known_bare = IsKnownBareEvent(line);
      shapes.known_bare += known_bare;
      shapes.contextless += known_bare || IsContextless(line);
      shapes.raw += IsRawEvent(line);
      shapes.hex += IsHexEvent(line);
    }
  });
  return shapes;
}

}  // namespace

InputFormat DetectFormat(std::string_view head) {
  if (head.starts_with(kByteOrderMark)) head.remove_prefix(kByteOrderMark.size());
  if (head.empty()) return InputFormat::kEmpty;
  if (head.starts_with(kTraceDatMagic)) return InputFormat::kTraceDat;
  if (StartsWithAny(head, {"PERFILE2", "2ELIFREP"})) return InputFormat::kPerfData;
  // A log may begin with the room of a file system that had lost it.
  if (size_t text = head.find_first_not_of('\0'); text != std::string_view::npos) head.remove_prefix(text);
  if (LooksBinary(head)) return InputFormat::kBinary;
  if (Disguise disguise(head); disguise.any()) {
    std::string plain = disguise.TakeOff(head);
    if (!Disguise(plain).any()) return DetectFormat(plain);
  }
  if (IsUname(head)) return head.size() < size_t{16} * 1024 ? InputFormat::kUname : InputFormat::kConsoleLog;
  if (IsTraceClock(head)) return InputFormat::kTraceClock;
  if (IsCpuStats(head)) return InputFormat::kCpuStats;
  if (head.starts_with("name: ") && head.find("\nformat:\n") != std::string_view::npos)
    return InputFormat::kEventFormats;
  if (IsHtml(head)) {
    if (IsSystrace(head)) return InputFormat::kSystraceHtml;
    LineShapes shapes = ShapesOf(head);
    bool is_trace = shapes.ftrace * 2 > shapes.lines;  // in somebody's <pre>
    return is_trace ? InputFormat::kSystraceHtml : InputFormat::kHtml;
  }
  if (LooksLikeProbeDefinitions(head.substr(0, size_t{64} * 1024))) return InputFormat::kProbeDefinitions;

  LineShapes shapes = ShapesOf(head);
  size_t best =
      std::max({shapes.ftrace, shapes.report, shapes.perf, shapes.graph, shapes.latency, shapes.printk});
  size_t bare = std::max({shapes.contextless, shapes.raw, shapes.hex});
  if (bare > best && bare >= 3 && (bare * 2 > shapes.lines || shapes.known_bare >= 3)) {
    if (bare == shapes.contextless) return InputFormat::kContextless;
    return bare == shapes.raw ? InputFormat::kRawText : InputFormat::kHexText;
  }
  if (best > 0) {
    // The lines of an ftrace dump stand between printks, with or without the console's prefixes.
    bool console = shapes.printk > 0 || shapes.console_words;
    // A few events with their tracer's header, between printks: somebody printed a trace to the console.
    if (shapes.printk == best && shapes.latency == 0 && shapes.tracer_head &&
        shapes.ftrace + shapes.graph > 0)
      return shapes.graph > shapes.ftrace ? InputFormat::kFunctionGraph : InputFormat::kFtraceText;
    if (shapes.printk == best || (shapes.latency > 0 && console && shapes.latency >= shapes.ftrace))
      return InputFormat::kConsoleLog;
    if (shapes.report == best) return InputFormat::kTraceCmdReport;
    if (shapes.ftrace == best) {
      bool is_report = shapes.report_head || shapes.padded * 2 > shapes.ftrace;
      return is_report ? InputFormat::kTraceCmdReport : InputFormat::kFtraceText;
    }
    if (shapes.latency == best) return InputFormat::kLatencyText;
    if (shapes.graph == best) return InputFormat::kFunctionGraph;
    return InputFormat::kPerfScript;
  }
  if (head.starts_with("# tracer: ")) return InputFormat::kFtraceText;  // a trace without events
  if (shapes.console_words) return InputFormat::kConsoleLog;
  if (IsProbeProfile(head)) return InputFormat::kProbeProfile;
  return InputFormat::kText;
}

namespace {

struct FormatOption {
  std::string_view name;
  InputFormat format;
};
constexpr std::array kFormatOptions = {
    FormatOption{"tracefs", InputFormat::kFtraceText},
    FormatOption{"latency", InputFormat::kLatencyText},
    FormatOption{"function-graph", InputFormat::kFunctionGraph},
    FormatOption{"trace-cmd-report", InputFormat::kTraceCmdReport},
    FormatOption{"perf-script", InputFormat::kPerfScript},
    FormatOption{"console", InputFormat::kConsoleLog},
    FormatOption{"systrace", InputFormat::kSystraceHtml},
    FormatOption{"trace.dat", InputFormat::kTraceDat},
    FormatOption{"perf.data", InputFormat::kPerfData},
};

}  // namespace

std::optional<InputFormat> FormatOfOption(std::string_view name) {
  for (const FormatOption& option : kFormatOptions) {
    if (option.name == name) return option.format;
  }
  return std::nullopt;
}

std::string FormatOptions() {
  std::string names;
  for (const FormatOption& option : kFormatOptions) {
    if (!names.empty()) names += ", ";
    names += option.name;
  }
  return names;
}

bool MayBeReadAs(std::string_view head, InputFormat detected, InputFormat wanted) {
  if (detected == wanted) return true;
  LineShapes shapes = ShapesOf(head);
  bool open = detected == InputFormat::kText;  // events may come later
  switch (wanted) {
    case InputFormat::kFtraceText:
    case InputFormat::kTraceCmdReport:
      return open || shapes.ftrace > 0;
    case InputFormat::kPerfScript:
      return open || shapes.perf > 0;
    case InputFormat::kFunctionGraph:
      return open || shapes.graph > 0;
    case InputFormat::kLatencyText:
    case InputFormat::kConsoleLog:
      return open || shapes.latency > 0 || shapes.printk > 0;
    default:
      return false;
  }
}

std::string_view FormatName(InputFormat format) {
  switch (format) {
    case InputFormat::kEmpty:
      return "empty file";
    case InputFormat::kFtraceText:
      return "tracefs text";
    case InputFormat::kTraceCmdReport:
      return "trace-cmd report";
    case InputFormat::kPerfScript:
      return "perf script output";
    case InputFormat::kFunctionGraph:
      return "function_graph trace";
    case InputFormat::kLatencyText:
      return "trace in latency format";
    case InputFormat::kConsoleLog:
      return "console log";
    case InputFormat::kProbeDefinitions:
      return "list of probe definitions (kprobe_events)";
    case InputFormat::kUname:
      return "kernel version (uname)";
    case InputFormat::kCpuStats:
      return "ring buffer statistics (per_cpu/*/stats)";
    case InputFormat::kEventFormats:
      return "event format description";
    case InputFormat::kProbeProfile:
      return "probe hit count list (kprobe_profile)";
    case InputFormat::kTraceClock:
      return "choice of trace clocks (trace_clock)";
    case InputFormat::kSystraceHtml:
      return "systrace page";
    case InputFormat::kHtml:
      return "HTML page";
    case InputFormat::kContextless:
      return "trace without task, cpu or time (options/context-info 0, perf script -F without them)";
    case InputFormat::kRawText:
      return "trace of options/raw";
    case InputFormat::kHexText:
      return "trace of options/hex";
    case InputFormat::kTraceDat:
      return "trace-cmd trace.dat file";
    case InputFormat::kPerfData:
      return "perf.data file";
    case InputFormat::kBinary:
      return "binary file of an unknown kind";
    case InputFormat::kText:
      return "text without trace events";
  }
  return "file";
}

}  // namespace mmreplay
