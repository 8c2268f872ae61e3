#include "report/junit_report.h"

#include <fmt/format.h>

#include <map>
#include <vector>

#include "report/content.h"
#include "report/markup.h"
#include "report/text_report.h"
#include "report/version.h"

namespace mmreplay {
namespace {

std::string Attribute(const char* name, std::string_view value) {
  return fmt::format(" {}=\"{}\"", name, Html(value));
}

// What a rule found: counts, and the first lines.
struct FoundByRule {
  GradeCounts grades;
  std::string lines;
};

std::map<std::string, FoundByRule> ReadFound(const Database& database, const TraceClock& clock) {
  std::map<std::string, FoundByRule> found;
  ForEachFinding(database, [&](const Finding& finding) {
    FoundByRule& of_rule = found[finding.rule];
    if (of_rule.grades.total() < kFindingsShown) of_rule.lines += FindingLine(finding, clock);
    of_rule.grades.Add(finding.grade);
    return true;
  });
  for (auto& [rule, of_rule] : found) {
    int64_t more = of_rule.grades.total() - kFindingsShown;
    if (more > 0)
      of_rule.lines += fmt::format("... and {} more (mmreplay query DB @findings)\n", CountText(more));
  }
  return found;
}

enum class CaseResult : uint8_t { kPassed, kFailed, kSkipped };

struct JudgedRule {
  CaseResult result = CaseResult::kPassed;
  std::string reason;  // of what did not pass
};

JudgedRule Judge(const RuleAnswer& rule, const Verdict& verdict) {
  if (!rule.applicable) return {CaseResult::kSkipped, "not applicable: record " + rule.missing};
  if (rule.findings > 0 && rule.severity != "info")
    return {CaseResult::kFailed, Plural(rule.findings, "finding", "findings")};
  if (rule.rule == "wait_on_freed_page" && rule.findings == 0) {
    if (verdict.unknown_waits > 0) {
      return {CaseResult::kSkipped, "cannot tell: the recording leaves " +
                                        Plural(verdict.unknown_waits, "wait", "waits") + " open"};
    }
    if (verdict.waits_in_gaps > 0) {
      return {CaseResult::kSkipped,
              "cannot tell: events were lost during " + Plural(verdict.waits_in_gaps, "wait", "waits")};
    }
    if (verdict.incomplete)
      return {CaseResult::kSkipped, "cannot tell: a part of the input could not be read"};
  }
  return {};
}

class Suite {
 public:
  Suite(const Database& database, const ReportContent& content, const WriteFn& write)
      : database_(database), write_(write), content_(content), found_(ReadFound(database, content_.clock)) {}

  void Write(bool near_misses) {
    bool nothing_read = content_.verdict.ExitCode() == 2;
    int64_t failed = 0;
    int64_t skipped = 0;
    for (const RuleAnswer& rule : content_.rules) {
      JudgedRule test = Judge(rule, content_.verdict);
      failed += test.result == CaseResult::kFailed;
      skipped += test.result == CaseResult::kSkipped;
    }
    std::string counts =
        fmt::format(" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
                    content_.rules.size() + (nothing_read ? 1 : 0), failed, nothing_read ? 1 : 0, skipped);
    write_("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"mmreplay\"" + counts + ">\n");
    write_("<testsuite" + Attribute("name", content_.input.path) + counts + ">\n");
    WriteProperties();
    for (const RuleAnswer& rule : content_.rules) WriteCase(rule);
    if (nothing_read) {
      write_("<testcase classname=\"mmreplay\" name=\"input\">\n<error" +
             Attribute("message", VerdictText(content_)) + " type=\"nothing read\"/>\n</testcase>\n");
    }
    std::string out;
    WriteBelowFindings(database_, content_, near_misses, [&](std::string_view text) { out += text; });
    write_("<system-out>" + XmlText(VerdictText(content_) + "\n" + out) + "</system-out>\n");
    write_("</testsuite>\n</testsuites>\n");
  }

 private:
  void WriteProperties() {
    const InputFacts& input = content_.input;
    const Fidelity& fidelity = content_.fidelity;
    std::vector<std::pair<const char*, std::string>> properties = {
        {"mmreplay.version", kProgramVersion},
        {"exit_code", std::to_string(content_.verdict.ExitCode())},
        {"verdict", VerdictText(content_)},
        {"format", input.format},
        {"kernel_release", input.kernel_release},
        {"machine", input.machine},
        {"clock", content_.clock.name},
        {"lines", std::to_string(input.lines)},
        {"events", std::to_string(input.events)},
        {"rejected", std::to_string(input.rejected)},
        {"waits", std::to_string(content_.verdict.waits)},
        {"confirmed", std::to_string(content_.grades.confirmed)},
        {"probable", std::to_string(content_.grades.probable)},
        {"latent", std::to_string(content_.grades.latent)},
        {"gaps", std::to_string(content_.losses.gaps)},
        {"fidelity.anchors", std::to_string(fidelity.anchors)},
        {"fidelity.matched", std::to_string(fidelity.matched)}};
    for (const FindingGroup& group : content_.groups) properties.emplace_back("group", group.fingerprint);
    write_("<properties>\n");
    for (const auto& [name, value] : properties) {
      // Unknown is left out.
      if (!value.empty()) write_("<property" + Attribute("name", name) + Attribute("value", value) + "/>\n");
    }
    write_("</properties>\n");
  }

  void WriteCase(const RuleAnswer& rule) {
    JudgedRule test = Judge(rule, content_.verdict);
    write_("<testcase classname=\"mmreplay\"" + Attribute("name", rule.rule));
    if (test.result == CaseResult::kSkipped) {
      write_(">\n<skipped" + Attribute("message", test.reason) + "/>\n</testcase>\n");
    } else if (test.result == CaseResult::kFailed) {
      const FoundByRule& found = found_[rule.rule];
      write_(">\n<failure" + Attribute("message", test.reason + ": " + found.grades.Text()) +
             Attribute("type", Strongest(found.grades)) + ">");
      for (const FindingGroup& group : content_.groups) {
        if (group.rule == rule.rule) {
          WriteGroup(group, content_.clock, {}, [&](std::string_view text) { write_(XmlText(text)); });
        }
      }
      write_(XmlText("\n" + found.lines) + "</failure>\n</testcase>\n");
    } else if (rule.findings > 0) {
      write_(">\n<system-out>" + XmlText(Printable(rule.summary) + "\n" + found_[rule.rule].lines) +
             "</system-out>\n</testcase>\n");
    } else {
      write_("/>\n");
    }
  }

  static const char* Strongest(const GradeCounts& grades) {
    return grades.confirmed > 0 ? "confirmed" : grades.probable > 0 ? "probable" : "latent";
  }

  const Database& database_;
  const WriteFn& write_;
  const ReportContent& content_;
  std::map<std::string, FoundByRule> found_;
};

}  // namespace

void WriteJunitReport(const Database& database, const ReportContent& content, bool near_misses,
                      const WriteFn& write) {
  Suite(database, content, write).Write(near_misses);
}

}  // namespace mmreplay
