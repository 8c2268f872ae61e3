#include "parser/merged_source.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace mmreplay {
namespace {

// Events a stack frame may still belong to after they were merged.
constexpr size_t kFrameWindow = 1024;

// Of one batch, about as many as in a batch of lines: of these only the arguments are copied.
constexpr size_t kMostEvents = 8192;
constexpr size_t kMostText = kBatchBytes / 2;

void Add(const LineCounts& part, LineCounts* sum) {
  sum->total += part.total;
  sum->events += part.events;
  sum->comments += part.comments;
  sum->continuations += part.continuations;
  sum->markers += part.markers;
  sum->rejected += part.rejected;
}

}  // namespace

MergedSource::MergedSource(std::vector<std::unique_ptr<EventSource>> parts, std::vector<std::string> names) {
  for (size_t i = 0; i < parts.size(); ++i) {
    parts_.push_back({.source = std::move(parts[i]),
                      .batch = {},
                      .last_ts = {},
                      .merged_ids = {},
                      .name = std::move(names[i])});
  }
}

// Has the part's next event at hand; false at its end.
bool MergedSource::Refill(Part* part) {
  while (part->event == part->batch.events.size()) {
    // Markers and frames behind the last event wait for the batch they are in to be used up.
    if (part->marker < part->batch.markers.size() || part->frame < part->batch.frames.size()) return false;
    if (part->ended) return false;
    part->event = part->marker = part->frame = 0;
    if (!part->source->Next(&part->batch)) {
      part->ended = true;
      part->batch = Batch();
      return false;
    }
  }
  return true;
}

// The part's next event waits for its turn. What stands behind the last one needs none. False: before that
// the batch is full.
bool MergedSource::Queue(size_t index, Batch* batch) {
  constexpr auto kAll = static_cast<EventId>(std::numeric_limits<int64_t>::max());
  constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
  Part& part = parts_[index];
  while (!Refill(&part)) {
    TakeMarkers(&part, kAll, batch);
    TakeFrames(&part, kAll, batch);
    if (part.ended) return true;
    if (batch->markers.size() >= kBatchMarkers) return false;
  }
  turns_.emplace(part.batch.events[part.event].ts.value_or(part.last_ts.value_or(kFirst)), index);
  return true;
}

// The kernel prints the sums of all cpus in the file of each (kernel/trace/trace.c of 6.1: print_event_info),
// those of the time when it is read: the first has the fewest, and all of these are there.
void MergedSource::ReadHeaders() {
  for (const Part& part : parts_) {
    const TraceHeader& head = part.source->header();
    if (header_.tracer.empty()) header_.tracer = head.tracer;
    if (head.written && (!header_.written || *head.written < *header_.written)) {
      header_.entries = head.entries;
      header_.written = head.written;
    }
    if (head.cpus) header_.cpus = head.cpus;
  }
}

void MergedSource::TakeMarkers(Part* part, EventId upto, Batch* batch) const {
  auto& markers = part->batch.markers;
  for (; part->marker < markers.size() && markers[part->marker].next_event <= upto; ++part->marker) {
    batch->markers.push_back(markers[part->marker]);
    batch->markers.back().next_event = static_cast<EventId>(next_event_);
  }
}

void MergedSource::TakeFrames(Part* part, EventId upto, Batch* batch) {
  auto& frames = part->batch.frames;
  for (; part->frame < frames.size() && frames[part->frame].event <= upto; ++part->frame) {
    StackFrame frame = frames[part->frame];
    int64_t place = Value(frame.event) - part->first_id;
    if (place < 0 || place >= static_cast<int64_t>(part->merged_ids.size())) continue;
    frame.event = part->merged_ids[static_cast<size_t>(place)];
    frame.text = batch->owned.emplace_back(frame.text);
    batch->frames.push_back(frame);
  }
}

void MergedSource::Take(Part* part, uint32_t index, Batch* batch) {
  Event event = part->batch.events[part->event++];
  EventId own_id = event.id;
  TakeMarkers(part, own_id, batch);
  std::string_view args = part->batch.Args(event);
  size_t begin = batch->text.size();
  batch->text.insert(batch->text.end(), args.begin(), args.end());
  event.args = {static_cast<uint32_t>(begin), static_cast<uint32_t>(args.size())};
  batch->KeepTextOf(&event);
  event.id = static_cast<EventId>(next_event_++);
  event.source = index;
  if (event.ts) part->last_ts = event.ts;
  part->merged_ids.push_back(event.id);
  if (part->merged_ids.size() > kFrameWindow) {
    part->merged_ids.pop_front();
    ++part->first_id;
  }
  batch->events.push_back(event);
  TakeFrames(part, own_id, batch);
}

bool MergedSource::Next(Batch* batch) {
  *batch = Batch();
  batch->text.reserve(kMostText);  // views into it must stay
  batch->events.reserve(kMostEvents);
  if (!begun_) {
    for (Part& part : parts_) Refill(&part);
    ReadHeaders();
    for (size_t i = parts_.size(); i > 0; --i) to_queue_.push_back(i - 1);
    begun_ = true;
  }
  while (!to_queue_.empty() || !turns_.empty()) {
    if (!to_queue_.empty()) {
      if (!Queue(to_queue_.back(), batch)) return true;
      to_queue_.pop_back();
      continue;
    }
    size_t index = turns_.top().second;
    Part& part = parts_[index];
    const Event& event = part.batch.events[part.event];
    bool full = batch->text.size() + event.args.size > kMostText || batch->events.size() == kMostEvents ||
                batch->markers.size() >= kBatchMarkers;
    if (full && !(batch->events.empty() && batch->markers.empty())) return true;
    if (auto ticks = part.source->clock_is_ticks(); ticks) {
      if (!clock_is_ticks_) clock_is_ticks_ = ticks;
      clocks_differ_ += ticks != clock_is_ticks_;
    }
    turns_.pop();
    Take(&part, static_cast<uint32_t>(index), batch);
    to_queue_.push_back(index);
  }
  lines_ = {};
  for (const Part& part : parts_) Add(part.source->lines(), &lines_);
  return !batch->events.empty() || !batch->markers.empty();
}

std::vector<int64_t> MergedSource::part_lines() const {
  std::vector<int64_t> lines;
  for (const Part& part : parts_) lines.push_back(part.source->lines().total);
  return lines;
}

std::vector<TraceIssue> MergedSource::Issues() const {
  std::vector<TraceIssue> all;
  for (const Part& part : parts_) {
    for (TraceIssue& issue : part.source->Issues()) {
      if (issue.first_line > 0) issue.text += " (" + part.name + ")";
      CountIssue(std::move(issue), &all);
    }
  }
  if (clocks_differ_ > 0) {
    all.push_back(
        {TraceIssue::Severity::kError, "clocks differ", 0, clocks_differ_,
         "the files were recorded with clocks of different kinds: their events cannot be put in order"});
  }
  return all;
}

}  // namespace mmreplay
