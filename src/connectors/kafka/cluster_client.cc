#include "connectors/kafka/cluster_client.h"

#include <syslog.h>

#include "env/diag.h"
#include "model/masking.h"

namespace millrace::connectors::kafka {

namespace {

constexpr size_t kReasonBytes = 512;

Status Set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  char reason[kReasonBytes];
  const auto result = rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof reason);
  if (result == RD_KAFKA_CONF_OK) return Status::Ok();
  Status status(Code::kBadOption, "option \"properties." + name +
                                      "\" is not one that a client of "
                                      "Kafka (librdkafka) has");
  if (result == RD_KAFKA_CONF_INVALID) {
    status = Status(Code::kBadOption,
                    "option \"properties." + name + "\" has a value that librdkafka does not take");
  }
  // Its words repeat the value.
  if (model::IsSecretName(name)) return status;
  return std::move(status).WithDetail(reason);
}

// Whether it is the cluster's present state that is to blame, and no setting.
Retry RetryOf(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      return Retry::kReconnect;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
      return Retry::kNever;
    default:
      // Someone may yet grant the right, make the topic, repair the broker.
      return Retry::kBackoff;
  }
}

Code CodeOf(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return Code::kNotFound;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return Code::kFailedPrecondition;
    default:
      return Code::kUnavailable;
  }
}

}  // namespace

Result<std::unique_ptr<ClusterClient>> ClusterClient::New(
    Role role, const std::map<std::string, std::string>& settings,
    const std::map<std::string, std::string>& own) {
  std::unique_ptr<ClusterClient> client(new ClusterClient());
  if (auto servers = settings.find("bootstrap.servers"); servers != settings.end()) {
    client->servers_ = servers->second;
  }
  std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(),
                                                                          rd_kafka_conf_destroy);
  for (const auto& [name, value] : settings) {
    if (!own.contains(name)) MR_RETURN_IF_ERROR(Set(conf.get(), name, value));
  }
  for (const auto& [name, value] : own) MR_RETURN_IF_ERROR(Set(conf.get(), name, value));
  rd_kafka_conf_set_opaque(conf.get(), client.get());
  rd_kafka_conf_set_error_cb(conf.get(), OnError);
  rd_kafka_conf_set_log_cb(conf.get(), OnLog);
  if (role == Role::kProducer) rd_kafka_conf_set_dr_msg_cb(conf.get(), OnDelivery);
  char reason[kReasonBytes];
  client->handle_ = rd_kafka_new(role == Role::kConsumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER,
                                 conf.get(), reason, sizeof reason);
  if (!client->handle_) {
    return Status(Code::kBadOption, "the 'properties.…' of a table do not make a client of Kafka")
        .WithDetail(reason);
  }
  conf.release();  // it is the handle's now
  return client;
}

ClusterClient::~ClusterClient() {
  if (handle_) rd_kafka_destroy(handle_);
}

void ClusterClient::OnError(rd_kafka_t* handle, int code, const char* reason, void* self) {
  auto* client = static_cast<ClusterClient*>(self);
  std::lock_guard<std::mutex> lock(client->mutex_);
  const auto error = static_cast<rd_kafka_resp_err_t>(code);
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    char text[kReasonBytes];
    rd_kafka_fatal_error(handle, text, sizeof text);
    client->reason_ = text;
    return;
  }
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    client->away_ = true;  // the reason came before, with the broker's own error
    if (!client->reason_.empty()) return;
  }
  client->reason_ = reason;
}

void ClusterClient::OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
  auto* client = static_cast<ClusterClient*>(self);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  std::lock_guard<std::mutex> lock(client->mutex_);
  if (client->delivery_error_ == RD_KAFKA_RESP_ERR_NO_ERROR) client->delivery_error_ = message->err;
}

rd_kafka_resp_err_t ClusterClient::TakeDeliveryError() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(delivery_error_, RD_KAFKA_RESP_ERR_NO_ERROR);
}

void ClusterClient::OnLog(const rd_kafka_t*, int level, const char* facility, const char* text) {
  // What matters shows in the job's status, with librdkafka's words.
  if (level <= LOG_CRIT) {
    diag::Warn("librdkafka {}: {}", facility, text);
  } else {
    diag::Debug("librdkafka {}: {}", facility, text);
  }
}

bool ClusterClient::IsAway() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return away_;
}

Result<int> ClusterClient::CountPartitions(const std::string& topic, int timeout_ms) {
  const std::string doing = "asking for topic \"" + topic + "\"";
  std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> handle(
      rd_kafka_topic_new(handle_, topic.c_str(), nullptr), rd_kafka_topic_destroy);
  if (!handle) return Error(rd_kafka_last_error(), doing);
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto code = rd_kafka_metadata(handle_, 0, handle.get(), &metadata, timeout_ms);
  Serve();
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return Error(code, doing);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    away_ = false;
    reason_.clear();
  }
  Result<int> partitions = 0;
  if (metadata->topic_cnt != 1) {
    partitions = Error(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, doing);
  } else if (metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    partitions = Error(metadata->topics[0].err, doing);
  } else {
    partitions = metadata->topics[0].partition_cnt;
  }
  rd_kafka_metadata_destroy(metadata);
  return partitions;
}

Status ClusterClient::Error(rd_kafka_resp_err_t code, const std::string& doing) const {
  const Retry retry = RetryOf(code);
  if (CodeOf(code) == Code::kNotFound) {
    return Status(Code::kNotFound, doing + ": the cluster at " + servers_ + " does not have it")
        .WithHint("create it (kafka-topics --create --topic …)")
        .WithRetry(retry);
  }
  Status status(CodeOf(code), doing + ": " +
                                  (retry == Retry::kReconnect
                                       ? "the Kafka cluster at " + servers_ + " does not answer"
                                       : std::string(rd_kafka_err2str(code))));
  std::lock_guard<std::mutex> lock(mutex_);
  if (retry == Retry::kReconnect) {
    status = std::move(status).WithDetail(reason_.empty() ? rd_kafka_err2str(code) : reason_);
  }
  return std::move(status).WithRetry(retry);
}

Status ClusterClient::Error(rd_kafka_error_t* error, const std::string& doing) const {
  const std::string text = rd_kafka_error_string(error);
  Status status = Error(rd_kafka_error_code(error), doing);
  if (status.detail().empty()) status = std::move(status).WithDetail(text);
  rd_kafka_error_destroy(error);
  return status;
}

}  // namespace millrace::connectors::kafka
