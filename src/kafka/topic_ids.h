// Ids of topics: what consumers of the newer group protocol name topics by (KIP-516).
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "kafka/consumer_group.h"
#include "kafka/wire_io.h"
#include "log/log.h"

namespace millrace::kafka {

// The same for as long as the topic lives, another one when it is deleted and made again.
Uuid IdOf(const log::TopicInfo& topic);
// The log's topics as groups see them.
TopicView TopicsOf(const log::Log& log);
// Nullopt when no topic has this id.
std::optional<log::TopicInfo> FindTopic(const log::Log& log, const Uuid& id);

// Names of topics by id, for those who ask often: all topics are looked through only for an id that
// was not asked for before.
// Contract: any thread. `log` outlives this.
class TopicNames {
 public:
  explicit TopicNames(const log::Log& log) : log_(log) {}

  // Nullopt when no topic has this id. *may_search: whether all topics may be looked through, which
  // is then set to false: once for a request is enough.
  std::optional<std::string> Find(const Uuid& id, bool* may_search);

 private:
  bool Has(const std::string& topic, const Uuid& id) const;

  const log::Log& log_;
  std::mutex mutex_;
  std::map<Uuid, std::string> names_;  // as of the last search
};

}  // namespace millrace::kafka
