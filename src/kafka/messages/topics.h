// Messages that create, change and describe topics.
// Source: Kafka protocol guide, API keys 19, 20, 32, 37 and 44. How a message describes itself:
// kafka/wire_io.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/topic_partitions.h"
#include "kafka/wire_io.h"

namespace millrace::kafka {

struct CreateTopicsRequest {
  struct Assignment {
    int32_t index = 0;
    std::vector<int32_t> broker_ids;
    template <class Io>
    void Visit(Io& io) {
      io(index, broker_ids);
    }
  };
  struct Config {
    std::string name;
    std::optional<std::string> value;
    template <class Io>
    void Visit(Io& io) {
      io(name, value);
    }
  };
  struct Topic {
    std::string name;
    int32_t partitions = 0;
    int16_t replication_factor = 0;
    std::vector<Assignment> assignments;
    std::vector<Config> configs;
    template <class Io>
    void Visit(Io& io) {
      io(name, partitions, replication_factor, assignments, configs);
    }
  };
  std::vector<Topic> topics;
  int32_t timeout_ms = 60000;
  bool validate_only = false;
  template <class Io>
  void Visit(Io& io) {
    io(topics, timeout_ms);
    io.Since(1, validate_only);
  }
};

struct CreateTopicsResponse {
  struct Config {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    int8_t source = -1;
    bool is_sensitive = false;
    template <class Io>
    void Visit(Io& io) {
      io(name, value, read_only, source, is_sensitive);
    }
  };
  struct Topic {
    std::string name;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    int32_t partitions = -1;
    int16_t replication_factor = -1;
    std::optional<std::vector<Config>> configs;
    template <class Io>
    void Visit(Io& io) {
      io(name, error_code);
      io.Since(1, error_message);
      io.Since(5, partitions, replication_factor, configs);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io.Since(2, throttle_time_ms);
    io(topics);
  }
};

struct DeleteTopicsRequest {
  std::vector<std::string> names;
  int32_t timeout_ms = 0;
  template <class Io>
  void Visit(Io& io) {
    io(names, timeout_ms);
  }
};

struct DeleteTopicsResponse {
  struct Topic {
    std::string name;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    template <class Io>
    void Visit(Io& io) {
      io(name, error_code);
      io.Since(5, error_message);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io.Since(1, throttle_time_ms);
    io(topics);
  }
};

struct CreatePartitionsRequest {
  struct Assignment {
    std::vector<int32_t> broker_ids;
    template <class Io>
    void Visit(Io& io) {
      io(broker_ids);
    }
  };
  struct Topic {
    std::string name;
    int32_t count = 0;
    std::optional<std::vector<Assignment>> assignments;
    template <class Io>
    void Visit(Io& io) {
      io(name, count, assignments);
    }
  };
  std::vector<Topic> topics;
  int32_t timeout_ms = 0;
  bool validate_only = false;
  template <class Io>
  void Visit(Io& io) {
    io(topics, timeout_ms, validate_only);
  }
};

struct CreatePartitionsResponse {
  struct Topic {
    std::string name;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    template <class Io>
    void Visit(Io& io) {
      io(name, error_code, error_message);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, topics);
  }
};

struct DescribeConfigsRequest {
  struct Resource {
    int8_t type = 0;
    std::string name;
    std::optional<std::vector<std::string>> keys;
    template <class Io>
    void Visit(Io& io) {
      io(type, name, keys);
    }
  };
  std::vector<Resource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;
  template <class Io>
  void Visit(Io& io) {
    io(resources);
    io.Since(1, include_synonyms);
    io.Since(3, include_documentation);
  }
};

struct DescribeConfigsResponse {
  struct Synonym {
    std::string name;
    std::optional<std::string> value;
    int8_t source = 0;
    template <class Io>
    void Visit(Io& io) {
      io(name, value, source);
    }
  };
  struct Config {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    bool is_default = false;
    int8_t source = -1;
    bool is_sensitive = false;
    std::vector<Synonym> synonyms;
    int8_t type = 0;
    std::optional<std::string> documentation;
    template <class Io>
    void Visit(Io& io) {
      io(name, value, read_only);
      io.Between(0, 0, is_default);
      io.Since(1, source);
      io(is_sensitive);
      io.Since(1, synonyms);
      io.Since(3, type, documentation);
    }
  };
  struct Resource {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    int8_t type = 0;
    std::string name;
    std::vector<Config> configs;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, error_message, type, name, configs);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Resource> resources;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, resources);
  }
};

struct IncrementalAlterConfigsRequest {
  struct Config {
    std::string name;
    int8_t operation = 0;
    std::optional<std::string> value;
    template <class Io>
    void Visit(Io& io) {
      io(name, operation, value);
    }
  };
  struct Resource {
    int8_t type = 0;
    std::string name;
    std::vector<Config> configs;
    template <class Io>
    void Visit(Io& io) {
      io(type, name, configs);
    }
  };
  std::vector<Resource> resources;
  bool validate_only = false;
  template <class Io>
  void Visit(Io& io) {
    io(resources, validate_only);
  }
};

struct IncrementalAlterConfigsResponse {
  struct Resource {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    int8_t type = 0;
    std::string name;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, error_message, type, name);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Resource> resources;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, resources);
  }
};

struct DescribeLogDirsRequest {
  using Topic = TopicPartitions;
  std::optional<std::vector<Topic>> topics;  // null: all
  template <class Io>
  void Visit(Io& io) {
    io(topics);
  }
};

struct DescribeLogDirsResponse {
  struct Partition {
    int32_t index = 0;
    int64_t size_bytes = 0;
    int64_t offset_lag = 0;
    bool is_future = false;
    template <class Io>
    void Visit(Io& io) {
      io(index, size_bytes, offset_lag, is_future);
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
  struct Directory {
    int16_t error_code = 0;
    std::string path;
    std::vector<Topic> topics;
    int64_t total_bytes = -1;  // of the disk; -1: not told
    int64_t usable_bytes = -1;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, path, topics);
      io.Since(4, total_bytes, usable_bytes);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<Directory> directories;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms);
    io.Since(3, error_code);
    io(directories);
  }
};

}  // namespace millrace::kafka
