#pragma once

#include <string_view>

namespace mmreplay {

// Writes a result to standard output. A reader that went away ends the program quietly; a full disk
// is an Error.
void WriteOutput(std::string_view text);

}  // namespace mmreplay
