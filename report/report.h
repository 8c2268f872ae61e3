// A report of a stored trace. Everything is read from the database, so that a stored trace says what its
// analysis said.
#pragma once

#include <string>
#include <string_view>

#include "db/database.h"
#include "report/format.h"
#include "report/race_diagram.h"

namespace mmreplay {

enum class ReportFormat : uint8_t { kText, kJson };

// "text", "json". Throws Error for anything else.
ReportFormat ReportFormatOf(std::string_view name);

// Findings are written as they are read: memory does not grow with their number. `style` is for text.
void WriteReport(const Database& database, ReportFormat format, TextStyle style, const WriteFn& write);

}  // namespace mmreplay
