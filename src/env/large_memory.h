// LargeMemory: where the process keeps state, in blocks of a megabyte and more.
//
// Without a limit a block is anonymous memory in huge pages: state is read at random places, and a
// page fault or a miss in the page table for each costs more than the work itself. With a limit
// blocks lie in a file (unlinked, so it ends with the process): what is not used for a while goes
// to disk, and state may be larger than memory.
//
// Contract: safe from any thread. A block stays where it is until it is freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::env {

class LargeMemory {
 public:
  // The one of this process.
  static LargeMemory& Process();

  // Adds `bytes` to what state may take in memory; from now on blocks lie in a file in `directory`
  // (of the first call). Error kIo.
  Status AddLimit(int64_t bytes, const std::string& directory);
  // Takes back what AddLimit was given, when who asked for it ends.
  void RemoveLimit(int64_t bytes);
  // Sends blocks to disk while more than the limit is in memory. Cheap when there is nothing to do;
  // call it from time to time.
  void KeepLimit();

  // Throws std::bad_alloc. `size` > 0.
  void* Allocate(size_t size);
  void Free(void* block, size_t size);

  struct Usage {
    int64_t limit = 0;    // 0: none
    int64_t in_file = 0;  // bytes of blocks that may lie on disk
    int64_t sent = 0;     // bytes sent to disk since the start
  };
  Usage usage();

 private:
  struct Placed {
    size_t size = 0;
    int64_t offset = 0;  // in the file
  };
  void* AllocateInFile(size_t size);
  int64_t InMemory() const;

  std::mutex mutex_;
  int64_t limit_ = 0;
  int file_ = -1;
  int64_t file_end_ = 0;
  int64_t other_shared_ = 0;  // file pages in memory that are not ours (the program itself)
  std::map<char*, Placed> in_file_;
  int64_t in_file_bytes_ = 0;
  int64_t sent_ = 0;
  char* hand_ = nullptr;  // the block from which KeepLimit goes on
  int64_t next_check_us_ = 0;
};

// For the vectors that hold state: large ones lie in LargeMemory, small ones on the heap.
template <typename T>
struct LargeAllocator {
  using value_type = T;
  static constexpr size_t kLarge = 1 << 20;

  LargeAllocator() = default;
  template <typename U>
  LargeAllocator(const LargeAllocator<U>&) {}

  T* allocate(size_t count) {
    const size_t size = count * sizeof(T);
    if (size >= kLarge) return static_cast<T*>(LargeMemory::Process().Allocate(size));
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* at, size_t count) {
    const size_t size = count * sizeof(T);
    if (size >= kLarge) {
      LargeMemory::Process().Free(at, size);
    } else {
      std::allocator<T>().deallocate(at, count);
    }
  }
  bool operator==(const LargeAllocator&) const { return true; }
};

template <typename T>
using LargeVector = std::vector<T, LargeAllocator<T>>;

}  // namespace millrace::env
