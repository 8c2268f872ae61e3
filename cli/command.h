// What a command is, said once: parsing, --help, the manual page and the shells' completions are made of it.
#pragma once

#include <string>
#include <vector>

namespace mmreplay {

struct Option {
  std::string name;   // "output,o": long, short
  std::string value;  // of what it takes: "DB", "FILE", "DIR", "RULE", "text|json"; empty for a switch
  std::string about;
  bool repeated = false;
};

// "output,o" -> "output", "o"; the short one is empty where there is none.
std::string LongName(const Option& option);
std::string ShortName(const Option& option);

struct Operand {
  std::string name;   // for Arguments::Text; "input..." takes all that is left
  std::string value;  // as Option::value; "PFN" and the like complete to nothing
};

struct Example {
  std::string line;
  std::string about;
};

struct Command {
  std::string name;
  std::string summary;             // "read a recording, ..."
  std::vector<std::string> usage;  // what stands behind the name: "[OPTIONS] INPUT..."
  std::vector<std::string> about;  // paragraphs
  std::vector<Option> options;     // besides --help
  std::vector<Operand> operands;
  std::string exit_codes;
  std::vector<Example> examples;
  int (*run)(const std::vector<std::string>& arguments) = nullptr;
};

// With --help.
std::vector<Option> AllOptions(const Command& command);

// All there are, in the order in which they are told. `mmreplay` itself is none of them.
const std::vector<Command>& Commands();

// The text of `mmreplay NAME --help`.
std::string HelpText(const Command& command);

// The text of `mmreplay --help`.
std::string HelpText();

// What an exit code means, for analyze and triage and for the others.
inline constexpr const char* kVerdictExitCodes =
    "0 no finding, 1 a finding, 2 nothing could be read or an option is wrong, 3 cannot tell";
inline constexpr const char* kPlainExitCodes = "0 done, 2 trouble";

// Beside several commands' names.
inline constexpr const char* kRulesOption = "rules of your own, beside or instead of ours";

}  // namespace mmreplay
