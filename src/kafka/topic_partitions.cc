#include "kafka/topic_partitions.h"

namespace millrace::kafka {

std::vector<TopicPartitions> ByTopic(const Partitions& partitions) {
  std::vector<TopicPartitions> topics;
  for (const auto& [topic, partition] : partitions) {
    if (topics.empty() || topics.back().name != topic) topics.push_back({topic, {}});
    topics.back().partitions.push_back(partition);
  }
  return topics;
}

Partitions PartitionsOf(const std::vector<TopicPartitions>& topics) {
  Partitions partitions;
  for (const TopicPartitions& topic : topics) {
    for (const int32_t partition : topic.partitions) partitions.insert({topic.name, partition});
  }
  return partitions;
}

}  // namespace millrace::kafka
