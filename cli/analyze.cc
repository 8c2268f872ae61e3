// mmreplay analyze: ingest, replay, judge, report.
#include <boost/program_options.hpp>

#include "cli/commands.h"
#include "cli/ingest.h"
#include "cli/judgement.h"
#include "cli/options.h"
#include "parser/error.h"

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
       "what the trace is, where its content alone does not tell")  //
      ("probes", po::value<std::string>()->value_name("FILE"), "probe definitions (kprobe_events)");
  AddJudgementOptions(&visible);
  visible.add_options()("help,h", "this text");
  Arguments given = ParseArguments("analyze", arguments, visible, {"input..."});
  if (PrintedHelp(given, kUsage, visible, kExamples)) return 0;
  RecordingOptions inputs{.inputs = given.List("input"),
                          .dmesg = given.Text("dmesg"),
                          .probes = given.Text("probes"),
                          .input_format = given.Text("input-format")};
  if (inputs.inputs.empty()) throw Error("analyze: no INPUT given; see mmreplay analyze --help");
  Judgement judgement(given);
  Recording recording = OpenRecording(inputs);
  TraceStore store(given.Text("output"));
  TraceFacts facts = Ingest(recording, &store);
  return judgement.Pronounce(&store, facts.lines.events);
}

}  // namespace mmreplay
