#include "kafka/group_record.h"

namespace millrace::kafka {

std::vector<ConsumerMemberRecord::Topic> ConsumerMemberRecord::TopicsOf(
    const Partitions& partitions) {
  std::vector<Topic> topics;
  for (auto& [name, numbers] : ByTopic(partitions)) topics.push_back({name, std::move(numbers)});
  return topics;
}

Partitions ConsumerMemberRecord::PartitionsOf(const std::vector<Topic>& topics) {
  Partitions partitions;
  for (const Topic& topic : topics) {
    for (const int32_t partition : topic.partitions) partitions.insert({topic.name, partition});
  }
  return partitions;
}

}  // namespace millrace::kafka
