// Every API, allowed and denied: with all the permissions that a request needs it is not refused,
// without any one of them it is refused with that one's error.
#include "kafka/permissions.h"

#include <map>
#include <random>
#include <set>

#include "kafka/server_fixture.h"
#include "kafka/topic_ids.h"

namespace millrace::kafka {
namespace {

// Collects the errors of permissions from any response.
class Refusals : public WireIo<Refusals> {
 public:
  Refusals() : WireIo(0, false) {}
  std::set<int16_t> found;

  // Whatever the version: fields that it does not have are zero.
  template <class... Fields>
  void Since(int, Fields&... fields) {
    (*this)(fields...);
  }
  template <class... Fields>
  void Between(int, int, Fields&... fields) {
    (*this)(fields...);
  }
  template <class T>
  void Field(T& value) {
    if constexpr (std::is_same_v<T, int16_t>) {
      const bool refusal =
          value == kTopicAuthorizationFailed || value == kGroupAuthorizationFailed ||
          value == kClusterAuthorizationFailed || value == kTransactionalIdAuthorizationFailed;
      if (refusal) found.insert(value);
    } else if constexpr (Message<T, Refusals>) {
      value.Visit(*this);
    }
  }
  template <class T>
  void Field(std::vector<T>& items) {
    for (auto& item : items) Field(item);
  }
  template <class T>
  void Field(std::optional<T>& item) {
    if (item) Field(*item);
  }
};

struct Row {
  std::string what;
  int16_t key;
  std::vector<Acl> needs;
  std::function<std::set<int16_t>(TestClient&)> ask;  // the errors of permissions in the answer
};

Acl Needs(AclResource resource, const std::string& name, AclOperation operation) {
  return {resource,   name,      AclPattern::kLiteral, "User:alice",
          kEveryHost, operation, AclPermission::kAllow};
}
Acl OnTopic(AclOperation operation, const std::string& name = "t") {
  return Needs(AclResource::kTopic, name, operation);
}
Acl OnGroup(AclOperation operation) {
  return Needs(AclResource::kGroup, "g", operation);
}
Acl OnId(AclOperation operation) {
  return Needs(AclResource::kTransactionalId, "x", operation);
}
Acl OnCluster(AclOperation operation) {
  return Needs(AclResource::kCluster, kClusterName, operation);
}

int16_t ErrorFor(const Acl& need) {
  switch (need.resource) {
    case AclResource::kTopic:
      return kTopicAuthorizationFailed;
    case AclResource::kGroup:
      return kGroupAuthorizationFailed;
    case AclResource::kTransactionalId:
      return kTransactionalIdAuthorizationFailed;
    default:
      return kClusterAuthorizationFailed;
  }
}

template <class Request, class Response>
Row Asks(const std::string& what, int16_t key, int version, std::vector<Acl> needs,
         Request request) {
  return {what, key, std::move(needs), [=](TestClient& client) {
            auto response = client.Ask<Response>(key, version, request);
            EXPECT_TRUE(response) << what << ": the connection was closed";
            Refusals refusals;
            if (response) response->Visit(refusals);
            return refusals.found;
          }};
}

CreateAclsRequest::Creation CreationOf(const Acl& acl) {
  return {static_cast<int8_t>(acl.resource),
          acl.name,
          static_cast<int8_t>(acl.pattern),
          acl.principal,
          acl.host,
          static_cast<int8_t>(acl.operation),
          static_cast<int8_t>(acl.permission)};
}

template <class Topic>
Topic FirstPartition() {
  Topic topic;
  topic.name = "t";
  topic.partitions.emplace_back();
  return topic;
}

std::vector<Row> Rows() {
  using enum AclOperation;
  std::vector<Row> rows;
  const std::vector<int32_t> first = {0};
  {
    ProduceRequest request;
    request.acks = 1;
    request.topics = {{"t", {{0, "no batch"}}}};
    rows.push_back(
        Asks<ProduceRequest, ProduceResponse>("Produce", 0, 9, {OnTopic(kWrite)}, request));
    request.transactional_id = "x";
    rows.push_back(Asks<ProduceRequest, ProduceResponse>("Produce in a transaction", 0, 9,
                                                         {OnTopic(kWrite), OnId(kWrite)}, request));
  }
  FetchRequest fetch;
  fetch.topics = {FirstPartition<FetchRequest::Topic>()};
  rows.push_back(Asks<FetchRequest, FetchResponse>("Fetch", 1, 12, {OnTopic(kRead)}, fetch));
  ListOffsetsRequest list;
  list.topics = {FirstPartition<ListOffsetsRequest::Topic>()};
  rows.push_back(Asks<ListOffsetsRequest, ListOffsetsResponse>("ListOffsets", 2, 7,
                                                               {OnTopic(kDescribe)}, list));
  MetadataRequest metadata;
  metadata.topics = {{{Uuid(), "t"}}};
  rows.push_back(
      Asks<MetadataRequest, MetadataResponse>("Metadata", 3, 9, {OnTopic(kDescribe)}, metadata));
  metadata.topics = {{{Uuid(), "new"}}};
  rows.push_back(Asks<MetadataRequest, MetadataResponse>(
      "Metadata of a new topic", 3, 9, {OnTopic(kDescribe, "new"), OnTopic(kCreate, "new")},
      metadata));
  OffsetCommitRequest commit;
  commit.group_id = "g";
  commit.topics = {FirstPartition<OffsetCommitRequest::Topic>()};
  rows.push_back(Asks<OffsetCommitRequest, OffsetCommitResponse>(
      "OffsetCommit", 8, 8, {OnGroup(kRead), OnTopic(kRead)}, commit));
  OffsetFetchRequest offsets;
  offsets.group_id = "g";
  offsets.topics = {{{"t", first}}};
  offsets.groups = {{"g", std::nullopt, -1, offsets.topics}};
  for (const int version : {1, 5, 8}) {
    rows.push_back(Asks<OffsetFetchRequest, OffsetFetchResponse>(
        "OffsetFetch " + std::to_string(version), 9, version,
        {OnGroup(kDescribe), OnTopic(kDescribe)}, offsets));
  }
  FindCoordinatorRequest find;
  for (const int version : {3, 4}) {
    find.key = "g";
    find.keys = {"g"};
    find.key_type = 0;
    rows.push_back(Asks<FindCoordinatorRequest, FindCoordinatorResponse>(
        "FindCoordinator of a group", 10, version, {OnGroup(kDescribe)}, find));
    find.key = "x";
    find.keys = {"x"};
    find.key_type = 1;
    rows.push_back(Asks<FindCoordinatorRequest, FindCoordinatorResponse>(
        "FindCoordinator of a transaction", 10, version, {OnId(kDescribe)}, find));
  }
  JoinGroupRequest join;
  join.group_id = "g";
  rows.push_back(
      Asks<JoinGroupRequest, JoinGroupResponse>("JoinGroup", 11, 9, {OnGroup(kRead)}, join));
  SyncGroupRequest sync;
  sync.group_id = "g";
  rows.push_back(
      Asks<SyncGroupRequest, SyncGroupResponse>("SyncGroup", 14, 5, {OnGroup(kRead)}, sync));
  HeartbeatRequest beat;
  beat.group_id = "g";
  rows.push_back(
      Asks<HeartbeatRequest, HeartbeatResponse>("Heartbeat", 12, 4, {OnGroup(kRead)}, beat));
  LeaveGroupRequest leave;
  leave.group_id = "g";
  rows.push_back(
      Asks<LeaveGroupRequest, LeaveGroupResponse>("LeaveGroup", 13, 5, {OnGroup(kRead)}, leave));
  rows.push_back(Asks<DescribeGroupsRequest, DescribeGroupsResponse>(
      "DescribeGroups", 15, 5, {OnGroup(kDescribe)}, {{"g"}}));
  rows.push_back(Asks<DeleteGroupsRequest, DeleteGroupsResponse>("DeleteGroups", 42, 2,
                                                                 {OnGroup(kDelete)}, {{"g"}}));
  OffsetDeleteRequest forget;
  forget.group_id = "g";
  forget.topics = {FirstPartition<OffsetDeleteRequest::Topic>()};
  rows.push_back(Asks<OffsetDeleteRequest, OffsetDeleteResponse>("OffsetDelete", 47, 0,
                                                                 {OnGroup(kDelete)}, forget));
  ConsumerGroupHeartbeatRequest joins;
  joins.group_id = "g";
  joins.member_id = "m";
  joins.rebalance_timeout_ms = 1000;
  joins.topics = {{"t"}};
  rows.push_back(Asks<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(
      "ConsumerGroupHeartbeat", 68, 1, {OnGroup(kRead), OnTopic(kDescribe)}, joins));
  rows.push_back(Asks<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>(
      "ConsumerGroupDescribe", 69, 1, {OnGroup(kDescribe)}, {{"g"}}));
  CreateTopicsRequest create;
  create.topics.push_back({"made", 1, 1, {}, {}});
  create.validate_only = true;
  rows.push_back(Asks<CreateTopicsRequest, CreateTopicsResponse>(
      "CreateTopics", 19, 6, {OnTopic(kCreate, "made")}, create));
  rows.push_back(Asks<DeleteTopicsRequest, DeleteTopicsResponse>(
      "DeleteTopics", 20, 5, {OnTopic(kDelete, "absent")}, {{"absent"}}));
  rows.push_back(Asks<DeleteRecordsRequest, DeleteRecordsResponse>(
      "DeleteRecords", 21, 2, {OnTopic(kDelete)}, {{{"t", {{0, 0}}}}}));
  InitProducerIdRequest init;
  rows.push_back(Asks<InitProducerIdRequest, InitProducerIdResponse>(
      "InitProducerId", 22, 4, {OnCluster(kIdempotentWrite)}, init));
  init.transactional_id = "x";
  init.transaction_timeout_ms = 1000;
  rows.push_back(Asks<InitProducerIdRequest, InitProducerIdResponse>(
      "InitProducerId of a transaction", 22, 4, {OnId(kWrite)}, init));
  OffsetForLeaderEpochRequest epoch;
  epoch.topics = {FirstPartition<OffsetForLeaderEpochRequest::Topic>()};
  rows.push_back(Asks<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>(
      "OffsetForLeaderEpoch", 23, 4, {OnTopic(kDescribe)}, epoch));
  AddPartitionsToTxnRequest add;
  add.transactional_id = "x";
  add.topics = {{"t", first}};
  rows.push_back(Asks<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse>(
      "AddPartitionsToTxn", 24, 3, {OnId(kWrite), OnTopic(kWrite)}, add));
  AddOffsetsToTxnRequest group;
  group.transactional_id = "x";
  group.group_id = "g";
  rows.push_back(Asks<AddOffsetsToTxnRequest, AddOffsetsToTxnResponse>(
      "AddOffsetsToTxn", 25, 3, {OnId(kWrite), OnGroup(kRead)}, group));
  EndTxnRequest end;
  end.transactional_id = "x";
  rows.push_back(Asks<EndTxnRequest, EndTxnResponse>("EndTxn", 26, 3, {OnId(kWrite)}, end));
  TxnOffsetCommitRequest within;
  within.transactional_id = "x";
  within.group_id = "g";
  within.topics = {FirstPartition<TxnOffsetCommitRequest::Topic>()};
  rows.push_back(Asks<TxnOffsetCommitRequest, TxnOffsetCommitResponse>(
      "TxnOffsetCommit", 28, 3, {OnId(kWrite), OnGroup(kRead), OnTopic(kRead)}, within));
  rows.push_back(Asks<DescribeTransactionsRequest, DescribeTransactionsResponse>(
      "DescribeTransactions", 65, 0, {OnId(kDescribe)}, {{"x"}}));
  rows.push_back(Asks<DescribeAclsRequest, DescribeAclsResponse>("DescribeAcls", 29, 3,
                                                                 {OnCluster(kDescribe)}, {}));
  rows.push_back(Asks<CreateAclsRequest, CreateAclsResponse>(
      "CreateAcls", 30, 3, {OnCluster(kAlter)}, {{CreationOf(OnTopic(kRead, "other"))}}));
  AclFilterMessage nothing;
  nothing.resource_name = "absent";
  rows.push_back(Asks<DeleteAclsRequest, DeleteAclsResponse>("DeleteAcls", 31, 3,
                                                             {OnCluster(kAlter)}, {{nothing}}));
  constexpr int8_t kTopicSettings = 2, kBrokerSettings = 4;
  rows.push_back(Asks<DescribeConfigsRequest, DescribeConfigsResponse>(
      "DescribeConfigs", 32, 4, {OnTopic(kDescribeConfigs)},
      {{{kTopicSettings, "t", std::nullopt}}, false, false}));
  rows.push_back(Asks<DescribeConfigsRequest, DescribeConfigsResponse>(
      "DescribeConfigs of the broker", 32, 4, {OnCluster(kDescribeConfigs)},
      {{{kBrokerSettings, "1", std::nullopt}}, false, false}));
  rows.push_back(Asks<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(
      "IncrementalAlterConfigs", 44, 1, {OnTopic(kAlterConfigs)},
      {{{kTopicSettings, "t", {{"retention.ms", 0, "1000000"}}}}, false}));
  rows.push_back(Asks<CreatePartitionsRequest, CreatePartitionsResponse>(
      "CreatePartitions", 37, 3, {OnTopic(kAlter)}, {{{"t", 5, std::nullopt}}, 0, true}));
  rows.push_back(Asks<DescribeLogDirsRequest, DescribeLogDirsResponse>("DescribeLogDirs", 35, 4,
                                                                       {OnCluster(kDescribe)}, {}));
  rows.push_back(Asks<DescribeClientQuotasRequest, DescribeClientQuotasResponse>(
      "DescribeClientQuotas", 48, 1, {OnCluster(kDescribeConfigs)}, {}));
  AlterClientQuotasRequest quotas;
  quotas.entries = {{{{"user", "bob"}}, {{"producer_byte_rate", 1000, false}}}};
  rows.push_back(Asks<AlterClientQuotasRequest, AlterClientQuotasResponse>(
      "AlterClientQuotas", 49, 1, {OnCluster(kAlterConfigs)}, quotas));
  rows.push_back(Asks<DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse>(
      "DescribeUserScramCredentials", 50, 0, {OnCluster(kDescribe)}, {}));
  rows.push_back(Asks<AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse>(
      "AlterUserScramCredentials", 51, 0, {OnCluster(kAlter)}, {{{"nobody", 1}}, {}}));
  return rows;
}

class PermissionsTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    options_.listeners.front().sasl = true;
    options_.passwords = {{"admin", "a"}, {"alice", "b"}};
    options_.acls.on = true;
    options_.acls.super_users = {"User:admin"};
    ASSERT_TRUE(log_->CreateTopic("t", {}).ok());
    Start();
  }
  TestClient As(const std::string& user) {
    TestClient client = Connect();
    EXPECT_EQ(client.LogIn(user, user == "admin" ? "a" : "b"), kNone);
    return client;
  }
  void Allow(TestClient& admin, const std::vector<Acl>& acls) {
    CreateAclsRequest request;
    for (const Acl& acl : acls) request.creations.push_back(CreationOf(acl));
    const auto answer = admin.Ask<CreateAclsResponse>(30, 3, request);
    ASSERT_TRUE(answer);
    for (const auto& result : answer->results) EXPECT_EQ(result.error_code, kNone);
  }
  // How many were there.
  size_t ForgetAll(TestClient& admin) {
    AclFilterMessage everything;
    everything.pattern_type = static_cast<int8_t>(AclPattern::kAny);
    const auto answer = admin.Ask<DeleteAclsResponse>(31, 3, DeleteAclsRequest{{everything}});
    return answer && answer->results.size() == 1 ? answer->results[0].acls.size() : 0;
  }
  std::vector<std::string> TopicsSeen(TestClient& client) {
    const auto answer = client.Ask<MetadataResponse>(3, 9, MetadataRequest());
    std::vector<std::string> names;
    if (answer) {
      for (const auto& topic : answer->topics) names.push_back(*topic.name);
    }
    return names;
  }
};

TEST_F(PermissionsTest, EveryApiAsksForWhatItNeeds) {
  // Open to all who are logged in; lists show what one may describe.
  std::set<int16_t> covered = {kSaslHandshakeKey,        kApiVersionsKey,
                               kSaslAuthenticateKey,     16 /* ListGroups */,
                               60 /* DescribeCluster */, 66 /* ListTransactions */};
  TestClient admin = As("admin");
  TestClient alice = As("alice");
  for (const Row& row : Rows()) {
    SCOPED_TRACE(row.what);
    covered.insert(row.key);
    const auto asked_by = [&](TestClient& client) {
      (void)log_->DeleteTopic("new");  // that a row before may have made
      return row.ask(client);
    };
    EXPECT_EQ(asked_by(admin), std::set<int16_t>()) << "a super user may";
    EXPECT_FALSE(asked_by(alice).empty()) << "without any permission";
    for (size_t missing = 0; missing < row.needs.size(); missing++) {
      std::vector<Acl> others = row.needs;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(missing));
      Allow(admin, others);
      EXPECT_EQ(asked_by(alice), std::set<int16_t>{ErrorFor(row.needs[missing])});
      ForgetAll(admin);
    }
    Allow(admin, row.needs);
    EXPECT_EQ(asked_by(alice), std::set<int16_t>()) << "with all of them";
    Acl denial = row.needs.front();
    denial.permission = AclPermission::kDeny;
    Allow(admin, {denial});
    EXPECT_EQ(asked_by(alice).count(ErrorFor(denial)), 1u) << "a denial wins";
    ForgetAll(admin);
  }
  for (const Api& api : AllApis()) EXPECT_TRUE(covered.contains(api.key)) << api.name;
}

TEST_F(PermissionsTest, AFetchSessionIsAskedEachTime) {
  TestClient admin = As("admin");
  TestClient alice = As("alice");
  FetchRequest fetch;
  fetch.session_epoch = 0;
  fetch.topics = {FirstPartition<FetchRequest::Topic>()};
  fetch.topics[0].id = IdOf(*log_->Describe("t"));
  const auto begun = alice.Ask<FetchResponse>(1, 17, fetch);
  ASSERT_TRUE(begun && begun->session_id != 0);
  EXPECT_EQ(begun->topics.at(0).partitions.at(0).error_code, kTopicAuthorizationFailed);
  fetch.topics.clear();
  fetch.session_id = begun->session_id;
  const auto next = [&](TestClient& client) {
    fetch.session_epoch++;
    return client.Ask<FetchResponse>(1, 17, fetch).value();
  };
  Allow(admin, {OnTopic(AclOperation::kRead)});
  EXPECT_EQ(next(alice).topics.at(0).partitions.at(0).error_code, kNone);
  EXPECT_TRUE(next(alice).topics.empty());
  ForgetAll(admin);
  EXPECT_EQ(next(alice).topics.at(0).partitions.at(0).error_code, kTopicAuthorizationFailed);
  EXPECT_EQ(next(admin).error_code, kFetchSessionIdNotFound) << "it is another user's";
}

TEST_F(PermissionsTest, ListsShowWhatOneMayDescribe) {
  TestClient admin = As("admin");
  TestClient alice = As("alice");
  ASSERT_TRUE(log_->CreateTopic("t-more", {}).ok());
  EXPECT_EQ(TopicsSeen(alice), std::vector<std::string>());
  Acl prefix = OnTopic(AclOperation::kWrite);
  prefix.pattern = AclPattern::kPrefixed;
  Allow(admin, {prefix});
  EXPECT_EQ(TopicsSeen(alice), (std::vector<std::string>{"t", "t-more"}));
  EXPECT_EQ(TopicsSeen(admin), (std::vector<std::string>{kOffsetsTopic, "t", "t-more"}));
  InitProducerIdRequest init;
  const auto id = alice.Ask<InitProducerIdResponse>(22, 4, init);
  EXPECT_TRUE(id && id->error_code == kNone) << "who may write to any topic may be idempotent";

  OffsetCommitRequest commit;
  commit.group_id = "g";
  commit.topics = {FirstPartition<OffsetCommitRequest::Topic>()};
  ASSERT_TRUE(admin.Ask<OffsetCommitResponse>(8, 8, commit));
  const auto groups_seen = [&](TestClient& client) {
    const auto answer = client.Ask<ListGroupsResponse>(16, 5, ListGroupsRequest());
    return answer ? answer->groups.size() : 99;
  };
  EXPECT_EQ(groups_seen(admin), 1u);
  EXPECT_EQ(groups_seen(alice), 0u);
  Allow(admin, {OnGroup(AclOperation::kDescribe)});
  EXPECT_EQ(groups_seen(alice), 1u);
}

TEST_F(PermissionsTest, AreKeptAndFoundByFilters) {
  TestClient admin = As("admin");
  Acl prefix = OnTopic(AclOperation::kRead, "or");
  prefix.pattern = AclPattern::kPrefixed;
  Acl every = OnTopic(AclOperation::kWrite, "*");
  const Acl literal = OnTopic(AclOperation::kRead, "orders");
  Allow(admin, {prefix, every, literal, literal});
  server_.reset();
  Start();
  TestClient again = As("admin");
  const auto found = [&](AclPattern pattern, std::optional<std::string> name) {
    AclFilterMessage filter;
    filter.resource_name = std::move(name);
    filter.pattern_type = static_cast<int8_t>(pattern);
    const auto answer = again.Ask<DescribeAclsResponse>(29, 3, filter);
    size_t count = 0;
    if (answer) {
      for (const auto& resource : answer->resources) count += resource.acls.size();
    }
    return count;
  };
  EXPECT_EQ(found(AclPattern::kAny, std::nullopt), 3u);
  EXPECT_EQ(found(AclPattern::kMatch, "orders"), 3u);
  EXPECT_EQ(found(AclPattern::kMatch, "orange"), 2u);
  EXPECT_EQ(found(AclPattern::kLiteral, "orders"), 1u);
  EXPECT_EQ(found(AclPattern::kPrefixed, "or"), 1u);
  EXPECT_EQ(found(AclPattern::kAny, "absent"), 0u);
  EXPECT_EQ(ForgetAll(again), 3u);
  EXPECT_EQ(ForgetAll(again), 0u);
}

TEST_F(PermissionsTest, WhatCannotBeIsRefused) {
  TestClient admin = As("admin");
  std::vector<Acl> bad(6, OnTopic(AclOperation::kRead));
  bad[0].resource = AclResource::kAny;
  bad[1].name.clear();
  bad[2].pattern = AclPattern::kMatch;
  bad[3].principal = "alice";
  bad[4].operation = AclOperation::kAny;
  bad[5].permission = AclPermission::kAny;
  for (const Acl& acl : bad) {
    const auto answer = admin.Ask<CreateAclsResponse>(30, 3, CreateAclsRequest{{CreationOf(acl)}});
    ASSERT_TRUE(answer && answer->results.size() == 1);
    EXPECT_EQ(answer->results[0].error_code, kInvalidRequest);
  }
  EXPECT_EQ(ForgetAll(admin), 0u);
}

TEST_F(PermissionsTest, WithoutTheSectionNothingIsAsked) {
  options_.acls.on = false;
  Start();
  TestClient alice = As("alice");
  const auto acls = alice.Ask<DescribeAclsResponse>(29, 3, DescribeAclsRequest());
  ASSERT_TRUE(acls);
  EXPECT_EQ(acls->error_code, kSecurityDisabled);
  EXPECT_EQ(TopicsSeen(alice), (std::vector<std::string>{kOffsetsTopic, "t"}));
}

// Rules at random, judged against the definition read literally.
TEST(AuthorizerTest, DecidesAsDefined) {
  env::FaultFileSystem files(1);
  const auto file = SecurityFile::Open(files, "");
  ASSERT_TRUE(file.ok());
  std::mt19937_64 random(7);
  const std::vector<std::string> names = {"a", "ab", "abc", "b", "*"};
  const std::vector<std::string> principals = {"User:p", "User:q", kEveryUser};
  const std::vector<std::string> hosts = {"1.1.1.1", "2.2.2.2", kEveryHost};
  const auto any = [&](const auto& of) { return of[random() % of.size()]; };
  using enum AclOperation;
  const std::vector<AclOperation> operations = {kAll,      kRead,         kWrite,
                                                kDescribe, kAlterConfigs, kDescribeConfigs};
  const std::map<AclOperation, std::set<AclOperation>> allowed_by = {
      {kRead, {kRead, kAll}},
      {kWrite, {kWrite, kAll}},
      {kDescribe, {kDescribe, kRead, kWrite, kAll}},  // and kDelete, kAlter, not drawn here
      {kAlterConfigs, {kAlterConfigs, kAll}},
      {kDescribeConfigs, {kDescribeConfigs, kAlterConfigs, kAll}}};
  int allowed = 0;
  for (int round = 0; round < 2000; round++) {
    AclOptions options;
    options.allow_without_acl = random() % 4 == 0;
    const size_t count = random() % 5;
    for (size_t i = 0; i < count; i++) {
      options.declared.push_back(
          {random() % 4 == 0 ? AclResource::kGroup : AclResource::kTopic, any(names),
           random() % 2 == 0 ? AclPattern::kPrefixed : AclPattern::kLiteral, any(principals),
           any(hosts), any(operations),
           random() % 4 == 0 ? AclPermission::kDeny : AclPermission::kAllow});
    }
    const Authorizer authorizer(**file, options);
    for (const std::string name : {"a", "ab", "abc", "b", "c"}) {
      for (const auto& [wanted, by] : allowed_by) {
        bool said = false, deny = false, allow = false;
        for (const Acl& acl : options.declared) {
          const bool covers =
              acl.resource == AclResource::kTopic &&
              (acl.pattern == AclPattern::kPrefixed ? name.substr(0, acl.name.size()) == acl.name
                                                    : acl.name == "*" || acl.name == name);
          said |= covers;
          if (!covers || acl.principal == "User:q" || acl.host == "2.2.2.2") continue;
          if (acl.permission == AclPermission::kDeny) {
            deny |= acl.operation == wanted || acl.operation == kAll;
          } else {
            allow |= by.contains(acl.operation);
          }
        }
        const bool expected = !deny && (allow || (!said && options.allow_without_acl));
        EXPECT_EQ(authorizer.Allows("User:p", "1.1.1.1", wanted, AclResource::kTopic, name),
                  expected);
        allowed += expected ? 1 : 0;
      }
    }
  }
  EXPECT_GT(allowed, 1000);
}

}  // namespace
}  // namespace millrace::kafka
