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
#include "parser/buffer_copies.h"
#include "parser/decode.h"
#include "parser/disguise.h"
#include "parser/event_filter.h"
#include "parser/event_source.h"
#include "parser/ftrace_text.h"
#include "parser/input.h"
#include "parser/line_format.h"

namespace mmreplay {

// The same texts line after line. Readers of files of one recording may share them: there may be thousands.
struct RecentTexts {
  RecentText comms;
  RecentText names;
  RecentText contexts;
};

class TraceReader : public EventSource {
 public:
  // A batch holds at most this many lines: an event takes much more memory than the shortest line.
  static constexpr size_t kBatchLines = size_t{16} * 1024;

  // `strings` and `decoder` must outlive the reader. `read` is called until it returns 0. A batch holds at
  // most `batch_bytes` of text, or one line of `longest_line`; longer lines are rejected (and counted).
  // `recent` is of the same `strings`; without it the reader has its own.
  TraceReader(ReadFn read, std::unique_ptr<LineFormat> format, StringTable* strings, Decoder* decoder,
              size_t batch_bytes = kBatchBytes, size_t longest_line = 0,
              std::shared_ptr<RecentTexts> recent = nullptr);

  // Borrowed. Events it does not keep are counted and not decoded.
  void set_filter(EventFilter* filter) { filter_ = filter; }

  bool Next(Batch* batch) override;
  const LineCounts& lines() const override { return lines_; }
  const TraceHeader& header() const override { return header_; }
  std::vector<TraceIssue> Issues() const override;
  std::optional<bool> clock_is_ticks() const override { return clock_is_ticks_; }

 private:
  bool FillText(TextBuffer* text);
  void ReadLine(std::string_view line, bool terminated, Batch* batch);
  bool Unfold(std::string_view* line, bool last, Batch* batch);
  void FinishFolded(Batch* batch);
  void Count(LineKind kind);
  LineKind Classify(std::string_view line, bool terminated, Batch* batch);
  LineKind AddOther(const OtherLine& other, Batch* batch);
  // `concerning`: what it may be about, nullopt where that cannot be told.
  LineKind Reject(std::string_view line, std::optional<std::string_view> concerning, const char* why,
                  Batch* batch);
  bool TakeHole(std::string_view* line, Batch* batch);
  void LeaveOutLongLine(std::string_view line, Batch* batch);
  bool HoldsAnotherEvent() const;
  void AddUnreadable(int32_t cpu, Batch* batch) const;
  LineKind AddMarker(const LossMarker& marker, Batch* batch) const;
  bool HasMeaning(const TraceBody& body);
  void ReadHead(std::string_view line);
  void BeginAnother(const TraceLine& split, Batch* batch);
  bool Keeps(const TraceLine& split, const TraceBody& body, Batch* batch);
  LineKind AddEvent(const TraceLine& split, const TraceBody& body, Batch* batch);
  void KeepWhole(const TraceBody& body, Event* event, Batch* batch);
  void TellLeftOut(Batch* batch);
  bool IsHeadless(std::string_view line, bool in_events) const;
  bool MayBePiece(std::string_view line) const;
  void AddPiece(std::string_view line);
  void RejectPieces(Batch* batch);
  void SeeWidth(std::string_view line);
  bool IsCutAtWidth() const;
  bool IsCopy(const TraceLine& split, const Event& event, std::string_view args);
  const Event& StoreEvent(EventId id, const TraceLine& split, const TraceBody& body, Batch* batch);
  LineKind AddFrame(std::string_view frame, Batch* batch);
  void Note(TraceIssue::Severity severity, std::string_view kind, std::string_view text);

  ReadFn read_;
  std::unique_ptr<LineFormat> format_;
  StringTable* strings_;
  std::shared_ptr<RecentTexts> recent_;
  Decoder* decoder_;
  size_t batch_bytes_;
  size_t longest_line_;
  EventFilter* filter_ = nullptr;

  uint64_t text_at_ = 0;  // where the next batch's text begins in the input
  std::string carry_;     // the unfinished last line of the previous batch
  bool input_ended_ = false;
  bool skipping_line_ = false;  // inside a line longer than a batch
  LineCounts lines_;
  int64_t line_ = 0;  // number of the line being read; of its first part where a mailer folded it
  TraceLine split_;   // of the last event line
  TraceBody body_;
  TraceHeader header_;
  bool native_ = false;  // a `trace` file with its header: foreign lines are damage, not prose
  // Lines behind the last event, and nothing else, that may be pieces of events: they are if an event
  // follows.
  bool behind_event_ = false;
  int64_t pieces_ = 0;
  int64_t piece_line_ = 0;  // of the last one
  std::string piece_;
  int64_t next_event_ = 1;
  size_t events_in_last_ = 0;  // batch
  // What kept the text may have cut its lines at a width: the longest line so far, and how many events of
  // that length lack something.
  size_t width_ = 0;
  int64_t cut_at_width_ = 0;
  bool at_width_ = false;  // the line that is read has it
  std::optional<bool> clock_is_ticks_;
  bool without_time_ = false;  // an event had no time stamp
  bool without_task_ = false;
  // Of a report on several buffers: their names, the first one's is empty.
  std::vector<std::string> buffers_;
  BufferCopies copies_;
  std::vector<TraceIssue> issues_;
  bool meaning_left_out_ = false;  // of events whose names were not kept
  bool left_out_told_ = false;

  // Of what the first batch shows; nullopt until it has been seen. A mail in quoted-printable: "=3D" is '=',
  // and a line that ends in '=' goes on in the next one.
  std::optional<bool> quoted_printable_;
  std::optional<Disguise> disguise_;
  bool has_nul_ = false;  // the batch's text
  std::string folded_;
  int64_t folded_lines_ = 0;
  bool kept_any_ = false;             // of the events
  std::optional<int64_t> next_boot_;  // line where another boot began, of which no event was kept yet
  std::optional<int64_t> next_head_;  // and where a head stands behind events
  bool in_head_ = false;              // no event since one began
  std::string first_legend_;          // of the flags, in the first head
  std::string legend_;                // in the latest
  std::optional<int64_t> last_ts_;    // of the last event that was kept

  // What a line without an event of its own may belong to.
  struct LastOnCpu {
    std::optional<int32_t> pid;
    std::optional<EventId> event;  // nullopt: none yet
  };
  LastOnCpu& LastOn(int32_t cpu);
  LastOnCpu& LastOnNew(int32_t cpu);
  std::vector<LastOnCpu> last_on_cpu_;
  std::unordered_map<int32_t, LastOnCpu> last_on_other_cpu_;
  std::optional<EventId> stack_owner_;  // event the frames below belong to
  bool owner_left_out_ = false;         // by the filter: so are they
  int32_t next_depth_ = 0;
  bool terminated_ = true;          // the line that is read ends as lines do
  bool text_may_continue_ = false;  // the last event carries user text, which may hold newlines
};

}  // namespace mmreplay
