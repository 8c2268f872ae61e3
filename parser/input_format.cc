#include "parser/input_format.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "parser/ftrace_text.h"
#include "parser/lines.h"
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

}  // namespace

bool LooksLikePerfScriptLine(std::string_view line) {
  //             work    68 [002]    10.599180:                   page_ref:page_ref_set: pfn=0x38d9b
  static const RE2 pattern(
      R"(^\s*\S.*?\s+-?\d+(/\d+)?\s+(\[\d{3,}\]\s+)?([.a-zA-Z0-9]{4,8}\s+)?\d+\.\d{6,9}:\s+(\d+\s+)?[\w./-]+(:[\w./-]*)*:)");
  // simpleperf: "comm\t123 456.789: ..."; callgraph heads have no payload: "cycles: " is enough.
  return RE2::PartialMatch(line, pattern);
}

bool LooksLikeLatencyLine(std::string_view line) {
  // toucher/-122     1d.... 6259488us+: event...      init-1         1..... 16411us : page_ref_set: ...
  static const RE2 pattern(R"(\S-\d+\s+\d+[.a-zA-Z0-9]{3,8}\s+-?\d+us.?:)");
  return RE2::PartialMatch(line, pattern);
}

bool LooksLikeFunctionGraphLine(std::string_view line) {
  //  1)   0.345 us    |  fn();      507.520069 |   53)               |  iommu_unmap() {
  static const RE2 pattern(R"(^\s*(\d+\.\d+ \|\s+|\d+ us \|\s+)?\d{1,4}\)[ \t].*(\||=>))");
  return RE2::PartialMatch(line, pattern);
}

bool LooksLikePrintkLine(std::string_view line) {
  static const RE2 pattern(R"(^(<\d+>)?\[\s*\d+\.\d{6}\](\[\s*[TC]\d+\])?[ \t])");
  return RE2::PartialMatch(line, pattern);
}

InputFormat DetectFormat(std::string_view head) {
  if (head.empty()) return InputFormat::kEmpty;
  if (head.starts_with("\x17\x08\x44tracing")) return InputFormat::kTraceDat;
  if (StartsWithAny(head, {"PERFILE2", "2ELIFREP"})) return InputFormat::kPerfData;
  if (LooksBinary(head)) return InputFormat::kBinary;
  if (IsUname(head)) return head.size() < size_t{16} * 1024 ? InputFormat::kUname : InputFormat::kConsoleLog;
  if (IsTraceClock(head)) return InputFormat::kTraceClock;
  if (IsCpuStats(head)) return InputFormat::kCpuStats;
  if (head.starts_with("name: ") && head.find("\nformat:\n") != std::string_view::npos)
    return InputFormat::kEventFormats;
  if (StartsWithAny(TrimBlanks(head), {"<!DOCTYPE", "<!doctype", "<html", "<HTML"}))
    return InputFormat::kHtml;
  if (LooksLikeProbeDefinitions(head.substr(0, size_t{64} * 1024))) return InputFormat::kProbeDefinitions;

  size_t ftrace = 0;
  size_t padded = 0;  // event names padded to a column, as trace-cmd report prints them
  size_t perf = 0;
  size_t graph = 0;
  size_t latency = 0;
  size_t printk = 0;
  bool report_head = false;
  bool console_words = false;
  size_t graded = 0;
  ForEachLine(head, [&](std::string_view line) {
    if (line.starts_with("# tracer: function_graph")) graph += 1000;
    if (line.starts_with("cpus=") || line.starts_with("version = ")) report_head |= graded < 10;
    console_words |= line.find("BUG: ") != std::string_view::npos ||
                     line.find("Linux version ") != std::string_view::npos ||
                     line.find("Call Trace:") != std::string_view::npos ||
                     line.find("Dumping ftrace buffer:") != std::string_view::npos;
    if (graded > 4000 || line.empty()) return;
    ++graded;
    if (auto split = SplitTraceLine(line)) {
      ++ftrace;
      TraceBody body = SplitTraceBody(split->body);
      padded += split->context.empty() && (body.args.starts_with("  ") || body.args.empty());
    } else if (LooksLikeLatencyLine(line)) {
      ++latency;
    } else if (LooksLikePrintkLine(line)) {
      ++printk;
    } else if (LooksLikeFunctionGraphLine(line)) {
      ++graph;
    } else if (LooksLikePerfScriptLine(line)) {
      ++perf;
    }
  });

  bool is_report = report_head || padded * 2 > ftrace;
  size_t best = std::max({ftrace, perf, graph, latency, printk});
  if (best > 0) {
    // A console log may hold an ftrace dump; the dump's lines carry printk prefixes.
    if (printk == best || (latency > 0 && console_words && printk > 0)) return InputFormat::kConsoleLog;
    if (ftrace == best) return is_report ? InputFormat::kTraceCmdReport : InputFormat::kFtraceText;
    if (latency == best) return console_words ? InputFormat::kConsoleLog : InputFormat::kLatencyText;
    if (graph == best) return InputFormat::kFunctionGraph;
    if (perf == best) return InputFormat::kPerfScript;
  }
  if (head.starts_with("# tracer: ")) return InputFormat::kFtraceText;  // a trace without events
  if (console_words) return InputFormat::kConsoleLog;
  if (IsProbeProfile(head)) return InputFormat::kProbeProfile;
  return InputFormat::kText;
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
    case InputFormat::kHtml:
      return "HTML page";
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
