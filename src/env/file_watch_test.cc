// Files are made, written, renamed and removed at random; a copy that follows only what the watch
// tells must be the same in the end.
#include "env/file_watch.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "env/clock.h"

namespace millrace::env {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kQuietMs = 2;

std::string TextOf(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class Watched : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ =
        fs::temp_directory_path() / fmt::format("millrace-watch-{}", Clock::System()->WallMicros());
    fs::create_directories(root_);
    auto watch = FileWatch::Open();
    ASSERT_TRUE(watch.ok()) << watch.status().ToString();
    watch_ = std::move(*watch);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string Path(const std::string& name) const { return (root_ / name).string(); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
  }

  // Waits until `path` is told; gives all that was told until then.
  std::set<std::string> Until(const std::string& path) {
    std::set<std::string> told;
    while (!told.contains(path)) {
      auto changes = watch_->Wait(kQuietMs);
      EXPECT_TRUE(changes.ok()) << changes.status().ToString();
      if (!changes.ok()) break;
      told.insert(changes->paths.begin(), changes->paths.end());
    }
    return told;
  }

  fs::path root_;
  std::unique_ptr<FileWatch> watch_;
};

TEST_F(Watched, ACopyThatFollowsIsTheSameInTheEnd) {
  ASSERT_TRUE(*watch_->Add(root_.string(), true));
  std::mt19937 random(3);
  std::map<std::string, std::string> copy;
  auto follow = [&](const std::string& path) {
    const std::string below = path + "/";
    std::erase_if(copy, [&](const auto& file) {
      return file.first == path || file.first.starts_with(below);
    });
    std::error_code gone;
    if (fs::is_regular_file(path, gone)) copy[path] = TextOf(path);
    if (!fs::is_directory(path, gone)) return;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) copy[entry.path().string()] = TextOf(entry.path());
    }
  };
  auto any = [&](bool directory) {
    std::vector<fs::path> all;
    if (directory) all.push_back(root_);
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (entry.is_directory() == directory) all.push_back(entry.path());
    }
    return all.empty() ? root_ / "none" : all[random() % all.size()];
  };
  for (int round = 0; round < 60; round++) {
    for (size_t n = 1 + random() % 12; n > 0; n--) {
      const std::string name = fmt::format("n{}", random() % 8);
      const fs::path at = any(true) / name;
      std::error_code refused;  // a name that is taken, a directory moved into itself
      switch (random() % 8) {
        case 0:
          fs::create_directories(at / "deep" / "deeper", refused);
          break;
        case 1:
          if (const fs::path directory = any(true); directory != root_) {
            fs::remove_all(directory, refused);
          }
          break;
        case 2:
          fs::rename(any(false), at, refused);
          break;
        case 3:
          fs::rename(any(true), at, refused);
          break;
        case 4:
          // As some programs rename. With both names, writes to one would be told of that only.
          if (const fs::path old = any(false); old != root_ / "none") {
            fs::create_hard_link(old, at, refused);
            if (!refused) fs::remove(old);
          }
          break;
        case 5:
          fs::remove(any(false), refused);
          break;
        default:
          std::ofstream(at) << random();
      }
    }
    const std::string last = fmt::format("last{}", round);
    Write(last, "");
    for (const std::string& path : Until(Path(last))) follow(path);
    std::map<std::string, std::string> there;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (entry.is_regular_file()) there[entry.path().string()] = TextOf(entry.path());
    }
    ASSERT_EQ(copy, there) << "round " << round;
  }
}

TEST_F(Watched, WhatHappensTogetherIsToldTogether) {
  ASSERT_TRUE(*watch_->Add(root_.string(), true));
  for (int i = 0; i < 100; i++) Write(fmt::format("f{}", i), "x");
  auto changes = watch_->Wait(kQuietMs);
  ASSERT_TRUE(changes.ok());
  EXPECT_EQ(changes->paths.size(), 100U);
}

TEST_F(Watched, AFlatDirectoryTellsOfItsOwnNamesOnly) {
  fs::create_directories(root_ / "deep");
  ASSERT_TRUE(*watch_->Add(root_.string(), false));
  EXPECT_FALSE(*watch_->Add(root_.string(), false)) << "it is watched already";
  EXPECT_FALSE(*watch_->Add(Path("nowhere"), true)) << "it is not there";
  Write("deep/unseen", "x");
  Write("seen", "x");
  EXPECT_EQ(Until(Path("seen")), std::set<std::string>{Path("seen")});
  // It went and came back: to be added again.
  ASSERT_TRUE(*watch_->Add(Path("deep"), true));
  fs::rename(root_ / "deep", root_ / "away");
  Until(Path("away"));
  fs::create_directories(root_ / "deep");
  EXPECT_TRUE(*watch_->Add(Path("deep"), true));
  Write("deep/seen", "x");
  EXPECT_TRUE(Until(Path("deep/seen")).contains(Path("deep/seen")));
}

TEST_F(Watched, AFileCountsWhenItIsClosed) {
  Write("half", "");
  ASSERT_TRUE(*watch_->Add(root_.string(), true));
  std::ofstream half(root_ / "half");
  half << "x" << std::flush;
  Write("whole", "x");
  EXPECT_FALSE(Until(Path("whole")).contains(Path("half")));
  half.close();
  Until(Path("half"));
}

TEST_F(Watched, AnInterruptEndsTheWait) {
  std::thread other([this] { watch_->Interrupt(); });
  auto changes = watch_->Wait(kQuietMs);
  other.join();
  ASSERT_TRUE(changes.ok());
  EXPECT_TRUE(changes->empty());
}

}  // namespace
}  // namespace millrace::env
