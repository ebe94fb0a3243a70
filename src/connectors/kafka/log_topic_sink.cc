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
// Every record carries the header "millrace.epoch" (8 bytes, big endian), for tracing.
#include <fmt/format.h>

#include <charconv>
#include <condition_variable>
#include <mutex>

#include "base/strings.h"
#include "connectors/kafka/kafka.h"
#include "connectors/kafka/log_topic.h"
#include "format/encoder.h"

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

// Makes the key of a record: the text of the only key column ('key.format' = 'raw' or none), or the
// key columns in their own format.
class KeyEncoder {
 public:
  static Result<std::unique_ptr<KeyEncoder>> New(const TableContext& table) {
    auto keys = std::unique_ptr<KeyEncoder>(new KeyEncoder());
    const Options& options = table.options;
    if (!options.Has("key.fields")) return keys;
    model::Schema schema;
    for (const std::string& field : millrace::Split(options.GetString("key.fields"), ';')) {
      const std::string name(Trim(field));
      const int column = table.schema.Find(name);
      if (column < 0) {
        return Status(Code::kUnknownColumn, "option \"key.fields\" of table \"" + table.name +
                                                "\" names the column \"" + name +
                                                "\", which does not exist")
            .WithHint(DidYouMean(name, table.schema.Names()));
      }
      keys->columns_.push_back(static_cast<size_t>(column));
      schema.columns.push_back(table.schema.columns[static_cast<size_t>(column)]);
    }
    const std::string format =
        options.Has("key.format") ? options.GetString("key.format") : std::string("raw");
    if (format == "raw") {
      if (keys->columns_.size() == 1) return keys;
      return Status(Code::kBadOption, "table \"" + table.name +
                                          "\" has several key fields, which "
                                          "the key format \"raw\" cannot hold")
          .WithHint("'key.format' = 'json'");
    }
    std::map<std::string, std::string> own;
    for (const auto& [name, value] : options.raw()) {
      if (name.starts_with("key." + format + ".")) own[name.substr(4)] = value;
    }
    MR_ASSIGN_OR_RETURN(keys->encoder_, format::NewEncoder(format, schema, own));
    keys->chunk_.InitializeEmpty(schema.Types());
    return keys;
  }

  bool has_key() const { return !columns_.empty(); }
  const std::vector<size_t>& columns() const { return columns_; }

  void UseChunk(duckdb::DataChunk& rows) {
    rows_ = &rows;
    if (!encoder_) return;
    for (size_t i = 0; i < columns_.size(); i++) chunk_.data[i].Reference(rows.data[columns_[i]]);
    chunk_.SetCardinality(rows.size());
  }
  // False: the key is NULL.
  bool Append(duckdb::idx_t row, std::string& out) {
    if (encoder_) {
      encoder_->EncodeRow(chunk_, row, out);
      return true;
    }
    const duckdb::Value value = rows_->GetValue(columns_[0], row);
    if (value.IsNull()) return false;
    const bool bytes = value.type().id() == duckdb::LogicalTypeId::BLOB;
    out += bytes ? duckdb::StringValue::Get(value) : value.ToString();
    return true;
  }

 private:
  KeyEncoder() = default;
  std::vector<size_t> columns_;
  std::unique_ptr<format::Encoder> encoder_;
  duckdb::DataChunk chunk_;
  duckdb::DataChunk* rows_ = nullptr;
};

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
  LogTopicSink(const TableContext& table, std::unique_ptr<KeyEncoder> keys,
               std::unique_ptr<format::Encoder> encoder, std::vector<size_t> value_columns)
      : table_(table),
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
    keys_->UseChunk(rows);
    for (size_t i = 0; i < value_columns_.size(); i++) {
      value_chunk_.data[i].Reference(rows.data[value_columns_[i]]);
    }
    value_chunk_.SetCardinality(rows.size());
    for (duckdb::idx_t row = 0; row < rows.size(); row++) {
      const int32_t weight = batch.weights ? (*batch.weights)[row] : 1;
      if (weight < 0) {
        return Status(Code::kUnsupported, "table \"" + table_.name +
                                              "\" takes new rows only, but "
                                              "the query takes rows back")
            .WithDetail("a topic cannot forget a record")
            .WithHint(
                "write updating results into a table with a PRIMARY KEY ('connector' = 'jdbc')");
      }
      for (int32_t copy = 0; copy < weight; copy++) AddRow(row);
    }
    return Status::Ok();
  }

  Status Commit(model::Epoch epoch) override {
    if (epoch <= progress_.epoch) {  // a repeat of a commit whose answer got lost
      Clear();
      return Status::Ok();
    }
    std::string header(8, '\0');
    for (int i = 0; i < 8; i++) {
      header[static_cast<size_t>(i)] =
          static_cast<char>(static_cast<uint64_t>(epoch) >> (8 * (7 - i)));
    }
    std::vector<std::vector<log::NewRecord>> records(static_cast<size_t>(progress_.partitions));
    for (size_t i = 0; i < entries_.size(); i++) {
      const Entry& entry = entries_[i];
      log::NewRecord& record = records[Partition(entry, epoch, i)].emplace_back();
      if (entry.has_key) record.key = std::string_view(bytes_).substr(entry.begin, entry.key_bytes);
      record.value =
          std::string_view(bytes_).substr(entry.begin + entry.key_bytes, entry.value_bytes);
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
  };

  // Keeps the notes apart when a table is pointed at another topic.
  static uint32_t TopicNumber(const std::string& topic) {
    uint32_t hash = 2166136261u;  // FNV-1a
    for (char c : topic) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
    return hash;
  }

  void AddRow(duckdb::idx_t row) {
    Entry entry;
    entry.begin = bytes_.size();
    entry.has_key = keys_->has_key() && keys_->Append(row, bytes_);
    entry.key_bytes = bytes_.size() - entry.begin;
    encoder_->EncodeRow(value_chunk_, row, bytes_);
    entry.value_bytes = bytes_.size() - entry.begin - entry.key_bytes;
    entries_.push_back(entry);
  }

  // Must depend on the record, the epoch and the record's number in it only.
  size_t Partition(const Entry& entry, model::Epoch epoch, size_t number) const {
    const auto n = static_cast<size_t>(progress_.partitions);
    if (partitioner_ == "fixed") return static_cast<size_t>(producer_id_) % n;
    if (entry.has_key && partitioner_ == "default") {
      return static_cast<size_t>(log::PartitionForKey(
          std::string_view(bytes_).substr(entry.begin, entry.key_bytes), progress_.partitions));
    }
    return (static_cast<size_t>(epoch) + number) % n;
  }

  void Clear() {
    bytes_.clear();
    entries_.clear();
  }

  const TableContext table_;
  log::Log& log_;
  const std::string topic_;
  const std::string partitioner_;
  const int64_t producer_id_;
  Note note_;
  std::unique_ptr<KeyEncoder> keys_;
  std::unique_ptr<format::Encoder> encoder_;
  std::vector<size_t> value_columns_;
  duckdb::DataChunk value_chunk_;
  Progress progress_;  // as the note on disk
  std::string bytes_;
  std::vector<Entry> entries_;
};

}  // namespace

Result<std::unique_ptr<Sink>> NewLogTopicSink(const TableContext& table) {
  if (!table.services.log) {
    return Status(
               Code::kUnsupported,
               "table \"" + table.name + "\" needs a Kafka broker, which this version cannot write")
        .WithHint("use the target \"dev\": there topics live in the embedded log");
  }
  const Options& options = table.options;
  MR_ASSIGN_OR_RETURN(auto keys, KeyEncoder::New(table));
  const bool except_key = options.GetString("value.fields-include") == "EXCEPT_KEY";
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
  const std::string format =
      options.Has("value.format") ? options.GetString("value.format") : options.GetString("format");
  std::map<std::string, std::string> format_options;
  for (const auto& [name, value] : options.raw()) {
    if (name.starts_with(format + ".")) format_options[name] = value;
    if (name.starts_with("value." + format + ".")) format_options[name.substr(6)] = value;
  }
  MR_ASSIGN_OR_RETURN(auto encoder, format::NewEncoder(format, value_schema, format_options));
  return std::unique_ptr<Sink>(
      new LogTopicSink(table, std::move(keys), std::move(encoder), std::move(value_columns)));
}

}  // namespace millrace::connectors::kafka
