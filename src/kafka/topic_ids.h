// Ids of topics: what consumers of the newer group protocol name topics by (KIP-516).
#pragma once

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

}  // namespace millrace::kafka
