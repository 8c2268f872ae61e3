// A triage as text, JSON lines and JUnit.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/format.h"
#include "report/triage.h"

namespace mmreplay {

// In every row of JSON lines; report/triage.schema.json describes them. The version rises when a name or a
// meaning changes; names may be added.
inline constexpr const char* kTriageFormat = "mmreplay-triage";
inline constexpr int kTriageVersion = 1;

enum class TriageFormat : uint8_t { kText, kJsonLines, kJUnit };
// "text", "jsonl", "junit". Throws Error for anything else.
TriageFormat TriageFormatOf(std::string_view name);

// Takes logs as they come, in order, then what all of them are. Holds what its form cannot write at once:
// text keeps the logs that need a sentence, JUnit a line for each, JSON lines nothing.
class TriageWriter {
 public:
  TriageWriter(TriageFormat format, TextStyle style, WriteFn write);
  void Add(const TriageLog& log, const LogWeight& weight);
  void Finish(const Triage& triage);

 private:
  TriageFormat format_;
  TextStyle style_;
  WriteFn write_;
  std::string cannot_tell_;
  std::string not_read_;
  std::string test_cases_;
};

// One row each, with its newline.
std::string LogRow(const TriageLog& log, const LogWeight& weight);
std::string GroupRow(const Triage& triage, const TriageGroup& group);
std::string SummaryRow(const Triage& triage);

// The groups of this run, with those of its baseline: what is known from now on.
std::string BaselineText(const Triage& triage);

// One test case of JUnit: a log.
std::string TestCase(const TriageLog& log, const LogWeight& weight);

// "0 found + 3 clean ..." and so on: the end of the text.
void WriteTriageText(const Triage& triage, const std::string& cannot_tell, const std::string& not_read,
                     const TextStyle& style, const WriteFn& write);
void WriteJUnit(const Triage& triage, const std::string& test_cases, const WriteFn& write);

}  // namespace mmreplay
