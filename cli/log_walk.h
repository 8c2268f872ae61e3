// What `mmreplay triage` is to look at: the files below the paths a user gave.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mmreplay {

// Found by the walk, in the order results are to have.
struct WalkEntry {
  enum class Kind : uint8_t {
    kFile,     // one regular file, a log or an archive with one
    kFolder,   // a folder's regular files, at least two: one recording or several
    kRefused,  // cannot be looked at, for the reason given
  };
  Kind kind;
  std::string path;
  std::vector<std::string> files = {};  // of a folder, sorted
  std::string reason = {};
};

struct Walk {
  std::vector<WalkEntry> entries;
  int64_t files = 0;        // all that is no folder
  int64_t files_again = 0;  // of these, the same file as one before: through a symbolic link, or named twice
  int64_t folders_again = 0;  // folders met again, not entered twice: so loops end
};

// Goes down into folders, each sorted by name, its files before its folders. Follows symbolic links. Opens no
// file, so a fifo or a device blocks nobody: they are refused.
Walk WalkPaths(const std::vector<std::string>& paths);

// Paths from standard input, one a line or each ended by a NUL byte. Empty ones are left out.
std::vector<std::string> ReadPathList(bool nul_separated);

}  // namespace mmreplay
