// What terminals are told between the characters of a text: `dmesg --color=always`, `grep --color=always`.
//   ESC[32m[   10.279302] ESC[0mESC[33m toucher/-186       0...1. 6362264us : ESC[0mESC[1mpage_ref_set:
//   ...ESC[0m
//   ... ESC[01;31mESC[Kpage_refESC[mESC[K_mod: ...
#pragma once

#include <string>
#include <string_view>

namespace mmreplay {

// The text, or the beginning of one, went through one of them. A name that a task gave itself does not look
// so.
bool LooksColored(std::string_view text);

// Of such a text.
std::string WithoutColors(std::string_view text);

}  // namespace mmreplay
