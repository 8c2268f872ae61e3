#include "cli/error_report.h"

#include <algorithm>

#include "cli/command.h"
#include "cli/output.h"
#include "parser/error.h"
#include "parser/numbers.h"
#include "report/json_values.h"
#include "report/report.h"

namespace mmreplay {
namespace {

constexpr int kVersion = 1;

// "x.sql:14:9: what" -> file, line, column.
bool ReadPlace(std::string_view message, ErrorFacts* facts) {
  for (size_t at = message.find(':'); at != std::string_view::npos; at = message.find(':', at + 1)) {
    std::string_view rest = message.substr(at + 1);
    size_t second = rest.find(':');
    if (second == std::string_view::npos) return false;
    size_t third = rest.find(": ", second + 1);
    if (third == std::string_view::npos) return false;
    auto line = ParseDecimal(rest.substr(0, second));
    auto column = ParseDecimal(rest.substr(second + 1, third - second - 1));
    if (!line || !column || at == 0) continue;
    facts->file = message.substr(0, at);
    facts->line = static_cast<int64_t>(*line);
    facts->column = static_cast<int64_t>(*column);
    return true;
  }
  return false;
}

// The file a message begins with: one of the command line, or one found below a folder or in an
// archive that stands there.
std::string ReadFile(std::string_view message, const std::vector<std::string>& words) {
  std::string file;
  for (std::string_view word : words) {
    if (word.starts_with("--") && word.find('=') != std::string_view::npos)
      word.remove_prefix(word.find('=') + 1);
    if (word.empty() || (word.starts_with('-') && word != "-") || word.size() < file.size()) continue;
    if (!message.starts_with(word) || message.size() == word.size()) continue;
    std::string_view rest = message.substr(word.size());
    if (rest.starts_with(": ") || rest.starts_with(' ')) file = word;
    bool below =
        rest.starts_with('/') || rest.starts_with(':') || rest.starts_with('.') || word.ends_with('/');
    size_t end = rest.find(": ");
    if (below && !rest.starts_with(": ") && end != std::string_view::npos)
      file = std::string(word) + std::string(rest.substr(0, end));
  }
  return file;
}

struct Advice {
  std::string_view said;  // at the end of a message
  const char* next;
};
constexpr Advice kAdvice[] = {
    {"No such file or directory", "check the path: it is taken from the folder mmreplay runs in"},
    {"cannot be opened", "check the path and that you may read it"},
    {"Permission denied", "let the user who runs mmreplay read it, or run mmreplay as one who may"},
    {"is a directory", "give the name of a file"},
    {"is a device, fifo or socket, and no file", "give the name of a file"},
    {"No space left on device", "make room; temporary files lie beside what -o names, else in $TMPDIR"},
    {"database or disk is full",
     "make room; the database is made in $TMPDIR, or beside the name given with -o"},
    {"is not a database mmreplay wrote", "make one with mmreplay analyze -o DB INPUT, or give another name"},
    {"has no .sql files in it", "give the folder that holds your rules"},
    {"has no files in it", "give the folder the capture script wrote, or a trace"},
    {"is empty", "record again: `mmreplay capture` prints the script"},
    {"not like a trace", "give what the machine recorded; --input-format names a form that is not seen"},
    {"out of memory", "give it more memory, or a shorter recording"},
};

std::string NextStep(const std::string& message, const ErrorFacts& facts) {
  for (const Advice& advice : kAdvice) {
    if (message.ends_with(advice.said)) return advice.next;
  }
  if (message.find(": no such column") != std::string::npos ||
      message.find(": no such table") != std::string::npos)
    return "`mmreplay query --help` names the views, event_kinds the kinds of events; db/README.md shows "
           "them in use";
  if (facts.command.empty()) return "mmreplay --help names the commands";
  return "mmreplay " + facts.command + " --help tells what it takes";
}

}  // namespace

ErrorFacts ExplainError(const std::string& message, const std::vector<std::string>& words) {
  ErrorFacts facts;
  for (const Command& command : Commands()) {
    if (!words.empty() && words[0] == command.name) facts.command = command.name;
  }
  if (!ReadPlace(message, &facts))
    facts.file = ReadFile(message, {words.begin() + (words.empty() ? 0 : 1), words.end()});
  // "...; see mmreplay page --help": whoever wrote the message knew best.
  size_t advice = message.rfind("; ");
  facts.says_next = advice != std::string::npos;
  facts.next = facts.says_next ? message.substr(advice + 2) : NextStep(message, facts);
  return facts;
}

bool AskedForJson(const std::vector<std::string>& words) {
  constexpr std::string_view kOption = "--format";
  constexpr size_t kShortest = 4;  // "--fo": options may be cut short where no other begins so
  bool json = false;
  for (size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    std::string_view name = word.substr(0, word.find('='));
    if (name.size() < kShortest || !kOption.starts_with(name)) continue;
    std::string_view value;
    if (name.size() < word.size()) {
      value = word.substr(name.size() + 1);
    } else if (i + 1 < words.size()) {
      value = words[i + 1];
    }
    auto formats = ReportFormats();
    json = std::any_of(formats.begin(), formats.end(), [&](const ReportFormatFacts& format) {
      return format.json_errors && format.name == value;
    });
  }
  return json;
}

void ReportError(const std::string& message, const std::vector<std::string>& below,
                 const std::vector<std::string>& words, int exit_code) {
  ErrorFacts facts = ExplainError(message, words);
  std::vector<std::string> lines = below;
  if (!facts.says_next) lines.push_back("next: " + facts.next);
  Tell(message, lines);
  // A report that was begun is not followed by something else.
  if (!AskedForJson(words) || OutputBegun()) return;
  std::string whole = message;
  for (const std::string& line : below) whole += "\n  " + line;
  Json json = {{"type", "error"}, {"version", kVersion}};
  json["error"] = {
      {"message", whole},           {"command", OrNull(facts.command)}, {"file", OrNull(facts.file)},
      {"line", OrNull(facts.line)}, {"column", OrNull(facts.column)},   {"exit_code", exit_code},
      {"next", facts.next}};
  try {
    WriteOutput(Dump(json) + "\n");
  } catch (const Error&) {
    // Standard output is what failed: standard error has said it.
  }
}

}  // namespace mmreplay
