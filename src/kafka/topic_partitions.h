// Partitions topic by topic, as messages and records name them.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "kafka/topic_partition.h"

namespace millrace::kafka {

using Partitions = std::set<TopicPartition>;

struct TopicPartitions {
  std::string name;
  std::vector<int32_t> partitions;
  template <class Io>
  void Visit(Io& io) {
    io(name, partitions);
  }
};

// Topics and their partitions in order.
std::vector<TopicPartitions> ByTopic(const Partitions& partitions);
Partitions PartitionsOf(const std::vector<TopicPartitions>& topics);

}  // namespace millrace::kafka
