// A map of bounded size that forgets what was not asked for longest. It keeps two generations: what is asked
// for moves to the younger one; when that has half of the limit, the older one is dropped and the younger
// becomes it. So a look-up of what is in use costs what it costs in a plain map.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mmreplay {

template <typename Key, typename T>
class AgingMap {
 public:
  struct Hooks {
    std::function<bool(const T&)> keep;         // entries that stay, whatever their age
    std::function<void(std::vector<T*>)> drop;  // told of those that go, while they are still there
  };

  explicit AgingMap(size_t limit, Hooks hooks = {})
      : half_(limit / 2 < kLeast ? kLeast : limit / 2), hooks_(std::move(hooks)) {}

  // Pointers stay valid until the entry is dropped: not before two generations have come and gone.
  T* Find(const Key& key) {
    if (auto found = young_.find(key); found != young_.end()) return &found->second;
    return old_.empty() ? nullptr : Rejuvenate(key);
  }
  T& operator[](const Key& key) {
    if (T* known = Find(key)) return *known;
    if (young_.size() >= age_at_) Age();
    return young_[key];
  }
  void Erase(const Key& key) {
    if (young_.erase(key) == 0) old_.erase(key);
  }

  // Begins a new generation.
  void Age() {
    std::unordered_map<Key, T> kept;
    std::vector<T*> dropped;
    for (auto entry = old_.begin(); entry != old_.end();) {
      auto next = std::next(entry);
      if (hooks_.keep && hooks_.keep(entry->second)) {
        kept.insert(old_.extract(entry));
      } else if (hooks_.drop) {
        dropped.push_back(&entry->second);
      }
      entry = next;
    }
    forgotten_ += static_cast<int64_t>(old_.size());
    if (hooks_.drop && !dropped.empty()) hooks_.drop(std::move(dropped));
    old_ = std::exchange(young_, std::move(kept));
    age_at_ = std::max(half_, 2 * young_.size());  // not at each new entry where many are kept
  }

  template <typename Visit>
  void ForEach(Visit&& visit) {
    for (auto& [key, value] : young_) visit(key, value);
    for (auto& [key, value] : old_) visit(key, value);
  }

  size_t size() const { return young_.size() + old_.size(); }
  int64_t forgotten() const { return forgotten_; }

 private:
  static constexpr size_t kLeast = 128;

  T* Rejuvenate(const Key& key) {
    auto node = old_.extract(key);
    return node ? &young_.insert(std::move(node)).position->second : nullptr;
  }

  size_t half_;
  size_t age_at_ = half_;
  Hooks hooks_;
  std::unordered_map<Key, T> young_;
  std::unordered_map<Key, T> old_;
  int64_t forgotten_ = 0;
};

}  // namespace mmreplay
