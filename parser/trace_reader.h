// Reads a text trace in one pass: bytes -> lines -> events, in batches. Memory is bounded by the
// batch size whatever the input.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "parser/batch.h"
#include "parser/decode.h"
#include "parser/event_source.h"
#include "parser/ftrace_text.h"
#include "parser/input.h"

namespace mmreplay {

class TraceReader : public EventSource {
 public:
  // Lines longer than this are rejected (and counted); a batch holds at most this much text.
  static constexpr size_t kBatchBytes = size_t{1024} * 1024;

  // `strings` and `decoder` must outlive the reader. `read` is called until it returns 0.
  TraceReader(ReadFn read, StringTable* strings, Decoder* decoder);

  bool Next(Batch* batch) override;
  const LineCounts& lines() const override { return lines_; }
  const TraceHeader& header() const override { return header_; }
  std::vector<TraceIssue> Issues() const override { return issues_; }
  std::optional<bool> clock_is_ticks() const override { return clock_is_ticks_; }

 private:
  enum class Line : uint8_t { kEvent, kComment, kContinuation, kMarker, kRejected };

  bool FillText(std::vector<char>* text);
  void ReadLine(std::string_view line, bool terminated, Batch* batch);
  Line Classify(std::string_view line, bool terminated, Batch* batch);
  Line AddEvent(const TraceLine& split, Batch* batch);
  void Note(TraceIssue::Severity severity, std::string_view kind, std::string_view text);

  ReadFn read_;
  StringTable* strings_;
  Decoder* decoder_;

  std::string carry_;  // the unfinished last line of the previous batch
  bool input_ended_ = false;
  bool skipping_line_ = false;  // inside a line longer than a batch
  LineCounts lines_;
  TraceHeader header_;
  bool native_ = false;  // a `trace` file with its header: foreign lines are damage, not prose
  int64_t next_event_ = 1;
  std::optional<bool> clock_is_ticks_;
  std::vector<TraceIssue> issues_;

  // What a line without an event of its own may belong to.
  struct LastOnCpu {
    int32_t pid;
    EventId event;
  };
  std::unordered_map<int32_t, LastOnCpu> last_on_cpu_;
  std::optional<EventId> stack_owner_;  // event the frames below belong to
  int32_t next_depth_ = 0;
  bool text_may_continue_ = false;  // the last event carries user text, which may hold newlines
};

}  // namespace mmreplay
