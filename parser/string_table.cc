#include "parser/string_table.h"

#include <cstring>
#include <random>

namespace mmreplay {
namespace {

uint32_t Hash(std::string_view text, uint64_t seed) {
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;
  uint64_t hash = (text.size() ^ seed) * kMultiplier;
  auto mix = [&](uint64_t word) {
    hash = (hash ^ word) * kMultiplier;
    hash ^= hash >> 32;
  };
  const char* at = text.data();
  size_t rest = text.size();
  auto load = [](const char* from, auto word) {
    std::memcpy(&word, from, sizeof(word));
    return word;
  };
  if (rest >= 8) {
    for (; rest > 8; rest -= 8, at += 8) mix(load(at, uint64_t{}));
    mix(load(text.data() + text.size() - 8, uint64_t{}));
  } else if (rest >= 4) {
    mix(uint64_t{load(at, uint32_t{})} << 32 | load(at + rest - 4, uint32_t{}));
  } else if (rest > 0) {
    // The first, the middle and the last byte are all there are.
    auto byte = [&](size_t i) { return uint64_t{static_cast<unsigned char>(at[i])}; };
    mix(byte(0) << 16 | byte(rest / 2) << 8 | byte(rest - 1));
  }
  return static_cast<uint32_t>(hash);
}

}  // namespace

StringTable::StringTable(const MemoryBudget& budget)
    : slots_(256),
      texts_left_(budget.texts()),
      names_left_(budget.names()),
      stored_left_(texts_left_ + names_left_ + size_t{64} * 1024),
      seed_(uint64_t{std::random_device()()} << 32 | std::random_device()()) {}

StringId StringTable::Intern(std::string_view text, size_t* bytes_left) {
  uint32_t hash = Hash(text, seed_);
  size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].id_plus_one != 0; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.hash == hash && SameText(slot.text, text)) return static_cast<StringId>(slot.id_plus_one - 1);
  }
  // With what the slots, and the tables that other stages have by id, add.
  constexpr size_t kBytesOfEntry = 192;
  size_t bytes = kBytesOfEntry + text.size();
  if (bytes <= *bytes_left) {
    *bytes_left -= bytes;
  } else if (bytes_left != &names_left_ || !needed_ || !needed_(text)) {
    return NotKept(bytes_left);
  }
  return Add(text, hash);
}

StringId StringTable::Add(std::string_view text, uint32_t hash) {
  auto id = static_cast<StringId>(texts_.size());
  texts_.emplace_back(text);
  size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].id_plus_one != 0) at = (at + 1) & mask;
  slots_[at] = {hash, size(), texts_.back()};
  if (texts_.size() * 2 > slots_.size()) Grow();
  return id;
}

StringId StringTable::NotKept(const size_t* bytes_left) {
  ++(bytes_left == &names_left_ ? names_not_kept_ : texts_not_kept_);
  if (!not_kept_) {
    // A stored trace has it already.
    size_t unlimited = kNotKept.size() + 1024;
    not_kept_ = Intern(kNotKept, &unlimited);
  }
  return *not_kept_;
}

void StringTable::Grow() {
  std::vector<Slot> wider(slots_.size() * 2);
  size_t mask = wider.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.id_plus_one == 0) continue;
    size_t at = slot.hash & mask;
    while (wider[at].id_plus_one != 0) at = (at + 1) & mask;
    wider[at] = slot;
  }
  slots_ = std::move(wider);
}

}  // namespace mmreplay
