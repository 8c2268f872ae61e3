#include "parser/disguise.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

constexpr char kEscape = '\x1b';
constexpr std::string_view kNoBreak = "\xc2\xa0";

// Entities in the place of all that would be tags.
bool LooksEscaped(std::string_view text) {
  size_t entities = 0;
  for (std::string_view entity : {"&lt;", "&gt;"}) {
    for (size_t at = text.find(entity); at != kNotFound; at = text.find(entity, at + 1)) ++entities;
  }
  auto tags = static_cast<size_t>(std::count(text.begin(), text.end(), '<'));
  return entities >= 3 && tags * 10 < entities;
}

// In most lines, between columns.
bool HasNoBreaks(std::string_view text) {
  size_t lines = 0;
  size_t with = 0;
  ForEachLine(text, [&](std::string_view line) {
    ++lines;
    with += line.find(kNoBreak) != kNotFound;
  });
  return lines >= 3 && with * 2 > lines;
}

bool LooksColored(std::string_view text) {
  if (text.find(kEscape) == kNotFound) return false;
  // A line that begins so, one colour after the other, and how grep ends what it found.
  return text.starts_with("\x1b[") || text.find("\n\x1b[") != kNotFound ||
         text.find("\x1b[0m\x1b[") != kNotFound || text.find("\x1b[m\x1b[K") != kNotFound;
}

// Which member of an object is the line.
constexpr std::string_view kMessages[] = {"MESSAGE", "log"};

bool LooksLikeObjects(std::string_view text) {
  size_t lines = 0;
  size_t objects = 0;
  ForEachLine(text, [&](std::string_view line) {
    ++lines;
    objects += line.starts_with('{') &&
               std::any_of(std::begin(kMessages), std::end(kMessages), [&](std::string_view name) {
                 return line.find("\"" + std::string(name) + "\":") != kNotFound;
               });
  });
  return lines >= 3 && objects * 2 > lines;
}

// printk's time, us, which journald takes off of the line.
std::string PrintkTime(const nlohmann::json& object) {
  constexpr uint64_t kSecond = 1'000'000;
  auto stamp = object.find("_SOURCE_MONOTONIC_TIMESTAMP");
  if (stamp == object.end() || !stamp->is_string()) return {};
  auto us = ParseDecimal(stamp->get_ref<const std::string&>());
  return us ? fmt::format("[{:5}.{:06}] ", *us / kSecond, *us % kSecond) : "";
}

// The line as it is where it is no such object.
std::string MessageOf(std::string_view line) {
  nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) return std::string(line);
  for (std::string_view name : kMessages) {
    auto message = object.find(name);
    if (message == object.end()) continue;
    std::string text;
    if (message->is_string()) {
      text = message->get<std::string>();
    } else if (message->is_array()) {  // journald's form of what is no UTF-8
      for (const nlohmann::json& byte : *message)
        text += byte.is_number_unsigned() ? static_cast<char>(byte.get<uint64_t>() & 0xff) : '?';
    } else if (!message->is_null()) {
      continue;
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return PrintkTime(object) + text;
  }
  return std::string(line);
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

}  // namespace

Disguise::Disguise(std::string_view text) {
  constexpr size_t kSample = size_t{64} * 1024;
  text = text.substr(0, kSample);
  in_objects_ = LooksLikeObjects(text);
  std::string messages;
  if (in_objects_) {
    ForEachLine(text, [&](std::string_view line) { messages += MessageOf(line) + "\n"; });
    text = messages;
  }
  colored_ = LooksColored(text);
  escaped_ = LooksEscaped(text);
  no_breaks_ = HasNoBreaks(text);
}

bool Disguise::IsOn(std::string_view piece) const {
  return (in_objects_ && piece.starts_with('{')) || (colored_ && piece.find(kEscape) != kNotFound) ||
         (escaped_ && piece.find('&') != kNotFound) || (no_breaks_ && piece.find(kNoBreak) != kNotFound);
}

std::string Disguise::TakeOff(std::string_view piece) const {
  std::string plain;
  if (in_objects_) {
    ForEachLine(piece, [&](std::string_view line) {
      if (!plain.empty()) plain += '\n';
      plain += MessageOf(line);
    });
  } else {
    plain = piece;
  }
  if (colored_) plain = WithoutColors(plain);
  if (escaped_) plain = Unescape(plain);
  if (no_breaks_) plain = WithBlanks(plain);
  return plain;
}

std::string Unescape(std::string_view text) {
  struct Entity {
    std::string_view name;
    char character;
  };
  static constexpr Entity kEntities[] = {
      {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}, {"&amp;", '&'}};
  std::string plain;
  while (!text.empty()) {
    size_t length = 1;
    char c = text[0];
    for (const Entity& entity : kEntities) {
      if (c != '&' || !text.starts_with(entity.name)) continue;
      c = entity.character;
      length = entity.name.size();
      break;
    }
    plain += c;
    text.remove_prefix(length);
  }
  return plain;
}

std::string WithBlanks(std::string_view text) {
  std::string blanks;
  for (size_t at = 0; at < text.size(); ++at) {
    bool utf8 = text.substr(at).starts_with(kNoBreak);
    auto before = static_cast<unsigned char>(at > 0 ? text[at - 1] : ' ');
    bool latin1 = text[at] == '\xa0' && (before < 0x80 || before == 0xa0);
    at += utf8;
    blanks += utf8 || latin1 ? ' ' : text[at];
  }
  return blanks;
}

}  // namespace mmreplay
