// Which events of a recording are looked at: --event, --comm, --pid, --cpu and --time of analyze. Applied
// while reading, before an event is decoded, so that a slice of a huge trace costs little more than
// splitting its lines. Ids and line numbers stay those of the whole trace.
//
// What is left out is missing evidence, and the replay is told of it by markers among the events. A stretch
// of time is a recording that began and ended there. Anything else that leaves out an event with a meaning
// to the model leaves it blind: it judges nothing from then on. Events without such a meaning cost no
// verdict.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <re2/re2.h>

#include "parser/batch.h"
#include "parser/event_source.h"
#include "parser/numbers.h"
#include "parser/probe_definitions.h"

namespace mmreplay {

// As given on the command line.
struct FilterOptions {
  std::optional<std::string> event = {};  // RE2, found anywhere in "name" or "system:name"
  std::optional<std::string> comm = {};   // RE2, found anywhere in it
  std::optional<std::string> pid = {};    // "67", "67,68", "60-70": task ids
  std::optional<std::string> cpu = {};    // the same
  std::optional<std::string> time = {};   // "A..B", both included, each optional: as stamps are printed
};

// TraceIssue::kind of what a filter left out.
inline constexpr const char* kFilteredIssue = "filtered";

class EventFilter {
 public:
  // Throws Error that begins with the option.
  explicit EventFilter(const FilterOptions& options);

  // Nothing is asked for: every event is kept.
  bool empty() const { return rules_ == 0; }
  // Probes are known by their group.
  void KnowProbes(const std::vector<ProbeDefinition>& probes);

  struct Subject {
    EventId id;
    int64_t line;
    std::optional<int64_t> ts;
    std::optional<int32_t> cpu;
    std::optional<Pid> pid;
    std::string_view comm;
    std::string_view name;
  };
  // Whether the next event of the trace is kept. A stack record shares the fate of the event it belongs to.
  // What is left out is counted. Throws Error where --time is not of the clock's kind.
  bool Keeps(const Subject& event, bool ticks, Batch* batch);
  // Whether it matters if the event just left out has a meaning to the model, and what to do where it has.
  bool AsksForMeaning() const { return may_blind_ && !blind_; }
  void LeftOutMeaning(const Subject& event, Batch* batch);

  // A loss belongs to the stretch it is in, as the cpu's events around it are.
  void Pass(const LossMarker& marker, Batch* batch);

  int64_t left_out() const;
  // One for each of the filters, with how many events it left out. An event is left out by the first of
  // --time, --cpu, --pid, --comm and --event that does not let it through.
  std::vector<TraceIssue> Issues() const;

  // Says what was asked for and what there is, where nothing was let through.
  std::string WhyNothing(int64_t events, bool ticks) const;

 private:
  enum Kind : uint8_t { kTime, kCpu, kPid, kComm, kEvent, kKinds };

  struct Range {
    int64_t first;
    int64_t last;
  };
  // Answers by text, each asked once.
  class Pattern {
   public:
    Pattern(const char* option, const std::string& text);
    bool Find(std::string_view text) const { return RE2::PartialMatch({text.data(), text.size()}, *re_); }

    struct Hash : std::hash<std::string_view> {
      using is_transparent = void;
    };
    std::unordered_map<std::string, bool, Hash, std::equal_to<>> answers;

   private:
    std::unique_ptr<RE2> re_;
  };
  // Of each cpu's last event: what a stack record after it belongs to.
  struct LastOnCpu {
    std::optional<Pid> pid;
    std::optional<Kind> left_out;
    bool late = false;  // left out because it came after the stretch
    bool seen = false;
  };

  bool Asks(Kind kind) const { return (rules_ & (1U << kind)) != 0; }
  void SettleTime(bool ticks);
  std::optional<Kind> LeftOutBy(const Subject& event, bool ticks);
  bool FindsName(std::string_view name);
  bool FindsComm(std::string_view comm);
  static std::vector<Range> ParseRanges(const char* option, const std::string& text);
  static bool Contains(const std::vector<Range>& ranges, int64_t value);

  uint32_t rules_ = 0;  // bit per Kind
  std::vector<std::string> given_ = std::vector<std::string>(kKinds);
  std::vector<int64_t> left_out_ = std::vector<int64_t>(kKinds);

  std::optional<TimeStamp> from_;
  std::optional<TimeStamp> to_;
  bool time_settled_ = false;
  int64_t first_ts_ = INT64_MIN;  // in the clock's unit
  int64_t last_ts_ = INT64_MAX;
  std::optional<int64_t> earliest_;  // stamps of the trace
  std::optional<int64_t> latest_;

  std::vector<Range> cpus_;
  std::vector<Range> pids_;
  std::optional<Pattern> comm_;
  std::optional<Pattern> event_;
  std::unordered_map<std::string, std::string> probe_groups_;  // by event

  std::unordered_map<int32_t, LastOnCpu> last_on_cpu_;
  std::vector<LossMarker> early_;  // losses before the stretch, of cpus that may reach into it
  bool kept_any_ = false;
  bool begin_told_ = false;
  bool end_told_ = false;
  bool may_blind_ = false;  // the event just left out
  bool blind_ = false;
};

// Filters what another source reads, which has decoded it by then: for forms that are not one text file.
class FilteredSource : public EventSource {
 public:
  // `filter` and `strings` are borrowed.
  FilteredSource(std::unique_ptr<EventSource> source, EventFilter* filter, const StringTable* strings)
      : source_(std::move(source)), filter_(filter), strings_(strings) {}

  bool Next(Batch* batch) override;
  const LineCounts& lines() const override { return lines_; }
  const TraceHeader& header() const override { return source_->header(); }
  std::vector<TraceIssue> Issues() const override;
  std::optional<bool> clock_is_ticks() const override { return source_->clock_is_ticks(); }
  std::vector<int64_t> part_lines() const override { return source_->part_lines(); }
  void set_memory(const MemoryBudget& memory) override { source_->set_memory(memory); }
  void set_layouts(RecordLayouts* layouts) override { source_->set_layouts(layouts); }

 private:
  void FilterFrames(Batch* batch);

  std::unique_ptr<EventSource> source_;
  EventFilter* filter_;
  const StringTable* strings_;
  LineCounts lines_;
  std::vector<EventId> kept_before_;  // of the batch before: a frame may come late
};

}  // namespace mmreplay
