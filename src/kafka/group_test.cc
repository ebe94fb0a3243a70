#include "kafka/group.h"

#include <gtest/gtest.h>

#include <random>

#include "kafka/group_coordinator.h"

namespace millrace::kafka {
namespace {

JoinGroupRequest JoinAs(const std::string& member, const std::string& metadata = "m") {
  JoinGroupRequest request;
  request.group_id = "g";
  request.session_timeout_ms = 10'000;
  request.rebalance_timeout_ms = 30'000;
  request.member_id = member;
  request.protocol_type = "consumer";
  request.protocols.push_back({"range", {metadata}});
  return request;
}

// A client that follows the protocol, as far as the test lets it.
struct Client {
  std::string member;
  int32_t generation = -1;
  bool joining = false;
  bool leads = false;
  std::vector<std::string> others;  // when it leads
  std::string assignment;
  ErrorCode error = kNone;
};

class GroupTest : public testing::Test {
 protected:
  void Join(Client& client, bool known = true) {
    MemberIdentity identity{"client", "host", "new-" + std::to_string(++ids_), known};
    client.joining = true;
    group_.Join(JoinAs(client.member), identity, now_, [&](JoinGroupResponse response) {
      client.joining = false;
      client.error = static_cast<ErrorCode>(response.error_code);
      client.member = response.member_id;
      if (response.error_code != kNone) return;
      client.generation = response.generation_id;
      client.leads = response.leader == response.member_id;
      client.others.clear();
      for (const auto& member : response.members) client.others.push_back(member.member_id);
    });
    if (client.error == kMemberIdRequired) {
      client.error = kNone;
      Join(client);
    }
  }
  void Sync(Client& client) {
    SyncGroupRequest request;
    request.generation_id = client.generation;
    request.member_id = client.member;
    for (const auto& member : client.others) {
      request.assignments.push_back({member, {"for " + member}});
    }
    group_.Sync(request, now_, [&](SyncGroupResponse response) {
      client.error = static_cast<ErrorCode>(response.error_code);
      client.assignment = response.assignment.value;
    });
  }
  ErrorCode Beat(const Client& client) {
    HeartbeatRequest request;
    request.generation_id = client.generation;
    request.member_id = client.member;
    return group_.Heartbeat(request, now_);
  }

  Group group_{"g"};
  int64_t now_ = 1'000'000;
  int ids_ = 0;
};

TEST_F(GroupTest, TwoMembersShareAndOneLeaves) {
  Client a, b;
  Join(a);
  ASSERT_FALSE(a.joining);
  EXPECT_TRUE(a.leads);
  Sync(a);
  EXPECT_EQ(a.assignment, "for " + a.member);
  EXPECT_EQ(group_.state(), Group::State::kStable);
  Join(b);
  EXPECT_TRUE(b.joining) << "until a has joined again";
  EXPECT_EQ(Beat(a), kRebalanceInProgress);
  Join(a);
  EXPECT_FALSE(a.joining || b.joining);
  EXPECT_EQ(a.generation, b.generation);
  EXPECT_EQ(a.others.size(), 2u);
  EXPECT_TRUE(b.others.empty());
  Sync(b);
  EXPECT_EQ(b.assignment, "");
  Sync(a);
  EXPECT_EQ(b.assignment, "for " + b.member);
  EXPECT_EQ(Beat(b), kNone);
  EXPECT_EQ(group_.Leave(a.member, std::nullopt, now_), kNone);
  EXPECT_EQ(Beat(b), kRebalanceInProgress);
  EXPECT_EQ(Beat(a), kUnknownMemberId);
  Join(b);
  EXPECT_TRUE(b.leads);
}

TEST_F(GroupTest, ASilentMemberIsDroppedAndASlowOneDoesNotHoldTheRest) {
  Client a, b;
  Join(a);
  Sync(a);
  Join(b);
  now_ += 20'000;  // a is silent
  group_.Tick(now_);
  EXPECT_FALSE(b.joining);
  EXPECT_TRUE(b.leads);
  Sync(b);
  Client c;
  Join(c);
  for (int i = 0; i < 5; i++) {
    now_ += 7'000;
    Beat(b);  // alive, but does not join again
    group_.Tick(now_);
  }
  EXPECT_FALSE(c.joining) << "after the rebalance timeout";
  EXPECT_EQ(Beat(b), kUnknownMemberId);
}

TEST_F(GroupTest, OldGenerationsAndStrangersMayNotCommit) {
  Client a;
  EXPECT_EQ(group_.CheckCommit(-1, "", std::nullopt, now_), kNone);
  Join(a);
  EXPECT_EQ(group_.CheckCommit(a.generation, a.member, std::nullopt, now_), kRebalanceInProgress);
  Sync(a);
  EXPECT_EQ(group_.CheckCommit(a.generation, a.member, std::nullopt, now_), kNone);
  EXPECT_EQ(group_.CheckCommit(a.generation - 1, a.member, std::nullopt, now_), kIllegalGeneration);
  EXPECT_EQ(group_.CheckCommit(a.generation, "x", std::nullopt, now_), kUnknownMemberId);
  EXPECT_EQ(group_.CheckCommit(-1, "", std::nullopt, now_), kUnknownMemberId);
}

TEST_F(GroupTest, AStaticMemberTakesItsPlaceAgainAndFencesItsOlderSelf) {
  const auto join = [&](const std::string& instance, JoinGroupResponse* to) {
    JoinGroupRequest request = JoinAs("");
    request.group_instance_id = instance;
    group_.Join(request, {"client", "host", "new-" + std::to_string(++ids_), true}, now_,
                [to](JoinGroupResponse response) { *to = std::move(response); });
  };
  JoinGroupResponse first, other, again;
  join("one", &first);
  join("two", &other);
  HeartbeatRequest beat;
  beat.member_id = first.member_id;
  beat.group_instance_id = "one";
  beat.generation_id = first.generation_id;
  EXPECT_EQ(group_.Heartbeat(beat, now_), kRebalanceInProgress);
  join("one", &again);
  EXPECT_NE(again.member_id, first.member_id);
  EXPECT_EQ(group_.Heartbeat(beat, now_), kFencedInstanceId);
  EXPECT_EQ(group_.Leave("", "one", now_), kNone);
}

TEST_F(GroupTest, ProtocolsMustFit) {
  Client a;
  Join(a);
  JoinGroupRequest request = JoinAs("");
  request.protocols[0].name = "roundrobin";
  ErrorCode error = kNone;
  group_.Join(request, {"c", "h", "n", false}, now_, [&](JoinGroupResponse response) {
    error = static_cast<ErrorCode>(response.error_code);
  });
  EXPECT_EQ(error, kInconsistentGroupProtocol);
}

TEST_F(GroupTest, MembersStayThroughARestart) {
  Client a, b;
  Join(a);
  Sync(a);
  Join(b);
  Join(a);
  EXPECT_TRUE(group_.TakeChanged());
  EXPECT_EQ(group_.Record(), std::nullopt) << "no assignments yet";
  Sync(b);
  Sync(a);
  EXPECT_TRUE(group_.TakeChanged());
  EXPECT_FALSE(group_.TakeChanged());
  GroupRecord record;
  ASSERT_TRUE(DecodeStored(EncodeStored(group_.Record().value()), &record));

  Group after("g");
  after.Restore(record, now_);
  EXPECT_EQ(EncodeStored(after.Record().value()), EncodeStored(record));
  EXPECT_EQ(after.state(), Group::State::kStable);
  HeartbeatRequest beat{"g", b.generation, b.member, std::nullopt};
  EXPECT_EQ(after.Heartbeat(beat, now_), kNone);
  EXPECT_EQ(after.CheckCommit(b.generation, b.member, std::nullopt, now_), kNone);
  EXPECT_EQ(after.CheckCommit(b.generation - 1, b.member, std::nullopt, now_), kIllegalGeneration);
  SyncGroupRequest sync;  // its answer was lost
  sync.member_id = b.member;
  sync.generation_id = b.generation;
  after.Sync(sync, now_, [&](SyncGroupResponse response) {
    EXPECT_EQ(response.assignment.value, "for " + b.member);
  });
  now_ += kReturnMs - 1;
  EXPECT_EQ(after.Heartbeat(beat, now_), kNone);
  after.Tick(now_ + 1);  // a has not come back
  EXPECT_EQ(after.Heartbeat(beat, now_), kRebalanceInProgress);
  EXPECT_EQ(after.CheckCommit(a.generation, a.member, std::nullopt, now_), kUnknownMemberId);
}

// Clients join, sync, beat, leave and fall silent at random, and the server dies. When they have
// been left alone for long enough, those that still follow the protocol are in one generation, each
// with its assignment.
TEST_F(GroupTest, AnyHistoryEndsStable) {
  for (uint64_t seed = 1; seed <= 200; seed++) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    auto living = std::make_unique<Group>("g");
    std::optional<GroupRecord> kept;
    std::vector<Client> clients(4);
    std::vector<bool> active(4, false);
    const auto keep = [&] {
      if (living->TakeChanged()) kept = living->Record();
    };
    const auto step = [&](size_t i) {
      Group& group = *living;
      Client& client = clients[i];
      const auto joined = [&client](JoinGroupResponse response) {
        client.joining = false;
        client.member = response.member_id;
        client.error = static_cast<ErrorCode>(response.error_code);
        if (client.error == kUnknownMemberId) client.member.clear();
        if (client.error != kNone) return;
        client.generation = response.generation_id;
        client.assignment = "none";
        client.others.clear();
        for (const auto& member : response.members) client.others.push_back(member.member_id);
      };
      if (client.joining) return;
      HeartbeatRequest beat;
      beat.member_id = client.member;
      beat.generation_id = client.generation;
      if (!client.member.empty() && group.Heartbeat(beat, now_) == kNone) {
        if (client.assignment != "none") return;
        SyncGroupRequest sync;
        sync.member_id = client.member;
        sync.generation_id = client.generation;
        for (const auto& member : client.others) sync.assignments.push_back({member, {member}});
        group.Sync(sync, now_, [&client](SyncGroupResponse response) {
          if (response.error_code == kNone) client.assignment = response.assignment.value;
        });
        return;
      }
      if (group.Heartbeat(beat, now_) == kUnknownMemberId && client.error != kMemberIdRequired) {
        client.member.clear();
      }
      client.joining = true;
      group.Join(JoinAs(client.member), {"c", "h", "n-" + std::to_string(++ids_), true}, now_,
                 joined);
    };
    for (int round = 0; round < 100; round++) {
      now_ += static_cast<int64_t>(random() % 4'000);
      living->Tick(now_);
      keep();
      if (random() % 20 == 0) {
        living = std::make_unique<Group>("g");
        if (kept) living->Restore(*kept, now_);
        for (Client& client : clients) client.joining = false;  // its connection is gone
      }
      const size_t i = random() % clients.size();
      if (random() % 10 == 0) active[i] = !active[i];
      if (active[i]) step(i);
      if (random() % 30 == 0 && !clients[i].member.empty() && !clients[i].joining) {
        (void)living->Leave(clients[i].member, std::nullopt, now_);
      }
      keep();
    }
    active[0] = true;
    for (int round = 0; round < 60; round++) {
      now_ += 1'500;
      living->Tick(now_);
      for (size_t i = 0; i < clients.size(); i++) {
        if (active[i]) step(i);
      }
    }
    EXPECT_EQ(living->state(), Group::State::kStable);
    for (size_t i = 0; i < clients.size(); i++) {
      if (!active[i]) continue;
      EXPECT_EQ(clients[i].assignment, clients[i].member);
      EXPECT_EQ(clients[i].generation, clients[0].generation);
    }
  }
}

}  // namespace
}  // namespace millrace::kafka
