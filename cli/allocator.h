// How jemalloc serves this program, where it is linked (CMakeLists.txt).
#pragma once

#include <cstdint>

namespace mmreplay {

// Memory that was given back goes to the kernel soon, and is not kept for 10 s: at once (100 ms) for little
// --max-memory, which takes half as much time again; soon (500 ms) where SQLite needs what the model had. The
// shorter of several counts.
enum class FreeMemory : uint8_t { kSoon, kAtOnce };
void KeepLittleFreeMemory(FreeMemory goes);

}  // namespace mmreplay
