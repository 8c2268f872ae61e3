// The answer for programs: everything the text report shows, findings one by one. The form is
// report/report.schema.json.
#pragma once

#include "db/database.h"
#include "report/content.h"
#include "report/format.h"

namespace mmreplay {

void WriteJsonReport(const Database& database, const ReportContent& content, bool near_misses,
                     const WriteFn& write);

}  // namespace mmreplay
