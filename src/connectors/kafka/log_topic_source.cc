// Source over a topic of the embedded log: one split per partition, positions are offsets.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "connectors/kafka/kafka.h"
#include "connectors/kafka/log_topic.h"
#include "connectors/kafka/offset_modes.h"
#include "env/clock.h"
#include "env/diag.h"
#include "log/topic_reader.h"

namespace millrace::connectors::kafka {

namespace {

// One block handed to the job: large enough to be read at full speed, small enough for the cache.
constexpr int64_t kBlockBytes = 1 << 20;
// How long a Wait may miss an Interrupt that comes between its check and its sleep.
constexpr int64_t kWaitSliceUs = 50'000;
constexpr int kSlicesBetweenTries = 20;

class LogTopicSource : public Source {
 public:
  LogTopicSource(const TableContext& table, OffsetMode startup)
      : table_(table),
        log_(*table.services.log),
        clock_(table.services.clock ? *table.services.clock : *env::Clock::System()),
        topic_(table.options.GetString("topic")),
        records_(log_, topic_),
        bounded_(table.options.GetString("scan.bounded.mode") == "latest-offset"),
        startup_(std::move(startup)) {}

  Status Open(const std::vector<size_t>&) override {
    seen_commits_ = log_.CommitCount();
    MR_ASSIGN_OR_RETURN(created_by_table_, EnsureTopic(table_));
    MR_ASSIGN_OR_RETURN(auto info, log_.Describe(topic_));
    first_partitions_ = info.config.partitions;
    for (int p = 0; bounded_ && p < first_partitions_; p++) {
      MR_ASSIGN_OR_RETURN(auto partition, log_.DescribePartition(topic_, p));
      bounds_.push_back(partition.stable_offset);
    }
    return Status::Ok();
  }

  Result<std::vector<Split>> Splits() override {
    MR_ASSIGN_OR_RETURN(auto info, log_.Describe(topic_));
    const int partitions = bounded_ ? first_partitions_ : info.config.partitions;
    std::vector<Split> splits;
    for (int p = 0; p < partitions; p++) splits.push_back({std::to_string(p)});
    return splits;
  }

  Result<model::Offset> Start(const Split& split) override {
    MR_ASSIGN_OR_RETURN(int partition, PartitionOf(split));
    MR_ASSIGN_OR_RETURN(auto info, log_.DescribePartition(topic_, partition));
    // Records of a topic or partition that is younger than the table are all meant for it.
    if (created_by_table_ || partition >= first_partitions_) return records_.Start(partition);
    const std::string& mode = startup_.mode;
    if (mode.empty() || mode == "earliest-offset") return records_.Start(partition);
    if (mode == "latest-offset") return info.stable_offset;
    if (mode == "timestamp") {
      return records_.OffsetForTime(partition, startup_.timestamp_ms);
    }
    if (mode == "specific-offsets") {
      auto found = startup_.offsets.find(partition);
      if (found == startup_.offsets.end()) return info.stable_offset;
      MR_ASSIGN_OR_RETURN(const int64_t start, records_.Start(partition));
      return std::clamp(found->second, start, info.end_offset);
    }
    const std::string reset = table_.options.GetString("properties.auto.offset.reset");
    if (reset == "earliest") return records_.Start(partition);
    if (reset == "latest") return info.stable_offset;
    return Status(Code::kFailedPrecondition, "the job has no position in topic \"" + topic_ +
                                                 "\" and 'properties.auto.offset.reset' is 'none'")
        .WithHint("set 'scan.startup.mode' = 'earliest-offset'");
  }

  Result<Ready> Poll(const Split& split, model::Offset from, int64_t budget_bytes) override {
    MR_ASSIGN_OR_RETURN(int partition, PartitionOf(split));
    MR_ASSIGN_OR_RETURN(auto info, log_.DescribePartition(topic_, partition));
    MR_RETURN_IF_ERROR(CheckPosition(partition, from, info));
    // Behind it transactions are open, whose records may yet be aborted.
    int64_t limit = info.stable_offset;
    if (bounded_) {
      limit = std::min(limit, bounds_[static_cast<size_t>(partition)]);
      if (from >= limit) return Ready{.to = from, .end = true, .behind = 0};
    }
    Ready ready{.to = from, .end = false, .behind = 0};
    if (from < limit) {
      MR_ASSIGN_OR_RETURN(int64_t after, records_.OffsetAfterBytes(partition, from, budget_bytes));
      ready.to = std::clamp(after, from + 1, limit);
      ready.behind = limit - ready.to;
      ready.end = bounded_ && ready.to == limit;
    }
    return ready;
  }

  Status Read(const Split& split, model::Offset from, model::Offset to,
              SourceOutput& out) override {
    MR_ASSIGN_OR_RETURN(int partition, PartitionOf(split));
    while (from < to) {
      auto next =
          records_.Read(partition, from, to, kBlockBytes,
                        [&](std::span<const model::Record> records) { out.OnRecords(records); });
      if (!next.ok()) {
        MR_RETURN_IF_ERROR(WaitAfter(next.status()));
        continue;
      }
      if (*next <= from) {
        return Status(Code::kInternal, "the log gave nothing for offset " + std::to_string(from) +
                                           " of topic \"" + topic_ + "\" partition " + split.id);
      }
      from = *next;
    }
    return Status::Ok();
  }

  void Wait(int64_t deadline_monotonic_us) override {
    while (!interrupted_.exchange(false)) {
      const int64_t left = deadline_monotonic_us - clock_.MonotonicMicros();
      if (left <= 0) return;
      // A commit between the last Poll and here has moved the counter past seen_commits_ already.
      const uint64_t now = log_.WaitForCommit(seen_commits_, std::min(left, kWaitSliceUs));
      if (now != seen_commits_) {
        seen_commits_ = now;
        return;
      }
    }
  }

  void Interrupt() override {
    interrupted_ = true;
    log_.WakeWaiters();
  }

 private:
  // OK: what failed, and gave nothing yet, is to be tried again. An epoch that was begun waits for
  // an archive that is away: half of it cannot be taken back.
  Status WaitAfter(const Status& failed) {
    if (failed.retry() == Retry::kNever || interrupted_) return failed;
    diag::Warn("job waits for records of a topic job={} error=\"{}\"", table_.job,
               failed.message());
    for (int slice = 0; slice < kSlicesBetweenTries && !interrupted_; slice++) {
      std::this_thread::sleep_for(std::chrono::microseconds(kWaitSliceUs));
    }
    return Status::Ok();
  }

  Status CheckPosition(int partition, model::Offset from, const log::PartitionInfo& info) const {
    const std::string where = "topic \"" + topic_ + "\" partition " + std::to_string(partition);
    MR_ASSIGN_OR_RETURN(const int64_t start, from < info.start_offset ? records_.Start(partition)
                                                                      : Result<int64_t>(from));
    if (from < start) {
      return Status(Code::kFailedPrecondition,
                    where + " no longer has records " + std::to_string(from) + " to " +
                        std::to_string(start - 1) + ", which the job has not read")
          .WithDetail("retention removed them")
          .WithHint(
              "keep records longer ('properties.retention.ms'), or reset the job's state to "
              "go on from the oldest record");
    }
    if (from > info.end_offset) {
      return Status(Code::kFailedPrecondition,
                    where + " ends at " + std::to_string(info.end_offset) +
                        ", before the job's position " + std::to_string(from))
          .WithDetail("the topic was deleted and created again, or another log is mounted")
          .WithHint("reset the job's state");
    }
    return Status::Ok();
  }

  const TableContext table_;
  log::Log& log_;
  env::Clock& clock_;
  const std::string topic_;
  log::TopicReader records_;
  const bool bounded_;
  const OffsetMode startup_;
  bool created_by_table_ = false;
  int first_partitions_ = 0;     // when the source was opened
  std::vector<int64_t> bounds_;  // per partition, when bounded
  uint64_t seen_commits_ = 0;
  std::atomic<bool> interrupted_{false};
};

}  // namespace

Result<std::unique_ptr<Source>> NewLogTopicSource(const TableContext& table) {
  if (!table.services.log) {
    return Status(Code::kUnsupported,
                  "table \"" + table.name + "\" is a topic of the embedded log, which is not here")
        .WithHint("a topic of a Kafka cluster has 'connector' = 'kafka-cluster'");
  }
  MR_ASSIGN_OR_RETURN(OffsetMode startup, OffsetModeOf(table, "scan.startup"));
  return std::unique_ptr<Source>(new LogTopicSource(table, std::move(startup)));
}

}  // namespace millrace::connectors::kafka
