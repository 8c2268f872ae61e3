#include "report/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "replay/text.h"

namespace mmreplay {
namespace {

// Length of the valid UTF-8 sequence at the start of `text`, 0 if there is none.
size_t Utf8Length(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  size_t length = first < 0x80                    ? 1
                  : first >= 0xc2 && first < 0xe0 ? 2
                  : first >= 0xe0 && first < 0xf0 ? 3
                  : first >= 0xf0 && first < 0xf5 ? 4
                                                  : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && byte(1) < 0xa0) return 0;  // overlong
  if (first == 0xed && byte(1) > 0x9f) return 0;  // surrogates
  if (first == 0xf0 && byte(1) < 0x90) return 0;  // overlong
  if (first == 0xf4 && byte(1) > 0x8f) return 0;  // beyond U+10FFFF
  return length;
}

// Of a valid sequence.
char32_t CodePointOf(std::string_view sequence) {
  auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first;
  char32_t point = first & (0x7fU >> sequence.size());
  for (char byte : sequence.substr(1)) point = point << 6 | (static_cast<unsigned char>(byte) & 0x3f);
  return point;
}

struct CodePoints {
  char32_t first;
  char32_t last;
};
// What is no mark on the screen but changes what else is there: controls of the terminal, of the direction of
// writing, breaks of lines, and what cannot be seen at all.
constexpr CodePoints kControls[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},  // C0, DEL, C1
    {0xad, 0xad},     {0x61c, 0x61c},
    {0x180e, 0x180e},  // soft hyphen, Arabic letter mark, vowel separator
    {0x200b, 0x200f}, {0x2028, 0x202e},
    {0x2060, 0x206f},  // zero width, separators, embeddings, isolates
    {0xfdd0, 0xfdef}, {0xfeff, 0xfeff},
    {0xfff9, 0xfffb},                      // no characters, byte order mark, annotations
    {0xfffe, 0xffff}, {0xe0000, 0xe007f},  // no XML; tags
};

bool ControlsOthers(char32_t point) {
  return std::any_of(std::begin(kControls), std::end(kControls),
                     [&](const CodePoints& range) { return range.first <= point && point <= range.last; });
}

// By Ink.
constexpr std::array<std::string_view, 4> kInks = {"\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m"};
constexpr std::string_view kInkEnds = "\x1b[0m";

// Of the sequence of ours at the start of `text`, 0 if there is none.
size_t InkLength(std::string_view text) {
  if (text.starts_with(kInkEnds)) return kInkEnds.size();
  for (std::string_view ink : kInks) {
    if (text.starts_with(ink)) return ink.size();
  }
  return 0;
}

bool StartsCodePoint(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    size_t length = Utf8Length(text);
    bool plain = length > 0 && !ControlsOthers(CodePointOf(text.substr(0, length)));
    if (length == 0) length = 1;
    if (plain) {
      shown += text.substr(0, length);
    } else {
      for (char byte : text.substr(0, length))
        shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
    text.remove_prefix(length);
  }
  return shown;
}

std::string Inked(std::string_view text, Ink ink, TextStyle style) {
  if (!style.colour) return std::string(text);
  return std::string(kInks[static_cast<size_t>(ink)]) + std::string(text) + std::string(kInkEnds);
}

std::string Harmless(std::string_view text, TextStyle style) {
  auto plain = [](char c) { return (c >= ' ' && c < '\x7f') || c == '\n' || c == '\t'; };
  std::string shown;
  while (!text.empty()) {
    auto end = std::find_if_not(text.begin(), text.end(), plain);
    shown.append(text.begin(), end);
    text.remove_prefix(static_cast<size_t>(end - text.begin()));
    if (text.empty()) break;
    size_t ours = text.starts_with("\r\n") ? 2 : style.colour ? InkLength(text) : 0;
    size_t length = ours > 0 ? ours : std::max<size_t>(Utf8Length(text), 1);
    shown += ours > 0 ? std::string(text.substr(0, ours)) : Printable(text.substr(0, length));
    text.remove_prefix(length);
  }
  return shown;
}

std::string TimeText(std::optional<int64_t> ts, bool ticks) {
  if (!ts) return "?";
  if (ticks || *ts < 0) return std::to_string(*ts);
  int64_t seconds = *ts / 1'000'000'000;
  int64_t nanoseconds = *ts % 1'000'000'000;
  if (nanoseconds % 1000 == 0) return fmt::format("{}.{:06}", seconds, nanoseconds / 1000);
  return fmt::format("{}.{:09}", seconds, nanoseconds);
}

std::string DurationText(int64_t duration, bool ticks) {
  if (ticks) return CountText(duration) + " ticks";
  struct Unit {
    int64_t ns;
    const char* name;
  };
  constexpr std::array<Unit, 3> kUnits = {Unit{1'000'000'000, "s"}, Unit{1'000'000, "ms"}, Unit{1'000, "us"}};
  int64_t size = duration < 0 ? -duration : duration;
  for (const Unit& unit : kUnits) {
    if (size < unit.ns) continue;
    // One decimal while it says something, from integers: 13,944,123 ns is 13.9 ms.
    int64_t tenths = size / (unit.ns / 10);
    const char* sign = duration < 0 ? "-" : "";
    if (tenths % 10 == 0 || tenths >= 1000) return fmt::format("{}{} {}", sign, tenths / 10, unit.name);
    return fmt::format("{}{}.{} {}", sign, tenths / 10, tenths % 10, unit.name);
  }
  return fmt::format("{} ns", duration);
}

std::string CountText(int64_t count) {
  std::string digits = std::to_string(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    size_t left = digits.size() - i;  // digits from here on; a comma before each group of three
    if (left % 3 == 0 && i > 0 && digits[i - 1] != '-') text += ',';
    text += digits[i];
  }
  return text;
}

std::string Plural(int64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", CountText(count), count == 1 ? one : many);
}

std::string TaskText(std::string_view comm, std::optional<int64_t> pid) {
  return Printable(comm) + "-" + (pid ? std::to_string(*pid) : "?");
}

std::string PfnText(std::optional<int64_t> pfn) {
  return pfn ? HexText(static_cast<uint64_t>(*pfn)) : "?";
}

size_t TextWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), StartsCodePoint));
}

std::string CutToWidth(const std::string& text, size_t width) {
  if (TextWidth(text) <= width) return text;
  std::string cut;
  if (width <= 3) return cut.assign(width, '.');
  size_t taken = 0;
  for (char c : text) {
    if (StartsCodePoint(c) && taken++ == width - 3) break;
    cut += c;
  }
  return cut + "...";
}

std::string PadToWidth(const std::string& text, size_t width) {
  std::string padded = CutToWidth(text, width);
  return padded + std::string(width - TextWidth(padded), ' ');
}

std::string Wrap(std::string_view paragraph, size_t first_indent, size_t indent) {
  std::string shown = Printable(paragraph);
  std::string_view text = shown;
  std::string out;
  std::string line(first_indent, ' ');
  size_t taken = first_indent;
  bool fresh = true;  // nothing but the indent on this line
  auto end_line = [&] {
    out += line + "\n";
    line.assign(indent, ' ');
    taken = indent;
    fresh = true;
  };
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!fresh && taken + 1 + TextWidth(word) > kReportWidth) end_line();
    if (!fresh) {
      line += ' ';
      ++taken;
    }
    for (char c : word) {  // one that fits no line is broken
      if (StartsCodePoint(c) && taken + 1 > kReportWidth) end_line();
      taken += StartsCodePoint(c);
      line += c;
    }
    fresh = false;
  }
  return out + line + "\n";
}

}  // namespace mmreplay
