// DescribeLogDirs: how much each partition holds; there is one directory.
#include <algorithm>

#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"

namespace millrace::kafka {

void HandleDescribeLogDirs(Services& services, const DescribeLogDirsRequest& request,
                           const CallPtr& call) {
  DescribeLogDirsResponse response;
  response.error_code = CheckCluster(services, call, AclOperation::kDescribe);
  if (response.error_code != kNone) {
    call->Answer(response);
    return;
  }
  auto& directory = response.directories.emplace_back();
  directory.path = "log";
  for (const log::TopicInfo& info : services.log.Topics()) {
    const DescribeLogDirsRequest::Topic* wanted = nullptr;
    if (request.topics) {
      const auto at = std::find_if(request.topics->begin(), request.topics->end(),
                                   [&](const auto& topic) { return topic.name == info.name; });
      if (at == request.topics->end()) continue;
      wanted = &*at;
    }
    DescribeLogDirsResponse::Topic topic{info.name, {}};
    for (int32_t i = 0; i < info.config.partitions; i++) {
      if (wanted != nullptr && std::find(wanted->partitions.begin(), wanted->partitions.end(), i) ==
                                   wanted->partitions.end()) {
        continue;
      }
      const auto partition = services.log.DescribePartition(info.name, i);
      if (!partition.ok()) continue;  // just deleted
      topic.partitions.push_back({i, partition->size_bytes, 0, false});
    }
    directory.topics.push_back(std::move(topic));
  }
  call->Answer(response);
}

}  // namespace millrace::kafka
