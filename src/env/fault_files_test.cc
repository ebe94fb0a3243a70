#include "env/fault_files.h"

#include <gtest/gtest.h>

namespace millrace::env {
namespace {

Status Write(File& file, int64_t offset, std::string_view bytes) {
  return file.WriteAt(offset, {&bytes, 1});
}

TEST(FaultFilesTest, SyncedBytesSurviveACrashAndOthersMayNot) {
  int lost = 0;
  int torn = 0;
  for (uint64_t seed = 0; seed < 200; seed++) {
    FaultFileSystem files(seed);
    ASSERT_TRUE(files.CreateDirectories("/d").ok());
    auto file = files.Open("/d/a", OpenMode::kCreate);
    ASSERT_TRUE(files.SyncDirectory("/d").ok());
    ASSERT_TRUE(Write(**file, 0, "synced").ok());
    ASSERT_TRUE((*file)->Sync().ok());
    ASSERT_TRUE(Write(**file, 6, std::string(5000, 'x')).ok());
    files.Restart();
    const std::string content = files.Content("/d/a");
    ASSERT_EQ(content.substr(0, 6), "synced");
    lost += content.size() == 6;
    torn += content.size() > 6 && content != "synced" + std::string(5000, 'x');
    EXPECT_FALSE((*file)->Sync().ok()) << "a file from before the crash";
  }
  EXPECT_GT(lost, 10);
  EXPECT_GT(torn, 10);
}

TEST(FaultFilesTest, DirectoryEntriesNeedSyncDirectory) {
  int lost = 0;
  for (uint64_t seed = 0; seed < 50; seed++) {
    FaultFileSystem files(seed);
    ASSERT_TRUE(files.CreateDirectories("/d").ok());
    ASSERT_TRUE(ReplaceFile(files, "/d/old", "old").ok());
    auto file = files.Open("/d/new", OpenMode::kCreate);
    ASSERT_TRUE((*file)->Sync().ok());
    files.Restart();
    EXPECT_EQ(files.Content("/d/old"), "old");
    lost += !files.Size("/d/new").ok();
  }
  EXPECT_GT(lost, 5);
  EXPECT_LT(lost, 45);
}

TEST(FaultFilesTest, OneSyncDirectoryKeepsAllDirectoriesCreatedInIt) {
  int lost = 0;
  for (uint64_t seed = 0; seed < 50; seed++) {
    FaultFileSystem files(seed);
    ASSERT_TRUE(files.CreateDirectories("/d").ok());
    EXPECT_EQ(files.CreateDirectory("/x/a").code(), Code::kNotFound);
    for (const char* path : {"/d/a", "/d/b"}) ASSERT_TRUE(files.CreateDirectory(path).ok());
    EXPECT_EQ(files.CreateDirectory("/d/a").code(), Code::kAlreadyExists);
    ASSERT_TRUE(files.SyncDirectory("/d").ok());
    ASSERT_TRUE(files.CreateDirectory("/d/c").ok());
    files.Restart();
    const size_t left = files.List("/d")->size();
    EXPECT_GE(left, 2u);
    lost += left == 2;
  }
  EXPECT_GT(lost, 5);
  EXPECT_LT(lost, 45);
}

TEST(FaultFilesTest, RenameIsAllOrNothing) {
  for (uint64_t seed = 0; seed < 50; seed++) {
    FaultFileSystem files(seed);
    ASSERT_TRUE(files.CreateDirectories("/d").ok());
    ASSERT_TRUE(ReplaceFile(files, "/d/f", "old").ok());
    files.CrashAt(1 + static_cast<int64_t>(seed % 7));
    (void)ReplaceFile(files, "/d/f", "new").ok();
    files.Restart();
    const std::string content = files.Content("/d/f");
    EXPECT_TRUE(content == "old" || content == "new") << content;
  }
}

TEST(FaultFilesTest, FullDiskWritesShort) {
  FaultFileSystem files;
  ASSERT_TRUE(files.CreateDirectories("/d").ok());
  auto file = files.Open("/d/a", OpenMode::kCreate);
  files.SetCapacity(4);
  const Status status = Write(**file, 0, "123456");
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_EQ(status.retry(), Retry::kBackoff);
  EXPECT_EQ(files.Content("/d/a"), "1234");
  EXPECT_TRUE(Write(**file, 0, "abcd").ok()) << "overwriting needs no space";
  files.SetCapacity(-1);
  EXPECT_TRUE(Write(**file, 4, "56").ok());
}

TEST(FaultFilesTest, PlannedFailuresHitOnce) {
  FaultFileSystem files;
  ASSERT_TRUE(files.CreateDirectories("/d").ok());
  auto file = files.Open("/d/a", OpenMode::kCreate);
  files.FailOperation(2, Status(Code::kIo, "bad sector"));
  EXPECT_TRUE(Write(**file, 0, "1").ok());
  EXPECT_EQ(Write(**file, 1, "2").message(), "bad sector");
  EXPECT_TRUE(Write(**file, 1, "2").ok());
  files.FailSyncs(1);
  EXPECT_FALSE((*file)->Sync().ok());
  EXPECT_TRUE((*file)->Sync().ok());
}

TEST(FaultFilesTest, BehavesLikeFiles) {
  FaultFileSystem files;
  EXPECT_FALSE(files.Open("/d/a", OpenMode::kCreate).ok()) << "no directory";
  ASSERT_TRUE(files.CreateDirectories("/d/e").ok());
  EXPECT_EQ(files.Open("/d/a", OpenMode::kRead).status().code(), Code::kNotFound);
  ASSERT_TRUE(ReplaceFile(files, "/d/a", "").ok());
  EXPECT_EQ(*files.List("/d"), (std::vector<std::string>{"a", "e"}));
  EXPECT_FALSE(files.Remove("/d").ok());
  EXPECT_TRUE(files.Remove("/d/e").ok());
  auto lock = files.Lock("/d/LOCK");
  EXPECT_FALSE(files.Lock("/d/LOCK").ok());
  lock->reset();
  EXPECT_TRUE(files.Lock("/d/LOCK").ok());
}

}  // namespace
}  // namespace millrace::env
