// What became of a text on its way to a file.
//
// Terminals colour it: `dmesg --color=always`, `grep --color=always`.
//   ESC[32m[   10.279302] ESC[0mESC[33m toucher/-186  0...1. 6362264us : ESC[0mESC[1mpage_ref_set: ...ESC[0m
//   ... ESC[01;31mESC[Kpage_refESC[mESC[K_mod: ...
// Pages escape it, and browsers copy blanks as no-break spaces:
//   folio_wait_bit_ret: (pmd_migration_entry_wait+0xa1/0xc0 &lt;- folio_wait_bit)
// Collectors put each line into an object (journalctl -o json, docker):
//   {"MESSAGE":"BUG: Bad page state in process x  pfn:31600","_SOURCE_MONOTONIC_TIMESTAMP":"436025", ...}
//   {"log":"[    0.436025] BUG: Bad page state in process x  pfn:31600\n","stream":"stdout", ...}
#pragma once

#include <string>
#include <string_view>

namespace mmreplay {

class Disguise {
 public:
  Disguise() = default;
  // By a text's beginning. A name that a task gave itself does not look so.
  explicit Disguise(std::string_view text);

  bool any() const { return in_objects_ || colored_ || escaped_ || no_breaks_; }
  // Whether there is something to be taken off of a piece of the text.
  bool IsOn(std::string_view piece) const;
  std::string TakeOff(std::string_view piece) const;

 private:
  bool in_objects_ = false;  // and the rest is of what is in them
  bool colored_ = false;
  bool escaped_ = false;
  bool no_breaks_ = false;
};

// "&lt;-" is "<-".
std::string Unescape(std::string_view text);

// No-break spaces, in UTF-8 or Latin-1, are blanks.
std::string WithBlanks(std::string_view text);

}  // namespace mmreplay
