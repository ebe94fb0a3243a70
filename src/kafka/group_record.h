// What is kept, durably, of the members of groups, so that they stay members when the server stops,
// however it does: they go on with the partitions that they have.
//
// Source: of classic groups, Kafka's GroupMetadataValue.json version 3, which Kafka's tools read
// (kafka-console-consumer with GroupMetadataMessageFormatter); the others are ours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kafka/stored_message.h"
#include "kafka/topic_partitions.h"

namespace millrace::kafka {

// A member that is not heard of for this long after the server is there again is dropped, when it
// is no static one: it may be gone for good, and others wait for its partitions.
constexpr int64_t kReturnMs = 10'000;

// A classic group that is stable.
struct GroupRecord {
  struct Member {
    std::string id;
    std::optional<std::string> instance_id;
    std::string client_id;
    std::string host;
    int32_t rebalance_timeout_ms = 0;
    int32_t session_timeout_ms = 0;
    Bytes subscription;  // its metadata for the group's protocol
    Bytes assignment;
    template <class Io>
    void Visit(Io& io) {
      io(id, instance_id, client_id, host, rebalance_timeout_ms, session_timeout_ms, subscription,
         assignment);
    }
  };
  static constexpr int16_t kVersion = 3;
  int16_t version = kVersion;
  std::string protocol_type;
  int32_t generation = 0;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  int64_t state_ms = -1;  // when it became stable; not known here
  std::vector<Member> members;
  template <class Io>
  void Visit(Io& io) {
    io(version, protocol_type, generation, protocol, leader, state_ms, members);
  }
};

// A group whose partitions the server assigns.
struct ConsumerGroupRecord {
  struct Topic {
    std::string name;
    int32_t partitions = 0;
    template <class Io>
    void Visit(Io& io) {
      io(name, partitions);
    }
  };
  int16_t version = 0;
  int32_t epoch = 0;
  std::vector<Topic> topics;  // that the target was made for
  template <class Io>
  void Visit(Io& io) {
    io(version, epoch, topics);
  }
};

struct ConsumerMemberRecord {
  int16_t version = 0;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::string client_id;
  std::string host;
  int32_t rebalance_timeout_ms = 0;
  std::vector<std::string> topics;
  std::string topic_regex;
  std::string assignor;
  int8_t state = 0;  // ConsumerGroup::Member::State
  bool away = false;
  int32_t epoch = 0;
  int32_t epoch_before = 0;
  std::vector<TopicPartitions> target;
  std::vector<TopicPartitions> assigned;
  std::vector<TopicPartitions> revoking;
  template <class Io>
  void Visit(Io& io) {
    io(version, instance_id, rack_id, client_id, host, rebalance_timeout_ms, topics, topic_regex,
       assignor, state, away, epoch, epoch_before, target, assigned, revoking);
  }
};

}  // namespace millrace::kafka
