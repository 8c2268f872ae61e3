#include "cli/manual.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/command.h"
#include "db/embedded_sql.h"
#include "db/named_sql.h"
#include "parser/input_format.h"
#include "parser/lines.h"
#include "report/report.h"
#include "report/version.h"
#include "rules/rule.h"

namespace mmreplay {
namespace {

// --- The manual page -------------------------------------------------------------------------------------

// Text as roff has it: no escapes, no requests, hyphens that can be copied.
std::string Roff(const std::string& text) {
  std::string roff;
  for (char c : text) {
    bool begins_line = roff.empty() || roff.back() == '\n';
    if (begins_line && (c == '.' || c == '\'')) roff += "\\&";
    switch (c) {
      case '\\':
        roff += "\\e";
        break;
      case '-':
        roff += "\\-";
        break;
      case '^':
        roff += "\\(ha";
        break;
      case '~':
        roff += "\\(ti";
        break;
      case '`':
        roff += "\\(ga";
        break;
      case '\'':
        roff += "\\(aq";
        break;
      default:
        roff += c;
    }
  }
  return roff;
}

std::string RoffExamples(const Command& command) {
  std::string roff;
  for (const Example& example : command.examples)
    roff += ".PP\n" + Roff(example.about) + ":\n.PP\n.RS 4\n.nf\n" + Roff(example.line) + "\n.fi\n.RE\n";
  return roff;
}

std::string RoffCommand(const Command& command) {
  std::string roff = ".SS " + Roff(command.name) + "\n";
  for (const std::string& usage : command.usage) {
    if (roff.back() == '\n' && &usage != &command.usage.front()) roff += ".br\n";
    roff += ".B mmreplay " + Roff(command.name) + "\n" + (usage.empty() ? "" : Roff(usage) + "\n");
  }
  for (const std::string& paragraph : command.about) roff += ".PP\n" + Roff(paragraph) + "\n";
  for (const Option& option : AllOptions(command)) {
    std::string names = ShortName(option).empty() ? "" : "\\fB\\-" + ShortName(option) + "\\fR, ";
    names += "\\fB\\-\\-" + Roff(LongName(option)) + "\\fR";
    if (!option.value.empty()) names += " \\fI" + Roff(option.value) + "\\fR";
    roff += ".TP\n" + names + "\n" + Roff(option.about) + "\n";
  }
  return roff + ".PP\nExit code: " + Roff(command.exit_codes) + ".\n" + RoffExamples(command);
}

// --- Completion ------------------------------------------------------------------------------------------

enum class Values : uint8_t { kNone, kWords, kFiles, kFolders };

struct Completion {
  Values values = Values::kNone;
  std::vector<std::string> words;
};

Completion CompletionOf(const std::string& value) {
  Completion completion;
  if (value.find('|') != std::string::npos) {
    completion.values = Values::kWords;
    for (size_t at = 0; at <= value.size();) {
      size_t end = std::min(value.find('|', at), value.size());
      completion.words.push_back(value.substr(at, end - at));
      at = end + 1;
    }
  } else if (value == "RULE") {
    completion.values = Values::kWords;
    for (const Rule& rule : BuiltInRules()) completion.words.push_back(rule.name);
  } else if (value == "QUERY") {
    completion.values = Values::kWords;
    for (const NamedSql& query : SplitNamedSql(DatabaseSql("queries.sql")))
      completion.words.push_back("@" + std::string(query.name));
  } else if (value == "NAME") {
    completion.values = Values::kWords;
    std::string names = FormatOptions();  // "tracefs, latency"
    for (std::string_view word : SplitWords(names))
      completion.words.emplace_back(word.substr(0, word.find(',')));
  } else if (value == "DIR") {
    completion.values = Values::kFolders;
  } else if (value == "FILE" || value == "DB" || value == "INPUT" || value == "PATH" || value == "FLEET.DB") {
    completion.values = Values::kFiles;
  }
  return completion;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : " ") + word;
  return joined;
}

// The statement that offers the values, in bash.
std::string BashValues(const Completion& completion) {
  switch (completion.values) {
    case Values::kWords:
      return "words='" + Joined(completion.words) + "'";
    case Values::kFiles:
      return "files=-f";
    case Values::kFolders:
      return "files=-d";
    case Values::kNone:
      break;
  }
  return ":";
}

std::string BashCommand(const Command& command) {
  std::string options;
  std::string values;
  std::string with_value;  // options whose next word is no operand
  for (const Option& option : AllOptions(command)) {
    std::string names = "--" + LongName(option);
    options += (options.empty() ? "" : " ") + names;
    if (!ShortName(option).empty()) names += "|-" + ShortName(option);
    if (option.value.empty()) continue;
    with_value += (with_value.empty() ? "" : "|") + names;
    values += "        " + names + ") " + BashValues(CompletionOf(option.value)) + " ;;\n";
  }
  std::string bash = "    " + command.name + ")\n      options='" + options + "'\n      takes='" +
                     with_value + "'\n      case $previous in\n" + values +
                     "        *)\n          case $(_mmreplay_operands) in\n";
  for (size_t i = 0; i < command.operands.size(); ++i) {
    bool rest = command.operands[i].name.ends_with("...");
    bash += "            " + (rest ? std::string("*") : std::to_string(i)) + ") " +
            BashValues(CompletionOf(command.operands[i].value)) + " ;;\n";
  }
  return bash + "          esac ;;\n      esac ;;\n";
}

// In zsh's single quotes.
std::string ZshText(const std::string& text) {
  std::string quoted;
  for (char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else if (c == '[' || c == ']' || c == ':' || c == '\\') {
      quoted += std::string("\\") + c;
    } else {
      quoted += c;
    }
  }
  return quoted;
}

std::string ZshValues(const std::string& value) {
  Completion completion = CompletionOf(value);
  std::string name = ZshText(value.substr(0, value.find('|')));
  switch (completion.values) {
    case Values::kWords:
      return ":" + name + ":(" + Joined(completion.words) + ")";
    case Values::kFiles:
      return ":" + name + ":_files";
    case Values::kFolders:
      return ":" + name + ":_files -/";
    case Values::kNone:
      break;
  }
  return ":" + name + ": ";
}

std::string ZshCommand(const Command& command) {
  std::string zsh = "    " + command.name + ")\n      _arguments";
  for (const Option& option : AllOptions(command)) {
    std::string about = "[" + ZshText(option.about) + "]";
    std::string value = option.value.empty() ? "" : ZshValues(option.value);
    std::string name = "--" + LongName(option);
    if (option.repeated) {
      zsh += fmt::format(" \\\n        '*{}{}{}'", name, about, value);
    } else if (ShortName(option).empty()) {
      zsh += fmt::format(" \\\n        '{}{}{}'", name, about, value);
    } else {
      zsh +=
          fmt::format(" \\\n        '(-{0} {1})'{{-{0},{1}}}'{2}{3}'", ShortName(option), name, about, value);
    }
  }
  for (size_t i = 0; i < command.operands.size(); ++i) {
    const Operand& operand = command.operands[i];
    std::string place = operand.name.ends_with("...") ? "*" : std::to_string(i + 1);
    zsh += " \\\n        '" + place + ZshValues(operand.value) + "'";
  }
  return zsh + " ;;\n";
}

}  // namespace

std::string ManualPage(const std::string& date) {
  std::string roff =
      ".\\\" Made from the program's own help.\n.TH MMREPLAY 1 " + date + " \"mmreplay " + kProgramVersion +
      "\" \"User Commands\"\n" +
      ".SH NAME\n"
      "mmreplay \\- replay Linux memory\\-management traces and find waits on freed pages\n"
      ".SH SYNOPSIS\n"
      ".B mmreplay\n.I command\n.RI [ argument .\\|.\\|.]\n.br\n.B mmreplay \\-\\-version\n"
      ".SH DESCRIPTION\n" +
      Roff(
          "mmreplay reads what a Linux machine recorded with ftrace, trace-cmd or perf, puts every "
          "event into one SQLite file, replays the memory-management events through a shadow model "
          "of pages, page-table locks, migrations and waiting tasks, and says whether a task waited "
          "on a page that nothing kept alive.") +
      "\n.PP\nThe result is on standard output; what people should know besides, on standard error. A "
      "line of progress is shown on a terminal only.\n.SH COMMANDS\n";
  for (const Command& command : Commands()) roff += RoffCommand(command);
  roff += ".SH FORMATS\n";
  for (const ReportFormatFacts& format : ReportFormats())
    roff += ".TP\n.B " + std::string(format.name) + "\n" + Roff(std::string(format.about)) + "\n";
  roff += ".PP\n" +
          Roff(
              "With json, jsonl and sarif an error is one object on standard output too; error.schema.json "
              "describes "
              "it. The schemas are in the folder mmreplay of the system's shared data.") +
          "\n.SH ENVIRONMENT\n.TP\n.B NO_COLOR\n" + Roff("where set and not empty, reports have no colours") +
          "\n.TP\n.B TMPDIR\n" + Roff("where the database is made that is not kept") +
          "\n.SH SEE ALSO\n.BR trace\\-cmd (1),\n.BR perf (1),\n.BR sqlite3 (1)\n";
  return roff;
}

std::string BashCompletion() {
  std::vector<std::string> names;
  for (const Command& command : Commands()) names.push_back(command.name);
  std::string bash =
      "# bash completion of mmreplay, made from its own help\n"
      "\n"
      "# How many operands stand between the command and the cursor.\n"
      "_mmreplay_operands() {\n"
      "  local i count=0\n"
      "  for ((i = 2; i < COMP_CWORD; ++i)); do\n"
      "    case ${COMP_WORDS[i]} in\n"
      "    = | @) ((++i)) ;;\n"
      "    -*) [[ \"|$takes|\" == *\"|${COMP_WORDS[i]}|\"* && ${COMP_WORDS[i + 1]} != = ]] && ((++i)) ;;\n"
      "    *) ((++count)) ;;\n"
      "    esac\n"
      "  done\n"
      "  echo \"$count\"\n"
      "}\n"
      "\n"
      "_mmreplay() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
      "  local words='' files='' options='' takes=''\n"
      "  COMPREPLY=()\n"
      "  # bash breaks words at = and @.\n"
      "  [[ $current == = || $current == @ ]] && current=''\n"
      "  [[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
      "  [[ ${COMP_WORDS[COMP_CWORD]} == = ]] && previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    COMPREPLY=($(compgen -W '" +
      Joined(names) +
      " --help --version' -- \"$current\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${COMP_WORDS[1]} in\n";
  for (const Command& command : Commands()) bash += BashCommand(command);
  return bash +
         "  esac\n"
         "  # Behind an @ that stands alone, names without theirs.\n"
         "  [[ $previous == @ || ${COMP_WORDS[COMP_CWORD]} == @ ]] && words=${words//@/}\n"
         "  if [[ $current == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
         "  elif [[ -n $words ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  elif [[ -n $files ]]; then\n"
         "    compopt -o filenames 2>/dev/null\n"
         "    mapfile -t COMPREPLY < <(compgen \"$files\" -- \"$current\")\n"
         "  fi\n"
         "}\n"
         "complete -F _mmreplay mmreplay\n";
}

std::string ZshCompletion() {
  std::string zsh =
      "#compdef mmreplay\n"
      "# zsh completion of mmreplay, made from its own help\n"
      "\n"
      "_mmreplay() {\n"
      "  local -a commands\n"
      "  commands=(\n";
  for (const Command& command : Commands())
    zsh += "    '" + command.name + ":" + ZshText(command.summary) + "'\n";
  zsh +=
      "  )\n"
      "  if ((CURRENT == 2)); then\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  shift words\n"
      "  ((--CURRENT))\n"
      "  case $words[1] in\n";
  for (const Command& command : Commands()) zsh += ZshCommand(command);
  return zsh +
         "  esac\n"
         "}\n"
         "\n"
         "_mmreplay \"$@\"\n";
}

}  // namespace mmreplay
