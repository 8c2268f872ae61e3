#include "cli/options.h"

#include <sstream>

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

Arguments ParseArguments(const std::string& command, const std::vector<std::string>& arguments,
                         const po::options_description& options, const std::vector<std::string>& positional) {
  po::options_description hidden;
  po::positional_options_description places;
  for (const std::string& place : positional) {
    if (place.ends_with("...")) {
      std::string name = place.substr(0, place.size() - 3);
      hidden.add_options()(name.c_str(), po::value<std::vector<std::string>>());
      places.add(name.c_str(), -1);
    } else {
      hidden.add_options()(place.c_str(), po::value<std::string>());
      places.add(place.c_str(), 1);
    }
  }
  po::options_description all;
  all.add(options).add(hidden);
  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments).options(all).positional(places).run(), values);
  } catch (const po::error& error) {
    throw Error(command + ": " + error.what());
  }
  return Arguments(std::move(values));
}

bool PrintedHelp(const Arguments& given, std::string_view usage, const po::options_description& options,
                 std::string_view examples) {
  if (!given.Has("help")) return false;
  std::ostringstream help;
  help << usage << options << examples;
  WriteOutput(help.str());
  return true;
}

}  // namespace mmreplay
