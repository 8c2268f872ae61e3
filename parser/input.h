// Where bytes come from: files, standard input, compressed files and archive members, all as one
// callable.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mmreplay {

// Fills up to `size` bytes and returns how many; 0 only at the end. Throws Error.
using ReadFn = std::function<size_t(char* buffer, size_t size)>;

// How far a file has been read, for who looks on from another thread. Of a compressed file and of an archive:
// the bytes as they stand in it.
struct ReadCount {
  std::atomic<int64_t> read = 0;
  std::optional<int64_t> total;  // nullopt for standard input and the like
};

// One readable thing inside what the user named: the file itself, a member of a tar archive, a
// file of a directory. Compression (gzip, bzip2, xz, zstd) is transparent.
struct InputMember {
  std::string path;              // as shown to the user and stored: "dir/trace.txt", "x.tar.xz:trace.txt"
  std::string head;              // its first bytes, up to kHeadBytes
  bool whole;                    // head is all of it
  std::function<ReadFn()> open;  // from its first byte; may be called again, except for stdin
  bool is_file = false;          // path is a file that holds these bytes and nothing else
  std::shared_ptr<ReadCount> bytes = {};  // of what was opened last
};

inline constexpr size_t kHeadBytes = size_t{256} * 1024;

// `path` may be a file, a directory (its regular files, not descending) or "-". Members come sorted
// by path. Throws Error when the path cannot be read.
std::vector<InputMember> OpenInput(const std::string& path);

// Bytes at any offset: what trace.dat and perf.data need, whose tables stand behind the data.
class SeekableFile {
 public:
  // `fd` is owned. `name` is what errors call it.
  SeekableFile(int fd, std::string name);
  SeekableFile(const SeekableFile&) = delete;
  SeekableFile& operator=(const SeekableFile&) = delete;
  ~SeekableFile();

  int fd() const { return fd_; }
  uint64_t size() const { return size_; }
  const std::string& name() const { return name_; }
  // Less than `size` only at the end.
  size_t ReadAt(uint64_t offset, char* buffer, size_t size) const;
  // Where a reader that goes through the file has got to.
  void NoteRead(uint64_t offset) const { bytes_->read = static_cast<int64_t>(offset); }
  const std::shared_ptr<ReadCount>& bytes() const { return bytes_; }
  // Exactly `size` bytes, or empty.
  std::string ReadAt(uint64_t offset, size_t size) const;

 private:
  int fd_;
  std::string name_;
  uint64_t size_ = 0;
  std::shared_ptr<ReadCount> bytes_ = std::make_shared<ReadCount>();
};

// An unnamed file with mode 0600 in the folder for temporary files; the caller owns the descriptor. `name` is
// what errors call it. Throws Error.
int OpenTemporary(const std::string& name);

// The file itself where the member is one; what is compressed, in an archive or on standard input is spooled
// to an unnamed temporary file that only this user can read. Takes standard input.
std::shared_ptr<SeekableFile> OpenSeekable(const InputMember& member);

// All of it, or Error when it is longer than `limit`.
std::string ReadAll(const InputMember& member, size_t limit);

}  // namespace mmreplay
