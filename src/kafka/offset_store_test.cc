#include "kafka/offset_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <random>
#include <set>

#include "env/fault_files.h"
#include "kafka/transaction_record.h"

namespace millrace::kafka {
namespace {

class OffsetStoreTest : public testing::Test {
 protected:
  void Open() {
    store_.reset();
    log_.reset();
    log::LogOptions options;
    options.directory = "/log";
    options.files = &files_;
    auto log = log::Log::Open(options);
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    log_ = *std::move(log);
    auto store = OffsetStore::Open(*log_, *env::Clock::System());
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    store_ = *std::move(store);
  }
  template <class Call>
  Status Wait(Call call) {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<Status> result;
    call([&](const Status& status) {
      std::lock_guard lock(mutex);
      result = status;
      done.notify_one();
    });
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return result.has_value(); });
    return *result;
  }
  Status Commit(const std::string& group, const TopicPartition& at, int64_t offset) {
    return Wait([&](OffsetStore::Done done) {
      store_->Commit(group, {{at, {offset, 3, "note", 0}}}, std::move(done));
    });
  }

  static KeptKey AnyKey(std::mt19937_64& random) {
    const KeptKind kind = kKinds[random() % std::size(kKinds)];
    const bool of_member = kind == KeptKind::kConsumerMember;
    return {kind, "x" + std::to_string(random() % 3),
            of_member ? "m" + std::to_string(random() % 2) : ""};
  }
  std::map<KeptKey, std::string> AllKept() const {
    std::map<KeptKey, std::string> all;
    for (const KeptKind kind : kKinds) all.merge(store_->Kept(kind));
    return all;
  }

  static constexpr KeptKind kKinds[] = {KeptKind::kGroup, KeptKind::kTransaction,
                                        KeptKind::kConsumerGroup, KeptKind::kConsumerMember};
  env::FaultFileSystem files_{1};
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<OffsetStore> store_;
};

// Commits, deletions, compactions, restarts and power failures at random, against a map.
TEST_F(OffsetStoreTest, RemembersWhatWasCommittedThroughEverything) {
  std::mt19937_64 random(1);
  std::map<std::string, GroupOffsets> expected;
  std::set<int64_t> ids;
  Open();
  std::map<KeptKey, std::string> kept;
  for (int step = 0; step < 3000; step++) {
    const std::string group = "g" + std::to_string(random() % 3);
    const TopicPartition at{"t" + std::to_string(random() % 2), static_cast<int32_t>(random() % 3)};
    const uint64_t dice = random() % 1000;
    if (dice < 100) {
      const KeptKey key = AnyKey(random);
      TransactionRecord record;
      record.producer_id = step;
      record.partitions.insert(at);
      record.offsets[group][at] = {step, 3, "pending", 0};
      std::optional<std::string> bytes;
      if (dice < 90) bytes = EncodeTransaction(record);
      GroupOffsets offsets;
      offsets[at] = {step, 3, "note", 0};
      ASSERT_TRUE(Wait([&](OffsetStore::Done done) {
                    store_->Keep({{key, bytes}}, {{group, offsets}}, std::move(done));
                  }).ok());
      expected[group][at].offset = step;
      kept.erase(key);
      if (bytes) kept[key] = *bytes;
    } else if (dice < 930) {
      ASSERT_TRUE(Commit(group, at, step).ok());
      expected[group][at].offset = step;
    } else if (dice < 960) {
      const std::vector<TopicPartition> one{at};
      ASSERT_TRUE(
          Wait([&](OffsetStore::Done done) { store_->Delete(group, &one, std::move(done)); }).ok());
      expected[group].erase(at);
    } else if (dice < 965) {
      ASSERT_TRUE(
          Wait([&](OffsetStore::Done done) { store_->DeleteTopic("t1", std::move(done)); }).ok());
      for (auto& [name, offsets] : expected) {
        std::erase_if(offsets, [](const auto& entry) { return entry.first.topic == "t1"; });
      }
    } else if (dice < 970) {
      const auto id = store_->NewProducerId();
      ASSERT_TRUE(id.ok());
      EXPECT_TRUE(ids.insert(*id).second) << "an id was given twice";
      EXPECT_LT(*id, log::kClientProducerIdEnd);
    } else if (dice < 980) {
      ASSERT_TRUE(store_->Compact(100).ok());
    } else if (dice < 990) {
      Open();
    } else if (dice < 995) {
      files_.CrashAt(1);
      store_.reset();
      log_.reset();
      files_.Restart();
      Open();
    }
    ASSERT_EQ(AllKept(), kept) << "step " << step;
    for (const auto& [name, offsets] : expected) {
      const GroupOffsets found = store_->Find(name);
      ASSERT_EQ(found.size(), offsets.size()) << "step " << step;
      for (const auto& [where, committed] : offsets) {
        ASSERT_EQ(found.at(where).offset, committed.offset) << "step " << step;
      }
    }
  }
  const auto info = log_->DescribePartition(kOffsetsTopic, 0);
  EXPECT_GT(info->start_offset, 1000) << "compaction has deleted something";
  EXPECT_EQ(store_->Find("g0").begin()->second.metadata, "note");
  EXPECT_EQ(store_->Find("g0").begin()->second.leader_epoch, 3);
}

// Transactions write what they come to in callbacks of the log, whose committer must not wait for
// Compact.
TEST_F(OffsetStoreTest, CompactsWhileCallbacksOfTheLogWrite) {
  const TopicPartition at{"t", 0};
  Open();
  // Whichever thread is faster: they run side by side until something was compacted.
  constexpr int64_t kAtLeast = 3000, kAtMost = 1'000'000;
  std::atomic<int64_t> committed = 0;
  std::atomic<bool> enough = false, finished = false;
  std::function<void(const Status&)> next = [&](const Status& status) {
    EXPECT_TRUE(status.ok()) << status.ToString();
    if (!status.ok() || enough || committed == kAtMost) {
      finished = true;
      return;
    }
    store_->Commit("g", {{at, {++committed, 3, "note", 0}}}, next);
  };
  next({});
  const auto deleted = [&] { return log_->DescribePartition(kOffsetsTopic, 0)->start_offset > 0; };
  while (!finished) {
    ASSERT_TRUE(store_->Compact(0).ok());
    if (committed >= kAtLeast && deleted()) enough = true;
  }
  EXPECT_TRUE(deleted()) << "nothing was compacted";
  Open();
  EXPECT_EQ(store_->Find("g").at(at).offset, committed);
}

TEST(TransactionRecordTest, ReadsBackAsWrittenAndRefusesWhatIsCutOff) {
  TransactionRecord record;
  record.producer_id = 12;
  record.epoch = 3;
  record.last_epoch = 2;
  record.timeout_ms = 60'000;
  record.status = TransactionStatus::kOngoing;
  record.started_ms = 1;
  record.updated_ms = 2;
  record.partitions = {{"a", 0}, {"a", 1}, {"b", 7}};
  record.offsets["g"][{"in", 1}] = {100, 0, "note", 0};
  record.offsets["h"][{"in", 1}] = {200, -1, "", 0};
  const std::string bytes = EncodeTransaction(record);
  const auto copy = DecodeTransaction(bytes);
  ASSERT_TRUE(copy);
  EXPECT_EQ(EncodeTransaction(*copy), bytes);
  EXPECT_EQ(copy->partitions, record.partitions);
  EXPECT_EQ(copy->offsets.at("g").at({"in", 1}).offset, 100);
  for (size_t length = 0; length < bytes.size(); length++) {
    EXPECT_FALSE(DecodeTransaction(std::string_view(bytes).substr(0, length))) << length;
  }
}

TEST_F(OffsetStoreTest, ACommitThatCannotBeWrittenIsNotSeen) {
  Open();
  ASSERT_TRUE(Commit("g", {"t", 0}, 1).ok());
  files_.FailSyncs(1);
  EXPECT_FALSE(Commit("g", {"t", 0}, 2).ok());
  EXPECT_EQ(store_->Find("g").at({"t", 0}).offset, 1);
  ASSERT_TRUE(Commit("g", {"t", 0}, 3).ok());
  Open();
  EXPECT_EQ(store_->Find("g").at({"t", 0}).offset, 3);
}

}  // namespace
}  // namespace millrace::kafka
