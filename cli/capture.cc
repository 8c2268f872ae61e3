// mmreplay capture: prints the script that records, for a machine that has nothing but a shell.
#include "cli/commands.h"
#include "cli/embedded_capture.h"
#include "cli/output.h"
#include "parser/error.h"

namespace mmreplay {
namespace {

constexpr const char* kUsage =
    "Usage: mmreplay capture\n"
    "\n"
    "Prints the capture script: one POSIX shell file that needs root, tracefs or debugfs, and nothing\n"
    "installed. It chooses the probes and events this kernel has, records, leaves the machine's tracing\n"
    "as it found it, and writes a bundle for mmreplay analyze. Its own --help tells more.\n"
    "\n"
    "Exit code: 0 done, 2 trouble.\n"
    "\n"
    "Examples:\n"
    "  mmreplay capture > mmreplay-capture\n"
    "  mmreplay capture | ssh root@sick 'cat > /tmp/mmreplay-capture && sh /tmp/mmreplay-capture --duration "
    "30'\n";

}  // namespace

int RunCapture(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    WriteOutput(CaptureScript());
    return 0;
  }
  if (arguments.size() == 1 && (arguments[0] == "--help" || arguments[0] == "-h")) {
    WriteOutput(kUsage);
    return 0;
  }
  throw Error("capture: takes no arguments; the script it prints has options, see its --help");
}

}  // namespace mmreplay
