#include "db/output_file.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "parser/error.h"
#include "parser/temporary_file.h"

namespace mmreplay {

namespace fs = std::filesystem;

namespace {

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

}  // namespace mmreplay
