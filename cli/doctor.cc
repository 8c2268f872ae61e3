// mmreplay doctor: what a recording could show, what it could not, and how to record that.
#include <boost/program_options.hpp>

#include "cli/commands.h"
#include "cli/ingest.h"
#include "cli/options.h"
#include "cli/output.h"
#include "db/trace_store.h"
#include "parser/error.h"
#include "report/doctor.h"
#include "rules/rule.h"

namespace mmreplay {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "Usage: mmreplay doctor DB\n"
    "       mmreplay doctor INPUT... [OPTIONS]\n"
    "\n"
    "Lists which rules could be judged on a recording, the evidence they had, lacked or lost, and the\n"
    "commands that would record it on that kernel.\n"
    "\n";

constexpr const char* kExamples =
    "\n"
    "Examples:\n"
    "  mmreplay doctor samples/arm64-stock.tar.xz\n"
    "  mmreplay doctor race.db\n";

// SQLite's own mark; what else a file may be, the analysis tells.
bool IsDatabase(const std::string& path) {
  std::vector<InputMember> members = path == "-" ? std::vector<InputMember>() : OpenInput(path);
  return members.size() == 1 && members[0].head.starts_with("SQLite format 3");
}

}  // namespace

int RunDoctor(const std::vector<std::string>& arguments) {
  po::options_description visible("Options");
  visible.add_options()                                                                              //
      ("dmesg", po::value<std::string>()->value_name("FILE"), "console log of the same machine")     //
      ("probes", po::value<std::string>()->value_name("FILE"), "probe definitions (kprobe_events)")  //
      ("rules", po::value<std::string>()->value_name("DIR"),
       "rules of your own, beside or instead of ours")  //
      ("help,h", "this text");
  Arguments given = ParseArguments("doctor", arguments, visible, {"input..."});
  if (PrintedHelp(given, kUsage, visible, kExamples)) return 0;
  std::vector<std::string> inputs = given.List("input");
  if (inputs.empty()) throw Error("doctor: no INPUT given; see mmreplay doctor --help");
  BufferedOutput out;
  if (inputs.size() == 1 && IsDatabase(inputs[0])) {
    WriteDoctor(*OpenTraceDatabase(inputs[0], Database::Mode::kReadOnly), out.writer());
  } else {
    Recording recording =
        OpenRecording({.inputs = inputs, .dmesg = given.Text("dmesg"), .probes = given.Text("probes")});
    TraceStore store(std::nullopt);
    Ingest(recording, &store);
    JudgeTrace(LoadRules(given.Text("rules")), &store.database());
    WriteDoctor(store.database(), out.writer());
  }
  out.Flush();
  return 0;
}

}  // namespace mmreplay
