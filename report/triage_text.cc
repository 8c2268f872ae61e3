// A triage as text for people: what to look at first, then what could not be judged, then the sums.
#include <fmt/format.h>

#include "parser/error.h"
#include "report/triage_formats.h"

namespace mmreplay {
namespace {

std::string List(const std::set<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

std::string Headline(const Triage& triage) {
  const TriageCounts& counts = triage.counts();
  int64_t failing = 0;
  bool has_baseline = triage.policy().baseline.has_value();
  for (const TriageGroup& group : triage.groups()) {
    failing += group.state == GroupState::kFound || group.state == GroupState::kNew ||
               group.state == GroupState::kRisen;
  }
  if (counts.failing.total() > 0) {
    return (has_baseline ? "NEW: " : "FOUND: ") + Plural(failing, "group", "groups") + " of " +
           Plural(counts.failing.total(), "finding", "findings") + " in " + CountText(counts.failing_logs) +
           " of " + Plural(counts.logs, "log", "logs") + ": " + counts.failing.Text();
  }
  std::string nothing = has_baseline ? "nothing new" : "no finding";
  if (counts.logs == 0) return "no log was given";
  switch (triage.ExitCode()) {
    case 0:
      return "OK: " + nothing + " in " + Plural(counts.logs, "log", "logs");
    case 2:
      return "INCOMPLETE: " + nothing + ", but " +
             CountText(counts.of(LogStatus::kUnreadable) + counts.of(LogStatus::kFailed)) + " of " +
             Plural(counts.logs, "log", "logs") + " could not be judged";
    default:
      return "CANNOT TELL: " + nothing + ", but " + CountText(counts.of(LogStatus::kCannotTell)) + " of " +
             Plural(counts.logs, "log", "logs") + " do not show enough";
  }
}

std::string StateText(const TriageGroup& group) {
  switch (group.state) {
    case GroupState::kNew:
      return "NEW, ";
    case GroupState::kRisen:
      return "RISEN from " + *group.baseline_grade + ", ";
    case GroupState::kKnown:
      return "known, ";
    case GroupState::kSuppressed:
      return "suppressed, ";
    default:
      return "";
  }
}

std::string GroupText(const Triage& triage, const TriageGroup& group) {
  bool all_suppressed = group.grades.total() == 0;
  const GradeCounts& grades = all_suppressed ? group.suppressed : group.grades;
  std::string text = "\n" + Wrap(group.fingerprint + ": " + triage.SummaryOf(group.rule), 0, 2);
  std::string numbers = StateText(group) + "highest grade " + group.HighestGrade() + ": " + grades.Text() +
                        " in " + Plural(group.logs, "log", "logs");
  if (!all_suppressed && group.suppressed.total() > 0) numbers += "; suppressed: " + group.suppressed.Text();
  text += Wrap(numbers, 2, 4);
  if (!group.functions.empty()) text += Wrap("in " + List(group.functions), 2, 4);
  std::string seen;
  if (!group.kernels.empty()) seen += "kernels " + List(group.kernels);
  if (!group.machines.empty()) seen += (seen.empty() ? "" : "; ") + List(group.machines);
  if (!group.inputs.empty()) seen += (seen.empty() ? "" : "; ") + List(group.inputs);
  if (!seen.empty()) text += Wrap(seen, 2, 4);
  std::string place = group.example_path;
  if (group.example_line) place += ":" + std::to_string(*group.example_line);
  if (place.empty()) place = group.example_log;
  return text + Wrap("first: " + place + ": " + group.example_summary, 2, 4);
}

std::string PolicyText(const Triage& triage) {
  std::string text;
  std::vector<std::string> gone = triage.Gone();
  if (!gone.empty()) {
    text += "\nin the baseline, and not seen now (" + CountText(static_cast<int64_t>(gone.size())) + "):\n";
    for (const std::string& fingerprint : gone) text += Wrap(fingerprint, 2, 4);
  }
  if (triage.policy().suppressions.empty()) return text;
  text += "\nsuppressions:\n";
  for (const Suppression& one : triage.policy().suppressions) {
    text += Wrap(one.where + ": " +
                     (one.used > 0 ? Plural(one.used, "finding", "findings") + ", because " + one.reason
                                   : "met nothing; remove it? (" + one.reason + ")"),
                 2, 4);
  }
  return text;
}

std::string SumsText(const TriageCounts& counts) {
  std::string text =
      fmt::format("\nlogs: {} = {} found + {} clean + {} cannot tell + {} unreadable + {} failed\n",
                  CountText(counts.logs), CountText(counts.of(LogStatus::kFound)),
                  CountText(counts.of(LogStatus::kClean)), CountText(counts.of(LogStatus::kCannotTell)),
                  CountText(counts.of(LogStatus::kUnreadable)), CountText(counts.of(LogStatus::kFailed)));
  text += fmt::format("files: {} = {} by themselves + {} in bundles + {} met again\n",
                      CountText(counts.files), CountText(counts.files_alone),
                      CountText(counts.files_in_bundles), CountText(counts.files_again));
  text += fmt::format("findings: {} = {} that count + {} known + {} suppressed + {} for information\n",
                      CountText(counts.failing.total() + counts.known + counts.suppressed + counts.info),
                      CountText(counts.failing.total()), CountText(counts.known),
                      CountText(counts.suppressed), CountText(counts.info));
  return text;
}

}  // namespace

void WriteTriageText(const Triage& triage, const std::string& cannot_tell, const std::string& not_read,
                     const TextStyle& style, const WriteFn& write) {
  std::string headline = Headline(triage);
  size_t end = headline.find(':');
  if (end != std::string::npos)
    headline = Inked(headline.substr(0, end), Ink::kBold, style) + headline.substr(end);
  write(headline + "\n");
  bool info = false;
  for (const TriageGroup& group : triage.groups()) {
    if (group.state == GroupState::kInfo && !info) write("\nfor information:\n");
    info |= group.state == GroupState::kInfo;
    write(GroupText(triage, group));
  }
  write(PolicyText(triage));
  const TriageCounts& counts = triage.counts();
  if (!cannot_tell.empty())
    write("\ncannot tell (" + CountText(counts.of(LogStatus::kCannotTell)) +
          "; mmreplay doctor LOG says what to record):\n" + cannot_tell);
  if (!not_read.empty()) {
    write("\nnot judged (" + CountText(counts.of(LogStatus::kUnreadable) + counts.of(LogStatus::kFailed)) +
          "):\n" + not_read);
  }
  write(SumsText(counts));
}

TriageFormat TriageFormatOf(std::string_view name) {
  if (name == "text") return TriageFormat::kText;
  if (name == "jsonl") return TriageFormat::kJsonLines;
  if (name == "junit") return TriageFormat::kJUnit;
  throw Error("--format: " + std::string(name) + ": a triage is written as text, jsonl or junit");
}

TriageWriter::TriageWriter(TriageFormat format, TextStyle style, WriteFn write)
    : format_(format), style_(style), write_(std::move(write)) {}

void TriageWriter::Add(const TriageLog& log, const LogWeight& weight) {
  switch (format_) {
    case TriageFormat::kJsonLines:
      return write_(LogRow(log, weight));
    case TriageFormat::kJUnit:
      test_cases_ += TestCase(log, weight);
      return;
    case TriageFormat::kText:
      break;
  }
  std::string line = "  " + Printable(log.log.path + ": " + log.log.reason) + "\n";
  if (log.log.status == LogStatus::kCannotTell) cannot_tell_ += line;
  if (log.log.status == LogStatus::kUnreadable || log.log.status == LogStatus::kFailed) not_read_ += line;
}

void TriageWriter::Finish(const Triage& triage) {
  switch (format_) {
    case TriageFormat::kText:
      return WriteTriageText(triage, cannot_tell_, not_read_, style_, write_);
    case TriageFormat::kJUnit:
      return WriteJUnit(triage, test_cases_, write_);
    case TriageFormat::kJsonLines:
      for (const TriageGroup& group : triage.groups()) write_(GroupRow(triage, group));
      write_(SummaryRow(triage));
  }
}

}  // namespace mmreplay
