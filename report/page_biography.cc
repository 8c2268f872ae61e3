#include "report/page_biography.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "replay/text.h"
#include "report/evidence.h"
#include "report/report_sql.h"

namespace mmreplay {
namespace {

// Of a block, log2 of its pages: 1 GiB of 4 KiB pages. The buddy allocator's own limit is below.
constexpr int64_t kLargestOrder = 18;

struct Life {
  int64_t id = 0;
  int64_t pfn = 0;
  std::optional<int64_t> page_order;
  std::string quality;
  std::optional<int64_t> alloc_event;
  std::optional<int64_t> alloc_ts;
  std::optional<int64_t> alloc_pid;
  std::string alloc_comm;
  std::optional<int64_t> free_ts;
  std::optional<int64_t> free_pid;
  std::string free_comm;
};

// What is said of one event.
struct StoryRow {
  int64_t event;
  uint32_t text;  // of Texts
};

// What is told of one life. Several things may be said of one event, none twice.
struct Story {
  std::vector<StoryRow> rows;
  std::vector<std::string> notes;  // below the rows
};

// A page has very many events and few things happen to it.
class Texts {
 public:
  uint32_t Add(std::string text) {
    auto [found, fresh] = numbers_.try_emplace(std::move(text), static_cast<uint32_t>(texts_.size()));
    if (fresh) texts_.push_back(&found->first);
    return found->second;
  }
  const std::string& operator[](uint32_t number) const { return *texts_[number]; }

 private:
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<const std::string*> texts_;
};

// Page-table locks tasks held at events that are asked for in ascending order.
class HoldsInOrder {
 public:
  struct Hold {
    int64_t acquired;
    std::optional<int64_t> released;
    std::optional<int64_t> lock;
    std::optional<size_t> told_in = {};  // life
  };

  explicit HoldsInOrder(const Database& database) : query_(database, ReportSql("holds taken")) {}

  // Of the last kMostNested that were taken until then; the newest first.
  std::vector<Hold>& Until(int64_t pid, int64_t event) {
    Latest& latest = of_task_[pid];
    query_.Bind(1, pid);
    query_.Bind(2, latest.until);
    query_.Bind(3, event);
    query_.Bind(4, kMostNested);
    std::vector<Hold> holds;
    while (query_.Step()) holds.push_back({query_.Int(0), query_.OptionalInt(1), query_.OptionalInt(2)});
    query_.Reset();
    latest.until = event;
    if (holds.empty()) return latest.holds;
    size_t before = std::min(latest.holds.size(), static_cast<size_t>(kMostNested) - holds.size());
    holds.insert(holds.end(), latest.holds.begin(), latest.holds.begin() + static_cast<ptrdiff_t>(before));
    latest.holds = std::move(holds);
    return latest.holds;
  }

 private:
  static constexpr int64_t kMostNested = 8;

  struct Latest {
    int64_t until = -1;
    std::vector<Hold> holds;
  };

  Statement query_;
  std::unordered_map<int64_t, Latest> of_task_;
};

class Biographer {
 public:
  Biographer(const Database& database, int64_t pfn)
      : database_(database), pfn_(pfn), clock_(ReadClock(database)), events_(database, clock_.ticks) {
    ReadLives();
    std::set<int64_t> heads = {pfn_};
    for (const Life& life : lives_) heads.insert(life.pfn);
    for (int64_t head : heads) {
      ReadEvents(head);
      ReadWaits(head);
      ReadMigrations(head);
      ReadAnomalies(head);
    }
    // The kernel names any page of a block.
    heads.insert(pfn_);
    for (int64_t head : heads) ReadReports(head);
  }

  bool empty() const { return lives_.empty() && stories_.empty(); }

  void Write(const WriteFn& write) {
    for (auto& [life, story] : stories_) {
      std::stable_sort(story.rows.begin(), story.rows.end(),
                       [](const StoryRow& a, const StoryRow& b) { return a.event < b.event; });
    }
    std::string lives = lives_.empty() ? "no life of it is known"
                                       : Plural(static_cast<int64_t>(lives_.size()), "life", "lives");
    write(fmt::format("page {} (pfn {}): {}\n", PfnText(pfn_), pfn_, lives));
    if (auto before = stories_.find(kNoLife); before != stories_.end()) {
      write("\nbefore or outside of any known life\n");
      WriteStory(before->second, write);
    }
    for (size_t i = 0; i < lives_.size(); ++i) {
      write("\n" + Wrap(LifeText(i), 0, 2));
      WriteStory(stories_[i], write);
    }
  }

 private:
  static constexpr size_t kNoLife = SIZE_MAX;
  static constexpr size_t kMostKept = 20'000;

  void ReadLives() {
    Statement query(database_, ReportSql("page lives"));
    query.Bind(1, pfn_);
    query.Bind(2, kLargestOrder);
    while (query.Step()) {
      life_of_id_.try_emplace(query.Int(0), lives_.size());
      lives_.push_back({.id = query.Int(0),
                        .pfn = query.Int(1),
                        .page_order = query.OptionalInt(2),
                        .quality = std::string(query.Text(3)),
                        .alloc_event = query.OptionalInt(10),
                        .alloc_ts = query.OptionalInt(4),
                        .alloc_pid = query.OptionalInt(5),
                        .alloc_comm = std::string(query.Text(6)),
                        .free_ts = query.OptionalInt(7),
                        .free_pid = query.OptionalInt(8),
                        .free_comm = std::string(query.Text(9))});
    }
  }

  // The life that had begun last when the event happened: a free page belongs to its former life.
  size_t LifeAt(int64_t event) const {
    auto later = std::partition_point(lives_.begin(), lives_.end(), [&](const Life& life) {
      return life.alloc_event.value_or(0) <= event;
    });
    return later == lives_.begin() ? kNoLife : static_cast<size_t>(later - lives_.begin()) - 1;
  }

  size_t LifeOf(std::optional<int64_t> lifetime, int64_t event) const {
    auto life = lifetime ? life_of_id_.find(*lifetime) : life_of_id_.end();
    return life != life_of_id_.end() ? life->second : LifeAt(event);
  }

  void Tell(size_t life, std::optional<int64_t> event, std::string text) {
    if (event) stories_[life].rows.push_back({*event, texts_.Add(std::move(text))});
  }

  void ReadEvents(int64_t head) {
    Statement query(database_, ReportSql("page events"));
    HoldsInOrder holds(database_);
    query.Bind(1, head);
    while (query.Step()) {
      int64_t id = query.Int(0);
      auto event = events_.Read(id);
      if (!event) continue;
      size_t life = LifeOf(query.OptionalInt(1), id);
      Tell(life, id, Describe(*event));
      auto pid = event->pid;
      if (read_.size() < kMostKept) read_.try_emplace(id, std::move(*event));
      if (!pid) continue;
      auto& taken = holds.Until(*pid, id);
      for (auto hold = taken.rbegin(); hold != taken.rend(); ++hold) {
        if (hold->released < id || hold->told_in == life) continue;
        hold->told_in = life;
        TellHold(life, hold->acquired, hold->released, hold->lock);
      }
    }
  }

  void TellHold(size_t life, std::optional<int64_t> acquired, std::optional<int64_t> released,
                std::optional<int64_t> lock) {
    std::string name = lock ? "ptl " + HexText(static_cast<uint64_t>(*lock)) : "the page-table lock";
    Tell(life, acquired, "takes " + name);
    Tell(life, released, "drops " + name);
  }

  void ReadWaits(int64_t head) {
    Statement findings(database_, ReportSql("page findings"));
    std::map<int64_t, std::string> of_wait;
    findings.Bind(1, head);
    while (findings.Step()) {
      std::string text =
          fmt::format("finding {}: {} {}", findings.Int(0), findings.Text(1), findings.Text(2));
      if (findings.Text(3) == "page_waits") {
        of_wait[findings.Int(4)] += "; " + text;
      } else {
        stories_[LifeOf(findings.OptionalInt(6), INT64_MAX)].notes.push_back(text + ": " +
                                                                             std::string(findings.Text(5)));
      }
    }
    Statement query(database_, ReportSql("page waits"));
    query.Bind(1, head);
    while (query.Step()) {
      auto begin = query.OptionalInt(1);
      size_t life = LifeOf(query.OptionalInt(10), begin.value_or(0));
      std::string_view function = query.Text(5);
      Tell(life, begin,
           fmt::format("WAITS in {}: protection {}, {}", function, query.Text(6), query.Text(7)));
      Tell(life, query.OptionalInt(13), "looks the page up");
      TellHold(life, query.OptionalInt(11), query.OptionalInt(12), query.OptionalInt(16));
      Tell(life, query.OptionalInt(14), "sleeps");
      Tell(life, query.OptionalInt(15), "wakes " + TaskText(query.Text(3), query.OptionalInt(4)));
      Tell(life, query.OptionalInt(2), "wait ends");
      stories_[life].notes.push_back(fmt::format(
          "{} waited {}..{}: {}: {}{}", TaskText(query.Text(3), query.OptionalInt(4)),
          TimeText(query.OptionalInt(17), clock_.ticks), TimeText(query.OptionalInt(18), clock_.ticks),
          query.Text(8), query.Text(9), of_wait[query.Int(0)]));
    }
  }

  void ReadMigrations(int64_t head) {
    Statement query(database_, ReportSql("page migrations"));
    query.Bind(1, head);
    while (query.Step()) {
      bool out = query.OptionalInt(2) == head;
      std::string way =
          out ? "to " + PfnText(query.OptionalInt(3)) : "here from " + PfnText(query.OptionalInt(2));
      std::string reason = query.Text(4).empty() ? "" : " (" + std::string(query.Text(4)) + ")";
      std::string why = query.Text(8).empty() ? "" : ": " + std::string(query.Text(8));
      size_t life = LifeAt(query.OptionalInt(5).value_or(query.OptionalInt(6).value_or(0)));
      Tell(life, query.OptionalInt(5), fmt::format("MIGRATION {} begins{}", way, reason));
      Tell(life, query.OptionalInt(6), fmt::format("MIGRATION {} ends: {}{}", way, query.Text(7), why));
    }
  }

  void ReadAnomalies(int64_t head) {
    Statement query(database_, ReportSql("page anomalies"));
    query.Bind(1, head);
    while (query.Step()) {
      if (query.IsNull(0)) continue;
      Tell(LifeAt(query.Int(0)), query.Int(0), fmt::format("anomaly {}: {}", query.Text(1), query.Text(2)));
    }
  }

  void ReadReports(int64_t head) {
    Statement query(database_, ReportSql("page reports"));
    query.Bind(1, head);
    while (query.Step()) {
      auto report = ReadKernelReport(database_, query.Int(0));
      if (!report) continue;
      size_t life = LifeOf(query.OptionalInt(1), INT64_MAX);
      stories_[life].notes.push_back(fmt::format("the kernel reported, {}:{}: {}", report->path, report->line,
                                                 KernelReportText(*report)));
    }
  }

  // "life 2 of 3: order 9, allocated 5.1 by mover-63, freed 5.794279 by toucher/0-64 (complete)"
  std::string LifeText(size_t i) const {
    const Life& life = lives_[i];
    std::string text = fmt::format("life {} of {}: ", i + 1, lives_.size());
    if (life.pfn != pfn_) text += "inside the block at " + PfnText(life.pfn) + ", ";
    text += life.page_order ? fmt::format("order {}", *life.page_order) : "order unknown";
    if (life.alloc_ts)
      text += fmt::format(", allocated {} by {}", TimeText(life.alloc_ts, clock_.ticks),
                          TaskText(life.alloc_comm, life.alloc_pid));
    if (life.free_ts)
      text += fmt::format(", freed {} by {}", TimeText(life.free_ts, clock_.ticks),
                          TaskText(life.free_comm, life.free_pid));
    return text + " (" + life.quality + ")";
  }

  //       time  cpu   task                 count     line  what
  //   5.794279  [2]   toucher/0-64             0     2395  drops the last reference
  void WriteStory(const Story& story, const WriteFn& write) {
    if (!story.rows.empty())
      write(fmt::format("{:>14}  cpu   {:<20} count {:>8}  what\n", clock_.ticks ? "ticks" : "time", "task",
                        "line"));
    for (auto row = story.rows.begin(), next = row; row != story.rows.end(); row = next) {
      int64_t id = row->event;
      while (next != story.rows.end() && next->event == id) ++next;
      std::optional<EventLine> fresh;
      auto kept = read_.find(id);
      if (kept == read_.end()) fresh = events_.Read(id);
      const EventLine* event = kept != read_.end() ? &kept->second : fresh ? &*fresh : nullptr;
      if (!event) continue;
      std::string head = fmt::format("{:>14}  {:<5} {} {:>5} {:>8}  ", TimeText(event->ts, clock_.ticks),
                                     event->cpu ? fmt::format("[{}]", *event->cpu) : "",
                                     PadToWidth(TaskText(event->comm, event->pid), 20),
                                     event->count ? std::to_string(*event->count) : "", event->line);
      size_t indent = TextWidth(head);
      for (auto one = row; one != next; ++one) {
        bool told = std::any_of(row, one, [&](const StoryRow& before) { return before.text == one->text; });
        if (told) continue;
        std::string rows = Wrap(texts_[one->text], indent, indent);
        write(head + rows.substr(indent));
        head.assign(indent, ' ');
      }
    }
    for (const std::string& note : story.notes) write(Wrap(note, 2, 4));
  }

  const Database& database_;
  int64_t pfn_;
  TraceClock clock_;
  EventLines events_;
  std::vector<Life> lives_;
  std::unordered_map<int64_t, size_t> life_of_id_;
  std::unordered_map<int64_t, EventLine> read_;  // the first ones
  Texts texts_;
  std::map<size_t, Story> stories_;  // by index of lives_
};

}  // namespace

bool WritePageBiography(const Database& database, int64_t pfn, const WriteFn& write) {
  Biographer biographer(database, pfn);
  if (biographer.empty()) return false;
  biographer.Write(write);
  return true;
}

}  // namespace mmreplay
