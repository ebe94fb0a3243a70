#include "kafka/fetch_session.h"

#include <utility>

#include "kafka/error_codes.h"

namespace millrace::kafka {

namespace {

// What a node of a list and one of a map take beside their content.
constexpr int64_t kNodeBytes = 64;
constexpr auto kPartitionBytes =
    static_cast<int64_t>(sizeof(FetchSession::Partition) + 2 * kNodeBytes);

// Its name stands here, and where its partitions are looked up.
int64_t BytesOf(const FetchTopic& topic) {
  return static_cast<int64_t>(2 * (sizeof(FetchTopic) + topic.name.capacity() + kNodeBytes));
}

bool HasRecords(const FetchResponse::Partition& answer) {
  return !answer.records.bytes.empty() || !answer.records.slices.empty();
}

}  // namespace

FetchSession::FetchSession(const FetchRequest& request, bool by_id, std::string owner)
    : by_id_(by_id), owner_(std::move(owner)) {
  for (const auto& wanted : request.topics) {
    const auto topic = std::make_shared<const FetchTopic>(FetchTopic{wanted.name, wanted.id});
    for (const auto& partition : wanted.partitions) {
      partitions_.push_back({.topic = topic, .wanted = partition});
    }
  }
}

void FetchSession::BeginChanges() {
  for (auto it = partitions_.begin(); it != partitions_.end(); ++it) Put(it);
}

void FetchSession::Put(Partitions::iterator partition) {
  auto [topic, is_new_topic] = places_.try_emplace(*partition->topic);
  if (is_new_topic) {
    bytes_ += BytesOf(*partition->topic);
  } else {
    partition->topic = topic->second.begin()->second->topic;  // one name for all
  }
  auto [place, is_new] = topic->second.try_emplace(partition->wanted.index, partition);
  if (is_new) {
    bytes_ += kPartitionBytes;
  } else {
    partitions_.erase(std::exchange(place->second, partition));
  }
}

void FetchSession::Change(const FetchRequest& request) {
  for (const auto& wanted : request.topics) {
    const auto topic = std::make_shared<const FetchTopic>(FetchTopic{wanted.name, wanted.id});
    const auto places = places_.find(*topic);
    for (const auto& partition : wanted.partitions) {
      if (places != places_.end()) {
        const auto place = places->second.find(partition.index);
        if (place != places->second.end()) {
          place->second->wanted = partition;
          continue;
        }
      }
      partitions_.push_back({.topic = topic, .wanted = partition});
      Put(std::prev(partitions_.end()));
    }
  }
  for (const auto& forgotten : request.forgotten) {
    for (const int32_t index : forgotten.partitions) Forget({forgotten.name, forgotten.id}, index);
  }
}

void FetchSession::Forget(const FetchTopic& topic, int32_t index) {
  const auto places = places_.find(topic);
  if (places == places_.end()) return;
  const auto place = places->second.find(index);
  if (place == places->second.end()) return;
  partitions_.erase(place->second);
  places->second.erase(place);
  bytes_ -= kPartitionBytes;
  if (!places->second.empty()) return;
  bytes_ -= BytesOf(topic);
  places_.erase(places);
}

bool FetchSession::IsNews(const Partition& partition, const FetchResponse::Partition& now) {
  return HasRecords(now) || now.error_code != kNone || now.high_watermark != partition.end_offset ||
         now.last_stable_offset != partition.stable_offset ||
         now.log_start_offset != partition.start_offset;
}

void FetchSession::Tell(Partitions::iterator partition, const FetchResponse::Partition& now) {
  const bool failed = now.error_code != kNone;  // when it has passed, that is news
  partition->end_offset = failed ? -1 : now.high_watermark;
  partition->stable_offset = now.last_stable_offset;
  partition->start_offset = now.log_start_offset;
  if (HasRecords(now)) partitions_.splice(partitions_.end(), partitions_, partition);
}

}  // namespace millrace::kafka
