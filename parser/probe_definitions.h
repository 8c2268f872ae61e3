// The probes of a recording, as tracefs prints them in kprobe_events:
//
//   p:numa/folio_wait_bit folio_wait_bit folio=%x0 bit=%x1:s32
//   r10:numa/folio_wait_bit_ret folio_wait_bit
//   p:mmr/wait wait_on_page_bit page=%di bit=%si:s32 flags=+0(%di):x64 ref=+28(%di):s32
//
// They say which argument of which function a field is, whatever the field is called
// (Documentation/trace/kprobetrace.rst).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mmreplay {

// Where a field's value comes from.
struct FetchArgument {
  enum class Base : uint8_t {
    kArgument,  // argument `index` of the function, from 1: a register or $argN at the entry
    kReturn,    // $retval
    kName,      // `name`, of a parameter or what it points to: folio, folio->flags (6.4 and later, BTF)
    kOther,     // anything else: symbol, stack slot without meaning, constant, $comm
  };
  std::string field;  // as printed before '='
  Base base = Base::kOther;
  int index = 0;
  std::string name;
  std::vector<int64_t> offsets;  // dereferences from the inside out; empty for the plain value
  std::string type;              // x64, s32, b1@7/64, string; empty: an unsigned long
};

struct ProbeDefinition {
  std::string group;
  std::string event;
  std::string function;  // probed symbol without module
  uint64_t offset = 0;   // bytes into the function; 0 for entry and return probes
  bool is_return = false;
  std::vector<FetchArgument> arguments;
};

// One line of kprobe_events or dynamic_events; nullopt for a line that defines no function probe
// (uprobes, event probes, comments, headings).
std::optional<ProbeDefinition> ParseProbeDefinition(std::string_view line);

// The definition as a line that ParseProbeDefinition reads as the same one. Arguments are $argN or
// names; one that is none is $comm.
std::string ProbeDefinitionText(const ProbeDefinition& probe);

// Of one recording; tracers define a few hundred.
constexpr size_t kMostProbes = 20'000;

// All definitions of a file. `left_out`: some were more than are kept; may be null.
std::vector<ProbeDefinition> ParseProbeDefinitions(std::string_view text, bool* left_out = nullptr);

// True when the text looks like a kprobe_events file: definitions make up a third of its
// non-empty lines or more (kprobe_profile and error_log may be pasted behind them).
bool LooksLikeProbeDefinitions(std::string_view text);

}  // namespace mmreplay
