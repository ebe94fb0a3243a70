#include "connectors/kafka/cluster_sink.h"

#include <fmt/format.h>

#include "connectors/kafka/cluster_client.h"
#include "connectors/kafka/cluster_settings.h"
#include "connectors/kafka/topic_rows.h"
#include "env/clock.h"

namespace millrace::connectors::kafka {

namespace {

// How long the job's thread may wait for an epoch to get through, before it shows as failing.
constexpr int kCommitTimeoutMs = 30'000;
constexpr int kQueueFullWaitMs = 100;
constexpr int64_t kCountPartitionsEveryUs = 10'000'000;

struct GroupMetadataDeleter {
  void operator()(rd_kafka_consumer_group_metadata_t* group) const {
    rd_kafka_consumer_group_metadata_destroy(group);
  }
};
using GroupMetadata = std::unique_ptr<rd_kafka_consumer_group_metadata_t, GroupMetadataDeleter>;

class ClusterSink : public Sink {
 public:
  ClusterSink(const TableContext& table, std::unique_ptr<TopicRows> rows,
              std::map<std::string, std::string> settings)
      : clock_(table.services.clock ? *table.services.clock : *env::Clock::System()),
        topic_(table.options.GetString("topic")),
        exactly_once_(table.options.GetString("sink.delivery-guarantee") == "exactly-once"),
        id_(IdOf(table)),
        rows_(std::move(rows)),
        settings_(std::move(settings)) {}

  Status Open() override { return Connect(); }

  Result<model::Epoch> LastCommitted() override { return committed_; }

  Status Write(const SinkBatch& batch) override { return rows_->Add(batch); }

  Status Commit(model::Epoch epoch) override {
    if (!producer_) MR_RETURN_IF_ERROR(Connect());
    // What failed before may have got through all the same.
    if (epoch > committed_) {
      rows_->Finish();
      Status sent = Send(epoch);
      if (!sent.ok()) {
        producer_.reset();
        return sent;
      }
      committed_ = epoch;
    }
    rows_->Clear();
    return Status::Ok();
  }

 private:
  static std::string IdOf(const TableContext& table) {
    const std::string prefix = table.options.GetString("sink.transactional-id-prefix");
    return fmt::format("{}-{}-{}", prefix.empty() ? "millrace" : prefix, table.job, table.name);
  }

  // A producer that has ended what the last one left open, and the epoch that this came to.
  Status Connect() {
    std::map<std::string, std::string> own = {{"enable.idempotence", "true"}};
    if (exactly_once_) own["transactional.id"] = id_;
    settings_.try_emplace("reconnect.backoff.max.ms", "1000");  // a broker that is back is noticed
    MR_ASSIGN_OR_RETURN(auto producer,
                        ClusterClient::New(ClusterClient::Role::kProducer, settings_, own));
    MR_ASSIGN_OR_RETURN(partitions_, producer->CountPartitions(topic_));
    counted_us_ = clock_.MonotonicMicros();
    if (exactly_once_) {
      if (auto* error = rd_kafka_init_transactions(producer->handle(), kCommitTimeoutMs)) {
        return producer->Error(error, Doing());
      }
    }
    MR_ASSIGN_OR_RETURN(group_, ClusterClient::New(ClusterClient::Role::kConsumer, settings_,
                                                   {{"group.id", id_},
                                                    {"enable.auto.commit", "false"},
                                                    {"isolation.level", "read_committed"}}));
    TopicList epoch = EpochOffset(RD_KAFKA_OFFSET_INVALID);
    auto code = rd_kafka_committed(group_->handle(), epoch.get(), kCommitTimeoutMs);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = epoch->elems[0].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return group_->Error(code, Doing());
    committed_ = std::max<model::Epoch>(committed_, epoch->elems[0].offset);
    if (exactly_once_) group_.reset();
    producer_ = std::move(producer);
    return Status::Ok();
  }

  Status Send(model::Epoch epoch) {
    if (clock_.MonotonicMicros() - counted_us_ >= kCountPartitionsEveryUs) {
      MR_ASSIGN_OR_RETURN(partitions_, producer_->CountPartitions(topic_));
      counted_us_ = clock_.MonotonicMicros();
    }
    rd_kafka_t* handle = producer_->handle();
    if (exactly_once_) {
      if (auto* error = rd_kafka_begin_transaction(handle)) return producer_->Error(error, Doing());
    }
    MR_RETURN_IF_ERROR(Produce(epoch));
    return exactly_once_ ? CommitTransaction(epoch) : Flush(epoch);
  }

  Status Produce(model::Epoch epoch) {
    const std::string header = EpochHeader(epoch);
    std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> topic(
        rd_kafka_topic_new(producer_->handle(), topic_.c_str(), nullptr), rd_kafka_topic_destroy);
    if (!topic) return producer_->Error(rd_kafka_last_error(), Doing());
    int waited_ms = 0;
    for (size_t i = 0; i < rows_->size();) {
      const TopicRows::Record row = rows_->At(i);
      // No copies: the rows stay until this epoch is through, or the producer is gone.
      const std::string_view key = row.key.value_or(std::string_view());
      const std::string_view value = row.value.value_or(std::string_view());
      const auto code = rd_kafka_producev(
          producer_->handle(), RD_KAFKA_V_RKT(topic.get()),
          RD_KAFKA_V_PARTITION(rows_->Partition(i, epoch, partitions_)),
          RD_KAFKA_V_KEY(key.data(), key.size()),
          RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
          RD_KAFKA_V_HEADER(kEpochHeader, header.data(), static_cast<ssize_t>(header.size())),
          RD_KAFKA_V_END);
      if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && waited_ms < kCommitTimeoutMs) {
        waited_ms += kQueueFullWaitMs;
        rd_kafka_poll(producer_->handle(), kQueueFullWaitMs);
        continue;
      }
      if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        return Status(Code::kFailedPrecondition,
                      fmt::format("{}: a record of {} bytes is larger than a message may be",
                                  Doing(), key.size() + value.size()))
            .WithHint("raise 'properties.max.request.size', and max.message.bytes of the topic");
      }
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return producer_->Error(code, Doing());
      waited_ms = 0;
      i++;
    }
    return Status::Ok();
  }

  Status CommitTransaction(model::Epoch epoch) {
    rd_kafka_t* handle = producer_->handle();
    TopicList offset = EpochOffset(epoch);
    GroupMetadata group(rd_kafka_consumer_group_metadata_new(id_.c_str()));
    if (auto* error = rd_kafka_send_offsets_to_transaction(handle, offset.get(), group.get(),
                                                           kCommitTimeoutMs)) {
      return producer_->Error(error, Doing());
    }
    if (auto* error = rd_kafka_commit_transaction(handle, kCommitTimeoutMs)) {
      return producer_->Error(error, Doing());
    }
    producer_->Serve();
    return Status::Ok();
  }

  Status Flush(model::Epoch epoch) {
    const auto flushed = rd_kafka_flush(producer_->handle(), kCommitTimeoutMs);
    if (flushed != RD_KAFKA_RESP_ERR_NO_ERROR) return producer_->Error(flushed, Doing());
    const auto failed = producer_->TakeDeliveryError();
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return producer_->Error(failed, Doing());
    const auto code = rd_kafka_commit(group_->handle(), EpochOffset(epoch).get(), 0);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? Status::Ok() : group_->Error(code, Doing());
  }

  TopicList EpochOffset(int64_t epoch) const {
    TopicList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), 0)->offset = epoch;
    return list;
  }

  std::string Doing() const { return "writing to topic \"" + topic_ + "\""; }

  env::Clock& clock_;
  const std::string topic_;
  const bool exactly_once_;
  const std::string id_;  // of the transactions, and of the group that remembers the epoch
  std::unique_ptr<TopicRows> rows_;  // outlives the producer, which points into them
  std::map<std::string, std::string> settings_;
  std::unique_ptr<ClusterClient> producer_;  // null: to be connected
  std::unique_ptr<ClusterClient> group_;     // commits the epoch where no transaction does
  int partitions_ = 0;
  int64_t counted_us_ = 0;
  model::Epoch committed_ = 0;
};

}  // namespace

Result<std::unique_ptr<Sink>> NewClusterSink(const TableContext& table, bool upsert) {
  MR_ASSIGN_OR_RETURN(auto rows, TopicRows::New(table, upsert));
  MR_ASSIGN_OR_RETURN(auto settings, ClusterSettings(table.options.raw()));
  // The group of the options is the sources'.
  settings.erase("group.id");
  return std::unique_ptr<Sink>(new ClusterSink(table, std::move(rows), std::move(settings)));
}

}  // namespace millrace::connectors::kafka
