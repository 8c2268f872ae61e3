// The picture of a finding as SVG: time runs down, a lane for each task, the page's own lane at the right.
// Drawn here and not by a script, so that it is there wherever the file is opened, and on paper.
#pragma once

#include <string>

#include "report/evidence.h"
#include "report/race_picture.h"

namespace mmreplay {

inline constexpr size_t kWaitersDrawn = 6;  // side by side in the page's lane

// Wide: what happened stands in the lane of who did it. Narrow: lanes side by side, texts right of them.
enum class PictureShape : uint8_t { kWide, kNarrow };

// One <svg>. Each decisive event is a focusable group with its original line as <title>.
std::string DrawPicture(const RacePicture& picture, const TraceClock& clock, PictureShape shape);

// Patterns and markers that all pictures of a document use: to be written once.
std::string PictureDefinitions();

}  // namespace mmreplay
