// Sink into a topic of the embedded log, exactly once.
//
// Protocol. The sink is an idempotent producer; its id is a hash of (job, table), its sequences
// count the records it ever wrote to each partition. One note (kafka/log_topic.h) holds
//
//   "<epoch> <partitions for the next epoch> <sequence of partition 0> <sequence of 1> …"
//
// Commit(E): (1) takes partition count n and sequences S from the note; (2) appends the epoch's
// records to the n partitions, partition p from sequence S[p] on, and waits until all are durable;
// (3) writes the note E, n', S + counts, n' being the topic's partition count now.
//
// Why this is exactly once: the note names the last epoch whose partitions are all complete. After
// a crash in (2) or (3) the job writes epoch E again, identically; it goes to the same partitions
// (n was fixed by the note before anything of E was appended, so adding partitions cannot move
// rows) and gets the same sequences, so the log keeps what it has and appends only what is missing.
//
// What the records are: kafka/topic_rows.h.
#include <fmt/format.h>

#include <charconv>
#include <condition_variable>
#include <mutex>

#include "base/strings.h"
#include "connectors/kafka/kafka.h"
#include "connectors/kafka/log_topic.h"
#include "connectors/kafka/topic_rows.h"

namespace millrace::connectors::kafka {

namespace {

// Appends are cut here so that one epoch never needs one huge buffer in the log.
constexpr size_t kRecordsPerAppend = 50'000;

struct Progress {
  model::Epoch epoch = 0;
  int partitions = 0;  // that the next epoch goes to
  std::vector<int64_t> sequences;
};

std::string ToText(const Progress& progress) {
  std::string text = fmt::format("{} {}", progress.epoch, progress.partitions);
  for (int64_t sequence : progress.sequences) text += fmt::format(" {}", sequence);
  return text;
}

Result<Progress> FromText(const std::string& text) {
  std::vector<int64_t> numbers;
  for (const std::string& part : millrace::Split(text, ' ')) {
    int64_t number = -1;
    auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size() || number < 0) numbers.clear();
    numbers.push_back(number);
  }
  if (numbers.size() < 3 || numbers[1] < 1 ||
      numbers.size() != static_cast<size_t>(numbers[1]) + 2) {
    return Status(Code::kCorruption, "the note of a topic sink is damaged: \"" + text + "\"");
  }
  return Progress{numbers[0], static_cast<int>(numbers[1]), {numbers.begin() + 2, numbers.end()}};
}

// Waits for several appends.
class Appends {
 public:
  void Started() { pending_++; }
  void Done(const log::AppendResult& result) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!result.status.ok() && status_.ok()) status_ = result.status;
    done_++;
    changed_.notify_one();
  }
  Status Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return done_ == pending_; });
    return status_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int pending_ = 0;  // changed by the waiting thread only
  int done_ = 0;
  Status status_;
};

class LogTopicSink : public Sink {
 public:
  LogTopicSink(const TableContext& table, std::unique_ptr<TopicRows> rows)
      : table_(table),
        log_(*table.services.log),
        topic_(table.options.GetString("topic")),
        producer_id_(ProducerId(table)),
        note_(table, "commits." + std::to_string(TopicNumber(topic_))),
        rows_(std::move(rows)) {}

  Status Open() override {
    auto created = EnsureTopic(table_);
    if (!created.ok()) return created.status();
    MR_ASSIGN_OR_RETURN(auto info, log_.Describe(topic_));
    MR_ASSIGN_OR_RETURN(auto text, note_.Read());
    if (text) {
      MR_ASSIGN_OR_RETURN(progress_, FromText(*text));
    } else {
      progress_ = {0, info.config.partitions,
                   std::vector<int64_t>(static_cast<size_t>(info.config.partitions), 0)};
      MR_RETURN_IF_ERROR(note_.Write(ToText(progress_)));
    }
    if (progress_.partitions > info.config.partitions) {
      return Status(Code::kFailedPrecondition, "topic \"" + topic_ +
                                                   "\" has fewer partitions than "
                                                   "when job \"" +
                                                   table_.job + "\" last wrote to it")
          .WithDetail("it was deleted and created again")
          .WithHint("reset the job's state");
    }
    for (int p = 0; p < progress_.partitions; p++) {
      MR_ASSIGN_OR_RETURN(int64_t next, log_.NextSequence(topic_, p, producer_id_));
      if (next < progress_.sequences[static_cast<size_t>(p)]) {
        return Status(Code::kFailedPrecondition, "topic \"" + topic_ +
                                                     "\" does not have everything that job \"" +
                                                     table_.job + "\" wrote to it")
            .WithDetail("it was deleted and created again")
            .WithHint("reset the job's state");
      }
    }
    return Status::Ok();
  }

  Result<model::Epoch> LastCommitted() override { return progress_.epoch; }

  Status Write(const SinkBatch& batch) override { return rows_->Add(batch); }

  Status Commit(model::Epoch epoch) override {
    if (epoch <= progress_.epoch) {  // a repeat of a commit whose answer got lost
      rows_->Clear();
      return Status::Ok();
    }
    rows_->Finish();
    const std::string header = EpochHeader(epoch);
    std::vector<std::vector<log::NewRecord>> records(static_cast<size_t>(progress_.partitions));
    for (size_t i = 0; i < rows_->size(); i++) {
      const TopicRows::Record row = rows_->At(i);
      const int p = rows_->Partition(i, epoch, progress_.partitions);
      log::NewRecord& record = records[static_cast<size_t>(p)].emplace_back();
      record.key = row.key;
      record.value = row.value;
      record.headers.emplace_back(kEpochHeader, header);
    }
    Progress next = progress_;
    next.epoch = epoch;
    Appends appends;
    for (size_t p = 0; p < records.size(); p++) {
      for (size_t at = 0; at < records[p].size(); at += kRecordsPerAppend) {
        const auto part =
            std::span(records[p]).subspan(at, std::min(kRecordsPerAppend, records[p].size() - at));
        appends.Started();
        log_.Append(topic_, static_cast<int>(p), part,
                    {producer_id_, progress_.sequences[p] + static_cast<int64_t>(at)},
                    [&appends](const log::AppendResult& result) { appends.Done(result); });
      }
      next.sequences[p] += static_cast<int64_t>(records[p].size());
    }
    MR_RETURN_IF_ERROR(appends.Wait());
    MR_ASSIGN_OR_RETURN(auto info, log_.Describe(topic_));
    next.partitions = info.config.partitions;
    next.sequences.resize(static_cast<size_t>(next.partitions), 0);
    MR_RETURN_IF_ERROR(note_.Write(ToText(next)));
    progress_ = std::move(next);
    rows_->Clear();
    return Status::Ok();
  }

 private:
  // Keeps the notes apart when a table is pointed at another topic.
  static uint32_t TopicNumber(const std::string& topic) {
    uint32_t hash = 2166136261u;  // FNV-1a
    for (char c : topic) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
    return hash;
  }

  const TableContext table_;
  log::Log& log_;
  const std::string topic_;
  const int64_t producer_id_;
  Note note_;
  std::unique_ptr<TopicRows> rows_;
  Progress progress_;  // as the note on disk
};

}  // namespace

Result<std::unique_ptr<Sink>> NewLogTopicSink(const TableContext& table, bool upsert) {
  if (!table.services.log) {
    return Status(Code::kUnsupported,
                  "table \"" + table.name + "\" is a topic of the embedded log, which is not here")
        .WithHint("a topic of a Kafka cluster has 'connector' = 'kafka-cluster'");
  }
  MR_ASSIGN_OR_RETURN(auto rows, TopicRows::New(table, upsert));
  return std::unique_ptr<Sink>(new LogTopicSink(table, std::move(rows)));
}

}  // namespace millrace::connectors::kafka
