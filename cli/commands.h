// One function per subcommand: arguments after the command's name in, exit code out. Errors are
// thrown as Error.
#pragma once

#include <string>
#include <vector>

namespace mmreplay {

int RunAnalyze(const std::vector<std::string>& arguments);
int RunCapture(const std::vector<std::string>& arguments);
int RunPage(const std::vector<std::string>& arguments);
int RunQuery(const std::vector<std::string>& arguments);
int RunDoctor(const std::vector<std::string>& arguments);
int RunRules(const std::vector<std::string>& arguments);
int RunReplay(const std::vector<std::string>& arguments);
int RunTriage(const std::vector<std::string>& arguments);
int RunReport(const std::vector<std::string>& arguments);

}  // namespace mmreplay
