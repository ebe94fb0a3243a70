// ClusterClient: a client of a Kafka cluster (librdkafka), and what its errors mean.
//
// Contract: one thread, except that librdkafka's own threads run beside it. No method waits longer
// than its timeout. Making a client does not connect: whether the cluster answers shows later.
#pragma once

#include <librdkafka/rdkafka.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "connectors/connector.h"

namespace millrace::connectors::kafka {

// How long the job's thread may be held up by one question to the cluster.
constexpr int kAskTimeoutMs = 3'000;

struct TopicListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
using TopicList = std::unique_ptr<rd_kafka_topic_partition_list_t, TopicListDeleter>;

class ClusterClient {
 public:
  enum class Role { kConsumer, kProducer };

  // `settings`: librdkafka's, by name; those in `own` win over them.
  // Errors: kBadOption for a name or value that librdkafka does not take.
  static Result<std::unique_ptr<ClusterClient>> New(
      Role role, const std::map<std::string, std::string>& settings,
      const std::map<std::string, std::string>& own);
  ~ClusterClient();
  ClusterClient(const ClusterClient&) = delete;

  rd_kafka_t* handle() const { return handle_; }

  // Calls back what librdkafka has to tell; to be called now and then.
  void Serve() { rd_kafka_poll(handle_, 0); }
  // Whether no broker has answered since the last that did; the reason is librdkafka's.
  bool IsAway() const;

  // The first record since the last call that a producer could not deliver; NO_ERROR when none.
  rd_kafka_resp_err_t TakeDeliveryError();

  // Partitions of a topic. Error kNotFound (with backoff) when the cluster does not have it.
  Result<int> CountPartitions(const std::string& topic, int timeout_ms = kAskTimeoutMs);

  // What an error code means for the job. `doing` begins the message: "reading topic \"t\"".
  Status Error(rd_kafka_resp_err_t code, const std::string& doing) const;
  // Same for an error object, which it destroys.
  Status Error(rd_kafka_error_t* error, const std::string& doing) const;

 private:
  ClusterClient() = default;
  static void OnError(rd_kafka_t* handle, int code, const char* reason, void* self);
  static void OnDelivery(rd_kafka_t* handle, const rd_kafka_message_t* message, void* self);
  static void OnLog(const rd_kafka_t* handle, int level, const char* facility, const char* text);

  rd_kafka_t* handle_ = nullptr;
  std::string servers_;
  mutable std::mutex mutex_;  // callbacks may come from librdkafka's threads
  bool away_ = false;
  rd_kafka_resp_err_t delivery_error_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string reason_;  // of the last trouble with a broker
};

}  // namespace millrace::connectors::kafka
