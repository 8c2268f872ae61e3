// The program itself, run through the shell.
#pragma once

#include <string>

namespace mmreplay {

struct Run {
  int exit_code;
  std::string out;
  std::string err;
};

// Runs in the source folder, with $MMREPLAY set to the program.
Run Shell(const std::string& command);

}  // namespace mmreplay
