// Changes to a text that leave lines lines: what a trace may hold next, rather than what a file may.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>

namespace mmreplay {

// Changes bytes in place, to at most `max_size` of them, and returns how many there are.
using MutateBytes = std::function<size_t(uint8_t* bytes, size_t size, size_t max_size)>;

// Drops, doubles, swaps, moves and splices lines, and edits single columns: task, cpu, time, names and values
// of arguments, with the values of other lines and with those at the ends of their ranges. Now and then
// `mutate_bytes` changes a line or all. At most `max_size` bytes come out, the same ones for the same seed.
std::string MutateLines(std::string_view text, size_t max_size, uint32_t seed,
                        const MutateBytes& mutate_bytes);

// Lines of both, or bytes.
std::string CrossLines(std::string_view one, std::string_view other, size_t max_size, uint32_t seed);
std::string CrossBytes(std::string_view one, std::string_view other, size_t max_size, uint32_t seed);

}  // namespace mmreplay
