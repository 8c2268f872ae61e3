// The manual page and the shells' completions, of the commands as cli/command.h has them: made at build time
// by mmreplay_manual.
#pragma once

#include <string>

namespace mmreplay {

// roff with the man macros. `date`: of the version, "2026-11-23".
std::string ManualPage(const std::string& date);

// For /usr/share/bash-completion/completions; needs nothing but bash.
std::string BashCompletion();

// For a folder in zsh's fpath.
std::string ZshCompletion();

}  // namespace mmreplay
