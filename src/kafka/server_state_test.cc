// What the server says of its clients is what they have done.
#include "kafka/server_fixture.h"

namespace millrace::kafka {
namespace {

class ServerStateTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    log::TopicConfig config;
    config.partitions = 2;
    ASSERT_TRUE(log_->CreateTopic("t", config).ok());
    log::NewRecord record;
    record.value = "x";
    for (int i = 0; i < 5; i++) ASSERT_TRUE(log_->AppendAndWait("t", 1, {&record, 1}).ok());
    Start();
    client_ = std::make_unique<TestClient>(Connect());
  }

  // A member of a group that reads partition 1 of topic t; `assignment`: what its leader says so.
  void Join(const std::string& group, const std::string& assignment) {
    JoinGroupRequest join;
    join.group_id = group;
    join.session_timeout_ms = 60'000;
    join.rebalance_timeout_ms = 60'000;
    join.protocol_type = "consumer";
    join.protocols = {{"range", {"metadata"}}};
    auto joined = client_->Ask<JoinGroupResponse>(11, 4, join);
    ASSERT_TRUE(joined && joined->error_code == kMemberIdRequired);
    join.member_id = joined->member_id;
    joined = client_->Ask<JoinGroupResponse>(11, 4, join);
    ASSERT_TRUE(joined && joined->error_code == kNone);
    SyncGroupRequest sync;
    sync.group_id = group;
    sync.generation_id = joined->generation_id;
    sync.member_id = joined->member_id;
    sync.assignments = {{joined->member_id, {assignment}}};
    const auto synced = client_->Ask<SyncGroupResponse>(14, 3, sync);
    ASSERT_TRUE(synced && synced->error_code == kNone);
    member_ = joined->member_id;
    generation_ = joined->generation_id;
  }
  void Commit(const std::string& group, const std::string& topic, int32_t partition,
              int64_t offset) {
    OffsetCommitRequest commit;
    commit.group_id = group;
    commit.member_id = member_;
    commit.generation_id = generation_;
    commit.topics = {{topic, {{partition, offset, -1, -1, {}}}}};
    const auto answer = client_->Ask<OffsetCommitResponse>(8, 7, commit);
    ASSERT_TRUE(answer && answer->topics.at(0).partitions.at(0).error_code == kNone);
  }

  std::unique_ptr<TestClient> client_;
  std::string member_;
  int32_t generation_ = -1;
};

// Version 1, topic "t" with partition 1, no user data.
const std::string kReadsOne("\0\1\0\0\0\1\0\1t\0\0\0\1\0\0\0\1\xff\xff\xff\xff", 21);

TEST_F(ServerStateTest, GroupsAndTheirOffsets) {
  EXPECT_TRUE(server_->State().groups.empty());
  Commit("left", "t", 0, 0);
  Join("shop", kReadsOne);
  ServerState state = server_->State();
  ASSERT_EQ(state.groups.size(), 2u);
  EXPECT_EQ(state.groups[0].id + " " + state.groups[0].state, "left Empty");
  const ServerState::Group& group = state.groups[1];
  EXPECT_EQ(group.id + " " + group.state + " " + group.protocol + " " + group.assignor,
            "shop Stable classic range");
  ASSERT_EQ(group.members.size(), 1u);
  EXPECT_EQ(group.members[0].client_id, "test");
  EXPECT_EQ(group.members[0].assigned, (std::vector<TopicPartition>{{"t", 1}}));
  // Read, but nothing was committed yet.
  ASSERT_EQ(state.offsets.size(), 2u);
  EXPECT_EQ(state.offsets[1].committed, std::nullopt);
  EXPECT_EQ(state.offsets[1].log_end, 5);
  EXPECT_EQ(state.offsets[1].lag(), std::nullopt);

  Commit("shop", "t", 1, 3);
  state = server_->State();
  const ServerState::GroupOffset& offset = state.offsets.at(1);
  EXPECT_EQ(offset.group + "/" + offset.at.topic, "shop/t");
  EXPECT_EQ(offset.committed, 3);
  EXPECT_EQ(offset.lag(), 2);
  EXPECT_EQ(offset.client_id, "test");
  EXPECT_GT(offset.commit_ms, 0);
  EXPECT_EQ(state.offsets.at(0).lag(), 0) << "of the group without members";
  EXPECT_EQ(state.offsets.at(0).client_id, "");
  EXPECT_EQ(state.connections, 1);

  // After a restart all of it stands, and the member goes on where it was.
  client_.reset();
  Start();
  state = server_->State();
  EXPECT_EQ(state.groups.at(1).state, "Stable");
  EXPECT_EQ(state.groups.at(1).members.at(0).assigned, (std::vector<TopicPartition>{{"t", 1}}));
  EXPECT_EQ(state.offsets.at(1).committed, 3);
  client_ = std::make_unique<TestClient>(Connect());
  Commit("shop", "t", 1, 4);
  LeaveGroupRequest leave;
  leave.group_id = "shop";
  leave.members = {{member_, std::nullopt, std::nullopt}};
  ASSERT_TRUE((client_->Ask<LeaveGroupResponse>(13, 3, leave)));
  client_.reset();
  Start();
  EXPECT_EQ(server_->State().groups.at(1).state, "Empty");
}

TEST_F(ServerStateTest, OfAPartitionThatIsGoneThereIsNoLag) {
  Commit("shop", "t", 1, 3);
  ASSERT_TRUE(log_->DeleteTopic("t").ok());  // past the port, which would forget the offsets
  const ServerState state = server_->State();
  ASSERT_EQ(state.offsets.size(), 1u);
  EXPECT_EQ(state.offsets[0].log_end, std::nullopt);
  EXPECT_EQ(state.offsets[0].lag(), std::nullopt);
}

TEST_F(ServerStateTest, AnAssignmentThatIsNoneIsNoFault) {
  for (const std::string& bytes : {std::string(), std::string("\0\1\x7f\xff\xff\xff", 6)}) {
    Join("g" + std::to_string(bytes.size()), bytes);
  }
  for (const auto& group : server_->State().groups) {
    ASSERT_EQ(group.members.size(), 1u);
    EXPECT_TRUE(group.members[0].assigned.empty());
  }
}

TEST_F(ServerStateTest, OpenTransactions) {
  InitProducerIdRequest init;
  init.transactional_id = "copy";
  init.transaction_timeout_ms = 60'000;
  const auto made = client_->Ask<InitProducerIdResponse>(22, 4, init);
  ASSERT_TRUE(made && made->error_code == kNone);
  EXPECT_TRUE(server_->State().transactions.empty()) << "none is open";
  const AddPartitionsToTxnRequest add = {
      "copy", made->producer_id, made->producer_epoch, {{"t", {0, 1}}}};
  ASSERT_TRUE((client_->Ask<AddPartitionsToTxnResponse>(24, 3, add)));
  ServerState state = server_->State();
  ASSERT_EQ(state.transactions.size(), 1u);
  const ServerState::Transaction& open = state.transactions[0];
  EXPECT_EQ(open.id + " " + open.state, "copy Ongoing");
  EXPECT_EQ(open.producer_id, made->producer_id);
  EXPECT_EQ(open.timeout_ms, 60'000);
  EXPECT_GT(open.started_ms, 0);
  EXPECT_EQ(open.partitions, (std::vector<TopicPartition>{{"t", 0}, {"t", 1}}));
  const EndTxnRequest end = {"copy", made->producer_id, made->producer_epoch, true};
  ASSERT_TRUE((client_->Ask<EndTxnResponse>(26, 3, end)));
  EXPECT_TRUE(server_->State().transactions.empty());
}

}  // namespace
}  // namespace millrace::kafka
