#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "state/state_store.h"

namespace millrace::state {

namespace {

class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern = std::filesystem::temp_directory_path() / "millrace-state-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

using Entries = std::vector<std::pair<std::string, std::string>>;

constexpr uint32_t kOperators = 3;

Entries AllOf(const StateReader& store, uint32_t operator_id, const std::string& prefix) {
  Entries entries;
  store.Scan(operator_id, prefix, [&](std::string_view key, std::string_view value) {
    entries.emplace_back(key, value);
  });
  return entries;
}

// Writes the same random changes into both.
void Change(std::mt19937_64& random, StateWriter& a, StateWriter& b, size_t changes,
            size_t value_bytes) {
  auto random_key = [&] {
    std::string key = std::to_string(random() % 500);
    if (random() % 4 == 0) key.insert(0, "\xFF\xFF");  // prefixes without a successor of equal size
    return key;
  };
  for (size_t i = 0; i < changes; i++) {
    auto op = static_cast<uint32_t>(1 + i * kOperators / changes);
    if (random() % 50 == 0) op = static_cast<uint32_t>(1 + random() % kOperators);
    switch (random() % 20) {
      case 0: {
        std::string prefix = random_key().substr(0, 2);
        a.DeletePrefix(op, prefix);
        b.DeletePrefix(op, prefix);
        break;
      }
      case 1:
      case 2: {
        std::string gone = random_key();
        a.Delete(op, gone);
        b.Delete(op, gone);
        break;
      }
      default: {
        std::string at = random_key();
        std::string value(random() % (value_bytes + 1), static_cast<char>('a' + random() % 26));
        a.Put(op, at, value);
        b.Put(op, at, value);
      }
    }
  }
}

// Small checkpoints go through the database's log, large ones through files of their own: what can
// be read back is the same as from a plain map, in any mixture and after opening it again.
TEST(StateStore, HoldsWhatWasWrittenAcrossCheckpointsOfAllSizes) {
  for (uint64_t seed = 1; seed <= 6; seed++) {
    TempDirectory directory;
    const std::string path = directory.path() + "/checkpoint";
    auto expected = StateStore::InMemory();
    std::mt19937_64 random(seed);
    model::Epoch epoch = 0;
    for (int round = 0; round < 4; round++) {
      auto store = StateStore::Open(path);
      ASSERT_TRUE(store.ok()) << store.status().ToString();
      EXPECT_EQ((*store)->epoch(), epoch);
      for (int step = 0; step < 3; step++) {
        epoch++;
        const size_t value_bytes = std::vector<size_t>{20, 4'000, 70'000}[random() % 3];
        ASSERT_TRUE((*store)
                        ->Checkpoint(epoch,
                                     [&](StateWriter& writer) {
                                       // Both take the same calls, one after the other.
                                       (void)expected->Checkpoint(epoch, [&](StateWriter& other) {
                                         Change(random, writer, other, 3'000, value_bytes);
                                       });
                                     })
                        .ok());
        for (uint32_t op = 1; op <= kOperators; op++) {
          ASSERT_EQ(AllOf(**store, op, ""), AllOf(*expected, op, ""))
              << "seed " << seed << ", epoch " << epoch << ", operator " << op;
        }
        ASSERT_EQ(AllOf(**store, 2, "1"), AllOf(*expected, 2, "1"));
      }
    }
    EXPECT_TRUE(std::filesystem::is_empty(path + ".pending"));
  }
}

TEST(StateStore, ALargeCheckpointThatIsCutOffLeavesTheOneBefore) {
  TempDirectory directory;
  const std::string path = directory.path() + "/checkpoint";
  {
    auto store = StateStore::Open(path);
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->Checkpoint(1, [](StateWriter& w) { w.Put(1, "a", "old"); }).ok());
  }
  // As a process leaves it that dies while it writes the files of checkpoint 2.
  std::filesystem::create_directories(path + ".pending");
  std::ofstream(path + ".pending/2-0.sst") << "half a file";
  auto store = StateStore::Open(path);
  ASSERT_TRUE(store.ok());
  EXPECT_EQ((*store)->epoch(), 1);
  EXPECT_EQ(AllOf(**store, 1, ""), (Entries{{"a", "old"}}));
  std::string large(9 << 20, 'x');
  ASSERT_TRUE((*store)->Checkpoint(2, [&](StateWriter& w) { w.Put(1, "a", large); }).ok());
  EXPECT_EQ(AllOf(**store, 1, ""), (Entries{{"a", large}}));
}

// The changes are handed over once; a disk that refuses them must not lose them.
TEST(StateStore, ACheckpointThatCouldNotBeWrittenIsWrittenByTheRetry) {
  TempDirectory directory;
  const std::string path = directory.path() + "/checkpoint";
  auto store = StateStore::Open(path);
  ASSERT_TRUE(store.ok());
  std::ofstream(path + ".pending") << "in the way of the directory";
  const std::string large(100'000, 'y');
  auto write = [&](StateWriter& writer) {
    for (int i = 0; i < 2'000; i++) writer.Put(1, std::to_string(i), large);
  };
  EXPECT_FALSE((*store)->Checkpoint(1, write).ok());
  EXPECT_FALSE((*store)->Checkpoint(1, [](StateWriter&) { FAIL() << "asked twice"; }).ok());
  std::filesystem::remove(path + ".pending");
  EXPECT_TRUE((*store)->Checkpoint(1, [](StateWriter&) { FAIL() << "asked twice"; }).ok());
  EXPECT_EQ(AllOf(**store, 1, "").size(), 2'000);
}

}  // namespace

}  // namespace millrace::state
