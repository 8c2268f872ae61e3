#include "report/report.h"

#include <array>
#include <utility>

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
    std::pair{"text", ReportFormat::kText},         std::pair{"json", ReportFormat::kJson},
    std::pair{"jsonl", ReportFormat::kJsonLines},   std::pair{"sarif", ReportFormat::kSarif},
    std::pair{"junit", ReportFormat::kJunit},       std::pair{"html", ReportFormat::kHtml},
    std::pair{"perfetto", ReportFormat::kPerfetto},
};

}  // namespace

ReportFormat ReportFormatOf(std::string_view name) {
  for (const auto& [known, format] : kFormats) {
    if (name == known) return format;
  }
  std::string names;
  for (const auto& [known, format] : kFormats) names += (names.empty() ? "" : ", ") + std::string(known);
  throw Error("--format: " + std::string(name) + ": a report is written as one of " + names);
}

void WriteReport(const Database& database, const ReportOptions& options, const WriteFn& write) {
  switch (options.format) {
    case ReportFormat::kText:
      return WriteTextReport(database, options.style, options.near_misses, write);
    case ReportFormat::kJson:
      return WriteJsonReport(database, options.near_misses, write);
    case ReportFormat::kJsonLines:
      return WriteJsonLines(database, options.near_misses, write);
    case ReportFormat::kSarif:
      return WriteSarifReport(database, options.near_misses, write);
    case ReportFormat::kJunit:
      return WriteJunitReport(database, options.near_misses, write);
    case ReportFormat::kHtml:
      return WriteHtmlReport(database, options.near_misses, write);
    case ReportFormat::kPerfetto:
      return WritePerfettoReport(database, write);
  }
}

}  // namespace mmreplay
