#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "parser/error.h"

namespace mmreplay {

void WriteOutput(std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE) {
      _exit(0);
    } else if (errno != EINTR) {
      throw Error("standard output: " + Reason(errno));
    }
  }
}

void BufferedOutput::Add(std::string_view text) {
  constexpr size_t kEnough = size_t{64} * 1024;
  buffer_ += text;
  if (buffer_.size() >= kEnough) Flush();
}

void BufferedOutput::Flush() {
  WriteOutput(buffer_);
  buffer_.clear();
}

TextStyle OutputStyle() {
  const char* no_color = std::getenv("NO_COLOR");
  return {.colour = isatty(STDOUT_FILENO) == 1 && !(no_color && *no_color)};
}

}  // namespace mmreplay
