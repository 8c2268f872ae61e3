// What a report says as JSON values, for all formats made of them. The form of each is in
// report/report.schema.json.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "report/content.h"

namespace mmreplay {

using Json = nlohmann::ordered_json;

// Unknown is null, as in the database.
template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
inline Json OrNull(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

// In ASCII, whatever the texts hold: a terminal shows no more than letters. Bytes that are not UTF-8 become
// U+FFFD. `indent` -1: on one line. All JSON that leaves the program is made here.
std::string Dump(const Json& json, int indent = -1);

// "found", "no finding", "cannot tell", "nothing read"
const char* VerdictName(const Verdict& verdict);

Json ToJson(const Verdict& verdict);  // its waits
Json ToJson(const GradeCounts& grades);
Json ToJson(const TraceClock& clock);
Json ToJson(const InputFacts& input, const std::vector<SourceFile>& sources);
Json ToJson(const FindingGroup& group);
Json ToJson(const Finding& finding, const std::vector<OrderProof>& proofs);
Json ToJson(const NearMiss& miss);
Json ToJson(const AlsoSeen& seen);
Json ToJson(const WaitClass& waits);
Json ToJson(const RuleAnswer& rule);
Json ToJson(const NotShown& missing);
Json ToJson(const Fidelity& fidelity);
Json ToJson(const LostEvents& gap);
Json ToJson(const Issue& issue);
Json Counts(const std::vector<CountedName>& counts);

}  // namespace mmreplay
