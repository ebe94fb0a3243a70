// Fetch sessions: whatever a client asks of one, it is told what requests without a session are
// told, less what it knows; and who has to go when there are too many.
#include <algorithm>
#include <list>
#include <map>
#include <random>

#include "kafka/fetch_sessions.h"
#include "kafka/server_fixture.h"
#include "kafka/topic_ids.h"
#include "log/record_batch.h"

namespace millrace::kafka {
namespace {

struct Told {
  FetchTopic topic;
  FetchResponse::Partition partition;
};

std::vector<Told> Flat(const FetchResponse& response) {
  std::vector<Told> all;
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      all.push_back({{topic.name, topic.id}, partition});
    }
  }
  return all;
}

std::string Text(const Told& told) {
  std::string text = told.topic.name + " " + Base64({told.topic.id.bytes.data(), 16});
  const auto& p = told.partition;
  for (const int64_t number : {int64_t{p.index}, int64_t{p.error_code}, p.high_watermark,
                               p.last_stable_offset, p.log_start_offset}) {
    text += " " + std::to_string(number);
  }
  if (p.aborted) {
    for (const auto& one : *p.aborted) {
      text +=
          " aborted " + std::to_string(one.producer_id) + ":" + std::to_string(one.first_offset);
    }
  }
  return text + " records " + Base64(p.records.bytes);
}

// A client of a session that knows what has to be in it, and in which order.
class SessionTest : public ServerTest, public testing::WithParamInterface<int> {
 protected:
  struct Known {
    FetchTopic topic;
    FetchRequest::Partition wanted;
    int64_t end = -1, stable = -1, start = -1;
  };

  void SetUp() override {
    ServerTest::SetUp();
    for (const char* topic : {"a", "b", "c"}) Create(topic);
    Start();
    client_ = std::make_unique<TestClient>(Connect());
  }
  void Create(const std::string& topic) {
    ASSERT_TRUE(log_->CreateTopic(topic, {.partitions = kPartitions}).ok());
    ids_[topic] = IdOf(*log_->Describe(topic));
  }
  int Pick(int count) { return static_cast<int>(random_() % static_cast<uint64_t>(count)); }
  bool ById() const { return version_ >= 13; }
  FetchTopic AnyTopic() {
    const std::string name(1, static_cast<char>('a' + Pick(4)));  // "d" is not there
    if (!ById()) return {name, {}};
    return {"", Pick(10) == 0 ? Uuid() : ids_[name]};
  }
  FetchRequest::Partition AnyPartition() {
    FetchRequest::Partition partition;
    partition.index = Pick(kPartitions + 1);
    partition.fetch_offset = Pick(8) == 0 ? Pick(200) : 0;
    partition.max_bytes = Pick(4) == 0 ? Pick(400) : 1 << 20;
    return partition;
  }

  // Something happens to the log.
  void Disturb() {
    const std::string topic(1, static_cast<char>('a' + Pick(3)));
    const int partition = Pick(kPartitions);
    switch (Pick(12)) {
      case 0:
        ASSERT_TRUE(log_->DeleteTopic(topic).ok());
        Create(topic);
        break;
      case 1:
        ASSERT_TRUE(log_->DeleteRecords(topic, partition, 0).ok());
        break;
      case 2: {
        const auto info = log_->DescribePartition(topic, partition);
        ASSERT_TRUE(info.ok());
        const int64_t middle = (info->start_offset + info->end_offset) / 2;
        ASSERT_TRUE(log_->DeleteRecords(topic, partition, middle).ok());
        break;
      }
      default: {
        const std::string value(static_cast<size_t>(Pick(300)), 'v');
        std::vector<log::NewRecord> records(static_cast<size_t>(1 + Pick(3)));
        for (auto& record : records) record.value = value;
        ASSERT_TRUE(log_->AppendAndWait(topic, partition, records).ok());
      }
    }
  }

  FetchRequest Request(int32_t session_id, int32_t epoch) {
    FetchRequest request;
    request.max_bytes = Pick(3) == 0 ? Pick(3000) : 1 << 20;
    request.isolation_level = static_cast<int8_t>(Pick(2));
    request.session_id = session_id;
    request.session_epoch = epoch;
    return request;
  }
  static void Name(FetchRequest* request, const FetchTopic& topic,
                   const FetchRequest::Partition& wanted) {
    request->topics.push_back({topic.name, topic.id, {wanted}});
  }
  std::list<Known>::iterator Find(const FetchTopic& topic, int32_t index) {
    return std::find_if(known_.begin(), known_.end(), [&](const Known& known) {
      return known.topic == topic && known.wanted.index == index;
    });
  }
  // Named by the client: the last one counts, new ones stand behind the others.
  void Want(FetchRequest* request, const FetchTopic& topic, const FetchRequest::Partition& wanted) {
    Name(request, topic, wanted);
    const auto found = Find(topic, wanted.index);
    if (found == known_.end()) {
      known_.push_back({topic, wanted});
    } else {
      found->wanted = wanted;
    }
  }

  // What a request without a session, for the same partitions in the same order, is told.
  std::vector<Told> Expected(const FetchRequest& like, bool incremental) {
    FetchRequest request = like;
    request.session_id = 0;
    request.session_epoch = kNoSessionEpoch;
    request.topics.clear();
    request.forgotten.clear();
    for (const Known& known : known_) Name(&request, known.topic, known.wanted);
    auto answer = client_->Ask<FetchResponse>(1, version_, request);
    EXPECT_TRUE(answer && answer->session_id == 0);
    std::vector<Told> all = Flat(*answer);
    EXPECT_EQ(all.size(), known_.size());
    std::vector<Told> news;
    auto known = known_.begin();
    for (Told& told : all) {
      const auto next = std::next(known);
      const auto& p = told.partition;
      const bool is_new = !p.records.bytes.empty() || p.error_code != kNone ||
                          p.high_watermark != known->end || p.last_stable_offset != known->stable ||
                          p.log_start_offset != known->start;
      if (is_new) {
        known->end = p.error_code == kNone ? p.high_watermark : -1;
        known->stable = p.last_stable_offset;
        known->start = p.log_start_offset;
      }
      if (!p.records.bytes.empty()) known_.splice(known_.end(), known_, known);
      if (is_new || !incremental) news.push_back(std::move(told));
      known = next;
    }
    return news;
  }
  // The client goes on behind what it got, mostly.
  void Consume(const std::vector<Told>& told, FetchRequest* request) {
    for (const Told& one : told) {
      const auto found = Find(one.topic, one.partition.index);
      if (found == known_.end() || Pick(5) == 0) continue;
      FetchRequest::Partition wanted = found->wanted;
      if (one.partition.error_code == kOffsetOutOfRange) wanted.fetch_offset = 0;
      if (one.partition.error_code == kOffsetOutOfRange && Pick(2) == 0) {
        wanted.fetch_offset = std::max<int64_t>(one.partition.log_start_offset, 0);
      }
      std::string_view left = one.partition.records.bytes;
      for (; !left.empty(); left.remove_prefix(log::ParseBatchHeader(left)->size_bytes)) {
        wanted.fetch_offset = log::ParseBatchHeader(left)->end_offset();
      }
      Want(request, one.topic, wanted);
    }
  }
  void Compare(const std::vector<Told>& told, const std::vector<Told>& expected) {
    ASSERT_EQ(told.size(), expected.size());
    for (size_t i = 0; i < told.size(); i++) ASSERT_EQ(Text(told[i]), Text(expected[i])) << i;
  }

  static constexpr int kPartitions = 4;
  std::mt19937_64 random_{static_cast<uint64_t>(GetParam())};
  int version_ = 12;
  std::map<std::string, Uuid> ids_;
  std::list<Known> known_;
  std::unique_ptr<TestClient> client_;
};

TEST_P(SessionTest, TellsWhatIsNewOfWhatRequestsWithoutASessionAreTold) {
  int steps = 0;
  int silent = 0;  // partitions that nothing was said of
  for (int round = 0; round < 12 && !HasFatalFailure(); round++) {
    version_ = std::vector{7, 11, 12, 13, 15, 17}[static_cast<size_t>(Pick(6))];
    known_.clear();
    FetchRequest first = Request(0, kFirstEpoch);
    for (int i = Pick(12); i > 0; i--) {
      const FetchTopic topic = AnyTopic();
      const FetchRequest::Partition partition = AnyPartition();
      if (Find(topic, partition.index) == known_.end()) Want(&first, topic, partition);
    }
    const auto begun = client_->Ask<FetchResponse>(1, version_, first);
    ASSERT_TRUE(begun && begun->error_code == kNone && begun->session_id > 0);
    std::vector<Told> told = Flat(*begun);
    Compare(told, Expected(first, false));
    for (int32_t epoch = 1; epoch <= 25 && !HasFatalFailure(); epoch++) {
      for (int i = Pick(4); i > 0; i--) Disturb();
      FetchRequest request = Request(begun->session_id, epoch);
      Consume(told, &request);
      for (int i = Pick(3); i > 0; i--) Want(&request, AnyTopic(), AnyPartition());
      for (int i = Pick(3); i > 0; i--) {
        const auto forgotten = known_.empty() || Pick(4) == 0
                                   ? Known{AnyTopic(), AnyPartition()}
                                   : *std::next(known_.begin(), Pick(std::ssize(known_)));
        request.forgotten.push_back(
            {forgotten.topic.name, forgotten.topic.id, {forgotten.wanted.index}});
        const auto found = Find(forgotten.topic, forgotten.wanted.index);
        if (found != known_.end()) known_.erase(found);
      }
      const auto answer = client_->Ask<FetchResponse>(1, version_, request);
      ASSERT_TRUE(answer && answer->error_code == kNone);
      if (known_.empty()) {  // nothing is left: the session has ended
        EXPECT_EQ(answer->session_id, 0);
        EXPECT_TRUE(answer->topics.empty());
        break;
      }
      ASSERT_EQ(answer->session_id, begun->session_id);
      told = Flat(*answer);
      silent += static_cast<int>(std::ssize(known_) - std::ssize(told));
      Compare(told, Expected(request, true));
      steps++;
    }
  }
  EXPECT_GT(steps, 50);
  EXPECT_GT(silent, 100);
}

TEST_P(SessionTest, WhoIsOutOfStepIsTold) {
  version_ = Pick(2) == 0 ? 12 : 17;
  FetchRequest first = Request(0, kFirstEpoch);
  Want(&first, ById() ? FetchTopic{"", ids_["a"]} : FetchTopic{"a", {}}, {});
  const auto ask = [&](int version, FetchRequest request) {
    return client_->Ask<FetchResponse>(1, version, std::move(request)).value();
  };
  const int32_t id = ask(version_, first).session_id;
  const auto error = [&](int version, int32_t session, int32_t epoch) {
    const FetchResponse answer = ask(version, Request(session, epoch));
    EXPECT_TRUE(answer.error_code == kNone || (answer.topics.empty() && answer.session_id == 0));
    return answer.error_code;
  };
  EXPECT_EQ(error(version_, id, 2), kInvalidFetchSessionEpoch);
  EXPECT_EQ(error(version_, id, 1), kNone);
  EXPECT_EQ(error(version_, id, 1), kInvalidFetchSessionEpoch) << "a repeated request";
  EXPECT_EQ(error(version_, id, -2), kInvalidFetchSessionEpoch);
  EXPECT_EQ(error(version_, 0, 1), kFetchSessionIdNotFound);
  EXPECT_EQ(error(version_, id ^ 1, 2), kFetchSessionIdNotFound);
  EXPECT_EQ(error(ById() ? 12 : 13, id, 2), kFetchSessionTopicIdError);
  EXPECT_EQ(error(version_, id, 2), kNone) << "what was refused has changed nothing";
  // A full request ends the session that it names, with another one or without.
  FetchRequest again = first;
  again.session_id = id;
  const int32_t other = ask(version_, again).session_id;
  EXPECT_NE(other, id);
  EXPECT_EQ(error(version_, id, 3), kFetchSessionIdNotFound);
  again.session_id = other;
  again.session_epoch = kNoSessionEpoch;
  EXPECT_EQ(ask(version_, again).session_id, 0);
  EXPECT_EQ(error(version_, other, 1), kFetchSessionIdNotFound);
}

TEST_P(SessionTest, ARequestThatWaitsIsOvertakenByTheNext) {
  FetchRequest first = Request(0, kFirstEpoch);
  Want(&first, {"a", {}}, {.max_bytes = 1 << 20});
  const int32_t id = client_->Ask<FetchResponse>(1, 12, first)->session_id;
  FetchRequest waits = Request(id, 1);
  waits.max_wait_ms = 60'000;
  waits.min_bytes = 1;
  client_->Send(1, 12, waits);
  TestClient another = Connect();
  FetchRequest next = Request(id, 2);
  next.max_wait_ms = 60'000;
  next.min_bytes = 1;
  next.max_bytes = 1 << 20;
  // The first one is handled before, or the second one has a wrong epoch.
  std::optional<FetchResponse> answer;
  do {
    another.Send(1, 12, next);
    const std::string value = "v";
    log::NewRecord record{.value = value};
    ASSERT_TRUE(log_->AppendAndWait("a", 0, {&record, 1}).ok());
    answer = another.Receive<FetchResponse>(1, 12);
    ASSERT_TRUE(answer);
  } while (answer->error_code == kInvalidFetchSessionEpoch);
  EXPECT_EQ(answer->error_code, kNone);
  EXPECT_EQ(answer->topics.size(), 1u);
  // It was answered by then with the record, or as one that is too old.
  const auto late = client_->Receive<FetchResponse>(1, 12);
  ASSERT_TRUE(late);
  EXPECT_EQ(late->session_id, id);
  EXPECT_EQ(late->topics.empty(), late->error_code == kInvalidFetchSessionEpoch);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SessionTest, testing::Range(1, 7));

FetchSessionPtr SessionOf(int partitions) {
  FetchRequest request;
  request.topics.push_back({"t", {}, {}});
  for (int i = 0; i < partitions; i++) request.topics[0].partitions.push_back({.index = i});
  return std::make_shared<FetchSession>(request, false, "User:alice");
}

FetchRequest Next(int32_t id, int32_t epoch) {
  FetchRequest request;
  request.session_id = id;
  request.session_epoch = epoch;
  return request;
}

// Against a model that looks at all sessions each time.
TEST(FetchSessionsTest, TheLeastUsefulOneGoes) {
  struct Model {
    int partitions;
    int64_t created_ms, used_ms;
    int32_t epoch = 1;
  };
  constexpr int kSlots = 6;
  constexpr int64_t kOld = FetchSessions::kEvictableAfterMs;
  std::mt19937 random(1);
  FetchSessions sessions(kSlots, INT64_MAX);
  std::map<int32_t, Model> model;
  int refused = 0, evicted = 0;
  int64_t now = 1;
  for (int step = 0; step < 5000; step++) {
    now += random() % 30'000;
    if (random() % 2 == 0 && !model.empty()) {  // one of them is used
      auto one = std::next(model.begin(), random() % model.size());
      const auto found =
          sessions.Continue(Next(one->first, one->second.epoch), false, "User:alice", now);
      ASSERT_EQ(found.error, kNone);
      one->second.epoch++;
      one->second.used_ms = now;
      continue;
    }
    const int partitions = 1 + static_cast<int>(random() % 5);
    auto goes = model.end();
    if (model.size() == kSlots) {
      for (auto it = model.begin(); it != model.end(); ++it) {
        if (now - it->second.used_ms <= kOld) continue;
        if (goes == model.end() || it->second.used_ms < goes->second.used_ms) goes = it;
      }
      const bool stale = goes != model.end();
      for (auto it = model.begin(); it != model.end() && !stale; ++it) {
        if (now - it->second.created_ms <= kOld || it->second.partitions >= partitions) continue;
        if (goes == model.end() || it->second.partitions < goes->second.partitions) goes = it;
      }
    }
    const int32_t id = sessions.Keep(SessionOf(partitions), now);
    if (model.size() == kSlots && goes == model.end()) {
      ASSERT_EQ(id, 0) << "at step " << step;
      refused++;
      continue;
    }
    if (goes != model.end()) {
      ASSERT_EQ(
          sessions.Continue(Next(goes->first, goes->second.epoch), false, "User:alice", now).error,
          kFetchSessionIdNotFound)
          << "at step " << step;
      model.erase(goes);
      evicted++;
    }
    ASSERT_GT(id, 0);
    model[id] = {partitions, now, now};
    ASSERT_EQ(sessions.size(), model.size());
  }
  EXPECT_GT(refused, 50);
  EXPECT_GT(evicted, 50);
}

TEST(FetchSessionsTest, MemoryIsBounded) {
  const FetchSessionPtr one = SessionOf(100);
  one->BeginChanges();
  FetchSessions sessions(1000, 10 * one->bytes());
  std::vector<int32_t> ids;
  for (int i = 0; i < 20; i++) {
    const int32_t id = sessions.Keep(SessionOf(100), 1);
    EXPECT_EQ(id > 0, i < 10);
    if (id > 0) ids.push_back(id);
  }
  EXPECT_EQ(sessions.bytes(), 10 * one->bytes());
  EXPECT_EQ(sessions.Keep(SessionOf(1001), 1), 0) << "larger than everything";
  // A session that grows beyond it is forgotten.
  FetchRequest more = Next(ids[0], 1);
  more.topics.push_back({"u", {}, {{.index = 0}}});
  EXPECT_EQ(sessions.Continue(more, false, "User:alice", 1).error, kFetchSessionIdNotFound);
  EXPECT_EQ(sessions.size(), 9u);
  // What is forgotten by its client is free again.
  for (int32_t i = 0; i < 100; i++) more.forgotten.push_back({"t", {}, {i}});
  more.topics[0].partitions.clear();
  for (size_t i = 1; i < ids.size(); i++) {
    more.session_id = ids[i];
    EXPECT_EQ(sessions.Continue(more, false, "User:alice", 1).error, kNone);
  }
  EXPECT_EQ(sessions.size(), 0u);
  EXPECT_EQ(sessions.bytes(), 0);
}

TEST(FetchSessionsTest, AnotherOwnerHasNone) {
  FetchSessions sessions(1, INT64_MAX);
  const int32_t id = sessions.Keep(SessionOf(1), 1);
  sessions.End(id, "User:bob");
  const FetchRequest next = Next(id, 1);
  EXPECT_EQ(sessions.Continue(next, false, "User:bob", 1).error, kFetchSessionIdNotFound);
  EXPECT_EQ(sessions.Continue(next, false, "User:alice", 1).error, kNone);
}

}  // namespace
}  // namespace millrace::kafka
