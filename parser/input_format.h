// What a file is, by its content.
#pragma once

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
  kHtml,
  kTraceDat,
  kPerfData,
  kBinary,
  kText,  // readable, and nothing of the above
};

// `head` is the beginning of the content (kHeadBytes of it are enough).
InputFormat DetectFormat(std::string_view head);

// Name of the format for messages: "perf.data file", "trace-cmd report".
std::string_view FormatName(InputFormat format);

// One line of `trace-cmd report` or `perf script`: used to tell texts apart.
bool LooksLikePerfScriptLine(std::string_view line);
bool LooksLikeLatencyLine(std::string_view line);
bool LooksLikeFunctionGraphLine(std::string_view line);
bool LooksLikePrintkLine(std::string_view line);

}  // namespace mmreplay
