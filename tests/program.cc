#include "tests/program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/analysis.h"

namespace mmreplay {
namespace {

void PutAt(int standard, const std::string& path, int flags) {
  int fd = open(path.c_str(), flags, 0666);
  if (fd < 0) _exit(99);
  dup2(fd, standard);
  if (fd != standard) close(fd);
}

}  // namespace

Run Shell(const std::string& command) {
  TemporaryFolder folder;
  std::string line = "cd " MMREPLAY_SOURCE_DIR " && export MMREPLAY=" MMREPLAY_BINARY " && { " + command +
                     "\n} >" + folder.path() + "/out 2>" + folder.path() + "/err";
  int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadFile(folder.path() + "/out"),
          ReadFile(folder.path() + "/err")};
}

pid_t Start(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  setpgid(0, 0);
  PutAt(STDIN_FILENO, surroundings.input, O_RDONLY);
  PutAt(STDERR_FILENO, surroundings.error, O_WRONLY | O_CREAT | O_TRUNC);
  PutAt(STDOUT_FILENO, surroundings.output, O_WRONLY | O_CREAT | O_TRUNC);
  for (int fd : surroundings.closed) close(fd);
  rlimit limit{.rlim_cur = surroundings.cpu_seconds, .rlim_max = surroundings.cpu_seconds + 10};
  setrlimit(RLIMIT_CPU, &limit);
  rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &no_core);
  for (const auto& [name, value] : surroundings.environment) setenv(name.c_str(), value.c_str(), 1);
  if (chdir(MMREPLAY_SOURCE_DIR) != 0) _exit(99);
  std::vector<char*> words = {const_cast<char*>(MMREPLAY_BINARY)};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  execv(MMREPLAY_BINARY, words.data());
  _exit(99);
}

int WaitFor(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

Run Execute(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  TemporaryFolder folder;
  Surroundings all = surroundings;
  if (all.output.empty()) all.output = folder.path() + "/out";
  if (all.error.empty()) all.error = folder.path() + "/err";
  Run run{.exit_code = WaitFor(Start(arguments, all)), .out = {}, .err = {}};
  if (surroundings.output.empty()) run.out = ReadFile(all.output);
  if (surroundings.error.empty()) run.err = ReadFile(all.error);
  return run;
}

}  // namespace mmreplay
