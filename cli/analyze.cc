// mmreplay analyze: ingest, replay, judge, report.
#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <chrono>
#include <cstdio>

#include "cli/commands.h"
#include "cli/ingest.h"
#include "cli/options.h"
#include "cli/output.h"
#include "parser/error.h"
#include "report/content.h"
#include "report/format.h"
#include "report/report.h"
#include "rules/rule.h"

namespace mmreplay {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "Usage: mmreplay analyze [OPTIONS] INPUT...\n"
    "\n"
    "Reads one recording, replays its memory-management events and says which waits were on a page\n"
    "that nothing kept alive. INPUT is a `trace` file of tracefs (or those of its cpus), a trace.dat or "
    "what\n"
    "trace-cmd reports of it, a perf.data or what perf script prints of it, a console log with an ftrace\n"
    "dump, a directory or tar archive with one of them and what belongs to it (kprobe_events, dmesg, "
    "per_cpu\n"
    "stats, uname), or - for standard input; gzip, bzip2, xz and zstd are read as they are. Files are told\n"
    "apart by content.\n"
    "\n";

constexpr const char* kExamples =
    "\n"
    "Exit code: 0 no finding, 1 a finding, 2 nothing could be read or an option is wrong, 3 cannot tell.\n"
    "\n"
    "Examples:\n"
    "  mmreplay analyze samples/x86-fired.tar.xz\n"
    "  mmreplay analyze -o race.db trace.txt --dmesg dmesg.txt --probes kprobe_events.txt\n";

}  // namespace

int RunAnalyze(const std::vector<std::string>& arguments) {
  po::options_description visible("Options");
  visible.add_options()                                                                              //
      ("output,o", po::value<std::string>()->value_name("DB"), "keep the database under this name")  //
      ("dmesg", po::value<std::string>()->value_name("FILE"), "console log of the same machine")     //
      ("input-format", po::value<std::string>()->value_name("NAME"),
       "what the trace is, where its content alone does not tell")                                   //
      ("probes", po::value<std::string>()->value_name("FILE"), "probe definitions (kprobe_events)")  //
      ("format", po::value<std::string>()->value_name("text|json|html|perfetto"), "form of the report")            //
      ("near-misses", "waits that matched all but one step of the rule, too")                        //
      ("rules", po::value<std::string>()->value_name("DIR"),
       "rules of your own, beside or instead of ours")  //
      ("fail-on", po::value<std::string>()->value_name("error|warning|info"),
       "exit with 1 for findings of this severity and above (default: warning)")  //
      ("require", po::value<std::vector<std::string>>()->value_name("RULE"),
       "exit with 3 where this rule cannot be judged; may be given several times")  //
      ("help,h", "this text");
  Arguments given = ParseArguments("analyze", arguments, visible, {"input..."});
  if (PrintedHelp(given, kUsage, visible, kExamples)) return 0;
  RecordingOptions inputs{.inputs = given.List("input"),
                          .dmesg = given.Text("dmesg"),
                          .probes = given.Text("probes"),
                          .input_format = given.Text("input-format")};
  if (inputs.inputs.empty()) throw Error("analyze: no INPUT given; see mmreplay analyze --help");
  ReportFormat format = ReportFormatOf(given.Text("format").value_or("text"));

  ExitPolicy policy;
  if (auto name = given.Text("fail-on")) {
    auto severity = SeverityOf(*name);
    if (!severity) throw Error("--fail-on: " + *name + ": is none of error, warning, info");
    policy.fail_on = *severity;
  }
  policy.required = given.List("require");
  std::vector<Rule> rules = LoadRules(given.Text("rules"));

  auto start = std::chrono::steady_clock::now();
  Recording recording = OpenRecording(inputs);
  TraceStore store(given.Text("output"));
  TraceFacts facts = Ingest(recording, &store);
  JudgeTrace(rules, &store.database());
  store.Publish();
  int exit_code = ExitCodeFor(store.database(), policy);

  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  BufferedOutput out;
  WriteReport(store.database(),
              {.format = format, .style = OutputStyle(), .near_misses = given.Has("near-misses")},
              out.writer());
  out.Flush();
  // For people only: a report of the same bytes is the same bytes.
  auto rate = static_cast<int64_t>(static_cast<double>(facts.lines.events) / seconds.count());
  fmt::print(stderr, "mmreplay: {} events in {:.2f} s, {} events/s\n", CountText(facts.lines.events),
             seconds.count(), CountText(rate));
  return exit_code;
}

}  // namespace mmreplay
