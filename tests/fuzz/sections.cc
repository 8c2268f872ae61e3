#include "tests/fuzz/sections.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <utility>
#include <vector>

#include "parser/lines.h"
#include "tests/fuzz/target.h"

namespace mmreplay {
namespace {

constexpr std::string_view kHeading = "==== ";

la_ssize_t Append(archive*, void* packed, const void* bytes, size_t size) {
  static_cast<std::string*>(packed)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> SplitSections(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> files;
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end == std::string_view::npos ? end : end + 1);
    text.remove_prefix(line.size());
    if (line.starts_with(kHeading)) {
      std::string_view name = TrimBlanks(line.substr(kHeading.size()));
      if (name.ends_with('\n')) name.remove_suffix(1);
      files.emplace_back(name, "");
    } else if (!files.empty()) {
      files.back().second += line;
    }
  }
  return files;
}

std::string PackSections(std::string_view text) {
  auto files = SplitSections(text);
  if (files.empty()) return std::string(text);
  return Pack(files, ARCHIVE_FILTER_NONE);
}

std::string Pack(const std::vector<std::pair<std::string, std::string>>& files, int filter) {
  std::string packed;
  struct Free {
    void operator()(archive* a) const { archive_write_free(a); }
  };
  std::unique_ptr<archive, Free> tar(archive_write_new());
  archive_write_set_format_ustar(tar.get());
  archive_write_add_filter(tar.get(), filter);
  Require(archive_write_open(tar.get(), &packed, nullptr, Append, nullptr) == ARCHIVE_OK,
          "tar can be written");
  int number = 0;
  for (const auto& [name, content] : files) {
    archive_entry* entry = archive_entry_new();
    std::string path = std::to_string(number++);
    for (char c : name.substr(0, 60)) path += IsDigit(c) || (c >= 'a' && c <= 'z') || c == '.' ? c : '-';
    archive_entry_set_pathname(entry, path.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_write_header(tar.get(), entry);
    archive_entry_free(entry);
    if (!content.empty()) archive_write_data(tar.get(), content.data(), content.size());
  }
  archive_write_close(tar.get());
  return packed;
}

}  // namespace mmreplay
