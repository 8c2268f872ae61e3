// Compressed files and tar archives as readable members. What they hold may come from anybody: nothing of it
// is ever unpacked into the file system, and what may come out is limited.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/input.h"

namespace mmreplay {

// A trace compresses 30 to 60 times, seldom more than 100 times; a file of zeros 1,000 times with gzip and
// much more with the others. What comes out of one file may be so many times its size, once it is more than
// that.
inline constexpr uint64_t kUnpackedRatio = 500;
inline constexpr uint64_t kUnpackedFree = uint64_t{256} << 20;
// In all, from one file.
inline constexpr uint64_t kUnpackedMost = uint64_t{64} << 30;
// What unpacking an xz file may take, most of it its dictionary: that of xz -9 is of 64 MiB, and zstd allows
// itself one of 128 MiB.
inline constexpr uint64_t kXzMemoryMost = uint64_t{130} << 20;
// Compressed once, and once more by who sent it.
inline constexpr int kMostLayers = 2;
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
