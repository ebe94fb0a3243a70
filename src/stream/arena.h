// Arena: many small byte strings in few allocations, freed all at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace millrace::stream {

class Arena {
 public:
  // Copies `size` bytes in; the address stays valid until Clear. size 0 gives a valid address too.
  const uint8_t* Copy(const uint8_t* bytes, size_t size) {
    if (used_ + size > capacity_ || blocks_.empty()) Grow(size);
    uint8_t* at = blocks_.back().get() + used_;
    std::memcpy(at, bytes, size);
    used_ += size;
    return at;
  }

  void Clear() {
    blocks_.clear();
    used_ = capacity_ = total_ = 0;
  }

  size_t bytes() const { return total_; }  // allocated
  void Swap(Arena& other) { std::swap(*this, other); }

 private:
  void Grow(size_t size) {
    // Small tables stay small; big ones allocate rarely.
    capacity_ = std::max(size, std::min<size_t>(1 << 20, std::max<size_t>(1024, total_)));
    blocks_.emplace_back(new uint8_t[capacity_]);
    total_ += capacity_;
    used_ = 0;
  }

  std::vector<std::unique_ptr<uint8_t[]>> blocks_;
  size_t used_ = 0;
  size_t capacity_ = 0;
  size_t total_ = 0;
};

}  // namespace millrace::stream
