// mmreplay analyze: ingest, replay, judge, report.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "cli/commands.h"
#include "cli/ingest.h"
#include "cli/options.h"
#include "cli/output.h"
#include "parser/error.h"
#include "parser/input_format.h"
#include "report/content.h"
#include "report/format.h"
#include "report/report.h"
#include "rules/rule.h"

namespace mmreplay {
namespace {

int RunAnalyze(const std::vector<std::string>& arguments) {
  auto parsed = ParseArguments(AnalyzeCommand(), arguments);
  if (!parsed) return 0;
  const Arguments& given = *parsed;
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
  ProgressLine progress;
  TraceFacts facts = Ingest(recording, &store, {}, [&](int64_t events) { progress.Show(events); });
  progress.Clear();
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
  if (progress.shown()) {
    auto rate = static_cast<int64_t>(static_cast<double>(facts.lines.events) / seconds.count());
    fmt::print(stderr, "mmreplay: {} events in {:.2f} s, {} events/s\n", CountText(facts.lines.events),
               seconds.count(), CountText(rate));
  }
  return exit_code;
}

}  // namespace

Command AnalyzeCommand() {
  return {
      .name = "analyze",
      .summary = "read a recording, replay it, say what was found",
      .usage = {"[OPTIONS] INPUT..."},
      .about =
          {"Reads one recording, replays its memory-management events and says which waits were on a page "
           "that "
           "nothing kept alive.",
           "INPUT is a `trace` file of tracefs (or those of its cpus), a trace.dat or what trace-cmd reports "
           "of "
           "it, a perf.data or what perf script prints of it, a console log with an ftrace dump, a directory "
           "or "
           "tar archive with one of them and what belongs to it (kprobe_events, dmesg, per_cpu stats, "
           "uname), or "
           "- for standard input; gzip, bzip2, xz and zstd are read as they are. Files are told apart by "
           "content.",
           "With a format of JSON an error is a JSON object on standard output too, besides the sentence on "
           "standard error."},
      .options = {{"output,o", "DB", "keep the database under this name"},
                  {"dmesg", "FILE", "console log of the same machine"},
                  {"probes", "FILE", "probe definitions (kprobe_events)"},
                  {"input-format", "NAME",
                   "what the trace is, where its content alone does not tell: " + FormatOptions()},
                  {"format", kReportFormats, "form of the report (default: text)"},
                  {"near-misses", "", "waits that matched all but one step of the rule, too"},
                  {"rules", "DIR", kRulesOption},
                  {"fail-on", "error|warning|info",
                   "exit with 1 for findings of this severity and above (default: warning)"},
                  {"require", "RULE",
                   "exit with 3 where this rule cannot be judged; may be given several times", true}},
      .operands = {{"input...", "INPUT"}},
      .exit_codes = kVerdictExitCodes,
      .examples = {{"mmreplay analyze samples/x86-fired.tar.xz",
                    "judges a recording as the capture script packs it"},
                   {"mmreplay analyze -o race.db trace.txt --dmesg dmesg.txt --probes kprobe_events.txt",
                    "judges loose files together, and keeps the database for queries"}},
      .run = RunAnalyze,
  };
}

}  // namespace mmreplay
