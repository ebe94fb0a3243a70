#include <thread>

#include "connectors/connector_fixture.h"
#include "connectors/kafka/kafka.h"
#include "env/clock.h"
#include "log/log.h"

namespace millrace::connectors::kafka {
namespace {

model::Schema TestSchema() {
  return {{{"k", LogicalType::VARCHAR}, {"v", LogicalType::BIGINT}}};
}

// A log that refuses appends once its allowance is used up: the process "dies" there.
class StoppingLog : public log::Log {
 public:
  explicit StoppingLog(log::Log& real) : real_(real) {}
  int allowed = INT32_MAX;

  Status CreateTopic(const std::string& n, const log::TopicConfig& c) override {
    return real_.CreateTopic(n, c);
  }
  Status DeleteTopic(const std::string& n) override { return real_.DeleteTopic(n); }
  Status AlterTopic(const std::string& n, const log::TopicConfig& c) override {
    return real_.AlterTopic(n, c);
  }
  std::vector<log::TopicInfo> Topics() const override { return real_.Topics(); }
  Result<log::TopicInfo> Describe(const std::string& t) const override { return real_.Describe(t); }
  Result<log::PartitionInfo> DescribePartition(const std::string& t, int p) const override {
    return real_.DescribePartition(t, p);
  }
  void Append(const std::string& t, int p, std::span<const log::NewRecord> r,
              const log::ProducerSequence& s, log::AppendCallback done) override {
    if (allowed-- > 0) return real_.Append(t, p, r, s, std::move(done));
    done({Status(Code::kIo, "stopped"), -1});
  }
  Result<int64_t> NextSequence(const std::string& t, int p, int64_t id) const override {
    return real_.NextSequence(t, p, id);
  }
  Result<int64_t> Read(const std::string& t, int p, int64_t from, int64_t to, int64_t max,
                       const std::function<void(std::span<const model::Record>)>& visit) override {
    return real_.Read(t, p, from, to, max, visit);
  }
  Result<int64_t> OffsetAfterBytes(const std::string& t, int p, int64_t from,
                                   int64_t b) const override {
    return real_.OffsetAfterBytes(t, p, from, b);
  }
  Result<int64_t> OffsetForTime(const std::string& t, int p, int64_t ms) const override {
    return real_.OffsetForTime(t, p, ms);
  }
  uint64_t CommitCount() const override { return real_.CommitCount(); }
  uint64_t WaitForCommit(uint64_t seen, int64_t us) override {
    return real_.WaitForCommit(seen, us);
  }
  void WakeWaiters() override { real_.WakeWaiters(); }

 private:
  log::Log& real_;
};

class LogTopic : public ::testing::Test {
 protected:
  void SetUp() override { OpenLog(); }
  void OpenLog() {
    log_.reset();
    auto opened = log::Log::Open({.directory = directory_.path()});
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    log_ = std::move(*opened);
  }
  TableContext Table(std::map<std::string, std::string> with = {}, log::Log* log = nullptr) {
    with["topic"] = "events";
    with["format"] = "json";
    TableContext table = MakeTable("kafka", TestSchema(), with);
    table.services.log = log ? log : log_.get();
    return table;
  }
  void Put(const std::string& value, int partition = 0, int64_t timestamp_ms = 0) {
    log::NewRecord record;
    record.value = value;
    record.timestamp_ms = timestamp_ms;
    auto done = log_->AppendAndWait("events", partition, std::span(&record, 1));
    ASSERT_TRUE(done.ok()) << done.status().ToString();
  }
  // All values of the topic, sorted, keys in front.
  std::vector<std::string> Values() {
    std::vector<std::string> values;
    auto info = log_->Describe("events");
    for (int p = 0; p < info->config.partitions; p++) {
      auto part = log_->DescribePartition("events", p);
      int64_t at = part->start_offset;
      while (at < part->end_offset) {
        auto next = log_->Read("events", p, at, part->end_offset, 1 << 20, [&](auto records) {
          for (const auto& record : records) {
            values.push_back((record.has_key ? std::string(record.key) : "-") + "=" +
                             std::string(record.value));
          }
        });
        EXPECT_TRUE(next.ok());
        at = *next;
      }
    }
    std::sort(values.begin(), values.end());
    return values;
  }
  model::Offset StartOf(const TableContext& table) {
    auto source = NewLogTopicSource(table);
    EXPECT_TRUE(source.ok()) << source.status().ToString();
    EXPECT_TRUE((*source)->Open({}).ok());
    auto start = (*source)->Start({"0"});
    EXPECT_TRUE(start.ok()) << start.status().ToString();
    return start.ok() ? *start : -1;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<log::Log> log_;
};

TEST_F(LogTopic, StartupModes) {
  ASSERT_TRUE(log_->CreateTopic("events", {}).ok());
  for (int i = 0; i < 5; i++) Put("{}", 0, 1000 + i);
  EXPECT_EQ(StartOf(Table()), 5);
  EXPECT_EQ(StartOf(Table({{"properties.auto.offset.reset", "earliest"}})), 0);
  EXPECT_EQ(StartOf(Table({{"scan.startup.mode", "latest-offset"}})), 5);
  EXPECT_EQ(StartOf(Table({{"scan.startup.mode", "earliest-offset"}})), 0);
  EXPECT_EQ(StartOf(Table(
                {{"scan.startup.mode", "timestamp"}, {"scan.startup.timestamp-millis", "1003"}})),
            3);
  EXPECT_EQ(StartOf(Table({{"scan.startup.mode", "specific-offsets"},
                           {"scan.startup.specific-offsets", "partition:0,offset:2"}})),
            2);
  EXPECT_EQ(NewLogTopicSource(Table({{"scan.startup.mode", "specific-offsets"},
                                     {"scan.startup.specific-offsets", "0:2"}}))
                .status()
                .code(),
            Code::kBadOption);
  EXPECT_EQ(NewLogTopicSource(Table({{"scan.startup.mode", "timestamp"}})).status().code(),
            Code::kBadOption);
}

TEST_F(LogTopic, TopicMadeByTheTableIsReadFromItsStartEvenAfterACrash) {
  EXPECT_EQ(StartOf(Table({{"scan.startup.mode", "latest-offset"}})), 0);
  Put("{\"k\":\"a\"}");
  OpenLog();  // the job died before it stored a position
  EXPECT_EQ(StartOf(Table({{"scan.startup.mode", "latest-offset"}})), 0);
  TableContext other = Table({{"scan.startup.mode", "latest-offset"}});
  other.job = "other";
  EXPECT_EQ(StartOf(other), 1);
}

TEST_F(LogTopic, ReadsTheSameForEveryCut) {
  ASSERT_TRUE(log_->CreateTopic("events", {}).ok());
  for (int i = 0; i < 200; i++) Put("value" + std::to_string(i));
  auto source = *NewLogTopicSource(
      Table({{"scan.bounded.mode", "latest-offset"}, {"scan.startup.mode", "earliest-offset"}}));
  ASSERT_TRUE(source->Open({}).ok());
  Put("after the bound");
  ASSERT_EQ((*source->Splits()).size(), 1u);
  const auto all = ReadAll(*source, {"0"}, 1 << 20);
  ASSERT_EQ(all.size(), 200u);
  EXPECT_EQ(ReadAll(*source, {"0"}, 1), all);
  for (int64_t cut = 0; cut <= 200; cut += 7) {
    Collected out;
    ASSERT_TRUE(source->Read({"0"}, 0, cut, out).ok());
    ASSERT_TRUE(source->Read({"0"}, cut, 200, out).ok());
    EXPECT_EQ(out.rows, all);
  }
  EXPECT_FALSE(source->Poll({"0"}, 5000, 1).ok() && !source->Poll({"0"}, 5000, 1)->end);
  EXPECT_FALSE(source->Poll({"nonsense"}, 0, 1).ok());
}

TEST_F(LogTopic, NewPartitionsAreFoundAndReadFromTheirStart) {
  ASSERT_TRUE(log_->CreateTopic("events", {}).ok());
  Put("old");
  auto source = *NewLogTopicSource(Table());
  ASSERT_TRUE(source->Open({}).ok());
  ASSERT_TRUE(log_->AlterTopic("events", {.partitions = 3}).ok());
  Put("new", 2);
  ASSERT_EQ((*source->Splits()).size(), 3u);
  EXPECT_EQ(*source->Start({"0"}), 1);
  EXPECT_EQ(*source->Start({"2"}), 0);
}

TEST_F(LogTopic, WaitWakesForACommitAndForInterrupt) {
  auto source = *NewLogTopicSource(Table());
  ASSERT_TRUE(source->Open({}).ok());
  auto* clock = env::Clock::System();
  source->Wait(clock->MonotonicMicros() + 1000);
  source->Wait(clock->MonotonicMicros() + 1000);
  const int64_t begin = clock->MonotonicMicros();
  std::thread writer([&] { Put("x"); });
  source->Wait(begin + 120'000'000);
  writer.join();
  std::thread interrupter([&] { source->Interrupt(); });
  source->Wait(begin + 120'000'000);
  interrupter.join();
  EXPECT_LT(clock->MonotonicMicros() - begin, 60'000'000);
}

TEST_F(LogTopic, SinkWritesKeysAndIsIdempotent) {
  auto table = Table({{"key.fields", "k"}});
  auto sink = *NewLogTopicSink(table);
  ASSERT_TRUE(sink->Open().ok());
  EXPECT_EQ(*sink->LastCommitted(), 0);
  ASSERT_TRUE(
      WriteRows(*sink, table.schema, {{Value("a"), Value::BIGINT(1)}, {Value(), Value()}}).ok());
  ASSERT_TRUE(sink->Commit(1).ok());
  ASSERT_TRUE(sink->Commit(1).ok());
  ASSERT_TRUE(sink->Commit(2).ok());
  EXPECT_EQ(Values(),
            (std::vector<std::string>{"-={\"k\":null,\"v\":null}", "a={\"k\":\"a\",\"v\":1}"}));
  EXPECT_EQ(WriteRows(*sink, table.schema, {{Value("a"), Value::BIGINT(1)}}, {-1}).code(),
            Code::kUnsupported);
  sink = *NewLogTopicSink(table);
  ASSERT_TRUE(sink->Open().ok());
  EXPECT_EQ(*sink->LastCommitted(), 2);
}

TEST_F(LogTopic, SinkNeedsALog) {
  TableContext table = Table();
  table.services.log = nullptr;
  EXPECT_EQ(NewLogTopicSink(table).status().code(), Code::kUnsupported);
  EXPECT_EQ(NewLogTopicSource(table).status().code(), Code::kUnsupported);
  EXPECT_EQ(NewLogTopicSink(Table({{"key.fields", "kk"}})).status().code(), Code::kUnknownColumn);
}

// Three epochs over four partitions; the process dies after every possible number of appends, and
// partitions are added while it is down.
TEST_F(LogTopic, SinkIsExactlyOnceAtEveryCrashPoint) {
  for (const bool keyed : {false, true}) {
    for (int stop = 0; stop < 18; stop++) {
      SCOPED_TRACE("stop after " + std::to_string(stop) + (keyed ? " keyed" : ""));
      if (log_->Describe("events").ok()) {
        for (const auto& topic : log_->Topics()) ASSERT_TRUE(log_->DeleteTopic(topic.name).ok());
      }
      std::map<std::string, std::string> with = {{"properties.num.partitions", "4"}};
      if (keyed) with["key.fields"] = "k";
      StoppingLog stopping(*log_);
      auto run = [&](log::Log& log) {
        auto table = Table(with, &log);
        auto sink = *NewLogTopicSink(table);
        if (!sink->Open().ok()) return false;
        for (model::Epoch epoch = *sink->LastCommitted() + 1; epoch <= 3; epoch++) {
          for (int i = 0; i < 10; i++) {
            const int64_t n = epoch * 100 + i;
            EXPECT_TRUE(
                WriteRows(*sink, table.schema, {{Value("k" + std::to_string(n)), Value::BIGINT(n)}})
                    .ok());
          }
          if (!sink->Commit(epoch).ok()) return false;
        }
        return true;
      };
      stopping.allowed = stop;
      run(stopping);
      if (log_->Describe("events").ok()) {
        ASSERT_TRUE(log_->AlterTopic("events", {.partitions = 6}).ok());
      }
      OpenLog();
      ASSERT_TRUE(run(*log_));
      std::vector<std::string> expected;
      for (int epoch = 1; epoch <= 3; epoch++) {
        for (int i = 0; i < 10; i++) {
          const std::string n = std::to_string(epoch * 100 + i);
          expected.push_back((keyed ? "k" + n : "-") + "={\"k\":\"k" + n + "\",\"v\":" + n + "}");
        }
      }
      std::sort(expected.begin(), expected.end());
      ASSERT_EQ(Values(), expected);
    }
  }
}

}  // namespace
}  // namespace millrace::connectors::kafka
