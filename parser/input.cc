#include "parser/input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

#include "parser/archive.h"
#include "parser/error.h"
#include "parser/lines.h"
#include "parser/temporary_file.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;

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

}  // namespace

ReadFn OpenFile(const std::string& path) {
  auto file = std::make_shared<Descriptor>(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file->get() < 0) throw Error(path + ": " + Reason(errno));
  return [file, path](char* buffer, size_t size) { return ReadDescriptor(file->get(), path, buffer, size); };
}

namespace {

ReadFn ReadFromStart(std::shared_ptr<SeekableFile> file) {
  return [file = std::move(file), offset = uint64_t{0}](char* buffer, size_t size) mutable -> size_t {
    size_t got = file->ReadAt(offset, buffer, size);
    offset += got;
    return got;
  };
}

std::vector<InputMember> WithCount(std::vector<InputMember> members,
                                   const std::shared_ptr<ReadCount>& bytes) {
  for (InputMember& member : members) member.bytes = bytes;
  return members;
}

// Pipes and the like give each byte once, and so may a file without a size, as those of tracefs and /proc are
// (trace_pipe).
bool GivesOnce(const struct stat& info) {
  return !S_ISREG(info.st_mode) || info.st_size == 0;
}

std::vector<InputMember> OpenOnce(const std::string& name, const ReadFn& input, HeadBudget* heads);

std::vector<InputMember> OpenAny(const std::string& path, HeadBudget* heads) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) throw Error(path + ": " + Reason(errno));
  if (GivesOnce(info)) return OpenOnce(path, OpenFile(path), heads);
  auto bytes = std::make_shared<ReadCount>();
  bytes->total = info.st_size;
  auto open = [path, bytes] { return Counted(OpenFile(path), bytes); };
  bool whole = false;
  std::string head = heads->Read(path, open(), &whole);
  if (IsPacked(head)) return WithCount(ArchiveMembers(path, open, heads), bytes);
  return {{path, std::move(head), whole, open, /*is_file=*/true, bytes}};
}

std::shared_ptr<SeekableFile> Spool(const ReadFn& read, const std::string& name) {
  Descriptor file(OpenTemporaryFile(name));
  std::vector<char> buffer(size_t{256} * 1024);
  while (size_t got = read(buffer.data(), buffer.size()))
    WriteAll(file.get(), {buffer.data(), got}, "temporary file for " + name + " in " + FolderOfTemporaries());
  return std::make_shared<SeekableFile>(file.Release(), name);
}

// The files of tracefs that are emptied by being read, or empty the ring buffer.
bool TakesAway(const std::string& name) {
  constexpr std::string_view kTakers[] = {"trace_pipe", "trace_pipe_raw", "snapshot", "snapshot_raw",
                                          "free_buffer"};
  return std::find(std::begin(kTakers), std::end(kTakers), name) != std::end(kTakers);
}

// A copy of a file of tracefs has a size.
void AddFiles(const std::string& folder, std::vector<std::string>* files) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code none;
    if (!entry->is_regular_file(none)) continue;
    std::string name = entry->path().filename().string();
    if (TakesAway(name) && entry->file_size(none) == 0) continue;
    files->push_back(entry->path().string());
  }
  if (error) throw Error(folder + ": " + error.message());
}

// A trace of all cpus has nothing but its head where it was copied from another buffer, or after its events
// were taken away (trace_pipe).
bool IsHeadAlone(const std::string& trace) {
  std::array<char, size_t{16} * 1024> head;
  std::ifstream file(trace, std::ios::binary);
  file.read(head.data(), head.size());
  auto got = static_cast<size_t>(file.gcount());
  if (!file.eof()) return false;
  bool alone = true;
  ForEachLine({head.data(), got}, [&](std::string_view line) { alone &= line.empty() || line[0] == '#'; });
  return alone;
}

// Beside the one trace of all cpus theirs say the same. What a cpu saw is a part of the recording, also where
// it cannot be read.
void AddFilesOfCpus(const std::string& path, std::vector<std::string>* files) {
  auto trace = std::find(files->begin(), files->end(), (fs::path(path) / "trace").string());
  std::string error;
  std::vector<std::string> of_cpus = FilesOfCpus(path, &error);
  auto is_trace_of_cpu = [](const std::string& file) { return file.ends_with("/trace"); };
  if (trace != files->end() && std::any_of(of_cpus.begin(), of_cpus.end(), is_trace_of_cpu) &&
      IsHeadAlone(*trace)) {
    files->erase(trace);
    trace = files->end();
  }
  bool has_trace = trace != files->end();
  for (std::string& file : of_cpus) {
    bool is_trace = is_trace_of_cpu(file);
    std::error_code none;
    if (is_trace && has_trace) continue;
    if (is_trace || fs::is_regular_file(file, none)) files->push_back(std::move(file));
  }
  if (!error.empty()) throw Error(error);
}

// What is given once is read once; what must be read twice is kept in an unnamed temporary file.
std::vector<InputMember> OpenOnce(const std::string& name, const ReadFn& input, HeadBudget* heads) {
  bool whole = false;
  auto head = std::make_shared<std::string>(heads->Read(name, input, &whole));
  // The file is closed where nothing is left to be read of it.
  auto left = whole ? ReadFn([](char*, size_t) { return size_t{0}; }) : input;
  auto rest = [head, input = std::move(left), at = size_t{0}](char* b, size_t n) mutable -> size_t {
    if (at == head->size()) return input(b, n);
    size_t take = std::min(n, head->size() - at);
    head->copy(b, take, at);
    at += take;
    return take;
  };
  if (!IsPacked(*head)) {
    auto bytes = std::make_shared<ReadCount>();
    return {{name, *head, whole, [rest, bytes] { return Counted(rest, bytes); }, false, bytes}};
  }
  std::shared_ptr<SeekableFile> spool = Spool(rest, name);
  auto open = [spool] { return Counted(ReadFromStart(spool), spool->bytes()); };
  return WithCount(ArchiveMembers(name, open, heads), spool->bytes());
}

}  // namespace

std::vector<std::string> FilesOfCpus(const std::string& folder, std::string* error) {
  std::vector<std::string> files;
  fs::path cpus = fs::path(folder) / "per_cpu";
  std::error_code code;
  if (!fs::is_directory(cpus, code)) return files;
  for (fs::directory_iterator cpu(cpus, code), end; !code && cpu != end; cpu.increment(code)) {
    std::error_code of_file;
    if (!cpu->is_directory(of_file)) continue;
    for (const char* name : {"stats", "trace"}) {
      fs::path file = cpu->path() / name;
      fs::file_type type = fs::symlink_status(file, of_file).type();
      if (type == fs::file_type::none) {
        *error = cpu->path().string() + ": " + of_file.message();
      } else if (type != fs::file_type::not_found) {
        files.push_back(file.string());
      }
    }
  }
  if (code) *error = cpus.string() + ": " + code.message();
  std::sort(files.begin(), files.end());
  return files;
}

std::string HeadBudget::Read(const std::string& input, const ReadFn& read, bool* whole) {
  constexpr size_t kPlenty = size_t{64} << 20;
  constexpr size_t kEnough = size_t{16} * 1024;
  constexpr size_t kEnoughOfCpu = size_t{4} * 1024;
  if (++members_ > kMostFiles)
    throw Error(input + ": more than " + std::to_string(kMostFiles) +
                " files are too many for one recording; give the trace and what belongs to it");
  // What the file of a cpu is shows soon, and there may be thousands.
  bool of_cpu = input.find("per_cpu/cpu") != std::string::npos;
  std::vector<char> buffer(of_cpu ? kEnoughOfCpu : bytes_ < kPlenty ? kHeadBytes : kEnough);
  size_t got = ReadFully(read, buffer.data(), buffer.size());
  *whole = got < buffer.size();
  bytes_ += got;
  return {buffer.data(), got};
}

std::vector<InputMember> OpenInput(const std::string& path) {
  HeadBudget heads;
  if (path == "-") {
    ReadFn input = [path](char* b, size_t n) { return ReadDescriptor(STDIN_FILENO, path, b, n); };
    return OpenOnce(path, input, &heads);
  }
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) throw Error(path + ": " + Reason(errno));
  if (!S_ISDIR(info.st_mode)) return OpenAny(path, &heads);

  std::vector<std::string> files;
  AddFiles(path, &files);
  AddFilesOfCpus(path, &files);
  std::sort(files.begin(), files.end());
  std::vector<InputMember> members;
  for (const std::string& file : files) {
    if (std::error_code none; !fs::is_regular_file(file, none)) {
      members.push_back(UnreadablePart(file));
      continue;
    }
    for (InputMember& member : OpenAny(file, &heads)) members.push_back(std::move(member));
  }
  return members;
}

InputMember UnreadablePart(const std::string& path) {
  auto damage = std::make_shared<const std::string>(path + ": is no file that can be read");
  return {.path = path,
          .head = {},
          .whole = true,
          .open = [] { return ReadFn([](char*, size_t) { return size_t{0}; }); },
          .damage = std::move(damage)};
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

std::shared_ptr<SeekableFile> OpenSeekable(const InputMember& member) {
  if (!member.is_file) return Spool(member.open(), member.path);
  Descriptor file(open(member.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) throw Error(member.path + ": " + Reason(errno));
  return std::make_shared<SeekableFile>(file.Release(), member.path);
}

void Unpack(InputMember* member) {
  if (member->is_file) return;
  std::shared_ptr<SeekableFile> file = OpenSeekable(*member);
  member->open = [file] { return Counted(ReadFromStart(file), file->bytes()); };
  member->bytes = file->bytes();
}

std::optional<std::string> ReadAll(const InputMember& member, size_t limit) {
  if (member.whole) return member.head;
  ReadFn read = member.open();
  std::string text;
  std::vector<char> buffer(size_t{256} * 1024);
  while (size_t got = read(buffer.data(), buffer.size())) {
    if (text.size() + got > limit) return std::nullopt;
    text.append(buffer.data(), got);
  }
  return text;
}

}  // namespace mmreplay
