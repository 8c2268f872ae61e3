// An unnamed temporary file, for what an analysis that keeps no database does not hold in memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "parser/input.h"

namespace mmreplay {

// All of it, or throws Error: the file may have changed since it was opened.
void ReadExactly(const SeekableFile& file, uint64_t offset, void* data, size_t size);

class SpoolFile {
 public:
  SpoolFile();

  // Room for so many bytes, for whichever thread.
  uint64_t Reserve(size_t size);
  // In room that was reserved. Throws Error.
  void Write(uint64_t offset, const void* data, size_t size);
  uint64_t Append(const void* data, size_t size);

  // Of what was written. Throws Error.
  void Read(uint64_t offset, void* data, size_t size) const { ReadExactly(file_, offset, data, size); }
  // Less than `size` only at the end of what was written.
  size_t ReadSome(uint64_t offset, void* data, size_t size) const;

 private:
  SeekableFile file_;
  std::atomic<uint64_t> end_ = 0;
};

}  // namespace mmreplay
