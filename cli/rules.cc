// mmreplay rules: the rules there are, what one is about, whether one of your own works.
#include <fmt/format.h>

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

std::string List(const std::vector<Rule>& rules) {
  size_t width = 0;
  for (const Rule& rule : rules) width = std::max(width, rule.name.size());
  std::string list;
  for (const Rule& rule : rules)
    list += fmt::format("{:<{}}  {:<7}  {}\n", Printable(rule.name), width, SeverityName(rule.severity),
                        Printable(rule.summary));
  return list;
}

std::string Explain(const std::vector<Rule>& rules, const std::string& name) {
  for (const Rule& rule : rules) {
    if (rule.name != name) continue;
    std::string required;
    for (const std::string& what : rule.required) required += (required.empty() ? "" : ", ") + what;
    return Wrap(fmt::format("{} ({}): {}", rule.name, SeverityName(rule.severity), rule.summary), 0, 2) +
           "\n" + Wrap(rule.why, 2, 2) + "\n" + Wrap("needs in the recording: " + required, 2, 4) +
           Wrap("reference: " + rule.reference, 2, 4) + Wrap("file: " + rule.file, 2, 4);
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
  return Printable(answer) + "\n";
}

int RunRules(const std::vector<std::string>& arguments) {
  auto parsed = ParseArguments(RulesCommand(), arguments);
  if (!parsed) return 0;
  const Arguments& given = *parsed;
  std::string action = given.Text("action").value_or("");
  auto name = given.Text("name");
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

}  // namespace

Command RulesCommand() {
  return {
      .name = "rules",
      .summary = "list, explain and check rules",
      .usage = {"list [OPTIONS]", "explain NAME [OPTIONS]", "check FILE [--database DB]"},
      .about =
          {"A rule is one .sql file that decides what is a finding: rules/README.md tells how to write one.",
           "check reads a rule and prepares it; with a database it says how much the rule would find there."},
      .options = {{"rules", "DIR", kRulesOption}, {"database", "DB", "a stored trace to check against"}},
      .operands = {{"action", "list|explain|check"}, {"name", "RULE"}},
      .exit_codes = kPlainExitCodes,
      .examples = {{"mmreplay rules explain wait_on_freed_page",
                    "tells what a rule is about and what it needs"},
                   {"mmreplay rules check my-rules/long_wait.sql --database race.db",
                    "tries a rule of your own on a stored trace"}},
      .run = RunRules,
  };
}

}  // namespace mmreplay
