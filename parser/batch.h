// A stretch of a trace: the unit that travels from the parser through the replay to the store.
// Cut by input bytes, never by time, so that every run over the same bytes cuts the same batches.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parser/event.h"

namespace mmreplay {

// Every line of an input is exactly one of these.
struct LineCounts {
  int64_t total = 0;
  int64_t events = 0;
  int64_t comments = 0;       // headers, prose, blank lines: recognised, no event
  int64_t continuations = 0;  // stack frames, further lines of a marker's text
  int64_t markers = 0;        // lost events, buffer starts
  int64_t rejected = 0;       // looks like an event and could not be read
  int64_t left_out = 0;       // of the events, by filters (event_filter.h)

  bool operator==(const LineCounts&) const = default;
};

// A data-quality fact, counted per kind; the text tells the user what to do about it.
struct TraceIssue {
  enum class Severity : uint8_t { kInfo, kWarning, kError };
  Severity severity;
  std::string kind;
  int64_t first_line;  // 0 where no line is to blame
  int64_t count;
  std::string text;
};

// Of each kind the first one is kept, with the number of all.
inline void CountIssue(TraceIssue issue, std::vector<TraceIssue>* issues) {
  for (TraceIssue& known : *issues) {
    if (known.kind != issue.kind) continue;
    known.count += issue.count;
    return;
  }
  issues->push_back(std::move(issue));
}

// Characters that are not set to 0 before they are read into.
template <typename T>
struct UninitializedAllocator : std::allocator<T> {
  template <typename U>
  struct rebind {
    using other = UninitializedAllocator<U>;
  };
  template <typename U>
  void construct(U* at) {
    ::new (static_cast<void*>(at)) U;
  }
  template <typename U, typename... Arguments>
  void construct(U* at, Arguments&&... arguments) {
    ::new (static_cast<void*>(at)) U(std::forward<Arguments>(arguments)...);
  }
};
using TextBuffer = std::vector<char, UninitializedAllocator<char>>;

// The text one batch is made of, about.
inline constexpr size_t kBatchBytes = size_t{1024} * 1024;

struct Batch {
  Batch() = default;
  Batch(Batch&&) = default;
  Batch& operator=(Batch&&) = default;
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // Empty, with the memory it has.
  void Clear() {
    text.clear();
    text_at.reset();
    owned.clear();
    events.clear();
    markers.clear();
    frames.clear();
    fields.clear();
  }

  // About how much memory it takes.
  size_t Weight() const {
    return text.size() + owned.size() * 64 + events.size() * sizeof(Event) +
           markers.size() * sizeof(LossMarker) + frames.size() * sizeof(StackFrame) +
           fields.size() * sizeof(FieldValue);
  }

  TextBuffer text;                  // what the views in events and frames borrow from
  std::optional<uint64_t> text_at;  // where text begins in the trace's file, if it is there as it stands
  std::deque<std::string> owned;    // and texts that are not in the input as they stand
  std::vector<Event> events;
  std::vector<LossMarker> markers;
  std::vector<StackFrame> frames;
  std::vector<FieldValue> fields;  // of all events, see Event::first_field
};

// Calls see(marker) and see(event) in the order in which they stand in the trace. `batch` is a Batch or a
// const one.
template <typename AnyBatch, typename See>
void ForEachInOrder(AnyBatch& batch, See&& see) {
  auto marker = batch.markers.begin();
  for (auto& event : batch.events) {
    for (; marker != batch.markers.end() && marker->next_event <= event.id; ++marker) see(*marker);
    see(event);
  }
  for (; marker != batch.markers.end(); ++marker) see(*marker);
}

}  // namespace mmreplay
