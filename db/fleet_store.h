// A fleet database: one row per log and finding, of many logs and many runs. Several processes may append
// at once; each log is one transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "db/database.h"

namespace mmreplay {

// Raised whenever its columns or views are appended.
inline constexpr int32_t kFleetSchemaVersion = 2;

enum class LogStatus : uint8_t { kFound, kClean, kCannotTell, kUnreadable, kFailed };
// "found", "clean", "cannot tell", "unreadable", "failed"
std::string_view LogStatusName(LogStatus status);

// What became of one log. Numbers are of the trace; nullopt where it was not read.
struct FleetLog {
  std::string path;
  std::string content;  // hash; empty where the content was not read
  LogStatus status = LogStatus::kUnreadable;
  std::string reason;
  std::string format;
  std::string kernel_release;
  std::string machine;
  int64_t files = 1;
  int64_t files_unused = 0;  // of these, no part of the recording
  std::optional<int64_t> lines;
  std::optional<int64_t> events;
  std::optional<int64_t> rejected;
  std::optional<int64_t> waits;
  std::optional<int64_t> unknown_waits;
  int64_t milliseconds = 0;
};

struct FleetFinding {
  std::string rule;
  std::string severity;
  std::string grade;
  std::string fingerprint;  // across logs
  std::string member;       // within its trace
  std::string function;     // of the wait; empty for other findings
  std::string outcome;
  std::string comm;
  std::optional<int64_t> pid;
  std::optional<int64_t> pfn;
  std::string summary;
  std::string path;  // of the event that shows it
  std::optional<int64_t> line;
};

// What findings may be of.
struct FleetRule {
  std::string name;
  std::string_view severity;
  bool counts;  // a log with a finding of it is one with findings (--fail-on)
};

class FleetStore {
 public:
  // Opens or creates it; a file that is something else is refused. `version`, `analysis` and `rules` are of
  // this run.
  FleetStore(const std::string& path, std::string_view version, std::string analysis,
             const std::vector<FleetRule>& rules);
  FleetStore(const FleetStore&) = delete;
  FleetStore& operator=(const FleetStore&) = delete;
  ~FleetStore();

  // A log of that content that was judged, whatever its path, by the same analysis: its row, with its
  // findings one by one. The log is recorded as seen by this run under `path`.
  std::optional<FleetLog> Reuse(const std::string& path, const std::string& content,
                                const std::function<void(const FleetFinding&)>& visit);

  // A log in one transaction: Begin, its findings, Commit. What is not committed is not there. Another
  // process that has judged the same log meanwhile wins: then nothing is written twice.
  void Begin(const FleetLog& log);
  void Add(const FleetFinding& finding);
  void Commit();
  void Rollback();

  // The run is over.
  void Finish(int64_t logs, int exit_code);

 private:
  struct Statements;

  void CreateTables();
  void PutLog(const FleetLog& log);
  void CountFindings(int64_t log);
  int64_t CopyLog(int64_t log, const std::string& from, const std::string& to);
  void SeenInRun(int64_t log, bool skipped);

  Database database_;
  std::string analysis_;
  int64_t run_ = 0;
  int64_t log_ = 0;          // within a transaction: the row findings belong to
  bool has_it_all_ = false;  // within a transaction: findings of that log are stored already
  std::unique_ptr<Statements> statements_;
};

bool IsFleetDatabase(const std::string& path);
// For reading. Throws Error for anything that is no fleet database.
std::unique_ptr<Database> OpenFleetDatabase(const std::string& path);

}  // namespace mmreplay
