// Source over a topic of the embedded log: one split per partition, positions are offsets.
#include <algorithm>
#include <atomic>
#include <charconv>

#include "base/strings.h"
#include "connectors/kafka/kafka.h"
#include "connectors/kafka/log_topic.h"
#include "env/clock.h"

namespace millrace::connectors::kafka {

namespace {

// One block handed to the job: large enough to be read at full speed, small enough for the cache.
constexpr int64_t kBlockBytes = 1 << 20;
// How long a Wait may miss an Interrupt that comes between its check and its sleep.
constexpr int64_t kWaitSliceUs = 50'000;

template <typename Int>
bool ParseInt(std::string_view text, Int& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// "partition:0,offset:42;partition:1,offset:300"
Result<std::map<int, int64_t>> ParseSpecificOffsets(const std::string& text) {
  std::map<int, int64_t> offsets;
  for (const std::string& pair : millrace::Split(text, ';')) {
    const std::string_view trimmed = Trim(pair);
    if (trimmed.empty()) continue;
    const size_t comma = trimmed.find(',');
    int partition = -1;
    int64_t offset = -1;
    const std::string_view left = Trim(trimmed.substr(0, comma));
    const std::string_view right =
        comma == std::string_view::npos ? "" : Trim(trimmed.substr(comma + 1));
    if (!left.starts_with("partition:") || !right.starts_with("offset:") ||
        !ParseInt(left.substr(10), partition) || !ParseInt(right.substr(7), offset) ||
        partition < 0 || offset < 0) {
      return Status(Code::kBadOption, "option \"scan.startup.specific-offsets\" has the part \"" +
                                          std::string(trimmed) + "\", which is not understood")
          .WithHint("for example 'partition:0,offset:42;partition:1,offset:300'");
    }
    offsets[partition] = offset;
  }
  return offsets;
}

class LogTopicSource : public Source {
 public:
  LogTopicSource(const TableContext& table, std::map<int, int64_t> specific)
      : table_(table),
        log_(*table.services.log),
        clock_(table.services.clock ? *table.services.clock : *env::Clock::System()),
        topic_(table.options.GetString("topic")),
        mode_(table.options.GetString("scan.startup.mode")),
        bounded_(table.options.GetString("scan.bounded.mode") == "latest-offset"),
        specific_(std::move(specific)) {}

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
    if (created_by_table_ || partition >= first_partitions_) return info.start_offset;
    if (mode_.empty() || mode_ == "earliest-offset") return info.start_offset;
    if (mode_ == "latest-offset") return info.stable_offset;
    if (mode_ == "timestamp") {
      return log_.OffsetForTime(topic_, partition,
                                table_.options.GetInt("scan.startup.timestamp-millis"));
    }
    if (mode_ == "specific-offsets") {
      auto found = specific_.find(partition);
      if (found == specific_.end()) return info.stable_offset;
      return std::clamp(found->second, info.start_offset, info.end_offset);
    }
    const std::string reset = table_.options.GetString("properties.auto.offset.reset");
    if (reset == "earliest") return info.start_offset;
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
      MR_ASSIGN_OR_RETURN(int64_t after,
                          log_.OffsetAfterBytes(topic_, partition, from, budget_bytes));
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
          log_.Read(topic_, partition, from, to, kBlockBytes,
                    [&](std::span<const model::Record> records) { out.OnRecords(records); });
      if (!next.ok()) return next.status();
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
  Result<int> PartitionOf(const Split& split) const {
    int partition = -1;
    if (ParseInt(split.id, partition) && partition >= 0) return partition;
    return Status(Code::kInvalidArgument, "\"" + split.id + "\" is not a partition of a topic");
  }

  Status CheckPosition(int partition, model::Offset from, const log::PartitionInfo& info) const {
    const std::string where = "topic \"" + topic_ + "\" partition " + std::to_string(partition);
    if (from < info.start_offset) {
      return Status(Code::kFailedPrecondition,
                    where + " no longer has records " + std::to_string(from) + " to " +
                        std::to_string(info.start_offset - 1) + ", which the job has not read")
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
  const std::string mode_;
  const bool bounded_;
  const std::map<int, int64_t> specific_;
  bool created_by_table_ = false;
  int first_partitions_ = 0;     // when the source was opened
  std::vector<int64_t> bounds_;  // per partition, when bounded
  uint64_t seen_commits_ = 0;
  std::atomic<bool> interrupted_{false};
};

}  // namespace

Result<std::unique_ptr<Source>> NewLogTopicSource(const TableContext& table) {
  if (!table.services.log) {
    return Status(Code::kUnsupported, "table \"" + table.name +
                                          "\" needs a Kafka broker, which this version cannot read")
        .WithHint("use the target \"dev\": there topics live in the embedded log");
  }
  const Options& options = table.options;
  const std::string mode = options.GetString("scan.startup.mode");
  if (mode == "timestamp" && !options.Has("scan.startup.timestamp-millis")) {
    return Status(Code::kBadOption, "table \"" + table.name +
                                        "\": 'scan.startup.mode' = 'timestamp' needs "
                                        "'scan.startup.timestamp-millis'");
  }
  std::map<int, int64_t> specific;
  if (mode == "specific-offsets") {
    if (!options.Has("scan.startup.specific-offsets")) {
      return Status(Code::kBadOption, "table \"" + table.name +
                                          "\": 'scan.startup.mode' = 'specific-offsets' needs "
                                          "'scan.startup.specific-offsets'");
    }
    MR_ASSIGN_OR_RETURN(specific,
                        ParseSpecificOffsets(options.GetString("scan.startup.specific-offsets")));
  }
  return std::unique_ptr<Source>(new LogTopicSource(table, std::move(specific)));
}

}  // namespace millrace::connectors::kafka
