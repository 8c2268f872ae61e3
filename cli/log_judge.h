// The work of a triage's child process: judges logs one after the other, each as `mmreplay analyze` would.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/worker_process.h"
#include "db/fleet_store.h"
#include "report/content.h"
#include "report/triage.h"
#include "rules/rule.h"

namespace mmreplay {

// Types of messages. The parent asks kParts or kJudge; a judge who is to keep findings says the log's hash
// first, and is told to go on or to skip it.
struct JudgeMessage {
  static constexpr char kParts = 'P';  // files of a folder -> those that are one recording
  static constexpr char kJudge = 'J';  // path, files of a folder -> kHash, kLog, kFinding..., kEnd
  static constexpr char kHash = 'H';   // of the log's content
  static constexpr char kGoOn = 'G';
  static constexpr char kSkip = 'S';
  static constexpr char kLog = 'L';      // TriageLog
  static constexpr char kFinding = 'F';  // FleetFinding
  static constexpr char kEnd = 'E';      // "1": and the child ends, too, because it has become large
};

struct JudgeOptions {
  std::vector<Rule> rules;
  ExitPolicy policy;
  bool keep_findings = false;  // for a fleet database: hash and findings, too
  uint64_t memory_bytes = 0;   // what it may use
};

// Serves until the other end is closed.
void JudgeLogs(const JudgeOptions& options, WorkerChannel* channel);

// SHA-256 of what decides how a log is judged: this program, its rules, the policy.
std::string AnalysisHash(const JudgeOptions& options);

std::string Pack(const TriageLog& one);
TriageLog UnpackLog(std::string_view body);
std::string Pack(const FleetFinding& finding);
FleetFinding UnpackFinding(std::string_view body);

}  // namespace mmreplay
