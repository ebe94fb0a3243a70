// Messages about the server: ApiVersions, Metadata, DescribeCluster, FindCoordinator,
// InitProducerId. Source: Kafka protocol guide, API keys 3, 10, 18, 22 and 60. How a message
// describes itself: kafka/wire_io.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire_io.h"

namespace millrace::kafka {

// Bit set of permitted operations; the smallest number says that it was not asked for.
constexpr int32_t kOperationsUnknown = INT32_MIN;

struct ApiVersionsRequest {
  std::string client_software_name;
  std::string client_software_version;
  template <class Io>
  void Visit(Io& io) {
    io.Since(3, client_software_name, client_software_version);
  }
};

struct ApiVersionsResponse {
  struct Api {
    int16_t key = 0;
    int16_t min_version = 0;
    int16_t max_version = 0;
    template <class Io>
    void Visit(Io& io) {
      io(key, min_version, max_version);
    }
  };
  int16_t error_code = 0;
  std::vector<Api> apis;
  int32_t throttle_time_ms = 0;
  template <class Io>
  void Visit(Io& io) {
    io(error_code, apis);
    io.Since(1, throttle_time_ms);
  }
};

struct MetadataRequest {
  struct Topic {
    Uuid id;  // looked at when there is no name
    std::optional<std::string> name;
    template <class Io>
    void Visit(Io& io) {
      io.Since(10, id);
      io(name);
    }
  };
  std::optional<std::vector<Topic>> topics;  // null: all; in version 0 empty: all
  bool allow_auto_topic_creation = true;
  bool include_cluster_operations = false;
  bool include_topic_operations = false;
  template <class Io>
  void Visit(Io& io) {
    io(topics);
    io.Since(4, allow_auto_topic_creation);
    io.Between(8, 10, include_cluster_operations);
    io.Since(8, include_topic_operations);
  }
};

struct MetadataResponse {
  struct Broker {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;
    template <class Io>
    void Visit(Io& io) {
      io(node_id, host, port);
      io.Since(1, rack);
    }
  };
  struct Partition {
    int16_t error_code = 0;
    int32_t index = 0;
    int32_t leader_id = 0;
    int32_t leader_epoch = -1;
    std::vector<int32_t> replicas;
    std::vector<int32_t> in_sync;
    std::vector<int32_t> offline;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, index, leader_id);
      io.Since(7, leader_epoch);
      io(replicas, in_sync);
      io.Since(5, offline);
    }
  };
  struct Topic {
    int16_t error_code = 0;
    std::optional<std::string> name;  // null: asked for by an id that no topic has
    Uuid id;
    bool is_internal = false;
    std::vector<Partition> partitions;
    int32_t operations = kOperationsUnknown;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, name);
      io.Since(10, id);
      io.Since(1, is_internal);
      io(partitions);
      io.Since(8, operations);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Broker> brokers;
  std::optional<std::string> cluster_id;
  int32_t controller_id = -1;
  std::vector<Topic> topics;
  int32_t operations = kOperationsUnknown;
  template <class Io>
  void Visit(Io& io) {
    io.Since(3, throttle_time_ms);
    io(brokers);
    io.Since(2, cluster_id);
    io.Since(1, controller_id);
    io(topics);
    io.Between(8, 10, operations);
  }
};

struct DescribeClusterRequest {
  bool include_operations = false;
  int8_t endpoint_type = 1;
  template <class Io>
  void Visit(Io& io) {
    io(include_operations);
    io.Since(1, endpoint_type);
  }
};

struct DescribeClusterResponse {
  struct Broker {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;
    template <class Io>
    void Visit(Io& io) {
      io(node_id, host, port, rack);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  int8_t endpoint_type = 1;
  std::string cluster_id;
  int32_t controller_id = -1;
  std::vector<Broker> brokers;
  int32_t operations = kOperationsUnknown;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, error_code, error_message);
    io.Since(1, endpoint_type);
    io(cluster_id, controller_id, brokers, operations);
  }
};

struct FindCoordinatorRequest {
  std::string key;
  int8_t key_type = 0;  // 0: consumer group, 1: transactional id
  std::vector<std::string> keys;
  template <class Io>
  void Visit(Io& io) {
    io.Between(0, 3, key);
    io.Since(1, key_type);
    io.Since(4, keys);
  }
};

struct FindCoordinatorResponse {
  struct Coordinator {
    std::string key;
    int32_t node_id = -1;
    std::string host;
    int32_t port = -1;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    template <class Io>
    void Visit(Io& io) {
      io(key, node_id, host, port, error_code, error_message);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  int32_t node_id = -1;
  std::string host;
  int32_t port = -1;
  std::vector<Coordinator> coordinators;
  template <class Io>
  void Visit(Io& io) {
    io.Since(1, throttle_time_ms);
    io.Between(0, 3, error_code);
    io.Between(1, 3, error_message);
    io.Between(0, 3, node_id, host, port);
    io.Since(4, coordinators);
  }
};

struct InitProducerIdRequest {
  std::optional<std::string> transactional_id;
  int32_t transaction_timeout_ms = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  template <class Io>
  void Visit(Io& io) {
    io(transactional_id, transaction_timeout_ms);
    io.Since(3, producer_id, producer_epoch);
  }
};

struct InitProducerIdResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, error_code, producer_id, producer_epoch);
  }
};

}  // namespace millrace::kafka
