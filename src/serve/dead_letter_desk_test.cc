#include "serve/dead_letter_desk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "env/fault_files.h"
#include "job/job.h"

namespace millrace::serve {
namespace {

// Passes everything on until `appends_left` appends were made; then every append fails, the first
// of them after it reached the disk if `fails_late`.
class FailingLog final : public log::Log {
 public:
  explicit FailingLog(log::Log& log) : log_(log) {}
  int appends_left = -1;  // -1: no failure
  bool fails_late = false;

  void Append(const std::string& topic, int partition, std::span<const log::NewRecord> records,
              const log::ProducerSequence& sequence, log::AppendCallback done) override {
    if (appends_left != 0) {
      if (appends_left > 0) appends_left--;
      log_.Append(topic, partition, records, sequence, std::move(done));
      return;
    }
    if (fails_late) {
      fails_late = false;
      log_.Append(topic, partition, records, sequence,
                  [done = std::move(done)](const log::AppendResult&) {
                    done({Status(Code::kIo, "the power is gone")});
                  });
      return;
    }
    done({Status(Code::kIo, "the power is gone")});
  }
  Status CreateTopic(const std::string& name, const log::TopicConfig& config) override {
    return log_.CreateTopic(name, config);
  }
  Status DeleteTopic(const std::string& name) override { return log_.DeleteTopic(name); }
  Status AlterTopic(const std::string& name, const log::TopicConfig& config) override {
    return log_.AlterTopic(name, config);
  }
  std::vector<log::TopicInfo> Topics() const override { return log_.Topics(); }
  Result<log::TopicInfo> Describe(const std::string& topic) const override {
    return log_.Describe(topic);
  }
  Result<log::PartitionInfo> DescribePartition(const std::string& topic, int p) const override {
    return log_.DescribePartition(topic, p);
  }
  Result<int64_t> NextSequence(const std::string& topic, int p, int64_t producer) const override {
    return log_.NextSequence(topic, p, producer);
  }
  Result<int64_t> Read(const std::string& topic, int p, int64_t from, int64_t to, int64_t max_bytes,
                       const std::function<void(std::span<const model::Record>)>& visit) override {
    return log_.Read(topic, p, from, to, max_bytes, visit);
  }
  Result<int64_t> OffsetAfterBytes(const std::string& topic, int p, int64_t from,
                                   int64_t budget) const override {
    return log_.OffsetAfterBytes(topic, p, from, budget);
  }
  Result<int64_t> OffsetForTime(const std::string& topic, int p, int64_t ms) const override {
    return log_.OffsetForTime(topic, p, ms);
  }
  uint64_t CommitCount() const override { return log_.CommitCount(); }
  uint64_t WaitForCommit(uint64_t seen, int64_t timeout_us) override {
    return log_.WaitForCommit(seen, timeout_us);
  }
  void WakeWaiters() override { log_.WakeWaiters(); }

 private:
  log::Log& log_;
};

std::shared_ptr<TopicSchema> OrdersSchema() {
  auto schema = std::make_shared<TopicSchema>();
  schema->table = "orders";
  schema->schema.columns = {{"id", duckdb::LogicalType::VARCHAR, false},
                            {"quantity", duckdb::LogicalType::INTEGER, true},
                            {"currency", duckdb::LogicalType::VARCHAR, true}};
  schema->key_column = "id";
  schema->check_constraints = [](duckdb::DataChunk& rows, auto& errors) {
    for (uint32_t row = 0; row < rows.size(); row++) {
      duckdb::Value quantity = rows.GetValue(1, row);
      if (!quantity.IsNull() && quantity.GetValue<int32_t>() <= 0) {
        errors.push_back({row, {0, model::RowErrorKind::kConstraint, "", "quantity > 0 is false"}});
      }
    }
  };
  return schema;
}

struct Sent {
  int partition;
  std::string key, value;
  bool operator==(const Sent&) const = default;
};

class DeskTest : public testing::Test {
 protected:
  void SetUp() override {
    auto warehouse = duck::Warehouse::Open(":memory:");
    ASSERT_TRUE(warehouse.ok());
    warehouse_ = std::move(*warehouse);
    OpenLog();
  }

  // On a new disk.
  void OpenLog() {
    desk_.reset();
    book_.reset();
    failing_.reset();
    log_.reset();
    files_ = std::make_unique<env::FaultFileSystem>();
    log::LogOptions options;
    options.directory = "/log";
    options.files = files_.get();
    auto log = log::Log::Open(options);
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    log_ = std::move(*log);
    for (const char* topic : {job::kDeadLetterTopic, project::kDeadLetterAuditTopic}) {
      ASSERT_TRUE(log_->CreateTopic(topic, {}).ok());
    }
    ASSERT_TRUE(log_->CreateTopic("orders", {.partitions = 3}).ok());
    failing_ = std::make_unique<FailingLog>(*log_);
    OpenDesk();
  }

  // As a new process does.
  void OpenDesk() {
    failing_->appends_left = -1;
    failing_->fails_late = false;
    book_ = std::make_unique<project::DeadLetterBook>(*failing_);
    desk_ = std::make_unique<DeadLetterDesk>(
        *failing_, *book_, *warehouse_,
        [this](const std::string& topic) { return topic == "orders" ? schema_ : nullptr; });
    Status finished = desk_->FinishBegun();
    ASSERT_TRUE(finished.ok()) << finished.ToString();
  }

  void Bury(const std::string& payload, model::RowErrorKind kind, int partition = -1,
            std::optional<std::string> key = std::nullopt) {
    model::DeadLetter letter{.time_ms = 5, .stage = "collector", .topic = "orders"};
    letter.partition = partition;
    letter.offset = partition < 0 ? -1 : 3;
    letter.kind = kind;
    letter.reason = "why";
    letter.key = std::move(key);
    letter.payload = payload;
    std::string json = letter.ToJson();
    log::NewRecord record{.value = json};
    ASSERT_TRUE(log_->AppendAndWait(job::kDeadLetterTopic, 0, {&record, 1}).ok());
  }

  std::string Act(const std::string& request) {
    auto answer = desk_->Act(request);
    return answer.ok() ? *answer : answer.status().message();
  }

  std::vector<Sent> Orders() {
    std::vector<Sent> sent;
    for (int p = 0; p < 3; p++) {
      auto at = log_->DescribePartition("orders", p);
      for (int64_t from = 0; from < at->end_offset;) {
        auto next = log_->Read("orders", p, from, at->end_offset, 1 << 20, [&](auto records) {
          for (const model::Record& r : records) {
            sent.push_back({p, std::string(r.key), std::string(r.value)});
          }
        });
        if (!next.ok()) {
          ADD_FAILURE() << next.status().ToString();
          return sent;
        }
        from = *next;
      }
    }
    return sent;
  }

  std::string State(int64_t offset) { return LetterStateName(book_->MarkOf({0, offset}).state); }

  std::unique_ptr<env::FaultFileSystem> files_;
  std::unique_ptr<duck::Warehouse> warehouse_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<FailingLog> failing_;
  std::unique_ptr<project::DeadLetterBook> book_;
  std::unique_ptr<DeadLetterDesk> desk_;
  std::shared_ptr<TopicSchema> schema_ = OrdersSchema();
};

using Kind = model::RowErrorKind;

TEST_F(DeskTest, EditsReplaysAndDiscards) {
  Bury(R"({"id":"a", "quantity": -2, "price": 1.50})", Kind::kConstraint);
  Bury(R"({"id":"b","quantity":)", Kind::kMalformed);
  EXPECT_NE(Act(R"({"action":"replay","filter":{}})").find("quantity > 0 is false"),
            std::string::npos);
  EXPECT_EQ(State(0), "open");
  EXPECT_EQ(book_->MarkOf({0, 0}).attempts, 1);
  // What is not assigned keeps its bytes; a column that is not there is NULL.
  auto edit = [](const char* dry_run) {
    return std::string(R"({"action":"edit","ids":["0/0"],"set":"quantity = abs(quantity), )") +
           R"j(currency = coalesce(currency, 'EUR')","dry_run":)j" + dry_run + "}";
  };
  std::string dry = Act(edit("true"));
  EXPECT_EQ(State(0), "open");
  std::string edited = Act(edit("false"));
  std::string value = R"({"id":"a","quantity":2,"price":1.50,"currency":"EUR"})";
  EXPECT_NE(edited.find(JsonQuote(value)), std::string::npos) << edited;
  EXPECT_NE(dry.find(JsonQuote(value)), std::string::npos) << dry;
  EXPECT_EQ(State(0), "edited");
  EXPECT_TRUE(Orders().empty());
  Act(R"({"action":"replay","dry_run":true,"filter":{}})");
  EXPECT_TRUE(Orders().empty());
  std::string replayed = Act(R"({"action":"replay","filter":{"kind":"constraint"},"who":"ann"})");
  EXPECT_NE(replayed.find("\"done\":1"), std::string::npos) << replayed;
  std::vector<Sent> wanted = {{log::PartitionForKey("a", 3), "a", value}};
  EXPECT_EQ(Orders(), wanted);
  EXPECT_EQ(State(0), "edited+replayed");
  // Not twice, unless it is asked for.
  EXPECT_NE(Act(R"({"action":"replay","ids":["0/0"]})").find("was replayed already"),
            std::string::npos);
  EXPECT_EQ(Orders().size(), 1u);
  EXPECT_NE(Act(R"({"action":"discard","ids":["0/1"]})").find("for a reason"), std::string::npos);
  Act(R"({"action":"discard","ids":["0/1"],"reason":"cut off"})");
  EXPECT_EQ(State(1), "discarded");
  EXPECT_NE(Act(R"({"action":"retry","filter":{}})").find("\"letters\":[]"), std::string::npos);
  // A new process knows all of it.
  OpenDesk();
  EXPECT_EQ(State(0), "edited+replayed");
  EXPECT_EQ(State(1), "discarded");
  auto letter = desk_->LetterJson("0/0");
  ASSERT_TRUE(letter.ok());
  EXPECT_NE(letter->find(R"("who":"ann")"), std::string::npos) << *letter;
  EXPECT_EQ(desk_->LetterJson("0/2").status().code(), Code::kNotFound);
  EXPECT_NE(Act(R"({"action":"retry","ids":["0/9"]})").find("there is no dead letter"),
            std::string::npos);
}

TEST_F(DeskTest, KeepsKeyAndPartitionOfRecords) {
  std::string good = R"({"id":"a","quantity":1})";
  Bury(good, Kind::kType, 1, "own");       // as its producer keyed it
  Bury(good, Kind::kType, 2);              // without key
  Bury(good, Kind::kType, 1, "\xff\x01");  // a key that is no text
  Act(R"({"action":"retry","filter":{}})");
  std::vector<Sent> wanted = {
      {1, "own", good}, {1, "\xff\x01", good}, {log::PartitionForKey("a", 3), "a", good}};
  std::vector<Sent> sent = Orders();
  for (const Sent& one : wanted) {
    EXPECT_EQ(std::count(sent.begin(), sent.end(), one), 1) << one.key;
  }
  EXPECT_EQ(sent.size(), 3u);
}

TEST_F(DeskTest, LateRowsOnlyWhenSaid) {
  Bury(R"({"id":"a"})", Kind::kLate, 0, "a");
  EXPECT_NE(Act(R"({"action":"replay","filter":{}})").find("--late"), std::string::npos);
  EXPECT_TRUE(Orders().empty());
  Act(R"({"action":"replay","filter":{},"late":true})");
  EXPECT_EQ(Orders().size(), 1u);
}

TEST_F(DeskTest, LettersThatCannotBeSentAreRefused) {
  model::DeadLetter letter{.stage = "decode", .topic = "part-0.parquet", .payload = "{}"};
  std::string json = letter.ToJson();
  log::NewRecord record{.value = json};
  ASSERT_TRUE(log_->AppendAndWait(job::kDeadLetterTopic, 0, {&record, 1}).ok());
  EXPECT_NE(Act(R"({"action":"retry","ids":["0/0"]})").find("is no topic of the log"),
            std::string::npos);
}

TEST_F(DeskTest, PatchAndValue) {
  Bury(R"({"id":"a","quantity":"x","at":{"zip":1,"city":"B"}})", Kind::kType);
  Bury("\xff\xfe", Kind::kMalformed);
  Act(R"({"action":"edit","ids":["0/0"],"patch":{"quantity":3,"at":{"zip":null}}})");
  EXPECT_EQ(*book_->MarkOf({0, 0}).edited_value, R"({"id":"a","quantity":3,"at":{"city":"B"}})");
  EXPECT_NE(Act(R"({"action":"edit","ids":["0/1"],"patch":{"a":1}})").find("not a JSON object"),
            std::string::npos);
  Act(R"({"action":"edit","ids":["0/1"],"value":"{\"id\":\"b\"}"})");
  Act(R"({"action":"replay","filter":{}})");
  EXPECT_EQ(Orders().size(), 2u);
}

// What letters hold must not become SQL, and what is no assignment must not run.
TEST_F(DeskTest, DataIsNotSql) {
  std::string evil = R"({"id":"'); DROP TABLE t; --","a\"b":1,"quantity":-1})";
  Bury(evil, Kind::kConstraint);
  ASSERT_TRUE(warehouse_->Query("CREATE TABLE t AS SELECT 1 AS x").ok());
  Act(R"({"action":"edit","ids":["0/0"],"set":"quantity = abs(quantity), id = id || '!'"})");
  EXPECT_EQ(*book_->MarkOf({0, 0}).edited_value,
            R"({"id":"'); DROP TABLE t; --!","a\"b":1,"quantity":1})");
  for (const char* set : {"quantity = 1; DROP TABLE t", "quantity = 1 WHERE true", "quantity",
                          "quantity = (DELETE FROM t RETURNING x)"}) {
    std::string answer =
        Act("{\"action\":\"edit\",\"ids\":[\"0/0\"],\"set\":" + JsonQuote(set) + "}");
    EXPECT_NE(answer.find("is not a list of assignments"), std::string::npos) << answer;
  }
  EXPECT_NE(Act(R"({"action":"edit","ids":["0/0"],"set":"qantity = 1"})").find("did you mean"),
            std::string::npos);
  EXPECT_TRUE(warehouse_->Query("FROM t").ok());
}

// The process dies at each append in turn, before or after it reached the disk.
TEST_F(DeskTest, DyingInAReplayDoublesNothingAndLosesNothing) {
  constexpr int kLetters = 12;
  for (int dies_at = 0; dies_at < 14; dies_at++) {
    for (bool late : {false, true}) {
      OpenLog();
      for (int i = 0; i < kLetters; i++) {
        std::string id = "o" + std::to_string(i);
        Bury("{\"id\":\"" + id + "\",\"quantity\":" + std::to_string(i - 2) + "}",
             Kind::kConstraint);
      }
      failing_->appends_left = dies_at;
      failing_->fails_late = late;
      std::string request = R"({"action":"replay","filter":{},"limit":7})";
      if (Act(request).find("\"next\":\"0/6\"") != std::string::npos) {
        Act(R"({"action":"replay","filter":{},"limit":7,"after":"0/6"})");
      }
      OpenDesk();
      EXPECT_TRUE(book_->Begun().empty());
      size_t before = Orders().size();
      size_t settled = 0;
      for (int i = 0; i < kLetters; i++) settled += book_->MarkOf({0, i}).settled() ? 1 : 0;
      EXPECT_EQ(before, settled) << "died at " << dies_at << (late ? " late" : "");
      Act(R"({"action":"replay","filter":{}})");
      std::map<std::string, int> times;
      for (const Sent& sent : Orders()) {
        times[sent.key]++;
        EXPECT_EQ(sent.partition, log::PartitionForKey(sent.key, 3));
      }
      EXPECT_EQ(times.size(), static_cast<size_t>(kLetters) - 3) << "died at " << dies_at;
      for (const auto& [key, count] : times) EXPECT_EQ(count, 1) << key << " died at " << dies_at;
      for (int i = 0; i < 3; i++) EXPECT_EQ(State(i), "open");
      for (int i = 3; i < kLetters; i++) {
        EXPECT_EQ(State(i), "replayed");
        EXPECT_GE(book_->MarkOf({0, i}).offset, 0);
      }
    }
  }
}

}  // namespace
}  // namespace millrace::serve
