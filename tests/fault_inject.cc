// A library to be preloaded: makes the Nth call of the program fail, or kills the program there. Which calls
// count is told by the environment:
//   FAULT_COUNTER  a file of eight bytes that counts, over all processes of a run
//   FAULT_CALLS    "write" (what changes files or folders) or "read"
//   FAULT_UNDER    only files below this folder, open ones whatever became of their name
//   FAULT_AT       number of the call, from 1; 0 counts only
//   FAULT_ERROR    an errno, or "kill"
//   FAULT_LASTS    1: what would need room fails from then on, too, as on a full disk
// Nothing here may use the C++ library or stdio: they call what is replaced.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

enum class Call : uint8_t { kRead, kWrite, kRename, kUnlink };

struct Plan {
  std::atomic<uint64_t>* counter = nullptr;
  const char* under = nullptr;
  uint64_t at = 0;
  int error = 0;
  bool kill = false;
  bool lasts = false;
  bool reads = false;
};

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

Plan ReadPlan() {
  Plan plan;
  const char* file = std::getenv("FAULT_COUNTER");
  plan.under = std::getenv("FAULT_UNDER");
  if (!file || !plan.under) return plan;
  auto* real_open = Next<int (*)(const char*, int, ...)>("open");
  int fd = real_open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return plan;
  void* map = mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (map == MAP_FAILED) return plan;
  auto text = [](const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  plan.at = std::strtoull(text("FAULT_AT"), nullptr, 10);
  plan.kill = std::strcmp(text("FAULT_ERROR"), "kill") == 0;
  plan.error = static_cast<int>(std::strtol(text("FAULT_ERROR"), nullptr, 10));
  plan.lasts = std::strcmp(text("FAULT_LASTS"), "1") == 0;
  plan.reads = std::strcmp(text("FAULT_CALLS"), "read") == 0;
  plan.counter = static_cast<std::atomic<uint64_t>*>(map);
  return plan;
}

const Plan& ThePlan() {
  static const Plan plan = ReadPlan();
  return plan;
}

bool IsUnder(const char* path) {
  const char* under = ThePlan().under;
  size_t length = std::strlen(under);
  return path && std::strncmp(path, under, length) == 0;
}

bool IsUnder(int fd) {
  char link[40];
  char path[4096];
  std::snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof(path) - 1);
  if (length <= 0) return false;
  path[length] = '\0';
  return IsUnder(path);
}

// True: the call is to fail, errno says why.
template <typename Place>
bool Fails(Call call, Place place) {
  const Plan& plan = ThePlan();
  if (!plan.counter || plan.reads != (call == Call::kRead)) return false;
  int saved = errno;
  bool counts = IsUnder(place);
  errno = saved;
  if (!counts) return false;
  uint64_t number = ++*plan.counter;
  bool later = plan.lasts && call == Call::kWrite && number > plan.at;
  if (plan.at == 0 || (number != plan.at && !later)) return false;
  if (plan.kill) raise(SIGKILL);
  errno = plan.error;
  return true;
}

}  // namespace

// The names of the C library, and its own types, which are not ours to choose.
extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  static auto real = Next<ssize_t (*)(int, const void*, size_t)>("write");
  return Fails(Call::kWrite, fd) ? -1 : real(fd, data, size);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  static auto real = Next<ssize_t (*)(int, const struct iovec*, int)>("writev");
  return Fails(Call::kWrite, fd) ? -1 : real(fd, parts, count);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  static auto real = Next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return Fails(Call::kWrite, fd) ? -1 : real(fd, data, size, offset);
}

int ftruncate(int fd, off_t size) {
  static auto real = Next<int (*)(int, off_t)>("ftruncate");
  return Fails(Call::kWrite, fd) ? -1 : real(fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  static auto real = Next<int (*)(int, int, off_t, off_t)>("fallocate");
  return Fails(Call::kWrite, fd) ? -1 : real(fd, mode, offset, size);
}

int fsync(int fd) {
  static auto real = Next<int (*)(int)>("fsync");
  return Fails(Call::kWrite, fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
  static auto real = Next<int (*)(int)>("fdatasync");
  return Fails(Call::kWrite, fd) ? -1 : real(fd);
}

int fchmod(int fd, mode_t mode) noexcept {
  static auto real = Next<int (*)(int, mode_t)>("fchmod");
  return Fails(Call::kRename, fd) ? -1 : real(fd, mode);
}

int rename(const char* from, const char* to) noexcept {
  static auto real = Next<int (*)(const char*, const char*)>("rename");
  return Fails(Call::kRename, to) ? -1 : real(from, to);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  static auto real = Next<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  // As a network file system answers.
  if (flags != 0 && std::getenv("FAULT_NO_FLAGS")) {
    errno = EINVAL;
    return -1;
  }
  return Fails(Call::kRename, to) ? -1 : real(from_folder, from, to_folder, to, flags);
}

int link(const char* from, const char* to) noexcept {
  static auto real = Next<int (*)(const char*, const char*)>("link");
  return Fails(Call::kRename, to) ? -1 : real(from, to);
}

int unlink(const char* path) noexcept {
  static auto real = Next<int (*)(const char*)>("unlink");
  return Fails(Call::kUnlink, path) ? -1 : real(path);
}

int mkostemp(char* path, int flags) {
  static auto real = Next<int (*)(char*, int)>("mkostemp");
  return Fails(Call::kWrite, static_cast<const char*>(path)) ? -1 : real(path, flags);
}

ssize_t read(int fd, void* data, size_t size) {
  static auto real = Next<ssize_t (*)(int, void*, size_t)>("read");
  return Fails(Call::kRead, fd) ? -1 : real(fd, data, size);
}

ssize_t pread(int fd, void* data, size_t size, off_t offset) {
  static auto real = Next<ssize_t (*)(int, void*, size_t, off_t)>("pread");
  return Fails(Call::kRead, fd) ? -1 : real(fd, data, size, offset);
}

int open(const char* path, int flags, ...) {
  static auto real = Next<int (*)(const char*, int, ...)>("open");
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  bool creates = (flags & (O_CREAT | __O_TMPFILE)) != 0;
  return Fails(creates ? Call::kWrite : Call::kRead, path) ? -1 : real(path, flags, mode);
}

// The same functions: files are of 64 bits wherever this is run.
static_assert(sizeof(off_t) == sizeof(off64_t));
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) __attribute__((alias("pwrite")));
int ftruncate64(int fd, off64_t size) noexcept __attribute__((alias("ftruncate")));
ssize_t pread64(int fd, void* data, size_t size, off64_t offset) __attribute__((alias("pread")));
int open64(const char* path, int flags, ...) __attribute__((alias("open")));

}  // extern "C"
