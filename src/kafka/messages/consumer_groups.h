// Messages of consumer groups whose partitions the server assigns (KIP-848).
// Source: Kafka protocol guide, API keys 68 and 69. How a message describes itself:
// kafka/wire_io.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire_io.h"

namespace millrace::kafka {

struct AssignedTopic {
  Uuid id;
  std::vector<int32_t> partitions;
  template <class Io>
  void Visit(Io& io) {
    io(id, partitions);
  }
};

struct ConsumerGroupHeartbeatRequest {
  std::string group_id;
  std::string member_id;
  int32_t member_epoch = 0;  // 0: joins; -1: leaves; -2: leaves, a static member that will be back
  // What has not changed since the last heartbeat is null or -1.
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  int32_t rebalance_timeout_ms = -1;
  std::optional<std::vector<std::string>> topics;  // subscribed ones
  std::optional<std::string> topic_regex;
  std::optional<std::string> assignor;
  std::optional<std::vector<AssignedTopic>> owned;
  template <class Io>
  void Visit(Io& io) {
    io(group_id, member_id, member_epoch, instance_id, rack_id, rebalance_timeout_ms, topics);
    io.Since(1, topic_regex);
    io(assignor, owned);
  }
};

struct ConsumerGroupHeartbeatResponse {
  struct Assignment {
    std::vector<AssignedTopic> topics;
    template <class Io>
    void Visit(Io& io) {
      io(topics);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::optional<std::string> member_id;
  int32_t member_epoch = 0;
  int32_t heartbeat_interval_ms = 0;
  std::optional<Assignment> assignment;  // null: as before
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, error_code, error_message, member_id, member_epoch, heartbeat_interval_ms,
       assignment);
  }
};

struct ConsumerGroupDescribeRequest {
  std::vector<std::string> groups;
  bool include_operations = false;
  template <class Io>
  void Visit(Io& io) {
    io(groups, include_operations);
  }
};

struct ConsumerGroupDescribeResponse {
  struct Topic {
    Uuid id;
    std::string name;
    std::vector<int32_t> partitions;
    template <class Io>
    void Visit(Io& io) {
      io(id, name, partitions);
    }
  };
  struct Assignment {
    std::vector<Topic> topics;
    template <class Io>
    void Visit(Io& io) {
      io(topics);
    }
  };
  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    std::optional<std::string> rack_id;
    int32_t member_epoch = 0;
    std::string client_id;
    std::string client_host;
    std::vector<std::string> topics;
    std::optional<std::string> topic_regex;
    Assignment assigned;
    Assignment target;
    int8_t type = 1;  // of the newer protocol
    template <class Io>
    void Visit(Io& io) {
      io(member_id, instance_id, rack_id, member_epoch, client_id, client_host, topics, topic_regex,
         assigned, target);
      io.Since(1, type);
    }
  };
  struct Group {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string state;
    int32_t epoch = 0;
    int32_t assignment_epoch = 0;
    std::string assignor;
    std::vector<Member> members;
    int32_t operations = INT32_MIN;  // not known
    template <class Io>
    void Visit(Io& io) {
      io(error_code, error_message, group_id, state, epoch, assignment_epoch, assignor, members,
         operations);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Group> groups;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, groups);
  }
};

}  // namespace millrace::kafka
