// Where a result that replaces a file goes.
#pragma once

#include <string>
#include <string_view>

namespace mmreplay {

// The file a name stands for, symbolic links followed: a rename over it keeps the links. Throws Error for
// what is no file to be replaced: a folder, a device, a fifo, a socket. The file need not exist.
std::string OutputFile(const std::string& path);

// Temporary files lie in the folder of this result from now on: see parser/temporary_file.h.
void KeepTemporariesBeside(const std::string& path);

// The file under a temporary name that this process is writing, for a signal handler to remove. `path` must
// live until the next call; nullptr when there is none any more.
void SetPartialOutput(const char* path);
// May be called from a signal handler.
void RemovePartialOutput();

// Throws Error if the name stands for something that is no regular file.
void RequireRegularFile(const std::string& path);

// A result in the making, beside the file it is to become, with mode 0600. Removed unless it is published;
// what a killed run left behind is removed by the next run for the same file.
class PartialFile {
 public:
  explicit PartialFile(const std::string& path);
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  ~PartialFile();

  void Write(std::string_view text);

  // Gives it the name, in place of what had it: from then on, also after a power failure, whoever opens that
  // name has either the old file or all of this one.
  // `before` is called with the name directly before that, if anything.
  void Publish(void (*before)(const std::string&) = nullptr);

  // Gives it the name where nothing has it. False if something has: the file is removed in the end.
  bool PublishNew();

  const std::string& partial() const { return partial_; }
  const std::string& published() const { return final_; }

 private:
  void RemoveStale() const;
  bool Create();
  void Complete() const;
  void Published();

  std::string final_;
  std::string partial_;
  int fd_ = -1;
  bool published_ = false;
};

}  // namespace mmreplay
