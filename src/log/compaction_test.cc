// Compaction against a model: whatever was appended, in whatever batches and transactions, and
// whenever the process ends, of each key the newest record is there, nothing that was not appended,
// and everything at its offset.
#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "log/compression.h"
#include "log/crc32c.h"
#include "log/log_fixture.h"
#include "log/record_batch.h"
#include "log/wire.h"

namespace millrace::log {
namespace {

struct Wanted {
  std::string key;
  std::optional<std::string> value;
  auto operator<=>(const Wanted&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Wanted& one) {
  return out << one.key << "=" << one.value.value_or("(null)");
}
using Records = std::map<int64_t, Wanted>;  // by offset

class CompactionTest : public LogFixture {
 protected:
  static TopicConfig Compacted() {
    TopicConfig config{.segment_bytes = 4096};
    config.cleanup = {.remove = false, .compact = true};
    return config;
  }
  int Pick(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }

  Wanted AnyRecord() {
    Wanted one{"k" + std::to_string(Pick(12)), std::nullopt};
    if (Pick(6) != 0) {
      one.value = std::to_string(next_value_++) + std::string(static_cast<size_t>(Pick(200)), '.');
    }
    return one;
  }
  std::vector<Wanted> AnyRecords() {
    std::vector<Wanted> some;
    for (int n = 1 + Pick(8); n > 0; n--) some.push_back(AnyRecord());
    return some;
  }
  static std::vector<NewRecord> Views(const std::vector<Wanted>& some) {
    std::vector<NewRecord> records;
    for (const Wanted& one : some) {
      records.push_back({.key = one.key, .value = one.value, .headers = {{"h", one.key}}});
    }
    return records;
  }

  // A batch as a client sends it, in a transaction of the producer if it is not -1.
  std::string Encode(const std::vector<Wanted>& some, int codec, int64_t producer) {
    BatchBuilder builder;
    builder.Reset(-1, -1);
    for (const NewRecord& record : Views(some)) builder.Add(record, 1000);
    const std::string plain(builder.Finish(0));
    BatchHeader header = *ParseBatchHeader(plain);
    header.attributes = static_cast<int16_t>(codec | (producer >= 0 ? 16 : 0));
    header.producer_id = producer;
    if (producer >= 0) {
      header.producer_epoch = 0;
      header.base_sequence = sequences_[producer];
      sequences_[producer] += header.record_count;
    }
    Buffer batch;
    batch.Resize(kBatchHeaderSize);
    const std::string_view records = std::string_view(plain).substr(kBatchHeaderSize);
    if (codec != 0) {
      CompressRecords(records, codec, batch);
    } else {
      batch.Resize(plain.size());
      std::memcpy(batch.data() + kBatchHeaderSize, records.data(), records.size());
    }
    StoreBatchHeader(header, batch);
    return std::string(batch.view());
  }

  // Reads [from, …) in pieces of a random size.
  Records Seen(int64_t from) {
    Records seen;
    const auto info = log_->DescribePartition("t", 0);
    EXPECT_TRUE(info.ok()) << info.status().ToString();
    while (info.ok() && from < info->stable_offset) {
      int64_t previous = from - 1;
      const auto next = log_->Read("t", 0, from, INT64_MAX, 1 + Pick(3000), [&](auto records) {
        for (const model::Record& r : records) {
          EXPECT_GT(r.offset, previous);
          previous = r.offset;
          Wanted one{std::string(r.key), std::nullopt};
          if (r.has_value) one.value = r.value;
          EXPECT_EQ(r.headers, std::string("\x02\x02h", 3) + PutText(one.key));
          seen[r.offset] = one;
        }
      });
      if (!next.ok() || *next <= from) {
        ADD_FAILURE() << next.status().ToString() << " at " << from;
        break;
      }
      from = *next;
    }
    return seen;
  }
  static std::string PutText(const std::string& text) {
    char bytes[16];
    return std::string(bytes, PutBytes(bytes, text));
  }

  // Everything seen was appended; of each key the newest record is seen.
  void Check(const Records& appended) {
    const Records seen = Seen(0);
    for (const auto& [offset, one] : seen) {
      const auto at = appended.find(offset);
      ASSERT_TRUE(at != appended.end()) << one << " at " << offset << " was not appended there";
      ASSERT_EQ(at->second, one) << "at " << offset;
    }
    std::map<std::string, int64_t> newest, newest_seen;
    for (const auto& [offset, one] : appended) newest[one.key] = offset;
    for (const auto& [offset, one] : seen) newest_seen[one.key] = offset;
    for (const auto& [key, offset] : newest) {
      if (appended.at(offset).value) {
        ASSERT_TRUE(seen.contains(offset)) << "the newest record of " << key << " is lost";
      } else {
        ASSERT_TRUE(seen.contains(offset) || !newest_seen.contains(key)) << key << " is back";
      }
    }
    const int64_t from = Pick(static_cast<int>(seen.empty() ? 1 : seen.rbegin()->first + 1));
    Records later = seen;
    later.erase(later.begin(), later.lower_bound(from));
    const Records part = Seen(from);
    // A compaction in between may have taken some away.
    ASSERT_TRUE(std::includes(later.begin(), later.end(), part.begin(), part.end()));
  }

  std::mt19937_64 random_{1};
  int next_value_ = 0;
  std::map<int64_t, int32_t> sequences_;
};

TEST_F(CompactionTest, KeepsTheNewestOfEachKeyAndFewSegments) {
  Open(1);
  Create("t", Compacted());
  const std::string filler(80, '.');
  for (int i = 0; i < 3000; i++) {
    const std::string key = "k" + std::to_string(i % 7), value = std::to_string(i) + filler;
    const NewRecord record{.key = key, .value = value};
    ASSERT_TRUE(log_->AppendAndWait("t", 0, {&record, 1}).ok());
  }
  const auto size = [&] { return log_->DescribePartition("t", 0)->size_bytes; };
  for (int i = 0; i < 60'000 && size() > 12'000; i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_LE(size(), 12'000) << "of about 400,000";
  const auto info = log_->DescribePartition("t", 0);
  EXPECT_EQ(info->start_offset, 0);
  EXPECT_EQ(info->end_offset, 3000);
  std::map<std::string, std::string> last;
  for (const auto& record : ReadAll("t")) last[record.key] = record.value;
  for (int i = 2993; i < 3000; i++) {
    EXPECT_EQ(last["k" + std::to_string(i % 7)], std::to_string(i) + filler);
  }
}

TEST_F(CompactionTest, TombstonesGoAfterTheirTime) {
  Open(1);
  TopicConfig config = Compacted();
  config.tombstones_ms = 1000;
  clock_.SetMillis(100'000);
  Create("t", config);
  const std::string big(1500, 'x');
  const auto put = [&](std::string_view key, std::optional<std::string_view> value) {
    const NewRecord record{.key = key, .value = value};
    ASSERT_TRUE(log_->AppendAndWait("t", 0, {&record, 1}).ok());
  };
  put("gone", big);
  put("gone", std::nullopt);
  const auto holds_gone = [&] {
    const auto all = ReadAll("t");
    return std::any_of(all.begin(), all.end(), [](const auto& r) { return r.key == "gone"; });
  };
  const auto fill = [&] {
    for (int i = 0; i < 200; i++) put("filler", big);
  };
  fill();
  EXPECT_TRUE(holds_gone()) << "readers must have the time to see the tombstone";
  clock_.SetMillis(102'000);
  for (int i = 0; i < 100 && holds_gone(); i++) fill();
  EXPECT_FALSE(holds_gone());
}

TEST_F(CompactionTest, RecordsNeedAKey) {
  Open();
  Create("t", Compacted());
  EXPECT_EQ(Append("t", {"value"}), -2);
  EXPECT_EQ(error_.message(),
            "topic \"t\": a record without a key cannot go into a compacted topic");
  BatchBuilder builder;
  builder.Reset(-1, -1);
  builder.Add({.value = "value"}, 5);
  const auto result = Wait(
      [&](AppendCallback done) { log_->AppendBatch("t", 0, builder.Finish(0), std::move(done)); });
  EXPECT_EQ(result.status.code(), Code::kUnsupported);
}

TEST_F(CompactionTest, BatchesAndTransactionsOfManyKinds) {
  Open(1);
  Create("t", Compacted());
  Records appended;                 // what is committed
  std::map<int64_t, Records> open;  // of each producer's transaction
  for (int step = 0; step < 1500 && !HasFatalFailure(); step++) {
    const int64_t producer = 100 + Pick(2);
    const bool transactional = Pick(3) == 0;
    if (Pick(10) == 0 && open.contains(producer)) {
      const bool commit = Pick(2) == 0;
      const auto result = Wait([&](AppendCallback done) {
        log_->AppendMarker("t", 0, {producer, 0, commit}, std::move(done));
      });
      ASSERT_TRUE(result.status.ok()) << result.status.ToString();
      if (commit) appended.merge(open[producer]);
      open.erase(producer);
    }
    const auto some = AnyRecords();
    const auto batch = Encode(some, Pick(5), transactional ? producer : -1);
    const auto result =
        Wait([&](AppendCallback done) { log_->AppendBatch("t", 0, batch, std::move(done)); });
    ASSERT_TRUE(result.status.ok()) << result.status.ToString();
    Records& to = transactional ? open[producer] : appended;
    for (size_t i = 0; i < some.size(); i++) {
      to[result.base_offset + static_cast<int64_t>(i)] = some[i];
    }
    if (step % 50 == 49) {
      for (const int64_t one : {100, 101}) {  // everything is decided
        if (!open.contains(one)) continue;
        Wait([&](AppendCallback done) {
          log_->AppendMarker("t", 0, {one, 0, true}, std::move(done));
        });
        appended.merge(open[one]);
        open.erase(one);
      }
      Check(appended);
    }
    if (step % 400 == 399) Open(1);
  }
  for (int i = 0; i < 6000 && Seen(0).size() >= appended.size() / 2; i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_LT(Seen(0).size(), appended.size() / 2) << "nothing was compacted";
}

TEST_F(CompactionTest, CrashesAtAnyMoment) {
  for (uint64_t seed = 1; seed <= 60 && !HasFatalFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    random_.seed(seed);
    log_.reset();
    files_ = std::make_unique<env::FaultFileSystem>(seed);
    Records appended;
    int64_t end = 0;
    for (int life = 0; life < 5; life++) {
      Open(1);
      if (life == 0) Create("t", Compacted());
      if (HasFatalFailure()) return;
      // What was not acknowledged may have come as far as the disk.
      for (const auto& [offset, one] : Seen(end)) appended[offset] = one;
      end = log_->DescribePartition("t", 0)->end_offset;
      Check(appended);
      if (life == 4) break;
      files_->CrashAt(100 + Pick(900));
      while (!files_->crashed()) {
        const auto some = AnyRecords();
        const auto offset = log_->AppendAndWait("t", 0, Views(some));
        if (!offset.ok()) continue;
        for (size_t i = 0; i < some.size(); i++) {
          appended[*offset + static_cast<int64_t>(i)] = some[i];
        }
        end = *offset + std::ssize(some);
      }
      log_.reset();
      files_->Restart();
    }
  }
}

}  // namespace
}  // namespace millrace::log
