#include "cli/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "parser/error.h"

namespace mmreplay {
namespace {

bool begun = false;

// There is one terminal.
std::atomic<bool> progress_drawn = false;
constexpr std::string_view kClearLine = "\r\x1b[K";

// "1.2 GB"
std::string BytesText(int64_t bytes) {
  constexpr std::array kUnits = {"B", "KB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

// "2:04", "1:02:04"
std::string DurationText(int64_t seconds) {
  std::string minutes = fmt::format("{}:{:02}", seconds / 60 % 60, seconds % 60);
  if (seconds < 3600) return minutes;
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

void WriteAll(std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      begun |= written > 0;
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE) {
      throw OutputGone();
    } else if (errno != EINTR) {
      throw Error("standard output: " + Reason(errno));
    }
  }
}

}  // namespace

void WriteToPeople(std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

void WriteOutput(std::string_view text) {
  WriteAll(Harmless(text, OutputStyle()));
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
  if (gone_) return;
  buffer_ += Harmless(text, style_);
  if (buffer_.size() >= kEnough) Flush();
}

void BufferedOutput::Flush() {
  try {
    WriteAll(buffer_);
  } catch (const OutputGone&) {
    if (without_reader_ == WithoutReader::kStop) throw;
    gone_ = true;
  }
  buffer_.clear();
}

void Tell(std::string_view message, const std::vector<std::string>& below) {
  std::string shown = "mmreplay: " + Printable(message) + "\n";
  for (const std::string& line : below) shown += "  " + Printable(line) + "\n";
  WriteToPeople(shown);
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
  progress_drawn = true;
  WriteToPeople(std::string(kClearLine) + Printable(text()));
}

void ProgressLine::ShowReading(int64_t events, const ReadingProgress& bytes) {
  Show([&] {
    std::chrono::duration<double> seconds = last_ - begun_;
    return ReadingText(events, bytes, seconds.count());
  });
}

void ProgressLine::Clear() {
  ClearProgressLine();
}

void ClearProgressLine() {
  if (progress_drawn.exchange(false)) {
    [[maybe_unused]] ssize_t written = write(STDERR_FILENO, kClearLine.data(), kClearLine.size());
  }
}

ReadingProgress ProgressOf(const Recording& recording) {
  std::vector<std::shared_ptr<ReadCount>> files;  // members of one archive share theirs
  auto add = [&](const std::shared_ptr<ReadCount>& bytes) {
    if (bytes && std::find(files.begin(), files.end(), bytes) == files.end()) files.push_back(bytes);
  };
  if (recording.trace_file) {
    add(recording.trace_file->bytes());
  } else {
    add(recording.trace.bytes);
    for (const InputMember& member : recording.more_traces) add(member.bytes);
  }
  ReadingProgress progress{.read = 0, .total = 0};
  for (const auto& file : files) {
    progress.read += file->read;
    progress.total =
        progress.total && file->total ? std::optional(*progress.total + *file->total) : std::nullopt;
  }
  return progress;
}

std::string ReadingText(int64_t events, const ReadingProgress& bytes, double seconds) {
  std::string text = "mmreplay: ";
  bool known = bytes.total && *bytes.total > 0;
  double share = known ? static_cast<double>(bytes.read) / static_cast<double>(*bytes.total) : 0;
  if (bytes.read > 0) text += BytesText(bytes.read);
  if (bytes.read > 0 && known)
    text += fmt::format(" of {} ({:.0f} %)", BytesText(*bytes.total), std::floor(share * 100));
  if (bytes.read > 0) text += ", ";
  text += fmt::format("{} events", CountText(events));
  if (seconds > 0)
    text +=
        fmt::format(", {} events/s", CountText(static_cast<int64_t>(static_cast<double>(events) / seconds)));
  if (share > 0 && share < 1)
    text +=
        fmt::format(", {} left", DurationText(static_cast<int64_t>(std::ceil(seconds / share - seconds))));
  return text;
}

TextStyle OutputStyle() {
  const char* no_color = std::getenv("NO_COLOR");
  return {.colour = isatty(STDOUT_FILENO) == 1 && !(no_color && *no_color)};
}

}  // namespace mmreplay
