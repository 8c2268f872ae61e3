// What makes a batch fail: baseline and suppressions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/rule.h"

namespace mmreplay {

// latent 1, probable 2, confirmed 3; 0 for anything else.
int GradeRank(std::string_view grade);

// Groups that are known, by fingerprint, with the highest grade they had.
using Baseline = std::map<std::string, std::string>;

// Whether the file begins as one, of whatever version.
bool IsBaseline(const std::string& path);

// Reads the group rows of a triage in JSON lines, or of --write-baseline. Throws Error "file:line: what".
Baseline ReadBaseline(const std::string& path);

// One line of a suppression file:
//   FINGERPRINT [log=PATTERN] [function=PATTERN] [up-to=GRADE] because REASON
// Patterns are those of the shell; * matches / too.
struct Suppression {
  std::string where;  // "file:line"
  std::string fingerprint;
  std::string log = "*";
  std::string function = "*";
  int up_to = 3;
  std::string reason;
  int64_t used = 0;  // findings it met

  bool Matches(std::string_view finding, std::string_view in_log, std::string_view in_function,
               std::string_view grade) const;
};

// Throws Error "file:line:col: what".
std::vector<Suppression> ReadSuppressions(const std::string& path);
std::vector<Suppression> ParseSuppressions(const std::string& file, std::string_view text);

struct TriagePolicy {
  Severity fail_on = Severity::kWarning;
  std::optional<Baseline> baseline;
  std::vector<Suppression> suppressions;
};

}  // namespace mmreplay
