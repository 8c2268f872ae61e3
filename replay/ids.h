// Identities of what the model tracks. The ids are the row ids of the database.
#pragma once

#include <cstdint>

#include "parser/event.h"

namespace mmreplay {

// One life of a page block, from allocation to free. Identity of a page is (head pfn, lifetime).
enum class LifetimeId : int64_t {};
// One holding of a page-table lock.
enum class HoldId : int64_t {};
// One wait of a task on a page.
enum class WaitId : int64_t {};

constexpr int64_t Value(LifetimeId id) {
  return static_cast<int64_t>(id);
}
constexpr int64_t Value(HoldId id) {
  return static_cast<int64_t>(id);
}
constexpr int64_t Value(WaitId id) {
  return static_cast<int64_t>(id);
}

// The event that began or ended something: what every record needs to know of it.
struct Moment {
  EventId event;
  std::optional<int64_t> ts;
  std::optional<int32_t> cpu;
  std::optional<Pid> pid;
  StringId comm{};
};

}  // namespace mmreplay
