// How an error is told: what went wrong and what to do about it, as a sentence on standard error, and where
// JSON was asked for as an object on standard output too (report/error.schema.json).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mmreplay {

struct ErrorFacts {
  std::string command;  // empty where there is none of that name
  std::string file;     // empty where the error is about none
  std::optional<int64_t> line;
  std::optional<int64_t> column;
  std::string next;
  bool says_next = false;  // the message itself does
};

// `words`: the command line, the program's name aside. What a message is about stands at its beginning:
// "rules/x.sql:14:9: no such column", "trace.txt: is a directory", "--format: klingon: ...".
ErrorFacts ExplainError(const std::string& message, const std::vector<std::string>& words);

// --format json, jsonl or sarif, in whatever way it is given.
bool AskedForJson(const std::vector<std::string>& words);

// `below`: lines that stand below the message.
void ReportError(const std::string& message, const std::vector<std::string>& below,
                 const std::vector<std::string>& words, int exit_code);

}  // namespace mmreplay
