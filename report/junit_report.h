// The answer as JUnit XML, for build servers: the trace is a test suite, each rule a test case. A rule of
// severity error or warning that found something failed, with the text report's drawing and lines as its
// text; one that could not be judged is skipped, with the reason; one of severity info passes and says what
// it saw. The form is report/junit.xsd.
#pragma once

#include "db/database.h"
#include "report/content.h"
#include "report/format.h"

namespace mmreplay {

void WriteJunitReport(const Database& database, const ReportContent& content, bool near_misses,
                      const WriteFn& write);

}  // namespace mmreplay
