#include "cli/command.h"

#include "cli/commands.h"
#include "report/format.h"

namespace mmreplay {
namespace {

constexpr size_t kOptionColumn = 30;  // where what an option does begins

// "  -o, --output DB             keep the database under this name"
std::string OptionText(const Option& option) {
  std::string text = "  ";
  if (std::string name = ShortName(option); !name.empty()) text += "-" + name + ", ";
  text += "--" + LongName(option);
  if (!option.value.empty()) text += " " + option.value;
  std::string about = Wrap(option.about, kOptionColumn, kOptionColumn);
  if (text.size() + 2 > kOptionColumn) return text + "\n" + about;
  return text + about.substr(text.size());
}

std::string ExamplesText(const std::vector<Example>& examples) {
  std::string text = "\nExamples:\n";
  for (const Example& example : examples) text += "  " + example.line + "\n" + Wrap(example.about, 6, 6);
  return text;
}

}  // namespace

std::string LongName(const Option& option) {
  return option.name.substr(0, option.name.find(','));
}

// Empty where there is none.
std::string ShortName(const Option& option) {
  size_t comma = option.name.find(',');
  return comma == std::string::npos ? "" : option.name.substr(comma + 1);
}

std::vector<Option> AllOptions(const Command& command) {
  std::vector<Option> options = command.options;
  options.push_back({.name = "help,h", .value = "", .about = "this text"});
  return options;
}

const std::vector<Command>& Commands() {
  static const std::vector<Command> commands = {AnalyzeCommand(), ReplayCommand(),  ReportCommand(),
                                                PageCommand(),    QueryCommand(),   RulesCommand(),
                                                DoctorCommand(),  CaptureCommand(), TriageCommand()};
  return commands;
}

std::string HelpText(const Command& command) {
  std::string text;
  for (const std::string& usage : command.usage)
    text += (text.empty() ? "Usage: mmreplay " : "       mmreplay ") + command.name +
            (usage.empty() ? "" : " " + usage) + "\n";
  for (const std::string& paragraph : command.about) text += "\n" + Wrap(paragraph, 0, 0);
  text += "\nOptions:\n";
  for (const Option& option : AllOptions(command)) text += OptionText(option);
  text += "\n" + Wrap("Exit code: " + command.exit_codes + ".", 0, 2);
  return text + ExamplesText(command.examples);
}

std::string HelpText() {
  std::string text =
      "mmreplay: replays Linux memory-management traces and finds waits on freed pages\n"
      "\n"
      "Usage: mmreplay COMMAND [ARGUMENTS]\n"
      "       mmreplay --version\n"
      "\n"
      "Commands:\n";
  for (const Command& command : Commands())
    text += "  " + PadToWidth(command.name, 10) + command.summary + "\n";
  text += "\nmmreplay COMMAND --help tells more about a command.\n";
  return text + ExamplesText(Commands().front().examples);
}

}  // namespace mmreplay
