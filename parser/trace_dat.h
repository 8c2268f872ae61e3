// trace-cmd's trace.dat, version 6 and 7, through libtracecmd in a child process (trace_dat_child.h).
//
// An event's line is the ordinal of its record, all buffers and cpus merged by time. An event that is enabled
// in several buffers was recorded once for each: the model sees the first of them.
#pragma once

#include <sys/types.h>

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "parser/buffer_copies.h"
#include "parser/event_layout.h"
#include "parser/event_source.h"
#include "parser/record_decoder.h"
#include "parser/trace_dat_header.h"

namespace mmreplay {

class TraceDatReader : public EventSource {
 public:
  // `strings` and `decoder` must outlive it.
  TraceDatReader(std::shared_ptr<SeekableFile> file, StringTable* strings, Decoder* decoder);
  ~TraceDatReader() override;

  bool Next(Batch* batch) override;
  const LineCounts& lines() const override { return lines_; }
  const TraceHeader& header() const override { return trace_header_; }
  std::vector<TraceIssue> Issues() const override { return issues_; }
  std::optional<bool> clock_is_ticks() const override;
  void set_layouts(RecordLayouts* layouts) override;

 private:
  struct Kind {
    StringId name;
    bool is_stack = false;
    std::optional<RecordDecoder> records;
    uint32_t record_layout = 0;
  };
  struct LastOnCpu {
    int32_t pid;
    std::optional<EventId> event;  // nullopt: none yet
  };

  void Start();
  bool Fill(TextBuffer* text);
  void Finish();
  int Reap();
  void ReadMessage(uint8_t type, std::string_view payload, Batch* batch);
  void AddLayout(std::string_view packed);
  void AddEvent(std::string_view payload, bool as_record, Batch* batch);
  LastOnCpu& LastOn(int32_t cpu);
  void AddDamaged(std::string_view payload);
  void AddLost(std::string_view payload, Batch* batch);
  void AddUnreadable(int32_t cpu, Batch* batch) const;
  void NoteCopy(const Kind& kind, uint32_t buffer);
  void Note(TraceIssue::Severity severity, std::string_view kind, const std::string& text);

  std::shared_ptr<SeekableFile> file_;
  StringTable* strings_;
  RecentText comms_;
  ContextTable contexts_;
  Decoder* decoder_;
  RecordLayouts* layouts_ = nullptr;
  TraceDatHeader dat_header_;
  TraceHeader trace_header_;

  pid_t child_ = -1;
  int pipe_ = -1;
  std::string carry_;      // the unfinished last message of the previous batch
  bool ended_ = false;     // nothing more comes from the child
  bool complete_ = false;  // it said that this was all
  std::string failure_;    // what it said instead

  std::vector<Kind> kinds_;
  LineCounts lines_;
  int64_t next_event_ = 1;
  size_t events_in_last_ = 0;  // batch
  BufferCopies copies_;
  std::vector<TraceIssue> issues_;
  std::vector<LastOnCpu> last_on_cpu_;
  std::unordered_map<int32_t, LastOnCpu> last_on_other_cpu_;
  EventId stack_owner_{};
  int32_t next_depth_ = 0;
};

// True for the clocks of the kernel that count something else than nanoseconds (kernel/trace/trace.c,
// trace_clocks: in_ns is 0).
bool IsTickClock(std::string_view clock);

}  // namespace mmreplay
