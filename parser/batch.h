// A stretch of a trace: the unit that travels from the parser through the replay to the store.
// Cut by input bytes, never by time, so that every run over the same bytes cuts the same batches.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
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
// It ends behind so many markers, too. A line with one has some twenty bytes.
inline constexpr size_t kBatchMarkers = kBatchBytes / 16;

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
    args_at.reset();
    owned.clear();
    events.clear();
    markers.clear();
    frames.clear();
    fields.clear();
    released_ = 0;
  }

  // The arguments of one of its events, borrowed. Of those that were put away, or a text that was released,
  // only their place is known.
  std::string_view Args(const Event& event) const {
    if (event.args.is_owned()) return owned[event.args.at & ~ArgsPlace::kOwned];
    if (args_at || released_ > 0) return {};
    return {text.data() + event.args.at, event.args.size};
  }
  // Where they are if they stand in the text, else of a copy.
  ArgsPlace PlaceOf(std::string_view args) {
    if (args.empty()) return {};
    auto size = static_cast<uint32_t>(args.size());
    std::less<> before;
    bool within = !before(args.data(), text.data()) && before(args.data(), text.data() + text.size());
    if (within) return {static_cast<uint32_t>(args.data() - text.data()), size};
    owned.emplace_back(args);
    return {static_cast<uint32_t>(owned.size() - 1) | ArgsPlace::kOwned, size};
  }

  // What the event's payload borrows will stay, whatever becomes of the text it is in.
  void KeepTextOf(Event* event) {
    if (auto* migrate = std::get_if<MigratePages>(&event->payload))
      migrate->reason = owned.emplace_back(migrate->reason);
  }

  // Hands the text's memory to another batch: for who reads arguments from the trace's file, or has put them
  // away. Fields and frames go, too.
  void ReleaseText(TextBuffer* to) {
    fields.clear();
    frames.clear();
    released_ = text.size();
    *to = std::exchange(text, {});
  }

  // About how much memory it takes, a text included that was released: how far a run looks ahead must not
  // depend on that.
  size_t Weight() const {
    return text.size() + released_ + owned.size() * 64 + events.size() * sizeof(Event) +
           markers.size() * sizeof(LossMarker) + frames.size() * sizeof(StackFrame) +
           fields.size() * sizeof(FieldValue);
  }

  TextBuffer text;                  // what arguments, fields and frames borrow from
  std::optional<uint64_t> text_at;  // where text begins in the trace's file, if it is there as it stands
  std::optional<uint64_t>
      args_at;  // where the arguments begin that were put away: their places count from there
  std::deque<std::string> owned;  // and texts that are not in the input as they stand
  std::vector<Event> events;
  std::vector<LossMarker> markers;
  std::vector<StackFrame> frames;
  std::vector<FieldValue> fields;  // of all events, see Event::first_field

 private:
  size_t released_ = 0;  // bytes
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
