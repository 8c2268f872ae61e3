// Reading an input to its end, with all that must hold of what any reader hands out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/event_source.h"
#include "parser/input.h"

namespace mmreplay {

// Hands out `bytes` (which must outlive it) in pieces of at most `piece`.
ReadFn ReadPieces(std::string_view bytes, size_t piece);

// An unnamed file in memory with these bytes.
int MemoryFile(std::string_view bytes);

// What opens the same file by name, as long as `fd` is open.
std::string PathOf(int fd);

// The sections of the input as files in memory, or its archive (see sections.h), as long as this lives.
class InputFiles {
 public:
  InputFiles(std::string_view input, bool as_archive);
  InputFiles(const InputFiles&) = delete;
  InputFiles& operator=(const InputFiles&) = delete;
  ~InputFiles();

  std::vector<std::string> paths() const;

 private:
  std::vector<int> files_;
};

struct ReadTotals {
  LineCounts lines;
  int64_t markers = 0;
  int64_t frames = 0;
};

// Reads `source` to its end, types the fields of its events, and checks: events are numbered one after the
// other, lines do not go back within a file, views are of the batch's own text, also when the batch has
// moved, frames belong to events there were, and the sums add up. A batch that says where its text stands has
// it from there (`text`, where the input is one). Binary forms tell losses that no line stands for
// (`lines_are_text` false). Throws what the source throws.
ReadTotals ReadToEnd(EventSource* source, const Recording& recording, const StringTable& strings,
                     const Decoder& decoder, bool lines_are_text, std::optional<std::string_view> text = {});

}  // namespace mmreplay
