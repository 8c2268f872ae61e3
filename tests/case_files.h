// tests/cases: recordings with what the analysis must make of them. Format in tests/cases/README.md.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mmreplay {

struct Case {
  std::string path;
  std::string name;
  std::string about;
  std::string source;
  std::string twin;
  std::vector<std::string> expected;                       // lines "key: value" that are outcomes
  std::string head;                                        // the rest of the header, verbatim
  std::string body;                                        // from the first "====" on, verbatim
  std::vector<std::pair<std::string, std::string>> files;  // names and contents
};

// By their names. Throws Error on a file that is none.
std::vector<Case> AllCases();

}  // namespace mmreplay
