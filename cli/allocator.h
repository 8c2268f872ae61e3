// How jemalloc serves this program, where it is linked (CMakeLists.txt).
#pragma once

namespace mmreplay {

// Memory that was given back goes to the kernel soon, and is not kept for 10 s: for little --max-memory. Takes
// half as much time again.
void KeepLittleFreeMemory();

}  // namespace mmreplay
