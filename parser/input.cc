#include "parser/input.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "parser/error.h"

namespace mmreplay {
namespace {

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ > STDERR_FILENO) close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

size_t ReadDescriptor(int fd, const std::string& path, char* buffer, size_t size) {
  for (;;) {
    ssize_t got = read(fd, buffer, size);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) throw Error(path + ": " + Reason(errno));
  }
}

size_t ReadFully(const ReadFn& read, char* buffer, size_t size) {
  size_t filled = 0;
  while (filled < size) {
    size_t got = read(buffer + filled, size - filled);
    if (got == 0) break;
    filled += got;
  }
  return filled;
}

ReadFn Counted(ReadFn read, std::shared_ptr<ReadCount> bytes) {
  bytes->read = 0;
  return [read = std::move(read), bytes = std::move(bytes)](char* buffer, size_t size) {
    size_t got = read(buffer, size);
    bytes->read += static_cast<int64_t>(got);
    return got;
  };
}

ReadFn OpenFile(const std::string& path) {
  auto file = std::make_shared<Descriptor>(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file->get() < 0) throw Error(path + ": " + Reason(errno));
  return [file, path](char* buffer, size_t size) { return ReadDescriptor(file->get(), path, buffer, size); };
}

// libarchive wants to be fed; this keeps what feeds it alive.
class ArchiveReader {
 public:
  ArchiveReader(std::string path, ReadFn source) : path_(std::move(path)), source_(std::move(source)) {
    archive_.reset(archive_read_new());
    if (!archive_) throw Error(path_ + ": out of memory");
    archive_read_support_filter_gzip(archive_.get());
    archive_read_support_filter_bzip2(archive_.get());
    archive_read_support_filter_xz(archive_.get());
    archive_read_support_filter_zstd(archive_.get());
    archive_read_support_format_tar(archive_.get());
    archive_read_support_format_raw(archive_.get());
    if (archive_read_open(archive_.get(), this, nullptr, &ArchiveReader::Feed, nullptr) != ARCHIVE_OK) Fail();
  }

  // Next regular file, or nullptr at the end.
  archive_entry* Next() {
    for (;;) {
      archive_entry* entry = nullptr;
      int status = archive_read_next_header(archive_.get(), &entry);
      if (status == ARCHIVE_EOF) return nullptr;
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) Fail();
      if (is_raw() || archive_entry_filetype(entry) == AE_IFREG) return entry;
    }
  }

  size_t Read(char* buffer, size_t size) {
    la_ssize_t got = archive_read_data(archive_.get(), buffer, size);
    if (got < 0) Fail();
    return static_cast<size_t>(got);
  }

  bool is_raw() const { return archive_format(archive_.get()) == ARCHIVE_FORMAT_RAW; }

 private:
  struct Free {
    void operator()(archive* a) const { archive_read_free(a); }
  };

  static la_ssize_t Feed(archive* a, void* self, const void** data) {
    auto* reader = static_cast<ArchiveReader*>(self);
    try {
      *data = reader->buffer_.data();
      return static_cast<la_ssize_t>(reader->source_(reader->buffer_.data(), reader->buffer_.size()));
    } catch (const Error& error) {
      archive_set_error(a, EIO, "%s", error.what());
      return -1;
    }
  }

  [[noreturn]] void Fail() {
    const char* text = archive_error_string(archive_.get());
    // Whatever there is reads as a file of unknown form; what does not even is nothing at all.
    bool nothing = archive_filter_count(archive_.get()) > 1 && text &&
                   std::string_view(text) == "Unrecognized archive format";
    if (nothing) throw Error(path_ + ": is empty");
    throw Error(path_ + ": " + (text ? text : "damaged archive"));
  }

  std::string path_;
  ReadFn source_;
  std::vector<char> buffer_ = std::vector<char>(size_t{256} * 1024);
  std::unique_ptr<archive, Free> archive_;
};

bool StartsWithBytes(std::string_view head, std::initializer_list<unsigned char> magic) {
  size_t at = 0;
  for (unsigned char byte : magic) {
    if (at >= head.size() || static_cast<unsigned char>(head[at++]) != byte) return false;
  }
  return true;
}

bool IsCompressedOrTar(std::string_view head) {
  return StartsWithBytes(head, {0x1f, 0x8b}) || StartsWithBytes(head, {0xfd, '7', 'z', 'X', 'Z', 0}) ||
         StartsWithBytes(head, {0x28, 0xb5, 0x2f, 0xfd}) || StartsWithBytes(head, {'B', 'Z', 'h'}) ||
         (head.size() > 262 && head.substr(257, 5) == "ustar");
}

std::string ReadHead(const ReadFn& read, bool* whole) {
  std::string head(kHeadBytes, '\0');
  head.resize(ReadFully(read, head.data(), head.size()));
  *whole = head.size() < kHeadBytes;
  return head;
}

// Members of a compressed file or tar, given a way to read it from its start again and again.
std::vector<InputMember> ArchiveMembers(const std::string& path, const std::function<ReadFn()>& open,
                                        const std::shared_ptr<ReadCount>& bytes) {
  std::vector<InputMember> members;
  ArchiveReader reader(path, open());
  size_t index = 0;
  while (archive_entry* entry = reader.Next()) {
    const char* name = archive_entry_pathname(entry);
    std::string member_path = reader.is_raw() ? path : path + ":" + (name ? name : "?");
    bool whole = false;
    std::string head = ReadHead([&](char* b, size_t n) { return reader.Read(b, n); }, &whole);
    auto open_member = [path, open, index]() -> ReadFn {
      auto again = std::make_shared<ArchiveReader>(path, open());
      for (size_t skip = 0; skip <= index; ++skip) {
        if (!again->Next()) throw Error(path + ": changed while it was read");
      }
      return [again](char* b, size_t n) { return again->Read(b, n); };
    };
    members.push_back({std::move(member_path), std::move(head), whole, open_member, false, bytes});
    ++index;
  }
  return members;
}

std::vector<InputMember> OpenRegular(const std::string& path) {
  struct stat info {};
  bool is_file = stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
  auto bytes = std::make_shared<ReadCount>();
  if (is_file) bytes->total = info.st_size;
  auto open = [path, bytes] { return Counted(OpenFile(path), bytes); };
  bool whole = false;
  std::string head = ReadHead(open(), &whole);
  if (IsCompressedOrTar(head)) return ArchiveMembers(path, open, bytes);
  return {{path, std::move(head), whole, open, is_file, bytes}};
}

std::shared_ptr<SeekableFile> Spool(const ReadFn& read, const std::string& name) {
  Descriptor file(OpenTemporary(name));
  std::vector<char> buffer(size_t{256} * 1024);
  while (size_t got = read(buffer.data(), buffer.size())) {
    for (size_t at = 0; at < got;) {
      ssize_t wrote = write(file.get(), buffer.data() + at, got - at);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) throw Error("temporary file for " + name + ": " + Reason(errno));
      at += static_cast<size_t>(wrote);
    }
  }
  return std::make_shared<SeekableFile>(file.Release(), name);
}

// Standard input is read once; what must be read twice is kept in an unnamed temporary file.
std::vector<InputMember> OpenStdin() {
  const std::string name = "-";
  ReadFn input = [name](char* b, size_t n) { return ReadDescriptor(STDIN_FILENO, name, b, n); };
  bool whole = false;
  auto head = std::make_shared<std::string>(ReadHead(input, &whole));
  auto rest = [head, input, at = size_t{0}](char* b, size_t n) mutable -> size_t {
    if (at == head->size()) return input(b, n);
    size_t take = std::min(n, head->size() - at);
    head->copy(b, take, at);
    at += take;
    return take;
  };
  if (!IsCompressedOrTar(*head)) {
    auto bytes = std::make_shared<ReadCount>();
    return {{name, *head, whole, [rest, bytes] { return Counted(rest, bytes); }, false, bytes}};
  }

  std::shared_ptr<SeekableFile> spool = Spool(rest, name);
  auto open = [spool]() -> ReadFn {
    return Counted(
        [spool, offset = uint64_t{0}](char* b, size_t n) mutable -> size_t {
          size_t got = spool->ReadAt(offset, b, n);
          offset += got;
          return got;
        },
        spool->bytes());
  };
  return ArchiveMembers(name, open, spool->bytes());
}

}  // namespace

std::vector<InputMember> OpenInput(const std::string& path) {
  if (path == "-") return OpenStdin();
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) throw Error(path + ": " + Reason(errno));
  if (!S_ISDIR(info.st_mode)) return OpenRegular(path);

  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (entry.is_regular_file(error)) files.push_back(entry.path().string());
  }
  if (error) throw Error(path + ": " + error.message());
  std::sort(files.begin(), files.end());
  std::vector<InputMember> members;
  for (const std::string& file : files) {
    for (InputMember& member : OpenRegular(file)) members.push_back(std::move(member));
  }
  return members;
}

SeekableFile::SeekableFile(int fd, std::string name) : fd_(fd), name_(std::move(name)) {
  struct stat info {};
  if (fstat(fd_, &info) != 0) throw Error(name_ + ": " + Reason(errno));
  size_ = static_cast<uint64_t>(info.st_size);
  bytes_->total = info.st_size;
}

SeekableFile::~SeekableFile() {
  close(fd_);
}

size_t SeekableFile::ReadAt(uint64_t offset, char* buffer, size_t size) const {
  size_t filled = 0;
  while (filled < size && offset + filled < size_) {
    ssize_t got = pread(fd_, buffer + filled, size - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(name_ + ": " + Reason(errno));
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  return filled;
}

std::string SeekableFile::ReadAt(uint64_t offset, size_t size) const {
  if (offset > size_ || size > size_ - offset) return {};
  std::string bytes(size, '\0');
  if (ReadAt(offset, bytes.data(), size) != size) return {};
  return bytes;
}

int OpenTemporary(const std::string& name) {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::temp_directory_path(error);
  std::string path = ((error ? "/tmp" : folder) / "mmreplay-XXXXXX").string();
  int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) throw Error("temporary file for " + name + ": " + Reason(errno));
  unlink(path.c_str());
  return fd;
}

std::shared_ptr<SeekableFile> OpenSeekable(const InputMember& member) {
  if (!member.is_file) return Spool(member.open(), member.path);
  Descriptor file(open(member.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) throw Error(member.path + ": " + Reason(errno));
  return std::make_shared<SeekableFile>(file.Release(), member.path);
}

std::string ReadAll(const InputMember& member, size_t limit) {
  if (member.whole) return member.head;
  ReadFn read = member.open();
  std::string text;
  std::vector<char> buffer(size_t{256} * 1024);
  while (size_t got = read(buffer.data(), buffer.size())) {
    if (text.size() + got > limit) {
      throw Error(member.path + ": longer than " + std::to_string(limit >> 20) +
                  " MiB, too long for a side file");
    }
    text.append(buffer.data(), got);
  }
  return text;
}

}  // namespace mmreplay
