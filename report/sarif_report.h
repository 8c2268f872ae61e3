// The answer as SARIF 2.1.0, for code scanning viewers and servers. One result per finding, so that nothing
// is hidden; what falls together shares the partial fingerprint "mmreplay/group/v1". Each task of a finding
// is a thread flow, its decisive events the locations, and each location is a file and line of the trace:
// as it was named on the command line, percent-encoded, members of an archive nested in it. What the
// recording could not show, lost events and trace issues are notifications of the one invocation.
#pragma once

#include "db/database.h"
#include "report/content.h"
#include "report/format.h"

namespace mmreplay {

void WriteSarifReport(const Database& database, const ReportContent& content, bool near_misses,
                      const WriteFn& write);

}  // namespace mmreplay
