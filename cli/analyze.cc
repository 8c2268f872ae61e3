// mmreplay analyze: ingest, replay, judge, report.
#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <optional>

#include "cli/commands.h"
#include "cli/ingest.h"
#include "cli/output.h"
#include "parser/error.h"
#include "report/format.h"
#include "report/text_report.h"
#include "rules/rule.h"

namespace mmreplay {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "Usage: mmreplay analyze [OPTIONS] INPUT...\n"
    "\n"
    "Reads one recording, replays its memory-management events and says which waits were on a page\n"
    "that nothing kept alive. INPUT is the `trace` file of tracefs, a directory or a tar archive with\n"
    "that file and what belongs to it (kprobe_events, dmesg, per_cpu stats, uname), or - for standard\n"
    "input; gzip, bzip2, xz and zstd are read as they are. Files are told apart by their content.\n"
    "\n";

constexpr const char* kExamples =
    "\n"
    "Exit code: 0 no finding, 1 a finding, 2 nothing could be read or an option is wrong, 3 cannot tell.\n"
    "\n"
    "Examples:\n"
    "  mmreplay analyze samples/x86-fired.tar.xz\n"
    "  mmreplay analyze -o race.db trace.txt --dmesg dmesg.txt --probes kprobe_events.txt\n";

struct Options {
  RecordingOptions recording;
  std::optional<std::string> output;
  bool help = false;
};

Options Parse(const std::vector<std::string>& arguments, po::options_description* visible) {
  visible->add_options()                                                                             //
      ("output,o", po::value<std::string>()->value_name("DB"), "keep the database under this name")  //
      ("dmesg", po::value<std::string>()->value_name("FILE"), "console log of the same machine")     //
      ("probes", po::value<std::string>()->value_name("FILE"), "probe definitions (kprobe_events)")  //
      ("format", po::value<std::string>()->value_name("text"), "form of the report")                 //
      ("help,h", "this text");
  po::options_description hidden;
  hidden.add_options()("input", po::value<std::vector<std::string>>());
  po::options_description all;
  all.add(*visible).add(hidden);
  po::positional_options_description positional;
  positional.add("input", -1);
  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments).options(all).positional(positional).run(), values);
  } catch (const po::error& error) {
    throw Error(std::string("analyze: ") + error.what());
  }
  auto text = [&](const char* name) -> std::optional<std::string> {
    if (!values.count(name)) return std::nullopt;
    return values[name].as<std::string>();
  };
  Options options;
  options.help = values.count("help") > 0;
  options.output = text("output");
  options.recording.dmesg = text("dmesg");
  options.recording.probes = text("probes");
  if (auto format = text("format"); format && *format != "text")
    throw Error("--format: " + *format + ": this version writes text");
  if (values.count("input")) options.recording.inputs = values["input"].as<std::vector<std::string>>();
  if (options.recording.inputs.empty() && !options.help)
    throw Error("analyze: no INPUT given; see mmreplay analyze --help");
  return options;
}

}  // namespace

int Analyze(const std::vector<std::string>& arguments) {
  po::options_description visible("Options");
  Options options = Parse(arguments, &visible);
  if (options.help) {
    std::ostringstream help;
    help << kUsage << visible << kExamples;
    WriteOutput(help.str());
    return 0;
  }

  auto start = std::chrono::steady_clock::now();
  Recording recording = OpenRecording(options.recording);
  std::vector<Rule> rules = BuiltInRules();
  TraceStore store(options.output);
  TraceFacts facts = Ingest(recording, &store);
  for (const Rule& rule : rules) RunRule(rule, &store.database());
  std::string report = TextReport(store.database());
  int exit_code = ReadVerdict(store.database()).ExitCode();
  store.Publish();

  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  WriteOutput(report);
  // For people only: a report of the same bytes is the same bytes.
  auto rate = static_cast<int64_t>(static_cast<double>(facts.lines.events) / seconds.count());
  fmt::print(stderr, "mmreplay: {} events in {:.2f} s, {} events/s\n", CountText(facts.lines.events),
             seconds.count(), CountText(rate));
  return exit_code;
}

}  // namespace mmreplay
