// What each stage of an analysis costs on its own, over a trace that is in memory: events/s and time per
// event. The stages together are more than a run takes, which has them side by side on two cores.
//
//   bench_stages TRACE [--benchmark_filter=RE and the like]
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/ingest.h"
#include "db/trace_store.h"
#include "parser/decode.h"
#include "parser/event_source.h"
#include "parser/ftrace_text.h"
#include "parser/lines.h"
#include "parser/typed_fields.h"
#include "replay/shadow_mm.h"
#include "rules/rule.h"

namespace mmreplay {
namespace {

Recording Open(const std::string& path) {
  return OpenRecording({.inputs = {path}, .dmesg = {}, .probes = {}});
}

void Replay(ShadowMm* model, const Batch& batch) {
  ForEachInOrder(batch, [&](const auto& each) { model->Replay(each); });
}

// What every stage hands to the next one, made once.
class Stages {
 public:
  explicit Stages(const std::string& path) : path_(path), recording_(Open(path)) {
    std::ifstream file(path, std::ios::binary);
    text_.assign(std::istreambuf_iterator<char>(file), {});
    Decoder decoder(&strings_, recording_.probes, {});
    std::unique_ptr<EventSource> source = OpenEventSource(recording_, &strings_, &decoder);
    TypedFields fields(&strings_, recording_.formats, recording_.probes);
    for (Batch batch; source->Next(&batch); batch = Batch()) {
      for (Event& event : batch.events) fields.Assign(&event, &batch);
      ReplayedBatch& replayed = batches_.emplace_back();
      replayed.batch = std::move(batch);
      replayed.Begin();
    }
    facts_.format = FormatName(recording_.trace_format);
    facts_.lines = source->lines();
    facts_.header = source->header();
    facts_.clock_is_ticks = source->clock_is_ticks();
    facts_.kinds = fields.kinds();
    std::vector<Record> records;
    std::unique_ptr<ShadowMm> model = Learned(&records);
    for (ReplayedBatch& replayed : batches_) {
      Replay(model.get(), replayed.batch);
      for (Record& record : records) replayed.Add(std::move(record));
      records.clear();
      facts_.batches.push_back(static_cast<int64_t>(replayed.batch.events.size()));
    }
    facts_.replay = model->Finish();
    ReplayedBatch& last = batches_.emplace_back();
    for (Record& record : records) last.records.Add(std::move(record));
  }

  int64_t events() const { return facts_.lines.events; }

  void Split() const {
    ForEachLine(text_, [](std::string_view line) {
      TraceLine split;
      if (!SplitTraceLine(line, &split)) return;
      TraceBody body = SplitTraceBody(split.body);
      benchmark::DoNotOptimize(body);
    });
  }

  // Lines to decoded events, as the pipeline does it; reading the file, too.
  void Read() const {
    Recording recording = Open(path_);
    StringTable strings;
    Decoder decoder(&strings, recording.probes, {});
    std::unique_ptr<EventSource> source = OpenEventSource(recording, &strings, &decoder);
    for (Batch batch; source->Next(&batch); batch = Batch()) benchmark::DoNotOptimize(batch.events.data());
  }

  void Decode() {
    Decoder decoder(&strings_, recording_.probes, {});
    for (const ReplayedBatch& replayed : batches_) {
      for (const Event& event : replayed.batch.events) {
        Payload payload = decoder.Decode(event.name, replayed.batch.Args(event));
        benchmark::DoNotOptimize(payload);
      }
    }
  }

  void TypeFields() {
    TypedFields fields(&strings_, recording_.formats, recording_.probes);
    for (ReplayedBatch& replayed : batches_) {
      replayed.batch.fields.clear();
      for (Event& event : replayed.batch.events) fields.Assign(&event, &replayed.batch);
    }
  }

  std::unique_ptr<ShadowMm> Learned(std::vector<Record>* records) const {
    ReplayOptions options;
    options.architecture = Architecture::kX86_64;
    options.ticks = facts_.clock_is_ticks.value_or(false);
    auto model = std::make_unique<ShadowMm>(
        options, [records](Record&& record) { records->push_back(std::move(record)); });
    TraceLearner learner(options);
    for (const ReplayedBatch& replayed : batches_) {
      for (const Event& event : replayed.batch.events) learner.See(event);
    }
    model->Learn(learner.Take());
    return model;
  }

  void ReplayAll(ShadowMm* model, std::vector<Record>* records) const {
    for (const ReplayedBatch& replayed : batches_) {
      Replay(model, replayed.batch);
      records->clear();
    }
    benchmark::DoNotOptimize(model->Finish());
  }

  void Insert(TraceStore* store) const {
    for (const ReplayedBatch& replayed : batches_) store->Write(replayed);
  }

  void Index(TraceStore* store) const { store->Finish(recording_, facts_, strings_); }

  void Analyze(TraceStore* store) const { Ingest(Open(path_), store); }

 private:
  std::string path_;
  Recording recording_;
  std::string text_;
  StringTable strings_;
  std::vector<ReplayedBatch> batches_;  // the last one holds what only the end decided
  TraceFacts facts_;
};

using Stage = std::function<void(benchmark::State*, Stages*)>;

// A stage that needs something made for it, which is not timed.
template <typename Prepare, typename Run>
Stage Prepared(Prepare prepare, Run run) {
  return [=](benchmark::State* state, Stages* stages) {
    for ([[maybe_unused]] auto iteration : *state) {
      state->PauseTiming();
      auto prepared = prepare(stages);
      state->ResumeTiming();
      run(stages, prepared.get());
      state->PauseTiming();
      prepared.reset();
      state->ResumeTiming();
    }
  };
}

Stage Plain(void (*run)(Stages*)) {
  return [run](benchmark::State* state, Stages* stages) {
    for ([[maybe_unused]] auto iteration : *state) run(stages);
  };
}

struct Model {
  std::vector<Record> records;
  std::unique_ptr<ShadowMm> model;
};

std::vector<std::pair<const char*, Stage>> AllStages() {
  auto temporary = [](Stages*) { return std::make_unique<TraceStore>(std::nullopt); };
  return {
      {"split", Plain([](Stages* stages) { stages->Split(); })},
      {"decode", Plain([](Stages* stages) { stages->Decode(); })},
      {"read", Plain([](Stages* stages) { stages->Read(); })},
      {"typed_fields", Plain([](Stages* stages) { stages->TypeFields(); })},
      {"learn", Plain([](Stages* stages) {
         std::vector<Record> records;
         benchmark::DoNotOptimize(stages->Learned(&records));
       })},
      {"replay",
       Prepared(
           [](Stages* stages) {
             auto made = std::make_unique<Model>();
             made->model = stages->Learned(&made->records);
             return made;
           },
           [](Stages* stages, Model* made) { stages->ReplayAll(made->model.get(), &made->records); })},
      {"spool",
       Prepared([](Stages*) { return std::make_unique<TraceStore>(std::make_unique<EventSpool>(nullptr)); },
                [](Stages* stages, TraceStore* store) { stages->Insert(store); })},
      {"insert", Prepared(temporary, [](Stages* stages, TraceStore* store) { stages->Insert(store); })},
      {"index", Prepared(
                    [=](Stages* stages) {
                      auto store = temporary(stages);
                      stages->Insert(store.get());
                      return store;
                    },
                    [](Stages* stages, TraceStore* store) { stages->Index(store); })},
      {"rules", Prepared(
                    [=](Stages* stages) {
                      auto store = temporary(stages);
                      stages->Analyze(store.get());
                      return store;
                    },
                    [](Stages*, TraceStore* store) { JudgeTrace(BuiltInRules(), &store->database()); })},
  };
}

int RunStages(const std::string& path) {
  Stages stages(path);
  for (const auto& [name, stage] : AllStages()) {
    benchmark::RegisterBenchmark(name, [&stages, stage = stage](benchmark::State& state) {
      stage(&state, &stages);
      auto events = static_cast<double>(stages.events()) * static_cast<double>(state.iterations());
      state.counters["events"] = benchmark::Counter(events, benchmark::Counter::kIsRate);
      state.counters["each"] =
          benchmark::Counter(events, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    })->Unit(benchmark::kMillisecond);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace mmreplay

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_stages TRACE [--benchmark_filter=RE]\n");
    return 2;
  }
  try {
    return mmreplay::RunStages(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_stages: %s\n", error.what());
    return 1;
  }
}
