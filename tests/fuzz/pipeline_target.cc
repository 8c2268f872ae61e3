// All of `analyze`: files, parser, replay, database, rules, report; nothing leaves memory.
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/ingest.h"
#include "db/trace_store.h"
#include "parser/bundle.h"
#include "parser/error.h"
#include "report/report.h"
#include "rules/rule.h"
#include "tests/fuzz/reading.h"
#include "tests/fuzz/sections.h"
#include "tests/fuzz/target.h"

namespace mmreplay {
namespace {

void RequireNone(const Database& database, const char* sql, std::string_view what) {
  Statement query(database, sql);
  Require(query.Step() && query.Int(0) == 0, what);
}

// What the database says of itself, whatever the trace was.
void CheckStored(const Database& database) {
  RequireNone(database,
              "SELECT lines_total - lines_events - lines_comments - lines_continuations - lines_markers - "
              "lines_rejected FROM traces",
              "each line is counted once in the database");
  RequireNone(database, "SELECT ref_anchors_matched > ref_anchors FROM traces",
              "no more is predicted than there is");
  RequireNone(database,
              "SELECT count(*) FROM page_waits WHERE verdict NOT IN "
              "('confirmed','probable','latent','benign','unknown')",
              "each wait has a verdict");
  RequireNone(database,
              "SELECT count(*) FROM page_waits WHERE verdict = 'confirmed' AND protection <> 'none'",
              "what is confirmed was unprotected");
  RequireNone(database, "SELECT count(*) FROM findings WHERE grade NOT IN ('confirmed','probable','latent')",
              "each finding has a grade");
}

std::string Report(const Database& database, ReportFormat format) {
  std::string text;
  WriteReport(database, {.format = format, .style = {}, .near_misses = true},
              [&](std::string_view piece) { text += piece; });
  return text;
}

// As `analyze` judges a recording, with a database to keep or without.
std::string Judge(const Recording& recording, std::unique_ptr<TraceStore> store, ReportFormat also) {
  static const std::vector<Rule> rules = BuiltInRules();
  Ingest(recording, store.get());
  JudgeTrace(rules, &store->database());
  CheckStored(store->database());
  std::string text = Report(store->database(), ReportFormat::kText);
  Require(!text.empty(), "there is a report");
  if (also == ReportFormat::kText) return text;
  std::string other = Report(store->database(), also);
  Require(!other.empty(), "there is a report");
  bool json = also == ReportFormat::kJson || also == ReportFormat::kSarif || also == ReportFormat::kPerfetto;
  Require(!json || nlohmann::json::accept(other), "JSON is JSON");
  return text;
}

void JudgeBothWays(const Recording& recording, size_t turn) {
  ReportFormat also = ReportFormats()[turn % ReportFormats().size()].format;
  bool every_event = also == ReportFormat::kPerfetto;
  std::string text = Judge(recording, MakeTemporaryStore(recording, every_event), also);
  if (every_event || turn % 4 != 0) return;
  std::string kept = Judge(recording, MakeTemporaryStore(recording, true), ReportFormat::kText);
  Require(text == kept, "a report is the same whether the events are kept or not");
}

void RunPipeline(std::string_view input) {
  bool as_archive = input.size() % 2 == 0;
  InputFiles files(input, as_archive);
  std::optional<Recording> recording;
  try {
    recording = OpenRecording({.inputs = files.paths(), .dmesg = {}, .probes = {}});
  } catch (const Error&) {
    return;  // a sentence about the input
  }
  if (recording->trace_format == InputFormat::kTraceDat) return;  // which would start a process
  try {
    JudgeBothWays(*recording, input.size() / 2);
  } catch (const Error& error) {
    // Damage ends the reading of bytes; every text can be read.
    bool plain = recording->trace.is_file || !SplitSections(input).empty();
    Require(recording->trace_file || !plain, error.what());
  }
}

constexpr std::array kPipelineTargets = {
    FuzzTarget{"pipeline", true, size_t{16} * 1024, RunPipeline, 8},
};

}  // namespace

std::span<const FuzzTarget> PipelineTargets() {
  return kPipelineTargets;
}

}  // namespace mmreplay
