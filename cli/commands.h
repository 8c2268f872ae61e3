// One function per subcommand: arguments after the command's name in, exit code out. Errors are
// thrown as Error.
#pragma once

#include <string>
#include <vector>

namespace mmreplay {

int Analyze(const std::vector<std::string>& arguments);

}  // namespace mmreplay
