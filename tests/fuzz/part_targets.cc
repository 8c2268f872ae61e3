// Parts that read text of their own: the decoder and what it is bound by, filters, event formats, rules, and
// what goes beside a trace.
#include <algorithm>
#include <array>
#include <limits>

#include "db/trace_store.h"
#include "parser/bundle.h"
#include "parser/error.h"
#include "parser/event_filter.h"
#include "parser/event_layout.h"
#include "parser/line_format.h"
#include "parser/lines.h"
#include "parser/perf_header.h"
#include "parser/trace_reader.h"
#include "parser/typed_fields.h"
#include "report/triage_policy.h"
#include "rules/rule.h"
#include "tests/fuzz/reading.h"
#include "tests/fuzz/target.h"

namespace mmreplay {
namespace {

bool IsIn(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void CheckFields(std::string_view args) {
  FieldScanner scanner(args);
  std::string_view key;
  std::string_view value;
  size_t fields = 0;
  while (scanner.Next(&key, &value)) {
    Require(IsIn(key, args) && IsIn(value, args), "fields are in the arguments");
    Require(++fields <= args.size(), "fields end");
    FindField(args, key);
  }
  ParsePageFlags(args);
  if (auto sides = SplitSwitch(args))
    Require(IsIn(sides->prev, args) && IsIn(sides->next, args), "tasks are in the arguments");
}

void DecodeLines(std::string_view input, bool user_space_text) {
  StringTable strings;
  Decoder decoder(&strings, ParseProbeDefinitions(input), ParseKernelRelease(input));
  if (user_space_text) decoder.set_user_space_text();
  TypedFields fields(&strings, {}, decoder.probes());
  Batch batch;
  int64_t id = 0;
  ForEachLine(input, [&](std::string_view line) {
    TraceBody body = SplitTraceBody(line);
    Require(IsIn(body.name, line) || body.name == "function" || body.name == "kernel_stack",
            "names are in the line or ours");
    Require(IsIn(body.args, line), "arguments are in the line");
    CheckFields(body.args);
    StringId name = strings.Intern(body.name);
    Event event{.id = static_cast<EventId>(++id),
                .ts = {},
                .cpu = {},
                .pid = {},
                .tgid = {},
                .comm = name,
                .name = name,
                .context = name,
                .args = batch.PlaceOf(body.args),
                .line = id,
                .payload = decoder.Decode(name, body.args)};
    fields.Assign(&event, &batch);
  });
}

// Lines are probe definitions or what stands behind the time of an event.
void RunDecoder(std::string_view input) {
  DecodeLines(input, false);
  DecodeLines(input, true);
  for (const ProbeDefinition& probe : ParseProbeDefinitions(input)) {
    BindProbe(probe.function, probe.is_return, &probe, std::nullopt);
    BindProbe(probe.function, probe.is_return, &probe, KernelRelease{6, 1});
    auto again = ParseProbeDefinition(ProbeDefinitionText(probe));
    Require(again && again->function == probe.function && again->arguments.size() == probe.arguments.size(),
            "a probe is read from its own text");
  }
}

// A format file, and behind its first line "----" the records it describes, all of one length.
void RunEventFormat(std::string_view input) {
  constexpr std::string_view kEnd = "\n----\n";
  size_t end = input.find(kEnd);
  std::string_view text = input.substr(0, end);
  FormatRoom room;
  ParseEventFormats(text, &room);
  auto layout = ParseEventLayout("kmem", text);
  if (!layout || end == std::string_view::npos) return;
  auto print = [](uint64_t address, bool with_offset) -> std::string_view {
    return address % 2 == 0 ? "" : with_offset ? "f+0x1/0x2" : "f";
  };
  // A record of its own, so that a byte too many is seen.
  std::string record(input.substr(end + kEnd.size()));
  for (size_t size : {record.size(), record.size() / 2, size_t{0}}) {
    std::string cut = record.substr(0, size);
    cut.shrink_to_fit();
    std::string out = "before";
    bool appended = AppendArguments(*layout, cut, print, &out);
    Require(out.starts_with("before") && (appended || out == "before"), "what fails leaves no text");
    CommonFields common(*layout);
    common.Pid(cut);
    common.Flags(cut);
    common.PreemptCount(cut);
  }
}

// A rule's file, checked and run on an empty trace with few steps.
void RunRuleFile(std::string_view input) {
  static const std::unique_ptr<Database> database = EmptyTraceDatabase();
  try {
    Rule rule = ParseRule("rule.sql", input);
    Require(!rule.name.empty() && rule.sql_line >= 1, "a rule has a name and a place");
    database->Exec("SAVEPOINT rule");
    try {
      RunRule(rule, database.get(), {.steps = 20'000});
    } catch (const Error& error) {
      Require(std::string_view(error.what()).starts_with("rule.sql"), "errors name the rule's file");
    }
    database->Exec("ROLLBACK TO rule; RELEASE rule");
  } catch (const Error& error) {
    Require(std::string_view(error.what()).starts_with("rule.sql:"), "errors name the rule's file");
  }
  try {
    ParseSuppressions("rule.sql", input);
  } catch (const Error& error) {
    Require(std::string_view(error.what()).starts_with("rule.sql:"), "errors name the file");
  }
}

// Files of one recording, read as one, without the model.
void RunBundle(std::string_view input) {
  InputFiles files(input, input.size() % 2 == 0);
  try {
    Recording recording = OpenRecording({.inputs = files.paths(), .dmesg = {}, .probes = {}});
    bool binary = recording.trace_file != nullptr;
    if (recording.trace_format != InputFormat::kTraceDat) {  // which would start a process
      StringTable strings;
      Decoder decoder(&strings, recording.probes, std::nullopt);
      auto source = OpenEventSource(recording, &strings, &decoder);
      ReadToEnd(source.get(), recording, strings, decoder, !binary);
      int64_t lines = 0;
      for (int64_t part : source->part_lines()) lines += part;
      Require(source->part_lines().empty() || lines == source->lines().total, "lines are those of the files");
    }
  } catch (const Error&) {
    // a sentence about a file
  }
}

// "--pid 60-70" lines at the beginning of the input, taken off it.
FilterOptions TakeFilterOptions(std::string_view* input) {
  FilterOptions options;
  while (input->starts_with("--")) {
    std::string_view line = input->substr(0, input->find('\n'));
    input->remove_prefix(std::min(line.size() + 1, input->size()));
    size_t blank = std::min(line.find(' '), line.size());
    std::string value(line.substr(std::min(blank + 1, line.size())));
    std::string_view name = line.substr(0, blank);
    if (name == "--event") options.event = value;
    if (name == "--comm") options.comm = value;
    if (name == "--pid") options.pid = value;
    if (name == "--cpu") options.cpu = value;
    if (name == "--time") options.time = value;
  }
  return options;
}

struct Kept {
  std::vector<EventId> events;
  std::vector<EventId> frames;  // whose they are
  int64_t left_out;
  bool operator==(const Kept&) const = default;
};

Kept ReadKept(EventSource* source, const EventFilter& filter) {
  Kept kept{};
  Batch batch;
  while (source->Next(&batch)) {
    for (const Event& event : batch.events) {
      Require(kept.events.empty() || kept.events.back() < event.id, "events are kept in their order");
      kept.events.push_back(event.id);
    }
    for (const StackFrame& frame : batch.frames) kept.frames.push_back(frame.event);
  }
  kept.left_out = filter.left_out();
  const LineCounts& lines = source->lines();
  Require(lines.left_out == kept.left_out, "what is left out is counted");
  Require(lines.events == static_cast<int64_t>(kept.events.size()) + kept.left_out,
          "each event is kept or left out");
  for (const TraceIssue& issue : source->Issues()) Require(issue.count >= 0, "issues count what there is");
  return kept;
}

// Filters on the command line, then a trace: filtered while its lines are split, and behind the reader, as
// the forms that are not one text are.
void RunEventFilter(std::string_view input) {
  FilterOptions options = TakeFilterOptions(&input);
  constexpr size_t kBatch = size_t{16} * 1024;  // more than an input has
  auto read = [&](bool behind) {
    EventFilter filter(options);
    StringTable strings;
    Decoder decoder(&strings, {}, std::nullopt);
    auto reader = std::make_unique<TraceReader>(
        ReadPieces(input, kBatch), MakeLineFormat(InputFormat::kFtraceText), &strings, &decoder, kBatch);
    if (behind) {
      FilteredSource filtered(std::move(reader), &filter, &strings);
      return ReadKept(&filtered, filter);
    }
    reader->set_filter(&filter);
    return ReadKept(reader.get(), filter);
  };
  try {
    Kept while_reading = read(false);
    Require(while_reading == read(true), "a filter keeps the same wherever it is applied");
  } catch (const Error& error) {
    Require(std::string_view(error.what()).starts_with("--"), "errors begin with the option");
  }
}

constexpr std::array kPartTargets = {
    FuzzTarget{"decoder", true, size_t{16} * 1024, RunDecoder},
    FuzzTarget{"event_filter", true, size_t{8} * 1024, RunEventFilter},
    FuzzTarget{"event_format", true, size_t{8} * 1024, RunEventFormat},
    FuzzTarget{"rule_file", true, size_t{8} * 1024, RunRuleFile},
    FuzzTarget{"bundle", true, size_t{16} * 1024, RunBundle, 2},
};

}  // namespace

std::span<const FuzzTarget> PartTargets() {
  return kPartTargets;
}

}  // namespace mmreplay
