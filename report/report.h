// A report of a stored trace. Everything is read from the database, so that a stored trace says what its
// analysis said.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "db/database.h"
#include "report/content.h"
#include "report/format.h"
#include "report/race_diagram.h"

namespace mmreplay {

enum class ReportFormat : uint8_t { kText, kJson, kJsonLines, kSarif, kJunit, kHtml, kPerfetto };

struct ReportFormatFacts {
  ReportFormat format;
  std::string_view name;  // of --format
  std::string_view about;
  bool json_errors = false;  // who asks for it wants errors as JSON, too
};

// All there are, in the order in which they are told.
std::span<const ReportFormatFacts> ReportFormats();
std::string ReportFormatNames(std::string_view between);

// Throws Error for a name that is none of them.
ReportFormat ReportFormatOf(std::string_view name);

struct ReportOptions {
  ReportFormat format = ReportFormat::kText;
  TextStyle style;                      // of text
  bool near_misses = false;             // waits that matched all but one step of the rule, too
  std::optional<Verdict> verdict = {};  // the database's, where it was read before
};

// Findings are written as they are read: memory does not grow with their number.
void WriteReport(const Database& database, const ReportOptions& options, const WriteFn& write);

}  // namespace mmreplay
