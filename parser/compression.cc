#include "parser/compression.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <utility>

#include "parser/error.h"

namespace mmreplay {
namespace {

bool StartsWithBytes(std::string_view head, std::initializer_list<unsigned char> magic) {
  size_t at = 0;
  for (unsigned char byte : magic) {
    if (at >= head.size() || static_cast<unsigned char>(head[at++]) != byte) return false;
  }
  return true;
}

// A frame of zstd that holds nothing of the content (RFC 8878, 3.1.2).
bool IsSkippableFrame(std::string_view head) {
  return head.size() >= 4 && (static_cast<unsigned char>(head[0]) & 0xf0) == 0x50 &&
         StartsWithBytes(head.substr(1), {0x2a, 0x4d, 0x18});
}

}  // namespace

Compression CompressionOf(std::string_view head) {
  if (StartsWithBytes(head, {0x1f, 0x8b})) return Compression::kGzip;
  if (StartsWithBytes(head, {'B', 'Z', 'h'})) return Compression::kBzip2;
  if (StartsWithBytes(head, {0xfd, '7', 'z', 'X', 'Z', 0})) return Compression::kXz;
  if (StartsWithBytes(head, {0x28, 0xb5, 0x2f, 0xfd}) || IsSkippableFrame(head)) return Compression::kZstd;
  return Compression::kNone;
}

void Volume::GiveOut(size_t bytes) {
  out_ += bytes;
  if (out_ > kUnpackedMost)
    throw Error(path_ + ": unpacks to more than " + std::to_string(kUnpackedMost >> 30) + " GiB" +
                kUnpackYourself);
  if (out_ > kUnpackedFree && out_ / kUnpackedRatio > in_)
    throw Error(path_ + ": unpacks to more than " + std::to_string(kUnpackedRatio) +
                " times its size: no trace compresses like that" + kUnpackYourself);
}

void NoteDamage(const std::string& path, const char* why, std::string* damage) {
  if (damage->empty()) *damage = path + ": is damaged or cut off (" + (why ? why : "it makes no sense") + ")";
}

class Codec {
 public:
  // What is left of each; both grow shorter.
  struct Buffers {
    std::string_view in;
    char* out;
    size_t out_size;

    void Keep(size_t in_left, size_t out_left) {
      in.remove_prefix(in.size() - in_left);
      out += out_size - out_left;
      out_size = out_left;
    }
  };
  enum class Result : uint8_t { kGoesOn, kEnded, kDamaged, kNoMemory, kTooGreedy };

  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;
  // Whether it takes another stream behind the one that ended.
  virtual bool BeginsAgain() const { return false; }
  // kEnded: a stream is whole, what is left of `in` stands behind it.
  virtual Result Step(Buffers* buffers) = 0;
};

namespace {

class GzipCodec : public Codec {
 public:
  GzipCodec() {
    constexpr int kWithGzipHead = 16;
    begun_ = inflateInit2(&stream_, MAX_WBITS + kWithGzipHead) == Z_OK;
  }
  ~GzipCodec() override { inflateEnd(&stream_); }
  Result Step(Buffers* buffers) override {
    if (!begun_) return Result::kNoMemory;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(buffers->in.data()));  // read only
    stream_.avail_in = static_cast<uInt>(buffers->in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(buffers->out);
    stream_.avail_out = static_cast<uInt>(buffers->out_size);
    int status = inflate(&stream_, Z_NO_FLUSH);
    buffers->Keep(stream_.avail_in, stream_.avail_out);
    switch (status) {
      case Z_OK:
      case Z_BUF_ERROR:
        return Result::kGoesOn;
      case Z_STREAM_END:
        return Result::kEnded;
      case Z_MEM_ERROR:
        return Result::kNoMemory;
      default:
        return Result::kDamaged;
    }
  }

 private:
  z_stream stream_{};
  bool begun_ = false;
};

class Bzip2Codec : public Codec {
 public:
  Bzip2Codec() { begun_ = BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK; }
  ~Bzip2Codec() override { BZ2_bzDecompressEnd(&stream_); }
  Result Step(Buffers* buffers) override {
    if (!begun_) return Result::kNoMemory;
    stream_.next_in = const_cast<char*>(buffers->in.data());  // read only
    stream_.avail_in = static_cast<unsigned>(buffers->in.size());
    stream_.next_out = buffers->out;
    stream_.avail_out = static_cast<unsigned>(buffers->out_size);
    int status = BZ2_bzDecompress(&stream_);
    buffers->Keep(stream_.avail_in, stream_.avail_out);
    switch (status) {
      case BZ_OK:
        return Result::kGoesOn;
      case BZ_STREAM_END:
        return Result::kEnded;
      case BZ_MEM_ERROR:
        return Result::kNoMemory;
      default:
        return Result::kDamaged;
    }
  }

 private:
  bz_stream stream_{};
  bool begun_ = false;
};

class XzCodec : public Codec {
 public:
  XzCodec() { begun_ = lzma_stream_decoder(&stream_, kUnpackingMemory, 0) == LZMA_OK; }
  ~XzCodec() override { lzma_end(&stream_); }
  Result Step(Buffers* buffers) override {
    if (!begun_) return Result::kNoMemory;
    stream_.next_in = reinterpret_cast<const uint8_t*>(buffers->in.data());
    stream_.avail_in = buffers->in.size();
    stream_.next_out = reinterpret_cast<uint8_t*>(buffers->out);
    stream_.avail_out = buffers->out_size;
    lzma_ret status = lzma_code(&stream_, LZMA_RUN);
    buffers->Keep(stream_.avail_in, stream_.avail_out);
    switch (status) {
      case LZMA_OK:
      case LZMA_GET_CHECK:
      case LZMA_BUF_ERROR:
        return Result::kGoesOn;
      case LZMA_STREAM_END:
        return Result::kEnded;
      case LZMA_MEM_ERROR:
        return Result::kNoMemory;
      case LZMA_MEMLIMIT_ERROR:
        return Result::kTooGreedy;
      default:
        return Result::kDamaged;
    }
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool begun_ = false;
};

class ZstdCodec : public Codec {
 public:
  // It takes a window of 128 MiB at most (ZSTD_WINDOWLOG_LIMIT_DEFAULT).
  ZstdCodec() : stream_(ZSTD_createDStream()) {}
  bool BeginsAgain() const override { return true; }  // to make one takes 30 us, and a frame may have 8 bytes
  Result Step(Buffers* buffers) override {
    if (!stream_) return Result::kNoMemory;
    ZSTD_inBuffer in{buffers->in.data(), buffers->in.size(), 0};
    ZSTD_outBuffer out{buffers->out, buffers->out_size, 0};
    size_t status = ZSTD_decompressStream(stream_.get(), &out, &in);
    buffers->Keep(in.size - in.pos, out.size - out.pos);
    if (ZSTD_isError(status) == 0) return status == 0 ? Result::kEnded : Result::kGoesOn;
    switch (ZSTD_getErrorCode(status)) {
      case ZSTD_error_memory_allocation:
        return Result::kNoMemory;
      case ZSTD_error_frameParameter_windowTooLarge:
        return Result::kTooGreedy;
      default:
        return Result::kDamaged;
    }
  }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream_;
};

std::unique_ptr<Codec> MakeCodec(Compression kind) {
  switch (kind) {
    case Compression::kGzip:
      return std::make_unique<GzipCodec>();
    case Compression::kBzip2:
      return std::make_unique<Bzip2Codec>();
    case Compression::kXz:
      return std::make_unique<XzCodec>();
    case Compression::kZstd:
      return std::make_unique<ZstdCodec>();
    case Compression::kNone:
      break;
  }
  return nullptr;
}

constexpr size_t kLongestMagic = 6;

}  // namespace

CompressionLayer::CompressionLayer(const std::string& path, ReadFn source,
                                   std::shared_ptr<std::string> damage)
    : path_(path), source_(std::move(source)), damage_(std::move(damage)), volume_(path) {
  while (in_.size() < kLongestMagic && !source_ended_) TakeIn();
  kind_ = CompressionOf(in_);
  codec_ = MakeCodec(kind_);
  in_stream_ = true;
}

CompressionLayer::~CompressionLayer() = default;

// Behind what is left.
void CompressionLayer::TakeIn() {
  std::copy(in_.begin(), in_.end(), buffer_.begin());
  size_t got = source_(buffer_.data() + in_.size(), buffer_.size() - in_.size());
  volume_.TakeIn(got);
  source_ended_ = got == 0;
  in_ = {buffer_.data(), in_.size() + got};
}

size_t CompressionLayer::Read(char* buffer, size_t size) {
  if (!is_compressed()) {
    if (in_.empty()) return source_(buffer, size);
    size_t take = in_.copy(buffer, size);
    in_.remove_prefix(take);
    return take;
  }
  Codec::Buffers buffers{{}, buffer, size};
  while (!ended_ && buffers.out_size == size) {
    if (!in_stream_ && !BeginStream()) break;
    buffers.in = in_;
    Codec::Result result = codec_->Step(&buffers);
    bool moved = buffers.in.size() != in_.size() || buffers.out_size != size;
    in_ = buffers.in;
    switch (result) {
      case Codec::Result::kGoesOn:
        if (moved) break;
        if (source_ended_) {
          Stop("truncated input");
        } else if (in_.size() == buffer_.size()) {
          Stop("its packed bytes make no sense");
        } else {
          TakeIn();
        }
        break;
      case Codec::Result::kEnded:
        in_stream_ = false;
        if (!codec_->BeginsAgain()) codec_.reset();
        break;
      case Codec::Result::kDamaged:
        Stop("its packed bytes make no sense");
        break;
      case Codec::Result::kNoMemory:
        throw Error(path_ + ": out of memory");
      case Codec::Result::kTooGreedy:
        throw Error(path_ + ": takes more than " + std::to_string(kUnpackingMemory >> 20) +
                    " MiB of memory to unpack" + kUnpackYourself);
    }
  }
  size_t got = size - buffers.out_size;
  volume_.GiveOut(got);
  return got;
}

// Behind the end of a stream another one may follow (cat a.gz b.gz), and zeros. False at the end of all.
bool CompressionLayer::BeginStream() {
  for (;;) {
    in_.remove_prefix(std::min(in_.find_first_not_of('\0'), in_.size()));
    if (in_.size() >= kLongestMagic || source_ended_) break;
    TakeIn();
  }
  if (in_.empty()) {
    ended_ = true;
    return false;
  }
  if (CompressionOf(in_) != kind_) {
    Stop("what stands behind the end of its packed bytes makes no sense");
    return false;
  }
  if (!codec_) codec_ = MakeCodec(kind_);
  in_stream_ = true;
  return true;
}

void CompressionLayer::Stop(const char* why) {
  ended_ = true;
  NoteDamage(path_, why, damage_.get());
}

}  // namespace mmreplay
