// Bytes put one behind the other, in one piece. What is large grows where it is, by the C library's mremap:
// no second copy is ever held, and memory that was not written to takes none.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

namespace mmreplay {

class ByteArena {
 public:
  // Returns where they begin. Invalidates data().
  size_t Append(std::string_view bytes) {
    if (bytes.size() > capacity_ - size_) Grow(size_ + bytes.size());
    size_t at = size_;
    std::memcpy(data_.get() + at, bytes.data(), bytes.size());
    size_ += bytes.size();
    return at;
  }
  std::string_view At(size_t at, size_t size) const { return {data_.get() + at, size}; }

  size_t size() const { return size_; }
  // Keeps the memory, if it is no more than that.
  void Clear(size_t most_kept) {
    size_ = 0;
    if (capacity_ <= most_kept) return;
    data_.reset();
    capacity_ = 0;
  }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };

  void Grow(size_t needed) {
    size_t capacity = std::max({size_t{64} * 1024, capacity_ + capacity_ / 2, needed});
    void* grown = std::realloc(data_.get(), capacity);
    if (!grown) throw std::bad_alloc();
    static_cast<void>(data_.release());
    data_.reset(static_cast<char*>(grown));
    capacity_ = capacity;
  }

  std::unique_ptr<char, Free> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace mmreplay
