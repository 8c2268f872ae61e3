#include "parser/event_source.h"

#include <array>

#include "parser/error.h"
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

Source OpenFtraceText(const Recording& recording, StringTable* strings, Decoder* decoder) {
  return std::make_unique<TraceReader>(recording.trace.open(), strings, decoder);
}

Source OpenTraceDat(const Recording& recording, StringTable* strings, Decoder* decoder) {
  return std::make_unique<TraceDatReader>(recording.trace_file, strings, decoder);
}

Source OpenPerfData(const Recording& recording, StringTable* strings, Decoder* decoder) {
  return std::make_unique<PerfDataReader>(recording.trace_file, strings, decoder);
}

constexpr std::array kReaders = {
    Reader{InputFormat::kFtraceText, OpenFtraceText},
    Reader{InputFormat::kTraceDat, OpenTraceDat},
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

}  // namespace mmreplay
