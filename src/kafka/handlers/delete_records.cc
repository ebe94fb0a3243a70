#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"
#include "log/internal_topics.h"

namespace millrace::kafka {

namespace {

Result<int64_t> Delete(Services& services, const std::string& topic,
                       const DeleteRecordsRequest::Partition& partition) {
  constexpr int64_t kEverything = -1;
  int64_t before = partition.offset;
  if (before == kEverything) {
    MR_ASSIGN_OR_RETURN(const auto info, services.log.DescribePartition(topic, partition.index));
    before = info.end_offset;
  }
  return services.log.DeleteRecords(topic, partition.index, before);
}

}  // namespace

void HandleDeleteRecords(Services& services, const DeleteRecordsRequest& request,
                         const CallPtr& call) {
  services.in_background([&services, request, call] {
    DeleteRecordsResponse response;
    for (const auto& topic : request.topics) {
      auto& to_topic = response.topics.emplace_back();
      to_topic.name = topic.name;
      const ErrorCode refused = CheckTopic(services, call, AclOperation::kDelete, topic.name);
      for (const auto& partition : topic.partitions) {
        auto& to = to_topic.partitions.emplace_back();
        to.index = partition.index;
        to.error_code = refused;
        if (refused != kNone) continue;
        if (log::IsInternalTopic(topic.name)) {
          to.error_code = kInvalidTopic;
          continue;
        }
        const auto start = Delete(services, topic.name, partition);
        to.error_code = ErrorOf(start.status());
        if (start.ok()) to.low_watermark = *start;
      }
    }
    call->Answer(response);
  });
}

}  // namespace millrace::kafka
