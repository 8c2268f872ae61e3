#include "tests/program.h"

#include <sys/wait.h>

#include <cstdlib>

#include "tests/analysis.h"

namespace mmreplay {

Run Shell(const std::string& command) {
  TemporaryFolder folder;
  std::string line = "cd " MMREPLAY_SOURCE_DIR " && export MMREPLAY=" MMREPLAY_BINARY " && { " + command +
                     "\n} >" + folder.path() + "/out 2>" + folder.path() + "/err";
  int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadFile(folder.path() + "/out"),
          ReadFile(folder.path() + "/err")};
}

}  // namespace mmreplay
