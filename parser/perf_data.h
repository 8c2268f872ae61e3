// perf.data: tracepoint and probe samples with their raw payload, decoded by the formats in the file. Files
// of `perf record`, also compressed (-z) or written to a pipe (-o -).
//
// perf writes the ring buffers of the cpus one after the other, round by round; records are put in order
// by time as soon as a round says that nothing older can follow. An event's line is the ordinal of its
// record.
#pragma once

#include <zstd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "parser/byte_arena.h"
#include "parser/event_source.h"
#include "parser/perf_header.h"
#include "parser/record_decoder.h"

namespace mmreplay {

// The records of a perf.data file one after the other, unpacked where they are compressed.
class PerfRecords {
 public:
  PerfRecords(std::shared_ptr<SeekableFile> file, uint64_t begin, uint64_t end);

  // The next record with its head; it lives until the next call. False at the end, or at damage.
  bool Next(std::string_view* record);

  const std::string& damage() const { return damage_; }  // empty at a clean end

 private:
  struct FreeStream {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };

  bool NextOfFile(std::string_view* record);
  // At least `need` bytes are in the window, if the file has them.
  bool HasWindow(size_t need) { return window_size_ - window_at_ >= need || FillWindow(need); }
  bool FillWindow(size_t need);
  bool Unpack();
  bool NextUnpacked(std::string_view* record);

  std::shared_ptr<SeekableFile> file_;
  uint64_t at_;  // in the file, of what is behind the window
  uint64_t end_;
  std::vector<char> window_;
  size_t window_at_ = 0;
  size_t window_size_ = 0;

  std::unique_ptr<ZSTD_DStream, FreeStream> stream_;
  std::string aside_;  // a record that data follow
  std::string packed_;
  size_t packed_at_ = 0;
  bool unpacking_ = false;  // the stream holds more
  std::string unpacked_;
  size_t unpacked_at_ = 0;
  uint64_t unpacked_bytes_ = 0;
  std::string damage_;
};

class PerfDataReader : public EventSource {
 public:
  // `strings` and `decoder` must outlive it.
  PerfDataReader(std::shared_ptr<SeekableFile> file, StringTable* strings, Decoder* decoder);

  bool Next(Batch* batch) override;
  const LineCounts& lines() const override { return lines_; }
  const TraceHeader& header() const override { return trace_header_; }
  std::vector<TraceIssue> Issues() const override { return issues_; }
  std::optional<bool> clock_is_ticks() const override;

  void set_memory(const MemoryBudget& memory) override { most_pending_ = memory.records(); }
  void set_layouts(RecordLayouts* layouts) override { layouts_ = layouts; }

 private:
  // A record that waits for its turn.
  struct Pending {
    uint64_t time;
    int64_t line;
    size_t at;  // in the arena
    uint32_t size;
    uint32_t attr;  // of a sample: index
  };
  struct Queue {
    // The memory of a usual round is kept.
    void Clear();

    ByteArena arena;
    std::vector<Pending> records;
  };
  // Where the fields in front of a sample's payload stand: its attr says which are there, and all have a
  // fixed size.
  struct SampleShape {
    static constexpr size_t kAbsent = SIZE_MAX;

    explicit SampleShape(uint64_t sample_type);

    size_t ip = kAbsent;
    size_t tid = kAbsent;  // the process, and the task behind it
    size_t time = kAbsent;
    size_t addr = kAbsent;
    size_t cpu = kAbsent;
    size_t period = kAbsent;
    size_t size = 0;  // of all of them
  };
  // What the fields in front of a sample's payload say, or those behind another record.
  struct Stamp {
    std::optional<uint64_t> time;
    std::optional<int32_t> pid;
    std::optional<int32_t> tid;
    std::optional<int32_t> cpu;
  };
  struct Sample : Stamp {
    std::optional<uint64_t> ip;
    std::optional<uint64_t> addr;
    std::optional<uint64_t> period;
    std::string_view callchain;
    std::string_view raw;
    bool has_raw = false;
    bool goes_on = false;  // behind its parts
  };
  // A sort of events: an attr and, of tracepoints, its format.
  struct Kind {
    StringId name;
    const EventLayout* layout = nullptr;
    std::optional<CommonFields> common;  // of the layout
    std::optional<RecordDecoder> records;
    std::optional<Decoder::ProbeRecords> hits;  // of an entry probe
    uint32_t record_layout = 0;                 // 0: text is made of all its records
    // Of a probe, where probe definitions tell.
    std::string arguments_begin;  // of an entry: "(folio_wait_bit+0x0)"
    std::string returns_from;     // of a return: "folio_wait_bit"
    bool unresolved = false;      // a probe nobody can place
  };

  const PerfAttr* AttrOfSample(std::string_view body) const;
  bool IsSample(std::string_view body) const;
  const PerfAttr* AttrOfTrailer(std::string_view body) const;
  bool ReadSample(size_t attr, std::string_view body, Sample* sample) const;
  static Stamp ReadTrailer(const PerfAttr& attr, std::string_view body);
  Kind& KindOf(size_t index);
  void ResolveProbe(Kind* kind) const;

  void ReadRecord(std::string_view record);
  void Enqueue(std::string_view record, std::optional<uint64_t> time, size_t attr);
  void EndRound();
  void MoveReady(uint64_t limit);
  uint64_t TimeOfOlderHalf();
  void Emit(const Pending& pending, Batch* batch);
  void EmitSample(std::string_view body, const Pending& pending, Batch* batch);
  void EmitLost(std::string_view record, int64_t line, Batch* batch);
  void EmitLostSomewhere(Batch* batch);
  void BindRecords(Kind* kind);
  static bool IsRecord(const Kind& kind, const Sample& sample);
  bool AppendSampleText(const Kind& kind, const Sample& sample);
  void NoteCpu(int32_t cpu);
  void NoteRejected(int64_t line, const std::string& why, std::string_view event);
  void AddFrames(const Sample& sample, EventId event, Batch* batch);
  void FinishBatch(Batch* batch);
  bool MayName(int32_t tid);
  StringId CommOf(int32_t tid);
  StringId LookUpComm(int32_t tid) const;
  void TakeTask(std::string_view record);
  void CheckFormats() const;
  void Note(TraceIssue::Severity severity, std::string_view kind, int64_t line, const std::string& text);

  std::shared_ptr<SeekableFile> file_;
  StringTable* strings_;
  ContextTable contexts_;
  Decoder* decoder_;
  RecordLayouts* layouts_ = nullptr;
  PerfHeader perf_;
  TraceHeader trace_header_;
  bool has_identifier_ = false;  // every attr has perf_sample::kIdentifier
  bool same_layout_ = false;     // every attr has the same sample_type
  PerfRecords records_;
  std::vector<SampleShape> shapes_;  // by attr

  Queue pending_;
  Queue ready_;  // sorted, from next_ready_ on
  Queue spare_;  // memory for the next round
  // Bytes of records that wait for their round to end. To let some go takes half as much again.
  size_t most_pending_ = MemoryBudget().records();
  size_t next_ready_ = 0;
  bool in_round_ = false;      // samples came since the last one ended
  uint64_t newest_ = 0;        // time of any record so far
  uint64_t round_newest_ = 0;  // of those before the last round's end
  uint64_t limit_ = 0;         // nothing as old as this comes any more
  size_t left_ = 0;            // bytes of pending records when the queue was last gone through
  uint64_t emitted_ = 0;       // time of the last record that left the queue
  bool ended_ = false;

  std::vector<std::optional<Kind>> kinds_;  // by attr
  std::unordered_map<int32_t, StringId> comms_;
  struct TaskName {
    int32_t tid;
    StringId comm;
  };
  std::array<std::optional<TaskName>, 64> recent_comms_;  // by tid, modulo their number
  std::set<int32_t> cpus_;
  std::vector<bool> is_in_cpus_;  // of the lower ones
  uint64_t lost_placed_ = 0;      // events whose cpu and time of loss are known
  uint64_t lost_samples_ = 0;     // by perf record's own count at the end, which has those again
  int64_t lost_line_ = 0;
  LineCounts lines_;
  int64_t next_event_ = 1;
  size_t events_in_last_ = 0;  // batch
  std::vector<TraceIssue> issues_;

  // Of the batch being made. Views are set when its text no longer moves.
  std::string text_;
  std::vector<size_t> ends_;        // of each event's arguments in text_
  std::vector<size_t> frame_ends_;  // of each frame in frame_text_
  std::string frame_text_;
};

}  // namespace mmreplay
