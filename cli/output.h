#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/bundle.h"
#include "report/format.h"

namespace mmreplay {

// Colours only on a terminal, and not where NO_COLOR asks for none.
TextStyle OutputStyle();

// Thrown where who read standard output went away (EPIPE): nobody needs the rest of it, and that is no
// trouble.
class OutputGone {};

// Writes a result, or a piece of one, to standard output. Nothing in it controls a terminal but our own
// colours: see Harmless. Throws OutputGone; a full disk is an Error.
void WriteOutput(std::string_view text);

// To standard error, as it is. That it cannot be written changes no result.
void WriteToPeople(std::string_view text);

// Says something to people, on standard error: one line, and below it others, indented. Nothing else of ours
// writes there but the progress line.
void Tell(std::string_view message, const std::vector<std::string>& below = {});

// To be called first: a standard file that is closed would be the next file that is opened, and a report be
// written into the database.
void OccupyStandardFiles();

// Something was written.
bool OutputBegun();

// Collects a long result into few writes.
class BufferedOutput {
 public:
  enum class WithoutReader : uint8_t {
    kStop,  // throws OutputGone
    kGoOn,  // there is more to do than to print: what is printed is dropped
  };

  explicit BufferedOutput(WithoutReader without_reader = WithoutReader::kStop)
      : without_reader_(without_reader) {}
  WriteFn writer() {
    return [this](std::string_view text) { Add(text); };
  }
  // To be called at the end: what was not flushed is lost.
  void Flush();

 private:
  void Add(std::string_view text);

  TextStyle style_ = OutputStyle();
  std::string buffer_;
  WithoutReader without_reader_;
  bool gone_ = false;
};

// Whether people read standard error as it comes.
bool IsErrorTerminal();

// Bytes of the files of a trace. Of none known: `read` is 0.
struct ReadingProgress {
  int64_t read = 0;
  std::optional<int64_t> total;
};
ReadingProgress ProgressOf(const Recording& recording);

// "mmreplay: 1.2 GB of 4.5 GB (27 %), 8,123,456 events, 812,345 events/s, 2:04 left": `seconds` since it
// began.
std::string ReadingText(int64_t events, const ReadingProgress& bytes, double seconds);

// What is being done, on one line of standard error that is written over. Only on a terminal, and only
// for work that takes longer than a second. Gone with its owner.
class ProgressLine {
 public:
  ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { Clear(); }

  // `text` is asked for where the line is due.
  void Show(const std::function<std::string()>& text);
  // How far a recording has been read.
  void ShowReading(int64_t events, const ReadingProgress& bytes);
  void Clear();

 private:
  std::chrono::steady_clock::time_point begun_;
  std::chrono::steady_clock::time_point last_;
};

// May be called from a signal handler: what is drawn of a progress line is gone.
void ClearProgressLine();

}  // namespace mmreplay
