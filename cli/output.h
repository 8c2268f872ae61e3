#pragma once

#include <string>
#include <string_view>

#include "report/format.h"

namespace mmreplay {

// Writes a result to standard output. A reader that went away ends the program quietly; a full disk
// is an Error.
void WriteOutput(std::string_view text);

// Collects a long result into few writes.
class BufferedOutput {
 public:
  WriteFn writer() {
    return [this](std::string_view text) { Add(text); };
  }
  // To be called at the end: what was not flushed is lost.
  void Flush();

 private:
  void Add(std::string_view text);

  std::string buffer_;
};

// Colours only on a terminal, and not where NO_COLOR asks for none.
TextStyle OutputStyle();

}  // namespace mmreplay
