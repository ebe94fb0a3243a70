// Arena: many small byte strings in few allocations, freed all at once. Large ones lie in
// env::LargeMemory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "env/large_memory.h"

namespace millrace::stream {

class Arena {
 public:
  // Copies `size` bytes in; the address stays valid until Clear. size 0 gives a valid address too.
  const uint8_t* Copy(const uint8_t* bytes, size_t size) {
    uint8_t* at = Allocate(size);
    std::memcpy(at, bytes, size);
    return at;
  }

  // The same without bytes: what lies there is undefined.
  uint8_t* Allocate(size_t size) {
    if (used_ + size > capacity_ || blocks_.empty()) Grow(size);
    uint8_t* at = blocks_.back().get() + used_;
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
  // Small tables stay small; big ones allocate rarely.
  static constexpr size_t kLargestBlock = 4 << 20;

  void Grow(size_t size) {
    capacity_ = std::max(size, std::min(kLargestBlock, std::max<size_t>(1024, total_ / 2)));
    blocks_.emplace_back(env::LargeAllocator<uint8_t>().allocate(capacity_), FreeBlock{capacity_});
    total_ += capacity_;
    used_ = 0;
  }

  struct FreeBlock {
    size_t size = 0;
    void operator()(uint8_t* block) const {
      env::LargeAllocator<uint8_t>().deallocate(block, size);
    }
  };

  std::vector<std::unique_ptr<uint8_t[], FreeBlock>> blocks_;
  size_t used_ = 0;
  size_t capacity_ = 0;
  size_t total_ = 0;
};

}  // namespace millrace::stream
