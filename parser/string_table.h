// Interned texts that repeat millions of times in a trace: comms, event names, flag columns.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace mmreplay {

enum class StringId : uint32_t {};

class StringTable {
 public:
  StringTable();

  StringId Intern(std::string_view text);

  // Valid as long as the table lives.
  std::string_view Text(StringId id) const { return texts_[static_cast<uint32_t>(id)]; }

  // Ids are 0 .. size()-1 in order of first appearance.
  uint32_t size() const { return static_cast<uint32_t>(texts_.size()); }

 private:
  // Three texts of each event are looked up: std::unordered_map takes three times as long (see tests/bench).
  struct Slot {
    uint32_t hash = 0;
    uint32_t id_plus_one = 0;  // 0: free
    std::string_view text;
  };
  void Grow();

  std::deque<std::string> texts_;  // a deque, so that views of them stay valid
  std::vector<Slot> slots_;        // a power of two, at most half of them taken
  uint64_t seed_;                  // so that no input can be made of texts that collide
};

}  // namespace mmreplay
