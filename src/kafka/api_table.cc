#include "kafka/api_table.h"

#include "kafka/handlers/handlers.h"

namespace millrace::kafka {

namespace {

template <class Request, void (*Handle)(Services&, const Request&, const CallPtr&)>
void Decoded(Services& services, const CallPtr& call) {
  Request request;
  if (call->Decode(request)) Handle(services, request, call);
}

constexpr int16_t kNeverFlexible = INT16_MAX;

// Versions that name topics by id only (OffsetCommit 10, CreateTopics 7, DeleteTopics 6) are left
// out, but for Fetch.
// librdkafka compresses only when Produce 0 is announced; versions before 3 take batches of format
// v2, too.
constexpr Api kApis[] = {
    {0, "Produce", 0, 9, 9, Decoded<ProduceRequest, HandleProduce>},
    {1, "Fetch", 4, 17, 12, Decoded<FetchRequest, HandleFetch>},
    {2, "ListOffsets", 0, 7, 6, Decoded<ListOffsetsRequest, HandleListOffsets>},
    {3, "Metadata", 0, 12, 9, Decoded<MetadataRequest, HandleMetadata>},
    {8, "OffsetCommit", 0, 9, 8, Decoded<OffsetCommitRequest, HandleOffsetCommit>},
    {9, "OffsetFetch", 0, 9, 6, Decoded<OffsetFetchRequest, HandleOffsetFetch>},
    {10, "FindCoordinator", 0, 4, 3, Decoded<FindCoordinatorRequest, HandleFindCoordinator>},
    {11, "JoinGroup", 0, 9, 6, Decoded<JoinGroupRequest, HandleJoinGroup>},
    {12, "Heartbeat", 0, 4, 4, Decoded<HeartbeatRequest, HandleHeartbeat>},
    {13, "LeaveGroup", 0, 5, 4, Decoded<LeaveGroupRequest, HandleLeaveGroup>},
    {14, "SyncGroup", 0, 5, 4, Decoded<SyncGroupRequest, HandleSyncGroup>},
    {15, "DescribeGroups", 0, 5, 5, Decoded<DescribeGroupsRequest, HandleDescribeGroups>},
    {16, "ListGroups", 0, 5, 3, Decoded<ListGroupsRequest, HandleListGroups>},
    {17, "SaslHandshake", 0, 1, kNeverFlexible, Decoded<SaslHandshakeRequest, HandleSaslHandshake>},
    {18, "ApiVersions", 0, 4, 3, HandleApiVersions},
    {19, "CreateTopics", 0, 6, 5, Decoded<CreateTopicsRequest, HandleCreateTopics>},
    {20, "DeleteTopics", 0, 5, 4, Decoded<DeleteTopicsRequest, HandleDeleteTopics>},
    {21, "DeleteRecords", 0, 2, 2, Decoded<DeleteRecordsRequest, HandleDeleteRecords>},
    {22, "InitProducerId", 0, 4, 2, Decoded<InitProducerIdRequest, HandleInitProducerId>},
    {23, "OffsetForLeaderEpoch", 0, 4, 4,
     Decoded<OffsetForLeaderEpochRequest, HandleOffsetForLeaderEpoch>},
    {24, "AddPartitionsToTxn", 0, 3, 3,
     Decoded<AddPartitionsToTxnRequest, HandleAddPartitionsToTxn>},
    {25, "AddOffsetsToTxn", 0, 3, 3, Decoded<AddOffsetsToTxnRequest, HandleAddOffsetsToTxn>},
    {26, "EndTxn", 0, 3, 3, Decoded<EndTxnRequest, HandleEndTxn>},
    {28, "TxnOffsetCommit", 0, 3, 3, Decoded<TxnOffsetCommitRequest, HandleTxnOffsetCommit>},
    {29, "DescribeAcls", 0, 3, 2, Decoded<DescribeAclsRequest, HandleDescribeAcls>},
    {30, "CreateAcls", 0, 3, 2, Decoded<CreateAclsRequest, HandleCreateAcls>},
    {31, "DeleteAcls", 0, 3, 2, Decoded<DeleteAclsRequest, HandleDeleteAcls>},
    {32, "DescribeConfigs", 0, 4, 4, Decoded<DescribeConfigsRequest, HandleDescribeConfigs>},
    {35, "DescribeLogDirs", 1, 4, 2, Decoded<DescribeLogDirsRequest, HandleDescribeLogDirs>},
    {36, "SaslAuthenticate", 0, 2, 2, Decoded<SaslAuthenticateRequest, HandleSaslAuthenticate>},
    {37, "CreatePartitions", 0, 3, 2, Decoded<CreatePartitionsRequest, HandleCreatePartitions>},
    {42, "DeleteGroups", 0, 2, 2, Decoded<DeleteGroupsRequest, HandleDeleteGroups>},
    {44, "IncrementalAlterConfigs", 0, 1, 1,
     Decoded<IncrementalAlterConfigsRequest, HandleIncrementalAlterConfigs>},
    {47, "OffsetDelete", 0, 0, kNeverFlexible, Decoded<OffsetDeleteRequest, HandleOffsetDelete>},
    {48, "DescribeClientQuotas", 0, 1, 1,
     Decoded<DescribeClientQuotasRequest, HandleDescribeClientQuotas>},
    {49, "AlterClientQuotas", 0, 1, 1, Decoded<AlterClientQuotasRequest, HandleAlterClientQuotas>},
    {50, "DescribeUserScramCredentials", 0, 0, 0,
     Decoded<DescribeUserScramCredentialsRequest, HandleDescribeUserScramCredentials>},
    {51, "AlterUserScramCredentials", 0, 0, 0,
     Decoded<AlterUserScramCredentialsRequest, HandleAlterUserScramCredentials>},
    {60, "DescribeCluster", 0, 1, 0, Decoded<DescribeClusterRequest, HandleDescribeCluster>},
    {65, "DescribeTransactions", 0, 0, 0,
     Decoded<DescribeTransactionsRequest, HandleDescribeTransactions>},
    {66, "ListTransactions", 0, 1, 0, Decoded<ListTransactionsRequest, HandleListTransactions>},
    {68, "ConsumerGroupHeartbeat", 0, 1, 0,
     Decoded<ConsumerGroupHeartbeatRequest, HandleConsumerGroupHeartbeat>},
    {69, "ConsumerGroupDescribe", 0, 1, 0,
     Decoded<ConsumerGroupDescribeRequest, HandleConsumerGroupDescribe>},
};

}  // namespace

std::span<const Api> AllApis() {
  return kApis;
}

const Api* FindApi(int16_t key) {
  for (const Api& api : kApis) {
    if (api.key == key) return &api;
  }
  return nullptr;
}

}  // namespace millrace::kafka
