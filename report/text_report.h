// The answer as text: the verdict first, one line per finding, then what the verdict rests on.
// Everything is read from the database, so a stored trace prints what its analysis printed.
#pragma once

#include <string>

#include "db/database.h"

namespace mmreplay {

std::string TextReport(const Database& database);

// What the exit code of an analysis follows from.
struct Verdict {
  int64_t findings = 0;  // of severity error or warning, any grade
  bool wait_rule_applicable = false;
  int64_t unknown_waits = 0;
  int64_t waits_in_gaps = 0;
  int64_t events = 0;

  // 1 a finding, 3 cannot tell, 2 nothing could be read, 0 clean.
  int ExitCode() const;
};
Verdict ReadVerdict(const Database& database);

}  // namespace mmreplay
