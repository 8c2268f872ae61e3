// Where a result that replaces a file goes.
#pragma once

#include <string>

namespace mmreplay {

// The file a name stands for, symbolic links followed: a rename over it keeps the links. Throws Error for
// what is no file to be replaced: a folder, a device, a fifo, a socket. The file need not exist.
std::string OutputFile(const std::string& path);

// Temporary files lie in the folder of this result from now on: see parser/temporary_file.h.
void KeepTemporariesBeside(const std::string& path);

// Throws Error if the name stands for something that is no regular file.
void RequireRegularFile(const std::string& path);

}  // namespace mmreplay
