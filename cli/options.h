// Command lines of the subcommands: options as Boost.Program_options declares them, then positional
// arguments by name.
#pragma once

#include <boost/program_options.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mmreplay {

class Arguments {
 public:
  explicit Arguments(boost::program_options::variables_map values) : values_(std::move(values)) {}

  bool Has(const std::string& name) const { return values_.count(name) > 0; }
  std::optional<std::string> Text(const std::string& name) const;
  // Of a positional argument that takes all that is left ("input...").
  std::vector<std::string> List(const std::string& name) const;

 private:
  boost::program_options::variables_map values_;
};

// `positional`: names in order; one that ends in "..." takes the rest. Throws Error that begins with the
// command's name.
Arguments ParseArguments(const std::string& command, const std::vector<std::string>& arguments,
                         const boost::program_options::options_description& options,
                         const std::vector<std::string>& positional);

// With --help given: prints usage, options and examples, and returns true.
bool PrintedHelp(const Arguments& given, std::string_view usage,
                 const boost::program_options::options_description& options, std::string_view examples);

}  // namespace mmreplay
