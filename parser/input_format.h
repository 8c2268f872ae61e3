// What a file is, by its content.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mmreplay {

enum class InputFormat {
  kEmpty,
  kFtraceText,
  kTraceCmdReport,
  kPerfScript,
  kFunctionGraph,
  kLatencyText,
  kConsoleLog,
  kProbeDefinitions,
  kUname,
  kCpuStats,
  kEventFormats,
  kProbeProfile,
  kTraceClock,
  kSystraceHtml,
  kHtml,
  kContextless,  // tracefs text without task, cpu and time (options/context-info 0)
  kRawText,      // options/raw
  kHexText,      // options/hex
  kTraceDat,
  kPerfData,
  kBinary,
  kText,  // readable, and nothing of the above
};

// How a trace.dat begins, and what perf.data keeps of the kernel's formats.
inline constexpr std::string_view kTraceDatMagic = "\x17\x08\x44tracing";

// `head` is the beginning of the content (kHeadBytes of it are enough).
InputFormat DetectFormat(std::string_view head);

// Name of the format for messages: "perf.data file", "trace-cmd report".
std::string_view FormatName(InputFormat format);

// The names --input-format takes ("trace-cmd-report"), and what they stand for.
std::optional<InputFormat> FormatOfOption(std::string_view name);
std::string FormatOptions();  // "tracefs, trace-cmd-report, ..."

// Whether a file that looks like `detected` may be read as `wanted`, because the user says so.
bool MayBeReadAs(std::string_view head, InputFormat detected, InputFormat wanted);

}  // namespace mmreplay
