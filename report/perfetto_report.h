// The recording as Chrome trace JSON, for ui.perfetto.dev and chrome://tracing.
#pragma once

#include "db/database.h"
#include "report/format.h"

namespace mmreplay {

void WritePerfettoReport(const Database& database, const WriteFn& write);

}  // namespace mmreplay
