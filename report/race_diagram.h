// One finding as the kernel's own commit messages draw a race: the waiter left, the releaser right, one
// line per decisive event, the lock regions, the free and the page's reference count; below it the
// original lines, why the order holds, and what the kernel reported. At most kReportWidth columns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/database.h"
#include "report/evidence.h"
#include "report/format.h"

namespace mmreplay {

enum class DiagramSide : uint8_t { kWaiter, kOthers };

struct DiagramLine {
  EventLine event;
  DiagramSide side = DiagramSide::kOthers;
  std::string text;  // what happened
  bool lock_begins = false;
  bool lock_ends = false;
  bool locked = false;                // inside a lock region of its task
  bool fatal = false;                 // the free, the wait on a free page
  std::optional<int64_t> count = {};  // the page's references from here on
};

struct RaceDiagram {
  int64_t finding = 0;
  std::string waiter;    // "toucher/3-67"
  std::string releaser;  // empty where nothing was freed
  std::optional<int64_t> pfn;
  std::optional<int64_t> page_order;
  std::string why;
  std::string order;  // why the order holds, or that it is open; empty where there is none to hold
  std::vector<DiagramLine> lines;
  std::vector<OrderProof> proofs;  // of neighbours among the evidence
  int64_t left_out = 0;            // events of the page that would not fit
  std::optional<KernelReport> kernel;
  // Events between which the waiter had nothing that keeps the page alive, and the page mattered to it: from
  // the drop of the lock (or its lookup) until it queued, or until the page was freed under it, or the wait
  // ended.
  std::optional<int64_t> hazard_begin = {};
  std::optional<int64_t> hazard_end = {};
};

// nullopt for a finding that is not about a page wait.
std::optional<RaceDiagram> MakeDiagram(const Database& database, const TraceClock& clock, int64_t finding);

// The proofs of a finding between neighbours of its evidence: with them, any two of its events are ordered.
std::vector<OrderProof> NeighbourProofs(const Database& database, int64_t finding);

// The events of a page between two others, in the order of the trace, without those of task `pid`.
std::vector<int64_t> EventsOfPage(const Database& database, int64_t pfn, int64_t first, int64_t last,
                                  std::optional<int64_t> pid);

// "page 0x28000", or that it is not known.
std::string PageName(const RaceDiagram& diagram);
// "toucher/1-71 waited on page 0x28000, toucher/3-73 freed it". `page` is what to call it.
std::string RaceHeading(const RaceDiagram& diagram, const std::string& page);

std::string DrawDiagram(const RaceDiagram& diagram, const TraceClock& clock, TextStyle style);

}  // namespace mmreplay
