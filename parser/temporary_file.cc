#include "parser/temporary_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "parser/error.h"

namespace mmreplay {
namespace {

constexpr mode_t kOwnerOnly = 0600;

std::string& Chosen() {
  static std::string folder;
  return folder;
}

bool IsUsable(const std::string& folder) {
  struct stat info {};
  return !folder.empty() && stat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode) &&
         access(folder.c_str(), W_OK | X_OK) == 0;
}

}  // namespace

void SetTemporaryFolder(const std::string& folder) {
  Chosen() = folder;
}

std::string FolderOfTemporaries() {
  if (IsUsable(Chosen())) return Chosen();
  const char* asked = std::getenv("TMPDIR");
  if (asked && IsUsable(asked)) return asked;
  return "/tmp";
}

int OpenTemporaryFile(const std::string& purpose) {
  std::string folder = FolderOfTemporaries();
  int fd = open(folder.c_str(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, kOwnerOnly);
  if (fd < 0) {  // not every file system has files without a name
    std::string path = folder + "/mmreplay-XXXXXX";
    fd = mkostemp(path.data(), O_CLOEXEC);
    if (fd >= 0) unlink(path.c_str());
  }
  if (fd < 0) throw Error("temporary file for " + purpose + " in " + folder + ": " + Reason(errno));
  return fd;
}

void WriteAll(int fd, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    ssize_t wrote = write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) throw Error(name + ": " + Reason(errno));
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
}

}  // namespace mmreplay
