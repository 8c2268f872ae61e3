// mmreplay replay: judges a stored trace again, from the database alone.
#include "cli/allocator.h"
#include "cli/commands.h"
#include "cli/ingest.h"
#include "cli/judgement.h"
#include "cli/options.h"
#include "cli/output.h"
#include "db/output_file.h"
#include "db/stored_trace.h"
#include "parser/error.h"

namespace mmreplay {
namespace {

int RunReplay(const std::vector<std::string>& arguments) {
  auto parsed = ParseArguments(ReplayCommand(), arguments);
  if (!parsed) return 0;
  const Arguments& given = *parsed;
  auto path = given.Text("database");
  if (!path) throw Error("replay: needs a database; see mmreplay replay --help");
  MemoryBudget memory = MemoryOf(given);
  std::string output = given.Text("output").value_or(*path);
  KeepTemporariesBeside(output);
  Judgement judgement(given);

  StoredTrace trace(*path);
  KeepLittleFreeMemory(FreeMemory::kSoon);
  TraceStore store(output);
  ProgressLine progress;
  TraceFacts facts = Ingest(trace.recording(), &store,
                            {.progress = [&](int64_t events) { progress.ShowReading(events, {}); },
                             .open = [&](const Recording&, StringTable* strings,
                                         Decoder* decoder) { return trace.Open(strings, decoder); },
                             .memory = memory});
  progress.Clear();
  return judgement.Pronounce(&store, *path, facts.lines.events);
}

}  // namespace

Command ReplayCommand() {
  Command command = {
      .name = "replay",
      .summary = "judge a stored trace again, from the database alone",
      .usage = {"DB [OPTIONS]"},
      .about =
          {"Replays the events of a stored trace through the model as it is today and judges them again, "
           "without the files the trace was made from. The result takes the place of the database once it "
           "is complete; -o leaves the original as it is."},
      .options = {{"output,o", "NEW", "leave DB as it is and keep the result under this name"}},
      .operands = {{"database", "DB"}},
      .exit_codes = kVerdictExitCodes,
      .examples = {{"mmreplay replay race.db", "judges it with the rules and the model of this version"},
                   {"mmreplay replay race.db -o again.db --near-misses", "leaves race.db as it is"}},
      .run = RunReplay,
  };
  AddJudgementOptions(&command.options);
  return command;
}

}  // namespace mmreplay
