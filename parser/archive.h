// Compressed files and tar archives as readable members. What they hold may come from anybody: nothing of it
// is ever unpacked into the file system, and what may come out is limited.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/input.h"

namespace mmreplay {

// Files of one input, in an archive or a folder: a recording of hundreds of cpus has two for each.
inline constexpr size_t kMostFiles = 4096;

// gzip, bzip2, xz, zstd or tar, by its first bytes.
bool IsPacked(std::string_view head);

// What is packed in a way that is not read, "zip archive"; nullptr for anything else.
const char* OtherPackage(std::string_view head);

// The regular files of a compressed file or tar, in its order, whatever they are called; links, devices and
// fifos are passed over. `open` reads it from its start, again and again. Where it is damaged or cut off its
// members end, and `damage` of each says so; if nothing came before that there is one empty member. Throws
// Error for what exceeds the limits, and what `open` throws.
std::vector<InputMember> ArchiveMembers(const std::string& path, std::function<ReadFn()> open,
                                        HeadBudget* heads);

}  // namespace mmreplay
