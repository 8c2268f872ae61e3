// Stored events and kernel reports as reports of any form show them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "db/database.h"

namespace mmreplay {

struct TraceClock {
  std::string name;  // empty where no file tells
  bool ticks = false;
  int64_t error = 0;  // stamps of two cpus this far apart are ordered
};
TraceClock ReadClock(const Database& database);

struct EventLine {
  int64_t event = 0;
  std::string path;           // source file
  int64_t line = 0;           // in it
  std::optional<int64_t> ts;  // ns, or ticks
  bool ticks = false;
  std::optional<int64_t> cpu;
  std::optional<int64_t> pid;
  std::string comm;
  std::string name;
  std::string args;
  std::string context;  // the flag columns
  std::optional<int64_t> tgid;
  std::optional<int64_t> count;  // the page's reference count after the event

  // The trace line, its columns separated by one blank.
  std::string Original() const;
};

class EventLines {
 public:
  EventLines(const Database& database, bool ticks);
  // nullopt for an event that is not stored.
  std::optional<EventLine> Read(int64_t event);

 private:
  // Texts by id, those met before from memory.
  class Texts {
   public:
    Texts(const Database& database, std::string_view sql);
    // Empty for an id that is not stored. Borrowed until the next call.
    const std::string& Read(int64_t id);

   private:
    static constexpr size_t kMostKept = 4096;

    Statement query_;
    std::unordered_map<int64_t, std::string> known_;
  };

  Statement query_;
  Texts strings_;
  Texts kinds_;
  Texts sources_;
  bool ticks_;
};

// The function of a probe hit: "(folio_wait_bit+0x0/0x20) folio=..." -> "folio_wait_bit"; the probe's name
// where only an address is printed; empty for a tracepoint.
std::string ProbedFunction(std::string_view name, std::string_view args);

// What an event of a page says, in a few words: "drops the last reference".
std::string Describe(const EventLine& event);

// Why two events of a finding are in that order; kind "open": nothing says.
struct OrderProof {
  int64_t first = 0;
  int64_t second = 0;
  std::string kind;
  std::string detail;
};
class OrderProofs {
 public:
  explicit OrderProofs(const Database& database);
  // Of all pairs of the finding's events.
  std::vector<OrderProof> Read(int64_t finding);

 private:
  Statement query_;
};

// The kernel's own report on a page.
struct KernelReport {
  std::string kind;
  std::string comm;  // whom it hit
  std::string flags;
  std::string reason;
  std::optional<int64_t> pfn;
  std::string path;
  int64_t line = 0;
};
// nullopt for an id that is not stored.
std::optional<KernelReport> ReadKernelReport(const Database& database, int64_t id);

// "BUG: Bad page state in process thp mover pfn:39200 (waiters; PAGE_FLAGS_CHECK_AT_PREP flag(s) set)"
std::string KernelReportText(const KernelReport& report);

}  // namespace mmreplay
