#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "cli/output.h"
#include "db/output_file.h"

namespace mmreplay {
namespace {

// Nothing in here but what a signal handler may call.
void End(int signal) {
  RemovePartialOutput();
  ClearProgressLine();
  struct sigaction otherwise {};
  otherwise.sa_handler = SIG_DFL;
  sigaction(signal, &otherwise, nullptr);
  raise(signal);  // blocked until the handler returns
}

}  // namespace

void EndCleanlyOnSignals() {
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGXCPU}) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = End;
    sigaction(signal, &action, nullptr);
  }
}

}  // namespace mmreplay
