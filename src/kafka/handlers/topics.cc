// CreateTopics, DeleteTopics, CreatePartitions. They work on the disk, so in the background.
#include <algorithm>

#include "kafka/handlers/handlers.h"
#include "kafka/handlers/topic_configs.h"
#include "kafka/permissions.h"
#include "log/internal_topics.h"

namespace millrace::kafka {

namespace {

constexpr int kPartitionsMax = 10'000;

ErrorCode AdminError(const Status& status) {
  return status.code() == Code::kInvalidArgument ? kInvalidTopic : ErrorOf(status);
}

// Assignments name brokers; there is one.
template <class Assignments>
bool OnlyThisNode(const Assignments& assignments) {
  return std::all_of(assignments.begin(), assignments.end(), [](const auto& assignment) {
    return assignment.broker_ids == std::vector<int32_t>{kNodeId};
  });
}

void Fail(CreateTopicsResponse::Topic& to, ErrorCode error, std::string why) {
  to.error_code = error;
  to.error_message = std::move(why);
}

CreateTopicsResponse::Topic Create(Services& services, const CreateTopicsRequest::Topic& topic,
                                   bool validate_only) {
  CreateTopicsResponse::Topic to;
  to.name = topic.name;
  log::TopicConfig config;
  config.partitions =
      topic.partitions == -1 ? services.options.default_partitions : topic.partitions;
  if (!topic.assignments.empty()) config.partitions = static_cast<int>(topic.assignments.size());
  if (!OnlyThisNode(topic.assignments)) {
    Fail(to, kInvalidReplicaAssignment, "there is one node, with id 1");
    return to;
  }
  if (config.partitions < 1 || config.partitions > kPartitionsMax) {
    Fail(to, kInvalidPartitions, "a topic has 1 to 10000 partitions");
    return to;
  }
  if (topic.assignments.empty() && topic.replication_factor != -1 &&
      topic.replication_factor != 1) {
    Fail(to, kInvalidReplicationFactor, "there is one node, so the replication factor is 1");
    return to;
  }
  for (const auto& setting : topic.configs) {
    const Status status = ApplySetting(setting.name, setting.value, &config);
    if (status.ok()) continue;
    Fail(to, kInvalidConfig, MessageOf(status));
    return to;
  }
  Status status;
  if (services.log.Describe(topic.name).ok()) {
    status = Status(Code::kAlreadyExists, "topic \"" + topic.name + "\" exists already");
  } else if (!validate_only) {
    status = services.log.CreateTopic(topic.name, config);
  }
  if (!status.ok()) {
    Fail(to, AdminError(status), MessageOf(status));
    return to;
  }
  to.partitions = config.partitions;
  to.replication_factor = 1;
  to.configs.emplace();
  for (const TopicSetting& setting : SettingsOf(config)) {
    constexpr int8_t kTopicSource = 1, kDefaultSource = 5;
    to.configs->push_back({setting.name, setting.value, setting.read_only,
                           setting.is_default ? kDefaultSource : kTopicSource, false});
  }
  return to;
}

}  // namespace

void HandleCreateTopics(Services& services, const CreateTopicsRequest& request,
                        const CallPtr& call) {
  services.in_background([&services, request, call] {
    CreateTopicsResponse response;
    for (const auto& topic : request.topics) {
      const auto same = [&](const auto& other) { return other.name == topic.name; };
      if (std::count_if(request.topics.begin(), request.topics.end(), same) > 1) {
        Fail(response.topics.emplace_back(), kInvalidRequest, "the topic is named twice");
        response.topics.back().name = topic.name;
        continue;
      }
      const ErrorCode refused = CheckCreation(services, call, topic.name);
      if (refused != kNone) {
        Fail(response.topics.emplace_back(), refused, "the client may not create this topic");
        response.topics.back().name = topic.name;
        continue;
      }
      response.topics.push_back(Create(services, topic, request.validate_only));
    }
    call->Answer(response);
  });
}

void HandleDeleteTopics(Services& services, const DeleteTopicsRequest& request,
                        const CallPtr& call) {
  services.in_background([&services, request, call] {
    DeleteTopicsResponse response;
    for (const std::string& name : request.names) {
      const ErrorCode refused = CheckTopic(services, call, AclOperation::kDelete, name);
      if (refused != kNone) {
        response.topics.push_back({name, refused, "the client may not delete this topic"});
        continue;
      }
      const Status status = log::IsInternalTopic(name)
                                ? Status(Code::kInvalidArgument, "this topic is the server's own")
                                : services.log.DeleteTopic(name);
      response.topics.push_back({name, AdminError(status), std::nullopt});
      if (!status.ok()) response.topics.back().error_message = MessageOf(status);
      if (status.ok()) services.offsets->DeleteTopic(name, [](const Status&) {});
    }
    call->Answer(response);
  });
}

void HandleCreatePartitions(Services& services, const CreatePartitionsRequest& request,
                            const CallPtr& call) {
  services.in_background([&services, request, call] {
    CreatePartitionsResponse response;
    for (const auto& topic : request.topics) {
      auto& to = response.topics.emplace_back();
      to.name = topic.name;
      to.error_code = CheckTopic(services, call, AclOperation::kAlter, topic.name);
      if (to.error_code != kNone) {
        to.error_message = "the client may not alter this topic";
        continue;
      }
      auto info = services.log.Describe(topic.name);
      Status status = info.status();
      if (!status.ok()) {
        to.error_code = AdminError(status);
      } else if (topic.count <= info->config.partitions || topic.count > kPartitionsMax) {
        to.error_code = kInvalidPartitions;
        status = Status(Code::kInvalidArgument, "the topic has " +
                                                    std::to_string(info->config.partitions) +
                                                    " partitions; their number can only grow");
      } else if (topic.name == kOffsetsTopic) {
        to.error_code = kInvalidTopic;
        status = Status(Code::kInvalidArgument, "this topic is the server's own");
      } else if (topic.assignments && !OnlyThisNode(*topic.assignments)) {
        to.error_code = kInvalidReplicaAssignment;
        status = Status(Code::kInvalidArgument, "there is one node, with id 1");
      } else if (!request.validate_only) {
        info->config.partitions = topic.count;
        status = services.log.AlterTopic(topic.name, info->config);
        to.error_code = AdminError(status);
      }
      if (!status.ok()) to.error_message = MessageOf(status);
    }
    call->Answer(response);
  });
}

}  // namespace millrace::kafka
