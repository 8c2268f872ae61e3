#include "parser/probe_definitions.h"

#include <array>

#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

// Argument registers at a function's entry, in order (x86-64 System V ABI, AAPCS64).
constexpr std::array<std::string_view, 6> kX86Registers = {"di", "si", "dx", "cx", "r8", "r9"};

int ArgumentOfRegister(std::string_view name) {
  for (size_t i = 0; i < kX86Registers.size(); ++i) {
    if (name == kX86Registers[i]) return static_cast<int>(i) + 1;
  }
  if (name.size() == 2 && name[0] == 'x' && name[1] >= '0' && name[1] <= '7') return name[1] - '0' + 1;
  return 0;
}

// folio     folio->flags     page->_refcount.counter
bool IsParameterName(std::string_view text) {
  auto is_word = [](char c) { return IsKeyChar(c) && c != '-'; };
  if (text.empty() || IsDigit(text[0]) || !is_word(text[0])) return false;
  for (size_t at = 0; at < text.size(); ++at) {
    if (is_word(text[at]) || text[at] == '.') continue;
    if (text[at] != '-' || at + 1 == text.size() || text[at + 1] != '>') return false;
    ++at;
  }
  return true;
}

// "%di" "$arg3" "$stack1" "$retval" "+28(%r9)" "+0(+8($arg1))" "folio->flags"
FetchArgument ParseFetch(std::string_view text) {
  FetchArgument result;
  std::vector<int64_t> outside_in;
  // Peel dereferences: each is a signed offset before a parenthesis.
  while (!text.empty() && (text[0] == '+' || text[0] == '-') && text.back() == ')') {
    size_t open = text.find('(');
    if (open == std::string_view::npos) return result;
    std::string_view digits = text.substr(1, open - 1);
    if (!digits.empty() && digits[0] == 'u') digits.remove_prefix(1);  // +u8(...): user memory
    auto offset = ParseUnsigned(digits);
    if (!offset) return result;
    auto value = static_cast<int64_t>(*offset);
    outside_in.push_back(text[0] == '-' ? -value : value);
    text = text.substr(open + 1, text.size() - open - 2);
  }
  result.offsets.assign(outside_in.rbegin(), outside_in.rend());

  if (text == "$retval") {
    result.base = FetchArgument::Base::kReturn;
  } else if (text.starts_with("$arg")) {
    if (auto index = ParseDecimal(text.substr(4)); index && *index >= 1 && *index <= 32) {
      result.base = FetchArgument::Base::kArgument;
      result.index = static_cast<int>(*index);
    }
  } else if (text.starts_with('%')) {
    if (int index = ArgumentOfRegister(text.substr(1))) {
      result.base = FetchArgument::Base::kArgument;
      result.index = index;
    }
  } else if (text.starts_with("$stack")) {
    // x86-64 passes the seventh argument on the stack, above the return address in $stack0.
    // An arm64 kernel passes eight in registers; probes on such a stack slot are not used here.
    if (auto slot = ParseDecimal(text.substr(6)); slot && *slot >= 1 && *slot <= 8) {
      result.base = FetchArgument::Base::kArgument;
      result.index = 6 + static_cast<int>(*slot);
    }
  } else if (IsParameterName(text) && outside_in.empty()) {
    result.base = FetchArgument::Base::kName;
    result.name = text;
  }
  return result;
}

}  // namespace

std::optional<ProbeDefinition> ParseProbeDefinition(std::string_view line) {
  constexpr size_t kMostWords =
      2 + 128;  // MAX_TRACE_ARGS of kernel/trace/trace_probe.h: the kernel takes no more
  std::vector<std::string_view> words = SplitWords(line, kMostWords + 1);
  if (words.size() < 2 || words.size() > kMostWords) return std::nullopt;

  // "p:group/event", "r10:group/event", "f:group/event", "p:event", "p" (the kernel then names it).
  std::string_view head = words[0];
  if (head[0] != 'p' && head[0] != 'r' && head[0] != 'f') return std::nullopt;
  size_t colon = head.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view maxactive = head.substr(1, colon - 1);
  if (!maxactive.empty() && !ParseDecimal(maxactive)) return std::nullopt;
  std::string_view name = head.substr(colon + 1);
  std::string_view group;
  if (size_t slash = name.find('/'); slash != std::string_view::npos) {
    group = name.substr(0, slash);
    name.remove_prefix(slash + 1);
  }
  if (name.empty()) return std::nullopt;

  ProbeDefinition probe;
  probe.group = group;
  probe.event = name;
  probe.is_return = head[0] == 'r';

  std::string_view place = words[1];
  if (place.find('/') != std::string_view::npos) return std::nullopt;  // a uprobe: path:offset
  if (size_t module = place.find(':'); module != std::string_view::npos) place.remove_prefix(module + 1);
  if (size_t percent = place.find('%'); percent != std::string_view::npos) {
    // fprobe and new kprobe spelling: "func%return", "func%entry"
    probe.is_return = place.substr(percent + 1) == "return";
    place = place.substr(0, percent);
  }
  if (size_t plus = place.find('+'); plus != std::string_view::npos) {
    auto offset = ParseUnsigned(place.substr(plus + 1));
    if (!offset) return std::nullopt;
    probe.offset = *offset;
    place = place.substr(0, plus);
  }
  if (place.empty() || place.find(':') != std::string_view::npos) return std::nullopt;
  probe.function = place;

  for (size_t i = 2; i < words.size(); ++i) {
    std::string_view word = words[i];
    size_t equals = word.find('=');
    std::string_view fetch = equals == std::string_view::npos ? word : word.substr(equals + 1);
    // The type follows the last ':' outside of parentheses: "+0(%di):x64".
    size_t last_paren = fetch.rfind(')');
    size_t type = fetch.find(':', last_paren == std::string_view::npos ? 0 : last_paren);
    FetchArgument argument = ParseFetch(fetch.substr(0, type));
    if (type != std::string_view::npos) argument.type = fetch.substr(type + 1);
    // The kernel calls a nameless argument arg1, arg2, ... by position.
    argument.field = equals == std::string_view::npos ? "arg" + std::to_string(i - 1)
                                                      : std::string(word.substr(0, equals));
    probe.arguments.push_back(std::move(argument));
  }
  return probe;
}

std::string ProbeDefinitionText(const ProbeDefinition& probe) {
  std::string text = probe.is_return ? "r:" : "p:";
  if (!probe.group.empty()) text += probe.group + "/";
  text += probe.event + " " + probe.function;
  if (probe.offset != 0) text += "+" + std::to_string(probe.offset);
  for (const FetchArgument& argument : probe.arguments) {
    std::string fetch = "$comm";
    if (argument.base == FetchArgument::Base::kArgument) fetch = "$arg" + std::to_string(argument.index);
    if (argument.base == FetchArgument::Base::kReturn) fetch = "$retval";
    for (int64_t offset : argument.offsets) {
      fetch.insert(0, (offset < 0 ? "-" : "+") + std::to_string(offset < 0 ? -offset : offset) + "(");
      fetch += ")";
    }
    if (argument.base == FetchArgument::Base::kName) fetch = argument.name;
    text += " " + argument.field + "=";
    text += fetch;
    if (!argument.type.empty()) text += ":" + argument.type;
  }
  return text;
}

std::vector<ProbeDefinition> ParseProbeDefinitions(std::string_view text, bool* left_out) {
  constexpr size_t kMostArguments = 200'000;
  std::vector<ProbeDefinition> probes;
  size_t arguments = 0;
  ForEachLine(text, [&](std::string_view line) {
    auto probe = ParseProbeDefinition(line);
    if (!probe) return;
    if (probes.size() == kMostProbes || arguments > kMostArguments) {
      if (left_out) *left_out = true;
      return;
    }
    arguments += probe->arguments.size();
    probes.push_back(std::move(*probe));
  });
  return probes;
}

bool LooksLikeProbeDefinitions(std::string_view text) {
  size_t lines = 0;
  size_t definitions = 0;
  ForEachLine(text, [&](std::string_view line) {
    if (line.find_first_not_of(" \t") == std::string_view::npos) return;
    ++lines;
    definitions += ParseProbeDefinition(line).has_value();
  });
  return definitions > 0 && definitions * 3 >= lines;
}

}  // namespace mmreplay
