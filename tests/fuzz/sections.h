// A recording of several files as one text, as the case files have it:
//
//   ==== trace.txt
//   ...
//   ==== dmesg.txt
//   ...
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mmreplay {

// Name and content of each; what stands before the first heading is left out.
std::vector<std::pair<std::string, std::string>> SplitSections(std::string_view text);

// A tar archive of the sections. The text itself where it has none.
std::string PackSections(std::string_view text);

// Compressed with a filter of libarchive: ARCHIVE_FILTER_GZIP, _XZ, _ZSTD, _BZIP2, _NONE.
std::string Pack(const std::vector<std::pair<std::string, std::string>>& files, int filter);

}  // namespace mmreplay
