// Messages that move records: Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords.
// Source: Kafka protocol guide, API keys 0, 1, 2, 21 and 23. How a message describes itself:
// kafka/wire_io.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire_io.h"

namespace millrace::kafka {

struct ProduceRequest {
  struct Partition {
    int32_t index = 0;
    std::string_view records;
    template <class Io>
    void Visit(Io& io) {
      io(index, records);
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
  std::optional<std::string> transactional_id;
  int16_t acks = 0;
  int32_t timeout_ms = 0;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io.Since(3, transactional_id);
    io(acks, timeout_ms, topics);
  }
};

struct ProduceResponse {
  struct RecordError {
    int32_t batch_index = 0;
    std::optional<std::string> message;
    template <class Io>
    void Visit(Io& io) {
      io(batch_index, message);
    }
  };
  struct Partition {
    int32_t index = 0;
    int16_t error_code = 0;
    int64_t base_offset = -1;
    int64_t log_append_time_ms = -1;
    int64_t log_start_offset = -1;
    std::vector<RecordError> record_errors;
    std::optional<std::string> error_message;
    template <class Io>
    void Visit(Io& io) {
      io(index, error_code, base_offset);
      io.Since(2, log_append_time_ms);
      io.Since(5, log_start_offset);
      io.Since(8, record_errors, error_message);
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
  std::vector<Topic> topics;
  int32_t throttle_time_ms = 0;
  template <class Io>
  void Visit(Io& io) {
    io(topics);
    io.Since(1, throttle_time_ms);
  }
};

struct FetchRequest {
  struct Partition {
    int32_t index = 0;
    int32_t current_leader_epoch = -1;
    int64_t fetch_offset = 0;
    int32_t last_fetched_epoch = -1;
    int64_t log_start_offset = -1;
    int32_t max_bytes = 0;
    template <class Io>
    void Visit(Io& io) {
      io(index);
      io.Since(9, current_leader_epoch);
      io(fetch_offset);
      io.Since(12, last_fetched_epoch);
      io.Since(5, log_start_offset);
      io(max_bytes);
    }
  };
  struct Topic {
    std::string name;
    Uuid id;
    std::vector<Partition> partitions;
    template <class Io>
    void Visit(Io& io) {
      io.Between(0, 12, name);
      io.Since(13, id);
      io(partitions);
    }
  };
  struct ForgottenTopic {
    std::string name;
    Uuid id;
    std::vector<int32_t> partitions;
    template <class Io>
    void Visit(Io& io) {
      io.Between(0, 12, name);
      io.Since(13, id);
      io(partitions);
    }
  };
  int32_t replica_id = -1;
  int32_t max_wait_ms = 0;
  int32_t min_bytes = 0;
  int32_t max_bytes = INT32_MAX;
  int8_t isolation_level = 0;
  int32_t session_id = 0;
  int32_t session_epoch = -1;
  std::vector<Topic> topics;
  std::vector<ForgottenTopic> forgotten;
  std::string rack_id;
  template <class Io>
  void Visit(Io& io) {
    io.Between(0, 14, replica_id);
    io(max_wait_ms, min_bytes);
    io.Since(3, max_bytes);
    io.Since(4, isolation_level);
    io.Since(7, session_id, session_epoch);
    io(topics);
    io.Since(7, forgotten);
    io.Since(11, rack_id);
  }
};

struct FetchResponse {
  struct AbortedTransaction {
    int64_t producer_id = 0;
    int64_t first_offset = 0;
    template <class Io>
    void Visit(Io& io) {
      io(producer_id, first_offset);
    }
  };
  struct Partition {
    int32_t index = 0;
    int16_t error_code = 0;
    int64_t high_watermark = -1;
    int64_t last_stable_offset = -1;
    int64_t log_start_offset = -1;
    std::optional<std::vector<AbortedTransaction>> aborted;
    int32_t preferred_read_replica = -1;
    Records records;
    template <class Io>
    void Visit(Io& io) {
      io(index, error_code, high_watermark);
      io.Since(4, last_stable_offset);
      io.Since(5, log_start_offset);
      io.Since(4, aborted);
      io.Since(11, preferred_read_replica);
      io(records);
    }
  };
  struct Topic {
    std::string name;
    Uuid id;
    std::vector<Partition> partitions;
    template <class Io>
    void Visit(Io& io) {
      io.Between(0, 12, name);
      io.Since(13, id);
      io(partitions);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int32_t session_id = 0;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io.Since(1, throttle_time_ms);
    io.Since(7, error_code, session_id);
    io(topics);
  }
};

struct ListOffsetsRequest {
  struct Partition {
    int32_t index = 0;
    int32_t current_leader_epoch = -1;
    int64_t timestamp = 0;
    int32_t max_num_offsets = 1;
    template <class Io>
    void Visit(Io& io) {
      io(index);
      io.Since(4, current_leader_epoch);
      io(timestamp);
      io.Between(0, 0, max_num_offsets);
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
  int32_t replica_id = -1;
  int8_t isolation_level = 0;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io(replica_id);
    io.Since(2, isolation_level);
    io(topics);
  }
};

struct ListOffsetsResponse {
  struct Partition {
    int32_t index = 0;
    int16_t error_code = 0;
    std::vector<int64_t> old_style_offsets;
    int64_t timestamp = -1;
    int64_t offset = -1;
    int32_t leader_epoch = -1;
    template <class Io>
    void Visit(Io& io) {
      io(index, error_code);
      io.Between(0, 0, old_style_offsets);
      io.Since(1, timestamp, offset);
      io.Since(4, leader_epoch);
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
    io.Since(2, throttle_time_ms);
    io(topics);
  }
};

struct OffsetForLeaderEpochRequest {
  struct Partition {
    int32_t index = 0;
    int32_t current_leader_epoch = -1;
    int32_t leader_epoch = 0;
    template <class Io>
    void Visit(Io& io) {
      io(index);
      io.Since(2, current_leader_epoch);
      io(leader_epoch);
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
  int32_t replica_id = -2;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io.Since(3, replica_id);
    io(topics);
  }
};

struct OffsetForLeaderEpochResponse {
  struct Partition {
    int16_t error_code = 0;
    int32_t index = 0;
    int32_t leader_epoch = -1;
    int64_t end_offset = -1;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, index);
      io.Since(1, leader_epoch);
      io(end_offset);
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
    io.Since(2, throttle_time_ms);
    io(topics);
  }
};

struct DeleteRecordsRequest {
  struct Partition {
    int32_t index = 0;
    int64_t offset = 0;
    template <class Io>
    void Visit(Io& io) {
      io(index, offset);
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
  std::vector<Topic> topics;
  int32_t timeout_ms = 0;
  template <class Io>
  void Visit(Io& io) {
    io(topics, timeout_ms);
  }
};

struct DeleteRecordsResponse {
  struct Partition {
    int32_t index = 0;
    int64_t low_watermark = -1;
    int16_t error_code = 0;
    template <class Io>
    void Visit(Io& io) {
      io(index, low_watermark, error_code);
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
    io(throttle_time_ms, topics);
  }
};

}  // namespace millrace::kafka
