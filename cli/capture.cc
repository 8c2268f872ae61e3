// mmreplay capture: prints the script that records, for a machine that has nothing but a shell.
#include "cli/commands.h"
#include "cli/embedded_capture.h"
#include "cli/options.h"
#include "cli/output.h"
#include "parser/error.h"

namespace mmreplay {
namespace {

int RunCapture(const std::vector<std::string>& arguments) {
  bool help = arguments.size() == 1 && (arguments[0] == "--help" || arguments[0] == "-h");
  if (!arguments.empty() && !help)
    throw Error("capture: takes no arguments; the script it prints has options, see its --help");
  if (!ParseArguments(CaptureCommand(), arguments)) return 0;
  WriteOutput(CaptureScript());
  return 0;
}

}  // namespace

Command CaptureCommand() {
  return {
      .name = "capture",
      .summary = "print the script that makes a recording",
      .usage = {""},
      .about =
          {"Prints the capture script: one POSIX shell file that needs root, tracefs or debugfs, and nothing "
           "installed. It chooses the probes and events this kernel has, records, leaves the machine's "
           "tracing as it found it, and writes a bundle for mmreplay analyze. Its own --help tells more."},
      .options = {},
      .operands = {},
      .exit_codes = kPlainExitCodes,
      .examples =
          {{"mmreplay capture > mmreplay-capture", "writes the script to a file"},
           {"mmreplay capture | ssh root@sick 'cat > /tmp/mmreplay-capture && sh /tmp/mmreplay-capture "
            "--duration 30'",
            "records 30 seconds on another machine"}},
      .run = RunCapture,
  };
}

}  // namespace mmreplay
