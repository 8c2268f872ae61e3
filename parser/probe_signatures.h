// What the arguments of probed kernel functions are. Probes are bound by the probed function and,
// where the definitions are at hand, by the argument a field fetches: never by the probe's name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/event.h"
#include "parser/probe_definitions.h"

namespace mmreplay {

// "4.10.17" -> {4, 10}. Chooses argument lists and struct layouts, never a verdict.
struct KernelRelease {
  int major = 0;
  int minor = 0;
  bool AtLeast(int want_major, int want_minor) const {
    return major != want_major ? major > want_major : minor >= want_minor;
  }
};

// From "6.1.0-56-arm64" or any text that starts like it.
std::optional<KernelRelease> ParseKernelRelease(std::string_view text);

// kOther for a function without a signature. Compiler suffixes (".part.0", ".constprop.0",
// ".isra.0") name a copy whose arguments may have moved: kOther as well.
KernelFunction FunctionOfSymbol(std::string_view symbol);
// Whether the name of one of them begins so.
bool BeginsSymbol(std::string_view text);
// Or ends so, behind letters from its beginning or none: a part of it.
bool EndsSymbol(std::string_view text);

// One field of a probe and its meaning.
struct BoundField {
  std::string name;
  ProbeRole role;
};

// Roles of the fields of a probe on `symbol`. `definition` may be null: then fields are known by the kernel's
// own parameter names ("folio", "page", "bit_nr") and the customary "ref", "flags" and "ret". A field whose
// meaning stays open (a dereference into a struct whose layout depends on an unknown release, a register that
// is no argument) is left out.
std::vector<BoundField> BindProbe(std::string_view symbol, bool is_return, const ProbeDefinition* definition,
                                  std::optional<KernelRelease> release);

// Every function name with a signature, for documentation and tests.
std::vector<std::string_view> KnownFunctionSymbols();

}  // namespace mmreplay
