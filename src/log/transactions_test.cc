// Transactions in one partition, drawn at random and compared with what a reader must see: open
// ones hide what follows them, aborted ones and markers are never seen, also through restarts,
// rolls and the loss of the partition's state.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "log/crc32c.h"
#include "log/log_fixture.h"
#include "log/record_batch.h"
#include "log/wire.h"

namespace millrace::log {
namespace {

constexpr int16_t kTransactional = 16;

std::string Encode(const std::vector<std::string>& values, int64_t id, int16_t epoch,
                   int32_t sequence, bool transactional) {
  BatchBuilder builder;
  builder.Reset(-1, -1);
  for (const auto& value : values) builder.Add({.value = value}, 1000);
  std::string batch(builder.Finish(0));
  StoreBig<int16_t>(batch.data() + kBatchAttributesAt, transactional ? kTransactional : int16_t{0});
  StoreBig<int64_t>(batch.data() + kBatchProducerIdAt, id);
  StoreBig<int16_t>(batch.data() + kBatchProducerEpochAt, epoch);
  StoreBig<int32_t>(batch.data() + 53, sequence);
  StoreBig<uint32_t>(batch.data() + kBatchCrcAt,
                     Crc32c(std::string_view(batch).substr(kBatchAttributesAt)));
  return batch;
}

class TransactionsTest : public LogFixture {
 protected:
  AppendResult Put(const std::string& batch) {
    return Wait([&](AppendCallback done) { log_->AppendBatch("t", 0, batch, std::move(done)); });
  }
  AppendResult Mark(int64_t id, int16_t epoch, bool commit) {
    return Wait([&](AppendCallback done) {
      log_->AppendMarker("t", 0, {id, epoch, commit}, std::move(done));
    });
  }
  std::vector<std::string> Seen(int64_t from, int64_t to, int64_t max_bytes) {
    std::vector<std::string> values;
    while (from < to) {
      const auto visit = [&](std::span<const model::Record> records) {
        for (const auto& record : records) values.emplace_back(record.value);
      };
      const auto next = log_->Read("t", 0, from, to, max_bytes, visit);
      EXPECT_TRUE(next.ok()) << next.status().ToString();
      if (!next.ok() || *next <= from) break;
      from = *next;
    }
    return values;
  }
};

enum class Fate { kPlain, kOpen, kCommitted, kAborted };
struct Written {
  int64_t offset;
  std::string value;
  Fate fate;
  int64_t producer;
};

class RandomTransactions : public TransactionsTest, public testing::WithParamInterface<int> {
 protected:
  static constexpr int64_t kProducers = 4;
  struct Producer {
    int16_t epoch = 0;
    int32_t sequence = 0;
    bool open = false;
  };

  int Pick(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }

  void Step() {
    const int64_t id = 1 + Pick(kProducers);
    Producer& producer = producers_[id];
    const int what = Pick(10);
    if (what < 6) {
      // Producer 1 writes without transactions.
      const bool transactional = id != 1;
      std::vector<std::string> values;
      for (int i = 1 + Pick(4); i > 0; i--) values.push_back("v" + std::to_string(count_++));
      const std::string batch =
          Encode(values, id, producer.epoch, producer.sequence, transactional);
      const AppendResult result = Put(batch);
      ASSERT_TRUE(result.status.ok()) << result.status.ToString();
      if (Pick(4) == 0) {
        EXPECT_EQ(Put(batch).base_offset, result.base_offset) << "sent again";
      }
      for (size_t i = 0; i < values.size(); i++) {
        written_.push_back({result.base_offset + static_cast<int64_t>(i), values[i],
                            transactional ? Fate::kOpen : Fate::kPlain, id});
      }
      producer.sequence += static_cast<int32_t>(values.size());
      producer.open |= transactional;
    } else if (id != 1) {
      const bool commit = what < 8;
      const bool fence = !commit && Pick(2) == 0;
      const auto epoch = static_cast<int16_t>(producer.epoch + (fence ? 1 : 0));
      for (int times = 1 + Pick(2); times > 0; times--) {
        ASSERT_TRUE(Mark(id, epoch, commit).status.ok());
      }
      for (Written& record : written_) {
        if (record.producer != id || record.fate != Fate::kOpen) continue;
        record.fate = commit ? Fate::kCommitted : Fate::kAborted;
      }
      producer.open = false;
      if (fence && producer.sequence > 0) {
        const auto stale = Put(Encode({"stale"}, id, producer.epoch, producer.sequence, true));
        EXPECT_EQ(stale.fault, SequenceFault::kStaleEpoch);
      }
      if (fence) producer = {epoch, 0, false};
    }
  }

  int64_t ExpectedStable() const {
    for (const Written& record : written_) {
      if (record.fate == Fate::kOpen) return record.offset;
    }
    return log_->DescribePartition("t", 0)->end_offset;
  }

  void Check() {
    const auto info = *log_->DescribePartition("t", 0);
    ASSERT_EQ(info.stable_offset, ExpectedStable());
    std::vector<std::string> expected;
    const int64_t from = Pick(static_cast<int>(info.end_offset) + 1);
    for (const Written& record : written_) {
      const bool visible = record.fate == Fate::kPlain || record.fate == Fate::kCommitted;
      if (record.offset >= from && record.offset < info.stable_offset && visible) {
        expected.push_back(record.value);
      }
    }
    EXPECT_EQ(Seen(from, info.end_offset, 1 + Pick(2000)), expected);

    // As a consumer of the wire does it: all batches, minus those of aborted producers.
    std::string bytes;
    for (int64_t at = from; at < info.stable_offset;) {
      bytes += Batches(at, info.stable_offset, 500);
      at = next_;
    }
    auto aborted = *log_->Aborted("t", 0, from, info.stable_offset);
    std::sort(aborted.begin(), aborted.end(),
              [](const auto& a, const auto& b) { return a.first_offset < b.first_offset; });
    std::vector<std::string> consumed;
    std::set<int64_t> dropping;
    for (std::string_view left = bytes; !left.empty();) {
      const auto header = ParseBatchHeader(left);
      ASSERT_TRUE(header);
      while (!aborted.empty() && aborted.front().first_offset <= header->end_offset() - 1) {
        dropping.insert(aborted.front().producer_id);
        aborted.erase(aborted.begin());
      }
      if (header->control()) {
        dropping.erase(header->producer_id);
      } else if (!header->transactional() || dropping.count(header->producer_id) == 0) {
        RecordCursor cursor(left.substr(0, static_cast<size_t>(header->size_bytes)), *header);
        model::Record record;
        while (cursor.Next(&record)) {
          if (record.offset >= from) consumed.emplace_back(record.value);
        }
      }
      left.remove_prefix(static_cast<size_t>(header->size_bytes));
    }
    EXPECT_EQ(consumed, expected) << "from " << from;
  }

  std::mt19937_64 random_{static_cast<uint64_t>(GetParam())};
  std::map<int64_t, Producer> producers_;
  std::vector<Written> written_;
  int count_ = 0;
};

TEST_P(RandomTransactions, ReadersSeeWhatIsCommittedAndNothingElse) {
  Open();
  Create("t", {.retention_ms = -1, .segment_bytes = 4 << 10});
  Check();
  for (int i = 0; i < 300 && !HasFatalFailure(); i++) {
    Step();
    if (Pick(3) == 0) Check();
    if (Pick(20) > 0) continue;
    if (Pick(2) == 0) files_->CrashAt(1);  // if the log writes anything at its end
    log_.reset();
    files_->Restart();
    if (Pick(4) == 0) files_->SetContent("/log/t-0/partition.state", "damaged");
    Open();
    Check();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomTransactions, testing::Range(0, 12));

// A client that drops records of a transaction that it aborts, not knowing that they were stored,
// may give their sequences to others (seen with librdkafka).
TEST_F(TransactionsTest, WhatComesAfterAMarkerIsNoRepeatOfWhatWasBefore) {
  Open();
  Create("t");
  const auto put = [&](const std::string& value, int32_t sequence) {
    return Put(Encode({value}, 7, 0, sequence, true));
  };
  for (const bool commit : {false, true}) {
    const int32_t first = commit ? 1 : 0;
    const int64_t offset = put("one", first).base_offset;
    EXPECT_GE(offset, 0);
    EXPECT_EQ(put("one", first).base_offset, offset) << "sent again in its transaction";
    EXPECT_TRUE(Mark(7, 0, commit).status.ok());
    EXPECT_EQ(put("other", first).fault, SequenceFault::kGap);
    Open();
    EXPECT_EQ(put("other", first).fault, SequenceFault::kGap);
  }
  EXPECT_GE(put("two", 2).base_offset, 0);
}

TEST_F(TransactionsTest, AMarkerNeedsNoTransactionAndNoTopicOfRecords) {
  Open();
  Create("t");
  EXPECT_TRUE(Mark(7, 0, true).status.ok());
  EXPECT_EQ(log_->DescribePartition("t", 0)->newest_timestamp_ms, -1) << "markers have no time";
  EXPECT_EQ(Seen(0, 1, 1000), std::vector<std::string>());
  EXPECT_EQ(*log_->OffsetForTime("t", 0, 0), 1);
  // The producer is not known by its marker: it may begin with any sequence.
  EXPECT_TRUE(Put(Encode({"a"}, 7, 0, 5, true)).status.ok());
  EXPECT_EQ(Put(Encode({"b"}, -1, -1, -1, true)).status.code(), Code::kCorruption);
}

}  // namespace
}  // namespace millrace::log
