// Compressed bytes, unpacked by the libraries that define them. They may come from anybody: what may come out
// is limited, and of what is damaged or cut off all comes out that can.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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
// What unpacking may take, most of it the dictionary of xz and the window of zstd: that of xz -9 is of 64
// MiB.
inline constexpr uint64_t kUnpackingMemory = uint64_t{130} << 20;
// Compressed once, and once more by who sent it.
inline constexpr int kMostLayers = 2;

inline constexpr const char* kUnpackYourself =
    "; unpack it yourself, if you trust it, and give what is inside";

enum class Compression : uint8_t { kNone, kGzip, kBzip2, kXz, kZstd };

// By the first bytes.
Compression CompressionOf(std::string_view head);

// What goes into a reader of packed bytes and what comes out of it.
class Volume {
 public:
  explicit Volume(std::string path) : path_(std::move(path)) {}

  void TakeIn(size_t bytes) { in_ += bytes; }
  // Throws Error beyond the limits.
  void GiveOut(size_t bytes);

 private:
  std::string path_;
  uint64_t in_ = 0;
  uint64_t out_ = 0;
};

// Where a reader of `path` stopped: for members' `damage`, which tells the first place only. `why` may be
// null.
void NoteDamage(const std::string& path, const char* why, std::string* damage);

// One compression: takes packed bytes, gives what is in them.
class Codec;

// The bytes of `source` without one layer of compression; what is not compressed comes out as it is. Ends
// early, with a word in `damage`, where the packed bytes are damaged or cut off.
class CompressionLayer {
 public:
  // Reads the first bytes.
  CompressionLayer(const std::string& path, ReadFn source, std::shared_ptr<std::string> damage);
  CompressionLayer(const CompressionLayer&) = delete;
  CompressionLayer& operator=(const CompressionLayer&) = delete;
  ~CompressionLayer();

  bool is_compressed() const { return kind_ != Compression::kNone; }

  // As a ReadFn. Throws Error beyond the limits, for want of memory, and what the source throws.
  size_t Read(char* buffer, size_t size);

 private:
  void TakeIn();
  bool BeginStream();
  void Stop(const char* why);

  std::string path_;
  ReadFn source_;
  std::shared_ptr<std::string> damage_;
  Volume volume_;
  std::vector<char> buffer_ = std::vector<char>(size_t{64} * 1024);
  std::string_view in_;  // of the buffer, not used yet
  Compression kind_ = Compression::kNone;
  std::unique_ptr<Codec> codec_;
  bool in_stream_ = false;  // codec_ has begun one that has not ended
  bool source_ended_ = false;
  bool ended_ = false;
};

}  // namespace mmreplay
