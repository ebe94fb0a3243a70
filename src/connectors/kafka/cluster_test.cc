// Source and sink over a real Kafka broker.
#include <librdkafka/rdkafka.h>

#include <random>

#include "base/strings.h"
#include "connectors/connector_fixture.h"
#include "tests/support/kafka_broker.h"

namespace millrace::connectors::kafka {

namespace {

const model::Schema kSchema = {{{"v", LogicalType::VARCHAR, true}}};

class Cluster : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (test::KafkaBroker::Available()) broker_ = test::KafkaBroker::Start().release();
  }
  static void TearDownTestSuite() {
    delete broker_;
    broker_ = nullptr;
  }
  void SetUp() override {
    if (!test::KafkaBroker::Available()) GTEST_SKIP() << "scripts/setup.sh fetches Kafka";
    ASSERT_NE(broker_, nullptr);
  }

  static void CreateTopic(const std::string& topic, int partitions) {
    ASSERT_TRUE(broker_->Tool("org.apache.kafka.tools.TopicCommand --bootstrap-server " +
                              broker_->Servers() + " --create --topic " + topic + " --partitions " +
                              std::to_string(partitions)));
  }

  static TableContext Table(const std::string& topic,
                            std::map<std::string, std::string> with = {}) {
    with.insert({{"topic", topic},
                 {"format", "raw"},
                 {"properties.bootstrap.servers", broker_->Servers()},
                 {"scan.startup.mode", "earliest-offset"}});
    return MakeTable("kafka-cluster", kSchema, with);
  }

  static std::unique_ptr<Source> OpenSource(const TableContext& table) {
    auto source = (*FindConnector("kafka-cluster"))->new_source(table);
    EXPECT_TRUE(source.ok() && (*source)->Open({}).ok());
    return std::move(*source);
  }

  // What does not answer yet is asked again, as a job does.
  static Status Insist(const std::function<Status()>& action) {
    Status status = action();
    while (!status.ok() && status.retry() != Retry::kNever) status = action();
    return status;
  }

  // Every split of a bounded source to its end, in small steps; the ranges that this made.
  struct Range {
    std::string split;
    model::Offset from = 0;
    model::Offset to = 0;
  };
  static std::vector<std::string> ReadToEnd(Source& source, int64_t budget,
                                            std::vector<Range>* ranges = nullptr) {
    Collected out;
    std::vector<Split> splits;
    EXPECT_TRUE(Insist([&]() -> Status {
                  MR_ASSIGN_OR_RETURN(splits, source.Splits());
                  return Status::Ok();
                }).ok());
    for (const Split& split : splits) {
      model::Offset from = 0;
      Status started = Insist([&]() -> Status {
        MR_ASSIGN_OR_RETURN(from, source.Start(split));
        return Status::Ok();
      });
      EXPECT_TRUE(started.ok()) << started.ToString();
      for (bool end = false; !end;) {
        auto ready = source.Poll(split, from, budget);
        EXPECT_TRUE(ready.ok()) << ready.status().ToString();
        if (!ready.ok()) return out.rows;
        EXPECT_TRUE(source.Read(split, from, ready->to, out).ok());
        if (ready->to == from && !ready->end) source.Wait(INT64_MAX);
        if (ranges && ready->to > from) ranges->push_back({split.id, from, ready->to});
        from = ready->to;
        end = ready->end;
      }
    }
    return out.rows;
  }

  // The committed values, as a client that nobody here wrote sees them.
  static std::vector<std::string> Values(const std::string& topic) {
    std::vector<std::string> lines = millrace::Split(
        broker_->Kcat("-C -e -q -X isolation.level=read_committed -t " + topic), '\n');
    std::erase(lines, "");
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  static test::KafkaBroker* broker_;
};

test::KafkaBroker* Cluster::broker_ = nullptr;

// Transactions that are committed, aborted and empty, over two partitions; NULL keys and values.
std::vector<std::string> WriteTransactions(const std::string& servers, const std::string& topic,
                                           int count, uint32_t seed) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", servers.c_str(), nullptr, 0);
  rd_kafka_conf_set(conf, "transactional.id", ("writer-" + topic).c_str(), nullptr, 0);
  rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
  EXPECT_EQ(rd_kafka_init_transactions(producer, -1), nullptr);
  std::mt19937 random(seed);
  std::vector<std::string> committed;
  for (int t = 0; t < count; t++) {
    EXPECT_EQ(rd_kafka_begin_transaction(producer), nullptr);
    const bool commit = random() % 3 != 0;
    for (int r = static_cast<int>(random() % 20); r > 0; r--) {
      const std::string value = std::to_string(t) + "." + std::to_string(r);
      EXPECT_EQ(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic.c_str()),
                                  RD_KAFKA_V_PARTITION(static_cast<int>(random() % 2)),
                                  RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                RD_KAFKA_RESP_ERR_NO_ERROR);
      if (commit) committed.push_back(value);
    }
    // An abort that overtakes the transaction's first records is an invalid state to Kafka 4.
    EXPECT_EQ(rd_kafka_flush(producer, 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_error_t* error = commit ? rd_kafka_commit_transaction(producer, -1)
                                     : rd_kafka_abort_transaction(producer, -1);
    if (error == nullptr) continue;
    ADD_FAILURE() << "transaction " << t << ": " << rd_kafka_error_string(error);
    rd_kafka_error_destroy(error);
    break;
  }
  rd_kafka_destroy(producer);
  std::sort(committed.begin(), committed.end());
  return committed;
}

TEST_F(Cluster, TransactionsLeaveHolesAndReplaysAreTheSame) {
  CreateTopic("holes", 2);
  const auto committed = WriteTransactions(broker_->Servers(), "holes", 60, 7);
  const TableContext table = Table("holes", {{"scan.bounded.mode", "latest-offset"}});
  std::vector<Range> ranges;
  std::vector<std::string> rows = ReadToEnd(*OpenSource(table), 40, &ranges);
  EXPECT_GT(ranges.size(), 20u);
  std::vector<std::string> values;
  for (const std::string& row : rows) values.push_back(row.substr(row.find(':') + 1));
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, committed);

  // A job that was killed reads its decisions again, with a client that knows nothing of before;
  // and any of them once more.
  auto again = OpenSource(table);
  Collected out;
  for (const Range& range : ranges) {
    EXPECT_TRUE(again->Read({range.split}, range.from, range.to, out).ok());
  }
  EXPECT_EQ(out.rows, rows);
  std::mt19937 random(1);
  for (int i = 0; i < 10; i++) {
    const Range& range = ranges[random() % ranges.size()];
    Collected one, two;
    EXPECT_TRUE(again->Read({range.split}, range.from, range.to, one).ok());
    EXPECT_TRUE(again->Read({range.split}, range.from, range.to, two).ok());
    EXPECT_EQ(one.rows, two.rows);
  }
}

TEST_F(Cluster, BeginsAndEndsWhereTheTableSays) {
  CreateTopic("modes", 1);
  broker_->Kcat("-P -t modes -p 0", "0\n1\n2\n3\n4\n5\n");
  const auto read = [&](std::map<std::string, std::string> with) {
    with.insert({"scan.bounded.mode", "latest-offset"});
    return Join(ReadToEnd(*OpenSource(Table("modes", with)), 1 << 20), " ");
  };
  EXPECT_EQ(read({}), "0:0 1:1 2:2 3:3 4:4 5:5");
  EXPECT_EQ(read({{"scan.startup.mode", "latest-offset"}}), "");
  EXPECT_EQ(read({{"scan.startup.mode", "timestamp"}, {"scan.startup.timestamp-millis", "1"}}),
            "0:0 1:1 2:2 3:3 4:4 5:5");
  EXPECT_EQ(read({{"scan.startup.mode", "timestamp"},
                  {"scan.startup.timestamp-millis", "99999999999999"}}),
            "");
  EXPECT_EQ(read({{"scan.startup.mode", "specific-offsets"},
                  {"scan.startup.specific-offsets", "partition:0,offset:3"}}),
            "3:3 4:4 5:5");
  const std::map<std::string, std::string> group = {{"scan.startup.mode", "group-offsets"},
                                                    {"properties.group.id", "readers"}};
  // Of the group: up to offset 4. The writer's end waits for the answer, but not as long as a busy
  // broker takes that has yet to make the topic of its groups.
  std::string rest;
  for (int i = 0; i < 30 && rest != "4:4 5:5"; i++) {
    auto writer = OpenSource(Table("modes", {{"properties.group.id", "readers"}}));
    ASSERT_TRUE(Insist([&] { return writer->Splits().status(); }).ok());
    writer->OnCheckpoint({{{"0"}, 4}});
    writer.reset();
    rest = read(group);
  }
  EXPECT_EQ(rest, "4:4 5:5");
  EXPECT_EQ(read({{"scan.startup.mode", "group-offsets"}}), "");
  EXPECT_EQ(read({{"scan.bounded.mode", "group-offsets"}, {"properties.group.id", "readers"}}),
            "0:0 1:1 2:2 3:3");
  EXPECT_EQ(read({{"scan.bounded.mode", "specific-offsets"},
                  {"scan.bounded.specific-offsets", "partition:0,offset:2"}}),
            "0:0 1:1");
}

TEST_F(Cluster, WhatIsGoneOrWasNeverThereIsAnError) {
  auto nowhere = OpenSource(Table("nowhere"));
  Status missing = nowhere->Splits().status();
  while (missing.code() == Code::kUnavailable) missing = nowhere->Splits().status();
  EXPECT_EQ(missing.code(), Code::kNotFound) << missing.ToString();
  EXPECT_NE(missing.retry(), Retry::kNever);  // someone may yet make it
  CreateTopic("short", 1);
  broker_->Kcat("-P -t short", "a\n");
  auto source = OpenSource(Table("short"));
  ASSERT_TRUE(Insist([&] { return source->Splits().status(); }).ok());
  Collected out;
  Status past = source->Read({"0"}, 70, 80, out);
  EXPECT_EQ(past.code(), Code::kFailedPrecondition) << past.ToString();
  EXPECT_EQ(past.retry(), Retry::kNever);
  EXPECT_TRUE(out.rows.empty());
}

TEST_F(Cluster, PartitionsThatAreAddedAreFound) {
  CreateTopic("growing", 1);
  auto source = OpenSource(Table("growing", {{"scan.topic-partition-discovery.interval", "1 ms"}}));
  size_t found = 0;
  const auto look = [&]() -> Status {
    MR_ASSIGN_OR_RETURN(const std::vector<Split> splits, source->Splits());
    found = splits.size();
    return Status::Ok();
  };
  ASSERT_TRUE(Insist(look).ok());
  EXPECT_EQ(found, 1u);
  ASSERT_TRUE(broker_->Tool("org.apache.kafka.tools.TopicCommand --bootstrap-server " +
                            broker_->Servers() + " --alter --topic growing --partitions 3"));
  while (found < 3) ASSERT_TRUE(Insist(look).ok());
  broker_->Kcat("-P -t growing -p 2", "x\n");
  Collected out;
  EXPECT_TRUE(source->Read({"2"}, 0, 1, out).ok());
  EXPECT_EQ(Join(out.rows, " "), "0:x");
}

// The sink dies at any step, the broker too; each row is there once.
class ClusterSinkTest : public Cluster {
 protected:
  static std::unique_ptr<Sink> OpenSink(const TableContext& table) {
    auto sink = (*FindConnector("kafka-cluster"))->new_sink(table);
    EXPECT_TRUE(sink.ok());
    Status opened = Insist([&] { return (*sink)->Open(); });
    EXPECT_TRUE(opened.ok()) << opened.ToString();
    return std::move(*sink);
  }
};

TEST_F(ClusterSinkTest, EveryRowOnceWhateverDies) {
  CreateTopic("once", 3);
  const TableContext table = Table("once");
  std::mt19937 random(5);
  auto sink = OpenSink(table);
  std::vector<std::string> expected;
  for (model::Epoch epoch = 1; epoch <= 40; epoch++) {
    std::vector<std::vector<Value>> rows;
    for (int r = 0; r < 30; r++) {
      const std::string value = std::to_string(epoch) + "." + std::to_string(r);
      rows.push_back({Value(value)});
      expected.push_back(value);
    }
    if (random() % 4 == 0) {  // half an epoch, and gone
      ASSERT_TRUE(WriteRows(*sink, kSchema, {rows[0], rows[1]}).ok());
      sink = OpenSink(table);
    }
    ASSERT_EQ(*sink->LastCommitted(), epoch - 1);
    ASSERT_TRUE(WriteRows(*sink, kSchema, rows).ok());
    if (epoch == 20) {
      broker_->Kill();
      EXPECT_NE(sink->Commit(epoch).retry(), Retry::kNever);
      ASSERT_TRUE(broker_->Restart());
    }
    Status committed = Insist([&] { return sink->Commit(epoch); });
    ASSERT_TRUE(committed.ok()) << committed.ToString();
    if (random() % 4 == 0) {  // its number was written, but nobody heard of it
      sink = OpenSink(table);
      ASSERT_EQ(*sink->LastCommitted(), epoch);
    }
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(Values("once"), expected);
  // A second table of the same job is another writer.
  TableContext other = Table("once");
  other.name = "u";
  EXPECT_EQ(*OpenSink(other)->LastCommitted(), 0);
}

TEST_F(ClusterSinkTest, AtLeastOnceRemembersTheEpochToo) {
  CreateTopic("least", 1);
  const TableContext table = Table("least", {{"sink.delivery-guarantee", "at-least-once"}});
  auto sink = OpenSink(table);
  ASSERT_TRUE(WriteRows(*sink, kSchema, {{Value("a")}, {Value()}}).ok());
  Status committed = Insist([&] { return sink->Commit(1); });
  ASSERT_TRUE(committed.ok()) << committed.ToString();
  EXPECT_EQ(*OpenSink(table)->LastCommitted(), 1);
  EXPECT_EQ(Values("least").size(), 1u);
}

TEST_F(ClusterSinkTest, UpsertsAreOneRecordPerKeyAndTombstones) {
  CreateTopic("upserts", 2);
  const model::Schema schema = {
      {{"k", LogicalType::VARCHAR, false}, {"n", LogicalType::BIGINT, true}}};
  const TableContext table = MakeTable("upsert-kafka-cluster", schema,
                                       {{"topic", "upserts"},
                                        {"properties.bootstrap.servers", broker_->Servers()},
                                        {"key.format", "json"},
                                        {"value.format", "json"}},
                                       {"k"});
  auto made = (*FindConnector("upsert-kafka-cluster"))->new_sink(table);
  ASSERT_TRUE(made.ok());
  auto sink = std::move(*made);
  ASSERT_TRUE(Insist([&] { return sink->Open(); }).ok());
  const std::vector<std::vector<Value>> first = {{Value("a"), Value::BIGINT(1)},
                                                 {Value("a"), Value::BIGINT(1)},
                                                 {Value("a"), Value::BIGINT(2)},
                                                 {Value("b"), Value()}};
  ASSERT_TRUE(WriteRows(*sink, schema, first, {1, -1, 1, 1}).ok());
  ASSERT_TRUE(Insist([&] { return sink->Commit(1); }).ok());
  ASSERT_TRUE(WriteRows(*sink, schema, {{Value("a"), Value::BIGINT(2)}}, {-1}).ok());
  ASSERT_TRUE(Insist([&] { return sink->Commit(2); }).ok());
  std::vector<std::string> lines = millrace::Split(
      broker_->Kcat("-C -e -q -Z -X isolation.level=read_committed -f '%k=%s\\n' -t upserts"),
      '\n');
  std::erase(lines, "");
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(Join(lines, " "),
            R"({"k":"a"}=NULL {"k":"a"}={"k":"a","n":2} {"k":"b"}={"k":"b","n":null})");
}

TEST_F(Cluster, LogsInOverTlsAsJavasClientWould) {
  CreateTopic("secure", 1);
  broker_->Kcat("-P -t secure", "a\n");
  const auto table = [](const std::string& password) {
    return Table("secure", {{"properties.bootstrap.servers", broker_->SecureServers()},
                            {"properties.security.protocol", "SASL_SSL"},
                            {"properties.sasl.mechanism", "PLAIN"},
                            {"properties.sasl.jaas.config",
                             "org.apache.kafka.common.security.plain.PlainLoginModule required "
                             "username=\"alice\" password=\"" +
                                 password + "\";"},
                            {"properties.ssl.truststore.type", "PEM"},
                            {"properties.ssl.truststore.location", broker_->CertificateFile()},
                            {"scan.bounded.mode", "latest-offset"}});
  };
  EXPECT_EQ(Join(ReadToEnd(*OpenSource(table("secret")), 1 << 20), " "), "0:a");
  // It has no reason yet while the connection is still being made.
  auto stranger = OpenSource(table("other"));
  Status refused;
  for (int i = 0; i < 20 && refused.detail().find("Authentication failed") == std::string::npos;
       i++) {
    refused = stranger->Splits().status();
    EXPECT_EQ(refused.code(), Code::kUnavailable) << refused.ToString();
  }
  EXPECT_NE(refused.detail().find("Authentication failed"), std::string::npos)
      << refused.ToString();
}

TEST_F(Cluster, ABrokerThatIsAwayIsSaidAndWaitedFor) {
  CreateTopic("away", 1);
  broker_->Kcat("-P -t away", "a\n");
  auto source = OpenSource(Table("away"));
  ASSERT_TRUE(Insist([&] { return source->Splits().status(); }).ok());
  Collected out;
  ASSERT_TRUE(source->Read({"0"}, 0, 1, out).ok());
  broker_->Kill();
  auto polled = source->Poll({"0"}, 1, 1 << 20);
  while (polled.ok()) polled = source->Poll({"0"}, 1, 1 << 20);
  EXPECT_EQ(polled.status().code(), Code::kUnavailable) << polled.status().ToString();
  EXPECT_EQ(polled.status().retry(), Retry::kReconnect);
  EXPECT_NE(polled.status().message().find(broker_->Servers()), std::string::npos);
  ASSERT_TRUE(broker_->Restart());
  broker_->Kcat("-P -t away", "b\n");
  ASSERT_TRUE(source->Read({"0"}, 1, 2, out).ok());
  EXPECT_EQ(Join(out.rows, " "), "0:a 1:b");
}

}  // namespace

}  // namespace millrace::connectors::kafka
