#include <algorithm>

#include "env/diag.h"
#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"
#include "kafka/topic_ids.h"
#include "log/internal_topics.h"

namespace millrace::kafka {

namespace {

void Describe(const log::TopicInfo& info, MetadataResponse::Topic& topic) {
  topic.name = info.name;
  topic.id = IdOf(info);
  topic.is_internal = log::IsInternalTopic(info.name);
  for (int32_t p = 0; p < info.config.partitions; p++) {
    topic.partitions.push_back({kNone, p, kNodeId, kLeaderEpoch, {kNodeId}, {kNodeId}, {}});
  }
}

void DescribeOrFail(Services& services, MetadataResponse::Topic& topic) {
  const auto info = services.log.Describe(*topic.name);
  topic.error_code = info.ok() ? kNone : kUnknownTopicOrPartition;
  if (info.ok()) Describe(*info, topic);
}

void DescribeById(Services& services, const CallPtr& call, const Uuid& id,
                  MetadataResponse::Topic& topic) {
  const auto info = FindTopic(services.log, id);
  // Who may not see it does not learn that it is there, as in Kafka.
  if (!info || CheckTopic(services, call, AclOperation::kDescribe, info->name) != kNone) {
    topic.id = id;
    topic.error_code = kUnknownTopicId;
    return;
  }
  Describe(*info, topic);
}

void Create(Services& services, MetadataResponse::Topic& topic) {
  log::TopicConfig config;
  config.partitions = services.options.default_partitions;
  const Status status = services.log.CreateTopic(*topic.name, config);
  if (status.ok()) {
    diag::Info("kafka: topic created on demand: topic=\"{}\" partitions={}", *topic.name,
               config.partitions);
  }
  if (status.ok() || status.code() == Code::kAlreadyExists) {
    DescribeOrFail(services, topic);
  } else {
    topic.error_code =
        status.code() == Code::kInvalidArgument ? int16_t{kInvalidTopic} : int16_t{ErrorOf(status)};
  }
}

}  // namespace

void HandleMetadata(Services& services, const MetadataRequest& request, const CallPtr& call) {
  auto response = std::make_shared<MetadataResponse>();
  response->brokers.push_back(
      {kNodeId, call->endpoint().host, call->endpoint().port, std::nullopt});
  response->cluster_id = kClusterId;
  response->controller_id = kNodeId;
  const bool all = !request.topics || (call->version() == 0 && request.topics->empty());
  if (all) {
    for (const log::TopicInfo& info : services.log.Topics()) {
      if (CheckTopic(services, call, AclOperation::kDescribe, info.name) != kNone) continue;
      MetadataResponse::Topic topic;
      Describe(info, topic);
      response->topics.push_back(std::move(topic));
    }
    call->Answer(*response);
    return;
  }
  bool missing = false;
  for (const auto& wanted : *request.topics) {
    MetadataResponse::Topic topic;
    topic.name = wanted.name;
    if (!wanted.name) {
      DescribeById(services, call, wanted.id, topic);
      response->topics.push_back(std::move(topic));
      continue;
    }
    topic.error_code = CheckTopic(services, call, AclOperation::kDescribe, *wanted.name);
    if (topic.error_code == kNone) DescribeOrFail(services, topic);
    missing |= topic.error_code == kUnknownTopicOrPartition;
    response->topics.push_back(std::move(topic));
  }
  if (!missing || !services.options.auto_create_topics || !request.allow_auto_topic_creation) {
    call->Answer(*response);
    return;
  }
  services.in_background([&services, response, call] {
    for (auto& topic : response->topics) {
      if (topic.error_code != kUnknownTopicOrPartition) continue;
      topic.error_code = CheckCreation(services, call, *topic.name);
      if (topic.error_code == kNone) Create(services, topic);
    }
    call->Answer(*response);
  });
}

void HandleDescribeCluster(Services&, const DescribeClusterRequest&, const CallPtr& call) {
  DescribeClusterResponse response;
  response.cluster_id = kClusterId;
  response.controller_id = kNodeId;
  response.brokers.push_back({kNodeId, call->endpoint().host, call->endpoint().port, std::nullopt});
  call->Answer(response);
}

}  // namespace millrace::kafka
