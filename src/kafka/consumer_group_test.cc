// Groups whose partitions the server assigns: any history of members keeps each partition with one
// of them at a time, and ends with all of them read.
#include "kafka/consumer_group.h"

#include <gtest/gtest.h>

#include <random>

#include "kafka/group_record.h"

namespace millrace::kafka {
namespace {

// A consumer as KIP-848 wants it: it tells what it owns when that changes, lets go of what it is
// told to in its own time, and repeats itself when an answer was lost.
struct Client {
  std::string id;
  std::vector<std::string> topics;
  std::string assignor;
  std::optional<std::string> instance;
  int32_t epoch = 0;
  Partitions owned;   // what it reads
  Partitions wanted;  // what it was told to read
  bool tells = true;  // everything, in the next heartbeat
  bool silent = false;
};

class ConsumerGroupTest : public testing::Test {
 protected:
  BeatAnswer Send(Client& client) {
    MemberBeat beat;
    beat.member_id = client.id;
    beat.epoch = client.epoch;
    if (client.epoch == 0 || client.tells) {
      beat.rebalance_timeout_ms = 30'000;
      beat.topics = client.topics;
      beat.instance_id = client.instance;
      if (!client.assignor.empty()) beat.assignor = client.assignor;
      beat.owned = client.owned;
    }
    return Ask(beat);
  }
  // The answer is sent when what changed is kept.
  BeatAnswer Ask(const MemberBeat& beat) {
    BeatAnswer answer = group_.Beat(beat, view_, now_);
    Keep();
    return answer;
  }
  void Tick() {
    group_.Tick(view_, now_);
    Keep();
  }
  void Keep() {
    for (KeptChange& change : group_.TakeChanges("g")) {
      kept_.erase(change.key);
      if (change.record) kept_[change.key] = *std::move(change.record);
    }
  }
  // The server dies and comes back.
  void Restart() {
    group_ = ConsumerGroup();
    for (const auto& [key, record] : kept_) {
      const Status status = key.kind == KeptKind::kConsumerGroup
                                ? group_.Restore(record)
                                : group_.RestoreMember(key.member, record, now_);
      ASSERT_TRUE(status.ok()) << status.ToString();
    }
  }
  // A heartbeat whose answer arrives.
  void Beat(Client& client) {
    const BeatAnswer answer = Send(client);
    if (answer.error == kUnknownMemberId || answer.error == kFencedMemberEpoch) {
      client.owned.clear();  // it stops reading before it joins again
      client.wanted.clear();
      client.epoch = 0;
      client.tells = true;
      return;
    }
    ASSERT_EQ(answer.error, kNone) << answer.message;
    client.epoch = answer.epoch;
    client.tells = false;
    if (answer.assignment) client.wanted = *answer.assignment;
    Partitions more;
    for (const auto& partition : client.wanted) {
      if (!client.owned.contains(partition)) more.insert(partition);
    }
    // What it may read it reads at once.
    if (!more.empty()) client.tells = true;
    client.owned.insert(more.begin(), more.end());
  }
  void LetGo(Client& client) {
    if (client.owned == client.wanted) return;
    client.owned = client.wanted;
    client.tells = true;
  }
  void Leave(Client& client, int32_t epoch = -1) {
    MemberBeat beat;
    beat.member_id = client.id;
    beat.epoch = epoch;
    Ask(beat);
    client.owned.clear();
  }
  void CheckOneReaderEach(const std::vector<Client>& clients) {
    std::map<TopicPartition, std::string> readers;
    for (const Client& client : clients) {
      // Who was dropped, being silent or not letting go for too long, learns it from its next
      // heartbeat, and may read until then; its offsets are not taken any more.
      if (client.silent || !group_.members().contains(client.id)) continue;
      for (const auto& partition : client.owned) {
        const auto [it, first] = readers.emplace(partition, client.id);
        ASSERT_TRUE(first) << partition.topic << "/" << partition.partition << ": " << client.id
                           << " and " << it->second;
      }
    }
  }
  void Settle(std::vector<Client>& clients) {
    for (int round = 0; round < 20; round++) {
      now_ += 200;
      Tick();
      for (Client& client : clients) {
        LetGo(client);
        Beat(client);
        CheckOneReaderEach(clients);
      }
    }
  }
  static Client Make(const std::string& id, std::vector<std::string> topics = {"t"}) {
    Client client;
    client.id = id;
    client.topics = std::move(topics);
    return client;
  }

  ConsumerGroup group_;
  std::map<KeptKey, std::string> kept_;
  std::map<std::string, int32_t> counts_ = {{"t", 6}};
  TopicView view_{[this](const std::string& topic) {
                    const auto found = counts_.find(topic);
                    return found == counts_.end() ? 0 : found->second;
                  },
                  [this] {
                    std::vector<std::string> names;
                    for (const auto& [name, count] : counts_) names.push_back(name);
                    return names;
                  }};
  int64_t now_ = 1'000'000;
};

TEST_F(ConsumerGroupTest, APartitionIsGivenWhenItsOwnerHasLetGo) {
  Client a = Make("a"), b = Make("b");
  Beat(a);
  EXPECT_EQ(a.owned.size(), 6u);
  Beat(b);
  EXPECT_TRUE(b.owned.empty()) << "a has them all";
  EXPECT_STREQ(group_.StateName(), "Reconciling");
  Beat(a);
  EXPECT_EQ(a.wanted.size(), 3u) << "is told to let go of three";
  Beat(b);
  EXPECT_TRUE(b.owned.empty()) << "a may still read them";
  const int32_t before = a.epoch;
  LetGo(a);
  Beat(a);
  EXPECT_GT(a.epoch, before);
  Beat(b);
  EXPECT_EQ(b.owned.size(), 3u);
  EXPECT_STREQ(group_.StateName(), "Stable");
  EXPECT_EQ(group_.CheckCommit(a.epoch, "a"), kNone);
  EXPECT_EQ(group_.CheckCommit(before, "a"), kStaleMemberEpoch);
  EXPECT_EQ(group_.CheckCommit(a.epoch, "x"), kUnknownMemberId);
  EXPECT_EQ(group_.CheckCommit(-1, ""), kUnknownMemberId);
  Leave(b);
  Beat(a);
  EXPECT_EQ(a.owned.size(), 6u);
  Leave(a);
  EXPECT_STREQ(group_.StateName(), "Empty");
  EXPECT_EQ(group_.CheckCommit(-1, ""), kNone);
}

TEST_F(ConsumerGroupTest, MembersStayWhatTheyAreThroughARestart) {
  std::vector<Client> clients = {Make("a"), Make("b"), Make("c", {"t", "u"})};
  counts_["u"] = 2;
  clients[1].instance = "static b";
  Settle(clients);
  const int32_t epoch = group_.epoch();
  Restart();
  EXPECT_STREQ(group_.StateName(), "Stable");
  for (Client& client : clients) {
    const Partitions had = client.owned;
    EXPECT_EQ(group_.CheckCommit(client.epoch, client.id), kNone);
    EXPECT_EQ(Send(client).error, kNone);
    Beat(client);
    EXPECT_EQ(client.wanted, had);
  }
  now_ += 5000;
  Tick();
  EXPECT_EQ(group_.epoch(), epoch) << "nothing happened";
  Restart();
  now_ += kReturnMs;
  Beat(clients[0]);
  Tick();  // c has not come back; b is a static member and has more time
  EXPECT_EQ(group_.members().size(), 2u);
  Settle(clients);
  EXPECT_STREQ(group_.StateName(), "Stable");
  for (Client& client : clients) Leave(client);
  EXPECT_TRUE(kept_.empty());
}

TEST_F(ConsumerGroupTest, DamagedRecordsAreRefused) {
  std::vector<Client> clients = {Make("a")};
  Settle(clients);
  for (const auto& [key, record] : kept_) {
    for (size_t length = 0; length < record.size(); length++) {
      ConsumerGroup group;
      const std::string_view part = std::string_view(record).substr(0, length);
      const Status status = key.kind == KeptKind::kConsumerGroup
                                ? group.Restore(part)
                                : group.RestoreMember("a", part, now_);
      EXPECT_EQ(status.code(), Code::kCorruption) << length;
    }
  }
  const std::string member = kept_.at({KeptKind::kConsumerMember, "g", "a"});
  ConsumerGroup group;
  EXPECT_FALSE(group.RestoreMember("a", member, now_).ok()) << "of a later epoch than the group's";
  EXPECT_TRUE(group.Restore(kept_.at({KeptKind::kConsumerGroup, "g", ""})).ok());
  EXPECT_TRUE(group.RestoreMember("a", member, now_).ok());
  EXPECT_FALSE(group.RestoreMember("b", member, now_).ok()) << "a has these partitions";
  EXPECT_EQ(group.members().size(), 1u);
}

TEST_F(ConsumerGroupTest, SilentMembersAndThoseThatHoldOnAreDropped) {
  std::vector<Client> clients = {Make("a"), Make("b")};
  Settle(clients);
  for (int i = 0; i < 50; i++) {
    now_ += 1000;
    Tick();
    Beat(clients[0]);  // b is silent
  }
  LetGo(clients[0]);
  Beat(clients[0]);
  EXPECT_EQ(clients[0].owned.size(), 6u);
  Client c = Make("c");
  Beat(c);
  for (int i = 0; i < 35; i++) {
    now_ += 1000;
    clients[0].tells = false;
    Send(clients[0]);  // alive, but does not let go
    Beat(c);
    Tick();
  }
  Beat(c);
  EXPECT_EQ(c.owned.size(), 6u);
  EXPECT_EQ(Send(clients[0]).error, kUnknownMemberId);
}

TEST_F(ConsumerGroupTest, AStaticMemberFindsItsPartitionsAgain) {
  Client a = Make("a1"), b = Make("b");
  a.instance = "a";
  std::vector<Client> clients = {a, b};
  Settle(clients);
  const Partitions had = clients[0].owned, others = clients[1].owned;
  Client other = Make("a2");
  other.instance = "a";
  EXPECT_EQ(Send(other).error, kUnreleasedInstanceId);
  Leave(clients[0], -2);
  Beat(clients[1]);
  EXPECT_EQ(clients[1].wanted, others) << "nothing moves while it is away";
  Beat(other);
  EXPECT_EQ(other.owned, had);
  Leave(other, -2);
  for (int i = 0; i < 50; i++) {
    now_ += 1000;
    Tick();
    Beat(clients[1]);
  }
  EXPECT_EQ(clients[1].owned.size(), 6u) << "it did not come back";
}

TEST_F(ConsumerGroupTest, TopicsComeAndGrowAndPatternsFindThem) {
  Client a = Make("a", {});
  MemberBeat beat;
  beat.member_id = "a";
  beat.rebalance_timeout_ms = 1000;
  beat.topic_regex = "t.*";
  BeatAnswer answer = Ask(beat);
  EXPECT_EQ(answer.assignment->size(), 6u);
  counts_ = {{"t", 7}, {"t2", 2}, {"other", 5}};
  now_ += 1000;
  Tick();
  beat.epoch = answer.epoch;
  beat.topic_regex.reset();
  answer = Ask(beat);
  ASSERT_TRUE(answer.assignment);
  EXPECT_EQ(answer.assignment->size(), 9u);
  beat.topic_regex = "t(";
  EXPECT_EQ(Ask(beat).error, kInvalidRegularExpression);
}

TEST_F(ConsumerGroupTest, WhatMakesNoSenseIsRefused) {
  Client a = Make("a");
  a.assignor = "fair";
  EXPECT_EQ(Send(a).error, kUnsupportedAssignor);
  a.assignor = "";
  Beat(a);
  Client b = a;
  b.epoch = a.epoch + 1;
  EXPECT_EQ(Send(b).error, kFencedMemberEpoch);
  b.epoch = -3;
  EXPECT_EQ(Send(b).error, kInvalidRequest);
  MemberBeat nothing;
  nothing.member_id = "b";
  EXPECT_EQ(Ask(nothing).error, kInvalidRequest);
}

// Members come, go, fall silent, change their minds, lose answers and take their time, and the
// server dies.
TEST_F(ConsumerGroupTest, AnyHistoryKeepsOneReaderEachAndEndsWithAllRead) {
  for (uint64_t seed = 1; seed <= 60; seed++) {
    std::mt19937_64 random(seed);
    const auto pick = [&](uint64_t below) { return random() % below; };
    group_ = ConsumerGroup();
    kept_.clear();
    counts_ = {{"t", 6}, {"u", 3}};
    const bool ranges = pick(3) == 0;
    std::vector<Client> clients;
    int ids = 0;
    for (int step = 0; step < 400; step++) {
      now_ += static_cast<int64_t>(pick(400));
      Tick();
      const auto action = pick(100);
      if (action < 6 && clients.size() < 8) {
        clients.push_back(Make("m" + std::to_string(ids++)));
        if (pick(2) == 0) clients.back().topics = {"t", "u"};
        if (ranges) clients.back().assignor = "range";
        continue;
      }
      if (pick(40) == 0) Restart();
      if (action < 8) counts_[pick(2) == 0 ? "t" : "u"]++;
      if (clients.empty()) continue;
      Client& client = clients[pick(clients.size())];
      if (client.silent) {
        // Its session ends, and so it has stopped reading.
        const auto known = group_.members().find(client.id);
        if (known == group_.members().end()) {
          client = Make("m" + std::to_string(ids++), client.topics);
          if (ranges) client.assignor = "range";
        }
      } else if (action < 10) {
        Leave(client);
        client = Make("m" + std::to_string(ids++), client.topics);
        if (ranges) client.assignor = "range";
      } else if (action < 12) {
        client.silent = true;
        client.owned.clear();
      } else if (action < 16) {
        client.topics =
            pick(2) == 0 ? std::vector<std::string>{"u"} : std::vector<std::string>{"t", "u"};
        client.tells = true;
      } else if (action < 24) {
        Send(client);  // the answer is lost, so it says everything again
        client.tells = true;
      } else if (action < 50) {
        LetGo(client);
      } else {
        Beat(client);
      }
      CheckOneReaderEach(clients);
      if (HasFatalFailure()) FAIL() << "seed " << seed << " step " << step;
    }
    std::erase_if(clients, [](const Client& client) { return client.silent; });
    for (int64_t end = now_ + ConsumerGroup::kSessionTimeoutMs; now_ < end; now_ += 1000) {
      for (Client& client : clients) {
        LetGo(client);  // who holds on for too long is dropped, too
        Beat(client);
      }
      Tick();  // the silent ones' sessions end
    }
    if (clients.empty()) continue;
    Settle(clients);
    std::map<std::string, int32_t> read, subscribed;
    std::map<std::string, size_t> loads;
    for (const Client& client : clients) {
      EXPECT_EQ(client.owned, client.wanted);
      for (const auto& [topic, partition] : client.owned) {
        EXPECT_TRUE(std::find(client.topics.begin(), client.topics.end(), topic) !=
                    client.topics.end());
        read[topic]++;
      }
      for (const auto& topic : client.topics) subscribed[topic] = counts_[topic];
    }
    EXPECT_EQ(read, subscribed) << "seed " << seed;
    EXPECT_STREQ(group_.StateName(), "Stable") << "seed " << seed;
    for (Client& client : clients) {
      client.topics = {"t", "u"};
      client.tells = true;
    }
    Settle(clients);
    Settle(clients);
    size_t most = 0, fewest = SIZE_MAX;
    for (const Client& client : clients) {
      most = std::max(most, client.owned.size());
      fewest = std::min(fewest, client.owned.size());
    }
    EXPECT_LE(most - fewest, ranges ? 2u : 1u) << "seed " << seed;
  }
}

TEST(PartitionAssignorTest, UniformMovesFew) {
  const PartitionCounts counts = {{"t", 100}};
  Subscribers subscribers;
  for (const char* name : {"a", "b", "c", "d"}) subscribers[name] = {{"t"}, {}};
  Assignment before = AssignUniformly(subscribers, counts);
  for (auto& [name, subscriber] : subscribers) {
    EXPECT_EQ(before[name].size(), 25u);
    subscriber.before = before[name];
  }
  subscribers["e"] = {{"t"}, {}};
  Assignment after = AssignUniformly(subscribers, counts);
  size_t moved = 0;
  for (const auto& [name, partitions] : after) {
    EXPECT_EQ(partitions.size(), 20u);
    for (const auto& partition : partitions) moved += !before[name].contains(partition);
  }
  EXPECT_EQ(moved, 20u);
}

TEST(PartitionAssignorTest, RangesPutEqualPartitionsTogether) {
  const Subscribers subscribers = {{"a", {{"t", "u"}, {}}}, {"b", {{"t", "u", "v"}, {}}}};
  const Assignment got = AssignRanges(subscribers, {{"t", 3}, {"u", 3}, {"v", 1}});
  const Assignment expected = {{"a", {{"t", 0}, {"t", 1}, {"u", 0}, {"u", 1}}},
                               {"b", {{"t", 2}, {"u", 2}, {"v", 0}}}};
  EXPECT_EQ(got, expected);
}

}  // namespace
}  // namespace millrace::kafka
