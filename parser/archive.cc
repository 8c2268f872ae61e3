#include "parser/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <lzma.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <memory>
#include <utility>

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

constexpr const char* kUnpackYourself = "; unpack it yourself, if you trust it, and give what is inside";

bool HasFailed(int status) {
  return status < ARCHIVE_OK && status != ARCHIVE_WARN;
}

bool StartsWithBytes(std::string_view head, std::initializer_list<unsigned char> magic) {
  size_t at = 0;
  for (unsigned char byte : magic) {
    if (at >= head.size() || static_cast<unsigned char>(head[at++]) != byte) return false;
  }
  return true;
}

bool IsXz(std::string_view head) {
  return StartsWithBytes(head, {0xfd, '7', 'z', 'X', 'Z', 0});
}

// Where a reader of `path` stopped: for members' `damage`, which tells the first place only.
void NoteDamage(const std::string& path, const char* why, std::string* damage) {
  if (damage->empty()) *damage = path + ": is damaged or cut off (" + (why ? why : "it makes no sense") + ")";
}

// What goes into a reader of packed bytes and what comes out of it.
class Volume {
 public:
  explicit Volume(std::string path) : path_(std::move(path)) {}

  void TakeIn(size_t bytes) { in_ += bytes; }
  // Throws Error beyond the limits.
  void GiveOut(size_t bytes) {
    out_ += bytes;
    if (out_ > kUnpackedMost)
      throw Error(path_ + ": unpacks to more than " + std::to_string(kUnpackedMost >> 30) + " GiB" +
                  kUnpackYourself);
    if (out_ > kUnpackedFree && out_ / kUnpackedRatio > in_)
      throw Error(path_ + ": unpacks to more than " + std::to_string(kUnpackedRatio) +
                  " times its size: no trace compresses like that" + kUnpackYourself);
  }

 private:
  std::string path_;
  uint64_t in_ = 0;
  uint64_t out_ = 0;
};

// The bytes of an xz file, unpacked, and those of any other as they are. By liblzma itself: libarchive lets
// an xz file take a GiB, and each of its blocks may ask for more than the one before. Ends early, with a word
// in `damage`, where they are damaged.
class XzReader {
 public:
  XzReader(const std::string& path, ReadFn source, std::shared_ptr<std::string> damage)
      : path_(path), source_(std::move(source)), damage_(std::move(damage)), volume_(path) {}
  XzReader(const XzReader&) = delete;
  XzReader& operator=(const XzReader&) = delete;
  ~XzReader() { lzma_end(&stream_); }

  // Whether they are those of an xz file, once the first are read.
  bool is_xz() const { return is_xz_; }

  // As a ReadFn.
  size_t Read(char* buffer, size_t size) {
    if (!begun_) Begin();
    if (!is_xz_) return AsTheyAre(buffer, size);
    stream_.next_out = reinterpret_cast<uint8_t*>(buffer);
    stream_.avail_out = size;
    while (!ended_ && stream_.avail_out == size) {
      if (stream_.avail_in == 0 && !source_ended_) TakeIn();
      Step();
    }
    size_t got = size - stream_.avail_out;
    volume_.GiveOut(got);
    return got;
  }

 private:
  void Begin() {
    begun_ = true;
    constexpr size_t kMagicBytes = 6;
    while (stream_.avail_in < kMagicBytes && !source_ended_) TakeIn();
    is_xz_ = IsXz({buffer_.data(), stream_.avail_in});
    if (is_xz_ && lzma_stream_decoder(&stream_, kXzMemoryMost, LZMA_CONCATENATED) != LZMA_OK)
      throw Error(path_ + ": out of memory");
  }

  size_t AsTheyAre(char* buffer, size_t size) {
    if (stream_.avail_in == 0) return source_(buffer, size);
    size_t take = std::min(size, stream_.avail_in);
    std::copy_n(stream_.next_in, take, buffer);
    stream_.next_in += take;
    stream_.avail_in -= take;
    return take;
  }

  // Behind what is there, or in place of what is used up.
  void TakeIn() {
    char* to = buffer_.data() + stream_.avail_in;
    size_t got = source_(to, buffer_.size() - stream_.avail_in);
    volume_.TakeIn(got);
    source_ended_ = got == 0;
    stream_.next_in = reinterpret_cast<const uint8_t*>(buffer_.data());
    stream_.avail_in += got;
  }

  void Step() {
    lzma_ret status = lzma_code(&stream_, source_ended_ ? LZMA_FINISH : LZMA_RUN);
    const char* why = nullptr;
    switch (status) {
      case LZMA_OK:
      case LZMA_GET_CHECK:
        return;
      case LZMA_STREAM_END:
        ended_ = true;
        return;
      case LZMA_MEMLIMIT_ERROR:
        throw Error(path_ + ": takes " + std::to_string(lzma_memusage(&stream_) >> 20) +
                    " MiB to unpack, more than " + std::to_string(kXzMemoryMost >> 20) + kUnpackYourself);
      case LZMA_MEM_ERROR:
        throw Error(path_ + ": out of memory");
      case LZMA_BUF_ERROR:
        if (!source_ended_) return;
        why = "it ends before its end";
        break;
      case LZMA_FORMAT_ERROR:
        why = "what stands behind the end of its packed bytes makes no sense";
        break;
      case LZMA_OPTIONS_ERROR:
        why = "packed in a way that is not known";
        break;
      default:
        why = "its packed bytes make no sense";
    }
    ended_ = true;
    NoteDamage(path_, why, damage_.get());
  }

  std::string path_;
  ReadFn source_;
  std::shared_ptr<std::string> damage_;
  Volume volume_;
  std::vector<char> buffer_ = std::vector<char>(size_t{64} * 1024);
  lzma_stream stream_ = LZMA_STREAM_INIT;  // its input: bytes of the buffer that are not used yet
  bool begun_ = false;
  bool is_xz_ = false;
  bool source_ended_ = false;
  bool ended_ = false;
};

// The bytes of a file, unpacked where they are compressed. Ends early, with a word in `damage`, where they
// are damaged.
class Unpacker {
 public:
  Unpacker(const std::string& path, ReadFn source, std::shared_ptr<std::string> damage)
      : path_(path),
        source_(std::move(source)),
        damage_(damage),
        volume_(path),
        xz_(
            path, [this](char* buffer, size_t size) { return TakeIn(buffer, size); }, std::move(damage)),
        archive_(NewArchive(path)) {
    archive* a = archive_.get();
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_raw(a);
    archive_read_support_format_empty(a);
    archive_entry* entry = nullptr;
    int status = archive_read_open(a, this, nullptr, &Unpacker::Feed, nullptr);
    if (!HasFailed(status)) status = archive_read_next_header(a, &entry);
    if (HasFailed(status)) {
      Stop();
      return;
    }
    ended_ = status == ARCHIVE_EOF;
    // One of its own filters is libarchive's reading of the file.
    int layers = archive_filter_count(a) - 1 + (xz_.is_xz() ? 1 : 0);
    if (layers > kMostLayers)
      throw Error(path_ + ": is compressed " + std::to_string(layers) + " times over" + kUnpackYourself);
  }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  // The next piece, which is there until the next call; empty at the end.
  std::string_view Next() {
    if (ended_) return {};
    const void* data = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    do {
      int status = archive_read_data_block(archive_.get(), &data, &size, &offset);
      if (status == ARCHIVE_EOF) {
        ended_ = true;
        LookBehindTheEnd();
        return {};
      }
      if (HasFailed(status)) {
        Stop();
        return {};
      }
    } while (size == 0);
    volume_.GiveOut(size);
    return {static_cast<const char*>(data), size};
  }

 private:
  static la_ssize_t Feed(archive* a, void* self, const void** data) {
    auto* unpacker = static_cast<Unpacker*>(self);
    try {
      std::vector<char>& buffer = unpacker->buffer_;
      size_t got = unpacker->xz_.Read(buffer.data(), buffer.size());
      unpacker->fed_ += got;
      if (got > 0) unpacker->last_fed_ = got;
      *data = buffer.data();
      return static_cast<la_ssize_t>(got);
    } catch (...) {  // libarchive is C: nothing may be thrown through it
      unpacker->failure_ = std::current_exception();
      archive_set_error(a, EIO, "cannot be read");
      return -1;
    }
  }

  size_t TakeIn(char* buffer, size_t size) {
    size_t got = source_(buffer, size);
    volume_.TakeIn(got);
    return got;
  }

  // The file cannot be read, or its bytes make no sense.
  void Stop() {
    ended_ = true;
    if (failure_) std::rethrow_exception(failure_);
    NoteDamage(path_, archive_error_string(archive_.get()), damage_.get());
  }

  // Behind the end of packed bytes other packed bytes may follow (cat a.gz b.gz); where they make no sense,
  // libarchive takes the end for the file's. Padding is of zeros.
  void LookBehindTheEnd() {
    if (archive_filter_count(archive_.get()) < 2) return;
    auto used = static_cast<uint64_t>(std::max<la_int64_t>(archive_filter_bytes(archive_.get(), -1), 0));
    size_t rest = static_cast<size_t>(std::min<uint64_t>(fed_ - std::min(used, fed_), last_fed_));
    auto has_words = [](const char* at, size_t size) {
      return std::any_of(at, at + size, [](char c) { return c != '\0'; });
    };
    bool more = has_words(buffer_.data() + (last_fed_ - rest), rest);
    while (!more) {
      size_t got = xz_.Read(buffer_.data(), buffer_.size());
      if (got == 0) break;
      more = has_words(buffer_.data(), got);
    }
    if (more && damage_->empty())
      *damage_ = path_ + ": is damaged (what stands behind the end of its packed bytes makes no sense)";
  }

  std::string path_;
  ReadFn source_;
  std::shared_ptr<std::string> damage_;
  Volume volume_;
  XzReader xz_;
  std::vector<char> buffer_ = std::vector<char>(size_t{64} * 1024);
  uint64_t fed_ = 0;
  size_t last_fed_ = 0;  // in the buffer
  std::exception_ptr failure_;
  ArchiveHandle archive_;
  bool ended_ = false;
};

// The files in it one after the other. What is no tar is one file.
class ArchiveReader {
 public:
  ArchiveReader(const std::string& path, ReadFn source, std::shared_ptr<std::string> damage)
      : path_(path),
        damage_(damage),
        unpacker_(path, std::move(source), std::move(damage)),
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
      if (status == ARCHIVE_EOF) ended_ = true;
      if (HasFailed(status)) Stop();
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
  return StartsWithBytes(head, {0x1f, 0x8b}) || IsXz(head) ||
         StartsWithBytes(head, {0x28, 0xb5, 0x2f, 0xfd}) || StartsWithBytes(head, {'B', 'Z', 'h'}) ||
         (head.size() > 262 && head.substr(257, 5) == "ustar");
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
  std::unique_ptr<ArchiveReader> reader = archive->OpenReader();
  while (archive_entry* entry = reader->Next()) {
    std::string member_path = reader->is_raw() ? path : path + ":" + NameOf(entry);
    bool whole = false;
    std::string head = heads->Read(
        path, [&](char* b, size_t n) { return reader->Read(b, n); }, &whole);
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
