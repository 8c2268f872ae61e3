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

// A file from its first byte. Throws Error for one that cannot be opened.
ReadFn OpenFile(const std::string& path);

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
  std::function<ReadFn()> open;  // from its first byte; may be called again, except for stdin and pipes
  bool is_file = false;          // path is a file that holds these bytes and nothing else
  std::shared_ptr<ReadCount> bytes = {};  // of what was opened last
  // Of what is unpacked: empty, until reading comes to where the packed file is damaged or cut off; then a
  // sentence that says so. Members end there as if that were their end.
  std::shared_ptr<const std::string> damage = {};
};

inline constexpr size_t kHeadBytes = size_t{256} * 1024;

// Bounds what the heads of one input's many members take. Of those that come late a few pages must do.
class HeadBudget {
 public:
  // Throws Error where `input` has more members than are read.
  std::string Read(const std::string& input, const ReadFn& read, bool* whole);

 private:
  size_t members_ = 0;
  size_t bytes_ = 0;
};

// What a folder copied from tracefs has of single cpus: per_cpu/cpu*/stats and trace, whatever is there by
// that name, sorted. `error` says what cannot be looked into, and why.
std::vector<std::string> FilesOfCpus(const std::string& folder, std::string* error);

// `path` may be a file, a pipe, a directory (its regular files, and those of per_cpu/cpu*, not descending
// otherwise) or "-". Members come sorted
// by path. Throws Error when the path cannot be read or exceeds the limits of parser/archive.h.
std::vector<InputMember> OpenInput(const std::string& path);

// Of a recording of which one part is a directory, a fifo or a link to nowhere: nothing, and damaged.
InputMember UnreadablePart(const std::string& path);

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

// The file itself where the member is one; what is compressed, in an archive or on standard input is spooled
// to a temporary file. Takes standard input.
std::shared_ptr<SeekableFile> OpenSeekable(const InputMember& member);

// Unpacks a member into a temporary file and has it read from there: unpackers take megabytes each, too many
// for a member per cpu.
void Unpack(InputMember* member);

// All of it; nullopt when it is longer than `limit`.
std::optional<std::string> ReadAll(const InputMember& member, size_t limit);

}  // namespace mmreplay
