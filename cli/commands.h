// One function per subcommand: arguments after the command's name in, exit code out. Errors are
// thrown as Error. Beside each stands what it is, see cli/command.h.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace mmreplay {

Command AnalyzeCommand();
Command CaptureCommand();
Command DoctorCommand();
Command PageCommand();
Command QueryCommand();
Command ReplayCommand();
Command ReportCommand();
Command RulesCommand();
Command TriageCommand();

}  // namespace mmreplay
