// The handlers, one file per API (or per few that are small and belong together).
//
// Contract: each is called once per decoded request, on a network thread, and sees to it that the
// call ends: at once, or later from whatever thread has the answer.
#pragma once

#include "kafka/call.h"
#include "kafka/messages/acls.h"
#include "kafka/messages/cluster.h"
#include "kafka/messages/consumer_groups.h"
#include "kafka/messages/groups.h"
#include "kafka/messages/quotas.h"
#include "kafka/messages/records.h"
#include "kafka/messages/security.h"
#include "kafka/messages/topics.h"
#include "kafka/messages/transactions.h"
#include "kafka/services.h"

namespace millrace::kafka {

void HandleApiVersions(Services& services, const CallPtr& call);  // decodes by itself
void HandleMetadata(Services& services, const MetadataRequest& request, const CallPtr& call);
void HandleDescribeCluster(Services& services, const DescribeClusterRequest& request,
                           const CallPtr& call);
void HandleFindCoordinator(Services& services, const FindCoordinatorRequest& request,
                           const CallPtr& call);
void HandleInitProducerId(Services& services, const InitProducerIdRequest& request,
                          const CallPtr& call);

void HandleSaslHandshake(Services& services, const SaslHandshakeRequest& request,
                         const CallPtr& call);
void HandleSaslAuthenticate(Services& services, const SaslAuthenticateRequest& request,
                            const CallPtr& call);
void HandleDescribeUserScramCredentials(Services& services,
                                        const DescribeUserScramCredentialsRequest& request,
                                        const CallPtr& call);
void HandleAlterUserScramCredentials(Services& services,
                                     const AlterUserScramCredentialsRequest& request,
                                     const CallPtr& call);

void HandleDescribeAcls(Services& services, const DescribeAclsRequest& request,
                        const CallPtr& call);
void HandleCreateAcls(Services& services, const CreateAclsRequest& request, const CallPtr& call);
void HandleDeleteAcls(Services& services, const DeleteAclsRequest& request, const CallPtr& call);

void HandleDescribeClientQuotas(Services& services, const DescribeClientQuotasRequest& request,
                                const CallPtr& call);
void HandleAlterClientQuotas(Services& services, const AlterClientQuotasRequest& request,
                             const CallPtr& call);

void HandleProduce(Services& services, const ProduceRequest& request, const CallPtr& call);
void HandleFetch(Services& services, const FetchRequest& request, const CallPtr& call);
void HandleListOffsets(Services& services, const ListOffsetsRequest& request, const CallPtr& call);
void HandleOffsetForLeaderEpoch(Services& services, const OffsetForLeaderEpochRequest& request,
                                const CallPtr& call);
void HandleDeleteRecords(Services& services, const DeleteRecordsRequest& request,
                         const CallPtr& call);

void HandleJoinGroup(Services& services, const JoinGroupRequest& request, const CallPtr& call);
void HandleSyncGroup(Services& services, const SyncGroupRequest& request, const CallPtr& call);
void HandleHeartbeat(Services& services, const HeartbeatRequest& request, const CallPtr& call);
void HandleLeaveGroup(Services& services, const LeaveGroupRequest& request, const CallPtr& call);
void HandleDescribeGroups(Services& services, const DescribeGroupsRequest& request,
                          const CallPtr& call);
void HandleListGroups(Services& services, const ListGroupsRequest& request, const CallPtr& call);
void HandleDeleteGroups(Services& services, const DeleteGroupsRequest& request,
                        const CallPtr& call);

void HandleConsumerGroupHeartbeat(Services& services, const ConsumerGroupHeartbeatRequest& request,
                                  const CallPtr& call);
void HandleConsumerGroupDescribe(Services& services, const ConsumerGroupDescribeRequest& request,
                                 const CallPtr& call);

void HandleOffsetCommit(Services& services, const OffsetCommitRequest& request,
                        const CallPtr& call);
void HandleOffsetFetch(Services& services, const OffsetFetchRequest& request, const CallPtr& call);
void HandleOffsetDelete(Services& services, const OffsetDeleteRequest& request,
                        const CallPtr& call);

void HandleAddPartitionsToTxn(Services& services, const AddPartitionsToTxnRequest& request,
                              const CallPtr& call);
void HandleAddOffsetsToTxn(Services& services, const AddOffsetsToTxnRequest& request,
                           const CallPtr& call);
void HandleEndTxn(Services& services, const EndTxnRequest& request, const CallPtr& call);
void HandleTxnOffsetCommit(Services& services, const TxnOffsetCommitRequest& request,
                           const CallPtr& call);
void HandleDescribeTransactions(Services& services, const DescribeTransactionsRequest& request,
                                const CallPtr& call);
void HandleListTransactions(Services& services, const ListTransactionsRequest& request,
                            const CallPtr& call);

void HandleCreateTopics(Services& services, const CreateTopicsRequest& request,
                        const CallPtr& call);
void HandleDeleteTopics(Services& services, const DeleteTopicsRequest& request,
                        const CallPtr& call);
void HandleCreatePartitions(Services& services, const CreatePartitionsRequest& request,
                            const CallPtr& call);
void HandleDescribeLogDirs(Services& services, const DescribeLogDirsRequest& request,
                           const CallPtr& call);
void HandleDescribeConfigs(Services& services, const DescribeConfigsRequest& request,
                           const CallPtr& call);
void HandleIncrementalAlterConfigs(Services& services,
                                   const IncrementalAlterConfigsRequest& request,
                                   const CallPtr& call);

}  // namespace millrace::kafka
