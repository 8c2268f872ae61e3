#include "report/html_overview.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "report/markup.h"
#include "report/report_sql.h"

namespace mmreplay {
namespace {

// A document stays a few megabytes whatever the recording; the page says what it leaves out.
constexpr int64_t kMostWaits = 2000;
constexpr int64_t kMostMigrations = 1000;
constexpr int64_t kMostHolds = 2000;
constexpr int64_t kMostReports = 200;
constexpr size_t kMostLanes = 24;
constexpr int64_t kMostGaps = 1000;

constexpr int kLaneHeight = 48;
constexpr int kAxisHeight = 22;
constexpr int kStripHeight = 20;  // lost events and kernel reports

enum class ItemKind : uint8_t { kWait, kMigration, kHold };

struct Item {
  ItemKind kind;
  std::optional<int64_t> pid;
  std::string task;
  std::optional<int64_t> begin;
  std::optional<int64_t> end;
  std::string look;   // class: the grade of a wait, the result of a migration
  std::string title;  // what is said of it
};

std::string Interval(std::optional<int64_t> begin, std::optional<int64_t> end, bool ticks) {
  std::string text = TimeText(begin, ticks) + ".." + TimeText(end, ticks);
  if (begin && end) text += ", " + DurationText(*end - *begin, ticks);
  return text;
}

// What the three statements have in common: comm, pid, begin, end.
Item ReadItem(const Statement& query, ItemKind kind, std::string_view look) {
  return {kind,
          query.OptionalInt(1),
          TaskText(query.Text(0), query.OptionalInt(1)),
          query.OptionalInt(2),
          query.OptionalInt(3),
          std::string(look),
          {}};
}

void ReadWaits(const Database& db, bool ticks, std::vector<Item>* items) {
  Statement query(db, ReportSql("overview waits"));
  query.Bind(1, kMostWaits);
  while (query.Step()) {
    Item item = ReadItem(query, ItemKind::kWait, query.Text(4));
    std::string grade = item.look == "benign" ? "legal" : item.look;
    item.title = fmt::format("{} waits on page {} in {}: {}; {}, protection {}; {}", item.task,
                             PfnText(query.OptionalInt(5)), query.Text(6), grade, query.Text(7),
                             query.Text(8), Interval(item.begin, item.end, ticks));
    items->push_back(std::move(item));
  }
}

void ReadMigrations(const Database& db, bool ticks, std::vector<Item>* items) {
  Statement query(db, ReportSql("overview migrations"));
  query.Bind(1, kMostMigrations);
  while (query.Step()) {
    Item item = ReadItem(query, ItemKind::kMigration, query.Text(4));
    item.title =
        fmt::format("{} migrates page {} to {}: {}{}{}; {}", item.task, PfnText(query.OptionalInt(5)),
                    PfnText(query.OptionalInt(6)), query.Text(4), query.Text(7).empty() ? "" : ", ",
                    query.Text(7), Interval(item.begin, item.end, ticks));
    items->push_back(std::move(item));
  }
}

void ReadHolds(const Database& db, bool ticks, std::vector<Item>* items) {
  Statement query(db, ReportSql("overview holds"));
  query.Bind(1, kMostHolds);
  while (query.Step()) {
    Item item = ReadItem(query, ItemKind::kHold, query.Int(5) != 0 ? "contended" : "");
    item.title = fmt::format("{} holds ptl {}{}{}; {}", item.task, PfnText(query.OptionalInt(4)),
                             query.Text(6).empty() ? "" : " of ", query.Text(6),
                             Interval(item.begin, item.end, ticks));
    if (query.Int(5) != 0) item.title += "; others had to wait for it";
    items->push_back(std::move(item));
  }
}

struct Lane {
  std::string task;
  size_t findings = 0;
  size_t waits = 0;
  size_t others = 0;
};

// Lanes by task id, the tasks that say most where there are too many.
std::map<std::optional<int64_t>, Lane> ChooseLanes(const std::vector<Item>& items, size_t* all) {
  std::map<std::optional<int64_t>, Lane> lanes;
  for (const Item& item : items) {
    Lane& lane = lanes[item.pid];
    // The idle tasks of all cpus have id 0.
    if (lane.task.empty()) lane.task = item.pid == 0 ? "idle tasks" : item.task;
    bool wait = item.kind == ItemKind::kWait;
    lane.findings += wait && item.look != "benign" && item.look != "unknown";
    lane.waits += wait;
    lane.others += !wait;
  }
  *all = lanes.size();
  while (lanes.size() > kMostLanes) {
    auto least = std::min_element(lanes.begin(), lanes.end(), [](const auto& a, const auto& b) {
      auto key = [](const Lane& lane) { return std::tuple(lane.findings, lane.waits, lane.others); };
      return key(a.second) < key(b.second);
    });
    lanes.erase(least);
  }
  return lanes;
}

// A damaged trace may have stamps anywhere in 64 bits. `to` is no earlier.
uint64_t Distance(int64_t from, int64_t to) {
  return static_cast<uint64_t>(to) - static_cast<uint64_t>(from);
}

struct Range {
  int64_t begin = 0;
  int64_t end = 0;

  uint64_t span() const { return Distance(begin, end); }
  std::string Percent(int64_t at) const { return Width(begin, at); }
  std::string Width(int64_t from, int64_t to) const {
    double width = to < from ? 0.0 : static_cast<double>(Distance(from, to));
    return fmt::format("{:.4f}%", 100.0 * width / static_cast<double>(span()));
  }
};

// A little more than what is drawn, so that nothing sticks to an edge.
std::optional<Range> RangeOf(const std::vector<Item>& items) {
  std::optional<Range> range;
  auto add = [&](std::optional<int64_t> at) {
    if (!at) return;
    if (!range) range = Range{*at, *at};
    range->begin = std::min(range->begin, *at);
    range->end = std::max(range->end, *at);
  };
  for (const Item& item : items) {
    add(item.begin);
    add(item.end);
  }
  if (!range) return range;
  int64_t margin = std::max<int64_t>(static_cast<int64_t>(range->span() / 64), 1000);
  range->begin -= range->begin >= margin ? margin : range->begin > 0 ? range->begin : 0;
  range->end += std::min(margin, INT64_MAX - range->end);
  return range;
}

std::string TickText(int64_t at, int64_t step, bool ticks) {
  if (ticks) return CountText(at);
  int decimals = 0;
  for (int64_t unit = 1'000'000'000; unit > step && decimals < 9; unit /= 10) ++decimals;
  std::string text = fmt::format("{}.{:09}", at / 1'000'000'000, at % 1'000'000'000);
  text.resize(text.size() - 9 + static_cast<size_t>(decimals));
  if (text.ends_with('.')) text.pop_back();
  return text + " s";
}

std::string Axis(const Range& range, int height, bool ticks) {
  // 1, 2, 5, 10, 20, ...: the first that makes six ticks at most.
  uint64_t step = 1;
  for (uint64_t power = 1; range.span() / step > 6;) {
    if (step == power) {
      step = 2 * power;
    } else if (step == 2 * power) {
      step = 5 * power;
    } else {
      step = power *= 10;
    }
  }
  std::string axis = "<g class=\"axis\">\n";
  auto remainder = range.begin % static_cast<int64_t>(step);
  uint64_t offset = remainder < 0 ? Distance(remainder, 0) : step - static_cast<uint64_t>(remainder);
  for (; offset < range.span(); offset += step) {
    auto at = static_cast<int64_t>(static_cast<uint64_t>(range.begin) + offset);
    std::string x = range.Percent(at);
    axis += fmt::format("<line x1=\"{0}\" x2=\"{0}\" y1=\"{1}\" y2=\"{2}\"/>\n", x, kAxisHeight, height);
    // Where its text would reach over the edge, only the line stands.
    uint64_t edge = range.span() / 10;
    if (offset > edge && range.span() - offset > edge)
      axis += fmt::format("<text x=\"{}\" y=\"14\">{}</text>\n", x,
                          TickText(at, static_cast<int64_t>(step), ticks));
    if (range.span() - offset <= step) break;
  }
  return axis + "</g>\n";
}

class Plot {
 public:
  Plot(const ReportContent& content, const Range& range, const std::map<std::optional<int64_t>, Lane>& lanes)
      : content_(content), range_(range), ticks_(content.clock.ticks), lanes_(lanes) {
    int top = kAxisHeight + kStripHeight;
    for (const auto& [pid, lane] : lanes_) {
      tops_[pid] = top;
      top += kLaneHeight;
    }
    height_ = top + 4;
  }

  int height() const { return height_; }

  void Write(const Database& database, const std::vector<Item>& items, const WriteFn& write) {
    write(
        fmt::format("<svg class=\"plot\" width=\"100%\" height=\"{}\" tabindex=\"0\" role=\"application\" "
                    "data-begin=\"{}\" "
                    "data-length=\"{}\" data-unit=\"{}\" aria-label=\"time line of waits, migrations and "
                    "lock holdings: arrow keys "
                    "pan, plus and minus zoom, n and p go from wait to wait, 0 shows all\">\n",
                    height_, range_.begin, range_.end - range_.begin, ticks_ ? "ticks" : "ns"));
    bool odd = false;
    for (const auto& [pid, lane] : lanes_) {
      int top = tops_[pid];
      write(fmt::format("<rect class=\"band{}\" x=\"0\" y=\"{}\" width=\"100%\" height=\"{}\"/>\n",
                        odd ? " odd" : "", top, kLaneHeight));
      odd = !odd;
    }
    write(Axis(range_, height_, ticks_));
    WriteGaps(database, write);
    write("<g class=\"items\">\n");
    for (ItemKind kind : {ItemKind::kHold, ItemKind::kMigration, ItemKind::kWait}) {
      for (const Item& item : items) {
        if (item.kind == kind) WriteItem(item, write);
      }
    }
    WriteReports(database, write);
    write("</g>\n");
    for (const auto& [pid, lane] : lanes_)
      write(
          fmt::format("<text class=\"task\" x=\"6\" y=\"{}\">{}</text>\n", tops_[pid] + 13, Html(lane.task)));
    write("</svg>\n");
  }

 private:
  void WriteItem(const Item& item, const WriteFn& write) {
    auto top = tops_.find(item.pid);
    if (top == tops_.end()) return;
    // An end that is not on record is not drawn: what is known is a mark.
    int64_t from = item.begin ? *item.begin : item.end.value_or(range_.begin);
    int64_t to = item.end.value_or(from);
    const char* kind = item.kind == ItemKind::kWait ? "w" : item.kind == ItemKind::kMigration ? "m" : "h";
    int y = top->second + (item.kind == ItemKind::kWait ? 17 : item.kind == ItemKind::kMigration ? 32 : 40);
    int height = item.kind == ItemKind::kWait ? 12 : 5;
    const char* open = item.begin && item.end ? "" : " open";
    write(fmt::format(
        "<rect class=\"{} {}{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" data-a=\"{}\" "
        "data-b=\"{}\"><title>{}"
        "</title></rect>\n",
        kind, Html(item.look), open, range_.Percent(from), y, range_.Width(from, std::max(from, to)), height,
        from - range_.begin, to - range_.begin, Html(item.title)));
    if (item.kind == ItemKind::kWait && item.look != "benign")
      write(fmt::format("<use class=\"mk {0}\" href=\"#m-{0}\" x=\"{1}\" y=\"{2}\" data-a=\"{3}\"/>\n",
                        Html(item.look), range_.Percent(from), y + 6, from - range_.begin));
  }

  // Of very many those that are not a thousandth of the time apart are drawn as one, but for those without a
  // beginning or an end, of which a cpu has two at most.
  void WriteGaps(const Database& database, const WriteFn& write) {
    struct Stretch {
      int64_t gaps = 0;
      int64_t from = INT64_MAX;
      int64_t to = INT64_MIN;

      void Add(const Stretch& other) {
        gaps += other.gaps;
        from = std::min(from, other.from);
        to = std::max(to, other.to);
      }
    };
    constexpr uint64_t kStretches = 1000;
    uint64_t length = range_.span() / kStretches + 1;
    std::vector<Stretch> stretches(kStretches);  // by where gaps begin
    int64_t drawn = 0;
    ForEachGap(database, [&](const LostEvents& gap) {
      int64_t from = std::clamp(gap.from_ts.value_or(range_.begin), range_.begin, range_.end);
      int64_t to = std::max(from, std::clamp(gap.to_ts.value_or(range_.end), range_.begin, range_.end));
      bool open = !gap.from_ts || !gap.to_ts;
      if (content_.losses.gaps > kMostGaps && !open) {
        stretches[Distance(range_.begin, from) / length].Add({1, from, to});
      } else if (++drawn <= kMostGaps) {
        WriteGap(from, to, GapText(gap, ticks_), write);
      }
    });
    Stretch last;
    auto write_last = [&] {
      if (last.gaps == 0) return;
      WriteGap(last.from, last.to,
               fmt::format("{} with lost events from {} to {}", Plural(last.gaps, "stretch", "stretches"),
                           TimeText(last.from, ticks_), TimeText(last.to, ticks_)),
               write);
    };
    for (const Stretch& stretch : stretches) {
      if (stretch.gaps == 0) continue;
      if (stretch.from > last.to && Distance(last.to, stretch.from) >= length) {
        write_last();
        last = {};
      }
      last.Add(stretch);
    }
    write_last();
  }

  void WriteGap(int64_t from, int64_t to, const std::string& title, const WriteFn& write) const {
    write(
        fmt::format("<rect class=\"lost\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" data-a=\"{}\" "
                    "data-b=\"{}\"><title>{}"
                    "</title></rect>\n",
                    range_.Percent(from), kAxisHeight, range_.Width(from, to), height_ - kAxisHeight,
                    from - range_.begin, to - range_.begin, Html(title)));
  }

  void WriteReports(const Database& database, const WriteFn& write) {
    Statement query(database, ReportSql("overview reports"));
    query.Bind(1, kMostReports);
    while (query.Step()) {
      auto report = ReadKernelReport(database, query.Int(1));
      if (!report || query.Int(0) < range_.begin || query.Int(0) > range_.end) continue;
      write(
          fmt::format("<use class=\"mk report\" href=\"#m-report\" x=\"{}\" y=\"{}\" "
                      "data-a=\"{}\"><title>{}</title></use>\n",
                      range_.Percent(query.Int(0)), kAxisHeight + kStripHeight / 2,
                      query.Int(0) - range_.begin, Html("the kernel reports: " + KernelReportText(*report))));
    }
  }

  const ReportContent& content_;
  Range range_;
  bool ticks_;
  const std::map<std::optional<int64_t>, Lane>& lanes_;
  std::map<std::optional<int64_t>, int> tops_;
  int height_ = 0;
};

// "68 waits; 33 migrations; 474 holdings of page-table locks"; "2,000 of 5,300 waits shown (the gravest, then
// the longest)" where not all are.
std::string ShownText(const std::vector<Item>& items, const std::map<std::optional<int64_t>, Lane>& lanes,
                      const Database& db) {
  std::map<ItemKind, int64_t> shown;
  for (const Item& item : items) shown[item.kind] += lanes.contains(item.pid);
  Statement totals(db, ReportSql("overview totals"));
  if (!totals.Step()) return {};
  struct Name {
    ItemKind kind;
    const char* one;
    const char* many;
    const char* choice;
  };
  std::string text;
  int column = 0;
  for (const Name& name : {Name{ItemKind::kWait, "wait", "waits", "the gravest, then the longest"},
                           Name{ItemKind::kMigration, "migration", "migrations", "the longest"},
                           Name{ItemKind::kHold, "holding of a page-table lock",
                                "holdings of page-table locks", "the longest"}}) {
    int64_t total = totals.Int(column++);
    int64_t drawn = shown[name.kind];
    text += text.empty() ? "" : "; ";
    int64_t timed = totals.Int(column++);
    text += drawn == total
                ? Plural(total, name.one, name.many)
                : fmt::format("{} of {} shown", CountText(drawn), Plural(total, name.one, name.many));
    if (drawn < timed) text += fmt::format(" ({})", name.choice);
    if (timed < total) text += fmt::format(" ({} have no time on record)", CountText(total - timed));
  }
  return text;
}

}  // namespace

void WriteOverview(const Database& database, const ReportContent& content, const WriteFn& write) {
  std::vector<Item> items;
  bool ticks = content.clock.ticks;
  ReadWaits(database, ticks, &items);
  ReadMigrations(database, ticks, &items);
  ReadHolds(database, ticks, &items);
  size_t tasks = 0;
  auto lanes = ChooseLanes(items, &tasks);
  write("<section id=\"overview\" aria-labelledby=\"overview-h\">\n<h2 id=\"overview-h\">Overview</h2>\n");
  std::string shown = ShownText(items, lanes, database);
  if (tasks > lanes.size())
    shown += fmt::format("; {} of {} tasks shown (those with the most waits)", lanes.size(), tasks);
  auto range = RangeOf(items);
  if (!range) {
    write("<p class=\"note\">" + Html(shown) +
          ". Nothing of it has a time, so there is nothing to draw.</p>\n</section>\n");
    return;
  }
  if (content.losses.gaps > kMostGaps)
    shown += fmt::format("; of {} with lost events those within a thousandth of the time are drawn as one",
                         Plural(content.losses.gaps, "gap", "gaps"));
  write("<p class=\"note\">" + Html(shown) + "</p>\n");
  write(R"html(<div class="timeline">
<div class="tools" role="toolbar" aria-label="time line">
<button type="button" data-do="in" aria-label="zoom in">+</button><button type="button" data-do="out" aria-label="zoom out">&#8722;</button><button type="button" data-do="left" aria-label="earlier">&#9664;</button><button type="button" data-do="right" aria-label="later">&#9654;</button><button type="button" data-do="all">all</button>
<output class="view" aria-live="polite"></output>
<span class="hint">wheel zooms, drag pans; keys: arrows, + &#8722;, n p from wait to wait, 0 all</span>
</div>
)html");
  Plot plot(content, *range, lanes);
  plot.Write(database, items, write);
  write("</div>\n<ul class=\"legend\">\n");
  for (const char* grade : {"confirmed", "probable", "latent", "unknown"})
    write(
        fmt::format("<li><svg width=\"34\" height=\"14\"><rect class=\"w {0}\" x=\"7\" y=\"1\" width=\"26\" "
                    "height=\"12\"/><use "
                    "class=\"mk {0}\" href=\"#m-{0}\" x=\"7\" y=\"7\"/></svg>wait, {0}</li>\n",
                    grade));
  write(
      "<li><svg width=\"28\" height=\"14\"><rect class=\"w benign\" x=\"1\" y=\"1\" width=\"26\" "
      "height=\"12\"/></svg>wait, legal</li>\n"
      "<li><svg width=\"28\" height=\"14\"><rect class=\"m migrated\" x=\"1\" y=\"4\" width=\"26\" "
      "height=\"5\"/></svg>migration</li>\n"
      "<li><svg width=\"28\" height=\"14\"><rect class=\"m failed\" x=\"1\" y=\"4\" width=\"26\" "
      "height=\"5\"/></svg>migration failed</li>\n"
      "<li><svg width=\"28\" height=\"14\"><rect class=\"h\" x=\"1\" y=\"4\" width=\"26\" "
      "height=\"5\"/></svg>holds a page-table lock</li>\n");
  if (content.losses.gaps > 0)
    write(
        "<li><svg width=\"28\" height=\"14\"><rect class=\"lost\" x=\"1\" y=\"1\" width=\"26\" "
        "height=\"12\"/></svg>events lost</li>\n");
  write(
      "<li><svg width=\"20\" height=\"14\"><use class=\"mk report\" href=\"#m-report\" x=\"9\" "
      "y=\"7\"/></svg>kernel report</li>\n"
      "</ul>\n</section>\n");
}

}  // namespace mmreplay
