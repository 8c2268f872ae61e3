#include "report/report.h"

#include <array>

#include "parser/error.h"
#include "report/html_report.h"
#include "report/json_report.h"
#include "report/jsonl_report.h"
#include "report/junit_report.h"
#include "report/perfetto_report.h"
#include "report/sarif_report.h"
#include "report/text_report.h"

namespace mmreplay {
namespace {

constexpr std::array kFormats = {
    ReportFormatFacts{ReportFormat::kText, "text",
                      "for people: the verdict, the race of each cause as a drawing, one line per finding"},
    ReportFormatFacts{
        ReportFormat::kJson, "json",
        "one object: all that the text says, findings one by one; report.schema.json describes it", true},
    ReportFormatFacts{
        ReportFormat::kJsonLines, "jsonl",
        "one object a line, the first the header, the last the summary; report-lines.schema.json", true},
    ReportFormatFacts{ReportFormat::kSarif, "sarif",
                      "SARIF 2.1.0: one result per finding, each task of it a thread flow", true},
    ReportFormatFacts{ReportFormat::kJunit, "junit",
                      "JUnit XML: the trace a test suite, each rule a test case; junit.xsd"},
    ReportFormatFacts{ReportFormat::kHtml, "html",
                      "a picture to look at and to pass on: one file that needs no network"},
    ReportFormatFacts{ReportFormat::kPerfetto, "perfetto",
                      "Chrome trace JSON for ui.perfetto.dev and chrome://tracing"},
};

}  // namespace

std::span<const ReportFormatFacts> ReportFormats() {
  return kFormats;
}

std::string ReportFormatNames(std::string_view between) {
  std::string names;
  for (const ReportFormatFacts& known : kFormats) {
    if (!names.empty()) names += between;
    names += known.name;
  }
  return names;
}

ReportFormat ReportFormatOf(std::string_view name) {
  for (const ReportFormatFacts& known : kFormats) {
    if (name == known.name) return known.format;
  }
  throw Error("--format: " + std::string(name) + ": a report is written as one of " +
              ReportFormatNames(", "));
}

void WriteReport(const Database& database, const ReportOptions& options, const WriteFn& write) {
  ReportContent content = options.verdict ? ReadContent(database, *options.verdict) : ReadContent(database);
  switch (options.format) {
    case ReportFormat::kText:
      return WriteTextReport(database, content, options.style, options.near_misses, write);
    case ReportFormat::kJson:
      return WriteJsonReport(database, content, options.near_misses, write);
    case ReportFormat::kJsonLines:
      return WriteJsonLines(database, content, options.near_misses, write);
    case ReportFormat::kSarif:
      return WriteSarifReport(database, content, options.near_misses, write);
    case ReportFormat::kJunit:
      return WriteJunitReport(database, content, options.near_misses, write);
    case ReportFormat::kHtml:
      return WriteHtmlReport(database, content, options.near_misses, write);
    case ReportFormat::kPerfetto:
      return WritePerfettoReport(database, write);  // what is damaged was found with the content
  }
}

}  // namespace mmreplay
