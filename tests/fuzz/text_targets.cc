// The text forms of a trace, each through the reader they share.
#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "parser/console_log.h"
#include "parser/console_timeline.h"
#include "parser/error.h"
#include "parser/line_format.h"
#include "parser/merged_source.h"
#include "parser/trace_reader.h"
#include "tests/fuzz/reading.h"
#include "tests/fuzz/target.h"

namespace mmreplay {
namespace {

ReadTotals ReadText(std::string_view input, InputFormat format, size_t batch_bytes, size_t piece) {
  StringTable strings;
  Decoder decoder(&strings, {}, std::nullopt);
  Recording recording;
  TraceReader reader(ReadPieces(input, piece), MakeLineFormat(format), &strings, &decoder, batch_bytes);
  ReadTotals totals = ReadToEnd(&reader, recording, strings, decoder, true, input);
  bool ends = input.empty() || input.back() == '\n';
  Require(totals.lines.total == std::count(input.begin(), input.end(), '\n') + !ends,
          "lines are those of the input");
  return totals;
}

// The halves as the files of two cpus.
void ReadMerged(std::string_view input, InputFormat format) {
  StringTable strings;
  Decoder decoder(&strings, {}, std::nullopt);
  size_t half = std::min(input.find('\n', input.size() / 2), input.size() - 1) + 1;
  std::vector<std::unique_ptr<EventSource>> parts;
  for (std::string_view part : {input.substr(0, half), input.substr(half)}) {
    parts.push_back(std::make_unique<TraceReader>(ReadPieces(part, part.size()), MakeLineFormat(format),
                                                  &strings, &decoder, size_t{16} * 1024));
  }
  MergedSource merged(std::move(parts), {"first", "second"});
  ReadTotals totals = ReadToEnd(&merged, Recording(), strings, decoder, true);
  bool ends = input.empty() || input.back() == '\n';
  Require(totals.lines.total == std::count(input.begin(), input.end(), '\n') + !ends,
          "lines are those of the parts");
}

void RunText(std::string_view input, InputFormat format) {
  constexpr size_t kBatch = size_t{16} * 1024;  // more than an input has
  ReadTotals whole = ReadText(input, format, kBatch, kBatch);
  // The same bytes, however they arrive; and with lines that are longer than a batch. One input in two, which
  // leaves time for more inputs.
  if (input.size() % 4 == 0) {
    ReadTotals pieces = ReadText(input, format, kBatch, 7);
    Require(pieces.lines == whole.lines && pieces.frames == whole.frames, "pieces make the same lines");
  } else if (input.size() % 4 == 1) {
    ReadText(input, format, 256, 61);
  } else if (input.size() % 4 == 2) {
    ReadMerged(input, format);
  }
}

template <InputFormat format>
void Run(std::string_view input) {
  RunText(input, format);
}

void RunConsole(std::string_view input) {
  RunText(input, InputFormat::kConsoleLog);
  ConsoleFacts facts = ReadConsoleLog(input);
  bool ends = input.empty() || input.back() == '\n';
  Require(facts.lines == std::count(input.begin(), input.end(), '\n') + !ends,
          "the console's lines are counted");
  int64_t before = 0;
  for (const ConsoleReport& report : facts.reports) {
    Require(report.line >= before && report.line >= 1 && report.line <= facts.lines,
            "reports stand in order in lines of the console");
    before = report.line;
  }
  StringTable strings;
  Decoder decoder(&strings, {}, std::nullopt);
  TraceReader reader(ReadPieces(input, input.size()), MakeLineFormat(InputFormat::kConsoleLog), &strings,
                     &decoder, size_t{64} * 1024);
  ConsoleTimeline timeline(facts.reports);
  Batch batch;
  while (reader.Next(&batch)) {
    for (const Event& event : batch.events) timeline.See(event);
    for (const LossMarker& marker : batch.markers) timeline.See(marker);
  }
  if (auto offset = timeline.Find()) {
    Require(offset->error_ns >= 0 && offset->error_ns <= ConsoleTimeline::kUsefulError && offset->reports > 0,
            "an offset rests on reports");
  }
}

constexpr size_t kMaxText = size_t{12} * 1024;

constexpr std::array kTextTargets = {
    FuzzTarget{"tracefs", true, kMaxText, Run<InputFormat::kFtraceText>},
    FuzzTarget{"latency", true, kMaxText, Run<InputFormat::kLatencyText>},
    FuzzTarget{"function_graph", true, kMaxText, Run<InputFormat::kFunctionGraph>},
    FuzzTarget{"systrace", true, kMaxText, Run<InputFormat::kSystraceHtml>},
    FuzzTarget{"trace_cmd_report", true, kMaxText, Run<InputFormat::kTraceCmdReport>},
    FuzzTarget{"perf_script", true, kMaxText, Run<InputFormat::kPerfScript>},
    FuzzTarget{"console", true, kMaxText, RunConsole},
};

}  // namespace

std::span<const FuzzTarget> TextTargets() {
  return kTextTargets;
}

}  // namespace mmreplay
