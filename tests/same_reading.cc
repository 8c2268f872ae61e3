#include "tests/same_reading.h"

#include <utility>
#include <vector>

#include "parser/error.h"
#include "parser/lines.h"

namespace mmreplay {
namespace {

// Events, and what else comes out, as far as it is the same however batches are cut.
struct Reading {
  struct Line {
    Event event;  // its views are of `text`
    std::string text;
    std::string comm;
    std::string name;
    std::string context;
    std::string symbol;
  };
  std::vector<Line> lines;
  std::vector<std::pair<int64_t, std::string>> frames;
  std::vector<std::pair<int64_t, int32_t>> markers;  // next event and cpu
  LineCounts counts;
  std::vector<std::pair<std::string, int64_t>> issues;
  std::string error;
  int64_t records = 0;
};

Reading Read(const OpenSource& open, const std::vector<ProbeDefinition>& probes, bool as_records) {
  Reading reading;
  StringTable strings;
  Decoder decoder(&strings, probes, std::nullopt);
  RecordLayouts layouts;
  try {
    std::unique_ptr<EventSource> source = open(&strings, &decoder);
    if (as_records) source->set_layouts(&layouts);
    Batch batch;
    while (source->Next(&batch)) {
      for (const Event& event : batch.events) {
        bool record = event.layout != 0;
        reading.records += record;
        reading.lines.push_back(
            {.event = event,
             .text = record ? layouts.Text(event.layout, batch.Args(event)) : std::string(batch.Args(event)),
             .comm = std::string(strings.Text(event.comm)),
             .name = std::string(strings.Text(event.name)),
             .context = std::string(strings.Text(event.context)),
             .symbol = {}});
        Reading::Line& line = reading.lines.back();
        // Views of a batch that goes.
        if (auto* migrate = std::get_if<MigratePages>(&line.event.payload)) migrate->reason = {};
        // Names of which each reading has its own numbers.
        auto take = [&](StringId* symbol) { line.symbol = strings.Text(std::exchange(*symbol, {})); };
        if (auto* entry = std::get_if<FunctionEntry>(&line.event.payload)) take(&entry->symbol);
        if (auto* leave = std::get_if<FunctionReturn>(&line.event.payload)) take(&leave->symbol);
      }
      for (const StackFrame& frame : batch.frames)
        reading.frames.emplace_back(Value(frame.event),
                                    std::to_string(frame.depth) + " " + std::string(frame.text));
      for (const LossMarker& marker : batch.markers)
        reading.markers.emplace_back(Value(marker.next_event), marker.cpu);
    }
    reading.counts = source->lines();
    for (const TraceIssue& issue : source->Issues())
      reading.issues.emplace_back(issue.kind + ": " + issue.text, issue.count);
  } catch (const Error& error) {
    reading.error = error.what();
  }
  return reading;
}

// A comm or another text of the record that looks like fields: of the text nobody can tell what is what, of
// the record one can.
bool LooksLikeFields(std::string_view text) {
  auto times = [&](std::string_view key) {
    int count = 0;
    for (size_t at = text.find(key); at != kNotFound; at = text.find(key, at + 1)) ++count;
    return count;
  };
  for (size_t at = text.find('='); at != kNotFound; at = text.find('=', at + 1)) {
    size_t begin = text.rfind(' ', at) + 1;
    std::string_view key = text.substr(begin, at + 1 - begin);
    // "name=" and "lockdep_addr=" of a lock are looked for anywhere.
    bool any_place = key.ends_with("name=") || key.ends_with("lockdep_addr=");
    if (any_place && times(key.ends_with("name=") ? "name=" : "lockdep_addr=") != 1) return true;
    if (times(" " + std::string(key)) + (text.starts_with(key) ? 1 : 0) != 1) return true;
  }
  return text.find("==>") != kNotFound;
}

std::string Difference(const Reading::Line& text, const Reading::Line& record) {
  const Event& a = text.event;
  const Event& b = record.event;
  std::string where = text.name + " " + std::to_string(Value(a.id)) + ": ";
  if (text.text != record.text) return where + "'" + text.text + "', of the record '" + record.text + "'";
  if (text.name != record.name || text.comm != record.comm || text.context != record.context)
    return where + "name, comm or context";
  if (a.id != b.id || a.ts != b.ts || a.cpu != b.cpu || a.pid != b.pid || a.tgid != b.tgid ||
      a.line != b.line || a.in_interrupt != b.in_interrupt || a.copy != b.copy)
    return where + "what all events have";
  if (b.layout != 0 && LooksLikeFields(text.text)) return {};
  if (text.symbol != record.symbol) return where + "the probed function";
  if (!(a.payload == b.payload)) return where + "the payload of '" + text.text + "'";
  return {};
}

}  // namespace

std::string DifferenceOfReadings(const OpenSource& open, const std::vector<ProbeDefinition>& probes,
                                 int64_t* record_count) {
  Reading texts = Read(open, probes, false);
  Reading records = Read(open, probes, true);
  if (record_count) *record_count = records.records;
  if (texts.error != records.error) return "error '" + texts.error + "', of records '" + records.error + "'";
  if (texts.lines.size() != records.lines.size())
    return std::to_string(texts.lines.size()) + " events, of records " + std::to_string(records.lines.size());
  for (size_t i = 0; i < texts.lines.size(); ++i) {
    if (std::string what = Difference(texts.lines[i], records.lines[i]); !what.empty()) return what;
  }
  if (texts.frames != records.frames) return "frames";
  if (texts.markers != records.markers) return "markers";
  if (!(texts.counts == records.counts)) return "counts of lines";
  if (texts.issues != records.issues) return "issues";
  return {};
}

}  // namespace mmreplay
