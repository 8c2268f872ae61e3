// The answer for programs that read line by line: one JSON object a line, each {"type": T, "version": 1,
// T: {...}}. The first is the header, the last the summary: an output without one was cut off. The form
// is report/report-lines.schema.json.
#pragma once

#include "db/database.h"
#include "report/content.h"
#include "report/format.h"

namespace mmreplay {

void WriteJsonLines(const Database& database, const ReportContent& content, bool near_misses,
                    const WriteFn& write);

}  // namespace mmreplay
