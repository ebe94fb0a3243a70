#include "connectors/kafka/topic_rows.h"

#include <algorithm>
#include <duckdb/common/vector_operations/vector_operations.hpp>

#include "connectors/kafka/log_topic.h"
#include "connectors/schema_registry/schema_registry.h"
#include "format/format_options.h"
#include "log/log.h"

namespace millrace::connectors::kafka {

namespace {

bool HasBinaryFormat(const Options& options) {
  for (const char* name : {"format", "value.format", "key.format"}) {
    auto format = format::FindFormat(options.GetString(name));
    if (format.ok() && (*format)->binary) return true;
  }
  return false;
}

}  // namespace

std::string EpochHeader(model::Epoch epoch) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; i++) {
    bytes[i] = static_cast<char>(static_cast<uint64_t>(epoch) >> (8 * (7 - i)));
  }
  return bytes;
}

Result<std::unique_ptr<TopicRows>> TopicRows::New(const TableContext& table, bool upsert) {
  const Options& options = table.options;
  const std::string format =
      options.Has("value.format") ? options.GetString("value.format") : options.GetString("format");
  MR_ASSIGN_OR_RETURN(const format::FormatSpec* format_spec, format::FindFormat(format));
  const bool changelog = format_spec->changelog != model::ChangelogKind::kAppend;
  const Mode mode = upsert ? Mode::kUpsert : changelog ? Mode::kChangelog : Mode::kAppend;
  std::unique_ptr<TopicRows> rows(new TopicRows(table, mode));
  rows->binary_ = HasBinaryFormat(options);
  rows->partitioner_ = options.GetString("sink.partitioner");
  MR_ASSIGN_OR_RETURN(rows->keys_, RecordKey::New(table, upsert, changelog));
  const bool except_key =
      rows->keys_->written() && options.GetString("value.fields-include") == "EXCEPT_KEY";
  const auto& key_columns = rows->keys_->columns();
  model::Schema value_schema;
  for (size_t c = 0; c < table.schema.size(); c++) {
    if (except_key && std::find(key_columns.begin(), key_columns.end(), c) != key_columns.end()) {
      continue;
    }
    rows->value_columns_.push_back(c);
    value_schema.columns.push_back(table.schema.columns[c]);
  }
  rows->value_chunk_.InitializeEmpty(value_schema.Types());
  std::map<std::string, std::string> format_options;
  for (const auto& [name, value] : options.raw()) {
    if (name.starts_with(format + ".")) format_options[name] = value;
    if (name.starts_with("value." + format + ".")) format_options[name.substr(6)] = value;
  }
  MR_ASSIGN_OR_RETURN(auto registry,
                      schema_registry::RegistryFor(format, format_options, table.services));
  if (registry) {
    format_options.try_emplace(format + ".subject", options.GetString("topic") + "-value");
  }
  MR_ASSIGN_OR_RETURN(rows->encoder_,
                      format::NewEncoder(format, value_schema, format_options, registry.get()));
  return rows;
}

Status TopicRows::Add(const SinkBatch& batch) {
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
                                            "\" takes new rows only, but the query takes rows back")
          .WithDetail("a topic cannot forget a record")
          .WithHint(
              "write updating results into a table with a PRIMARY KEY ('connector' = 'jdbc' or "
              "'upsert-kafka'), or as changes ('format' = 'debezium-json')");
    }
    for (int32_t copy = 0; copy < std::abs(weight); copy++) AddRow(row, weight > 0);
  }
  return CheckOfSchema();
}

Status TopicRows::CheckOfSchema() {
  auto fault = encoder_->TakeFault();
  if (!fault) fault = keys_->TakeFault();
  if (!fault) return Status::Ok();
  return Status(Code::kFailedPrecondition,
                "a row to be written to table \"" + table_.name + "\" is " + *fault)
      .WithHint("leave such rows out (WHERE …), or change the schema");
}

Status TopicRows::CheckNotNull(duckdb::DataChunk& rows) const {
  for (size_t c = 0; c < rows.ColumnCount(); c++) {
    const model::Column& column = table_.schema.columns[c];
    if (column.nullable || !duckdb::VectorOperations::HasNull(rows.data[c], rows.size())) continue;
    return Status(Code::kFailedPrecondition, "column \"" + column.name + "\" of table \"" +
                                                 table_.name +
                                                 "\" is NOT NULL, but a row to be written has none")
        .WithHint("leave such rows out (WHERE … IS NOT NULL), or give them a value (COALESCE)");
  }
  return Status::Ok();
}

void TopicRows::AddRow(duckdb::idx_t row, bool comes) {
  Entry entry;
  entry.begin = bytes_.size();
  entry.has_key = keys_->has_key() && keys_->Append(row, bytes_);
  entry.key_bytes = bytes_.size() - entry.begin;
  encoder_->EncodeChange(row, comes, bytes_);
  entry.value_bytes = bytes_.size() - entry.begin - entry.key_bytes;
  entries_.push_back(entry);
}

Status TopicRows::AddChange(duckdb::idx_t row, int32_t weight) {
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
void TopicRows::Finish() {
  if (mode_ != Mode::kUpsert) return;
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

void TopicRows::Clear() {
  bytes_.clear();
  entries_.clear();
  changes_.Clear();
}

TopicRows::Record TopicRows::At(size_t number) const {
  const Entry& entry = entries_[number];
  const std::string_view bytes = std::string_view(bytes_).substr(entry.begin);
  Record record;
  if (entry.has_key && keys_->written()) record.key = bytes.substr(0, entry.key_bytes);
  if (entry.has_value) record.value = bytes.substr(entry.key_bytes, entry.value_bytes);
  return record;
}

int TopicRows::Partition(size_t number, model::Epoch epoch, int partitions) const {
  const Entry& entry = entries_[number];
  const auto n = static_cast<size_t>(partitions);
  if (partitioner_ == "fixed") return static_cast<int>(static_cast<size_t>(ProducerId(table_)) % n);
  if (entry.has_key && (mode_ == Mode::kUpsert || partitioner_ == "default")) {
    return log::PartitionForKey(std::string_view(bytes_).substr(entry.begin, entry.key_bytes),
                                partitions);
  }
  return static_cast<int>((static_cast<size_t>(epoch) + number) % n);
}

}  // namespace millrace::connectors::kafka
