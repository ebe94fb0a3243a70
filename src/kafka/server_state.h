// ServerState: what the Kafka port knows of its clients at one moment, for whoever shows it.
//
// Of a group's offsets and of the log's ends nobody stops anything: they are looked at one after
// the other, so an offset may be ahead of an end that was read before (its lag is then 0).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kafka/topic_partition.h"

namespace millrace::kafka {

struct Services;

struct ServerState {
  struct Member {
    std::string id;
    std::optional<std::string> instance_id;  // of a static member
    std::string client_id;
    std::string host;
    std::vector<TopicPartition> assigned;
  };
  struct Group {
    std::string id;
    std::string state;     // as Kafka calls it: "Stable", "Empty", …
    std::string protocol;  // "classic", or "consumer" (KIP-848)
    std::string assignor;  // "": not known, as while the group rebalances
    std::vector<Member> members;
  };
  // Of a partition for which the group has committed, or that one of its members reads.
  struct GroupOffset {
    std::string group;
    TopicPartition at;
    std::optional<int64_t> committed;  // the first offset that was not consumed; none: no commit
    std::optional<int64_t> log_end;    // none: there is no such partition
    std::string client_id;             // of the member that reads it; "": none
    int64_t commit_ms = 0;             // wall clock

    std::optional<int64_t> lag() const;
  };
  struct Transaction {  // that is open, or decided and not ended everywhere
    std::string id;
    int64_t producer_id = -1;
    int32_t epoch = -1;
    std::string state;
    int64_t started_ms = 0;  // wall clock
    int64_t timeout_ms = 0;
    std::vector<TopicPartition> partitions;
  };

  std::vector<Group> groups;  // by id
  std::vector<GroupOffset> offsets;
  std::vector<Transaction> transactions;
  int connections = 0;
  int64_t now_ms = 0;  // wall clock
};

ServerState StateOf(Services& services);

}  // namespace millrace::kafka
