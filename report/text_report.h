// The answer as text: the verdict first, the race as a picture, one line per finding, then what the
// verdict rests on. Many findings still give one screen: groups and counts.
#pragma once

#include "db/database.h"
#include "report/format.h"

namespace mmreplay {

void WriteTextReport(const Database& database, TextStyle style, bool near_misses, const WriteFn& write);

}  // namespace mmreplay
