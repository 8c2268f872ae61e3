// mmreplay report: prints what the analysis of a stored trace printed.

#include "report/report.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "db/database.h"
#include "parser/error.h"

namespace mmreplay {
namespace {

int RunReport(const std::vector<std::string>& arguments) {
  auto parsed = ParseArguments(ReportCommand(), arguments);
  if (!parsed) return 0;
  const Arguments& given = *parsed;
  auto path = given.Text("database");
  if (!path) throw Error("report: needs a database; see mmreplay report --help");
  ReportFormat format = ReportFormatOf(given.Text("format").value_or("text"));
  auto database = OpenJudgedDatabase(*path);
  BufferedOutput out;
  WriteReport(*database, {.format = format, .style = OutputStyle(), .near_misses = given.Has("near-misses")},
              out.writer());
  out.Flush();
  return 0;
}

}  // namespace

Command ReportCommand() {
  return {
      .name = "report",
      .summary = "print what the analysis of a stored trace said",
      .usage = {"DB [OPTIONS]"},
      .about = {"Prints the report of a stored trace: what `mmreplay analyze -o DB` printed, in any form."},
      .options = {{"format", ReportFormatNames("|"), "form of the report (default: text)"},
                  {"near-misses", "", "waits that matched all but one step of the rule, too"}},
      .operands = {{"database", "DB"}},
      .exit_codes = kPlainExitCodes,
      .examples = {{"mmreplay report race.db", "prints the report again"},
                   {"mmreplay report race.db --format sarif > race.sarif",
                    "writes it for a code scanning viewer"}},
      .run = RunReport,
  };
}

}  // namespace mmreplay
