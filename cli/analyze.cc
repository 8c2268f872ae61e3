// mmreplay analyze: ingest, replay, judge, report.

#include "cli/commands.h"
#include "cli/ingest.h"
#include "cli/judgement.h"
#include "cli/options.h"
#include "cli/output.h"
#include "parser/error.h"
#include "parser/input_format.h"

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
  Judgement judgement(given);
  Recording recording = OpenRecording(inputs);
  std::unique_ptr<TraceStore> store = judgement.MakeStore(recording, given.Text("output"));
  ProgressLine progress;
  TraceFacts facts =
      Ingest(recording, store.get(), {.progress = [&](int64_t events) { progress.ShowEvents(events); }});
  progress.Clear();
  return judgement.Pronounce(store.get(), facts.lines.events);
}

}  // namespace

Command AnalyzeCommand() {
  Command command = {
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
                   "what the trace is, where its content alone does not tell: " + FormatOptions()}},
      .operands = {{"input...", "INPUT"}},
      .exit_codes = kVerdictExitCodes,
      .examples = {{"mmreplay analyze samples/x86-fired.tar.xz",
                    "judges a recording as the capture script packs it"},
                   {"mmreplay analyze -o race.db trace.txt --dmesg dmesg.txt --probes kprobe_events.txt",
                    "judges loose files together, and keeps the database for queries"}},
      .run = RunAnalyze,
  };
  AddJudgementOptions(&command.options);
  return command;
}

}  // namespace mmreplay
