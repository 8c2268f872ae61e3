// How single values look in text for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mmreplay {

// Bytes of a trace as they can be shown on any terminal: control characters and bytes that are not
// UTF-8 as \x1b.
std::string Printable(std::string_view text);

// "5.801377" or, where it matters, "5.801377123"; raw digits for ticks; "?" for an unknown time.
std::string TimeText(std::optional<int64_t> ts, bool ticks);

// "13.9 ms", "280 us", "0 ns"; "1,234 ticks".
std::string DurationText(int64_t duration, bool ticks);

// "12,345"
std::string CountText(int64_t count);

}  // namespace mmreplay
