// The model alone, on a trace of text: a hundred times as often as the whole pipeline in the same time.
#include <array>
#include <optional>

#include "parser/error.h"
#include "parser/input_format.h"
#include "parser/line_format.h"
#include "parser/overloaded.h"
#include "parser/trace_reader.h"
#include "replay/shadow_mm.h"
#include "tests/fuzz/reading.h"
#include "tests/fuzz/sections.h"
#include "tests/fuzz/target.h"

namespace mmreplay {
namespace {

// What the input says besides its events: probe definitions of a section, and the machine by a bit of its
// size.
struct Trace {
  std::string text;
  InputFormat format = InputFormat::kFtraceText;
  std::vector<ProbeDefinition> probes;
};

std::optional<Trace> FindTrace(std::string_view input) {
  auto files = SplitSections(input);
  if (files.empty()) files.emplace_back("trace.txt", std::string(input));
  std::optional<Trace> trace;
  std::vector<ProbeDefinition> probes;
  for (auto& [name, content] : files) {
    InputFormat format = DetectFormat(content);
    bool text =
        IsReadableTrace(format) && format != InputFormat::kTraceDat && format != InputFormat::kPerfData;
    if (format == InputFormat::kProbeDefinitions) {
      probes = ParseProbeDefinitions(content);
    } else if (text && !trace) {
      trace = {std::move(content), format, {}};
    }
  }
  if (trace) trace->probes = std::move(probes);
  return trace;
}

// Every event a record names is one of the trace.
class RecordCheck {
 public:
  explicit RecordCheck(int64_t events) : events_(events) {}

  void operator()(const PageLifetime& life) const {
    See(life.alloc);
    See(life.free);
  }
  void operator()(const PageRefResult& result) const {
    See(result.event);
    bool both = result.replayed_lo && result.replayed_hi;
    Require(!both || *result.replayed_lo <= *result.replayed_hi, "an interval has a lower end");
  }
  void operator()(const RepairedRef& repaired) const {
    See(repaired.event);
    See(repaired.place);
  }
  void operator()(const PageEvent& page) const { See(page.event); }
  void operator()(const PtlHold& hold) const {
    See(hold.acquire);
    See(hold.release);
    bool both = hold.acquire && hold.release;
    Require(!both || hold.acquire->event <= hold.release->event, "a lock is dropped after it was taken");
  }
  void operator()(const Migration& migration) const {
    See(migration.begin);
    See(migration.end);
    See(migration.holders.taken);
    Require(migration.holders.count >= 0, "holders are counted");
  }
  void operator()(const PageWait& wait) const {
    See(wait.begin.event);
    for (const auto& moment : {wait.end, wait.unlocked, wait.over, wait.woken, wait.death}) See(moment);
    for (const auto& event : {wait.call, wait.hold_release, wait.reference, wait.asleep, wait.free})
      See(event);
    Require(!wait.end || wait.begin.event <= wait.end->event, "a wait ends after it began");
    Require(!wait.reason.empty(), "a wait has a reason");
  }
  void operator()(const Anomaly& anomaly) const {
    See(anomaly.at.event);
    See(anomaly.earlier);
  }
  void operator()(const Gap&) const {}

 private:
  void See(EventId event) const {
    Require(Value(event) >= 1 && Value(event) <= events_, "records name events");
  }
  void See(const std::optional<EventId>& event) const {
    if (event) See(*event);
  }
  void See(const std::optional<Moment>& moment) const {
    if (moment) See(moment->event);
  }

  int64_t events_;
};

void RunReplay(std::string_view input) {
  std::optional<Trace> trace = FindTrace(input);
  if (!trace) return;
  StringTable strings;
  Decoder decoder(&strings, trace->probes, std::nullopt);
  TraceReader reader(ReadPieces(trace->text, trace->text.size()), MakeLineFormat(trace->format), &strings,
                     &decoder, size_t{64} * 1024);
  std::vector<Batch> batches;
  for (Batch batch; reader.Next(&batch); batch = Batch()) batches.push_back(std::move(batch));

  ReplayOptions options;
  options.architecture = input.size() % 2 == 0 ? Architecture::kX86_64 : Architecture::kArm64;
  options.ticks = reader.clock_is_ticks().value_or(false);
  options.head_overwritten = input.size() % 4 < 2;
  int64_t seen = 0;
  ShadowMm model(options, [&](Record&& record) { std::visit(RecordCheck(seen), record); });
  TraceLearner learner(options);
  for (const Batch& batch : batches) {
    for (const Event& event : batch.events) learner.See(event);
  }
  model.Learn(learner.Take());
  for (const Batch& batch : batches) {
    ForEachInOrder(batch, Overloaded{[&](const LossMarker& marker) { model.Replay(marker); },
                                     [&](const Event& event) {
                                       seen = Value(event.id);
                                       model.Replay(event);
                                     }});
  }
  ReplaySummary summary = model.Finish();
  Require(summary.clock_error >= 0 && summary.clock_error_learned >= 0, "clocks err by some time or none");
  Require(summary.returns_missing >= 0 && summary.unresolved_pages >= 0, "what is missing is counted");
}

constexpr std::array kReplayTargets = {
    FuzzTarget{"replay", true, size_t{16} * 1024, RunReplay},
};

}  // namespace

std::span<const FuzzTarget> ReplayTargets() {
  return kReplayTargets;
}

}  // namespace mmreplay
