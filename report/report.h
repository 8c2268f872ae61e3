// A report of a stored trace. Everything is read from the database, so that a stored trace says what its
// analysis said.
#pragma once

#include <string>
#include <string_view>

#include "db/database.h"
#include "report/format.h"
#include "report/race_diagram.h"

namespace mmreplay {

enum class ReportFormat : uint8_t { kText, kJson, kJsonLines, kSarif, kJunit, kHtml, kPerfetto };

// "text", "json", "jsonl", "sarif", "junit", "html", "perfetto". Throws Error for anything else.
ReportFormat ReportFormatOf(std::string_view name);

struct ReportOptions {
  ReportFormat format = ReportFormat::kText;
  TextStyle style;           // of text
  bool near_misses = false;  // waits that matched all but one step of the rule, too
};

// Findings are written as they are read: memory does not grow with their number.
void WriteReport(const Database& database, const ReportOptions& options, const WriteFn& write);

}  // namespace mmreplay
