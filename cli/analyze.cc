// mmreplay analyze: ingest, replay, judge, report.

#include "cli/commands.h"
#include "cli/ingest.h"
#include "cli/judgement.h"
#include "cli/options.h"
#include "cli/output.h"
#include "db/output_file.h"
#include "parser/error.h"
#include "parser/event_filter.h"
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
  EventFilter filter({.event = given.Text("event"),
                      .comm = given.Text("comm"),
                      .pid = given.Text("pid"),
                      .cpu = given.Text("cpu"),
                      .time = given.Text("time")});
  MemoryBudget memory = MemoryOf(given);
  if (auto output = given.Text("output")) KeepTemporariesBeside(*output);
  Judgement judgement(given);
  Recording recording = OpenRecording(inputs);
  std::unique_ptr<TraceStore> store = judgement.MakeStore(recording, given.Text("output"));
  ProgressLine progress;
  TraceFacts facts =
      Ingest(recording, store.get(),
             {.progress = [&](int64_t events) { progress.ShowReading(events, ProgressOf(recording)); },
              .open = [&](const Recording& opened, StringTable* strings,
                          Decoder* decoder) { return OpenFilteredSource(opened, strings, decoder, &filter); },
              .memory = memory});
  progress.Clear();
  if (facts.lines.events > 0 && facts.lines.left_out == facts.lines.events)
    throw Error(recording.path + ": " +
                filter.WhyNothing(facts.lines.events, facts.clock_is_ticks.value_or(false)));
  return judgement.Pronounce(store.get(), recording.path, facts.lines.events);
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
           "--event, --comm, --pid, --cpu and --time read a part of the recording only; all that are given "
           "must "
           "let an event through. What is left out is counted and said; ids and lines stay those of the "
           "whole. A stretch of time is judged as a recording that began and ended there. With the others "
           "no wait is judged once an event was left out that may decide (exit code 3).",
           "With a format of JSON an error is a JSON object on standard output too, besides the sentence on "
           "standard error."},
      .options =
          {{"output,o", "DB", "keep the database under this name"},
           {"time", "A..B",
            "only events from A to B, both included, as the trace prints times; either may be left out"},
           {"cpu", "N[,N|A-B...]", "only events on these cpus"},
           {"pid", "N[,N|A-B...]", "only events of these tasks, by the task id the trace prints"},
           {"comm", "RE", "only events of tasks in whose name this is found (RE2)"},
           {"event", "RE", "only events in whose name, or system:name, this is found (RE2)"},
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
