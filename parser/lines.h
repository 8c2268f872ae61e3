// Characters, words and lines of texts that are in memory already.
#pragma once

#include <string_view>
#include <vector>

namespace mmreplay {

inline constexpr size_t kNotFound = std::string_view::npos;

inline bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

inline bool IsBlank(char c) {
  return c == ' ' || c == '\t';
}

// Of the key of an argument "key=value", but for its first character.
inline bool IsKeyChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c) || c == '_' || c == '.' || c == '-';
}

// What editors of other systems put before UTF-8.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Calls per_line(line) for each line, without '\n' and the '\r' that terminals put before it; a last line
// needs no newline.
template <typename PerLine>
void ForEachLine(std::string_view text, PerLine&& per_line) {
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    per_line(line);
    text.remove_prefix(end == kNotFound ? text.size() : end + 1);
  }
}

inline std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

// Of words separated by blanks and tabs, until per_word returns false.
template <typename PerWord>
void ForEachWord(std::string_view text, PerWord&& per_word) {
  for (size_t start = text.find_first_not_of(" \t"); start != kNotFound;
       start = text.find_first_not_of(" \t", start)) {
    size_t end = text.find_first_of(" \t", start);
    if (!per_word(text.substr(start, end == kNotFound ? end : end - start)) || end == kNotFound) return;
    start = end;
  }
}

// At most so many, the first ones: a line of a stranger's file may have millions.
inline std::vector<std::string_view> SplitWords(std::string_view text, size_t most = kNotFound) {
  std::vector<std::string_view> words;
  ForEachWord(text, [&](std::string_view word) {
    words.push_back(word);
    return words.size() < most;
  });
  return words;
}

}  // namespace mmreplay
