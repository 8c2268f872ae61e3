// Files that are gone with the program, however it ends: they have no name, and only their user can read
// them.
#pragma once

#include <string>
#include <string_view>

namespace mmreplay {

// Where they lie from now on, SQLite's own among them: the folder of the result, which has room for it. Set
// before the first is made, and before there are threads.
void SetTemporaryFolder(const std::string& folder);

// What was set, else $TMPDIR, else /tmp. A folder nothing can be written to is passed over.
std::string FolderOfTemporaries();

// An open descriptor. Throws Error, which names what it was for.
int OpenTemporaryFile(const std::string& purpose);

// At the end of what was written to it. Throws Error that calls the file `name`.
void WriteAll(int fd, std::string_view bytes, const std::string& name);

}  // namespace mmreplay
