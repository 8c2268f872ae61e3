#include "report/perfetto_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "replay/text.h"
#include "report/json_values.h"
#include "report/race_diagram.h"
#include "report/report_sql.h"

namespace mmreplay {
namespace {

// A group of tracks ("process") per task, named by the task's own id. Groups of other things have ids no task
// can have: the kernel's largest is 4,194,304 (PID_MAX_LIMIT).
constexpr int64_t kUnknownTask = 10'000'000;
constexpr int64_t kCpus = 10'000'001;
constexpr int64_t kPages = 10'000'002;

// Tracks ("threads") of a task. Slices that overlap without nesting go to further tracks of the same kind: 1,
// 11, 21, ...
enum class TrackRow : int64_t {
  kWaits = 1,
  kFindings = 2,
  kEvidence = 3,
  kMigrations = 4,
  kHolds = 5,
  kUnended = 6
};
constexpr int64_t kRowStep = 10;
// Of a cpu.
constexpr int64_t kCpuStep = 2;  // what ran, what was lost

const char* RowName(TrackRow row) {
  switch (row) {
    case TrackRow::kWaits:
      return "waits on pages";
    case TrackRow::kFindings:
      return "findings";
    case TrackRow::kEvidence:
      return "evidence";
    case TrackRow::kMigrations:
      return "migrations";
    case TrackRow::kHolds:
      return "page-table locks held";
    case TrackRow::kUnended:
      return "without an end on record";
  }
  return "";
}

// Microseconds with all digits of the nanoseconds: "5801402.125". A number to a JSON parser, never a double
// to us.
std::string Microseconds(int64_t ns) {
  bool negative = ns < 0;
  auto size = negative ? 0 - static_cast<uint64_t>(ns) : static_cast<uint64_t>(ns);
  return fmt::format("{}{}.{:03}", negative ? "-" : "", size / 1000, size % 1000);
}

struct Slice {
  const char* category;
  std::string name;
  std::optional<int64_t> begin;
  std::optional<int64_t> end;
  Json args;
};

// Where events of cpus were lost: gone through once, as what they are compared with comes by cpu and time.
class Gaps {
 public:
  explicit Gaps(const Database& database) : query_(database, ReportSql("perfetto gaps")) { Next(); }

  // Of stamps that step back more may touch than does.
  bool Touch(int64_t cpu, int64_t from, int64_t to) {
    if (cpu != cpu_) {
      cpu_ = cpu;
      latest_end_.reset();
    }
    for (; there_ && (query_.Int(0) < cpu || (query_.Int(0) == cpu && Begin() <= to)); Next()) {
      int64_t end = query_.OptionalInt(2).value_or(INT64_MAX);
      if (query_.Int(0) == cpu) latest_end_ = std::max(latest_end_.value_or(end), end);
    }
    return latest_end_ && *latest_end_ >= from;
  }

 private:
  int64_t Begin() const { return query_.OptionalInt(1).value_or(INT64_MIN); }
  void Next() { there_ = query_.Step(); }

  Statement query_;
  bool there_ = false;
  std::optional<int64_t> cpu_;
  std::optional<int64_t> latest_end_;  // of that cpu's gaps so far
};

class Exporter {
 public:
  Exporter(const Database& database, const WriteFn& write)
      : database_(database), write_(write), clock_(ReadClock(database)) {}

  void Write() {
    write_("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
    NameGroup(kCpus, "cpus", -3);
    NameGroup(kPages, "pages in findings", -2);
    WriteRunning();
    WriteGaps();
    WriteCounts();
    WriteWaits();
    WriteMigrations();
    WriteHolds();
    WriteFindings();
    WriteReports();
    write_("\n],\n\"otherData\":" + Dump(OtherData()) + "}\n");
  }

 private:
  // One event of the file: `head` are members as text, so that times keep every digit.
  void Emit(const std::string& head, const Json& args) {
    write_((first_ ? "\n{" : ",\n{") + head + (args.is_null() ? "" : ",\"args\":" + Dump(args)) + "}");
    first_ = false;
  }

  static std::string Place(int64_t group, int64_t track) {
    return fmt::format("\"pid\":{},\"tid\":{}", group, track);
  }

  void NameGroup(int64_t group, const std::string& name, int64_t order) {
    if (!named_groups_.insert(group).second) return;
    Emit(fmt::format("\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{}", group), {{"name", name}});
    Emit(fmt::format("\"ph\":\"M\",\"name\":\"process_sort_index\",\"pid\":{}", group),
         {{"sort_index", order}});
  }

  void NameTrack(int64_t group, int64_t track, const std::string& name) {
    if (!named_tracks_.insert({group, track}).second) return;
    Emit("\"ph\":\"M\",\"name\":\"thread_name\"," + Place(group, track), {{"name", name}});
    Emit("\"ph\":\"M\",\"name\":\"thread_sort_index\"," + Place(group, track), {{"sort_index", track}});
  }

  int64_t TaskGroup(std::string_view comm, std::optional<int64_t> pid) {
    if (!pid) {
      NameGroup(kUnknownTask, "tasks of unknown id", -1);
      return kUnknownTask;
    }
    NameGroup(*pid, *pid == 0 ? "idle tasks" : std::string(comm), *pid);
    return *pid;
  }

  // The first track of the row on which the slice nests. Slices of a row come by begin, the longer first.
  int64_t FreeTrack(TrackRow row, int64_t begin, int64_t end) {
    size_t i = 0;
    for (; i < open_.size(); ++i) {
      std::vector<int64_t>& ends = open_[i];
      while (!ends.empty() && ends.back() <= begin) ends.pop_back();
      if (ends.empty() || ends.back() >= end) break;
    }
    if (i == open_.size()) open_.emplace_back();
    open_[i].push_back(end);
    return static_cast<int64_t>(row) + kRowStep * static_cast<int64_t>(i);
  }

  // Tracks of a row are those of one task.
  void BeginRow(int64_t group) {
    if (group == row_group_) return;
    row_group_ = group;
    open_.clear();
  }

  // What has no begin is a mark at its end, what has no end stays open; what has neither cannot be placed.
  void EmitSlice(int64_t group, TrackRow row, const Slice& slice) {
    std::string head = fmt::format("\"cat\":\"{}\",\"name\":{}", slice.category, Dump(slice.name));
    if (!slice.begin && !slice.end) {
      ++unplaced_[slice.category];
      return;
    }
    BeginRow(group);
    if (slice.begin && slice.end && *slice.end >= *slice.begin) {
      int64_t track = FreeTrack(row, *slice.begin, *slice.end);
      NameTrack(group, track, RowName(row));
      Emit(fmt::format("\"ph\":\"X\",{},{},\"ts\":{},\"dur\":{}", Place(group, track), head,
                       Microseconds(*slice.begin), Microseconds(*slice.end - *slice.begin)),
           slice.args);
      return;
    }
    auto track = static_cast<int64_t>(slice.begin ? TrackRow::kUnended : row);
    NameTrack(group, track, RowName(slice.begin ? TrackRow::kUnended : row));
    Emit(
        fmt::format("\"ph\":\"{}\",{},{},\"ts\":{}{}", slice.begin ? "B" : "i", Place(group, track), head,
                    Microseconds(slice.begin ? *slice.begin : *slice.end), slice.begin ? "" : ",\"s\":\"t\""),
        slice.args);
  }

  void WriteWaits() {
    row_group_.reset();
    Statement query(database_, ReportSql("perfetto waits"));
    while (query.Step()) {
      Slice slice{"wait", std::string(query.Text(2)), query.OptionalInt(3), query.OptionalInt(4), {}};
      slice.args = {{"id", query.Int(5)},
                    {"pid", OrNull(query.OptionalInt(1))},
                    {"comm", query.Text(0)},
                    {"page", PfnText(query.OptionalInt(6))},
                    {"verdict", query.Text(7)},
                    {"protection", query.Text(8)},
                    {"outcome", query.Text(9)},
                    {"why", query.Text(10)},
                    {"begin_event", OrNull(query.OptionalInt(11))},
                    {"end_event", OrNull(query.OptionalInt(12))}};
      EmitSlice(TaskGroup(query.Text(0), query.OptionalInt(1)), TrackRow::kWaits, slice);
    }
  }

  void WriteMigrations() {
    row_group_.reset();
    Statement query(database_, ReportSql("perfetto migrations"));
    while (query.Step()) {
      Slice slice{"migration",
                  "migrates " + PfnText(query.OptionalInt(5)),
                  query.OptionalInt(2),
                  query.OptionalInt(3),
                  {}};
      slice.args = {{"id", query.Int(4)},
                    {"pid", OrNull(query.OptionalInt(1))},
                    {"comm", query.Text(0)},
                    {"source", PfnText(query.OptionalInt(5))},
                    {"destination", PfnText(query.OptionalInt(6))},
                    {"reason", query.Text(7)},
                    {"result", query.Text(8)},
                    {"why", query.Text(9)},
                    {"begin_event", OrNull(query.OptionalInt(10))},
                    {"end_event", OrNull(query.OptionalInt(11))}};
      EmitSlice(TaskGroup(query.Text(0), query.OptionalInt(1)), TrackRow::kMigrations, slice);
    }
  }

  void WriteHolds() {
    row_group_.reset();
    Statement query(database_, ReportSql("perfetto holds"));
    while (query.Step()) {
      std::string lock = HexText(static_cast<uint64_t>(query.Int(5)));
      Slice slice{"ptl", "ptl " + lock, query.OptionalInt(2), query.OptionalInt(3), {}};
      slice.args = {{"id", query.Int(4)},
                    {"pid", OrNull(query.OptionalInt(1))},
                    {"comm", query.Text(0)},
                    {"lock", lock},
                    {"protects", query.Text(6)},
                    {"contended", query.Int(7) != 0},
                    {"acquire_event", OrNull(query.OptionalInt(8))},
                    {"release_event", OrNull(query.OptionalInt(9))}};
      EmitSlice(TaskGroup(query.Text(0), query.OptionalInt(1)), TrackRow::kHolds, slice);
    }
  }

  // A task runs from where its cpu switches to it until the cpu's next switch, if that one leaves this task
  // and no event of the cpu was lost in between: else nothing is drawn. Nor is idling.
  void WriteRunning() {
    Statement named(database_, ReportSql("perfetto has switches"));
    if (!named.Step() || named.Int(0) == 0) return;
    Gaps gaps(database_);
    Statement query(database_, ReportSql("perfetto switches"));
    while (query.Step()) {
      if (query.IsNull(0) || query.IsNull(1) || query.IsNull(2) || query.IsNull(3) || query.IsNull(5))
        continue;
      if (query.Int(5) != query.Int(3) || query.Int(2) < query.Int(1) || query.Int(3) == 0) continue;
      int64_t cpu = query.Int(0);
      if (gaps.Touch(cpu, query.Int(1), query.Int(2))) continue;
      int64_t track = cpu * kCpuStep;
      NameTrack(kCpus, track, fmt::format("cpu {}", cpu));
      Emit(fmt::format("\"ph\":\"X\",{},\"cat\":\"sched\",\"name\":{},\"ts\":{},\"dur\":{}",
                       Place(kCpus, track), Dump(std::string(query.Text(4))), Microseconds(query.Int(1)),
                       Microseconds(query.Int(2) - query.Int(1))),
           {{"pid", query.Int(3)}});
    }
  }

  void WriteGaps() {
    row_group_.reset();
    Statement query(database_, ReportSql("perfetto gaps"));
    while (query.Step()) {
      int64_t cpu = query.Int(0);
      auto from = query.OptionalInt(1);
      auto to = query.OptionalInt(2);
      if (!from && !to) {
        ++unplaced_["gap"];
        continue;
      }
      int64_t track = cpu * kCpuStep + 1;
      NameTrack(kCpus, track, fmt::format("cpu {}: events lost", cpu));
      std::string head = Place(kCpus, track) + ",\"cat\":\"gap\",\"name\":\"events lost\"";
      Json args = {{"lost", OrNull(query.OptionalInt(3))}};
      if (from && to && *to >= *from) {
        Emit(fmt::format("\"ph\":\"X\",{},\"ts\":{},\"dur\":{}", head, Microseconds(*from),
                         Microseconds(*to - *from)),
             args);
      } else {
        args["since"] = from ? "this time, until an unknown one" : "the beginning, until this time";
        Emit(fmt::format("\"ph\":\"i\",\"s\":\"t\",{},\"ts\":{}", head, Microseconds(from ? *from : *to)),
             args);
      }
    }
  }

  // A counter for each life of each page in a finding: between lives a frame has no count.
  void WriteCounts() {
    Statement query(database_, ReportSql("perfetto counts"));
    while (query.Step()) {
      if (query.IsNull(2) || query.IsNull(3)) {
        ++unplaced_["count"];
        continue;
      }
      auto life = query.OptionalInt(1);
      std::string name = "page " + PfnText(query.OptionalInt(0)) +
                         (life ? fmt::format(" life {}", *life) : "") + " references";
      Emit(fmt::format("\"ph\":\"C\",\"pid\":{},\"cat\":\"count\",\"name\":{},\"ts\":{}", kPages, Dump(name),
                       Microseconds(query.Int(2))),
           {{"references", query.Int(3)}});
    }
  }

  // A finding lasts from its first piece of evidence to its last. Arrows lead along the proofs between
  // neighbours.
  void WriteFindings() {
    row_group_.reset();
    Statement query(database_, ReportSql("perfetto findings"));
    EventLines lines(database_, clock_.ticks);
    Statement evidence(database_, ReportSql("evidence"));
    while (query.Step()) {
      int64_t finding = query.Int(5);
      Slice slice{"finding",
                  std::string(query.Text(6)) + " " + std::string(query.Text(7)),
                  query.OptionalInt(2),
                  query.OptionalInt(3),
                  {}};
      slice.args = {{"id", finding},
                    {"pid", OrNull(query.OptionalInt(1))},
                    {"comm", query.Text(0)},
                    {"grade", query.Text(6)},
                    {"rule", query.Text(7)},
                    {"page", PfnText(query.OptionalInt(8))},
                    {"summary", query.Text(9)},
                    {"fingerprint", query.Text(10)}};
      EmitSlice(TaskGroup(query.Text(0), query.OptionalInt(1)), TrackRow::kFindings, slice);
      WriteEvidence(finding, &evidence, &lines);
    }
  }

  struct Piece {
    EventLine event;
    std::string role;
    int64_t group = 0;
  };

  // Evidence as slices without length, which arrows can hold on to: an arrow's end stands right behind its
  // slice.
  void WriteEvidence(int64_t finding, Statement* evidence, EventLines* lines) {
    std::map<int64_t, Piece> pieces;
    evidence->Bind(1, finding);
    while (evidence->Step()) {
      auto event = lines->Read(evidence->Int(0));
      if (!event) continue;
      Piece& piece = pieces[evidence->Int(0)];
      piece.role += (piece.role.empty() ? "" : ", ") + std::string(evidence->Text(1));
      piece.event = std::move(*event);
    }
    evidence->Reset();
    std::vector<OrderProof> proofs = NeighbourProofs(database_, finding);
    std::multimap<int64_t, std::string> arrows;  // by event
    for (const OrderProof& proof : proofs) {
      auto first = pieces.find(proof.first);
      auto second = pieces.find(proof.second);
      if (proof.kind == "open" || first == pieces.end() || second == pieces.end()) continue;
      // Proven against the stamps, or without any: no arrow leads back in time.
      if (!first->second.event.ts || !second->second.event.ts ||
          *second->second.event.ts < *first->second.event.ts) {
        ++arrows_not_drawn_;
        continue;
      }
      ++arrow_;
      std::string name = fmt::format("\"cat\":\"proof\",\"name\":{},\"id\":{}", Dump(proof.kind), arrow_);
      arrows.emplace(proof.first, "\"ph\":\"s\"," + name);
      arrows.emplace(proof.second, "\"ph\":\"f\",\"bp\":\"e\"," + name);
    }
    for (const auto& [id, piece] : pieces) {
      const EventLine& event = piece.event;
      if (!event.ts) {
        ++unplaced_["evidence"];
        continue;
      }
      int64_t group = TaskGroup(event.comm, event.pid);
      auto track = static_cast<int64_t>(TrackRow::kEvidence);
      NameTrack(group, track, RowName(TrackRow::kEvidence));
      std::string place = fmt::format("{},\"ts\":{}", Place(group, track), Microseconds(*event.ts));
      Json args = {{"finding", finding},           {"role", piece.role},          {"event", id},
                   {"path", event.path},           {"line", event.line},          {"cpu", OrNull(event.cpu)},
                   {"count", OrNull(event.count)}, {"original", event.Original()}};
      for (const OrderProof& proof : proofs) {
        if (proof.first == id)
          args[fmt::format("{} event {}", proof.kind == "open" ? "and" : "before", proof.second)] =
              proof.kind + ": " + proof.detail;
      }
      Emit(fmt::format("\"ph\":\"X\",{},\"dur\":0,\"cat\":\"evidence\",\"name\":{}", place,
                       Dump(Describe(event))),
           args);
      auto [from, to] = arrows.equal_range(id);
      for (auto arrow = from; arrow != to; ++arrow) Emit(arrow->second + "," + place, nullptr);
    }
  }

  void WriteReports() {
    Statement query(database_, ReportSql("perfetto reports"));
    while (query.Step()) {
      auto report = ReadKernelReport(database_, query.Int(0));
      if (!report) continue;
      // Where nothing ties the console's time to the trace's, there is no place for it.
      if (query.IsNull(1) || query.IsNull(2)) {
        ++unplaced_["kernel_report"];
        continue;
      }
      Emit(
          fmt::format(
              "\"ph\":\"i\",\"s\":\"p\",\"pid\":{},\"tid\":0,\"cat\":\"kernel_report\",\"name\":{},\"ts\":{}",
              kPages, Dump(KernelReportText(*report)), Microseconds(query.Int(1))),
          {{"path", report->path}, {"line", report->line}, {"time_error_ns", query.Int(2)}});
    }
  }

  Json OtherData() const {
    Json unplaced = Json::object();
    for (const auto& [category, count] : unplaced_) unplaced[category] = count;
    Statement input(database_, ReportSql("input"));
    Json data = {{"format", "mmreplay-perfetto"}, {"version", 1}};
    if (input.Step()) data["path"] = input.Text(0);
    data["clock"] = clock_.name;
    // A viewer knows nothing but time: a tick is shown as a nanosecond.
    data["clock_unit"] = clock_.ticks ? "ticks, shown as ns" : "ns";
    data["without_a_time"] = std::move(unplaced);
    data["proofs_against_the_stamps"] = arrows_not_drawn_;
    return data;
  }

  const Database& database_;
  const WriteFn& write_;
  TraceClock clock_;
  bool first_ = true;
  std::set<int64_t> named_groups_;
  std::set<std::pair<int64_t, int64_t>> named_tracks_;
  std::optional<int64_t> row_group_;
  std::vector<std::vector<int64_t>>
      open_;  // of the row's tracks: ends of slices not over yet, the inner last
  std::map<std::string, int64_t> unplaced_;
  int64_t arrow_ = 0;
  int64_t arrows_not_drawn_ = 0;
};

}  // namespace

void WritePerfettoReport(const Database& database, const WriteFn& write) {
  Exporter(database, write).Write();
}

}  // namespace mmreplay
