// Settings of the Kafka port.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "model/record.h"

namespace millrace::kafka {

// What keeps records out of some topics. Null functions: nothing does. Called by network threads.
struct RecordCheck {
  std::function<bool(const std::string& topic)> applies;
  // Why the topic does not take the record.
  std::function<std::optional<std::string>(const std::string& topic, const model::Record& record)>
      fault;
};

struct KafkaServerOptions {
  std::string address = "127.0.0.1";
  int port = 9092;         // 0: a free one, see KafkaServer::port()
  std::string advertised;  // host that clients are told to connect to; "": the address
  int threads = 2;
  int connections_max = 1024;
  int64_t produce_bytes_max = 32LL << 20;  // one Produce request; several of a connection together
  int64_t request_bytes_max = 4LL << 20;   // one request of any other kind
  int64_t fetch_bytes_max = 8LL << 20;     // records in one answer (or one batch that is larger)
  int64_t idle_timeout_ms = 600'000;       // a connection without requests
  int64_t write_timeout_ms = 60'000;       // for the client to take one answer
  bool auto_create_topics = true;          // when a client asks for one by name and may have it
  int default_partitions = 1;              // of topics created without a number
  RecordCheck record_check = {};
};

}  // namespace millrace::kafka
