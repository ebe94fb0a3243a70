// DescribeConfigs and IncrementalAlterConfigs: settings of topics; the server has none to show.
#include <algorithm>

#include "kafka/handlers/handlers.h"
#include "kafka/handlers/topic_configs.h"
#include "kafka/permissions.h"

namespace millrace::kafka {

namespace {

constexpr int8_t kTopicResource = 2;
constexpr int8_t kBrokerResource = 4;
constexpr int8_t kTopicSource = 1;
constexpr int8_t kDefaultSource = 5;

DescribeConfigsResponse::Config Shown(const TopicSetting& setting) {
  DescribeConfigsResponse::Config config;
  config.name = setting.name;
  config.value = setting.value;
  config.read_only = setting.read_only;
  config.is_default = setting.is_default;
  config.source = setting.is_default ? kDefaultSource : kTopicSource;
  config.type = setting.type;
  config.documentation = setting.documentation;
  return config;
}

Status Alter(Services& services, const IncrementalAlterConfigsRequest::Resource& resource,
             bool validate_only) {
  constexpr int8_t kSet = 0, kDelete = 1;
  if (resource.type != kTopicResource) {
    return Status(Code::kUnsupported, "only settings of topics can be changed over this port");
  }
  if (resource.name == kOffsetsTopic) {
    return Status(Code::kUnsupported, "this topic is the server's own");
  }
  MR_ASSIGN_OR_RETURN(auto info, services.log.Describe(resource.name));
  for (const auto& config : resource.configs) {
    if (config.operation != kSet && config.operation != kDelete) {
      return Status(Code::kBadOption, "no topic setting is a list to add to or to take from");
    }
    const auto value = config.operation == kSet ? config.value : std::nullopt;
    MR_RETURN_IF_ERROR(ApplySetting(config.name, value, &info.config));
  }
  if (validate_only) return {};
  return services.log.AlterTopic(resource.name, info.config);
}

ErrorCode Check(const Services& services, const CallPtr& call, AclOperation operation, int8_t type,
                const std::string& name) {
  return type == kTopicResource ? CheckTopic(services, call, operation, name)
                                : CheckCluster(services, call, operation);
}

}  // namespace

void HandleDescribeConfigs(Services& services, const DescribeConfigsRequest& request,
                           const CallPtr& call) {
  DescribeConfigsResponse response;
  for (const auto& resource : request.resources) {
    auto& to = response.resources.emplace_back();
    to.type = resource.type;
    to.name = resource.name;
    to.error_code =
        Check(services, call, AclOperation::kDescribeConfigs, resource.type, resource.name);
    if (to.error_code != kNone) {
      to.error_message = "the client may not describe these settings";
      continue;
    }
    if (resource.type == kBrokerResource) continue;
    if (resource.type != kTopicResource) {
      to.error_code = kInvalidRequest;
      to.error_message = "only topics and the broker have settings here";
      continue;
    }
    const auto info = services.log.Describe(resource.name);
    if (!info.ok()) {
      to.error_code = ErrorOf(info.status());
      to.error_message = MessageOf(info.status());
      continue;
    }
    for (const TopicSetting& setting : SettingsOf(info->config)) {
      const auto& keys = resource.keys;
      const bool wanted = !keys || keys->empty() ||
                          std::find(keys->begin(), keys->end(), setting.name) != keys->end();
      if (wanted) to.configs.push_back(Shown(setting));
    }
  }
  call->Answer(response);
}

void HandleIncrementalAlterConfigs(Services& services,
                                   const IncrementalAlterConfigsRequest& request,
                                   const CallPtr& call) {
  services.in_background([&services, request, call] {
    IncrementalAlterConfigsResponse response;
    for (const auto& resource : request.resources) {
      auto& to = response.resources.emplace_back();
      to.type = resource.type;
      to.name = resource.name;
      to.error_code =
          Check(services, call, AclOperation::kAlterConfigs, resource.type, resource.name);
      if (to.error_code != kNone) {
        to.error_message = "the client may not alter these settings";
        continue;
      }
      const Status status = Alter(services, resource, request.validate_only);
      if (status.ok()) continue;
      const bool value = status.code() == Code::kBadOption ||
                         status.code() == Code::kUnknownOption ||
                         status.code() == Code::kInvalidArgument;
      to.error_code = value ? kInvalidConfig : ErrorOf(status);
      to.error_message = MessageOf(status);
    }
    call->Answer(response);
  });
}

}  // namespace millrace::kafka
