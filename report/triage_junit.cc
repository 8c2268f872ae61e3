// A triage as JUnit: one test case per log. A log fails by findings that are not known or suppressed; one
// that could not be read or judged is an error, one that cannot tell is skipped.
#include "report/markup.h"
#include "report/triage_formats.h"

namespace mmreplay {
namespace {

std::string Element(const char* name, std::string_view type, std::string_view message,
                    const std::string& body) {
  std::string text = std::string("      <") + name;
  if (!type.empty()) text += " type=\"" + Html(type) + "\"";
  text += " message=\"" + Html(message) + "\"";
  return text + (body.empty() ? "/>\n" : ">" + body + "</" + name + ">\n");
}

std::string ShareLine(const TriageShare& share) {
  std::string line = std::to_string(share.count) + " " + share.grade + " " + share.fingerprint;
  if (!share.function.empty()) line += " in " + share.function;
  line += ", first " +
          (share.path.empty() ? "" : share.path + ":" + std::to_string(share.line.value_or(0)) + ": ");
  return Html(line + share.summary) + "\n";
}

}  // namespace

std::string TestCase(const TriageLog& one, const LogWeight& weight) {
  std::string shares;
  for (const TriageShare& share : one.shares) shares += ShareLine(share);
  std::string body;
  switch (one.log.status) {
    case LogStatus::kUnreadable:
    case LogStatus::kFailed:
      body = Element("error", LogStatusName(one.log.status), one.log.reason, "");
      break;
    case LogStatus::kCannotTell:
      body = Element("skipped", "", "cannot tell: " + one.log.reason, "");
      break;
    case LogStatus::kFound:
    case LogStatus::kClean:
      if (weight.failing.total() > 0) body = Element("failure", "finding", weight.failing.Text(), shares);
      break;
  }
  // What is known, suppressed or for information.
  if (!shares.empty() && weight.failing.total() == 0)
    body += "      <system-out>" + shares + "</system-out>\n";
  std::string start = "    <testcase classname=\"mmreplay.triage\" name=\"" + Html(one.log.path) + "\"";
  return body.empty() ? start + "/>\n" : start + ">\n" + body + "    </testcase>\n";
}

void WriteJUnit(const Triage& triage, const std::string& test_cases, const WriteFn& write) {
  const TriageCounts& counts = triage.counts();
  int64_t errors = counts.of(LogStatus::kUnreadable) + counts.of(LogStatus::kFailed);
  std::string numbers = " tests=\"" + std::to_string(counts.logs) + "\" failures=\"" +
                        std::to_string(counts.failing_logs) + "\" errors=\"" + std::to_string(errors) + "\"";
  write("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"mmreplay\"" + numbers + ">\n");
  write("  <testsuite name=\"triage\"" + numbers + " skipped=\"" +
        std::to_string(counts.of(LogStatus::kCannotTell)) + "\">\n");
  write("    <properties>\n      <property name=\"format\" value=\"" + std::string(kTriageFormat) +
        "\"/>\n      <property name=\"version\" value=\"" + std::to_string(kTriageVersion) +
        "\"/>\n    </properties>\n");
  write(test_cases);
  write("  </testsuite>\n</testsuites>\n");
}

}  // namespace mmreplay
