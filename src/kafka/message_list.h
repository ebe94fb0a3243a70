// Every message with its API key, for tests and fuzzing: calls `visit.operator()<Request,
// Response>` for each API.
#pragma once

#include "kafka/messages/acls.h"
#include "kafka/messages/cluster.h"
#include "kafka/messages/consumer_groups.h"
#include "kafka/messages/groups.h"
#include "kafka/messages/quotas.h"
#include "kafka/messages/records.h"
#include "kafka/messages/security.h"
#include "kafka/messages/topics.h"
#include "kafka/messages/transactions.h"

namespace millrace::kafka {

template <class Visit>
void ForEachApi(Visit visit) {
  visit.template operator()<ProduceRequest, ProduceResponse>(0);
  visit.template operator()<FetchRequest, FetchResponse>(1);
  visit.template operator()<ListOffsetsRequest, ListOffsetsResponse>(2);
  visit.template operator()<MetadataRequest, MetadataResponse>(3);
  visit.template operator()<OffsetCommitRequest, OffsetCommitResponse>(8);
  visit.template operator()<OffsetFetchRequest, OffsetFetchResponse>(9);
  visit.template operator()<FindCoordinatorRequest, FindCoordinatorResponse>(10);
  visit.template operator()<JoinGroupRequest, JoinGroupResponse>(11);
  visit.template operator()<HeartbeatRequest, HeartbeatResponse>(12);
  visit.template operator()<LeaveGroupRequest, LeaveGroupResponse>(13);
  visit.template operator()<SyncGroupRequest, SyncGroupResponse>(14);
  visit.template operator()<DescribeGroupsRequest, DescribeGroupsResponse>(15);
  visit.template operator()<ListGroupsRequest, ListGroupsResponse>(16);
  visit.template operator()<SaslHandshakeRequest, SaslHandshakeResponse>(17);
  visit.template operator()<ApiVersionsRequest, ApiVersionsResponse>(18);
  visit.template operator()<CreateTopicsRequest, CreateTopicsResponse>(19);
  visit.template operator()<DeleteTopicsRequest, DeleteTopicsResponse>(20);
  visit.template operator()<DeleteRecordsRequest, DeleteRecordsResponse>(21);
  visit.template operator()<InitProducerIdRequest, InitProducerIdResponse>(22);
  visit.template operator()<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>(23);
  visit.template operator()<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse>(24);
  visit.template operator()<AddOffsetsToTxnRequest, AddOffsetsToTxnResponse>(25);
  visit.template operator()<EndTxnRequest, EndTxnResponse>(26);
  visit.template operator()<TxnOffsetCommitRequest, TxnOffsetCommitResponse>(28);
  visit.template operator()<DescribeAclsRequest, DescribeAclsResponse>(29);
  visit.template operator()<CreateAclsRequest, CreateAclsResponse>(30);
  visit.template operator()<DeleteAclsRequest, DeleteAclsResponse>(31);
  visit.template operator()<DescribeConfigsRequest, DescribeConfigsResponse>(32);
  visit.template operator()<DescribeLogDirsRequest, DescribeLogDirsResponse>(35);
  visit.template operator()<SaslAuthenticateRequest, SaslAuthenticateResponse>(36);
  visit.template operator()<CreatePartitionsRequest, CreatePartitionsResponse>(37);
  visit.template operator()<DeleteGroupsRequest, DeleteGroupsResponse>(42);
  visit.template operator()<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(44);
  visit.template operator()<OffsetDeleteRequest, OffsetDeleteResponse>(47);
  visit.template
  operator()<DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse>(50);
  visit.template operator()<AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse>(
      51);
  visit.template operator()<DescribeClientQuotasRequest, DescribeClientQuotasResponse>(48);
  visit.template operator()<AlterClientQuotasRequest, AlterClientQuotasResponse>(49);
  visit.template operator()<DescribeClusterRequest, DescribeClusterResponse>(60);
  visit.template operator()<DescribeTransactionsRequest, DescribeTransactionsResponse>(65);
  visit.template operator()<ListTransactionsRequest, ListTransactionsResponse>(66);
  visit.template operator()<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(68);
  visit.template operator()<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>(69);
}

}  // namespace millrace::kafka
