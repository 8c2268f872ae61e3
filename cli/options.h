// Command lines of the subcommands: what the user gave, read as the command declares it.
#pragma once

#include <boost/program_options.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"

namespace mmreplay {

class Arguments {
 public:
  explicit Arguments(boost::program_options::variables_map values) : values_(std::move(values)) {}

  bool Has(const std::string& name) const { return values_.count(name) > 0; }
  std::optional<std::string> Text(const std::string& name) const;
  // Of an operand that takes all that is left ("input..."), and of an option that may be repeated.
  std::vector<std::string> List(const std::string& name) const;

 private:
  boost::program_options::variables_map values_;
};

// nullopt when help was asked for and printed. Throws Error that begins with the command's name.
std::optional<Arguments> ParseArguments(const Command& command, const std::vector<std::string>& arguments);

}  // namespace mmreplay
