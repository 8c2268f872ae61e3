#include "report/race_picture.h"

#include <algorithm>
#include <map>

#include "parser/decode.h"
#include "report/report_sql.h"

namespace mmreplay {
namespace {

constexpr size_t kTaskLanes = 3;     // with "other tasks"
constexpr size_t kMostContext = 12;  // events of the page round evidence that is not about a wait
constexpr const char* kOthers = "other tasks";

std::string TaskOf(const EventLine& event) {
  return TaskText(event.comm, event.pid);
}

// Lanes in the order given; what has no room shares the last one.
class Lanes {
 public:
  void Add(const std::string& task) {
    if (!task.empty() && std::find(tasks_.begin(), tasks_.end(), task) == tasks_.end())
      tasks_.push_back(task);
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names = tasks_;
    if (names.size() > kTaskLanes) {
      names.resize(kTaskLanes - 1);
      names.emplace_back(kOthers);
    }
    return names;
  }

  // nullopt for a task nothing is told of.
  std::optional<size_t> Of(const std::string& task) const {
    auto found = std::find(tasks_.begin(), tasks_.end(), task);
    if (found == tasks_.end()) return std::nullopt;
    auto index = static_cast<size_t>(found - tasks_.begin());
    return tasks_.size() > kTaskLanes ? std::min(index, kTaskLanes - 1) : index;
  }

  bool Shared(const std::string& task) const {
    return tasks_.size() > kTaskLanes && Of(task) == kTaskLanes - 1;
  }

 private:
  std::vector<std::string> tasks_;
};

void PlaceRows(const Lanes& lanes, RacePicture* picture) {
  picture->lanes = lanes.Names();
  for (PictureRow& row : picture->rows) {
    std::string task = TaskOf(row.event);
    row.lane = lanes.Of(task).value_or(0);
    if (lanes.Shared(task)) row.text.insert(0, task + ": ");
  }
}

// Numbers in the order of the trace.
void NumberEvidence(const std::vector<Evidence>& evidence, RacePicture* picture) {
  std::map<int64_t, std::string> roles;
  for (const Evidence& one : evidence) {
    std::string& role = roles[one.event];
    role += (role.empty() ? "" : ", ") + one.role;
  }
  size_t number = 0;
  for (PictureRow& row : picture->rows) {
    auto found = roles.find(row.event.event);
    if (found == roles.end()) continue;
    row.number = ++number;
    row.role = found->second;
  }
}

// Holdings of page-table locks: from where a task takes one to where it drops it.
void AddHolds(const RaceDiagram& diagram, const Lanes& lanes, RacePicture* picture) {
  std::map<std::string, std::optional<int64_t>> taken;
  for (const DiagramLine& line : diagram.lines) {
    std::string task = TaskOf(line.event);
    if (line.lock_ends) {
      auto begin = taken.find(task);
      picture->bars.push_back({BarKind::kHold,
                               lanes.Of(task).value_or(0),
                               task,
                               {begin == taken.end() ? std::nullopt : begin->second, line.event.event}});
      taken.erase(task);
    }
    if (line.lock_begins) taken[task] = line.event.event;
  }
  for (const auto& [task, begin] : taken)
    picture->bars.push_back({BarKind::kHold, lanes.Of(task).value_or(0), task, {begin, std::nullopt}});
}

// Waits of all tasks on the page while the story lasts.
void AddWaits(const Database& database, const Lanes& lanes, RacePicture* picture) {
  if (!picture->pfn || picture->rows.empty()) return;
  int64_t first = picture->rows.front().event.event;
  int64_t last = picture->rows.back().event.event;
  Statement query(database, ReportSql("waits on page between"));
  query.Bind(1, *picture->pfn);
  query.Bind(2, first);
  query.Bind(3, last);
  while (query.Step()) {
    LaneBar bar{BarKind::kWait,
                0,
                TaskText(query.Text(0), query.OptionalInt(1)),
                {query.OptionalInt(2), query.OptionalInt(3)}};
    if (bar.span.from_event && *bar.span.from_event < first) bar.span.from_event.reset();
    if (bar.span.to_event && *bar.span.to_event > last) bar.span.to_event.reset();
    if (auto lane = lanes.Of(bar.task)) {
      bar.lane = *lane;
      picture->bars.push_back(bar);
    }
    picture->page_waiters.push_back(std::move(bar));
  }
}

// PG_locked as an event of the page shows it: before it, after it.
struct LockSeen {
  std::optional<bool> before;
  std::optional<bool> after;
};

// flags=locked|uptodate|dirty of a page_ref event are those after it. An unlock ends what was locked. The
// kernel moves and unmaps only locked pages (mm/migrate.c, VM_BUG_ON_FOLIO(!folio_test_locked(..)) and its
// forerunners).
LockSeen SeeLock(const EventLine& event) {
  std::string function = ProbedFunction(event.name, event.args);
  bool returned = event.args.substr(0, event.args.find(')')).find(" <- ") != std::string::npos;
  if (function == "folio_unlock" || function == "unlock_page")
    return returned ? LockSeen{{}, false} : LockSeen{true, false};
  if (event.name == "mm_page_free" || event.name == "mm_page_alloc") return {false, false};
  if (event.name == "set_migration_pmd" || event.name == "set_migration_pte" ||
      ((function == "folio_migrate_mapping" || function == "migrate_page_move_mapping" ||
        function == "migrate_misplaced_transhuge_page" || function == "migrate_huge_page_move_mapping") &&
       !returned))
    return {true, true};
  if (!event.name.starts_with("page_ref_")) return {};
  std::string_view flags = FindField(event.args, "flags").value_or("");
  // Raw pointers leave the names out (flags=), and some readers print numbers.
  if (flags.empty() || (flags.front() >= '0' && flags.front() <= '9')) return {};
  std::string names = "|" + std::string(flags) + "|";
  bool locked = names.find("|locked|") != std::string::npos;
  return {locked, locked};
}

void AddLocked(RacePicture* picture) {
  std::optional<int64_t> from;
  std::optional<int64_t> seen;  // last event that shows it locked
  for (const PictureRow& row : picture->rows) {
    LockSeen lock = SeeLock(row.event);
    if (lock.before == true && !from) from = row.event.event;
    if (lock.before == true) seen = row.event.event;
    if (lock.after == false && from) {
      // Known to be unlocked from here on; when exactly it was, only an unlock tells.
      picture->page_spans.push_back(
          {PageState::kLocked, {from, lock.before == true ? row.event.event : seen}});
      from.reset();
    }
  }
  if (from) picture->page_spans.push_back({PageState::kLocked, {from, seen}});
}

// Free, and another's, as the lives of the frame say.
void AddLives(const Database& database, RacePicture* picture) {
  if (!picture->pfn || picture->rows.empty()) return;
  int64_t first = picture->rows.front().event.event;
  int64_t last = picture->rows.back().event.event;
  Statement query(database, ReportSql("lives of page"));
  query.Bind(1, *picture->pfn);
  std::optional<int64_t> free_since;
  auto end_free = [&](std::optional<int64_t> until) {
    if (free_since && *free_since <= last && (!until || *until >= first)) {
      if (until && *until > last) until.reset();
      PictureSpan span{*free_since < first ? std::nullopt : free_since, until};
      picture->page_spans.push_back({PageState::kFree, span});
    }
  };
  while (query.Step()) {
    auto alloc = query.OptionalInt(0);
    if (free_since && alloc) {
      end_free(alloc);
      if (*alloc <= last && *free_since >= first)
        picture->page_spans.push_back({PageState::kReused, {alloc, query.OptionalInt(1)}});
    }
    free_since = query.OptionalInt(1);
  }
  end_free(std::nullopt);
}

// Evidence of a finding that is not about a wait, and what happened to its page meanwhile.
void AddEvidenceRows(const Database& database, const TraceClock& clock, const FindingGroup& group,
                     RacePicture* picture) {
  std::map<int64_t, PictureRow> rows;
  for (const EvidenceLine& line : group.lines) {
    PictureRow row{.event = line.event, .text = Describe(line.event), .role = {}, .count = line.event.count};
    rows.emplace(line.event.event, std::move(row));
  }
  if (picture->pfn && !rows.empty()) {
    std::vector<int64_t> events =
        EventsOfPage(database, *picture->pfn, rows.begin()->first, rows.rbegin()->first, {});
    EventLines lines(database, clock.ticks);
    for (size_t i = 0; i < events.size(); ++i) {
      if (rows.contains(events[i])) continue;
      if (i >= kMostContext / 2 && i + kMostContext / 2 < events.size()) {
        ++picture->left_out;
        continue;
      }
      auto event = lines.Read(events[i]);
      if (!event) continue;
      PictureRow row{.event = *event, .text = Describe(*event), .role = {}, .count = event->count};
      rows.emplace(events[i], std::move(row));
    }
  }
  for (auto& [event, row] : rows) picture->rows.push_back(std::move(row));
}

}  // namespace

RacePicture MakePicture(const Database& database, const TraceClock& clock, const FindingGroup& group) {
  RacePicture picture;
  picture.finding = group.finding;
  Lanes lanes;
  std::vector<Evidence> evidence;
  Statement query(database, ReportSql("evidence"));
  query.Bind(1, group.finding);
  while (query.Step()) evidence.push_back({query.Int(0), std::string(query.Text(1))});

  if (group.strongest) {
    const RaceDiagram& diagram = *group.strongest;
    picture.pfn = diagram.pfn;
    picture.page_order = diagram.page_order;
    picture.left_out = diagram.left_out;
    picture.proofs = diagram.proofs;
    if (diagram.hazard_begin) picture.hazard = PictureSpan{diagram.hazard_begin, diagram.hazard_end};
    lanes.Add(diagram.waiter);
    lanes.Add(diagram.releaser);
    for (const DiagramLine& line : diagram.lines) {
      lanes.Add(TaskOf(line.event));
      PictureRow row{
          .event = line.event, .text = line.text, .role = {}, .fatal = line.fatal, .count = line.count};
      picture.rows.push_back(std::move(row));
    }
    AddHolds(diagram, lanes, &picture);
  } else {
    Statement pfn(database, ReportSql("page of finding"));
    pfn.Bind(1, group.finding);
    if (pfn.Step()) picture.pfn = pfn.OptionalInt(0);
    AddEvidenceRows(database, clock, group, &picture);
    for (const PictureRow& row : picture.rows) lanes.Add(TaskOf(row.event));
    picture.proofs = NeighbourProofs(database, group.finding);
  }
  PlaceRows(lanes, &picture);
  NumberEvidence(evidence, &picture);
  AddWaits(database, lanes, &picture);
  AddLocked(&picture);
  AddLives(database, &picture);
  return picture;
}

}  // namespace mmreplay
