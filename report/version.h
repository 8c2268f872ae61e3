// The program's version, as CMakeLists.txt has it.
#pragma once

namespace mmreplay {

inline constexpr const char* kProgramVersion = MMREPLAY_VERSION;

}  // namespace mmreplay
