#include "report/report.h"

#include "parser/error.h"
#include "report/html_report.h"
#include "report/json_report.h"
#include "report/perfetto_report.h"
#include "report/text_report.h"

namespace mmreplay {

ReportFormat ReportFormatOf(std::string_view name) {
  if (name == "text") return ReportFormat::kText;
  if (name == "json") return ReportFormat::kJson;
  if (name == "html") return ReportFormat::kHtml;
  if (name == "perfetto") return ReportFormat::kPerfetto;
  throw Error("--format: " + std::string(name) + ": a report is written as text, json, html or perfetto");
}

void WriteReport(const Database& database, const ReportOptions& options, const WriteFn& write) {
  switch (options.format) {
    case ReportFormat::kText:
      return WriteTextReport(database, options.style, options.near_misses, write);
    case ReportFormat::kJson:
      return WriteJsonReport(database, options.near_misses, write);
    case ReportFormat::kHtml:
      return WriteHtmlReport(database, options.near_misses, write);
    case ReportFormat::kPerfetto:
      return WritePerfettoReport(database, write);
  }
}

}  // namespace mmreplay
