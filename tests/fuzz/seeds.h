// What fuzzing starts from: recordings cut to a size at which thousands of them can be read in a second.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace mmreplay {

// By target. `paths` name recordings as `analyze` takes them, case files (.case) and rules (.sql); what
// cannot be read is left out. In the same order in every run, none twice.
using Seeds = std::map<std::string, std::vector<std::string>>;
Seeds MakeSeeds(const std::vector<std::string>& paths);

// The files below these folders, and the folders that hold files: what MakeSeeds takes.
std::vector<std::string> RecordingsBelow(const std::vector<std::string>& folders);

}  // namespace mmreplay
