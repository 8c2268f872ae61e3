#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "parser/error.h"

namespace mmreplay {
namespace {

bool begun = false;

void WriteAll(std::string_view text) {
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

}  // namespace

void WriteOutput(std::string_view text) {
  WriteAll(Harmless(text, OutputStyle()));
}

bool OutputBegun() {
  return begun;
}

void BufferedOutput::Add(std::string_view text) {
  constexpr size_t kEnough = size_t{64} * 1024;
  buffer_ += Harmless(text, style_);
  if (buffer_.size() >= kEnough) Flush();
}

void BufferedOutput::Flush() {
  WriteAll(buffer_);
  buffer_.clear();
}

void Tell(std::string_view message) {
  std::string shown = "mmreplay: ";
  while (!message.empty()) {
    // Below the first line of a message stands what it is about, indented. Any other end of a line came with
    // a path or a name.
    size_t end = message.find("\n  ");
    shown += Printable(message.substr(0, end)) + "\n";
    if (end == std::string_view::npos) break;
    shown += "  ";
    message.remove_prefix(end + 3);
  }
  fmt::print(stderr, "{}", shown);
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
  fmt::print(stderr, "\r\x1b[K{}", Printable(text()));
}

void ProgressLine::ShowEvents(int64_t events) {
  Show([&] {
    std::chrono::duration<double> seconds = last_ - begun_;
    return fmt::format("mmreplay: {} events, {:.0f} s", CountText(events), seconds.count());
  });
}

void ProgressLine::Clear() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
}

TextStyle OutputStyle() {
  const char* no_color = std::getenv("NO_COLOR");
  return {.colour = isatty(STDOUT_FILENO) == 1 && !(no_color && *no_color)};
}

}  // namespace mmreplay
