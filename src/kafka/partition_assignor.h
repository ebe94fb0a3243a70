// Who of a consumer group reads which partitions, where the server decides it (KIP-848).
//
// Contract: pure functions; the same input gives the same answer. Every partition of a topic that
// somebody subscribes to goes to exactly one subscriber.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/topic_partitions.h"

namespace millrace::kafka {

struct Subscriber {
  std::set<std::string> topics;
  Partitions before;  // what it had in the last assignment
};
// By member. Topics -> number of partitions; those that are missing do not exist.
using Subscribers = std::map<std::string, Subscriber>;
using PartitionCounts = std::map<std::string, int32_t>;
using Assignment = std::map<std::string, Partitions>;

// "uniform": as even as the subscriptions allow (among members of the same subscriptions the counts
// differ by one at most), and of all such assignments one that moves few partitions.
Assignment AssignUniformly(const Subscribers& subscribers, const PartitionCounts& counts);
// "range": topic by topic, its subscribers in order of their names get neighbouring partitions, so
// that topics with equal keys and partitions are read together.
Assignment AssignRanges(const Subscribers& subscribers, const PartitionCounts& counts);

constexpr std::string_view kUniform = "uniform";
constexpr std::string_view kRange = "range";

}  // namespace millrace::kafka
