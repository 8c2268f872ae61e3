#include "db/output_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "parser/error.h"
#include "parser/temporary_file.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPartialSuffix = ".mmreplay-partial.";

std::string FolderOf(const std::string& path) {
  fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

std::atomic<const char*> partial_output = nullptr;
static_assert(std::atomic<const char*>::is_always_lock_free);

}  // namespace

void SetPartialOutput(const char* path) {
  partial_output = path;
}

void RemovePartialOutput() {
  if (const char* path = partial_output) unlink(path);
}

void RequireRegularFile(const std::string& path) {
  std::error_code ignored;
  switch (fs::status(path, ignored).type()) {
    case fs::file_type::directory:
      throw Error(path + ": is a directory");
    case fs::file_type::fifo:
    case fs::file_type::socket:
    case fs::file_type::block:
    case fs::file_type::character:
      throw Error(path + ": is a device, fifo or socket, and no file");
    default:
      break;
  }
}

std::string OutputFile(const std::string& path) {
  constexpr int kLinks = 40;  // as the kernel follows
  RequireRegularFile(path);
  fs::path target(path);
  for (int i = 0; i < kLinks; ++i) {
    std::error_code error;
    if (!fs::is_symlink(target, error)) return target.string();
    fs::path link = fs::read_symlink(target, error);
    if (error) throw Error(path + ": " + error.message());
    target = link.is_absolute() ? link : target.parent_path() / link;
  }
  throw Error(path + ": is a loop of symbolic links");
}

void KeepTemporariesBeside(const std::string& path) {
  fs::path folder = fs::path(OutputFile(path)).parent_path();
  SetTemporaryFolder(folder.empty() ? "." : folder.string());
}

PartialFile::PartialFile(const std::string& path) : final_(OutputFile(path)) {
  RemoveStale();
  while (!Create()) {
  }
  SetPartialOutput(partial_.c_str());
}

PartialFile::~PartialFile() {
  if (!published_) unlink(partial_.c_str());
  SetPartialOutput(nullptr);
  close(fd_);
}

// False where another run took it for left behind, before it was locked.
bool PartialFile::Create() {
  partial_ = final_ + std::string(kPartialSuffix) + "XXXXXX";
  fd_ = mkostemp(partial_.data(), O_CLOEXEC);
  if (fd_ < 0)
    throw Error(final_ + ": cannot be written: " + Reason(errno) +
                "; keep the result elsewhere, in a folder you may write");
  flock(fd_, LOCK_EX);
  struct stat info {};
  if (fstat(fd_, &info) != 0 || info.st_nlink > 0) return true;
  close(fd_);
  return false;
}

void PartialFile::Write(std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(fd_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw Error(final_ + ": cannot be written: " + Reason(errno));
    text.remove_prefix(static_cast<size_t>(written));
  }
}

// A rename may reach the disk before the bytes do: without this, a power failure can leave the name with an
// empty or torn file, and what a disk refuses only now (of a network file system, over a quota) would go
// unnoticed. It takes as long as the disk needs for the file: 60 ms for the 170 MB of a million events on
// the machine of tests/bench, 1.6 % of the analysis.
void PartialFile::Complete() const {
  mode_t mask = umask(0);
  umask(mask);
  fchmod(fd_, 0666 & ~mask);
  if (fsync(fd_) != 0) throw Error(final_ + ": cannot be written: " + Reason(errno));
}

void PartialFile::Published() {
  published_ = true;
  SetPartialOutput(nullptr);
  // Whether the old or the new file is there after a power failure is settled here, and both are right: that
  // some file systems cannot sync a folder is no error.
  int folder = open(FolderOf(final_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  fsync(folder);
  close(folder);
}

void PartialFile::Publish(void (*before)(const std::string&)) {
  Complete();
  if (before) before(final_);
  if (rename(partial_.c_str(), final_.c_str()) != 0)
    throw Error(final_ + ": cannot be written: " + Reason(errno));
  Published();
}

bool PartialFile::PublishNew() {
  Complete();
  int failed = renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, final_.c_str(), RENAME_NOREPLACE);
  // Network file systems have links in place of it (Linux 6.1, nfs_rename: EINVAL for any flag), and some
  // have neither.
  if (failed != 0 && (errno == EINVAL || errno == ENOSYS)) {
    failed = link(partial_.c_str(), final_.c_str());
    if (failed == 0) unlink(partial_.c_str());
    std::error_code ignored;
    bool neither = failed != 0 && errno != EEXIST && !fs::exists(final_, ignored);
    if (neither) failed = rename(partial_.c_str(), final_.c_str());
  }
  if (failed != 0 && errno == EEXIST) return false;
  if (failed != 0) throw Error(final_ + ": cannot be written: " + Reason(errno));
  Published();
  return true;
}

void PartialFile::RemoveStale() const {
  std::string prefix = fs::path(final_).filename().string() + std::string(kPartialSuffix);
  std::error_code error;
  for (fs::directory_iterator entry(FolderOf(final_), error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(prefix)) continue;
    int fd = open(entry->path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) continue;
    // Its writer holds the lock as long as it lives.
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) unlink(entry->path().c_str());
    close(fd);
  }
}

}  // namespace mmreplay
