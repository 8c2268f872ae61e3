#include "parser/event_filter.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "parser/error.h"
#include "parser/lines.h"
#include "parser/typed_fields.h"

namespace mmreplay {
namespace {

constexpr const char* kOptions[] = {"--time", "--cpu", "--pid", "--comm", "--event"};

// Distinct comms remembered: a hostile trace has one for each event.
constexpr size_t kAnswersKept = 65536;

constexpr int64_t kNanoseconds = 1'000'000'000;

bool IsStackRecord(std::string_view name) {
  return name == "kernel_stack" || name == "user_stack";
}

// "5.364208", or a whole number of ticks.
std::string StampText(int64_t ts, bool ticks) {
  if (ticks) return std::to_string(ts);
  std::string digits = std::to_string(ts < 0 ? -(ts % kNanoseconds) : ts % kNanoseconds);
  digits.insert(0, 9 - digits.size(), '0');
  if (digits.ends_with("000")) digits.resize(6);
  return std::to_string(ts / kNanoseconds) + "." + digits;
}

}  // namespace

EventFilter::Pattern::Pattern(const char* option, const std::string& text) {
  RE2::Options options;
  options.set_log_errors(false);
  re_ = std::make_unique<RE2>(text, options);
  if (!re_->ok()) throw Error(std::string(option) + ": " + text + ": " + re_->error());
}

EventFilter::EventFilter(const FilterOptions& options) {
  auto give = [&](Kind kind, const std::optional<std::string>& text) {
    if (!text) return false;
    rules_ |= 1U << kind;
    given_[kind] = *text;
    return true;
  };
  if (give(kTime, options.time)) {
    const std::string& text = *options.time;
    size_t dots = text.find("..");
    auto end = [&](std::string_view one) -> std::optional<TimeStamp> {
      if (one.empty()) return std::nullopt;
      auto stamp = ParseTimeStamp(one);
      if (!stamp)
        throw Error("--time: " + text + ": '" + std::string(one) +
                    "' is no time: give A..B, seconds as the trace prints them (5.25..5.5, 5.25.. or ..5.5)");
      return stamp;
    };
    if (dots == std::string::npos || text.size() == 2)
      throw Error("--time: " + text +
                  ": is no stretch of time: give A..B, seconds as the trace prints them (5.25..5.5, 5.25.. "
                  "or ..5.5)");
    from_ = end(std::string_view(text).substr(0, dots));
    to_ = end(std::string_view(text).substr(dots + 2));
  }
  if (give(kCpu, options.cpu)) cpus_ = ParseRanges(kOptions[kCpu], *options.cpu);
  if (give(kPid, options.pid)) pids_ = ParseRanges(kOptions[kPid], *options.pid);
  if (give(kComm, options.comm)) comm_.emplace(kOptions[kComm], *options.comm);
  if (give(kEvent, options.event)) event_.emplace(kOptions[kEvent], *options.event);
}

std::vector<EventFilter::Range> EventFilter::ParseRanges(const char* option, const std::string& text) {
  std::vector<Range> ranges;
  auto number = [&](std::string_view digits) {
    auto value = ParseDecimal(digits);
    if (!value || *value > std::numeric_limits<int32_t>::max())
      throw Error(std::string(option) + ": " + text + ": '" + std::string(digits) +
                  "' is no number: give numbers and ranges separated by commas (0,2,8-11)");
    return static_cast<int64_t>(*value);
  };
  std::string_view rest = text;
  for (;;) {
    size_t comma = rest.find(',');
    std::string_view one = rest.substr(0, comma);
    size_t dash = one.find('-');
    Range range{number(one.substr(0, dash)), 0};
    range.last = dash == std::string_view::npos ? range.first : number(one.substr(dash + 1));
    if (range.first > range.last)
      throw Error(std::string(option) + ": " + text + ": " + std::string(one) +
                  " ends before it begins: give the smaller number first");
    ranges.push_back(range);
    if (comma == std::string_view::npos) return ranges;
    rest.remove_prefix(comma + 1);
  }
}

bool EventFilter::Contains(const std::vector<Range>& ranges, int64_t value) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Range& range) { return range.first <= value && value <= range.last; });
}

void EventFilter::KnowProbes(const std::vector<ProbeDefinition>& probes) {
  for (const ProbeDefinition& probe : probes) probe_groups_.emplace(probe.event, probe.group);
}

// The clock tells what the numbers of --time are.
void EventFilter::SettleTime(bool ticks) {
  time_settled_ = true;
  auto in_unit = [&](const TimeStamp& stamp) {
    if (ticks == stamp.is_ticks) return stamp.value;
    if (ticks)
      throw Error("--time: " + given_[kTime] +
                  ": the trace's clock counts ticks and no seconds: give whole numbers as it prints them");
    if (stamp.value > std::numeric_limits<int64_t>::max() / kNanoseconds)
      return std::numeric_limits<int64_t>::max();
    return stamp.value * kNanoseconds;
  };
  if (from_) first_ts_ = in_unit(*from_);
  if (to_) last_ts_ = in_unit(*to_);
  if (first_ts_ > last_ts_)
    throw Error("--time: " + given_[kTime] + ": ends before it begins: give the earlier time first");
}

bool EventFilter::FindsName(std::string_view name) {
  auto& answers = event_->answers;
  if (auto known = answers.find(name); known != answers.end()) return known->second;
  std::string text(name);
  bool found = event_->Find(text);
  if (!found) {
    auto group = probe_groups_.find(text);
    std::string system = group == probe_groups_.end() ? std::string(KnownSystem(name)) : group->second;
    found = !system.empty() && event_->Find(system + ":" + text);
  }
  if (answers.size() >= kAnswersKept) answers.clear();
  answers.emplace(std::move(text), found);
  return found;
}

bool EventFilter::FindsComm(std::string_view comm) {
  auto& answers = comm_->answers;
  if (auto known = answers.find(comm); known != answers.end()) return known->second;
  bool found = comm_->Find(comm);
  if (answers.size() >= kAnswersKept) answers.clear();
  answers.emplace(comm, found);
  return found;
}

std::optional<EventFilter::Kind> EventFilter::LeftOutBy(const Subject& event, bool ticks) {
  if (Asks(kTime)) {
    if (event.ts) {
      if (!time_settled_) SettleTime(ticks);
      earliest_ = std::min(earliest_.value_or(*event.ts), *event.ts);
      latest_ = std::max(latest_.value_or(*event.ts), *event.ts);
    }
    if (!event.ts || *event.ts < first_ts_ || *event.ts > last_ts_) return kTime;
  }
  if (Asks(kCpu) && !(event.cpu && Contains(cpus_, *event.cpu))) return kCpu;
  if (Asks(kPid) && !(event.pid && Contains(pids_, Value(*event.pid)))) return kPid;
  if (Asks(kComm) && !FindsComm(event.comm)) return kComm;
  if (Asks(kEvent) && !FindsName(event.name)) return kEvent;
  return std::nullopt;
}

bool EventFilter::Keeps(const Subject& event, bool ticks, Batch* batch) {
  constexpr size_t kCpus = 8192;  // NR_CPUS at most (arch/x86/Kconfig)
  if (last_on_cpu_.size() >= kCpus) last_on_cpu_.clear();
  LastOnCpu& last = last_on_cpu_[event.cpu.value_or(-1)];
  bool is_stack = IsStackRecord(event.name);
  bool belongs = is_stack && last.seen && last.pid == event.pid;
  std::optional<Kind> by = belongs ? last.left_out : LeftOutBy(event, ticks);
  if (!is_stack) last = {event.pid, by, by == kTime && event.ts && *event.ts > last_ts_, true};
  if (!by) {
    kept_any_ = true;
    for (LossMarker& loss : early_) {
      loss.next_event = event.id;
      batch->markers.push_back(loss);
    }
    early_.clear();
    return true;
  }
  ++left_out_[*by];
  // Without a time it may have been anywhere in the stretch.
  may_blind_ = *by != kTime || !event.ts;
  if (may_blind_ || belongs) return false;
  bool late = last.late;
  if (!late && !kept_any_)
    std::erase_if(early_, [&](const LossMarker& loss) { return loss.cpu == event.cpu; });
  bool& told = late ? end_told_ : begin_told_;
  if (!std::exchange(told, true)) {
    batch->markers.push_back({late ? LossMarker::Kind::kStretchEnds : LossMarker::Kind::kStretchBegins,
                              -1,
                              {},
                              event.line,
                              event.id});
  }
  return false;
}

void EventFilter::LeftOutMeaning(const Subject& event, Batch* batch) {
  blind_ = true;
  batch->markers.push_back({LossMarker::Kind::kLeftOut, -1, {}, event.line, event.id});
}

void EventFilter::Pass(const LossMarker& marker, Batch* batch) {
  if (Asks(kTime)) {
    auto last = last_on_cpu_.find(marker.cpu);
    if (last != last_on_cpu_.end() && last->second.late) return;
    if (!kept_any_) {
      early_.push_back(marker);
      return;
    }
  }
  batch->markers.push_back(marker);
}

int64_t EventFilter::left_out() const {
  int64_t all = 0;
  for (int64_t count : left_out_) all += count;
  return all;
}

std::vector<TraceIssue> EventFilter::Issues() const {
  std::vector<TraceIssue> issues;
  for (uint8_t kind = 0; kind < kKinds; ++kind) {
    if (!Asks(static_cast<Kind>(kind))) continue;
    issues.push_back({TraceIssue::Severity::kInfo, kFilteredIssue, 0, left_out_[kind],
                      std::string("left out by ") + kOptions[kind] + " " + given_[kind]});
  }
  return issues;
}

std::string EventFilter::WhyNothing(int64_t events, bool ticks) const {
  std::string text;
  int asked = 0;
  for (uint8_t kind = 0; kind < kKinds; ++kind) {
    if (!Asks(static_cast<Kind>(kind))) continue;
    text += (asked++ == 0 ? "" : " ") + std::string(kOptions[kind]) + " " + given_[kind];
  }
  text += ": none of the " + std::to_string(events) + " events is let through";
  if (!Asks(kTime)) return text + "; leave out a filter, or look at what there is without any";
  if (!earliest_) return text + ": they carry no time stamps; leave out --time";
  text += ": the trace goes from " + StampText(*earliest_, ticks) + " to " + StampText(*latest_, ticks);
  return asked > 1 ? text + "; or leave out another filter" : text;
}

// Events, and the losses between them, in their order.
bool FilteredSource::Next(Batch* batch) {
  if (!source_->Next(batch)) {
    lines_ = source_->lines();
    lines_.left_out = filter_->left_out();
    return false;
  }
  std::vector<LossMarker> markers;
  markers.swap(batch->markers);
  auto marker = markers.begin();
  bool ticks = source_->clock_is_ticks().value_or(false);
  size_t kept = 0;
  for (Event& event : batch->events) {
    for (; marker != markers.end() && marker->next_event <= event.id; ++marker) filter_->Pass(*marker, batch);
    EventFilter::Subject subject{event.id,
                                 event.line,
                                 event.ts,
                                 event.cpu,
                                 event.pid,
                                 strings_->Text(event.comm),
                                 strings_->Text(event.name)};
    if (filter_->Keeps(subject, ticks, batch)) {
      batch->events[kept++] = event;
    } else if (filter_->AsksForMeaning() && !std::holds_alternative<Opaque>(event.payload)) {
      filter_->LeftOutMeaning(subject, batch);
    }
  }
  batch->events.resize(kept, Event{});
  for (; marker != markers.end(); ++marker) filter_->Pass(*marker, batch);
  FilterFrames(batch);
  lines_ = source_->lines();
  lines_.left_out = filter_->left_out();
  return true;
}

void FilteredSource::FilterFrames(Batch* batch) {
  std::vector<EventId> kept;
  for (const Event& event : batch->events) kept.push_back(event.id);
  auto has = [](const std::vector<EventId>& ids, EventId id) {
    return std::binary_search(ids.begin(), ids.end(), id);
  };
  std::erase_if(batch->frames, [&](const StackFrame& frame) {
    return !has(kept, frame.event) && !has(kept_before_, frame.event);
  });
  if (!kept.empty()) kept_before_ = std::move(kept);
}

std::vector<TraceIssue> FilteredSource::Issues() const {
  std::vector<TraceIssue> issues = source_->Issues();
  for (TraceIssue& issue : filter_->Issues()) issues.push_back(std::move(issue));
  return issues;
}

}  // namespace mmreplay
