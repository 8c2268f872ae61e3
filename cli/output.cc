#include "cli/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "parser/error.h"

namespace mmreplay {
namespace {

bool begun = false;

}  // namespace

void WriteOutput(std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      begun |= written > 0;
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE) {
      _exit(0);
    } else if (errno != EINTR) {
      throw Error("standard output: " + Reason(errno));
    }
  }
}

void WriteToPeople(std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

void OccupyStandardFiles() {
  for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(standard, F_GETFD) >= 0 || errno != EBADF) continue;
    // Open the wrong way round: using it fails, as if it were closed.
    int fd = open("/dev/null", standard == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (fd > STDERR_FILENO) close(fd);
  }
}

bool OutputBegun() {
  return begun;
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

bool IsErrorTerminal() {
  static const bool terminal = isatty(STDERR_FILENO) == 1;
  return terminal;
}

ProgressLine::ProgressLine() : begun_(std::chrono::steady_clock::now()), last_(begun_) {}

void ProgressLine::Show(const std::function<std::string()>& text) {
  if (!IsErrorTerminal()) return;
  constexpr std::chrono::milliseconds kBetween(200);
  constexpr std::chrono::seconds kPatience(1);
  auto now = std::chrono::steady_clock::now();
  if (now - begun_ < kPatience || now - last_ < kBetween) return;
  last_ = now;
  drawn_ = true;
  WriteToPeople("\r\x1b[K" + text());
}

void ProgressLine::ShowEvents(int64_t events) {
  Show([&] {
    std::chrono::duration<double> seconds = last_ - begun_;
    return fmt::format("mmreplay: {} events, {:.0f} s", CountText(events), seconds.count());
  });
}

void ProgressLine::Clear() {
  if (drawn_) WriteToPeople("\r\x1b[K");
  drawn_ = false;
}

TextStyle OutputStyle() {
  const char* no_color = std::getenv("NO_COLOR");
  return {.colour = isatty(STDOUT_FILENO) == 1 && !(no_color && *no_color)};
}

}  // namespace mmreplay
