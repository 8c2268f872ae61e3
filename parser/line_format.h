// The text forms of a trace: which of its lines are events, and what the others are. One reader
// (TraceReader) serves them all; a form says what is special about its lines.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "parser/ftrace_text.h"
#include "parser/input_format.h"

namespace mmreplay {

// Every line of an input is exactly one of these, see LineCounts.
enum class LineKind : uint8_t { kEvent, kComment, kContinuation, kMarker, kRejected };

// A line that is no event, in a form that knows what it is.
struct OtherLine {
  LineKind kind = LineKind::kComment;
  std::optional<std::string_view> frame;  // a stack frame of the event before it
  std::optional<LostLine> lost;           // events of a cpu are missing here
  bool ends_text = false;                 // nothing after it continues the event before it
  bool boots = false;                     // the kernel's first words: another boot than what came before
};

class LineFormat {
 public:
  virtual ~LineFormat() = default;

  // True for an event line, whose columns are then in `event` and `body`. Views borrow from the line or from
  // `owned`, where a form puts text that is not in the line as it stands (unescaped HTML).
  virtual bool Split(std::string_view line, std::deque<std::string>* owned, TraceLine* event,
                     TraceBody* body) = 0;

  // What a line is that is no event line; nullopt where the lines all forms share have to decide: stack
  // frames, lost events, buffer starts, comments with '#', blank lines.
  virtual std::optional<OtherLine> Classify(std::string_view /*line*/) { return std::nullopt; }

  // Meant to be an event: what fails to split and looks so is rejected, not passed over as prose.
  virtual bool LooksLikeEvent(std::string_view line) const;

  // Whether the line says that messages are missing here, among them perhaps events. What says it is cut off.
  virtual bool TakeLoss(std::string_view* /*line*/) const { return false; }
  // Events are printed with the columns of the latency format.
  virtual bool latency_columns() const { return false; }
  // Where the line stands there are events, and nothing else is to be expected.
  virtual bool in_events() const { return true; }

  // What the user should know about time stamps of this form; empty where there is nothing to say.
  virtual std::string TimeNote() const { return {}; }

  // Which option would have recorded the time, or the task, of lines without.
  virtual std::string TimeAdvice() const { return "record with time stamps"; }
  virtual std::string TaskAdvice() const { return "record with the task column"; }

  // Stack frames follow any event, not only a stack record.
  virtual bool frames_follow_events() const { return false; }

  // Among its events no line is prose that quotes one.
  virtual bool is_no_prose() const { return false; }
  // Between two events other lines may stand that are none.
  virtual bool prints_between_events() const { return false; }
  // The last part of an event, which no line of it begins with.
  virtual bool IsTail(std::string_view /*line*/) const { return false; }
  // An event of which columns cannot be read, unless it continues a text.
  virtual bool LooksLikeDamagedEvent(std::string_view /*line*/) const { return false; }

  // The line that was split last has another event behind its own.
  virtual bool holds_several() const { return false; }

  // Events of several buffers may be among each other: TraceLine::buffer tells which.
  virtual bool names_buffers() const { return false; }

  // Text rendered by trace-cmd or perf instead of the kernel, see Decoder::set_user_space_text.
  virtual bool user_space_text() const { return false; }
};

// What trace-cmd report prints before the events: "cpus=4"; of several files with their names, "trace.dat:
// cpus=4".
bool IsReportPrologue(std::string_view line);

// Whether a line reads as an event of one of the text forms, whichever.
bool ReadsAsEvent(std::string_view line);

// An event that lost its end, before its time is over. In prose (not `native`) it has to have its cpu.
//            work-69    [002] .....     6.79
//            work-69    [00
bool BeginsEvent(std::string_view line, bool native);

// An event that lost what stands before its name.
// 793769: folio_wait_bit: (folio_wait_bit+0x0/0x20) folio=0xffffea0000160000
bool EndsEvent(std::string_view line);

// Either, where events stand before and behind it: a task in its columns, without what follows, or fields of
// events that the model reads.
//            churn-105
//        toucher/1   139/142   [
// 20 prev_state=S ==> next_comm=swapper/1 next_pid=0 next_prio=120
bool IsPieceOfEvent(std::string_view line);

// For the text forms only. What is known of lines seen before may be shared between files, of which there may
// be thousands.
std::unique_ptr<LineFormat> MakeLineFormat(InputFormat format,
                                           std::shared_ptr<TraceLineSplitter> splitter = nullptr);

}  // namespace mmreplay
