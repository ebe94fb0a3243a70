#include "kafka/partition_assignor.h"

#include <algorithm>

namespace millrace::kafka {

namespace {

// The member of `among` that has the fewest partitions; the first of several.
const std::string* LeastLoaded(const std::vector<const std::string*>& among,
                               const Assignment& assignment) {
  const auto fewer = [&](const std::string* a, const std::string* b) {
    return assignment.at(*a).size() < assignment.at(*b).size();
  };
  const auto found = std::min_element(among.begin(), among.end(), fewer);
  return found == among.end() ? nullptr : *found;
}

std::map<std::string, std::vector<const std::string*>> SubscribersOf(
    const Subscribers& subscribers, const PartitionCounts& counts) {
  std::map<std::string, std::vector<const std::string*>> found;
  for (const auto& [member, subscriber] : subscribers) {
    for (const std::string& topic : subscriber.topics) {
      if (counts.contains(topic)) found[topic].push_back(&member);
    }
  }
  return found;
}

// Moves one partition of `from` to a subscriber that has at least two fewer. False: there is none.
bool MoveOne(const std::string& from, Assignment& assignment,
             const std::map<std::string, std::vector<const std::string*>>& subscribers) {
  Partitions& mine = assignment[from];
  const std::string* topic = nullptr;  // of the last partition that could not be moved
  for (auto it = mine.rbegin(); it != mine.rend(); ++it) {
    if (topic != nullptr && *topic == it->topic) continue;
    const std::string* to = LeastLoaded(subscribers.at(it->topic), assignment);
    if (assignment[*to].size() + 2 <= mine.size()) {
      const TopicPartition partition = *it;
      mine.erase(partition);
      assignment[*to].insert(partition);
      return true;
    }
    topic = &it->topic;
  }
  return false;
}

}  // namespace

Assignment AssignUniformly(const Subscribers& subscribers, const PartitionCounts& counts) {
  const auto of_topic = SubscribersOf(subscribers, counts);
  Assignment assignment;
  Partitions taken;
  for (const auto& [member, subscriber] : subscribers) {
    Partitions& kept = assignment[member];
    for (const TopicPartition& partition : subscriber.before) {
      const auto count = counts.find(partition.topic);
      const bool fits = count != counts.end() && partition.partition < count->second &&
                        subscriber.topics.contains(partition.topic);
      if (fits && taken.insert(partition).second) kept.insert(partition);
    }
  }
  for (const auto& [topic, members] : of_topic) {
    for (int32_t p = 0; p < counts.at(topic); p++) {
      const TopicPartition partition{topic, p};
      if (!taken.contains(partition)) {
        assignment[*LeastLoaded(members, assignment)].insert(partition);
      }
    }
  }
  // From the fullest that can give. Each move makes the sum of the squares of the counts smaller,
  // so this ends.
  std::vector<const std::string*> members;
  for (const auto& [member, subscriber] : subscribers) members.push_back(&member);
  const auto fuller = [&](const std::string* a, const std::string* b) {
    return assignment.at(*a).size() > assignment.at(*b).size();
  };
  const auto give = [&](const std::string* member) {
    return MoveOne(*member, assignment, of_topic);
  };
  do {
    std::stable_sort(members.begin(), members.end(), fuller);
  } while (std::any_of(members.begin(), members.end(), give));
  return assignment;
}

Assignment AssignRanges(const Subscribers& subscribers, const PartitionCounts& counts) {
  Assignment assignment;
  for (const auto& [member, subscriber] : subscribers) assignment[member];
  for (const auto& [topic, members] : SubscribersOf(subscribers, counts)) {
    const int32_t count = counts.at(topic);
    const auto shares = static_cast<int32_t>(members.size());
    int32_t next = 0;
    for (int32_t i = 0; i < shares; i++) {
      const int32_t share = count / shares + (i < count % shares ? 1 : 0);
      for (const int32_t end = next + share; next < end; next++) {
        assignment[*members[static_cast<size_t>(i)]].insert({topic, next});
      }
    }
  }
  return assignment;
}

}  // namespace millrace::kafka
