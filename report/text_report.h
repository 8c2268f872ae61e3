// The answer as text: the verdict first, the race as a picture, one line per finding, then what the
// verdict rests on. Many findings still give one screen: groups and counts.
#pragma once

#include <string>

#include "db/database.h"
#include "report/content.h"
#include "report/format.h"

namespace mmreplay {

void WriteTextReport(const Database& database, const ReportContent& content, TextStyle style,
                     bool near_misses, const WriteFn& write);

// Its parts, for reports that hold some of them.

// Findings shown one by one; of the others how many there are.
inline constexpr int64_t kFindingsShown = 10;

// A cause with its strongest finding drawn.
void WriteGroup(const FindingGroup& group, const TraceClock& clock, TextStyle style, const WriteFn& write);

// One line, ended.
std::string FindingLine(const Finding& finding, const TraceClock& clock);

// Waits, what was not recorded, how well the model did, the input and its issues.
void WriteBelowFindings(const Database& database, const ReportContent& content, bool near_misses,
                        const WriteFn& write);

}  // namespace mmreplay
