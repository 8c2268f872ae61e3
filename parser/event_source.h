// A trace of any form as batches of events: what the replay and the store see of the parser.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "parser/batch.h"
#include "parser/bundle.h"
#include "parser/decode.h"
#include "parser/event_layout.h"
#include "parser/ftrace_text.h"
#include "parser/input_format.h"
#include "parser/memory_budget.h"

namespace mmreplay {

class EventSource {
 public:
  virtual ~EventSource() = default;

  // The next stretch of the trace, in its order; false at the end. May return batches without events.
  // Events are numbered from 1. Views of a batch borrow from its own text and from the string table.
  // Damage of the input becomes an issue, or an Error where nothing after it can be read.
  virtual bool Next(Batch* batch) = 0;

  // Final once Next has returned false. For binary forms a line is a record.
  virtual const LineCounts& lines() const = 0;
  virtual const TraceHeader& header() const = 0;
  virtual std::vector<TraceIssue> Issues() const = 0;
  // True when time stamps are raw counts of an integer clock; nullopt before the first event.
  virtual std::optional<bool> clock_is_ticks() const = 0;
  // What records may take that wait for earlier ones, before the first Next(). Few forms keep any.
  virtual void set_memory(const MemoryBudget& memory) { static_cast<void>(memory); }
  // Arguments may be left as records (Event::layout); `layouts` must outlive the events; nullptr: they may
  // not. Before the first Next(), and before there are other threads: a reader may start a process of its
  // own. Text forms have none.
  virtual void set_layouts(RecordLayouts* layouts) { static_cast<void>(layouts); }
  // Lines of each file, where several make up the trace (Event::source is their index).
  virtual std::vector<int64_t> part_lines() const { return {}; }
};

// Stamps of binary forms. Clocks count from boot: one in the upper half of 64 bits is damage, and not known.
inline std::optional<int64_t> StampOf(uint64_t recorded) {
  if (recorded >> 63 != 0) return std::nullopt;
  return static_cast<int64_t>(recorded);
}

// Whether this version reads traces of this form.
bool IsReadableTrace(InputFormat format);

class EventFilter;

// A reader for recording.trace by recording.trace_format. `strings` and `decoder` must outlive it.
std::unique_ptr<EventSource> OpenEventSource(const Recording& recording, StringTable* strings,
                                             Decoder* decoder);

// Of the events that `filter` keeps, which must outlive it too.
std::unique_ptr<EventSource> OpenFilteredSource(const Recording& recording, StringTable* strings,
                                                Decoder* decoder, EventFilter* filter);

}  // namespace mmreplay
