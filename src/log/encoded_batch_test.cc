// Batches that come encoded by their producer: AppendBatch, ReadBatches, sequences, compression,
// DeleteRecords, and all of it after a restart.
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <random>

#include "log/crc32c.h"
#include "log/log_fixture.h"
#include "log/record_batch.h"
#include "log/wire.h"

namespace millrace::log {
namespace {

struct Producer {
  int64_t id = -1;
  int16_t epoch = -1;
  int32_t sequence = -1;
};

void Seal(std::string& batch) {
  StoreBig<int32_t>(batch.data() + 8, static_cast<int32_t>(batch.size() - 12));
  StoreBig<uint32_t>(batch.data() + 17, Crc32c(std::string_view(batch).substr(21)));
}

std::string Encode(const std::vector<std::string>& values, const Producer& producer = {},
                   int64_t timestamp_ms = 1000) {
  BatchBuilder builder;
  builder.Reset(-1, -1);
  for (const auto& value : values) builder.Add({.value = value}, timestamp_ms);
  std::string batch(builder.Finish(0));
  StoreBig<int64_t>(batch.data() + 43, producer.id);
  StoreBig<int16_t>(batch.data() + 51, producer.epoch);
  StoreBig<int32_t>(batch.data() + 53, producer.sequence);
  Seal(batch);
  return batch;
}

std::string Compress(std::string batch, int codec) {
  const std::string plain = batch.substr(kBatchHeaderSize);
  std::string packed(plain.size() + plain.size() / 8 + 1000, '\0');
  if (codec == 1) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
  } else if (codec == 2) {
    snappy::Compress(plain.data(), plain.size(), &packed);
  } else if (codec == 3) {
    packed.resize(
        LZ4F_compressFrame(packed.data(), packed.size(), plain.data(), plain.size(), nullptr));
  } else {
    packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 3));
  }
  batch = batch.substr(0, kBatchHeaderSize) + packed;
  StoreBig<int16_t>(batch.data() + 21, static_cast<int16_t>(codec));
  Seal(batch);
  return batch;
}

class EncodedBatchTest : public LogFixture {
 protected:
  // Waits for the result.
  AppendResult Put(const std::string& batch, const std::string& topic = "t") {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<AppendResult> result;
    log_->AppendBatch(topic, 0, batch, [&](const AppendResult& r) {
      std::lock_guard lock(mutex);
      result = r;
      done.notify_one();
    });
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return result.has_value(); });
    return *result;
  }
};

TEST_F(EncodedBatchTest, BytesComeBackAsTheyWereSent) {
  Open();
  Create("t");
  const std::string one = Encode({"a", "b"}), two = Encode({"c"});
  EXPECT_EQ(Put(one).base_offset, 0);
  EXPECT_EQ(Put(two).base_offset, 2);
  Append("t", {"d"});
  EXPECT_EQ(Values("t"), (std::vector<std::string>{"a", "b", "c", "d"}));
  const std::string all = Batches(0);
  EXPECT_EQ(next_, 4);
  EXPECT_EQ(all.substr(8, one.size() - 8), one.substr(8)) << "all but the offset";
  EXPECT_EQ(LoadBig<int64_t>(all.data() + one.size()), 2);
  EXPECT_EQ(Batches(1), all) << "from inside the first batch";
  EXPECT_EQ(Batches(0, INT64_MAX, 1).size(), one.size());
  EXPECT_EQ(next_, 2);
  EXPECT_EQ(Batches(0, INT64_MAX, 1, false), "");
  EXPECT_EQ(next_, 0);
  EXPECT_EQ(Batches(4), "");
  Batches(5);
  EXPECT_EQ(error_.code(), Code::kInvalidArgument);
}

TEST_F(EncodedBatchTest, EveryCompressionIsStoredAsSentAndReadPlain) {
  Open();
  Create("t", {.segment_bytes = 32 << 10});
  std::vector<std::string> expected;
  for (int round = 0; round < 40; round++) {
    std::vector<std::string> values;
    for (int i = 0; i < 50; i++)
      values.push_back(std::to_string(round * 50 + i) + std::string(20, 'v'));
    const int codec = round % 5;
    const std::string plain = Encode(values, {}, 1000 + round);
    const std::string batch = codec == 0 ? plain : Compress(plain, codec);
    EXPECT_EQ(Put(batch).base_offset, round * 50) << codec;
    EXPECT_EQ(Batches(round * 50).substr(8), batch.substr(8));
    expected.insert(expected.end(), values.begin(), values.end());
  }
  EXPECT_EQ(Values("t"), expected);
  Open();
  EXPECT_EQ(Values("t"), expected);
  EXPECT_EQ(*log_->OffsetForTime("t", 0, 1013), 13 * 50);
  EXPECT_EQ(ReadAll("t")[777].offset, 777);
}

TEST_F(EncodedBatchTest, WhatIsNotABatchIsRefused) {
  Open();
  Create("t");
  const std::string good = Encode({"a", "b"});
  EXPECT_EQ(Put("").status.code(), Code::kCorruption);
  EXPECT_EQ(Put(good + good).status.code(), Code::kCorruption);
  EXPECT_EQ(Put(good.substr(0, good.size() - 1)).status.code(), Code::kCorruption);
  std::string flipped = good;
  flipped.back() ^= 1;
  EXPECT_EQ(Put(flipped).status.code(), Code::kCorruption);
  std::string miscounted = good;
  StoreBig<int32_t>(miscounted.data() + 57, 1);
  StoreBig<int32_t>(miscounted.data() + 23, 0);
  Seal(miscounted);
  EXPECT_EQ(Put(miscounted).status.code(), Code::kCorruption);
  std::string control = good;
  StoreBig<int16_t>(control.data() + 21, 32);
  Seal(control);
  EXPECT_EQ(Put(control).status.code(), Code::kUnsupported);
  std::string codec = good;
  StoreBig<int16_t>(codec.data() + 21, 7);
  Seal(codec);
  EXPECT_EQ(Put(codec).status.code(), Code::kUnsupported);
  for (int c = 1; c <= 4; c++) {
    std::string packed = Compress(good, c);
    packed.resize(packed.size() - 3);
    Seal(packed);
    EXPECT_EQ(Put(packed).status.code(), Code::kCorruption) << c;
    // A bomb: 80 MiB of zeros.
    std::string bomb = Encode({std::string(16 << 20, '\0')});
    bomb.resize(80 << 20);
    EXPECT_NE(Put(Compress(bomb, c)).status.code(), Code::kOk) << c;
  }
  EXPECT_EQ(log_->DescribePartition("t", 0)->end_offset, 0);
  EXPECT_EQ(Put(good, "nowhere").status.code(), Code::kNotFound);
}

TEST_F(EncodedBatchTest, DuplicatesAnswerWithTheirOffsetAndGapsAreRefused) {
  Open();
  Create("t");
  const auto batch = [](int32_t sequence, int count, int16_t epoch = 0) {
    return Encode(std::vector<std::string>(static_cast<size_t>(count), "v"), {7, epoch, sequence});
  };
  EXPECT_EQ(Put(batch(0, 2)).base_offset, 0);
  EXPECT_EQ(Put(batch(2, 3)).base_offset, 2);
  Append("t", {"other"});
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(Put(batch(0, 2)).base_offset, 0);
    EXPECT_EQ(Put(batch(2, 3)).base_offset, 2);
    EXPECT_EQ(Put(batch(9, 1)).fault, SequenceFault::kGap);
    EXPECT_EQ(Put(batch(2, 2)).fault, SequenceFault::kGap) << "not the same batch";
    Open();
  }
  EXPECT_EQ(Put(batch(5, 1)).base_offset, 6);
  EXPECT_EQ(Put(batch(4, 1, 1)).fault, SequenceFault::kGap) << "a new epoch begins with 0";
  EXPECT_EQ(Put(batch(0, 1, 1)).base_offset, 7);
  EXPECT_EQ(Put(batch(6, 1, 0)).fault, SequenceFault::kStaleEpoch);
  Open();
  EXPECT_EQ(Put(batch(6, 1, 0)).fault, SequenceFault::kStaleEpoch);
  EXPECT_EQ(Put(batch(0, 1, 1)).base_offset, 7);
  EXPECT_EQ(Put(batch(1, 1, 1)).base_offset, 8);
  // A producer that the partition does not know may be anywhere in its sequence, up to its end.
  const auto stranger = [](int32_t sequence, int count) {
    return Encode(std::vector<std::string>(static_cast<size_t>(count), "v"), {8, 0, sequence});
  };
  EXPECT_EQ(Put(stranger(INT32_MAX - 1, 2)).base_offset, 9);
  EXPECT_EQ(Put(stranger(0, 1)).base_offset, 11) << "sequences wrap";
  EXPECT_EQ(Put(stranger(INT32_MAX - 1, 2)).base_offset, 9);
  EXPECT_EQ(log_->DescribePartition("t", 0)->end_offset, 12);
}

// A client with five requests in flight that sends each of them again at random, against the log
// and restarts: each record once, in order.
TEST_F(EncodedBatchTest, RetriesLeaveEachRecordOnce) {
  for (uint64_t seed = 1; seed <= 5; seed++) {
    std::mt19937_64 random(seed);
    const std::string topic = "r" + std::to_string(seed);
    Open();
    Create(topic, {.segment_bytes = 16 << 10});
    std::vector<std::string> sent;
    std::vector<std::string> batches;
    int32_t sequence = 0;
    for (int i = 0; i < 60; i++) {
      std::vector<std::string> values;
      for (uint64_t n = 1 + random() % 20; n > 0; n--)
        values.push_back(std::to_string(sent.size()) + "/" + std::to_string(n));
      sent.insert(sent.end(), values.begin(), values.end());
      batches.push_back(Encode(values, {3, 0, sequence}));
      sequence += static_cast<int32_t>(values.size());
      for (size_t back = std::min<size_t>(batches.size(), 1 + random() % 5); back > 0; back--) {
        EXPECT_TRUE(Put(batches[batches.size() - back], topic).status.ok());
      }
      if (random() % 10 == 0) {
        if (random() % 2 == 0) files_->CrashAt(1);
        log_.reset();
        if (files_->crashed()) files_->Restart();
        Open();
      }
    }
    EXPECT_EQ(Values(topic), sent);
  }
}

// What the version before wrote is read: sequences go on, nothing counts as deleted.
TEST_F(EncodedBatchTest, AStateOfTheOldFormatIsRead) {
  Open();
  Create("t");
  EXPECT_EQ(Append("t", {"a", "b"}, {.producer_id = 9, .base_sequence = 0}), 0);
  log_.reset();
  const std::string now = files_->Content("/log/t-0/partition.state");
  std::string old = "MRS1" + now.substr(4, 32);
  const auto put = [&](auto value) {
    char raw[sizeof(value)];
    StoreBig(raw, value);
    old.append(raw, sizeof(value));
  };
  put(int32_t{1});
  put(int64_t{9});
  put(int64_t{2});
  put(Crc32c(old));
  files_->SetContent("/log/t-0/partition.state", old);
  Open();
  EXPECT_EQ(*log_->NextSequence("t", 0, 9), 2);
  EXPECT_EQ(log_->DescribePartition("t", 0)->start_offset, 0);
  EXPECT_EQ(Append("t", {"b", "c"}, {.producer_id = 9, .base_sequence = 1}), 2);
  EXPECT_EQ(Values("t"), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(EncodedBatchTest, DeletedRecordsStayDeleted) {
  Open();
  Create("t", {.retention_ms = -1, .segment_bytes = 16 << 10});
  for (int i = 0; i < 100; i++) Put(Encode(std::vector<std::string>(10, std::string(100, 'x'))));
  const size_t segments = files_->List("/log/t-0")->size();
  EXPECT_EQ(*log_->DeleteRecords("t", 0, 505), 505);
  EXPECT_EQ(*log_->DeleteRecords("t", 0, 100), 505) << "never goes back";
  EXPECT_EQ(log_->DeleteRecords("t", 0, 1001).status().code(), Code::kInvalidArgument);
  EXPECT_LT(files_->List("/log/t-0")->size(), segments);
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(log_->DescribePartition("t", 0)->start_offset, 505);
    Batches(504);
    EXPECT_EQ(error_.code(), Code::kInvalidArgument);
    EXPECT_EQ(LoadBig<int64_t>(Batches(505).data()), 500) << "the batch that holds it";
    EXPECT_EQ(*log_->OffsetForTime("t", 0, 0), 505);
    Open();
  }
  EXPECT_EQ(*log_->DeleteRecords("t", 0, 1000), 1000);
  Open();
  EXPECT_EQ(log_->DescribePartition("t", 0)->start_offset, 1000);
  EXPECT_EQ(Append("t", {"next"}), 1000);
  EXPECT_EQ(Values("t"), (std::vector<std::string>{"next"}));
}

// Any range of any log equals the batches one by one, however the index and segments lie.
TEST_F(EncodedBatchTest, AnyRangeIsWholeBatchesThatFit) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; round++) {
    log_.reset();
    files_ = std::make_unique<env::FaultFileSystem>(1);
    Open();
    Create("t", {.retention_ms = -1, .segment_bytes = 16 << 10});
    struct Batch {
      int64_t first, end, bytes;
    };
    std::vector<Batch> batches;
    std::string all;
    for (int i = 0; i < 60; i++) {
      const auto count = static_cast<size_t>(1 + random() % 5);
      const std::string batch = Encode(std::vector<std::string>(
          count, std::string(random() % (random() % 4 == 0 ? 3000 : 100), 'x')));
      const int64_t first = Put(batch).base_offset;
      batches.push_back({first, first + static_cast<int64_t>(count), std::ssize(batch)});
      all += Batches(first, first + 1);
    }
    if (round % 2 == 1) Open();  // nothing is known to be whole
    for (int i = 0; i < 200; i++) {
      const int64_t from =
          static_cast<int64_t>(random() % static_cast<uint64_t>(batches.back().end));
      const int64_t to = from + 1 + static_cast<int64_t>(random() % 200);
      const auto max_bytes = static_cast<int64_t>(random() % 20'000);
      const bool at_least_one = random() % 2 == 0;
      int64_t position = 0, begin = -1, bytes = 0, next = from;
      for (const Batch& batch : batches) {
        const bool wanted = batch.end > from && batch.first < to;
        const bool fits = bytes + batch.bytes <= max_bytes || (at_least_one && bytes == 0);
        if (wanted && !fits) break;
        if (wanted) {
          if (begin < 0) begin = position;
          bytes += batch.bytes;
          next = batch.end;
        }
        position += batch.bytes;
      }
      const std::string expected =
          bytes == 0 ? "" : all.substr(static_cast<size_t>(begin), static_cast<size_t>(bytes));
      ASSERT_EQ(Batches(from, to, max_bytes, at_least_one), expected) << from << " " << to;
      ASSERT_EQ(next_, next) << from << " " << to << " " << max_bytes;
    }
  }
}

TEST_F(EncodedBatchTest, DamageIsNotHandedOut) {
  Open();
  Create("t", {.retention_ms = -1, .segment_bytes = 4096});
  for (int i = 0; i < 20; i++) Put(Encode({std::string(600, 'x')}));
  const int64_t batch_bytes = std::ssize(Batches(0, 1));
  const std::string whole = Batches(0);
  log_.reset();
  std::string damaged = files_->Content(SegmentPath(0));
  damaged[static_cast<size_t>(3 * batch_bytes - 5)] ^= 1;  // in the third batch
  files_->SetContent(SegmentPath(0), damaged);
  for (const int64_t from : {0, 1}) {
    Open();
    EXPECT_EQ(Batches(from), whole.substr(static_cast<size_t>(from * batch_bytes),
                                          static_cast<size_t>((2 - from) * batch_bytes)));
    EXPECT_EQ(next_, 2);
    Batches(2);
    EXPECT_EQ(error_.code(), Code::kCorruption);
    EXPECT_NE(error_.message().find("checksum"), std::string::npos);
    EXPECT_EQ(Batches(12, 20).size(), static_cast<size_t>(8 * batch_bytes)) << "other segments";
  }
}

}  // namespace
}  // namespace millrace::log
