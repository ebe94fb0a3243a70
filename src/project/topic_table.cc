#include "project/topic_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <set>

#include "base/strings.h"
#include "connectors/schema_registry/schema_registry.h"
#include "duck/table_provider.h"
#include "format/decoder.h"
#include "format/format_options.h"
#include "job/job.h"
#include "job/metadata_columns.h"
#include "project/reconcile.h"

namespace millrace::project {

namespace {

constexpr int64_t kBlockBytes = 1 << 20;

// Fills a metadata column: as job::FillMetadata.
using FillColumn =
    std::function<void(const std::string& key, std::span<const model::Record> records,
                       const std::vector<uint32_t>& row_record, const std::string& topic,
                       const std::string& partition, duckdb::Vector& column)>;

// Columns that the scan of a table whose rows change has behind its own: whether a row comes (1) or
// is taken away (-1), and its place in the order of reading.
constexpr const char* kWeight = "mr_weight";
constexpr const char* kOrder = "mr_order";

// What a pass reads: decoded columns, columns of the record's metadata, and where each goes.
struct TopicColumns {
  format::DecoderOptions decoded;                        // its projection: the columns wanted
  duckdb::vector<duckdb::LogicalType> types;             // of the output
  std::vector<size_t> decoded_places;                    // in the output, by projection index
  std::vector<std::pair<size_t, std::string>> metadata;  // place in the output, key
  bool rows_only = false;                                // count(*)
  int weight = -1;                                       // places in the output
  int order = -1;
  FillColumn fill = job::FillMetadata;
};

// One pass over all partitions of a topic, as far as it went when the pass began.
class TopicScan : public duck::TableScan {
 public:
  TopicScan(log::Log& log, std::string topic, std::unique_ptr<format::Decoder> decoder,
            TopicColumns columns)
      : log_(log),
        topic_(std::move(topic)),
        decoder_(std::move(decoder)),
        columns_(std::move(columns)) {}

  Status Begin() {
    MR_ASSIGN_OR_RETURN(log::TopicInfo info, log_.Describe(topic_));
    for (int p = 0; p < info.config.partitions; p++) {
      MR_ASSIGN_OR_RETURN(log::PartitionInfo partition, log_.DescribePartition(topic_, p));
      ranges_.push_back({p, partition.start_offset, partition.stable_offset});
    }
    return Status::Ok();
  }

  Status Next(duckdb::DataChunk& out) override {
    while (ready_.empty() && !ranges_.empty()) MR_RETURN_IF_ERROR(ReadBlock());
    if (ready_.empty()) return Status::Ok();
    if (columns_.rows_only) {
      out.SetCardinality(ready_.front()->size());
    } else {
      for (duckdb::idx_t c = 0; c < out.ColumnCount(); c++) {
        out.data[c].Reference(ready_.front()->data[c]);
      }
      out.SetCardinality(ready_.front()->size());
    }
    current_ = std::move(ready_.front());  // lives until the next call
    ready_.pop_front();
    return Status::Ok();
  }

 private:
  struct Range {
    int partition;
    int64_t from;
    int64_t to;
  };

  Status ReadBlock() {
    Range& range = ranges_.front();
    if (range.from >= range.to) {
      ranges_.pop_front();
      return Status::Ok();
    }
    Status prepared;
    auto visit = [&](std::span<const model::Record> records) {
      prepared = decoder_->Prepare(records);
      while (!records.empty() && prepared.ok()) {
        size_t count = std::min(records.size(), decoder_->records_max());
        auto chunk = Decode(records.first(count), std::to_string(range.partition));
        if (chunk->size() > 0) ready_.push_back(std::move(chunk));
        records = records.subspan(count);
      }
    };
    MR_ASSIGN_OR_RETURN(
        range.from, log_.Read(topic_, range.partition, range.from, range.to, kBlockBytes, visit));
    return prepared;
  }

  std::unique_ptr<duckdb::DataChunk> Decode(std::span<const model::Record> records,
                                            const std::string& partition) {
    auto chunk = std::make_unique<duckdb::DataChunk>();
    chunk->Initialize(duckdb::Allocator::DefaultAllocator(), columns_.types);
    duckdb::DataChunk decoded;
    duckdb::vector<duckdb::LogicalType> types;
    for (size_t place : columns_.decoded_places) types.push_back(columns_.types[place]);
    decoded.Initialize(duckdb::Allocator::DefaultAllocator(), types);
    errors_.clear();
    decoder_->Decode(records, decoded, row_record_, errors_);
    for (size_t i = 0; i < columns_.decoded_places.size(); i++) {
      chunk->data[columns_.decoded_places[i]].Reference(decoded.data[i]);
    }
    for (const auto& [place, key] : columns_.metadata) {
      columns_.fill(key, records, row_record_, topic_, partition, chunk->data[place]);
    }
    for (size_t row = 0; row < decoded.size(); row++, rows_read_++) {
      const auto* weights = decoder_->weights();
      if (columns_.weight >= 0) {
        const auto place = static_cast<size_t>(columns_.weight);
        duckdb::FlatVector::GetData<int64_t>(chunk->data[place])[row] =
            weights ? (*weights)[row] : 1;
      }
      if (columns_.order >= 0) {
        const auto place = static_cast<size_t>(columns_.order);
        duckdb::FlatVector::GetData<int64_t>(chunk->data[place])[row] = rows_read_;
      }
    }
    chunk->SetCardinality(decoded.size());
    return chunk;
  }

  log::Log& log_;
  std::string topic_;
  std::unique_ptr<format::Decoder> decoder_;
  TopicColumns columns_;
  std::deque<Range> ranges_;
  std::deque<std::unique_ptr<duckdb::DataChunk>> ready_;
  int64_t rows_read_ = 0;
  std::unique_ptr<duckdb::DataChunk> current_;
  std::vector<uint32_t> row_record_;
  std::vector<model::RowError> errors_;
};

// `format`: the physical columns and how to decode them; `metadata`: further columns by key.
Result<TopicColumns> ChooseColumns(const format::DecoderOptions& format,
                                   const std::vector<sql::MetadataColumn>& metadata,
                                   const std::vector<size_t>& wanted) {
  TopicColumns columns;
  columns.decoded = format;
  columns.rows_only = wanted.empty();
  auto decode = [&](size_t column) {
    columns.decoded.projection.push_back(column);
    columns.decoded_places.push_back(columns.types.size());
    columns.types.push_back(format.schema.columns[column].type);
  };
  for (size_t column : wanted) {
    if (column < format.schema.size()) {
      decode(column);
      continue;
    }
    const size_t beyond = column - format.schema.size();
    if (beyond >= metadata.size()) {
      (beyond == metadata.size() ? columns.weight : columns.order) =
          static_cast<int>(columns.types.size());
      columns.types.push_back(duckdb::LogicalType::BIGINT);
      continue;
    }
    const sql::MetadataColumn& meta = metadata[beyond];
    columns.metadata.emplace_back(columns.types.size(), meta.key);
    columns.types.push_back(meta.type);
  }
  for (size_t key : format.key) {
    const auto& projection = columns.decoded.projection;
    if (std::find(projection.begin(), projection.end(), key) == projection.end()) decode(key);
  }
  if (columns.decoded.projection.empty()) decode(0);  // which records are rows, it decides
  return columns;
}

Status Register(log::Log& log, duck::Warehouse& warehouse, const std::string& schema,
                const std::string& name, const std::string& topic,
                const format::DecoderOptions& format,
                const std::vector<sql::MetadataColumn>& metadata = {}, std::string select = "",
                const FillColumn& fill = job::FillMetadata, bool changes = false,
                std::string tail = "") {
  duck::VirtualTable table;
  table.schema = schema;
  table.name = name;
  table.columns = format.schema;
  for (const sql::MetadataColumn& meta : metadata) {
    table.columns.columns.push_back({meta.name, meta.type, true});
  }
  if (changes) {
    table.columns.columns.push_back({kWeight, duckdb::LogicalType::BIGINT, true});
    table.columns.columns.push_back({kOrder, duckdb::LogicalType::BIGINT, true});
  }
  table.select = std::move(select);
  table.tail = std::move(tail);
  table.scan = [&log, topic, format, metadata, fill](
                   const std::vector<size_t>& wanted) -> Result<std::unique_ptr<duck::TableScan>> {
    MR_ASSIGN_OR_RETURN(TopicColumns columns, ChooseColumns(format, metadata, wanted));
    columns.fill = fill;
    MR_ASSIGN_OR_RETURN(auto decoder, format::NewDecoder(columns.decoded));
    auto scan = std::make_unique<TopicScan>(log, topic, std::move(decoder), std::move(columns));
    MR_RETURN_IF_ERROR(scan->Begin());
    return std::unique_ptr<duck::TableScan>(std::move(scan));
  };
  return duck::RegisterTable(warehouse, std::move(table));
}

// Columns of a topic of Millrace's own; those named are BIGINT, the others text.
format::DecoderOptions OwnTopic(const std::vector<std::string>& names,
                                const std::set<std::string>& numbers) {
  format::DecoderOptions options;
  options.format = "json";
  for (const std::string& name : names) {
    options.schema.columns.push_back(
        {name, numbers.count(name) ? duckdb::LogicalType::BIGINT : duckdb::LogicalType::VARCHAR,
         true});
  }
  return options;
}

// The columns of millrace.dead_letters that the audit tells.
void FillFromBook(const DeadLetterBook& book, const std::string& column_name,
                  std::span<const model::Record> records, const std::vector<uint32_t>& row_record,
                  const std::string& partition, duckdb::Vector& column) {
  for (size_t row = 0; row < row_record.size(); row++) {
    LetterId id{std::stoi(partition), records[row_record[row]].offset};
    duckdb::Value value(id.ToString());
    if (column_name == "state") value = duckdb::Value(LetterStateName(book.MarkOf(id).state));
    if (column_name == "attempts") value = duckdb::Value::BIGINT(book.MarkOf(id).attempts);
    column.SetValue(row, value);
  }
}

}  // namespace

namespace {

// A table whose rows change is what is left of them: by key the last row, unless it was taken away;
// without one each row as often as it came more than it went.
Status RegisterChangingTable(const sql::Table& table, log::Log& log, duck::Warehouse& warehouse,
                             format::DecoderOptions options) {
  std::vector<std::string> keys, columns;
  for (const std::string& name : table.primary_key) {
    const int column = table.schema.Find(name);
    if (column < 0) return Status::Ok();  // no job can read it either, and says so
    options.key.push_back(static_cast<size_t>(column));
    keys.push_back(QuoteIdentifier(name));
  }
  if (options.upsert && keys.empty()) return Status::Ok();
  std::vector<sql::MetadataColumn> metadata;
  for (const sql::MetadataColumn& column : table.metadata) {
    // What the messages tell beside their rows is not shown.
    if (!job::IsMetadataKey(column.key)) return Status::Ok();
    metadata.push_back(column);
  }
  for (const std::string& name : table.schema.Names()) columns.push_back(QuoteIdentifier(name));
  for (const sql::MetadataColumn& column : metadata)
    columns.push_back(QuoteIdentifier(column.name));
  const std::string list = Join(columns, ", ");
  std::string select = table.SelectList() + " FROM (SELECT " + list;
  std::string tail;
  if (keys.empty()) {
    select += fmt::format(", unnest(range(CAST(sum({}) AS BIGINT)))", kWeight);
    tail = " GROUP BY " + list + ")";
  } else {
    tail =
        fmt::format(" QUALIFY row_number() OVER (PARTITION BY {} ORDER BY {} DESC) = 1 AND {} > 0)",
                    Join(keys, ", "), kOrder, kWeight);
  }
  return Register(log, warehouse, "main", table.name, table.Option("topic"), options, metadata,
                  select, job::FillMetadata, true, tail);
}

}  // namespace

Status RegisterTopicTables(const Project& project, const connectors::Services& services) {
  log::Log& log = *services.log;
  duck::Warehouse& warehouse = *services.warehouse;
  for (const sql::Table* table : project.grown_catalog().Tables()) {
    const std::string connector = table->Option("connector");
    const bool upsert = connector == "upsert-kafka";
    if (!project.IsInLog(*table) || table->Option("topic").empty()) continue;
    format::DecoderOptions options = format::DecoderOptionsOf(table->OptionValues());
    if (options.format.empty()) continue;
    options.schema = table->schema;
    options.upsert = upsert;
    MR_ASSIGN_OR_RETURN(options.registry,
                        connectors::schema_registry::RegistryForDecoder(options, services));
    auto format = format::FindFormat(options.format);
    const bool changelog = format.ok() && (*format)->changelog != model::ChangelogKind::kAppend;
    if (upsert || changelog) {
      MR_RETURN_IF_ERROR(RegisterChangingTable(*table, log, warehouse, options));
      continue;
    }
    MR_RETURN_IF_ERROR(Register(
        log, warehouse, "main", table->name, table->Option("topic"), options, table->metadata,
        table->computed.empty() && table->metadata.empty() ? "" : table->SelectList()));
  }
  return Status::Ok();
}

Status RegisterReconciliationTable(log::Log& log, duck::Warehouse& warehouse) {
  using duckdb::LogicalType;
  const LogicalType number = LogicalType::BIGINT;
  format::DecoderOptions options;
  options.format = "json";
  const std::vector<std::pair<std::string, LogicalType>> columns = {
      {"name", LogicalType::VARCHAR},
      {"time_ms", number},
      {"from_ms", number},
      {"to_ms", number},
      {"ok", LogicalType::BOOLEAN},
      {"source_rows", number},
      {"destination_rows", number},
      {"missing", number},
      {"extra", number},
      {"changed", number},
      {"divergence", LogicalType::DOUBLE},
      {"tolerance", LogicalType::DOUBLE},
      {"error", LogicalType::VARCHAR},
      {"differences", LogicalType::LIST(LogicalType::STRUCT({{"kind", LogicalType::VARCHAR},
                                                             {"key", LogicalType::VARCHAR},
                                                             {"source_rows", number},
                                                             {"destination_rows", number}}))}};
  for (const auto& [name, type] : columns) options.schema.columns.push_back({name, type, true});
  return Register(log, warehouse, "millrace", "reconciliations", kReconciliationTopic, options);
}

Status RegisterDeadLetterTables(log::Log& log, DeadLetterBook& book, duck::Warehouse& warehouse) {
  using duckdb::LogicalType;
  std::vector<sql::MetadataColumn> from_book;
  for (const char* name : {"id", "state", "attempts"}) {
    sql::MetadataColumn column;
    column.name = column.key = name;
    column.type = column.name == "attempts" ? LogicalType::BIGINT : LogicalType::VARCHAR;
    from_book.push_back(column);
  }
  // Whoever asks sees what was done up to now.
  auto fill = [&book](const std::string& key, std::span<const model::Record> records,
                      const std::vector<uint32_t>& row_record, const std::string&,
                      const std::string& partition, duckdb::Vector& column) {
    (void)book.Follow();  // an audit that cannot be read now leaves states as they were
    FillFromBook(book, key, records, row_record, partition, column);
  };
  MR_RETURN_IF_ERROR(Register(
      log, warehouse, "millrace", "dead_letters", job::kDeadLetterTopic,
      OwnTopic({"time_ms", "stage", "job", "table", "topic", "partition", "offset", "kind",
                "column", "reason", "value", "value_base64", "key", "key_base64", "version"},
               {"time_ms", "partition", "offset"}),
      from_book, "", fill));
  return Register(log, warehouse, "millrace", "dead_letter_audit", kDeadLetterAuditTopic,
                  OwnTopic({"id", "action", "time_ms", "who", "kind", "reason", "topic",
                            "partition", "offset", "sequence", "key", "key_base64", "before",
                            "before_base64", "after", "after_base64"},
                           {"time_ms", "partition", "offset", "sequence"}));
}

}  // namespace millrace::project
