// The program itself, run as others run it.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace mmreplay {

struct Run {
  int exit_code;  // minus the signal's number, where one ended it and no shell was between
  std::string out;
  std::string err;
};

// Runs in the source folder, with $MMREPLAY set to the program.
Run Shell(const std::string& command);

// What a run finds when it starts.
struct Surroundings {
  std::map<std::string, std::string> environment = {};  // added
  std::string input = "/dev/null";
  std::string output = {};  // a file; empty: `Run::out`
  std::string error = {};
  std::vector<int> closed = {};  // of the standard files
  unsigned cpu_seconds = 60;     // what takes longer is ended by SIGXCPU
};

// Without a shell, in a process group of its own.
Run Execute(const std::vector<std::string>& arguments, const Surroundings& surroundings = {});
// Its process id; `output` and `error` are files.
pid_t Start(const std::vector<std::string>& arguments, const Surroundings& surroundings);
// As Run::exit_code has it.
int WaitFor(pid_t pid);

}  // namespace mmreplay
