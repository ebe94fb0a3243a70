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
// With PRIMARY KEY semantics (`upsert-kafka`) an epoch writes one record per key that changed: its
// new row, or a tombstone. Formats that are changelogs write every change, and the changes of one
// PRIMARY KEY to one partition.
//
// Every record carries the header "millrace.epoch" (8 bytes, big endian), for tracing.
#include <fmt/format.h>

#include <charconv>
#include <condition_variable>
#include <duckdb/common/vector_operations/vector_operations.hpp>
#include <mutex>

#include "base/strings.h"
#include "connectors/kafka/kafka.h"
#include "connectors/kafka/log_topic.h"
#include "connectors/kafka/record_key.h"
#include "connectors/net_changes.h"
#include "connectors/schema_registry/schema_registry.h"
#include "format/encoder.h"
#include "format/format_options.h"

namespace millrace::connectors::kafka {

namespace {

constexpr std::string_view kEpochHeader = "millrace.epoch";
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

bool HasBinaryFormat(const Options& options) {
  for (const char* name : {"format", "value.format", "key.format"}) {
    auto format = format::FindFormat(options.GetString(name));
    if (format.ok() && (*format)->binary) return true;
  }
  return false;
}

class LogTopicSink : public Sink {
 public:
  // What a row that is taken away becomes.
  enum class Mode { kAppend, kChangelog, kUpsert };

  LogTopicSink(const TableContext& table, Mode mode, std::unique_ptr<RecordKey> keys,
               std::unique_ptr<format::Encoder> encoder, std::vector<size_t> value_columns)
      : table_(table),
        mode_(mode),
        binary_(HasBinaryFormat(table.options)),
        log_(*table.services.log),
        topic_(table.options.GetString("topic")),
        partitioner_(table.options.GetString("sink.partitioner")),
        producer_id_(ProducerId(table)),
        note_(table, "commits." + std::to_string(TopicNumber(topic_))),
        keys_(std::move(keys)),
        encoder_(std::move(encoder)),
        value_columns_(std::move(value_columns)) {
    model::Schema schema;
    for (size_t c : value_columns_) schema.columns.push_back(table_.schema.columns[c]);
    value_chunk_.InitializeEmpty(schema.Types());
  }

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

  Status Write(const SinkBatch& batch) override {
    duckdb::DataChunk& rows = *batch.rows;
    if (binary_) MR_RETURN_IF_ERROR(CheckNotNull(rows));
    keys_->UseChunk(rows);
    for (size_t i = 0; i < value_columns_.size(); i++) {
      value_chunk_.data[i].Reference(rows.data[value_columns_[i]]);
    }
    value_chunk_.SetCardinality(rows.size());
    encoder_->Bind(value_chunk_);
    for (duckdb::idx_t row = 0; row < rows.size(); row++) {
      const int32_t weight = batch.weights ? (*batch.weights)[row] : 1;
      if (mode_ == Mode::kUpsert) {
        MR_RETURN_IF_ERROR(AddChange(row, weight));
        continue;
      }
      if (weight < 0 && mode_ == Mode::kAppend) {
        return Status(Code::kUnsupported, "table \"" + table_.name +
                                              "\" takes new rows only, but "
                                              "the query takes rows back")
            .WithDetail("a topic cannot forget a record")
            .WithHint(
                "write updating results into a table with a PRIMARY KEY ('connector' = 'jdbc' or "
                "'upsert-kafka'), or as changes ('format' = 'debezium-json')");
      }
      for (int32_t copy = 0; copy < std::abs(weight); copy++) AddRow(row, weight > 0);
    }
    return Status::Ok();
  }

  Status Commit(model::Epoch epoch) override {
    if (epoch <= progress_.epoch) {  // a repeat of a commit whose answer got lost
      Clear();
      return Status::Ok();
    }
    if (mode_ == Mode::kUpsert) AddFinalChanges();
    std::string header(8, '\0');
    for (int i = 0; i < 8; i++) {
      header[static_cast<size_t>(i)] =
          static_cast<char>(static_cast<uint64_t>(epoch) >> (8 * (7 - i)));
    }
    std::vector<std::vector<log::NewRecord>> records(static_cast<size_t>(progress_.partitions));
    for (size_t i = 0; i < entries_.size(); i++) {
      const Entry& entry = entries_[i];
      log::NewRecord& record = records[Partition(entry, epoch, i)].emplace_back();
      const std::string_view bytes = std::string_view(bytes_).substr(entry.begin);
      if (entry.has_key && keys_->written()) record.key = bytes.substr(0, entry.key_bytes);
      if (entry.has_value) record.value = bytes.substr(entry.key_bytes, entry.value_bytes);
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
    Clear();
    return Status::Ok();
  }

 private:
  struct Entry {
    size_t begin = 0;  // in bytes_: the key, then the value
    size_t key_bytes = 0;
    size_t value_bytes = 0;
    bool has_key = false;
    bool has_value = true;  // false: a tombstone
  };

  // A schema in which a column is NOT NULL has no bytes for it.
  Status CheckNotNull(duckdb::DataChunk& rows) const {
    for (size_t c = 0; c < rows.ColumnCount(); c++) {
      const model::Column& column = table_.schema.columns[c];
      if (column.nullable || !duckdb::VectorOperations::HasNull(rows.data[c], rows.size()))
        continue;
      return Status(Code::kFailedPrecondition,
                    "column \"" + column.name + "\" of table \"" + table_.name +
                        "\" is NOT NULL, but a row to be written has none")
          .WithHint("leave such rows out (WHERE … IS NOT NULL), or give them a value (COALESCE)");
    }
    return Status::Ok();
  }

  // Keeps the notes apart when a table is pointed at another topic.
  static uint32_t TopicNumber(const std::string& topic) {
    uint32_t hash = 2166136261u;  // FNV-1a
    for (char c : topic) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
    return hash;
  }

  void AddRow(duckdb::idx_t row, bool comes) {
    Entry entry;
    entry.begin = bytes_.size();
    entry.has_key = keys_->has_key() && keys_->Append(row, bytes_);
    entry.key_bytes = bytes_.size() - entry.begin;
    encoder_->EncodeChange(row, comes, bytes_);
    entry.value_bytes = bytes_.size() - entry.begin - entry.key_bytes;
    entries_.push_back(entry);
  }

  Status AddChange(duckdb::idx_t row, int32_t weight) {
    key_bytes_.clear();
    value_bytes_.clear();
    if (keys_->HasNull(row)) {
      return Status(Code::kFailedPrecondition,
                    "a column of the primary key of table \"" + table_.name + "\" is NULL")
          .WithHint("leave such rows out (WHERE … IS NOT NULL), or give them a value (COALESCE)");
    }
    keys_->Append(row, key_bytes_);
    encoder_->EncodeBound(row, value_bytes_);
    changes_.Add(key_bytes_, value_bytes_, 0, weight);
    return Status::Ok();
  }

  // In the order of the keys: the same for every run of the epoch, whichever shard was first.
  void AddFinalChanges() {
    entries_.clear();  // of a commit that failed
    bytes_.clear();
    std::vector<NetChanges::Change> changes = changes_.Final();
    std::sort(changes.begin(), changes.end(),
              [](const auto& a, const auto& b) { return a.key < b.key; });
    for (const NetChanges::Change& change : changes) {
      Entry entry{bytes_.size(), change.key.size(), 0, true, change.upsert};
      bytes_ += change.key;
      if (change.upsert) {
        bytes_ += change.row;
        entry.value_bytes = change.row.size();
      }
      entries_.push_back(entry);
    }
  }

  // Must depend on the record, the epoch and the record's number in it only.
  size_t Partition(const Entry& entry, model::Epoch epoch, size_t number) const {
    const auto n = static_cast<size_t>(progress_.partitions);
    if (partitioner_ == "fixed") return static_cast<size_t>(producer_id_) % n;
    if (entry.has_key && (mode_ == Mode::kUpsert || partitioner_ == "default")) {
      return static_cast<size_t>(log::PartitionForKey(
          std::string_view(bytes_).substr(entry.begin, entry.key_bytes), progress_.partitions));
    }
    return (static_cast<size_t>(epoch) + number) % n;
  }

  void Clear() {
    bytes_.clear();
    entries_.clear();
    changes_.Clear();
  }

  const TableContext table_;
  const Mode mode_;
  const bool binary_;  // of the key, the value or both
  log::Log& log_;
  const std::string topic_;
  const std::string partitioner_;
  const int64_t producer_id_;
  Note note_;
  std::unique_ptr<RecordKey> keys_;
  std::unique_ptr<format::Encoder> encoder_;
  std::vector<size_t> value_columns_;
  duckdb::DataChunk value_chunk_;
  Progress progress_;  // as the note on disk
  std::string bytes_;
  std::vector<Entry> entries_;
  NetChanges changes_;  // of an upsert
  std::string key_bytes_;
  std::string value_bytes_;
};

}  // namespace

Result<std::unique_ptr<Sink>> NewLogTopicSink(const TableContext& table, bool upsert) {
  if (!table.services.log) {
    return Status(
               Code::kUnsupported,
               "table \"" + table.name + "\" needs a Kafka broker, which this version cannot write")
        .WithHint("use the target \"dev\": there topics live in the embedded log");
  }
  const Options& options = table.options;
  const std::string format =
      options.Has("value.format") ? options.GetString("value.format") : options.GetString("format");
  MR_ASSIGN_OR_RETURN(const format::FormatSpec* format_spec, format::FindFormat(format));
  const bool changelog = format_spec->changelog != model::ChangelogKind::kAppend;
  const auto mode = upsert      ? LogTopicSink::Mode::kUpsert
                    : changelog ? LogTopicSink::Mode::kChangelog
                                : LogTopicSink::Mode::kAppend;
  MR_ASSIGN_OR_RETURN(auto keys, RecordKey::New(table, upsert, changelog));
  const bool except_key =
      keys->written() && options.GetString("value.fields-include") == "EXCEPT_KEY";
  std::vector<size_t> value_columns;
  model::Schema value_schema;
  for (size_t c = 0; c < table.schema.size(); c++) {
    const auto& key_columns = keys->columns();
    if (except_key && std::find(key_columns.begin(), key_columns.end(), c) != key_columns.end()) {
      continue;
    }
    value_columns.push_back(c);
    value_schema.columns.push_back(table.schema.columns[c]);
  }
  std::map<std::string, std::string> format_options;
  for (const auto& [name, value] : options.raw()) {
    if (name.starts_with(format + ".")) format_options[name] = value;
    if (name.starts_with("value." + format + ".")) format_options[name.substr(6)] = value;
  }
  MR_ASSIGN_OR_RETURN(auto registry,
                      schema_registry::RegistryFor(format, format_options, table.services));
  if (registry) {
    format_options.try_emplace("avro-confluent.subject", options.GetString("topic") + "-value");
  }
  MR_ASSIGN_OR_RETURN(auto encoder,
                      format::NewEncoder(format, value_schema, format_options, registry.get()));
  return std::unique_ptr<Sink>(
      new LogTopicSink(table, mode, std::move(keys), std::move(encoder), std::move(value_columns)));
}

}  // namespace millrace::connectors::kafka
