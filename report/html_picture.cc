#include "report/html_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/format.h"
#include "report/markup.h"

namespace mmreplay {
namespace {

constexpr double kCharWidth = 7.1;  // of 11.5px monospace, with room for wider fonts
constexpr double kLineHeight = 15;
constexpr double kRowPadding = 14;  // between the texts of two rows; arrows cross lanes there
constexpr double kMostGap = 30;     // what a long time adds between rows

// Pieces of at most `width` characters, broken at blanks where there are any, else after ( or _.
std::vector<std::string> Fold(const std::string& text, size_t width) {
  std::vector<std::string> lines;
  std::string rest = text;
  while (TextWidth(rest) > width) {
    size_t cut = 0;   // bytes
    size_t good = 0;  // the last place to break at
    size_t taken = 0;
    while (taken < width) {
      ++cut;
      while (cut < rest.size() && (static_cast<unsigned char>(rest[cut]) & 0xc0) == 0x80) ++cut;
      ++taken;
      char last = rest[cut - 1];
      if (last == ' ' || ((last == '_' || last == ':') && taken > width / 2)) good = cut;
    }
    if (cut < rest.size() && rest[cut] == ' ') good = cut;
    if (good == 0) good = cut;
    std::string line = rest.substr(0, good);
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(line);
    rest.erase(0, rest.find_first_not_of(' ', good));
  }
  lines.push_back(rest);
  return lines;
}

// Extra space for the time between two rows: nothing for a microsecond, 6 for each power of ten above.
double GapBetween(std::optional<int64_t> before, std::optional<int64_t> after) {
  if (!before || !after || *after - *before < 1000) return 0;
  return std::min(kMostGap, 6 * std::log10(static_cast<double>(*after - *before) / 1000));
}

struct Layout {
  double width = 0;
  double time_right = 0;  // times end here; 0: times stand above the texts
  double cpu_left = 0;
  std::vector<double> lanes;  // x of each lane's line
  double text_left = 0;       // narrow: of all texts
  size_t text_chars = 0;
  double page_left = 0;
  double count_left = 0;
  double count_width = 0;
  double locked_left = 0;
  double waiters_left = 0;
};

struct PlacedRow {
  double top = 0;
  double middle = 0;  // of its marker
  double bottom = 0;
  double gap = 0;  // above it
  std::vector<std::string> lines;
};

class Drawing {
 public:
  Drawing(const RacePicture& picture, const TraceClock& clock, PictureShape shape)
      : picture_(picture), clock_(clock), narrow_(shape == PictureShape::kNarrow) {
    PlaceColumns();
    PlaceRows();
  }

  std::string Draw() {
    DrawHazard();
    DrawLanes();
    DrawPage();
    DrawBars();
    DrawProofs();
    DrawRows();
    std::string head = fmt::format(
        "<svg class=\"picture {}\" viewBox=\"0 0 {:.0f} {:.0f}\" width=\"{:.0f}\" height=\"{:.0f}\" "
        "role=\"group\" "
        "aria-label=\"{}\">\n",
        narrow_ ? "narrow" : "wide", layout_.width, height_, layout_.width, height_,
        Html("lanes of " + LaneList() + " and page " + PfnText(picture_.pfn)));
    return head + svg_ + "</svg>\n";
  }

 private:
  std::string LaneList() const {
    std::string list;
    for (const std::string& lane : picture_.lanes) list += (list.empty() ? "" : ", ") + lane;
    return list;
  }

  void PlaceColumns() {
    size_t lanes = std::max<size_t>(picture_.lanes.size(), 1);
    if (narrow_) {
      layout_.width = 356;
      for (size_t i = 0; i < lanes; ++i) layout_.lanes.push_back(14 + 22 * static_cast<double>(i));
      layout_.text_left = layout_.lanes.back() + 16;
      layout_.page_left = layout_.width - 88;
      layout_.count_left = layout_.page_left + 10;
      layout_.count_width = 24;
      layout_.locked_left = layout_.page_left + 50;
      layout_.waiters_left = layout_.page_left + 63;
      layout_.text_chars = static_cast<size_t>((layout_.page_left - 4 - layout_.text_left) / kCharWidth);
      return;
    }
    size_t longest = 8;
    for (const PictureRow& row : picture_.rows)
      longest = std::max(longest, TimeText(row.event.ts, clock_.ticks).size());
    layout_.width = 860;
    layout_.time_right = static_cast<double>(longest) * kCharWidth + 2;
    layout_.cpu_left = layout_.time_right + 6;
    layout_.page_left = layout_.width - 172;
    layout_.count_left = layout_.page_left + 16;
    layout_.count_width = 66;
    layout_.locked_left = layout_.page_left + 104;
    layout_.waiters_left = layout_.page_left + 134;
    double first = layout_.cpu_left + 46;
    double each = (layout_.page_left - 6 - first) / static_cast<double>(lanes);
    for (size_t i = 0; i < lanes; ++i) layout_.lanes.push_back(first + each * static_cast<double>(i) + 16);
    layout_.text_chars = static_cast<size_t>((each - 42) / kCharWidth);
  }

  void PlaceRows() {
    head_ = narrow_ ? 18 * static_cast<double>(layout_.lanes.size()) + 30 : 52;
    double y = head_;
    std::optional<int64_t> before;
    for (const PictureRow& row : picture_.rows) {
      PlacedRow placed;
      placed.gap = rows_.empty() ? 0 : GapBetween(before, row.event.ts);
      placed.lines = Fold(Printable(row.text), std::max<size_t>(layout_.text_chars, 8));
      y += placed.gap;
      placed.top = y;
      placed.middle = y + kRowPadding / 2 + 7;
      double lines = static_cast<double>(placed.lines.size()) + (narrow_ ? 1 : 0);
      y += kRowPadding + kLineHeight * lines;
      placed.bottom = y;
      rows_.push_back(std::move(placed));
      before = row.event.ts;
    }
    body_end_ = y;
    height_ = y + 12;
  }

  // Where an event lies: on its row, or between the rows around it.
  double YOf(int64_t event) const {
    for (size_t i = 0; i < rows_.size(); ++i) {
      int64_t row = picture_.rows[i].event.event;
      if (row == event) return rows_[i].middle;
      if (row > event) return rows_[i].top - rows_[i].gap / 2;
    }
    return body_end_;
  }
  double Top(const PictureSpan& span) const { return span.from_event ? YOf(*span.from_event) : head_ - 6; }
  double Bottom(const PictureSpan& span) const { return span.to_event ? YOf(*span.to_event) : body_end_ + 6; }

  template <typename... T>
  void Add(fmt::format_string<T...> format, T&&... values) {
    svg_ += fmt::format(format, std::forward<T>(values)...);
    svg_ += "\n";
  }

  void DrawHazard() {
    if (!picture_.hazard) return;
    // Whole rows: an edge through a text would strike it out.
    double top = head_ - 6;
    double bottom = body_end_ + 6;
    for (size_t i = 0; i < rows_.size(); ++i) {
      int64_t event = picture_.rows[i].event.event;
      if (event == picture_.hazard->from_event) top = rows_[i].top + 2;
      if (event == picture_.hazard->to_event) bottom = rows_[i].bottom - 1;
    }
    if (bottom <= top) return;
    double left = narrow_ ? 2 : layout_.cpu_left - 2;
    double right = layout_.page_left - 4;
    Add("<rect class=\"hazard\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
        "height=\"{:.1f}\"><title>{}</title></rect>",
        left, top, right - left, bottom - top, "nothing the waiter has keeps the page alive");
    Add("<path class=\"hazard-edge\" d=\"M{:.1f} {:.1f}H{:.1f}M{:.1f} {:.1f}H{:.1f}\"/>", left, top, right,
        left, bottom, right);
  }

  void DrawLanes() {
    for (size_t i = 0; i < picture_.lanes.size(); ++i) {
      double x = layout_.lanes[i];
      std::string name = Printable(picture_.lanes[i]);
      if (narrow_) {
        double y = 14 + 18 * static_cast<double>(i);
        Add("<path class=\"lane\" d=\"M{0:.1f} {1:.1f}V{2:.1f}\"/>", x, y, body_end_ + 6);
        Add("<path class=\"lane-lead\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", x, y, layout_.text_left - 4);
        Add("<text class=\"lane-name l{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", i, layout_.text_left, y + 4,
            Html(CutToWidth(name, layout_.text_chars)));
      } else {
        Add("<path class=\"lane\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>", x, head_ - 8, body_end_ + 6);
        Add("<text class=\"lane-name l{}\" x=\"{:.1f}\" y=\"18\">{}</text>", i, x - 6,
            Html(CutToWidth(name, layout_.text_chars)));
      }
    }
    if (!narrow_) {
      Add("<text class=\"head\" x=\"{:.1f}\" y=\"38\" text-anchor=\"end\">{}</text>", layout_.time_right,
          clock_.ticks ? "ticks" : "time, s");
      Add("<text class=\"head\" x=\"{:.1f}\" y=\"38\">cpu</text>", layout_.cpu_left);
      for (size_t i = 0; i < picture_.lanes.size(); ++i)
        Add("<text class=\"head\" x=\"{:.1f}\" y=\"38\">{}</text>", layout_.lanes[i] - 6, LaneRole(i));
    }
  }

  // Of the first two lanes of a wait.
  const char* LaneRole(size_t lane) const {
    if (picture_.hazard && lane == 0) return "waits";
    bool frees = std::any_of(picture_.rows.begin(), picture_.rows.end(), [&](const PictureRow& row) {
      return row.lane == lane && row.event.name == "mm_page_free";
    });
    return frees ? "frees the page" : "";
  }

  // x of a reference count: by value while counts are small, else by rank among those that occur.
  double CountX(int64_t count) const {
    auto at = counts_.find(count);
    double rank = at == counts_.end() ? 0 : at->second;
    return layout_.count_left + rank * layout_.count_width;
  }

  void RankCounts() {
    for (const PictureRow& row : picture_.rows) {
      if (row.count) counts_[*row.count] = 0;
    }
    if (counts_.empty()) return;
    counts_[0] = 0;
    int64_t low = counts_.begin()->first;
    int64_t high = counts_.rbegin()->first;
    size_t rank = 0;
    for (auto& [count, place] : counts_) {
      place = high - low <= 6
                  ? static_cast<double>(count - low) / static_cast<double>(std::max<int64_t>(high - low, 1))
                  : static_cast<double>(rank) / static_cast<double>(counts_.size() - 1);
      ++rank;
    }
  }

  void DrawPage() {
    RankCounts();
    double left = layout_.page_left;
    double right = layout_.width - 2;
    Add("<rect class=\"page-lane\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>", left,
        head_ - 6, right - left, body_end_ - head_ + 12);
    std::string name = "page " + PfnText(picture_.pfn);
    if (picture_.page_order && !narrow_) name += fmt::format(" order {}", *picture_.page_order);
    double head_y = narrow_ ? head_ - 12 : 38;
    Add("<text class=\"lane-name page\" x=\"{:.1f}\" y=\"{:.1f}\"{}>{}</text>", narrow_ ? right : left + 2,
        narrow_ ? head_y - 16 : 18, narrow_ ? " text-anchor=\"end\"" : "",
        Html(narrow_ ? PfnText(picture_.pfn) : name));
    Add("<text class=\"head\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", left + 2, head_y,
        narrow_ ? "refs" : "references");
    Add("<text class=\"head\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
        narrow_ ? right : layout_.waiters_left - 4, head_y, narrow_ ? "" : "waiters");
    if (!narrow_)
      Add("<text class=\"head\" x=\"{:.1f}\" y=\"{:.1f}\">lock</text>", layout_.locked_left - 6, head_y);
    for (const PageSpan& span : picture_.page_spans) DrawState(span);
    size_t column = 0;
    for (const LaneBar& wait : picture_.page_waiters) {
      if (column == kWaitersDrawn) break;
      double step = narrow_ ? 3.8 : 5.5;
      Add("<rect class=\"page-wait\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
          "height=\"{:.1f}\"><title>{}</title></rect>",
          layout_.waiters_left + step * static_cast<double>(column++), Top(wait.span), narrow_ ? 2.4 : 3.6,
          std::max(3.0, Bottom(wait.span) - Top(wait.span)), Html(wait.task + " waits on the page"));
    }
    DrawCounts();
  }

  void DrawState(const PageSpan& span) {
    double top = Top(span.span);
    double height = std::max(4.0, Bottom(span.span) - top);
    double area_left = layout_.page_left + 1;
    double area_width = layout_.locked_left - layout_.page_left - 8;
    switch (span.state) {
      case PageState::kLocked:
        Add("<rect class=\"locked\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>the "
            "trace shows PG_locked"
            "</title></rect>",
            layout_.locked_left, top, narrow_ ? 7.0 : 10.0, height);
        return;
      case PageState::kFree:
        Add("<rect class=\"free\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>the "
            "page is free</title></rect>",
            area_left, top, area_width, height);
        DrawStateName("FREE", top, height);
        return;
      case PageState::kReused:
        Add("<rect class=\"reused\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>the "
            "frame belongs to its "
            "next owner</title></rect>",
            area_left, top, area_width, height);
        DrawStateName("REUSED", top, height);
        return;
    }
  }

  // At the end of the stretch, right of the count, where there is room.
  void DrawStateName(const char* name, double top, double height) {
    if (height < 16 || narrow_) return;
    Add("<text class=\"state\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
        layout_.locked_left - 10, top + height - 5, name);
  }

  // The count as a step line, each new value beside it.
  void DrawCounts() {
    std::string path;
    std::string labels;
    bool drawing = false;  // at `current`
    int64_t current = 0;
    for (size_t i = 0; i < rows_.size(); ++i) {
      double y = rows_[i].middle;
      if (!picture_.rows[i].count) {
        if (drawing) path += fmt::format("V{:.1f}", y);
        drawing = false;
        continue;
      }
      int64_t count = *picture_.rows[i].count;
      double x = CountX(count);
      path += drawing ? fmt::format("V{:.1f}H{:.1f}", y, x)
                      : fmt::format("M{:.1f} {:.1f}", x, i == 0 ? y - 8 : y);
      if (!drawing || count != current)
        labels += fmt::format("<text class=\"count{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                              count == 0 ? " zero" : "", x + 5, y + 12, count);
      current = count;
      drawing = true;
    }
    if (drawing) path += fmt::format("V{:.1f}", body_end_ + 4);
    if (!path.empty()) Add("<path class=\"count-line\" d=\"{}\"/>", path);
    svg_ += labels;
  }

  void DrawBars() {
    // Side by side where several tasks share a lane.
    std::map<size_t, std::vector<double>> ends;  // of each lane, by slot
    for (const LaneBar& bar : picture_.bars) {
      double top = Top(bar.span);
      double height = std::max(6.0, Bottom(bar.span) - top);
      std::vector<double>& slots = ends[bar.lane];
      auto slot = std::find_if(slots.begin(), slots.end(), [&](double end) { return end <= top; });
      double aside = 8 * static_cast<double>(
                             std::min<size_t>(static_cast<size_t>(slot - slots.begin()), narrow_ ? 0 : 2));
      if (slot == slots.end()) {
        slots.push_back(top + height);
      } else {
        *slot = top + height;
      }
      double x = layout_.lanes[std::min(bar.lane, layout_.lanes.size() - 1)] - aside;
      bool hold = bar.kind == BarKind::kHold;
      Add("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "rx=\"2\"><title>{}</title></rect>",
          hold ? "hold" : "wait", x - (hold ? 5 : 3.5), top, hold ? 10.0 : 7.0, height,
          Html(bar.task + (hold ? " holds the page-table lock" : " waits on the page")));
    }
  }

  // From one piece of evidence to the next: left of the lane, across in the strip between two rows, to its
  // marker.
  void DrawProofs() {
    auto row_of = [&](int64_t event) {
      auto found = std::find_if(picture_.rows.begin(), picture_.rows.end(),
                                [&](const PictureRow& row) { return row.event.event == event; });
      return static_cast<size_t>(found - picture_.rows.begin());
    };
    for (const OrderProof& proof : picture_.proofs) {
      size_t first = row_of(proof.first);
      size_t second = row_of(proof.second);
      if (first >= rows_.size() || second >= rows_.size() || second <= first) continue;
      double x1 = layout_.lanes[picture_.rows[first].lane];
      double x2 = layout_.lanes[picture_.rows[second].lane];
      double y1 = rows_[first].middle;
      double y2 = rows_[second].middle;
      double aside = narrow_ ? 10 : 12;
      std::string path = fmt::format("M{:.1f} {:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}", x1 - 6, y1 + 5, x1 - aside,
                                     y1 + 6, x1 - aside, y1 + 13);
      double strip = rows_[second].top + 2;
      if (x1 != x2) path += fmt::format("V{:.1f}H{:.1f}", std::max(strip, y1 + 14), x2 - aside);
      path += fmt::format("V{:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}", y2 - 6, x2 - aside, y2 - 1, x2 - 8, y2 - 1);
      bool open = proof.kind == "open";
      Add("<path class=\"proof{}\" d=\"{}\"{}><title>{}</title></path>", open ? " open" : "", path,
          open ? "" : " marker-end=\"url(#arrow)\"", Html(proof.kind + ": " + proof.detail));
    }
  }

  void DrawRows() {
    std::optional<int64_t> before;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const PictureRow& row = picture_.rows[i];
      const PlacedRow& place = rows_[i];
      if (before && row.event.ts && *row.event.ts - *before >= 1'000'000 && !clock_.ticks && !narrow_)
        Add("<text class=\"gap\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">+{}</text>",
            layout_.time_right, place.top - place.gap / 2 + 3,
            DurationText(*row.event.ts - *before, clock_.ticks));
      before = row.event.ts;
      DrawRow(row, place);
    }
  }

  void DrawRow(const PictureRow& row, const PlacedRow& place) {
    const EventLine& event = row.event;
    std::string time = TimeText(event.ts, clock_.ticks);
    std::string cpu = event.cpu ? fmt::format("[{}]", *event.cpu) : "";
    std::string original = fmt::format("{}:{}: {}", event.path, event.line, event.Original());
    std::string kind = row.fatal ? "fatal" : row.number > 0 ? "decisive" : "story";
    Add("<g class=\"ev {} l{}\" tabindex=\"0\" role=\"img\" data-event=\"{}\" aria-label=\"{}\">", kind,
        row.lane, event.event,
        Html(time + " " + cpu + " " + TaskText(event.comm, event.pid) + ": " + row.text + ". " + original));
    Add("<title>{}</title>", Html(original));
    Add("<rect class=\"hit\" x=\"0.5\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"3\"/>",
        place.top + 3, layout_.page_left - 6, place.bottom - place.top - 5);
    double x = layout_.lanes[row.lane];
    if (row.number > 0) {
      if (row.fatal) {
        Add("<path class=\"mark\" d=\"M{0:.1f} {1:.1f}l9.5 9.5l-9.5 9.5l-9.5-9.5z\"/>", x,
            place.middle - 9.5);
      } else {
        Add("<circle class=\"mark\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"7.5\"/>", x, place.middle);
      }
      Add("<text class=\"number\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", x,
          place.middle + 3.6, row.number);
    } else {
      Add("<circle class=\"mark\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"/>", x, place.middle);
    }
    double y = place.middle + 4;
    double text_x = narrow_ ? layout_.text_left : x + 14;
    if (narrow_) {
      Add("<text class=\"time\" x=\"{:.1f}\" y=\"{:.1f}\">{} {}</text>", text_x, y, Html(time), cpu);
      y += kLineHeight;
    } else {
      Add("<text class=\"time\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", layout_.time_right,
          y, Html(time));
      Add("<text class=\"time\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", layout_.cpu_left, y, cpu);
    }
    for (const std::string& line : place.lines) {
      Add("<text class=\"what\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", text_x, y, Html(line));
      y += kLineHeight;
    }
    Add("</g>");
  }

  const RacePicture& picture_;
  const TraceClock& clock_;
  bool narrow_;
  Layout layout_;
  std::vector<PlacedRow> rows_;
  std::map<int64_t, double> counts_;  // to a place between 0 and 1
  double head_ = 0;
  double body_end_ = 0;
  double height_ = 0;
  std::string svg_;
};

}  // namespace

std::string DrawPicture(const RacePicture& picture, const TraceClock& clock, PictureShape shape) {
  return Drawing(picture, clock, shape).Draw();
}

std::string PictureDefinitions() {
  return R"svg(<svg width="0" height="0" class="definitions" aria-hidden="true"><defs>
<pattern id="p-hold" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="5" height="5" class="p-hold-bg"/><rect width="2" height="5" class="p-hold-ink"/></pattern>
<pattern id="p-locked" width="4" height="4" patternUnits="userSpaceOnUse"><rect width="4" height="4" class="p-locked-bg"/><rect width="4" height="2" class="p-locked-ink"/></pattern>
<pattern id="p-free" width="7" height="7" patternUnits="userSpaceOnUse"><path d="M0 0L7 7M7 0L0 7" class="p-free-ink"/></pattern>
<pattern id="p-hazard" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><rect width="2.2" height="8" class="p-hazard-ink"/></pattern>
<pattern id="p-lost" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="3" height="6" class="p-lost-ink"/></pattern>
<pattern id="p-probable" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="4" height="4" class="p-probable-bg"/><rect width="1.4" height="4" class="p-ink"/></pattern>
<pattern id="p-latent" width="4" height="4" patternUnits="userSpaceOnUse"><rect width="4" height="4" class="p-latent-bg"/><circle cx="2" cy="2" r="0.8" class="p-ink"/></pattern>
<marker id="arrow" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="arrow"/></marker>
<path id="m-confirmed" d="M0-6L6 0L0 6L-6 0z"/>
<path id="m-probable" d="M0-5.5L6 5H-6z"/>
<circle id="m-latent" r="4.5"/>
<path id="m-unknown" d="M-4.5-4.5H4.5V4.5H-4.5z"/>
<path id="m-report" d="M-5-5L5 5M5-5L-5 5"/>
</defs></svg>
)svg";
}

}  // namespace mmreplay
