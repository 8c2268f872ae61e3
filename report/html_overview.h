// The whole recording on one time line: a lane for each task with its waits, migrations and lock holdings,
// lost events behind them. Zoomed and panned by a script, readable without.
#pragma once

#include "db/database.h"
#include "report/content.h"
#include "report/format.h"

namespace mmreplay {

void WriteOverview(const Database& database, const ReportContent& content, const WriteFn& write);

}  // namespace mmreplay
