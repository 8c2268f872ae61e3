#include "parser/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <memory>
#include <utility>

#include "parser/compression.h"
#include "parser/error.h"

namespace mmreplay {
namespace {

// What libarchive may read to understand one member's description (names, maps of sparse files), which it
// keeps in memory.
constexpr uint64_t kDescriptionMost = uint64_t{4} << 20;

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using ArchiveHandle = std::unique_ptr<archive, FreeArchive>;

ArchiveHandle NewArchive(const std::string& path) {
  ArchiveHandle handle(archive_read_new());
  if (!handle) throw Error(path + ": out of memory");
  return handle;
}

// By what POSIX put into the head, or, before that (tar --format=v7), by the sum of the head's bytes.
bool IsTar(std::string_view head) {
  constexpr size_t kHead = 512;
  constexpr size_t kSumAt = 148;
  constexpr size_t kSumBytes = 8;
  if (head.size() > 262 && head.substr(257, 5) == "ustar") return true;
  if (head.size() < kHead || head[0] == '\0') return false;
  uint64_t sum = 0;
  uint64_t told = 0;
  size_t digits = 0;
  for (size_t i = 0; i < kHead; ++i) {
    bool of_sum = i >= kSumAt && i < kSumAt + kSumBytes;
    char c = head[i];
    sum += of_sum ? ' ' : static_cast<unsigned char>(c);
    if (!of_sum) continue;
    if (c >= '0' && c <= '7') {
      told = told * 8 + static_cast<uint64_t>(c - '0');
      ++digits;
    } else if (c != ' ' && c != '\0') {
      return false;
    }
  }
  return digits >= 3 && sum == told;
}

bool HasFailed(int status) {
  return status < ARCHIVE_OK && status != ARCHIVE_WARN;
}

// The bytes of a file, unpacked where they are compressed. Ends early, with a word in `damage`, where they
// are damaged.
class Unpacker {
 public:
  Unpacker(const std::string& path, ReadFn source, const std::shared_ptr<std::string>& damage)
      : volume_(path) {
    ReadFn bytes = [this, source = std::move(source)](char* buffer, size_t size) {
      size_t got = source(buffer, size);
      volume_.TakeIn(got);
      return got;
    };
    do {
      if (layers_.size() > size_t{kMostLayers})
        throw Error(path + ": is compressed " + std::to_string(layers_.size()) + " times over" +
                    kUnpackYourself);
      layers_.push_back(std::make_unique<CompressionLayer>(path, std::move(bytes), damage));
      bytes = [layer = layers_.back().get()](char* buffer, size_t size) { return layer->Read(buffer, size); };
    } while (layers_.back()->is_compressed());
  }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  // The next piece, which is there until the next call; empty at the end.
  std::string_view Next() {
    size_t got = layers_.back()->Read(buffer_.data(), buffer_.size());
    volume_.GiveOut(got);
    return {buffer_.data(), got};
  }

 private:
  Volume volume_;
  std::vector<std::unique_ptr<CompressionLayer>> layers_;  // the last one is none
  std::vector<char> buffer_ = std::vector<char>(size_t{64} * 1024);
};

// The files in it one after the other. What is no tar is one file.
class ArchiveReader {
 public:
  ArchiveReader(const std::string& path, ReadFn source, const std::shared_ptr<std::string>& damage)
      : path_(path),
        damage_(damage),
        unpacker_(path, std::move(source), damage),
        expanded_(path),
        archive_(NewArchive(path)) {
    archive* a = archive_.get();
    archive_read_support_format_tar(a);
    archive_read_support_format_raw(a);
    archive_read_support_format_empty(a);
    if (HasFailed(archive_read_open(a, this, nullptr, &ArchiveReader::Feed, nullptr))) Stop();
  }
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;

  // The next regular file, nullptr at the end.
  archive_entry* Next() {
    while (!ended_) {
      // libarchive would pass over the rest of a file by itself, however much that is.
      while (inside_) ReadBlock();
      archive_entry* entry = nullptr;
      fed_ = 0;
      int status = archive_read_next_header(archive_.get(), &entry);
      if (status == ARCHIVE_EOF) {
        ended_ = true;
        LookBehindTheEnd();
      }
      if (status == ARCHIVE_RETRY && !failure_) {
        // A description that makes no sense: libarchive looks for the next one a block further on.
        NoteDamage(path_, archive_error_string(archive_.get()), damage_.get());
        continue;
      }
      // What fails while libarchive looks what it is reading looks like an end to it.
      if (failure_ || HasFailed(status)) Stop();
      if (ended_) break;
      inside_ = true;
      read_ = hole_end_ = 0;
      block_ = {};
      bool regular = archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry);
      if (is_raw() || regular) return entry;
    }
    return nullptr;
  }

  // Fills up to `size` bytes of the file, 0 only at its end. Not by archive_read_data: where that comes upon
  // damage it keeps what it has read to itself.
  size_t Read(char* buffer, size_t size) {
    while (inside_ && block_.empty() && read_ == hole_end_) ReadBlock();
    size_t hole = std::min<uint64_t>(size, hole_end_ - read_);
    size_t take = hole > 0 ? hole : std::min(size, block_.size());
    if (hole > 0) {
      std::fill_n(buffer, hole, '\0');
    } else {
      block_.copy(buffer, take);
      block_.remove_prefix(take);
      hole_end_ += take;
    }
    read_ += take;
    // The holes of a sparse file come out of nothing.
    expanded_.GiveOut(take);
    return take;
  }

  bool is_empty() const { return archive_format(archive_.get()) == ARCHIVE_FORMAT_EMPTY; }
  bool is_raw() const { return archive_format(archive_.get()) == ARCHIVE_FORMAT_RAW; }

 private:
  static la_ssize_t Feed(archive* a, void* self, const void** data) {
    auto* reader = static_cast<ArchiveReader*>(self);
    try {
      std::string_view piece = reader->unpacker_.Next();
      reader->expanded_.TakeIn(piece.size());
      reader->fed_ += piece.size();
      reader->fed_in_all_ += piece.size();
      reader->piece_ = piece;
      size_t text = piece.find_last_not_of('\0') + 1;  // 0 where there are zeros only
      reader->zeros_ = piece.size() - text + (text == 0 ? reader->zeros_ : 0);
      if (reader->fed_ > kDescriptionMost)
        throw Error(reader->path_ + ": describes a file in more than " +
                    std::to_string(kDescriptionMost >> 20) + " MiB" + kUnpackYourself);
      *data = piece.data();
      return static_cast<la_ssize_t>(piece.size());
    } catch (...) {
      reader->failure_ = std::current_exception();
      archive_set_error(a, EIO, "cannot be read");
      return -1;
    }
  }

  // The next block of the file, and the hole before it. At the end there may be a hole, too.
  void ReadBlock() {
    const void* data = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    fed_ = 0;
    block_ = {};
    int status = archive_read_data_block(archive_.get(), &data, &size, &offset);
    if (HasFailed(status)) return Stop();
    if (status == ARCHIVE_EOF) {
      inside_ = false;
    } else {
      block_ = {static_cast<const char*>(data), size};
    }
    hole_end_ = std::max(hole_end_, static_cast<uint64_t>(std::max<la_int64_t>(offset, 0)));
  }

  // Behind the two blocks of zeros that end a tar stand zeros, if anything. What libarchive has not used
  // stands at the end of what it was fed last.
  void LookBehindTheEnd() {
    if (is_raw() || is_empty()) return;
    auto used = static_cast<uint64_t>(std::max<la_int64_t>(archive_filter_bytes(archive_.get(), -1), 0));
    size_t rest =
        static_cast<size_t>(std::min<uint64_t>(fed_in_all_ - std::min(used, fed_in_all_), piece_.size()));
    std::string_view behind = piece_.substr(piece_.size() - rest);
    bool more = behind.find_first_not_of('\0') != std::string_view::npos;
    // It may be cut off where a member ends.
    constexpr uint64_t kBlock = 512;
    if (!more && zeros_ < kBlock)
      return NoteDamage(path_, "it ends without the blocks of zeros that end an archive", damage_.get());
    while (!more) {
      behind = unpacker_.Next();
      if (behind.empty()) return;
      more = behind.find_first_not_of('\0') != std::string_view::npos;
    }
    NoteDamage(path_, "what stands behind the end of the archive is no part of it", damage_.get());
  }

  void Stop() {
    ended_ = true;
    inside_ = false;
    if (failure_) std::rethrow_exception(failure_);
    NoteDamage(path_, archive_error_string(archive_.get()), damage_.get());
  }

  std::string path_;
  std::shared_ptr<std::string> damage_;
  Unpacker unpacker_;
  Volume expanded_;
  std::exception_ptr failure_;
  ArchiveHandle archive_;
  uint64_t fed_in_all_ = 0;
  uint64_t zeros_ = 0;      // at the end of what was fed
  std::string_view piece_;  // fed last; stays until the next is asked for
  uint64_t fed_ = 0;        // since libarchive was last asked for something
  std::string_view block_;  // of the file, not handed out yet; stands behind the hole
  uint64_t read_ = 0;       // bytes handed out
  uint64_t hole_end_ = 0;   // zeros up to here
  bool inside_ = false;
  bool ended_ = false;
};

// An archive whose members are read in whatever order, but mostly in its own: a reader that has done with one
// goes on to a later one, so that reading all of them unpacks it once.
class Archive : public std::enable_shared_from_this<Archive> {
 public:
  Archive(std::string path, std::function<ReadFn()> open)
      : path_(std::move(path)), open_(std::move(open)), damage_(std::make_shared<std::string>()) {}

  const std::shared_ptr<std::string>& damage() const { return damage_; }

  std::unique_ptr<ArchiveReader> OpenReader() const {
    return std::make_unique<ArchiveReader>(path_, open_(), damage_);
  }

  ReadFn OpenMember(size_t index) {
    auto lease = std::make_shared<Lease>();
    lease->archive = shared_from_this();
    size_t at = 0;
    if (idle_ && idle_at_ <= index) {
      lease->reader = std::move(idle_);
      at = idle_at_;
    } else {
      idle_.reset();  // it stands behind what is wanted, and takes megabytes
      lease->reader = OpenReader();
    }
    for (; at <= index; ++at) {
      if (!lease->reader->Next()) throw Error(path_ + ": changed while it was read");
    }
    lease->next = at;
    return [lease](char* buffer, size_t size) { return lease->reader->Read(buffer, size); };
  }

 private:
  // Gives the reader back.
  struct Lease {
    Lease() = default;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (next == 0) return;
      archive->idle_ = std::move(reader);
      archive->idle_at_ = next;
    }
    std::shared_ptr<Archive> archive;
    std::unique_ptr<ArchiveReader> reader;
    size_t next = 0;
  };

  std::string path_;
  std::function<ReadFn()> open_;
  std::shared_ptr<std::string> damage_;
  std::unique_ptr<ArchiveReader> idle_;
  size_t idle_at_ = 0;  // the member it comes to next
};

// As it stands in the archive; in a locale that cannot say it, as the UTF-8 it is said to be.
std::string NameOf(archive_entry* entry) {
  if (const char* name = archive_entry_pathname(entry)) return name;
  const char* name = archive_entry_pathname_utf8(entry);
  return name ? name : "?";
}

}  // namespace

bool IsPacked(std::string_view head) {
  return CompressionOf(head) != Compression::kNone || IsTar(head);
}

const char* OtherPackage(std::string_view head) {
  struct Package {
    std::string_view magic;
    const char* name;
  };
  static constexpr std::array kPackages = {Package{"PK\x03\x04", "zip archive"},
                                           Package{"PK\x05\x06", "zip archive"},
                                           Package{"7z\xbc\xaf\x27\x1c", "7z archive"},
                                           Package{"Rar!\x1a\x07", "rar archive"},
                                           Package{"070701", "cpio archive"},
                                           Package{"070702", "cpio archive"},
                                           Package{"070707", "cpio archive"},
                                           Package{"\xc7\x71", "cpio archive"},
                                           Package{"!<arch>\n", "ar archive"},
                                           Package{"\x04\x22\x4d\x18", "lz4 file"},
                                           Package{"\x1f\x9d", "file of compress (.Z)"},
                                           Package{"LZIP", "lzip file"}};
  for (const Package& package : kPackages) {
    if (head.starts_with(package.magic)) return package.name;
  }
  return nullptr;
}

std::vector<InputMember> ArchiveMembers(const std::string& path, std::function<ReadFn()> open,
                                        HeadBudget* heads) {
  auto archive = std::make_shared<Archive>(path, std::move(open));
  std::vector<InputMember> members;
  // Of 4,096 files; a system's own paths have 4,096 bytes at most.
  constexpr size_t kLongestNames = size_t{16} << 20;
  size_t names = 0;
  std::unique_ptr<ArchiveReader> reader = archive->OpenReader();
  while (archive_entry* entry = reader->Next()) {
    std::string member_path = reader->is_raw() ? path : path + ":" + NameOf(entry);
    names += member_path.size();
    if (names > kLongestNames)
      throw Error(path + ": the names of its files have more than " + std::to_string(kLongestNames >> 20) +
                  " MiB");
    bool whole = false;
    std::string head = heads->Read(
        path, [&](char* b, size_t n) { return reader->Read(b, n); }, &whole);
    if (reader->is_raw() && IsTar(head)) {
      NoteDamage(path, "the description of its first file makes no sense", archive->damage().get());
      head.clear();
    }
    size_t index = members.size();
    members.push_back({.path = std::move(member_path),
                       .head = std::move(head),
                       .whole = whole,
                       .open = [archive, index] { return archive->OpenMember(index); },
                       .damage = archive->damage()});
  }
  bool damaged = !archive->damage()->empty();
  bool nothing = members.empty() || (members.size() == 1 && members[0].head.empty());
  if (nothing && (damaged || reader->is_empty())) {
    auto open_nothing = []() -> ReadFn { return [](char*, size_t) { return size_t{0}; }; };
    return {{.path = path, .head = {}, .whole = true, .open = open_nothing, .damage = archive->damage()}};
  }
  return members;
}

}  // namespace mmreplay
