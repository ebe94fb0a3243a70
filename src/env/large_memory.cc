#include "env/large_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "env/clock.h"

namespace millrace::env {

namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr int64_t kCheckEvery = 200'000;  // us

size_t RoundUp(size_t size, size_t to) {
  return (size + to - 1) / to * to;
}

// Anonymous memory that starts at a huge page.
void* MapAnonymous(size_t size) {
  const size_t rounded = RoundUp(size, kHugePage);
  void* mapped = mmap(nullptr, rounded + kHugePage, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  char* begin = static_cast<char*>(mapped);
  char* block = reinterpret_cast<char*>(RoundUp(reinterpret_cast<uintptr_t>(begin), kHugePage));
  char* end = begin + rounded + kHugePage;
  if (block > begin) munmap(begin, static_cast<size_t>(block - begin));
  if (end > block + rounded) munmap(block + rounded, static_cast<size_t>(end - (block + rounded)));
  madvise(block, rounded, MADV_HUGEPAGE);  // a kernel that has none gives ordinary pages
  return block;
}

Status Failed(const std::string& directory, const char* what) {
  return Status(Code::kIo, fmt::format("state that does not fit into memory, in {}: {}: {}",
                                       directory, what, std::strerror(errno)));
}

}  // namespace

LargeMemory& LargeMemory::Process() {
  // Never destroyed: whatever holds state at exit still frees it.
  static LargeMemory* memory = new LargeMemory();
  return *memory;
}

Status LargeMemory::AddLimit(int64_t bytes, const std::string& directory) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (file_ < 0) {
    std::string path = directory + "/spilled-XXXXXX";
    file_ = mkostemp(path.data(), O_CLOEXEC);
    if (file_ < 0) return Failed(directory, "mkostemp");
    if (unlink(path.c_str()) != 0) return Failed(directory, "unlink");
    other_shared_ = 0;
    other_shared_ = InMemory();
  }
  limit_ += bytes;
  return Status::Ok();
}

void LargeMemory::RemoveLimit(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  limit_ -= bytes;
}

void* LargeMemory::Allocate(size_t size) {
  std::lock_guard<std::mutex> lock(mutex_);
  return file_ < 0 ? MapAnonymous(size) : AllocateInFile(size);
}

void* LargeMemory::AllocateInFile(size_t size) {
  const size_t rounded = RoundUp(size, kHugePage);
  // The room on disk is taken now: a full disk would end the process at some later write into the
  // block (SIGBUS).
  if (posix_fallocate(file_, file_end_, static_cast<off_t>(rounded)) != 0) throw std::bad_alloc();
  void* mapped = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_SHARED, file_, file_end_);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  char* block = static_cast<char*>(mapped);
  in_file_[block] = {rounded, file_end_};
  in_file_bytes_ += static_cast<int64_t>(rounded);
  file_end_ += static_cast<int64_t>(rounded);
  return block;
}

void LargeMemory::Free(void* block, size_t size) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto placed = in_file_.find(static_cast<char*>(block));
  if (placed == in_file_.end()) {
    munmap(block, RoundUp(size, kHugePage));
    return;
  }
  const Placed gone = placed->second;
  if (hand_ == block) hand_ = nullptr;
  in_file_.erase(placed);
  in_file_bytes_ -= static_cast<int64_t>(gone.size);
  munmap(block, gone.size);
  fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, gone.offset,
            static_cast<off_t>(gone.size));
}

// File pages that are mapped into the process and in memory, less those of the program.
int64_t LargeMemory::InMemory() const {
  std::FILE* statm = std::fopen("/proc/self/statm", "re");
  if (!statm) return 0;
  long long total = 0, resident = 0, shared = 0;
  int read = std::fscanf(statm, "%lld %lld %lld", &total, &resident, &shared);
  std::fclose(statm);
  return read == 3 ? shared * sysconf(_SC_PAGESIZE) - other_shared_ : 0;
}

void LargeMemory::KeepLimit() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (file_ < 0) return;
  const int64_t now = Clock::System()->MonotonicMicros();
  if (now < next_check_us_) return;
  next_check_us_ = now + kCheckEvery;
  int64_t excess = InMemory() - limit_;
  // One block after the other; those in use come back page by page, mostly without reading.
  for (size_t rounds = in_file_.size(); excess > 0 && rounds > 0; rounds--) {
    auto next = in_file_.upper_bound(hand_);
    if (next == in_file_.end()) next = in_file_.begin();
    const auto& [block, placed] = *next;
    hand_ = block;
    sync_file_range(file_, placed.offset, static_cast<off64_t>(placed.size), SYNC_FILE_RANGE_WRITE);
    const int64_t before = InMemory();
    madvise(block, placed.size, MADV_DONTNEED);  // a shared mapping: its bytes stay in the file
    const int64_t gone = before - InMemory();
    posix_fadvise(file_, placed.offset, static_cast<off_t>(placed.size), POSIX_FADV_DONTNEED);
    excess -= gone;
    sent_ += gone;
  }
}

LargeMemory::Usage LargeMemory::usage() {
  std::lock_guard<std::mutex> lock(mutex_);
  return {limit_, in_file_bytes_, sent_};
}

}  // namespace millrace::env
