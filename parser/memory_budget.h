// What --max-memory allows, shared out to what grows with odd or hostile input: texts, pages, tasks, locks,
// batches on their way. What goes beyond its share is forgotten, oldest first, and counted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mmreplay {

class MemoryBudget {
 public:
  static constexpr uint64_t kDefaultMebibytes = 300;
  // Below it the program itself, SQLite's cache and a few batches do not fit.
  static constexpr uint64_t kLeastMebibytes = 200;

  constexpr explicit MemoryBudget(uint64_t mebibytes = kDefaultMebibytes)
      : rest_((mebibytes < kLeastMebibytes ? kLeastMebibytes : mebibytes) * 1024 * 1024 - kFixed) {}

  constexpr size_t texts() const { return Share(8); }          // comms and flag columns
  constexpr size_t names() const { return Share(4); }          // of events, with their kinds and probes
  constexpr size_t pages() const { return Share(50); }         // of the model
  constexpr size_t tasks() const { return Share(12) / 2048; }  // entries, with what hangs on each
  constexpr size_t locks() const { return Share(5) / 192; }    // entries
  constexpr size_t clocks() const { return Share(3) / 320; }  // locks, and tasks, of which clocks are learned
  constexpr size_t trails() const { return Share(2) / 768; }  // tasks that may tell where a page is
  constexpr size_t migrations() const { return Share(2) / 512; }  // open ones
  constexpr size_t records() const { return Share(45); }          // of a perf.data, until their round ends
  // Between learning and the replay. How far the model learns ahead must not depend on the memory it may
  // take: by default all batches of ordinary lines fit.
  constexpr size_t batches() const { return Share(40); }

 private:
  static constexpr uint64_t kFixed = uint64_t{120} * 1024 * 1024;

  constexpr size_t Share(uint64_t percent) const { return static_cast<size_t>(rest_ / 100 * percent); }

  uint64_t rest_;
};

}  // namespace mmreplay
