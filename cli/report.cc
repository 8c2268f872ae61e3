// mmreplay report: prints what the analysis of a stored trace printed.
#include <boost/program_options.hpp>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "db/database.h"
#include "parser/error.h"
#include "report/report.h"

namespace mmreplay {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "Usage: mmreplay report DB [OPTIONS]\n"
    "\n"
    "Prints the report of a stored trace: what `mmreplay analyze -o DB` printed, in any form.\n"
    "\n";

constexpr const char* kExamples =
    "\n"
    "Examples:\n"
    "  mmreplay report race.db\n"
    "  mmreplay report race.db --format html > race.html\n";

}  // namespace

int RunReport(const std::vector<std::string>& arguments) {
  po::options_description visible("Options");
  visible.add_options()                                                                    //
      ("format", po::value<std::string>()->value_name("text|json|html|perfetto"), "form of the report")  //
      ("near-misses", "waits that matched all but one step of the rule, too")              //
      ("help,h", "this text");
  Arguments given = ParseArguments("report", arguments, visible, {"database"});
  if (PrintedHelp(given, kUsage, visible, kExamples)) return 0;
  auto path = given.Text("database");
  if (!path) throw Error("report: needs a database; see mmreplay report --help");
  ReportFormat format = ReportFormatOf(given.Text("format").value_or("text"));
  auto database = OpenTraceDatabase(*path, Database::Mode::kReadOnly);
  BufferedOutput out;
  WriteReport(*database, {.format = format, .style = OutputStyle(), .near_misses = given.Has("near-misses")},
              out.writer());
  out.Flush();
  return 0;
}

}  // namespace mmreplay
