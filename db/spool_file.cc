#include "db/spool_file.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "parser/error.h"
#include "parser/temporary_file.h"

namespace mmreplay {
namespace {

size_t ReadUpTo(const SeekableFile& file, uint64_t offset, void* data, size_t size) {
  char* to = static_cast<char*>(data);
  size_t have = 0;
  while (have < size) {
    ssize_t got = pread(file.fd(), to + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(file.name() + ": " + std::generic_category().message(errno));
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  return have;
}

}  // namespace

void ReadExactly(const SeekableFile& file, uint64_t offset, void* data, size_t size) {
  if (ReadUpTo(file, offset, data, size) != size)
    throw Error(file.name() + ": became shorter while it was analysed");
}

SpoolFile::SpoolFile()
    : file_(OpenTemporaryFile("events"), "temporary file for events in " + FolderOfTemporaries()) {}

uint64_t SpoolFile::Reserve(size_t size) {
  return end_.fetch_add(size);
}

void SpoolFile::Write(uint64_t offset, const void* data, size_t size) {
  const char* from = static_cast<const char*>(data);
  while (size > 0) {
    ssize_t wrote = pwrite(file_.fd(), from, size, static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      throw Error(file_.name() + ": " + std::generic_category().message(wrote < 0 ? errno : ENOSPC) +
                  "; TMPDIR names the folder it is in");
    }
    offset += static_cast<uint64_t>(wrote);
    from += wrote;
    size -= static_cast<size_t>(wrote);
  }
}

uint64_t SpoolFile::Append(const void* data, size_t size) {
  uint64_t at = Reserve(size);
  Write(at, data, size);
  return at;
}

size_t SpoolFile::ReadSome(uint64_t offset, void* data, size_t size) const {
  return ReadUpTo(file_, offset, data, size);
}

}  // namespace mmreplay
