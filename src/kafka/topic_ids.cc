#include "kafka/topic_ids.h"

#include <xxhash.h>

#include <cstring>

#include "log/internal_topics.h"

namespace millrace::kafka {

Uuid IdOf(const log::TopicInfo& topic) {
  const std::string born = topic.name + "/" + std::to_string(topic.created_us);
  const XXH128_hash_t hash = XXH3_128bits(born.data(), born.size());
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  Uuid id;
  static_assert(sizeof(bytes.digest) == sizeof(id.bytes));
  std::memcpy(id.bytes.data(), bytes.digest, sizeof(bytes.digest));
  // As of a random UUID (RFC 4122, 4.4).
  id.bytes[6] = static_cast<char>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<char>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

TopicView TopicsOf(const log::Log& log) {
  return {.partitions =
              [&log](const std::string& topic) {
                const auto info = log.Describe(topic);
                return info.ok() ? info->config.partitions : 0;
              },
          .names =
              [&log] {
                std::vector<std::string> names;
                for (log::TopicInfo& topic : log.Topics()) {
                  if (!log::IsInternalTopic(topic.name)) names.push_back(std::move(topic.name));
                }
                return names;
              }};
}

std::optional<log::TopicInfo> FindTopic(const log::Log& log, const Uuid& id) {
  for (log::TopicInfo& topic : log.Topics()) {
    if (IdOf(topic) == id) return std::move(topic);
  }
  return std::nullopt;
}

std::optional<std::string> TopicNames::Find(const Uuid& id, bool* may_search) {
  std::lock_guard lock(mutex_);
  auto found = names_.find(id);
  if (found != names_.end() && Has(found->second, id)) return found->second;
  if (!*may_search) return std::nullopt;
  *may_search = false;
  names_.clear();
  for (log::TopicInfo& topic : log_.Topics()) {
    const Uuid its_id = IdOf(topic);
    names_.emplace(its_id, std::move(topic.name));
  }
  found = names_.find(id);
  return found == names_.end() ? std::nullopt : std::optional(found->second);
}

bool TopicNames::Has(const std::string& topic, const Uuid& id) const {
  const auto info = log_.Describe(topic);
  return info.ok() && IdOf(*info) == id;
}

}  // namespace millrace::kafka
