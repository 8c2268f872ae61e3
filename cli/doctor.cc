// mmreplay doctor: what a recording could show, what it could not, and how to record that.

#include "report/doctor.h"

#include <filesystem>

#include "cli/commands.h"
#include "cli/ingest.h"
#include "cli/judgement.h"
#include "cli/options.h"
#include "cli/output.h"
#include "db/database.h"
#include "db/trace_store.h"
#include "parser/error.h"
#include "rules/rule.h"

namespace mmreplay {
namespace {

// SQLite's own mark; what else a file may be, the analysis tells.
bool IsDatabase(const std::string& path) {
  std::error_code error;
  if (path == "-" || !std::filesystem::is_regular_file(path, error)) return false;
  auto header = ReadDatabaseHeader(path);
  return header && header->is_sqlite;
}

int RunDoctor(const std::vector<std::string>& arguments) {
  auto parsed = ParseArguments(DoctorCommand(), arguments);
  if (!parsed) return 0;
  const Arguments& given = *parsed;
  std::vector<std::string> inputs = given.List("input");
  if (inputs.empty()) throw Error("doctor: no INPUT given; see mmreplay doctor --help");
  MemoryBudget memory = MemoryOf(given);
  BufferedOutput out;
  if (inputs.size() == 1 && IsDatabase(inputs[0])) {
    WriteDoctor(*OpenJudgedDatabase(inputs[0]), out.writer());
  } else {
    Recording recording =
        OpenRecording({.inputs = inputs, .dmesg = given.Text("dmesg"), .probes = given.Text("probes")});
    std::vector<Rule> rules = LoadRules(given.Text("rules"));
    std::unique_ptr<TraceStore> store = MakeTemporaryStore(recording, NeedEveryEvent(rules));
    Ingest(recording, store.get(), {.memory = memory});
    JudgeTrace(rules, &store->database());
    WriteDoctor(store->database(), out.writer());
  }
  out.Flush();
  return 0;
}

}  // namespace

Command DoctorCommand() {
  return {
      .name = "doctor",
      .summary = "tell what evidence a recording lacks, and how to record it",
      .usage = {"DB", "INPUT... [OPTIONS]"},
      .about =
          {"Lists which rules could be judged on a recording, the evidence they had, lacked or lost, and the "
           "commands that would record it on that kernel."},
      .options = {{"dmesg", "FILE", "console log of the same machine"},
                  {"probes", "FILE", "probe definitions (kprobe_events)"},
                  {"rules", "DIR", kRulesOption},
                  MaxMemoryOption()},
      .operands = {{"input...", "INPUT"}},
      .exit_codes = kPlainExitCodes,
      .examples = {{"mmreplay doctor samples/arm64-stock.tar.xz", "says what a stock kernel did not show"},
                   {"mmreplay doctor race.db", "says it of a stored trace"}},
      .run = RunDoctor,
  };
}

}  // namespace mmreplay
