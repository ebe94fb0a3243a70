// Messages of transactions: AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit,
// DescribeTransactions, ListTransactions.
// Source: Kafka protocol guide, API keys 24, 25, 26, 28, 65 and 66; KIP-98, KIP-664, KIP-994. How a
// message describes itself: kafka/wire_io.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/topic_partitions.h"
#include "kafka/wire_io.h"

namespace millrace::kafka {

struct AddPartitionsToTxnRequest {
  using Topic = TopicPartitions;
  std::string transactional_id;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io(transactional_id, producer_id, producer_epoch, topics);
  }
};

struct AddPartitionsToTxnResponse {
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
    io(throttle_time_ms, topics);
  }
};

struct AddOffsetsToTxnRequest {
  std::string transactional_id;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  std::string group_id;
  template <class Io>
  void Visit(Io& io) {
    io(transactional_id, producer_id, producer_epoch, group_id);
  }
};

struct AddOffsetsToTxnResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, error_code);
  }
};

struct EndTxnRequest {
  std::string transactional_id;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  bool committed = false;
  template <class Io>
  void Visit(Io& io) {
    io(transactional_id, producer_id, producer_epoch, committed);
  }
};

struct EndTxnResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, error_code);
  }
};

struct TxnOffsetCommitRequest {
  struct Partition {
    int32_t index = 0;
    int64_t offset = 0;
    int32_t leader_epoch = -1;
    std::optional<std::string> metadata;
    template <class Io>
    void Visit(Io& io) {
      io(index, offset);
      io.Since(2, leader_epoch);
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
  std::string transactional_id;
  std::string group_id;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::vector<Topic> topics;
  template <class Io>
  void Visit(Io& io) {
    io(transactional_id, group_id, producer_id, producer_epoch);
    io.Since(3, generation_id, member_id, group_instance_id);
    io(topics);
  }
};

struct TxnOffsetCommitResponse {
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
    io(throttle_time_ms, topics);
  }
};

struct DescribeTransactionsRequest {
  std::vector<std::string> transactional_ids;
  template <class Io>
  void Visit(Io& io) {
    io(transactional_ids);
  }
};

struct DescribeTransactionsResponse {
  using Topic = TopicPartitions;
  struct Transaction {
    int16_t error_code = 0;
    std::string transactional_id;
    std::string state;
    int32_t timeout_ms = 0;
    int64_t start_time_ms = -1;  // -1: none is open
    int64_t producer_id = -1;
    int16_t producer_epoch = -1;
    std::vector<Topic> topics;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, transactional_id, state, timeout_ms, start_time_ms, producer_id,
         producer_epoch, topics);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Transaction> transactions;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, transactions);
  }
};

struct ListTransactionsRequest {
  std::vector<std::string> states;    // none: any
  std::vector<int64_t> producer_ids;  // none: any
  int64_t duration_ms = -1;           // open for longer than this; -1: any
  template <class Io>
  void Visit(Io& io) {
    io(states, producer_ids);
    io.Since(1, duration_ms);
  }
};

struct ListTransactionsResponse {
  struct Transaction {
    std::string transactional_id;
    int64_t producer_id = -1;
    std::string state;
    template <class Io>
    void Visit(Io& io) {
      io(transactional_id, producer_id, state);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<std::string> unknown_states;  // of those asked for
  std::vector<Transaction> transactions;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, error_code, unknown_states, transactions);
  }
};

}  // namespace millrace::kafka
