// mmreplay replay: judges a stored trace again, from the database alone.
#include <boost/program_options.hpp>

#include "cli/commands.h"
#include "cli/ingest.h"
#include "cli/judgement.h"
#include "cli/options.h"
#include "db/stored_trace.h"
#include "parser/error.h"

namespace mmreplay {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "Usage: mmreplay replay DB [OPTIONS]\n"
    "\n"
    "Replays the events of a stored trace through the model as it is today and judges them again, without "
    "the\n"
    "files the trace was made from. The result takes the place of the database once it is complete; -o "
    "leaves\n"
    "the original as it is.\n"
    "\n";

constexpr const char* kExamples =
    "\n"
    "Exit code: 0 no finding, 1 a finding, 2 nothing could be read or an option is wrong, 3 cannot tell.\n"
    "\n"
    "Examples:\n"
    "  mmreplay replay race.db\n"
    "  mmreplay replay race.db -o again.db --near-misses\n";

}  // namespace

int RunReplay(const std::vector<std::string>& arguments) {
  po::options_description visible("Options");
  visible.add_options()("output,o", po::value<std::string>()->value_name("NEW"),
                        "leave DB as it is and keep the result under this name");
  AddJudgementOptions(&visible);
  visible.add_options()("help,h", "this text");
  Arguments given = ParseArguments("replay", arguments, visible, {"database"});
  if (PrintedHelp(given, kUsage, visible, kExamples)) return 0;
  auto path = given.Text("database");
  if (!path) throw Error("replay: needs a database; see mmreplay replay --help");
  Judgement judgement(given);

  StoredTrace trace(*path);
  TraceStore store(given.Text("output").value_or(*path));
  TraceFacts facts = Ingest(
      trace.recording(), &store, {},
      [&](const Recording&, StringTable* strings, Decoder* decoder) { return trace.Open(strings, decoder); });
  return judgement.Pronounce(&store, facts.lines.events);
}

}  // namespace mmreplay
