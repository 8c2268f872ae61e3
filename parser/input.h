// Where bytes come from: files, standard input, compressed files and archive members, all as one
// callable.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mmreplay {

// Fills up to `size` bytes and returns how many; 0 only at the end. Throws Error.
using ReadFn = std::function<size_t(char* buffer, size_t size)>;

// One readable thing inside what the user named: the file itself, a member of a tar archive, a
// file of a directory. Compression (gzip, bzip2, xz, zstd) is transparent.
struct InputMember {
  std::string path;              // as shown to the user and stored: "dir/trace.txt", "x.tar.xz:trace.txt"
  std::string head;              // its first bytes, up to kHeadBytes
  bool whole;                    // head is all of it
  std::function<ReadFn()> open;  // from its first byte; may be called again, except for stdin
};

inline constexpr size_t kHeadBytes = size_t{256} * 1024;

// `path` may be a file, a directory (its regular files, not descending) or "-". Members come sorted
// by path. Throws Error when the path cannot be read.
std::vector<InputMember> OpenInput(const std::string& path);

// All of it, or Error when it is longer than `limit`.
std::string ReadAll(const InputMember& member, size_t limit);

}  // namespace mmreplay
