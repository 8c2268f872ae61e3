#include "report/race_diagram.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "replay/text.h"
#include "report/format.h"
#include "report/report_sql.h"

namespace mmreplay {
namespace {

constexpr size_t kMostOthers = 12;  // events of the page by others; what is decisive always stays
constexpr size_t kCountColumn = 6;

// Lines by event, each added once.
class Builder {
 public:
  Builder(const Database& database, bool ticks) : events_(database, ticks) {}

  // What is said of an event first stays. nullptr for an event that is not stored.
  DiagramLine* Add(std::optional<int64_t> event, DiagramSide side, std::string text = {}) {
    if (!event) return nullptr;
    auto known = lines_.find(*event);
    if (known != lines_.end()) return &known->second;
    auto stored = events_.Read(*event);
    if (!stored) return nullptr;
    DiagramLine line{.event = std::move(*stored), .side = side, .text = std::move(text)};
    if (line.text.empty()) line.text = Describe(line.event);
    line.fatal = line.event.name == "mm_page_free";
    return &lines_.emplace(*event, std::move(line)).first->second;
  }

  bool Has(int64_t event) const { return lines_.contains(event); }

  // In the order of the trace, lock regions marked.
  std::vector<DiagramLine> Lines() {
    std::vector<DiagramLine> lines;
    std::set<std::optional<int64_t>> locked;  // tasks
    for (auto& [event, line] : lines_) {
      if (line.lock_ends) locked.erase(line.event.pid);
      line.locked = locked.contains(line.event.pid);
      if (line.lock_begins) locked.insert(line.event.pid);
      lines.push_back(std::move(line));
    }
    return lines;
  }

 private:
  EventLines events_;
  std::map<int64_t, DiagramLine> lines_;
};

// The row a diagram is made from.
struct WaitRow {
  explicit WaitRow(const Statement& row)
      : comm(row.Text(0)),
        pid(row.OptionalInt(1)),
        pfn(row.OptionalInt(2)),
        function(row.Text(3)),
        begin(row.OptionalInt(4)),
        end(row.OptionalInt(5)),
        protection(row.Text(6)),
        outcome(row.Text(7)),
        why(row.Text(8)),
        call(row.OptionalInt(9)),
        lock_acquired(row.OptionalInt(10)),
        lock_dropped(row.OptionalInt(11)),
        reference(row.OptionalInt(12)),
        asleep(row.OptionalInt(13)),
        woken(row.OptionalInt(14)),
        death(row.OptionalInt(15)),
        death_comm(row.Text(16)),
        death_pid(row.OptionalInt(17)),
        free(row.OptionalInt(18)),
        order(row.Text(19)),
        distance(row.Int(20)),
        report(row.OptionalInt(21)),
        lock(row.OptionalInt(22)),
        page_order(row.OptionalInt(23)) {}

  bool freed() const { return outcome.starts_with("freed") || outcome == "reused"; }
  bool freed_before_wait() const {
    return outcome == "freed_before_queue" || (outcome == "reused" && death && begin && *death < *begin);
  }

  std::string comm;
  std::optional<int64_t> pid;
  std::optional<int64_t> pfn;
  std::string function;
  std::optional<int64_t> begin;
  std::optional<int64_t> end;
  std::string protection;
  std::string outcome;
  std::string why;
  std::optional<int64_t> call;
  std::optional<int64_t> lock_acquired;
  std::optional<int64_t> lock_dropped;
  std::optional<int64_t> reference;
  std::optional<int64_t> asleep;
  std::optional<int64_t> woken;
  std::optional<int64_t> death;
  std::string death_comm;
  std::optional<int64_t> death_pid;
  std::optional<int64_t> free;
  std::string order;
  int64_t distance;
  std::optional<int64_t> report;
  std::optional<int64_t> lock;
  std::optional<int64_t> page_order;
};

std::string LockText(std::optional<int64_t> lock) {
  return lock ? "ptl " + HexText(static_cast<uint64_t>(*lock)) : "the page-table lock";
}

std::string WaitText(const WaitRow& wait) {
  std::string function = Printable(wait.function);
  if (wait.outcome == "freed_before_queue") return function + "(): queues on a FREE page";
  if (wait.freed_before_wait()) return function + "(): queues on another owner's page";
  return function + "(): waits";
}

void AddWaiter(const WaitRow& wait, Builder* builder) {
  constexpr auto kWaiter = DiagramSide::kWaiter;
  builder->Add(wait.call, kWaiter);
  if (DiagramLine* line = builder->Add(wait.lock_acquired, kWaiter, "takes " + LockText(wait.lock)))
    line->lock_begins = true;
  std::string drop = wait.protection == "none" ? "drops it, holding no reference" : "drops it";
  if (DiagramLine* line = builder->Add(wait.lock_dropped, kWaiter, drop)) line->lock_ends = true;
  bool late = wait.reference && wait.lock_dropped && *wait.reference > *wait.lock_dropped;
  if (late) builder->Add(wait.reference, kWaiter, "takes its reference only now");
  if (DiagramLine* line = builder->Add(wait.begin, kWaiter, WaitText(wait)))
    line->fatal = wait.freed_before_wait();
  builder->Add(wait.asleep, kWaiter, "sleeps");
  builder->Add(wait.end, kWaiter, "wait returns");
}

// From the migration of the page, or the waiter's lookup, to the wait's end.
struct Stretch {
  int64_t first;
  int64_t last;
  std::optional<int64_t> migrated = {};  // end of the releaser's migration of the page
};

Stretch StretchOf(const Database& database, const WaitRow& wait) {
  Stretch stretch{
      std::min({wait.call.value_or(INT64_MAX), wait.lock_acquired.value_or(INT64_MAX),
                wait.begin.value_or(INT64_MAX)}),
      std::max({wait.end.value_or(0), wait.begin.value_or(0), wait.freed() ? wait.free.value_or(0) : 0})};
  if (!wait.pfn || !wait.freed() || !wait.death || !wait.death_pid) return stretch;
  Statement migration(database, ReportSql("diagram migration"));
  migration.Bind(1, *wait.pfn);
  migration.Bind(2, *wait.death_pid);
  migration.Bind(3, *wait.death);
  if (!migration.Step() || migration.IsNull(0)) return stretch;
  stretch.migrated = migration.OptionalInt(1);
  stretch.first = std::min(stretch.first, migration.Int(0));
  // From where the page table is locked for it.
  Statement holds(database, ReportSql("holds at"));
  holds.Bind(1, *wait.death_pid);
  holds.Bind(2, migration.Int(0));
  if (holds.Step() && !holds.IsNull(0)) stretch.first = std::min(stretch.first, holds.Int(0));
  return stretch;
}

// The page's reference count where the last event before or at `event` leaves it.
std::optional<int64_t> CountAt(Statement* query, std::optional<int64_t> pfn, int64_t event) {
  if (!pfn) return std::nullopt;
  query->Bind(1, *pfn);
  query->Bind(2, event);
  auto count = query->Step() ? query->OptionalInt(0) : std::nullopt;
  query->Reset();
  return count;
}

// `holds`: rows of acquire event, release event, lock.
void AddHolds(Statement* holds, Builder* builder) {
  while (holds->Step()) {
    std::string takes = "takes " + LockText(holds->OptionalInt(2));
    if (DiagramLine* line = builder->Add(holds->OptionalInt(0), DiagramSide::kOthers, takes))
      line->lock_begins = true;
    if (DiagramLine* line = builder->Add(holds->OptionalInt(1), DiagramSide::kOthers, "drops it"))
      line->lock_ends = true;
  }
  holds->Reset();
}

// Returns how many events of the page would not fit. The ends of a long story say most: how the migration
// began, and how the page went.
int64_t AddOthers(const Database& database, const WaitRow& wait, Builder* builder) {
  constexpr auto kOthers = DiagramSide::kOthers;
  Stretch stretch = StretchOf(database, wait);
  builder->Add(wait.woken, kOthers, "wakes the waiter");
  if (wait.freed()) {
    builder->Add(wait.death, kOthers);
    builder->Add(wait.free, kOthers);
  }
  if (stretch.migrated && *stretch.migrated <= *wait.death) builder->Add(stretch.migrated, kOthers);
  if (wait.freed() && wait.lock && wait.death && wait.death_pid) {
    Statement of_lock(database, ReportSql("diagram holds"));
    of_lock.Bind(1, *wait.death_pid);
    of_lock.Bind(2, stretch.first);
    of_lock.Bind(3, *wait.death);
    of_lock.Bind(4, *wait.lock);
    AddHolds(&of_lock, builder);
  }
  std::vector<int64_t> events;
  if (wait.pfn) events = EventsOfPage(database, *wait.pfn, stretch.first, stretch.last, wait.pid);
  int64_t left_out = 0;
  Statement holds(database, ReportSql("holds at"));
  for (size_t i = 0; i < events.size(); ++i) {
    bool middle = i >= kMostOthers / 2 && i + kMostOthers / 2 < events.size();
    if (middle && !builder->Has(events[i])) {
      ++left_out;
      continue;
    }
    DiagramLine* line = builder->Add(events[i], kOthers);
    if (!line || !line->event.pid || line->side != kOthers) continue;
    holds.Bind(1, *line->event.pid);
    holds.Bind(2, events[i]);
    AddHolds(&holds, builder);
  }
  return left_out;
}

std::string OrderText(const WaitRow& wait, const TraceClock& clock, const std::vector<DiagramLine>& lines) {
  if (!wait.freed() || !wait.death || !wait.begin) return {};
  auto line_of = [&](int64_t event) {
    auto found = std::find_if(lines.begin(), lines.end(),
                              [&](const DiagramLine& line) { return line.event.event == event; });
    return found == lines.end() ? 0 : found->event.line;
  };
  if (wait.outcome != "freed_before_queue")
    return fmt::format("the page's death (event {}, line {}) lies between the wait's beginning and its end",
                       *wait.death, line_of(*wait.death));
  std::string both =
      fmt::format("the page's death (event {}, line {}) and the wait's beginning (event {}, line {})",
                  *wait.death, line_of(*wait.death), *wait.begin, line_of(*wait.begin));
  if (wait.order == "same cpu")
    return both + " are of one cpu, whose buffer keeps them in order, or of one task";
  if (wait.order == "count") return both + " are ordered: the probe on the wait read a reference count of 0";
  if (wait.order == "lock hand-over")
    return both + " are ordered: between them a page-table lock went from one task to the other";
  if (wait.order == "wake-up") return both + " are ordered: between them one task woke the other";
  if (wait.order == "fork") return both + " are ordered: between them one task forked the other";
  if (wait.order != "apart")
    return both + " are of different cpus, and nothing proves which was first: the order is open";
  return fmt::format("{} are {} apart on different cpus, whose clocks differ by at most {}", both,
                     DurationText(wait.distance, clock.ticks), DurationText(clock.error, clock.ticks));
}

// "+- [1] takes page-table lock 0x..", "|  [3] toucher/1-65: drops a reference"
std::string TableCell(const DiagramLine& line, const RaceDiagram& diagram) {
  std::string text = line.lock_begins || line.lock_ends ? "+- " : line.locked ? "|  " : "";
  if (line.event.cpu) text += fmt::format("[{}] ", *line.event.cpu);
  // The column's head names one task; others say who they are.
  std::string task = TaskText(line.event.comm, line.event.pid);
  if (line.side == DiagramSide::kOthers && task != diagram.releaser) text += task + ": ";
  return text + line.text;
}

}  // namespace

std::vector<OrderProof> NeighbourProofs(const Database& database, int64_t finding) {
  std::vector<OrderProof> neighbours;
  for (OrderProof& proof : OrderProofs(database).Read(finding)) {
    // Sorted by the earlier event, then the later: the first row of each is its neighbour.
    auto earlier = [](const OrderProof& p) { return std::min(p.first, p.second); };
    if (neighbours.empty() || earlier(neighbours.back()) != earlier(proof))
      neighbours.push_back(std::move(proof));
  }
  return neighbours;
}

std::vector<int64_t> EventsOfPage(const Database& database, int64_t pfn, int64_t first, int64_t last,
                                  std::optional<int64_t> pid) {
  std::vector<int64_t> found;
  Statement events(database, ReportSql("diagram page events"));
  events.Bind(1, pfn);
  events.Bind(2, first);
  events.Bind(3, last);
  events.Bind(4, pid);
  while (events.Step()) found.push_back(events.Int(0));
  return found;
}

std::optional<RaceDiagram> MakeDiagram(const Database& database, const TraceClock& clock, int64_t finding) {
  Statement row(database, ReportSql("diagram wait"));
  row.Bind(1, finding);
  if (!row.Step()) return std::nullopt;
  WaitRow wait(row);

  RaceDiagram diagram;
  diagram.finding = finding;
  diagram.waiter = TaskText(wait.comm, wait.pid);
  if (wait.freed()) diagram.releaser = TaskText(wait.death_comm, wait.death_pid);
  diagram.pfn = wait.pfn;
  diagram.page_order = wait.page_order;
  diagram.why = wait.why;
  if (wait.report && wait.outcome.starts_with("freed"))
    diagram.kernel = ReadKernelReport(database, *wait.report);

  if (wait.protection == "none") {
    diagram.hazard_begin = wait.lock_dropped ? wait.lock_dropped : wait.call;
    diagram.hazard_end = wait.freed() && wait.death ? std::max(wait.death, wait.begin)
                         : wait.end                 ? wait.end
                                                    : wait.begin;
  }

  Builder builder(database, clock.ticks);
  AddWaiter(wait, &builder);
  diagram.left_out = AddOthers(database, wait, &builder);
  diagram.lines = builder.Lines();
  diagram.proofs = NeighbourProofs(database, finding);
  diagram.order = OrderText(wait, clock, diagram.lines);
  Statement count(database, ReportSql("count at"));
  for (DiagramLine& line : diagram.lines) line.count = CountAt(&count, wait.pfn, line.event.event);
  return diagram;
}

std::string PageName(const RaceDiagram& diagram) {
  return diagram.pfn ? "page " + PfnText(diagram.pfn) : "a page that could not be identified";
}

std::string RaceHeading(const RaceDiagram& diagram, const std::string& page) {
  std::string heading = diagram.waiter + " waited on " + page;
  if (!diagram.releaser.empty()) heading += ", " + diagram.releaser + " freed it";
  return heading;
}

std::string DrawDiagram(const RaceDiagram& diagram, const TraceClock& clock, TextStyle style) {
  size_t time_width = 6;
  for (const DiagramLine& line : diagram.lines)
    time_width = std::max(time_width, TimeText(line.event.ts, clock.ticks).size());
  size_t column = (kReportWidth - time_width - kCountColumn - 4) / 2;

  std::string page = PageName(diagram);
  if (diagram.page_order) page += fmt::format(" (order {})", *diagram.page_order);
  std::string out = Wrap(RaceHeading(diagram, page) + ": " + Printable(diagram.why), 2, 2) + "\n";

  std::string others = diagram.releaser.empty() ? "others" : diagram.releaser;
  std::string head =
      fmt::format("{:>{}}  {} {} {:>{}}", clock.ticks ? "ticks" : "time", time_width,
                  PadToWidth(diagram.waiter, column), PadToWidth(others, column), "count", kCountColumn - 1);
  out += Inked(head, Ink::kBold, style) + "\n";
  for (const DiagramLine& line : diagram.lines) {
    bool waiter = line.side == DiagramSide::kWaiter;
    std::string cell = Printable(TableCell(line, diagram));
    // The right side of a waiter's line is empty: long names may run into it.
    std::string sides =
        waiter ? PadToWidth(cell, 2 * column + 1) : std::string(column + 1, ' ') + PadToWidth(cell, column);
    std::string text = fmt::format("{:>{}}  {}", TimeText(line.event.ts, clock.ticks), time_width, sides);
    if (line.count) text += fmt::format(" {:>{}}", *line.count, kCountColumn - 1);
    text.erase(text.find_last_not_of(' ') + 1);
    out += (line.fatal ? Inked(text, Ink::kRed, style) : text) + "\n";
  }
  if (diagram.left_out > 0)
    out += fmt::format("{:>{}}  ({} of this page by others left out)\n", "", time_width,
                       Plural(diagram.left_out, "event", "events"));

  out += "\n";
  std::string path;
  for (const DiagramLine& line : diagram.lines) {
    if (line.event.path != path) out += Wrap(Printable(line.event.path) + ":", 2, 4);
    path = line.event.path;
    out += Wrap(fmt::format("{}: {}", line.event.line, Printable(line.event.Original())), 4, 8);
  }
  if (!diagram.order.empty()) out += Wrap("order: " + diagram.order, 2, 4);
  auto line_of = [&](int64_t event) {
    auto found = std::find_if(diagram.lines.begin(), diagram.lines.end(),
                              [&](const DiagramLine& line) { return line.event.event == event; });
    return found == diagram.lines.end() ? "event " + std::to_string(event)
                                        : "line " + std::to_string(found->event.line);
  };
  for (const OrderProof& proof : diagram.proofs) {
    const char* relation = proof.kind == "open" ? "and" : "before";
    out += Wrap(fmt::format("{} {} {}: {}: {}", line_of(proof.first), relation, line_of(proof.second),
                            proof.kind, proof.detail),
                4, 6);
  }
  if (diagram.kernel)
    out += Wrap(fmt::format("kernel: {}:{}: {}", Printable(diagram.kernel->path), diagram.kernel->line,
                            KernelReportText(*diagram.kernel)),
                2, 4);
  return out;
}

}  // namespace mmreplay
