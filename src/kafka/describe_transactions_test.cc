// What DescribeTransactions and ListTransactions say, against a model that is told of every step,
// over restarts of the server.
#include <map>
#include <random>
#include <set>

#include "kafka/server_fixture.h"

namespace millrace::kafka {
namespace {

struct Known {
  int64_t producer_id = -1;
  int16_t epoch = -1;
  std::string state = "Empty";
  std::set<int32_t> partitions = {};
};

class DescribeTransactionsTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    log::TopicConfig config;
    config.partitions = 3;
    ASSERT_TRUE(log_->CreateTopic("t", config).ok());
    Start();
    client_ = std::make_unique<TestClient>(Connect());
  }

  void Restart() {
    client_.reset();
    Start();
    client_ = std::make_unique<TestClient>(Connect());
  }
  void Init(const std::string& id) {
    InitProducerIdRequest request;
    request.transactional_id = id;
    request.transaction_timeout_ms = kTimeoutMs;
    const auto answer = client_->Ask<InitProducerIdResponse>(22, 4, request);
    ASSERT_TRUE(answer && answer->error_code == kNone);
    known_[id] = {answer->producer_id, answer->producer_epoch};
  }
  void Add(const std::string& id, int32_t partition) {
    Known& known = known_[id];
    const AddPartitionsToTxnRequest request = {
        id, known.producer_id, known.epoch, {{"t", {partition}}}};
    const auto answer = client_->Ask<AddPartitionsToTxnResponse>(24, 3, request);
    ASSERT_TRUE(answer && answer->topics.at(0).partitions.at(0).error_code == kNone);
    known.state = "Ongoing";
    known.partitions.insert(partition);
  }
  void End(const std::string& id, bool commit) {
    Known& known = known_[id];
    const EndTxnRequest request = {id, known.producer_id, known.epoch, commit};
    const auto answer = client_->Ask<EndTxnResponse>(26, 3, request);
    ASSERT_TRUE(answer && answer->error_code == kNone);
    known.state = commit ? "CompleteCommit" : "CompleteAbort";
    known.partitions.clear();
  }
  // "id state" of each, sorted.
  std::set<std::string> List(const ListTransactionsRequest& request, int version = 1) {
    const auto answer = client_->Ask<ListTransactionsResponse>(66, version, request);
    std::set<std::string> all;
    if (!answer) return {"no answer"};
    EXPECT_EQ(answer->error_code, kNone);
    for (const auto& one : answer->transactions) {
      EXPECT_EQ(one.producer_id, known_[one.transactional_id].producer_id);
      EXPECT_TRUE(all.insert(one.transactional_id + " " + one.state).second) << "twice";
    }
    return all;
  }
  std::set<std::string> Expected(const std::function<bool(const Known&)>& takes) {
    std::set<std::string> all;
    for (const auto& [id, known] : known_) {
      if (takes(known)) all.insert(id + " " + known.state);
    }
    return all;
  }
  void ExpectAsKnown() {
    EXPECT_EQ(List({}), Expected([](const Known&) { return true; }));
    EXPECT_EQ(List({}, 0), List({}));
    EXPECT_EQ(List({{"Ongoing", "CompleteAbort"}, {}}), Expected([](const Known& known) {
                return known.state == "Ongoing" || known.state == "CompleteAbort";
              }));
    // None is open for longer than it may be.
    EXPECT_EQ(List({{}, {}, kTimeoutMs}), std::set<std::string>());
    DescribeTransactionsRequest request;
    for (const auto& [id, known] : known_) request.transactional_ids.push_back(id);
    request.transactional_ids.push_back("absent");
    const auto answer = client_->Ask<DescribeTransactionsResponse>(65, 0, request);
    ASSERT_TRUE(answer && answer->transactions.size() == known_.size() + 1);
    for (const auto& one : answer->transactions) {
      if (one.transactional_id == "absent") {
        EXPECT_EQ(one.error_code, kTransactionalIdNotFound);
        continue;
      }
      const Known& known = known_.at(one.transactional_id);
      EXPECT_EQ(one.error_code, kNone);
      EXPECT_EQ(one.state, known.state);
      EXPECT_EQ(one.producer_id, known.producer_id);
      EXPECT_EQ(one.producer_epoch, known.epoch);
      EXPECT_EQ(one.timeout_ms, kTimeoutMs);
      EXPECT_EQ(one.start_time_ms > 0, known.state == "Ongoing");
      std::set<int32_t> partitions;
      for (const auto& topic : one.topics) {
        EXPECT_EQ(topic.name, "t");
        partitions.insert(topic.partitions.begin(), topic.partitions.end());
      }
      EXPECT_EQ(partitions, known.partitions);
      EXPECT_LE(one.topics.size(), 1u);
    }
  }

  static constexpr int32_t kTimeoutMs = 600'000;
  std::unique_ptr<TestClient> client_;
  std::map<std::string, Known> known_;
};

TEST_F(DescribeTransactionsTest, SaysWhatHappened) {
  std::mt19937 random(3);
  ExpectAsKnown();
  for (int step = 0; step < 120; step++) {
    SCOPED_TRACE(step);
    const std::string id = "x" + std::to_string(random() % 6);
    const bool known = known_.count(id) > 0;
    switch (random() % 8) {
      case 0:
        Init(id);
        break;
      case 1:
        Restart();
        break;
      case 2:
      case 3:
        if (known && known_[id].state == "Ongoing") End(id, random() % 2 == 0);
        break;
      default:
        if (known) Add(id, static_cast<int32_t>(random() % 3));
    }
    ExpectAsKnown();
  }
}

TEST_F(DescribeTransactionsTest, ListsWhatIsAskedFor) {
  for (const char* id : {"a", "b"}) Init(id);
  Add("b", 1);
  EXPECT_EQ(List({{}, {known_["a"].producer_id, 12345}}), std::set<std::string>({"a Empty"}));
  EXPECT_EQ(List({{"Empty"}, {known_["b"].producer_id}}), std::set<std::string>());
  const auto answer = client_->Ask<ListTransactionsResponse>(
      66, 1, ListTransactionsRequest{{"Ongoing", "Sleeping"}, {}});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->unknown_states, std::vector<std::string>({"Sleeping"}));
  ASSERT_EQ(answer->transactions.size(), 1u);
  EXPECT_EQ(answer->transactions[0].transactional_id, "b");
}

}  // namespace
}  // namespace millrace::kafka
