// What a picture of a finding shows, before anybody draws it: a lane for each task, one for the page, and the
// decisive events in the order of the trace. Made from the diagram of a finding about a wait, or from the
// evidence of another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/database.h"
#include "report/content.h"
#include "report/race_diagram.h"

namespace mmreplay {

struct PictureRow {
  EventLine event;
  size_t lane = 0;
  std::string text;    // what happened
  size_t number = 0;   // among the evidence of the finding, from 1; 0 for what only belongs to the story
  std::string role;    // of evidence
  bool fatal = false;  // the free, the wait on a free page
  std::optional<int64_t> count = {};  // the page's references from here on
};

// A stretch of the story. An end that is not among the rows lies between two of them; nullopt: before the
// first row, or after the last.
struct PictureSpan {
  std::optional<int64_t> from_event;
  std::optional<int64_t> to_event;
};

enum class BarKind : uint8_t { kHold, kWait };

struct LaneBar {
  BarKind kind = BarKind::kHold;
  size_t lane = 0;
  std::string task;
  PictureSpan span;
};

// Of the page: locked as the trace shows it, free, or in its next life.
enum class PageState : uint8_t { kLocked, kFree, kReused };

struct PageSpan {
  PageState state = PageState::kFree;
  PictureSpan span;
};

struct RacePicture {
  int64_t finding = 0;
  std::vector<std::string> lanes;  // tasks; the last may be "other tasks"
  std::optional<int64_t> pfn;
  std::optional<int64_t> page_order;
  std::vector<PictureRow> rows;
  std::vector<LaneBar> bars;
  std::vector<PageSpan> page_spans;
  std::vector<LaneBar> page_waiters;  // each wait of a task on the page; the lane counts nothing here
  std::optional<PictureSpan> hazard;  // in which nothing the waiter has keeps the page alive
  std::vector<OrderProof> proofs;     // between neighbours of the evidence
  int64_t left_out = 0;               // events of the page that would not fit
};

RacePicture MakePicture(const Database& database, const TraceClock& clock, const FindingGroup& group);

}  // namespace mmreplay
