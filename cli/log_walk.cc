#include "cli/log_walk.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "parser/error.h"
#include "parser/input.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;
using Inode = std::pair<dev_t, ino_t>;

const char* KindText(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFIFO:
      return "is a fifo";
    case S_IFSOCK:
      return "is a socket";
    case S_IFBLK:
      return "is a block device";
    case S_IFCHR:
      return "is a character device";
    default:
      return "is no regular file";
  }
}

class Walker {
 public:
  void Visit(const std::string& path) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) return Refuse(path, Reason(errno));
    if (S_ISDIR(info.st_mode)) return VisitFolder(path, info, true);
    if (TakeFile(path, info)) walk_.entries.push_back({.kind = WalkEntry::Kind::kFile, .path = path});
  }

  Walk Take() { return std::move(walk_); }

 private:
  void Refuse(const std::string& path, std::string reason) {
    ++walk_.files;
    AddRefusal(path, std::move(reason));
  }

  void AddRefusal(const std::string& path, std::string reason) {
    walk_.entries.push_back({.kind = WalkEntry::Kind::kRefused, .path = path, .reason = std::move(reason)});
  }

  // False for what is no log: refused, or met before.
  bool TakeFile(const std::string& path, const struct stat& info) {
    if (!S_ISREG(info.st_mode)) {
      Refuse(path, KindText(info.st_mode));
      return false;
    }
    ++walk_.files;
    bool first = files_.insert({info.st_dev, info.st_ino}).second;
    struct stat link {};
    bool is_link = lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode);
    // Names of a hard link are names of their own.
    if (first || (info.st_nlink > 1 && !is_link)) return true;
    ++walk_.files_again;
    return false;
  }

  void VisitFolder(const std::string& path, const struct stat& info, bool given) {
    if (!folders_.insert({info.st_dev, info.st_ino}).second) {
      ++walk_.folders_again;
      return;
    }
    struct CloseFolder {
      void operator()(DIR* folder) const { closedir(folder); }
    };
    std::unique_ptr<DIR, CloseFolder> folder(opendir(path.c_str()));
    if (!folder) return AddFolderRefusal(path, Reason(errno));
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(folder.get())) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
      errno = 0;
    }
    int error = errno;
    folder.reset();  // however deep the tree is, one is open at a time
    if (error != 0) AddFolderRefusal(path, Reason(error));
    if (names.empty() && given && error == 0) AddFolderRefusal(path, "has no files in it");
    std::sort(names.begin(), names.end());
    VisitNames(path.ends_with('/') ? path : path + "/", names, path);
  }

  // A folder is no file, but its refusal is a result.
  void AddFolderRefusal(const std::string& path, std::string reason) {
    ++walk_.files;
    AddRefusal(path, std::move(reason));
  }

  // The files of the cpus are parts of the recording in the folder: see OpenInput. Beside a trace of all cpus
  // theirs say the same.
  void AddFilesOfCpus(const std::string& prefix, std::vector<std::string>* files) {
    std::string error;  // who visits the folder says it
    std::vector<std::string> of_cpus = FilesOfCpus(prefix, &error);
    std::error_code code;
    bool has_trace = !of_cpus.empty() && fs::is_regular_file(prefix + "trace", code);
    for (std::string& path : of_cpus) {
      struct stat info {};
      bool regular = stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
      if (!regular && (has_trace || !path.ends_with("/trace"))) continue;
      of_cpus_.insert(path);
      if (!regular) {  // what a cpu saw is missing then
        ++walk_.files;
        files->push_back(std::move(path));
        continue;
      }
      if (!TakeFile(path, info)) continue;
      if (path.ends_with("/trace") && has_trace) {
        ++walk_.files_again;
      } else {
        files->push_back(std::move(path));
      }
    }
  }

  void VisitNames(const std::string& prefix, const std::vector<std::string>& names, const std::string& path) {
    std::vector<std::string> files;
    std::vector<std::pair<std::string, struct stat>> below;
    AddFilesOfCpus(prefix, &files);
    for (const std::string& name : names) {
      std::string child = prefix + name;
      if (of_cpus_.contains(child)) continue;
      struct stat info {};
      if (stat(child.c_str(), &info) != 0) {
        Refuse(child, Reason(errno));
      } else if (S_ISDIR(info.st_mode)) {
        below.emplace_back(std::move(child), info);
      } else if (TakeFile(child, info)) {
        files.push_back(std::move(child));
      }
    }
    if (files.size() == 1) walk_.entries.push_back({.kind = WalkEntry::Kind::kFile, .path = files.front()});
    if (files.size() > 1)
      walk_.entries.push_back({.kind = WalkEntry::Kind::kFolder, .path = path, .files = std::move(files)});
    for (const auto& [child, info] : below) VisitFolder(child, info, false);
  }

  Walk walk_;
  std::set<Inode> files_;
  std::set<Inode> folders_;
  std::set<std::string> of_cpus_;  // files that belong to what is in a folder above theirs
};

}  // namespace

Walk WalkPaths(const std::vector<std::string>& paths) {
  Walker walker;
  for (const std::string& path : paths) walker.Visit(path);
  return walker.Take();
}

std::vector<std::string> ReadPathList(bool nul_separated) {
  std::vector<std::string> paths;
  std::string path;
  std::vector<char> buffer(size_t{64} * 1024);
  auto end_path = [&] {
    if (!nul_separated && path.ends_with('\r')) path.pop_back();
    if (!path.empty()) paths.push_back(path);
    path.clear();
  };
  for (;;) {
    ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error("standard input: " + Reason(errno));
    if (got == 0) break;
    for (ssize_t i = 0; i < got; ++i) {
      char c = buffer[static_cast<size_t>(i)];
      if (c == (nul_separated ? '\0' : '\n')) {
        end_path();
      } else {
        path += c;
      }
    }
  }
  end_path();
  return paths;
}

}  // namespace mmreplay
