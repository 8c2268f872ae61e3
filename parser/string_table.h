// Interned texts that repeat millions of times in a trace: comms, event names, flag columns. What does not
// repeat is not kept beyond a limit: it becomes one text that says so.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/eight_bytes.h"
#include "parser/memory_budget.h"

namespace mmreplay {

enum class StringId : uint32_t {};

// memcmp is a call, and takes longer than the comparison.
inline bool SameText(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  size_t size = a.size();
  auto same = [&](size_t at, auto x) {
    auto y = x;
    std::memcpy(&x, a.data() + at, sizeof(x));
    std::memcpy(&y, b.data() + at, sizeof(y));
    return x == y;
  };
  if (size > 32) return a == b;
  if (size >= 8) {
    for (size_t at = 0; at + 8 < size; at += 8) {
      if (!same(at, uint64_t{})) return false;
    }
    return same(size - 8, uint64_t{});
  }
  if (size >= 4) return same(0, uint32_t{}) && same(size - 4, uint32_t{});
  for (size_t at = 0; at < size; ++at) {
    if (a[at] != b[at]) return false;
  }
  return true;
}

class StringTable {
 public:
  // What stands for a text that was not kept. No comm has it: comms have 15 characters (TASK_COMM_LEN).
  static constexpr std::string_view kNotKept = "<text not kept>...";

  explicit StringTable(const MemoryBudget& budget = MemoryBudget());

  StringId Intern(std::string_view text) { return Intern(text, &texts_left_); }
  // Of an event, or what else a trace has a bounded number of: with a budget of its own, so that comms do not
  // use it up.
  StringId InternName(std::string_view name) { return Intern(name, &names_left_); }
  // One of a stored trace, which had its place in the budget then.
  StringId InternStored(std::string_view text) { return Intern(text, &stored_left_); }
  // Names that are kept whatever the budget says.
  void KeepAlways(std::function<bool(std::string_view name)> needed) { needed_ = std::move(needed); }

  // Of texts, each time one was asked for.
  int64_t texts_not_kept() const { return texts_not_kept_; }
  int64_t names_not_kept() const { return names_not_kept_; }
  // The id of a text that was not kept.
  bool IsNotKept(StringId id) const { return not_kept_ && *not_kept_ == id; }

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
  StringId Intern(std::string_view text, size_t* bytes_left);
  StringId NotKept(const size_t* bytes_left);
  StringId Add(std::string_view text, uint32_t hash);
  void Grow();

  std::deque<std::string> texts_;  // a deque, so that views of them stay valid
  std::vector<Slot> slots_;        // a power of two, at most half of them taken
  size_t texts_left_;              // bytes
  size_t names_left_;
  size_t stored_left_;
  std::function<bool(std::string_view)> needed_;
  int64_t texts_not_kept_ = 0;
  int64_t names_not_kept_ = 0;
  std::optional<StringId> not_kept_;
  uint64_t seed_;  // so that no input can be made of texts that collide
};

// Which of a few slots a text belongs to. Comms, names and flags differ at their ends if anywhere.
template <size_t kSlots>
size_t SlotOf(std::string_view text) {
  uint64_t word = 0;
  if (text.size() >= kEightBytes) {
    word = LoadEight(text.data() + text.size() - kEightBytes);
  } else if (text.size() >= 4) {
    uint32_t first = 0;
    uint32_t last = 0;
    std::memcpy(&first, text.data(), 4);
    std::memcpy(&last, text.data() + text.size() - 4, 4);
    word = uint64_t{first} << 32 | last;
  } else {
    for (char c : text) word = word << 8 | static_cast<unsigned char>(c);
  }
  word += text.size();
  return static_cast<size_t>(word * 0x9e3779b97f4a7c15 >> (64 - std::bit_width(kSlots - 1)));
}

// Interns texts of which the same few come again and again: those met last are not looked up.
class RecentText {
 public:
  StringId Intern(std::string_view text, StringTable* strings) {
    return Find(text, [&] { return strings->Intern(text); }, *strings);
  }
  StringId InternName(std::string_view name, StringTable* strings) {
    return Find(name, [&] { return strings->InternName(name); }, *strings);
  }

 private:
  static constexpr size_t kSlots = 128;
  struct Known {
    std::string_view text;
    StringId id{};
  };

  template <typename Look>
  StringId Find(std::string_view text, Look&& look, const StringTable& strings) {
    Known& known = known_[SlotOf<kSlots>(text)];
    if (SameText(known.text, text) && known.text.data()) return known.id;
    known.id = look();
    known.text = strings.Text(known.id);  // of one that was not kept: another
    return known.id;
  }

  std::array<Known, kSlots> known_;
};

// What was made of texts of which the same few come again and again. Making it of the same text must give the
// same.
template <typename Made>
class RecentlyMade {
 public:
  template <typename Make>
  Made Of(std::string_view text, Make&& make) {
    constexpr size_t kLongest = 256;
    if (text.empty() || text.size() > kLongest) return make(text);
    Known& known = known_[SlotOf<kSlots>(text)];
    if (SameText(known.text, text)) return known.made;
    known.made = make(text);
    known.text = text;
    return known.made;
  }

 private:
  static constexpr size_t kSlots = 64;
  struct Known {
    std::string text;
    Made made{};
  };
  std::array<Known, kSlots> known_;
};

}  // namespace mmreplay
