// Interned texts that repeat millions of times in a trace: comms, event names, flag columns.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mmreplay {

enum class StringId : uint32_t {};

class StringTable {
 public:
  StringId Intern(std::string_view text);

  // Valid as long as the table lives.
  std::string_view Text(StringId id) const { return texts_[static_cast<uint32_t>(id)]; }

  // Ids are 0 .. size()-1 in order of first appearance.
  uint32_t size() const { return static_cast<uint32_t>(texts_.size()); }

 private:
  std::deque<std::string> texts_;  // a deque, so that the views in ids_ stay valid
  std::unordered_map<std::string_view, StringId> ids_;
};

}  // namespace mmreplay
