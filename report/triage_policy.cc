#include "report/triage_policy.h"

#include <fnmatch.h>

#include <fstream>

#include <nlohmann/json.hpp>

#include "parser/error.h"
#include "parser/lines.h"
#include "parser/small_file.h"
#include "report/triage_formats.h"

namespace mmreplay {
namespace {

// A baseline has a line per group; that of a triage with --format jsonl one per log, too.
constexpr size_t kLongestBaseline = size_t{256} << 20;
constexpr size_t kLongestBaselineRow = size_t{1} << 20;
constexpr size_t kLongestSuppressions = size_t{16} << 20;

[[noreturn]] void Fail(const std::string& file, int line, size_t column, const std::string& what) {
  throw Error(file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + what);
}

bool Fits(const std::string& pattern, std::string_view text) {
  return fnmatch(pattern.c_str(), std::string(text).c_str(), 0) == 0;
}

// wait_on_freed_page/* log=*-4.10-* up-to=probable because those machines are to be replaced
Suppression ParseLine(const std::string& file, int number, std::string_view line) {
  Suppression one;
  one.where = file + ":" + std::to_string(number);
  for (std::string_view word : SplitWords(line)) {
    auto column = static_cast<size_t>(word.data() - line.data()) + 1;
    size_t equals = word.find('=');
    std::string_view key = word.substr(0, equals);
    std::string value(equals == std::string_view::npos ? "" : word.substr(equals + 1));
    // A path's; to look for a longer one takes its time.
    constexpr size_t kLongestPattern = 4096;
    if (word.size() > kLongestPattern)
      Fail(file, number, column, "a pattern has at most " + std::to_string(kLongestPattern) + " characters");
    if (word == "because") {
      one.reason = TrimBlanks(line.substr(column + 6));
      if (one.reason.empty()) Fail(file, number, column, "there is no reason after 'because'");
      if (one.fingerprint.empty()) Fail(file, number, column, "there is no fingerprint before 'because'");
      return one;
    }
    if (one.fingerprint.empty()) {
      one.fingerprint = word;
    } else if (key == "log") {
      one.log = value;
    } else if (key == "function") {
      one.function = value;
    } else if (key == "up-to") {
      one.up_to = GradeRank(value);
      if (one.up_to == 0) Fail(file, number, column, "up-to= takes confirmed, probable or latent");
    } else {
      Fail(file, number, column,
           "'" + std::string(word) + "' is none of log=, function=, up-to= and because");
    }
  }
  Fail(file, number, line.size() + 1, "a suppression ends with 'because' and a reason");
}

}  // namespace

int GradeRank(std::string_view grade) {
  if (grade == "confirmed") return 3;
  if (grade == "probable") return 2;
  return grade == "latent" ? 1 : 0;
}

bool Suppression::Matches(std::string_view finding, std::string_view in_log, std::string_view in_function,
                          std::string_view grade) const {
  return GradeRank(grade) <= up_to && Fits(fingerprint, finding) && Fits(log, in_log) &&
         Fits(function, in_function);
}

namespace {

// Nothing of a stranger's row is copied: it may be nested so deep that the copy overflows the stack.
template <typename Value>
bool Has(const nlohmann::json& row, const char* key, const Value& wanted) {
  auto found = row.find(key);
  return found != row.end() && found->is_primitive() && *found == wanted;
}

bool IsTriageRow(const nlohmann::json& row) {
  return row.is_object() && Has(row, "format", kTriageFormat);
}

}  // namespace

bool IsBaseline(const std::string& path) {
  std::ifstream file(path);
  std::string line(kLongestBaselineRow, '\0');
  file.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<size_t>(file.gcount()));
  return IsTriageRow(nlohmann::json::parse(line.substr(0, line.find('\n')), nullptr, false));
}

Baseline ReadBaseline(const std::string& path) {
  Baseline baseline;
  bool ours = false;
  int number = 0;
  ForEachLine(ReadSmallFile(path, kLongestBaseline), [&](std::string_view line) {
    ++number;
    if (TrimBlanks(line).empty()) return;
    std::string where = path + ":" + std::to_string(number) + ": ";
    if (line.size() > kLongestBaselineRow)
      throw Error(where + "is longer than " + std::to_string(kLongestBaselineRow >> 20) +
                  " MiB, which no row is");
    auto row = nlohmann::json::parse(line, nullptr, false);
    if (!IsTriageRow(row)) {
      throw Error(where +
                  "is no row of a triage; a baseline is what mmreplay triage --write-baseline or "
                  "--format jsonl writes");
    }
    if (!Has(row, "version", kTriageVersion))
      throw Error(where + "was written by another version of mmreplay");
    ours = true;
    if (!Has(row, "row", "group")) return;
    auto text = [&](const char* key) {
      auto value = row.find(key);
      return value != row.end() && value->is_string() ? value->get<std::string>() : std::string();
    };
    std::string fingerprint = text("fingerprint");
    std::string grade = text("grade");
    std::string state = text("state");
    if (fingerprint.empty() || state.empty() || GradeRank(grade) == 0)
      throw Error(where + "a group has a fingerprint, a state and a grade");
    // Suppressed is not known: without its suppression it counts again.
    if (state == "suppressed" || state == "info") return;
    std::string& highest = baseline[fingerprint];
    if (GradeRank(grade) > GradeRank(highest)) highest = grade;
  });
  if (!ours) throw Error(path + ": is empty; a baseline is what mmreplay triage --write-baseline writes");
  return baseline;
}

std::vector<Suppression> ParseSuppressions(const std::string& file, std::string_view text) {
  std::vector<Suppression> list;
  int number = 0;
  ForEachLine(text, [&](std::string_view line) {
    ++number;
    std::string_view content = TrimBlanks(line);
    if (!content.empty() && content.front() != '#') list.push_back(ParseLine(file, number, line));
  });
  return list;
}

std::vector<Suppression> ReadSuppressions(const std::string& path) {
  std::string text = ReadSmallFile(path, kLongestSuppressions);
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return ParseSuppressions(path, text);
}

}  // namespace mmreplay
