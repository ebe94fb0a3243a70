// OffsetCommit, TxnOffsetCommit, OffsetFetch, OffsetDelete.
#include <algorithm>
#include <set>

#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"

namespace millrace::kafka {

namespace {

constexpr size_t kMetadataBytesMax = 4096;
constexpr int kGroupHasErrorSince = 2;  // OffsetFetch
// With kUnstableOffsetCommit, where other clients do not look at it. Kafka says -1: no offset. When
// its assignment changes meanwhile, librdkafka (2.11, rdkafka_assignment.c) keeps the offset and
// forgets the error, and would start at auto.offset.reset; by this one it asks again.
constexpr int64_t kAskAgain = -1000;

bool PartitionExists(log::Log& log, const std::string& topic, int32_t partition) {
  const auto info = log.Describe(topic);
  return info.ok() && partition >= 0 && partition < info->config.partitions;
}

}  // namespace

void HandleOffsetCommit(Services& services, const OffsetCommitRequest& request,
                        const CallPtr& call) {
  ErrorCode refused = CheckGroup(services, call, AclOperation::kRead, request.group_id);
  if (refused == kNone) refused = services.groups.CheckCommit(request, services.now_ms());
  auto response = std::make_shared<OffsetCommitResponse>();
  GroupOffsets offsets;
  for (const auto& topic : request.topics) {
    auto& to_topic = response->topics.emplace_back();
    to_topic.name = topic.name;
    for (const auto& partition : topic.partitions) {
      ErrorCode error = refused;
      if (error == kNone) error = CheckTopic(services, call, AclOperation::kRead, topic.name);
      if (error == kNone && !PartitionExists(services.log, topic.name, partition.index)) {
        error = kUnknownTopicOrPartition;
      }
      const std::string metadata = partition.metadata.value_or("");
      if (error == kNone && metadata.size() > kMetadataBytesMax) error = kOffsetMetadataTooLarge;
      to_topic.partitions.push_back({partition.index, error});
      if (error != kNone) continue;
      offsets[{topic.name, partition.index}] = {partition.offset, partition.leader_epoch, metadata,
                                                0};
    }
  }
  if (offsets.empty()) {
    call->Answer(*response);
    return;
  }
  services.offsets->Commit(
      request.group_id, std::move(offsets), [response, call](const Status& status) {
        for (auto& topic : response->topics) {
          for (auto& partition : topic.partitions) {
            if (partition.error_code == kNone && !status.ok()) {
              partition.error_code = kCoordinatorNotAvailable;  // clients try again
            }
          }
        }
        call->Answer(*response);
      });
}

void HandleTxnOffsetCommit(Services& services, const TxnOffsetCommitRequest& request,
                           const CallPtr& call) {
  ErrorCode refused =
      CheckTransactionalId(services, call, AclOperation::kWrite, request.transactional_id);
  if (refused == kNone) {
    refused = CheckGroup(services, call, AclOperation::kRead, request.group_id);
  }
  // Producers of old clients do not say which member they commit for (KIP-447).
  const bool names_member = request.generation_id >= 0 || !request.member_id.empty();
  if (refused == kNone && names_member) {
    OffsetCommitRequest member;
    member.group_id = request.group_id;
    member.generation_id = request.generation_id;
    member.member_id = request.member_id;
    member.group_instance_id = request.group_instance_id;
    refused = services.groups.CheckCommit(member, services.now_ms());
  }
  auto response = std::make_shared<TxnOffsetCommitResponse>();
  GroupOffsets offsets;
  for (const auto& topic : request.topics) {
    auto& to_topic = response->topics.emplace_back();
    to_topic.name = topic.name;
    for (const auto& partition : topic.partitions) {
      ErrorCode error = refused;
      if (error == kNone) error = CheckTopic(services, call, AclOperation::kRead, topic.name);
      if (error == kNone && !PartitionExists(services.log, topic.name, partition.index)) {
        error = kUnknownTopicOrPartition;
      }
      const std::string metadata = partition.metadata.value_or("");
      if (error == kNone && metadata.size() > kMetadataBytesMax) error = kOffsetMetadataTooLarge;
      to_topic.partitions.push_back({partition.index, error});
      if (error != kNone) continue;
      offsets[{topic.name, partition.index}] = {partition.offset, partition.leader_epoch, metadata,
                                                0};
    }
  }
  const auto answer = [response, call](ErrorCode error) {
    for (auto& topic : response->topics) {
      for (auto& partition : topic.partitions) {
        if (partition.error_code == kNone) partition.error_code = error;
      }
    }
    call->Answer(*response);
  };
  if (offsets.empty()) return answer(kNone);
  services.transactions.CommitOffsets(
      {request.transactional_id, request.producer_id, request.producer_epoch}, request.group_id,
      std::move(offsets), answer);
}

namespace {

OffsetFetchResponse::Topic& TopicOf(std::vector<OffsetFetchResponse::Topic>& topics,
                                    const std::string& name) {
  if (topics.empty() || topics.back().name != name) topics.emplace_back().name = name;
  return topics.back();
}

std::vector<OffsetFetchResponse::Topic> FindOffsets(
    Services& services, const CallPtr& call, const std::string& group, bool require_stable,
    const std::optional<std::vector<OffsetFetchRequest::Topic>>& wanted) {
  // Before the offsets: a transaction that commits meanwhile is then seen in one of the two.
  std::set<TopicPartition> unstable;
  if (require_stable) unstable = services.transactions.PendingOffsets(group);
  const GroupOffsets offsets = services.offsets->Find(group);
  std::vector<OffsetFetchResponse::Topic> found;
  const auto add = [&](const std::string& topic, int32_t index, const CommittedOffset& committed) {
    const ErrorCode refused = CheckTopic(services, call, AclOperation::kDescribe, topic);
    if (refused != kNone && !wanted) return;  // hidden
    auto& partitions = TopicOf(found, topic).partitions;
    if (refused != kNone) {
      partitions.push_back({index, -1, -1, "", refused});
    } else if (unstable.count({topic, index}) > 0) {
      partitions.push_back({index, kAskAgain, -1, "", kUnstableOffsetCommit});
    } else {
      partitions.push_back(
          {index, committed.offset, committed.leader_epoch, committed.metadata, kNone});
    }
  };
  if (!wanted) {
    for (const auto& [at, committed] : offsets) add(at.topic, at.partition, committed);
    return found;
  }
  for (const auto& topic : *wanted) {
    for (const int32_t index : topic.partitions) {
      const auto it = offsets.find({topic.name, index});
      add(topic.name, index, it == offsets.end() ? CommittedOffset() : it->second);
    }
  }
  return found;
}

}  // namespace

void HandleOffsetFetch(Services& services, const OffsetFetchRequest& request, const CallPtr& call) {
  OffsetFetchResponse response;
  if (call->version() >= 8) {
    for (const auto& group : request.groups) {
      auto& to = response.groups.emplace_back();
      to.group_id = group.group_id;
      to.error_code = CheckGroup(services, call, AclOperation::kDescribe, group.group_id);
      if (to.error_code == kNone && group.member_id && group.member_epoch >= 0) {
        to.error_code =
            services.groups.CheckFetch(group.group_id, *group.member_id, group.member_epoch);
      }
      if (to.error_code != kNone) continue;
      to.topics = FindOffsets(services, call, group.group_id, request.require_stable, group.topics);
    }
  } else {
    const ErrorCode refused = CheckGroup(services, call, AclOperation::kDescribe, request.group_id);
    response.error_code = refused;
    if (refused == kNone) {
      response.topics =
          FindOffsets(services, call, request.group_id, request.require_stable, request.topics);
    } else if (request.topics && call->version() < kGroupHasErrorSince) {
      for (const auto& topic : *request.topics) {
        for (const int32_t index : topic.partitions) {
          TopicOf(response.topics, topic.name).partitions.push_back({index, -1, -1, "", refused});
        }
      }
    }
  }
  call->Answer(response);
}

void HandleOffsetDelete(Services& services, const OffsetDeleteRequest& request,
                        const CallPtr& call) {
  auto response = std::make_shared<OffsetDeleteResponse>();
  response->error_code = CheckGroup(services, call, AclOperation::kDelete, request.group_id);
  if (response->error_code != kNone) {
    call->Answer(*response);
    return;
  }
  if (services.groups.HasMembers(request.group_id)) {
    response->error_code = kNonEmptyGroup;
  } else if (services.offsets->Find(request.group_id).empty()) {
    response->error_code = kGroupIdNotFound;
  }
  if (response->error_code != kNone) {
    call->Answer(*response);
    return;
  }
  std::vector<TopicPartition> named;
  for (const auto& topic : request.topics) {
    auto& to_topic = response->topics.emplace_back();
    to_topic.name = topic.name;
    const ErrorCode refused = CheckTopic(services, call, AclOperation::kRead, topic.name);
    for (const auto& partition : topic.partitions) {
      if (refused == kNone) named.push_back({topic.name, partition.index});
      to_topic.partitions.push_back({partition.index, refused});
    }
  }
  services.offsets->Delete(request.group_id, &named, [response, call](const Status& status) {
    response->error_code = ErrorOf(status);
    call->Answer(*response);
  });
}

}  // namespace millrace::kafka
