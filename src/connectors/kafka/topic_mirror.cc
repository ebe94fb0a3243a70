#include "connectors/kafka/topic_mirror.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "connectors/kafka/cluster_partition.h"
#include "log/record_headers.h"

namespace millrace::connectors::kafka {

namespace {

constexpr int kCommitTimeoutMs = 30'000;
constexpr int64_t kStepBytes = 4 << 20;
constexpr const char* kSourceOffset = "millrace.source.offset";

using Topic = std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)>;

// Hands the records of a partition to the producer.
class Forward : public SourceOutput {
 public:
  Forward(ClusterClient& producer, rd_kafka_topic_t* copy, int partition)
      : producer_(producer), copy_(copy), partition_(partition) {}

  void OnRows(duckdb::DataChunk&, std::span<const model::Offset>) override {}
  void OnRecords(std::span<const model::Record> records) override {
    for (const model::Record& record : records) {
      if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) failed = Produce(record);
      count++;
    }
  }

  int64_t count = 0;
  rd_kafka_resp_err_t failed = RD_KAFKA_RESP_ERR_NO_ERROR;

 private:
  rd_kafka_resp_err_t Produce(const model::Record& record) {
    const std::string offset = std::to_string(record.offset);
    for (;;) {
      rd_kafka_headers_t* headers = rd_kafka_headers_new(4);
      const auto add = [&](std::string_view name, std::optional<std::string_view> value) {
        rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()),
                            value ? value->data() : nullptr,
                            value ? static_cast<ssize_t>(value->size()) : 0);
      };
      for (const auto& [name, value] : log::ParseRecordHeaders(record.headers)) add(name, value);
      add(kSourceOffset, offset);
      const void* key = record.has_key ? record.key.data() : nullptr;
      void* value = const_cast<char*>(record.has_value ? record.value.data() : nullptr);
      const auto code = rd_kafka_producev(
          producer_.handle(), RD_KAFKA_V_RKT(copy_), RD_KAFKA_V_PARTITION(partition_),
          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, record.key.size()),
          RD_KAFKA_V_VALUE(value, record.value.size()), RD_KAFKA_V_TIMESTAMP(record.timestamp_ms),
          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return code;
      rd_kafka_headers_destroy(headers);  // only a message that was taken owns them
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return code;
      rd_kafka_poll(producer_.handle(), 100);
    }
  }

  ClusterClient& producer_;
  rd_kafka_topic_t* copy_;
  const int partition_;
};

class TopicMirrorImpl : public TopicMirror {
 public:
  explicit TopicMirrorImpl(const TopicMirrorOptions& options)
      : options_(options), id_("millrace-mirror-" + options.topic + "-" + options.copy) {}

  Status Begin() {
    MR_ASSIGN_OR_RETURN(consumer_, ClusterClient::New(ClusterClient::Role::kConsumer, options_.from,
                                                      {{"enable.auto.commit", "false"},
                                                       {"isolation.level", "read_committed"},
                                                       {"auto.offset.reset", "error"},
                                                       {"enable.partition.eof", "true"}}));
    MR_ASSIGN_OR_RETURN(const int count, consumer_->CountPartitions(options_.topic));
    topic_.reset(rd_kafka_topic_new(consumer_->handle(), options_.topic.c_str(), nullptr));
    for (int p = 0; p < count; p++) {
      partitions_.push_back(
          std::make_unique<ClusterPartition>(*consumer_, topic_.get(), p, arrivals_));
      int64_t low = 0, high = 0;
      const auto code = rd_kafka_query_watermark_offsets(
          consumer_->handle(), options_.topic.c_str(), p, &low, &high, kAskTimeoutMs);
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return consumer_->Error(code, Reading());
      next_.push_back(low);
      ends_.push_back(high);
    }
    return Connect();
  }

  Result<int64_t> Step(int64_t wait_us) override {
    if (!producer_) MR_RETURN_IF_ERROR(Connect());
    std::vector<model::Offset> to = next_;
    bool any = false;
    const int64_t share = std::max<int64_t>(1, kStepBytes / static_cast<int64_t>(to.size()));
    for (size_t p = 0; p < to.size(); p++) {
      MR_RETURN_IF_ERROR(partitions_[p]->SeekTo(next_[p]));
      MR_RETURN_IF_ERROR(partitions_[p]->Take(share));
      to[p] = partitions_[p]->AfterBytes(next_[p], share);
      any = any || to[p] > next_[p];
    }
    if (!any) {
      consumer_->Serve();
      if (consumer_->IsAway()) {
        MR_RETURN_IF_ERROR(consumer_->CountPartitions(options_.topic).status());
      }
      arrivals_.Wait(wait_us);
      return 0;
    }
    auto copied = Copy(to);
    if (!copied.ok()) {
      producer_.reset();  // the next one asks how far this one came
      return copied;
    }
    next_ = to;
    return copied;
  }

  int64_t Left() const override {
    int64_t left = 0;
    for (size_t p = 0; p < next_.size(); p++) left += std::max<int64_t>(0, ends_[p] - next_[p]);
    return left;
  }

 private:
  std::string Reading() const { return "reading topic \"" + options_.topic + "\""; }
  std::string Writing() const { return "writing to topic \"" + options_.copy + "\""; }

  Status MakeCopy(ClusterClient& client) {
    char reason[512];
    std::unique_ptr<rd_kafka_NewTopic_t, decltype(&rd_kafka_NewTopic_destroy)> wanted(
        rd_kafka_NewTopic_new(options_.copy.c_str(), static_cast<int>(partitions_.size()), -1,
                              reason, sizeof reason),
        rd_kafka_NewTopic_destroy);
    if (!wanted) return Status(Code::kInvalidArgument, Writing() + ": " + reason);
    std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)> answers(
        rd_kafka_queue_new(client.handle()), rd_kafka_queue_destroy);
    rd_kafka_NewTopic_t* one = wanted.get();
    rd_kafka_CreateTopics(client.handle(), &one, 1, nullptr, answers.get());
    std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)> answer(
        rd_kafka_queue_poll(answers.get(), kCommitTimeoutMs), rd_kafka_event_destroy);
    if (!answer) return client.Error(RD_KAFKA_RESP_ERR__TIMED_OUT, Writing());
    auto code = rd_kafka_event_error(answer.get());
    size_t count = 0;
    if (const auto* result = rd_kafka_event_CreateTopics_result(answer.get())) {
      const auto** topics = rd_kafka_CreateTopics_result_topics(result, &count);
      if (count == 1) code = rd_kafka_topic_result_error(topics[0]);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      return Status::Ok();
    }
    return client.Error(code, Writing());
  }

  // A producer that has ended what the last one left open, and how far that came.
  Status Connect() {
    MR_ASSIGN_OR_RETURN(auto group, ClusterClient::New(ClusterClient::Role::kConsumer, options_.to,
                                                       {{"group.id", id_},
                                                        {"enable.auto.commit", "false"},
                                                        {"isolation.level", "read_committed"}}));
    auto there = group->CountPartitions(options_.copy);
    if (!there.ok() && there.status().code() == Code::kNotFound) {
      MR_RETURN_IF_ERROR(MakeCopy(*group));
      there = static_cast<int>(partitions_.size());
    }
    if (!there.ok()) return there.status();
    if (*there < static_cast<int>(partitions_.size())) {
      return Status(Code::kFailedPrecondition,
                    fmt::format("topic \"{}\" has {} partitions, its copy \"{}\" only {}",
                                options_.topic, partitions_.size(), options_.copy, *there))
          .WithHint("add partitions to the copy, or choose another with --as");
    }
    MR_ASSIGN_OR_RETURN(auto producer,
                        ClusterClient::New(ClusterClient::Role::kProducer, options_.to,
                                           {{"transactional.id", id_}}));
    if (auto* error = rd_kafka_init_transactions(producer->handle(), kCommitTimeoutMs)) {
      return producer->Error(error, Writing());
    }
    TopicList came = Offsets(std::vector<model::Offset>(next_.size(), RD_KAFKA_OFFSET_INVALID));
    const auto code = rd_kafka_committed(group->handle(), came.get(), kCommitTimeoutMs);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return group->Error(code, Writing());
    for (int p = 0; p < came->cnt; p++) {
      if (came->elems[p].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return group->Error(came->elems[p].err, Writing());
      }
      if (came->elems[p].offset >= 0) next_[static_cast<size_t>(p)] = came->elems[p].offset;
    }
    copy_.reset(rd_kafka_topic_new(producer->handle(), options_.copy.c_str(), nullptr));
    producer_ = std::move(producer);
    return Status::Ok();
  }

  TopicList Offsets(const std::vector<model::Offset>& offsets) const {
    TopicList list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
    for (size_t p = 0; p < offsets.size(); p++) {
      rd_kafka_topic_partition_list_add(list.get(), options_.copy.c_str(), static_cast<int>(p))
          ->offset = offsets[p];
    }
    return list;
  }

  Result<int64_t> Copy(const std::vector<model::Offset>& to) {
    rd_kafka_t* handle = producer_->handle();
    if (auto* error = rd_kafka_begin_transaction(handle)) {
      return producer_->Error(error, Writing());
    }
    int64_t count = 0;
    for (size_t p = 0; p < to.size(); p++) {
      Forward forward(*producer_, copy_.get(), static_cast<int>(p));
      partitions_[p]->Give(next_[p], to[p], forward);
      if (forward.failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return producer_->Error(forward.failed, Writing());
      }
      count += forward.count;
    }
    std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                    decltype(&rd_kafka_consumer_group_metadata_destroy)>
        group(rd_kafka_consumer_group_metadata_new(id_.c_str()),
              rd_kafka_consumer_group_metadata_destroy);
    if (auto* error = rd_kafka_send_offsets_to_transaction(handle, Offsets(to).get(), group.get(),
                                                           kCommitTimeoutMs)) {
      return producer_->Error(error, Writing());
    }
    if (auto* error = rd_kafka_commit_transaction(handle, kCommitTimeoutMs)) {
      return producer_->Error(error, Writing());
    }
    return count;
  }

  const TopicMirrorOptions options_;
  const std::string id_;
  std::unique_ptr<ClusterClient> consumer_;
  Topic topic_{nullptr, rd_kafka_topic_destroy};
  Arrivals arrivals_;
  std::vector<std::unique_ptr<ClusterPartition>> partitions_;
  std::vector<model::Offset> next_;          // by partition: the first not copied
  std::vector<model::Offset> ends_;          // when it began
  std::unique_ptr<ClusterClient> producer_;  // null: to be connected
  Topic copy_{nullptr, rd_kafka_topic_destroy};
};

}  // namespace

Result<std::unique_ptr<TopicMirror>> TopicMirror::Open(const TopicMirrorOptions& options) {
  auto mirror = std::make_unique<TopicMirrorImpl>(options);
  MR_RETURN_IF_ERROR(mirror->Begin());
  return std::unique_ptr<TopicMirror>(std::move(mirror));
}

}  // namespace millrace::connectors::kafka
