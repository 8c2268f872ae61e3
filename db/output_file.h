// Where a result that replaces a file goes.
#pragma once

#include <string>

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

}  // namespace mmreplay
