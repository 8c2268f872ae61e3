#include "cli/options.h"

#include "cli/output.h"
#include "parser/error.h"

namespace mmreplay {

namespace po = boost::program_options;

std::optional<std::string> Arguments::Text(const std::string& name) const {
  if (!Has(name)) return std::nullopt;
  return values_[name].as<std::string>();
}

std::vector<std::string> Arguments::List(const std::string& name) const {
  if (!Has(name)) return {};
  return values_[name].as<std::vector<std::string>>();
}

std::optional<Arguments> ParseArguments(const Command& command, const std::vector<std::string>& arguments) {
  po::options_description options;
  auto add = [&](const std::string& name, bool takes_value, bool repeated) {
    if (!takes_value) {
      options.add_options()(name.c_str(), "");
    } else if (repeated) {
      options.add_options()(name.c_str(), po::value<std::vector<std::string>>(), "");
    } else {
      options.add_options()(name.c_str(), po::value<std::string>(), "");
    }
  };
  add("help,h", false, false);
  for (const Option& option : command.options) add(option.name, !option.value.empty(), option.repeated);
  po::positional_options_description places;
  for (const Operand& operand : command.operands) {
    bool rest = operand.name.ends_with("...");
    std::string name = operand.name.substr(0, operand.name.size() - (rest ? 3 : 0));
    add(name, true, rest);
    places.add(name.c_str(), rest ? -1 : 1);
  }
  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments).options(options).positional(places).run(), values);
  } catch (const po::error& error) {
    throw Error(command.name + ": " + error.what() + "; see mmreplay " + command.name + " --help");
  }
  if (values.count("help") > 0) {
    WriteOutput(HelpText(command));
    return std::nullopt;
  }
  return Arguments(std::move(values));
}

}  // namespace mmreplay
