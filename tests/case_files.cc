#include "tests/case_files.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>

#include "parser/error.h"
#include "parser/lines.h"
#include "tests/analysis.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;

Case ReadCase(const fs::path& path) {
  Case one;
  one.path = path.string();
  one.name = path.stem().string();
  std::string text = ReadFile(one.path);
  size_t body = text.find("\n==== ");
  if (body == std::string::npos) throw Error(one.path + ": no ==== section");
  one.body = text.substr(body + 1);
  static const std::set<std::string> kOutcomes = {"exit",    "wait", "finding", "proof",
                                                  "anomaly", "gap",  "report",  "lines"};
  ForEachLine(std::string_view(text).substr(0, body), [&](std::string_view line) {
    if (line.empty()) return;
    size_t colon = line.find(": ");
    if (colon == std::string_view::npos) throw Error(one.path + ": header lines read 'key: value'");
    std::string key(line.substr(0, colon));
    std::string value(line.substr(colon + 2));
    if (kOutcomes.contains(key)) {
      one.expected.emplace_back(line);
      return;
    }
    one.head += std::string(line) + "\n";
    if (key == "about") {
      one.about = value;
    } else if (key == "source") {
      one.source = value;
    } else if (key == "twin") {
      one.twin = value;
    } else {
      throw Error(one.path + ": unknown header key '" + key + "'");
    }
  });
  std::string* open = nullptr;
  for (size_t at = 0; at < one.body.size();) {
    size_t end = one.body.find('\n', at);
    end = end == std::string::npos ? one.body.size() : end + 1;
    std::string line = one.body.substr(at, end - at);
    at = end;
    if (line.starts_with("==== ")) {
      one.files.emplace_back(std::string(TrimBlanks(std::string_view(line).substr(5, line.size() - 6))), "");
      open = &one.files.back().second;
    } else {
      *open += line;
    }
  }
  return one;
}

}  // namespace

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const auto& entry : fs::directory_iterator(MMREPLAY_SOURCE_DIR "/tests/cases")) {
    if (entry.path().extension() == ".case") cases.push_back(ReadCase(entry.path()));
  }
  std::sort(cases.begin(), cases.end(), [](const Case& a, const Case& b) { return a.name < b.name; });
  return cases;
}

}  // namespace mmreplay
