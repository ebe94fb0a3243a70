// Messages of consumer groups and their offsets.
// Source: Kafka protocol guide, API keys 8, 9, 11 to 16, 42 and 47. How a message describes itself:
// kafka/wire_io.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/topic_partitions.h"
#include "kafka/wire_io.h"

namespace millrace::kafka {

struct JoinGroupRequest {
  struct Protocol {
    std::string name;
    Bytes metadata;
    template <class Io>
    void Visit(Io& io) {
      io(name, metadata);
    }
  };
  std::string group_id;
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string protocol_type;
  std::vector<Protocol> protocols;
  std::optional<std::string> reason;
  template <class Io>
  void Visit(Io& io) {
    io(group_id, session_timeout_ms);
    io.Since(1, rebalance_timeout_ms);
    io(member_id);
    io.Since(5, group_instance_id);
    io(protocol_type, protocols);
    io.Since(8, reason);
  }
};

struct JoinGroupResponse {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    Bytes metadata;
    template <class Io>
    void Visit(Io& io) {
      io(member_id);
      io.Since(5, group_instance_id);
      io(metadata);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int32_t generation_id = -1;
  std::optional<std::string> protocol_type;
  std::string protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<Member> members;
  template <class Io>
  void Visit(Io& io) {
    io.Since(2, throttle_time_ms);
    io(error_code, generation_id);
    io.Since(7, protocol_type);
    io(protocol_name, leader);
    io.Since(9, skip_assignment);
    io(member_id, members);
  }
};

struct SyncGroupRequest {
  struct Assignment {
    std::string member_id;
    Bytes assignment;
    template <class Io>
    void Visit(Io& io) {
      io(member_id, assignment);
    }
  };
  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<Assignment> assignments;
  template <class Io>
  void Visit(Io& io) {
    io(group_id, generation_id, member_id);
    io.Since(3, group_instance_id);
    io.Since(5, protocol_type, protocol_name);
    io(assignments);
  }
};

struct SyncGroupResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  Bytes assignment;
  template <class Io>
  void Visit(Io& io) {
    io.Since(1, throttle_time_ms);
    io(error_code);
    io.Since(5, protocol_type, protocol_name);
    io(assignment);
  }
};

struct HeartbeatRequest {
  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  template <class Io>
  void Visit(Io& io) {
    io(group_id, generation_id, member_id);
    io.Since(3, group_instance_id);
  }
};

struct HeartbeatResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  template <class Io>
  void Visit(Io& io) {
    io.Since(1, throttle_time_ms);
    io(error_code);
  }
};

struct LeaveGroupRequest {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::optional<std::string> reason;
    template <class Io>
    void Visit(Io& io) {
      io(member_id, group_instance_id);
      io.Since(5, reason);
    }
  };
  std::string group_id;
  std::string member_id;
  std::vector<Member> members;
  template <class Io>
  void Visit(Io& io) {
    io(group_id);
    io.Between(0, 2, member_id);
    io.Since(3, members);
  }
};

struct LeaveGroupResponse {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    int16_t error_code = 0;
    template <class Io>
    void Visit(Io& io) {
      io(member_id, group_instance_id, error_code);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<Member> members;
  template <class Io>
  void Visit(Io& io) {
    io.Since(1, throttle_time_ms);
    io(error_code);
    io.Since(3, members);
  }
};

struct OffsetCommitRequest {
  struct Partition {
    int32_t index = 0;
    int64_t offset = 0;
    int32_t leader_epoch = -1;
    int64_t commit_timestamp = -1;
    std::optional<std::string> metadata;
    template <class Io>
    void Visit(Io& io) {
      io(index, offset);
      io.Since(6, leader_epoch);
      io.Between(1, 1, commit_timestamp);
      io(metadata);
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    template <class Io>
    void Visit(Io& io) {
      io(name, partitions);
    }
  };
  std::string group_id;
  int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  int64_t retention_time_ms = -1;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io(group_id);
    io.Since(1, generation_id, member_id);
    io.Since(7, group_instance_id);
    io.Between(2, 4, retention_time_ms);
    io(topics);
  }
};

struct OffsetCommitResponse {
  struct Partition {
    int32_t index = 0;
    int16_t error_code = 0;
    template <class Io>
    void Visit(Io& io) {
      io(index, error_code);
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    template <class Io>
    void Visit(Io& io) {
      io(name, partitions);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io.Since(3, throttle_time_ms);
    io(topics);
  }
};

struct OffsetFetchRequest {
  using Topic = TopicPartitions;
  struct Group {
    std::string group_id;
    std::optional<std::string> member_id;
    int32_t member_epoch = -1;
    std::optional<std::vector<Topic>> topics;
    template <class Io>
    void Visit(Io& io) {
      io(group_id);
      io.Since(9, member_id, member_epoch);
      io(topics);
    }
  };
  std::string group_id;
  // Null: everything that the group has committed.
  std::optional<std::vector<Topic>> topics;
  std::vector<Group> groups;
  bool require_stable = false;
  template <class Io>
  void Visit(Io& io) {
    io.Between(0, 7, group_id, topics);
    io.Since(8, groups);
    io.Since(7, require_stable);
  }
};

struct OffsetFetchResponse {
  struct Partition {
    int32_t index = 0;
    int64_t offset = -1;
    int32_t leader_epoch = -1;
    std::optional<std::string> metadata;
    int16_t error_code = 0;
    template <class Io>
    void Visit(Io& io) {
      io(index, offset);
      io.Since(5, leader_epoch);
      io(metadata, error_code);
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    template <class Io>
    void Visit(Io& io) {
      io(name, partitions);
    }
  };
  struct Group {
    std::string group_id;
    std::vector<Topic> topics;
    int16_t error_code = 0;
    template <class Io>
    void Visit(Io& io) {
      io(group_id, topics, error_code);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  int16_t error_code = 0;
  std::vector<Group> groups;
  template <class Io>
  void Visit(Io& io) {
    io.Since(3, throttle_time_ms);
    io.Between(0, 7, topics);
    io.Between(2, 7, error_code);
    io.Since(8, groups);
  }
};

struct OffsetDeleteRequest {
  struct Partition {
    int32_t index = 0;
    template <class Io>
    void Visit(Io& io) {
      io(index);
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    template <class Io>
    void Visit(Io& io) {
      io(name, partitions);
    }
  };
  std::string group_id;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io(group_id, topics);
  }
};

struct OffsetDeleteResponse {
  struct Partition {
    int32_t index = 0;
    int16_t error_code = 0;
    template <class Io>
    void Visit(Io& io) {
      io(index, error_code);
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    template <class Io>
    void Visit(Io& io) {
      io(name, partitions);
    }
  };
  int16_t error_code = 0;
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io(error_code, throttle_time_ms, topics);
  }
};

struct DescribeGroupsRequest {
  std::vector<std::string> groups;
  bool include_operations = false;
  template <class Io>
  void Visit(Io& io) {
    io(groups);
    io.Since(3, include_operations);
  }
};

struct DescribeGroupsResponse {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    Bytes metadata;
    Bytes assignment;
    template <class Io>
    void Visit(Io& io) {
      io(member_id);
      io.Since(4, group_instance_id);
      io(client_id, client_host, metadata, assignment);
    }
  };
  struct Group {
    int16_t error_code = 0;
    std::string group_id;
    std::string state;
    std::string protocol_type;
    std::string protocol;
    std::vector<Member> members;
    // Not known.
    int32_t operations = INT32_MIN;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, group_id, state, protocol_type, protocol, members);
      io.Since(3, operations);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Group> groups;
  template <class Io>
  void Visit(Io& io) {
    io.Since(1, throttle_time_ms);
    io(groups);
  }
};

struct ListGroupsRequest {
  std::vector<std::string> states;
  std::vector<std::string> types;
  template <class Io>
  void Visit(Io& io) {
    io.Since(4, states);
    io.Since(5, types);
  }
};

struct ListGroupsResponse {
  struct Group {
    std::string group_id;
    std::string protocol_type;
    std::string state;
    std::string type;
    template <class Io>
    void Visit(Io& io) {
      io(group_id, protocol_type);
      io.Since(4, state);
      io.Since(5, type);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<Group> groups;
  template <class Io>
  void Visit(Io& io) {
    io.Since(1, throttle_time_ms);
    io(error_code, groups);
  }
};

struct DeleteGroupsRequest {
  std::vector<std::string> groups;
  template <class Io>
  void Visit(Io& io) {
    io(groups);
  }
};

struct DeleteGroupsResponse {
  struct Group {
    std::string group_id;
    int16_t error_code = 0;
    template <class Io>
    void Visit(Io& io) {
      io(group_id, error_code);
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
