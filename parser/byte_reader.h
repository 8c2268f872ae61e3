// Little-endian numbers and strings out of bytes nobody vouches for: every length is checked, and what
// is not there reads as 0 or empty and leaves ok() false.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace mmreplay {

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <typename Int>
  Int Read() {
    Int value{};
    std::string_view bytes = Bytes(sizeof(Int));
    if (bytes.size() == sizeof(Int)) std::memcpy(&value, bytes.data(), sizeof(Int));
    return value;
  }
  uint8_t U8() { return Read<uint8_t>(); }
  uint16_t U16() { return Read<uint16_t>(); }
  uint32_t U32() { return Read<uint32_t>(); }
  uint64_t U64() { return Read<uint64_t>(); }

  // Exactly `size` bytes, or none.
  std::string_view Bytes(uint64_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    std::string_view bytes = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

  // Up to its NUL, which must be there.
  std::string_view CString() {
    size_t end = rest_.find('\0');
    if (end == std::string_view::npos) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }

  std::string_view rest() const { return rest_; }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// The text before the first NUL, all of it without one.
inline std::string_view UpToNul(std::string_view bytes) {
  return bytes.substr(0, bytes.find('\0'));
}

}  // namespace mmreplay
