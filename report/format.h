// How values look in text for people.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mmreplay {

// Takes pieces of an output, in order.
using WriteFn = std::function<void(std::string_view)>;

struct TextStyle {
  bool colour = false;
};

// No line of a report is wider, trace lines with long words excepted.
inline constexpr size_t kReportWidth = 100;

// Bytes of a trace as they can be shown anywhere: control characters (those of terminals, of the direction of
// writing, of lines), what cannot be seen, and bytes that are not UTF-8 as \x1b. What was printable stays as
// it is. The one place that decides this: the forms for terminals, HTML, XML, CSV and SARIF are made of it.
std::string Printable(std::string_view text);

enum class Ink : uint8_t { kBold, kRed, kYellow, kBlue };

// The text in a colour, where there are colours.
std::string Inked(std::string_view text, Ink ink, TextStyle style);

// A piece of a finished document, whatever its form, as it may leave the program: ends of lines, tabs and our
// own inks stay, all else is Printable. It changes nothing in what was composed well; what slipped through
// stays harmless.
std::string Harmless(std::string_view text, TextStyle style);

// "5.801377" or, where it matters, "5.801377123"; raw digits for ticks; "?" for an unknown time.
std::string TimeText(std::optional<int64_t> ts, bool ticks);

// "13.9 ms", "280 us", "0 ns"; "1,234 ticks".
std::string DurationText(int64_t duration, bool ticks);

// "12,345"
std::string CountText(int64_t count);

// "1 wait", "68 waits"
std::string Plural(int64_t count, std::string_view one, std::string_view many);

// "toucher/3-67"; "?" for an unknown task id.
std::string TaskText(std::string_view comm, std::optional<int64_t> pid);

// "0x39200"; "?" where it is not known.
std::string PfnText(std::optional<int64_t> pfn);

// Columns a printable text takes on a terminal: code points, near enough for what traces hold.
size_t TextWidth(std::string_view text);

// At most `width` columns, the cut marked by "...".
std::string CutToWidth(const std::string& text, size_t width);

// Exactly `width` columns.
std::string PadToWidth(const std::string& text, size_t width);

// A paragraph, printable, as lines of at most kReportWidth columns, each ended, broken at blanks where there
// are any.
std::string Wrap(std::string_view paragraph, size_t first_indent, size_t indent);

}  // namespace mmreplay
