#include "connectors/kafka/cluster_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "connectors/kafka/cluster_partition.h"
#include "connectors/kafka/cluster_settings.h"
#include "connectors/kafka/offset_modes.h"
#include "env/clock.h"
#include "env/diag.h"

namespace millrace::connectors::kafka {

namespace {

using millrace::connectors::Split;

// A Read looks so often for what librdkafka has.
constexpr int64_t kWaitSliceUs = 50'000;
// So many times without anything new, and a job that is to stop leaves its epoch for the next
// start.
constexpr int kWaitsInVainMax = 40;
constexpr int64_t kWaitMaxUs = 1'000'000;
// How long the end of a job waits for its last positions to be committed, which are for show.
constexpr int kCommitTimeoutMs = 2'000;

class ClusterSource : public Source {
 public:
  ClusterSource(const TableContext& table, OffsetMode startup, OffsetMode bound,
                std::map<std::string, std::string> settings)
      : clock_(table.services.clock ? *table.services.clock : *env::Clock::System()),
        topic_(table.options.GetString("topic")),
        group_(table.options.GetString("properties.group.id")),
        reset_(table.options.GetString("properties.auto.offset.reset")),
        startup_(std::move(startup)),
        bound_(std::move(bound)),
        bounded_(!bound_.mode.empty() && bound_.mode != "unbounded"),
        discovery_us_(table.options.GetMicros("scan.topic-partition-discovery.interval")),
        settings_(std::move(settings)) {}

  ~ClusterSource() override {
    partitions_.clear();
    if (commits_) {
      TakeCommitAnswers(kCommitTimeoutMs);
      rd_kafka_queue_destroy(commits_);
    }
    if (handle_) rd_kafka_topic_destroy(handle_);
  }

  Status Open(const std::vector<size_t>&) override {
    std::map<std::string, std::string> own = {
        // Which offsets are read is the job's decision, and a position that is gone is an error.
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        // Tells where a partition ends behind transaction markers, which nobody is shown.
        {"enable.partition.eof", "true"},
    };
    // A broker that is back is noticed soon.
    settings_.try_emplace("reconnect.backoff.max.ms", "1000");
    MR_ASSIGN_OR_RETURN(client_,
                        ClusterClient::New(ClusterClient::Role::kConsumer, settings_, own));
    handle_ = rd_kafka_topic_new(client_->handle(), topic_.c_str(), nullptr);
    if (!handle_) return client_->Error(rd_kafka_last_error(), "topic \"" + topic_ + "\"");
    return Status::Ok();
  }

  Result<std::vector<Split>> Splits() override {
    const int64_t now = clock_.MonotonicMicros();
    const bool first = known_ == 0;
    const bool due = discovery_us_ > 0 && now - asked_us_ >= discovery_us_;
    if (first || (due && !bounded_)) {
      MR_ASSIGN_OR_RETURN(const int count, client_->CountPartitions(topic_));
      asked_us_ = now;
      if (first && bounded_) MR_RETURN_IF_ERROR(FindBounds(count));
      known_ = std::max(known_, count);
    }
    std::vector<Split> splits;
    for (int p = 0; p < known_; p++) splits.push_back({std::to_string(p)});
    return splits;
  }

  Result<model::Offset> Start(const Split& split) override {
    MR_ASSIGN_OR_RETURN(const int partition, PartitionOf(split));
    if (startup_.mode.empty()) return Lowest(partition);
    return Find(startup_, partition);
  }

  Result<Ready> Poll(const Split& split, model::Offset from, int64_t budget_bytes) override {
    MR_ASSIGN_OR_RETURN(const int number, PartitionOf(split));
    const model::Offset limit = bounded_ ? bounds_[static_cast<size_t>(number)] : kNoLimit;
    if (from >= limit) return Ready{.to = from, .end = true, .behind = 0};
    ClusterPartition& partition = At(number);
    MR_RETURN_IF_ERROR(partition.SeekTo(from));
    MR_RETURN_IF_ERROR(partition.Take(budget_bytes));
    Ready ready{.to = from, .end = false, .behind = 0};
    // Markers alone are worth no epoch: they are passed together with the next record.
    if (partition.has_records() || partition.through() >= limit) {
      ready.to = std::min(partition.AfterBytes(from, budget_bytes), limit);
    } else {
      MR_RETURN_IF_ERROR(CheckCluster());
    }
    ready.end = ready.to >= limit;
    ready.behind = ready.end ? 0 : partition.Behind(ready.to);
    return ready;
  }

  Status Read(const Split& split, model::Offset from, model::Offset to,
              SourceOutput& out) override {
    MR_ASSIGN_OR_RETURN(const int number, PartitionOf(split));
    ClusterPartition& partition = At(number);
    MR_RETURN_IF_ERROR(partition.SeekTo(from));
    // A replay waits for the cluster: half an epoch cannot be taken back.
    for (int in_vain = 0; partition.through() < to; in_vain++) {
      const model::Offset before = partition.through();
      Status taken = partition.Take(kNoLimit);
      if (!taken.ok()) {
        if (taken.retry() == Retry::kNever) return taken;
        MR_RETURN_IF_ERROR(partition.SeekTo(from));
      }
      if (partition.through() >= to) break;
      if (partition.through() > before) in_vain = 0;
      if (interrupted_ && in_vain >= kWaitsInVainMax) {
        return Status(Code::kUnavailable,
                      fmt::format("offsets {} to {} of topic \"{}\" partition {} did not come "
                                  "before the job was stopped",
                                  from, to, topic_, number))
            .WithRetry(Retry::kReconnect);
      }
      client_->Serve();
      arrivals_.Wait(kWaitSliceUs);
    }
    partition.Give(from, to, out);
    return Status::Ok();
  }

  void Wait(int64_t deadline_monotonic_us) override {
    const int64_t left = deadline_monotonic_us - clock_.MonotonicMicros();
    if (left > 0 && !interrupted_) arrivals_.Wait(std::min(left, kWaitMaxUs));
  }

  void Interrupt() override {
    interrupted_ = true;
    arrivals_.Add();
  }

  // For tools that show how far a group is behind; the job itself goes by its state.
  void OnCheckpoint(const std::vector<Position>& positions) override {
    if (group_.empty() || positions.empty()) return;
    TopicList list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
    for (const Position& position : positions) {
      auto partition = PartitionOf(position.split);
      if (!partition.ok()) continue;
      rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), *partition)->offset =
          position.next;
    }
    if (!commits_) commits_ = rd_kafka_queue_new(client_->handle());
    TakeCommitAnswers(0);
    if (rd_kafka_commit_queue(client_->handle(), list.get(), commits_, nullptr, nullptr) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      commits_under_way_++;
    }
  }

 private:
  static constexpr model::Offset kNoLimit = INT64_MAX;

  ClusterPartition& At(int partition) {
    auto& found = partitions_[partition];
    if (!found) {
      found = std::make_unique<ClusterPartition>(*client_, handle_, partition, arrivals_);
    }
    return *found;
  }

  void TakeCommitAnswers(int timeout_ms) {
    while (commits_under_way_ > 0) {
      rd_kafka_event_t* answer = rd_kafka_queue_poll(commits_, timeout_ms);
      if (!answer) return;
      commits_under_way_--;
      if (rd_kafka_event_error(answer) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        diag::Warn("positions of consumer group were not committed group={} topic={} error=\"{}\"",
                   group_, topic_, rd_kafka_event_error_string(answer));
      }
      rd_kafka_event_destroy(answer);
    }
  }

  // Nothing comes: because there is nothing, or because nobody answers?
  Status CheckCluster() {
    client_->Serve();
    if (!client_->IsAway()) return Status::Ok();
    return client_->CountPartitions(topic_, 500).status();
  }

  Status FindBounds(int partitions) {
    bounds_.clear();
    for (int p = 0; p < partitions; p++) {
      MR_ASSIGN_OR_RETURN(const model::Offset bound, Find(bound_, p));
      bounds_.push_back(bound);
    }
    return Status::Ok();
  }

  struct Watermarks {
    model::Offset low = 0;
    model::Offset high = 0;  // behind it transactions are open
  };
  Result<Watermarks> Ask(int partition) {
    Watermarks marks;
    const auto code = rd_kafka_query_watermark_offsets(client_->handle(), topic_.c_str(), partition,
                                                       &marks.low, &marks.high, kAskTimeoutMs);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return marks;
    return client_->Error(code, Asking(partition));
  }
  Result<model::Offset> Lowest(int partition) {
    MR_ASSIGN_OR_RETURN(const Watermarks marks, Ask(partition));
    return marks.low;
  }
  std::string Asking(int partition) const {
    return fmt::format("asking for the offsets of topic \"{}\" partition {}", topic_, partition);
  }

  Result<model::Offset> Find(const OffsetMode& mode, int partition) {
    if (mode.mode == "timestamp") return ForTime(partition, mode.timestamp_ms);
    MR_ASSIGN_OR_RETURN(const Watermarks marks, Ask(partition));
    if (mode.mode == "earliest-offset") return marks.low;
    if (mode.mode == "latest-offset") return marks.high;
    if (mode.mode == "specific-offsets") {
      auto found = mode.offsets.find(partition);
      if (found != mode.offsets.end()) return std::clamp(found->second, marks.low, marks.high);
    }
    MR_ASSIGN_OR_RETURN(const model::Offset committed, Committed(partition));
    if (committed >= 0) return std::clamp(committed, marks.low, marks.high);
    // As in Flink, where what specific-offsets leaves out is read whole.
    if (mode.mode == "specific-offsets" || reset_ == "earliest") return marks.low;
    if (reset_ == "latest") return marks.high;
    return Status(Code::kFailedPrecondition,
                  fmt::format("consumer group \"{}\" has no position in topic \"{}\", and "
                              "'properties.auto.offset.reset' is 'none'",
                              group_, topic_))
        .WithHint("set 'scan.startup.mode' = 'earliest-offset'");
  }

  Result<model::Offset> ForTime(int partition, int64_t timestamp_ms) {
    TopicList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_t* one =
        rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition);
    one->offset = timestamp_ms;
    auto code = rd_kafka_offsets_for_times(client_->handle(), list.get(), kAskTimeoutMs);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = list->elems[0].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client_->Error(code, Asking(partition));
    if (list->elems[0].offset >= 0) return list->elems[0].offset;
    MR_ASSIGN_OR_RETURN(const Watermarks marks, Ask(partition));  // no record is that young
    return marks.high;
  }

  // The group's; < 0: none.
  Result<model::Offset> Committed(int partition) {
    if (group_.empty()) return -1;
    TopicList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition);
    auto code = rd_kafka_committed(client_->handle(), list.get(), kAskTimeoutMs);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = list->elems[0].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return client_->Error(code, "asking for the position of consumer group \"" + group_ + "\"");
    }
    return list->elems[0].offset;
  }

  env::Clock& clock_;
  const std::string topic_;
  const std::string group_;
  const std::string reset_;
  const OffsetMode startup_;
  const OffsetMode bound_;
  const bool bounded_;
  const int64_t discovery_us_;
  std::map<std::string, std::string> settings_;
  std::unique_ptr<ClusterClient> client_;
  rd_kafka_topic_t* handle_ = nullptr;
  Arrivals arrivals_;
  std::map<int, std::unique_ptr<ClusterPartition>> partitions_;
  rd_kafka_queue_t* commits_ = nullptr;  // answers to what OnCheckpoint committed
  int commits_under_way_ = 0;
  int known_ = 0;  // partitions; 0: not yet asked
  int64_t asked_us_ = 0;
  std::vector<model::Offset> bounds_;  // per partition, when bounded
  std::atomic<bool> interrupted_{false};
};

}  // namespace

Result<std::unique_ptr<Source>> NewClusterSource(const TableContext& table) {
  MR_ASSIGN_OR_RETURN(OffsetMode startup, OffsetModeOf(table, "scan.startup"));
  MR_ASSIGN_OR_RETURN(OffsetMode bound, OffsetModeOf(table, "scan.bounded"));
  MR_ASSIGN_OR_RETURN(auto settings, ClusterSettings(table.options.raw()));
  return std::unique_ptr<Source>(
      new ClusterSource(table, std::move(startup), std::move(bound), std::move(settings)));
}

}  // namespace millrace::connectors::kafka
