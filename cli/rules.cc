// mmreplay rules: the rules there are, what one is about, whether one of your own works.
#include <fmt/format.h>

#include <boost/program_options.hpp>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "db/database.h"
#include "db/trace_store.h"
#include "parser/error.h"
#include "report/format.h"
#include "rules/rule.h"

namespace mmreplay {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "Usage: mmreplay rules list [OPTIONS]\n"
    "       mmreplay rules explain NAME [OPTIONS]\n"
    "       mmreplay rules check FILE [--database DB]\n"
    "\n"
    "A rule is one .sql file that decides what is a finding: rules/README.md tells how to write one.\n"
    "check reads a rule and prepares it; with a database it says how much the rule would find there.\n"
    "\n";

constexpr const char* kExamples =
    "\n"
    "Examples:\n"
    "  mmreplay rules explain wait_on_freed_page\n"
    "  mmreplay rules check my-rules/long_wait.sql --database race.db\n";

std::string List(const std::vector<Rule>& rules) {
  size_t width = 0;
  for (const Rule& rule : rules) width = std::max(width, rule.name.size());
  std::string list;
  for (const Rule& rule : rules)
    list += fmt::format("{:<{}}  {:<7}  {}\n", rule.name, width, SeverityName(rule.severity),
                        Printable(rule.summary));
  return list;
}

std::string Explain(const std::vector<Rule>& rules, const std::string& name) {
  for (const Rule& rule : rules) {
    if (rule.name != name) continue;
    std::string required;
    for (const std::string& what : rule.required) required += (required.empty() ? "" : ", ") + what;
    return Wrap(fmt::format("{} ({}): {}", rule.name, SeverityName(rule.severity), Printable(rule.summary)),
                0, 2) +
           "\n" + Wrap(Printable(rule.why), 2, 2) + "\n" +
           Wrap("needs in the recording: " + Printable(required), 2, 4) +
           Wrap("reference: " + Printable(rule.reference), 2, 4) + Wrap("file: " + rule.file, 2, 4);
  }
  throw Error(name + ": there is no rule of that name; `mmreplay rules list` shows them");
}

std::string Check(const std::string& path, const std::optional<std::string>& database_path) {
  Rule rule = ReadRule(path);
  auto database =
      database_path ? OpenTraceDatabase(*database_path, Database::Mode::kReadOnly) : EmptyTraceDatabase();
  RuleCheck check = CheckRule(rule, *database);
  std::string answer = fmt::format("{}: rule {} is well formed", path, rule.name);
  if (!database_path) {
    // Without a recording there are all views but those of kinds of events.
    if (!check.prepared) answer += "; it reads kinds of events: check its SELECT with --database DB";
  } else if (!check.applicable) {
    answer += "; it is not applicable to " + *database_path;
  } else {
    answer += fmt::format("; {} in {}", Plural(check.findings, "finding", "findings"), *database_path);
  }
  return answer + "\n";
}

}  // namespace

int RunRules(const std::vector<std::string>& arguments) {
  po::options_description visible("Options");
  visible.add_options()  //
      ("rules", po::value<std::string>()->value_name("DIR"),
       "rules of your own, beside or instead of ours")                                             //
      ("database", po::value<std::string>()->value_name("DB"), "a stored trace to check against")  //
      ("help,h", "this text");
  Arguments given = ParseArguments("rules", arguments, visible, {"action", "name"});
  std::string action = given.Text("action").value_or("");
  auto name = given.Text("name");
  if (PrintedHelp(given, kUsage, visible, kExamples)) return 0;
  if (action == "list" && !name) {
    WriteOutput(List(LoadRules(given.Text("rules"))));
  } else if (action == "explain" && name) {
    WriteOutput(Explain(LoadRules(given.Text("rules")), *name));
  } else if (action == "check" && name) {
    WriteOutput(Check(*name, given.Text("database")));
  } else {
    throw Error("rules: list, explain NAME or check FILE; see mmreplay rules --help");
  }
  return 0;
}

}  // namespace mmreplay
