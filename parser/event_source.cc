#include "parser/event_source.h"

#include <algorithm>
#include <array>

#include "parser/error.h"
#include "parser/event_filter.h"
#include "parser/line_format.h"
#include "parser/merged_source.h"
#include "parser/perf_data.h"
#include "parser/trace_dat.h"
#include "parser/trace_reader.h"

namespace mmreplay {
namespace {

using Source = std::unique_ptr<EventSource>;

struct Reader {
  InputFormat format;
  Source (*open)(const Recording&, StringTable*, Decoder*);
};

Source OpenText(const Recording& recording, StringTable* strings, Decoder* decoder) {
  auto recent = std::make_shared<RecentTexts>();
  auto splitter = std::make_shared<TraceLineSplitter>();
  auto open = [&](const InputMember& member, size_t batch_bytes) {
    return std::make_unique<TraceReader>(member.open(), MakeLineFormat(recording.trace_format, splitter),
                                         strings, decoder, batch_bytes, kBatchBytes, recent);
  };
  if (recording.more_traces.empty()) return open(recording.trace, kBatchBytes);
  // There may be thousands of cpus: a batch of each is in memory.
  constexpr size_t kOfAll = size_t{4} << 20;  // of text: with its events three times as much and more
  size_t part_batch =
      std::clamp(kOfAll / (1 + recording.more_traces.size()), size_t{2} << 10, size_t{64} << 10);
  std::vector<Source> parts;
  std::vector<std::string> names;
  auto add = [&](const InputMember& member) {
    parts.push_back(open(member, part_batch));
    names.push_back(member.path);
  };
  add(recording.trace);
  for (const InputMember& member : recording.more_traces) add(member);
  return std::make_unique<MergedSource>(std::move(parts), std::move(names));
}

Source OpenTraceDat(const Recording& recording, StringTable* strings, Decoder* decoder) {
  return std::make_unique<TraceDatReader>(recording.trace_file, strings, decoder);
}

Source OpenPerfData(const Recording& recording, StringTable* strings, Decoder* decoder) {
  return std::make_unique<PerfDataReader>(recording.trace_file, strings, decoder);
}

constexpr std::array kReaders = {
    Reader{InputFormat::kFtraceText, OpenText},     Reader{InputFormat::kLatencyText, OpenText},
    Reader{InputFormat::kTraceCmdReport, OpenText}, Reader{InputFormat::kPerfScript, OpenText},
    Reader{InputFormat::kFunctionGraph, OpenText},  Reader{InputFormat::kSystraceHtml, OpenText},
    Reader{InputFormat::kConsoleLog, OpenText},     Reader{InputFormat::kTraceDat, OpenTraceDat},
    Reader{InputFormat::kPerfData, OpenPerfData},
};

const Reader* FindReader(InputFormat format) {
  for (const Reader& reader : kReaders) {
    if (reader.format == format) return &reader;
  }
  return nullptr;
}

}  // namespace

bool IsReadableTrace(InputFormat format) {
  return FindReader(format) != nullptr;
}

std::unique_ptr<EventSource> OpenEventSource(const Recording& recording, StringTable* strings,
                                             Decoder* decoder) {
  const Reader* reader = FindReader(recording.trace_format);
  if (!reader)
    throw Error(recording.trace.path + ": no reader for a " +
                std::string(FormatName(recording.trace_format)));
  return reader->open(recording, strings, decoder);
}

std::unique_ptr<EventSource> OpenFilteredSource(const Recording& recording, StringTable* strings,
                                                Decoder* decoder, EventFilter* filter) {
  std::unique_ptr<EventSource> source = OpenEventSource(recording, strings, decoder);
  if (filter->empty()) return source;
  filter->KnowProbes(recording.probes);
  if (auto* text = dynamic_cast<TraceReader*>(source.get())) {
    text->set_filter(filter);
    return source;
  }
  return std::make_unique<FilteredSource>(std::move(source), filter, strings);
}

}  // namespace mmreplay
