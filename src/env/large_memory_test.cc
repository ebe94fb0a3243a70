#include "env/large_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace millrace::env {

namespace {

constexpr size_t kBlock = size_t{4} << 20;
constexpr size_t kBlocks = 32;

// A value that depends on the place, so that a page that came back from elsewhere is noticed.
void Fill(uint64_t* block, size_t number) {
  for (size_t i = 0; i < kBlock / sizeof *block; i++) block[i] = number * 1'000'003 + i;
}

bool IsFilled(const uint64_t* block, size_t number) {
  for (size_t i = 0; i < kBlock / sizeof *block; i++) {
    if (block[i] != number * 1'000'003 + i) return false;
  }
  return true;
}

// The memory is the process's: what was allocated before the limit stays where it is.
TEST(LargeMemory, KeepsBytesInMemoryAndOnDisk) {
  LargeMemory& memory = LargeMemory::Process();
  auto* early = static_cast<uint64_t*>(memory.Allocate(kBlock));
  Fill(early, 99);
  EXPECT_EQ(memory.usage().in_file, 0);

  const std::string directory = std::filesystem::temp_directory_path();
  ASSERT_TRUE(memory.AddLimit(static_cast<int64_t>(kBlock), directory).ok());
  std::vector<uint64_t*> blocks;
  for (size_t n = 0; n < kBlocks; n++) {
    blocks.push_back(static_cast<uint64_t*>(memory.Allocate(kBlock)));
    Fill(blocks.back(), n);
  }
  EXPECT_EQ(memory.usage().in_file, static_cast<int64_t>(kBlock * kBlocks));
  memory.KeepLimit();
  // Nearly all of it is gone from memory, and all of it can still be read.
  EXPECT_GT(memory.usage().sent, static_cast<int64_t>(kBlock * kBlocks / 2));
  for (size_t n = 0; n < kBlocks; n++) EXPECT_TRUE(IsFilled(blocks[n], n)) << n;
  EXPECT_TRUE(IsFilled(early, 99));

  EXPECT_EQ(memory.usage().limit, static_cast<int64_t>(kBlock));
  memory.RemoveLimit(static_cast<int64_t>(kBlock));
  EXPECT_EQ(memory.usage().limit, 0);
  memory.Free(early, kBlock);
  for (uint64_t* block : blocks) memory.Free(block, kBlock);
  EXPECT_EQ(memory.usage().in_file, 0);
}

TEST(LargeMemory, VectorsGrowThroughIt) {
  LargeVector<uint64_t> numbers;
  for (uint64_t i = 0; i < 1'000'000; i++) numbers.push_back(i * i);
  LargeVector<uint64_t> moved = std::move(numbers);
  for (uint64_t i = 0; i < moved.size(); i++) ASSERT_EQ(moved[i], i * i);
}

TEST(LargeMemory, ADirectoryThatIsNotThereIsAnError) {
  LargeMemory other;
  Status status = other.AddLimit(1, "/there/is/no/such/directory");
  EXPECT_EQ(status.code(), Code::kIo);
  EXPECT_NE(status.message().find("/there/is/no/such/directory"), std::string::npos);
}

}  // namespace

}  // namespace millrace::env
