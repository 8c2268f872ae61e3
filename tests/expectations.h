// What recordings must come out as: the kernel's own labels, wait by wait, and its console.
#pragma once

#include <string>

namespace mmreplay {

struct Expectation {
  std::string name;  // folder or sample
  int exit_code;
  bool all_anchors;     // every certain reference count is predicted
  bool has_references;  // reference events, or ref= at the wait
};

// nullptr for a recording nobody described.
const Expectation* FindExpectation(const std::string& name);

// Analyses `path` and checks it: exit code, line accounting, replay fidelity, each label against
// the wait of that task, time and page, each page-state report against a confirmed finding.
void CheckRecording(const std::string& path, const Expectation& expected);

// Checks for every recording, described or not: lines are accounted for.
void CheckAccounting(const std::string& path);

}  // namespace mmreplay
