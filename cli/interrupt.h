// Ctrl-C, kill and a closed terminal: the program ends by the signal, as shells expect, and leaves nothing
// behind.
#pragma once

namespace mmreplay {

// For the signals that people, shells and limits (ulimit -t) end programs with, unless they are ignored (nohup):
// removes the output that is not complete and the progress line. Temporary files have no names.
void EndCleanlyOnSignals();

}  // namespace mmreplay
