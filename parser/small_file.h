// Files people write: rules, baselines, suppressions.
#pragma once

#include <cstddef>
#include <string>

namespace mmreplay {

// All of it. Throws Error for a file that cannot be read to its end, or is longer than `limit`. Half of a
// list of exceptions, or of a rule, would be another one.
std::string ReadSmallFile(const std::string& path, size_t limit);

}  // namespace mmreplay
