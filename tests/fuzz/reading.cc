#include "tests/fuzz/reading.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>

#include "parser/typed_fields.h"
#include "tests/fuzz/sections.h"
#include "tests/fuzz/target.h"

namespace mmreplay {
namespace {

// Addresses of unrelated objects compare through std::less only.
bool Within(std::string_view view, std::string_view whole) {
  std::less_equal<> not_after;
  return not_after(whole.data(), view.data()) &&
         not_after(view.data() + view.size(), whole.data() + whole.size());
}

void CheckBorrowed(std::string_view view, const Batch& batch, std::string_view what) {
  if (view.empty()) return;
  bool found = Within(view, {batch.text.data(), batch.text.size()}) ||
               std::any_of(batch.owned.begin(), batch.owned.end(),
                           [&](const std::string& text) { return Within(view, text); });
  Require(found, what);
}

void CheckNames(const Event& event, const StringTable& strings) {
  for (StringId id : {event.comm, event.name, event.context})
    Require(static_cast<uint32_t>(id) < strings.size(), "names are in the string table");
}

void CheckBatch(const Batch& batch, const StringTable& strings) {
  for (const Event& event : batch.events) {
    CheckNames(event, strings);
    Require(event.args.is_owned() ? (event.args.at & ~ArgsPlace::kOwned) < batch.owned.size()
                                  : size_t{event.args.at} + event.args.size <= batch.text.size(),
            "arguments are in the batch's text");
    // In the text or static: a sanitizer sees whether it may be read.
    if (const auto* migrate = std::get_if<MigratePages>(&event.payload))
      Require(migrate->reason.find("never a reason") == std::string_view::npos,
              "a payload's text may be read");
    Require(event.first_field + event.field_count <= batch.fields.size(),
            "an event's fields are in its batch");
  }
  for (const StackFrame& frame : batch.frames)
    CheckBorrowed(frame.text, batch, "frames are in the batch's text");
  for (const FieldValue& field : batch.fields)
    CheckBorrowed(field.text, batch, "values of fields are in the batch's text");
}

class Order {
 public:
  explicit Order(bool lines_are_text) : lines_are_text_(lines_are_text) {}

  void See(const Batch& batch) {
    int64_t before = next_event_;
    for (const Event& event : batch.events) {
      Require(Value(event.id) == next_event_++, "events are numbered one after the other");
      int64_t& line = last_line_[event.source];
      // Records of a binary form are put in order by time.
      Require(event.line > 0 && (event.line >= line || !lines_are_text_), "lines do not go back");
      line = std::max(line, event.line);
    }
    int64_t marker_event = before;
    for (const LossMarker& marker : batch.markers) {
      int64_t next = Value(marker.next_event);
      Require(next >= marker_event && next <= next_event_, "markers stand between the events of their batch");
      marker_event = next;
    }
    for (const StackFrame& frame : batch.frames) {
      Require(Value(frame.event) >= 1 && Value(frame.event) < next_event_, "frames are of events there were");
      Require(frame.depth >= 0, "frames are counted from 0");
    }
  }

  int64_t events() const { return next_event_ - 1; }
  int64_t last_line() const {
    int64_t last = 0;
    for (const auto& [source, line] : last_line_) last = std::max(last, line);
    return last;
  }

 private:
  bool lines_are_text_;
  int64_t next_event_ = 1;
  std::map<uint32_t, int64_t> last_line_;
};

}  // namespace

ReadFn ReadPieces(std::string_view bytes, size_t piece) {
  return [bytes, piece](char* buffer, size_t size) mutable -> size_t {
    size_t take = std::min({bytes.size(), piece, size});
    bytes.copy(buffer, take);
    bytes.remove_prefix(take);
    return take;
  };
}

int MemoryFile(std::string_view bytes) {
  int fd = memfd_create("input", MFD_CLOEXEC);
  Require(fd >= 0, "there is memory for a file");
  while (!bytes.empty()) {
    ssize_t wrote = write(fd, bytes.data(), bytes.size());
    Require(wrote > 0, "there is memory for a file");
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return fd;
}

std::string PathOf(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

InputFiles::InputFiles(std::string_view input, bool as_archive) {
  auto sections = SplitSections(input);
  if (as_archive || sections.empty()) {
    files_.push_back(MemoryFile(PackSections(input)));
    return;
  }
  constexpr size_t kMost = 64;
  sections.resize(std::min(sections.size(), kMost));
  for (const auto& [name, content] : sections) files_.push_back(MemoryFile(content));
}

InputFiles::~InputFiles() {
  for (int fd : files_) close(fd);
}

std::vector<std::string> InputFiles::paths() const {
  std::vector<std::string> paths;
  for (int fd : files_) paths.push_back(PathOf(fd));
  return paths;
}

ReadTotals ReadToEnd(EventSource* source, const Recording& recording, const StringTable& strings,
                     const Decoder& decoder, bool lines_are_text, std::optional<std::string_view> text) {
  TypedFields fields(&strings, recording.formats, decoder.probes());
  ReadTotals totals;
  Order order(lines_are_text);
  Batch batch;
  while (source->Next(&batch)) {
    for (Event& event : batch.events) fields.Assign(&event, &batch);
    Batch moved = std::move(batch);
    order.See(moved);
    if (text && moved.text_at) {
      std::string_view read(moved.text.data(), moved.text.size());
      Require(*moved.text_at <= text->size() && text->substr(*moved.text_at).starts_with(read),
              "a batch's text stands where it says");
    }
    CheckBatch(moved, strings);
    // A boot is a line of its own, and no line of the trace.
    totals.markers += std::count_if(moved.markers.begin(), moved.markers.end(), [](const LossMarker& marker) {
      return marker.kind != LossMarker::Kind::kNextBoot && marker.kind != LossMarker::Kind::kUnreadable;
    });
    totals.frames += static_cast<int64_t>(moved.frames.size());
    batch = Batch();
  }
  const LineCounts& lines = source->lines();
  totals.lines = lines;
  Require(lines.total == lines.events + lines.comments + lines.continuations + lines.markers + lines.rejected,
          "each line is counted once");
  Require(std::min({lines.events, lines.comments, lines.continuations, lines.markers, lines.rejected}) >= 0,
          "no count is negative");
  Require(lines.events == order.events(), "event lines are events");
  Require(!lines_are_text || lines.markers == totals.markers, "marker lines are markers");
  Require(order.last_line() <= lines.total, "no event is behind the last line");
  for (const TraceIssue& issue : source->Issues()) {
    Require(issue.count > 0 && !issue.text.empty() && !issue.kind.empty(), "issues say something");
    Require(issue.first_line >= 0 && issue.first_line <= lines.total, "issues are about lines there are");
  }
  int64_t typed = 0;
  for (const EventKind& kind : fields.kinds()) typed += kind.rows;
  Require(typed == lines.events, "each event is of one kind");
  return totals;
}

}  // namespace mmreplay
