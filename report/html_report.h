// The report as one HTML file that needs nothing else: verdict, quality of the evidence, a picture for each
// cause, an overview of the whole recording. Its content security policy forbids any request and any script
// but our own.
#pragma once

#include "db/database.h"
#include "report/content.h"
#include "report/format.h"

namespace mmreplay {

void WriteHtmlReport(const Database& database, const ReportContent& content, bool near_misses,
                     const WriteFn& write);

}  // namespace mmreplay
