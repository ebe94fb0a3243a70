// The journal as the job uses it, also after a crash that tore its last entry.
#include "state/answer_journal.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "env/clock.h"
#include "state/answer_history.h"

namespace millrace::state {
namespace {

class AnswerJournalTest : public testing::Test {
 protected:
  AnswerJournalTest()
      : directory_((std::filesystem::temp_directory_path() /
                    fmt::format("millrace-answers-{}", env::Clock::System()->WallMicros()))
                       .string()) {}
  ~AnswerJournalTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<AnswerJournal> Open() {
    auto journal = AnswerJournal::Open(env::FileSystem::Real(), directory_);
    EXPECT_TRUE(journal.ok()) << journal.status().ToString();
    return std::move(*journal);
  }
  static void Ask(AnswerJournal& journal, model::Epoch epoch, const std::string& word) {
    ASSERT_TRUE(journal.BeginEpoch(epoch).ok());
    journal.Add(7, 1, "key", word);
    journal.Add(7, 1, std::string("\0b", 2), "");
    journal.Add(8, 1, "key", word + word);
    ASSERT_TRUE(journal.Sync().ok());
  }
  std::string OnlyFile() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      paths.push_back(entry.path().string());
    }
    EXPECT_EQ(paths.size(), 1u);
    return paths.empty() ? "" : paths[0];
  }

  std::string directory_;
};

TEST_F(AnswerJournalTest, AnswersAreThereAfterARestart) {
  {
    auto journal = Open();
    Ask(*journal, 3, "three");
    ASSERT_TRUE(journal->BeginEpoch(4).ok());
    ASSERT_TRUE(journal->Sync().ok());  // an epoch that asked nothing leaves nothing
    Ask(*journal, 5, "five");
  }
  auto journal = Open();
  ASSERT_TRUE(journal->BeginEpoch(3).ok());
  EXPECT_TRUE(journal->Replays());
  EXPECT_EQ(journal->Find(7, "key"), "three");
  EXPECT_EQ(journal->Find(8, "key"), "threethree");
  EXPECT_EQ(journal->Find(7, std::string_view("\0b", 2)), "");
  EXPECT_EQ(journal->Find(9, "key"), std::nullopt);
  ASSERT_TRUE(journal->BeginEpoch(4).ok());
  EXPECT_FALSE(journal->Replays());
  EXPECT_EQ(journal->Find(7, "key"), std::nullopt);
  ASSERT_TRUE(journal->BeginEpoch(5).ok());
  EXPECT_EQ(journal->Find(7, "key"), "five");
}

TEST_F(AnswerJournalTest, SaysWhatTheAnswersOfAnEpochWere) {
  auto check = [](const AnswerJournal& journal) {
    EXPECT_TRUE(journal.AnswersOf(2)->empty());
    const auto answers = journal.AnswersOf(3);
    ASSERT_TRUE(answers.ok()) << answers.status().ToString();
    ASSERT_EQ(answers->size(), 3u);
    EXPECT_EQ((*answers)[2].asker, 8u);
    EXPECT_EQ((*answers)[2].fetched_us, 1);
    EXPECT_EQ((*answers)[2].request, "key");
    EXPECT_EQ((*answers)[2].response, "threethree");
  };
  auto journal = Open();
  Ask(*journal, 3, "three");
  check(*journal);  // also of an epoch that was not replayed
  Ask(*journal, 4, "four");
  EXPECT_FALSE(journal->Replays());
  check(*journal);
  check(*Open());
  ASSERT_TRUE(journal->ForgetUpTo(4).ok());
  EXPECT_TRUE(journal->AnswersOf(3)->empty());
}

TEST_F(AnswerJournalTest, ATornTailIsCutWhereverItTears) {
  {
    auto journal = Open();
    Ask(*journal, 1, "one");
  }
  const std::string path = OnlyFile();
  const auto whole = std::filesystem::file_size(path);
  {
    auto journal = Open();
    Ask(*journal, 2, "two");
  }
  const auto both = std::filesystem::file_size(path);
  ASSERT_GT(both, whole);
  for (auto size = both - 1; size >= whole; size--) {
    std::filesystem::resize_file(path, size);
    auto journal = Open();
    ASSERT_TRUE(journal->BeginEpoch(2).ok());
    EXPECT_FALSE(journal->Replays()) << size;
    ASSERT_TRUE(journal->BeginEpoch(1).ok());
    EXPECT_EQ(journal->Find(7, "key"), "one");
  }
  // What is written behind the cut is found.
  {
    auto journal = Open();
    Ask(*journal, 2, "again");
  }
  auto journal = Open();
  ASSERT_TRUE(journal->BeginEpoch(2).ok());
  EXPECT_EQ(journal->Find(7, "key"), "again");
}

TEST_F(AnswerJournalTest, ACheckpointForgetsOnlyWhatItCovers) {
  auto journal = Open();
  Ask(*journal, 1, "one");
  Ask(*journal, 2, "two");
  ASSERT_TRUE(journal->ForgetUpTo(1).ok());
  ASSERT_TRUE(Open()->BeginEpoch(2).ok());
  EXPECT_FALSE(std::filesystem::is_empty(directory_));
  ASSERT_TRUE(journal->ForgetUpTo(2).ok());
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
  Ask(*journal, 3, "three");
  auto again = Open();
  ASSERT_TRUE(again->BeginEpoch(3).ok());
  EXPECT_EQ(again->Find(8, "key"), "threethree");
}

// What a checkpoint forgets stays for who asks for the past, up to a size, and no longer.
TEST_F(AnswerJournalTest, ThePastIsKeptUpToASize) {
  for (const int64_t bytes_max : {1'000'000, 400, 0}) {
    std::filesystem::remove_all(directory_);
    auto journal = Open();
    ASSERT_TRUE(journal->KeepPast(bytes_max).ok());
    for (model::Epoch epoch = 1; epoch <= 9; epoch++) {
      if (epoch != 4) Ask(*journal, epoch, fmt::format("word{}", epoch));
      if (epoch % 2 != 0) continue;
      journal->BeginCheckpoint();
      if (epoch < 8) {
        ASSERT_TRUE(journal->ForgetUpTo(epoch).ok());
      }
    }
    auto history = AnswerHistory::Open(env::FileSystem::Real(), directory_);
    ASSERT_TRUE(history.ok()) << history.status().ToString();
    // While it reads, the job goes on.
    ASSERT_TRUE(journal->ForgetUpTo(8).ok());
    auto find = [&](uint32_t asker, model::Epoch until) -> std::string {
      auto found = (*history)->Find(asker, "key", until);
      EXPECT_TRUE(found.ok()) << found.status().ToString();
      return found.ok() && *found ? fmt::format("{}@{}", (*found)->response, (*found)->epoch) : "";
    };
    EXPECT_EQ(find(7, INT64_MAX), "word9@9");
    EXPECT_EQ(find(9, INT64_MAX), "");
    EXPECT_EQ(find(7, 8), bytes_max > 0 ? "word8@8" : "");
    EXPECT_EQ(find(8, 8), bytes_max > 0 ? "word8word8@8" : "");
    EXPECT_EQ(find(7, 4), bytes_max > 400 ? "word3@3" : "");
    EXPECT_EQ(find(7, 1), bytes_max > 400 ? "word1@1" : "");
    EXPECT_EQ(find(7, 0), "");
    auto next = [&](model::Epoch after) {
      auto found = (*history)->NextAfter(7, "key", after);
      EXPECT_TRUE(found.ok()) << found.status().ToString();
      return found.ok() ? found->value_or(-1) : -2;
    };
    EXPECT_EQ(next(9), -1);
    EXPECT_EQ(next(8), 9);
    EXPECT_EQ(next(3), bytes_max > 400 ? 5 : bytes_max > 0 ? 7 : 9);
    int64_t bytes = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(directory_)) {
      if (file.path().parent_path().filename() == "past") {
        bytes += static_cast<int64_t>(file.file_size());
      }
    }
    EXPECT_LE(bytes, bytes_max);
    EXPECT_EQ(bytes > 0, bytes_max > 0);
    // A journal that is opened again knows nothing of the past.
    journal = Open();
    ASSERT_TRUE(journal->BeginEpoch(3).ok());
    EXPECT_FALSE(journal->Replays());
  }
}

}  // namespace
}  // namespace millrace::state
