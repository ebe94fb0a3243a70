#include "env/files.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "env/rename_new.h"

namespace millrace::env {
namespace {

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/millrace-files-XXXXXX";
    root_ = mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  Status Write(File& file, int64_t offset, std::vector<std::string_view> parts) {
    return file.WriteAt(offset, parts);
  }
  FileSystem& files_ = *FileSystem::Real();
  std::string root_;
};

TEST_F(FilesTest, RenameNewReplacesNothing) {
  for (const char* name : {"/a", "/b"}) {
    auto file = files_.Open(root_ + name, OpenMode::kCreate);
    ASSERT_TRUE(Write(**file, 0, {name}).ok());
  }
  EXPECT_EQ(RenameNew(root_ + "/a", root_ + "/b").code(), Code::kAlreadyExists);
  EXPECT_EQ(*ReadWholeFile(files_, root_ + "/b"), "/b");
  EXPECT_TRUE(RenameNew(root_ + "/a", root_ + "/c").ok());
  EXPECT_EQ(*ReadWholeFile(files_, root_ + "/c"), "/a");
  EXPECT_EQ(RenameNew(root_ + "/a", root_ + "/d").code(), Code::kNotFound);
}

TEST_F(FilesTest, WritesPartsAndReadsThemBack) {
  auto file = files_.Open(root_ + "/a", OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(Write(**file, 0, {}).ok());
  EXPECT_TRUE(Write(**file, 0, {"hello", "", " ", "world"}).ok());
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ(*(*file)->Size(), 11);
  char bytes[32];
  EXPECT_EQ(*(*file)->ReadAt(6, bytes, sizeof(bytes)), 5u);
  EXPECT_EQ(std::string_view(bytes, 5), "world");
  EXPECT_EQ(*(*file)->ReadAt(100, bytes, sizeof(bytes)), 0u);
  EXPECT_TRUE((*file)->Truncate(5).ok());
  EXPECT_EQ(*ReadWholeFile(files_, root_ + "/a"), "hello");
}

TEST_F(FilesTest, WritesMorePartsThanOneCallTakes) {
  auto file = files_.Open(root_ + "/a", OpenMode::kCreate);
  std::string expected;
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; i++) texts.push_back(std::to_string(i));
  std::vector<std::string_view> parts(texts.begin(), texts.end());
  for (const auto& text : texts) expected += text;
  EXPECT_TRUE((*file)->WriteAt(0, parts).ok());
  EXPECT_EQ(*ReadWholeFile(files_, root_ + "/a"), expected);
}

TEST_F(FilesTest, ErrorsNameOperationPathAndCause) {
  const auto file = files_.Open(root_ + "/none", OpenMode::kWrite);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), Code::kNotFound);
  EXPECT_EQ(file.status().message(),
            "cannot open \"" + root_ + "/none\": No such file or directory");
  EXPECT_EQ(files_.Remove(root_ + "/none").code(), Code::kNotFound);
  EXPECT_FALSE(files_.List(root_ + "/none").ok());
}

TEST_F(FilesTest, FullDiskIsResourceExhausted) {
  auto file = files_.Open("/dev/full", OpenMode::kWrite);
  if (!file.ok()) GTEST_SKIP() << "no /dev/full here";
  const Status status = Write(**file, 0, {"x"});
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_EQ(status.retry(), Retry::kBackoff);
}

TEST_F(FilesTest, DirectoriesAreCreatedWithParentsAndListedSorted) {
  EXPECT_TRUE(files_.CreateDirectories(root_ + "/x/y/z").ok());
  EXPECT_TRUE(files_.CreateDirectories(root_ + "/x/y/z").ok());
  EXPECT_TRUE(files_.CreateDirectories(root_ + "/x/a").ok());
  EXPECT_EQ(*files_.List(root_ + "/x"), (std::vector<std::string>{"a", "y"}));
  EXPECT_TRUE(ReplaceFile(files_, root_ + "/x/f", "1").ok());
  EXPECT_FALSE(files_.CreateDirectories(root_ + "/x/f").ok());
  EXPECT_FALSE(files_.Remove(root_ + "/x").ok());
  EXPECT_TRUE(files_.CreateDirectory(root_ + "/x/b").ok());
  EXPECT_EQ(files_.CreateDirectory(root_ + "/x/b").code(), Code::kAlreadyExists);
  EXPECT_EQ(files_.CreateDirectory(root_ + "/none/b").code(), Code::kNotFound);
}

TEST_F(FilesTest, ReplaceFileLeavesNoOtherFile) {
  EXPECT_TRUE(ReplaceFile(files_, root_ + "/f", "a longer text").ok());
  EXPECT_TRUE(ReplaceFile(files_, root_ + "/f", "short").ok());
  EXPECT_EQ(*ReadWholeFile(files_, root_ + "/f"), "short");
  EXPECT_EQ(files_.List(root_)->size(), 1u);
}

TEST_F(FilesTest, SecondLockNamesTheHolder) {
  auto lock = files_.Lock(root_ + "/LOCK");
  ASSERT_TRUE(lock.ok());
  const auto second = files_.Lock(root_ + "/LOCK");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kFailedPrecondition);
  EXPECT_NE(second.status().message().find("process " + std::to_string(getpid())),
            std::string::npos);
  lock->reset();
  EXPECT_TRUE(files_.Lock(root_ + "/LOCK").ok());
}

TEST_F(FilesTest, LockOfADeadProcessIsTakenOver) {
  const pid_t child = fork();
  if (child == 0) {
    auto lock = files_.Lock(root_ + "/LOCK");
    _exit(lock.ok() ? 0 : 1);  // holds it until the very end
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(*ReadWholeFile(files_, root_ + "/LOCK"), std::to_string(child) + "\n");
  EXPECT_TRUE(files_.Lock(root_ + "/LOCK").ok());
}

TEST(ParentDirectoryTest, Names) {
  EXPECT_EQ(ParentDirectory("a/b/c"), "a/b");
  EXPECT_EQ(ParentDirectory("a"), ".");
  EXPECT_EQ(ParentDirectory("/a"), "/");
}

}  // namespace
}  // namespace millrace::env
