#include "parser/colors.h"

#include "parser/lines.h"

namespace mmreplay {
namespace {

constexpr char kEscape = '\x1b';

}  // namespace

bool LooksColored(std::string_view text) {
  constexpr size_t kSample = size_t{64} * 1024;
  text = text.substr(0, kSample);
  if (text.find(kEscape) == kNotFound) return false;
  // A line that begins so, one colour after the other, and how grep ends what it found.
  return text.starts_with("\x1b[") || text.find("\n\x1b[") != kNotFound ||
         text.find("\x1b[0m\x1b[") != kNotFound || text.find("\x1b[m\x1b[K") != kNotFound;
}

std::string WithoutColors(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    size_t escape = text.find(kEscape);
    plain += text.substr(0, escape);
    if (escape == kNotFound) break;
    text.remove_prefix(escape);
    // ECMA-48: numbers, and m for colours or K for the rest of the line.
    size_t end = text.starts_with("\x1b[") ? text.find_first_not_of("0123456789;", 2) : kNotFound;
    bool known = end != kNotFound && (text[end] == 'm' || text[end] == 'K');
    if (!known) plain += kEscape;
    text.remove_prefix(known ? end + 1 : 1);
  }
  return plain;
}

}  // namespace mmreplay
