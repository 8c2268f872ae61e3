#include "parser/small_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "parser/error.h"

namespace mmreplay {

namespace {

// Of a fifo nobody has opened for writing yet the end would be read.
void WaitForWriter(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISFIFO(status.st_mode)) return;
  pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
  while (poll(&readable, 1, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace

std::string ReadSmallFile(const std::string& path, size_t limit) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) throw Error(path + ": " + Reason(errno));
  WaitForWriter(fd);
  std::string text;
  std::vector<char> buffer(size_t{64} * 1024);
  ssize_t got = 0;
  int error = 0;
  fcntl(fd, F_SETFL, 0);
  while (text.size() <= limit) {
    got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  close(fd);
  if (error == EISDIR) throw Error(path + ": is a directory");
  if (error != 0) throw Error(path + ": " + Reason(error));
  if (text.size() > limit)
    throw Error(path + ": is longer than " + std::to_string(limit >> 20) + " MiB; give a file of text");
  return text;
}

}  // namespace mmreplay
