#include "project/topic_table.h"

#include <deque>
#include <functional>
#include <set>

#include "duck/table_provider.h"
#include "format/decoder.h"
#include "job/job.h"
#include "job/metadata_columns.h"

namespace millrace::project {

namespace {

constexpr int64_t kBlockBytes = 1 << 20;

// Fills a metadata column: as job::FillMetadata.
using FillColumn =
    std::function<void(const std::string& key, std::span<const model::Record> records,
                       const std::vector<uint32_t>& row_record, const std::string& topic,
                       const std::string& partition, duckdb::Vector& column)>;

// What a pass reads: decoded columns, columns of the record's metadata, and where each goes.
struct TopicColumns {
  format::DecoderOptions decoded;                        // its projection: the columns wanted
  duckdb::vector<duckdb::LogicalType> types;             // of the output
  std::vector<size_t> decoded_places;                    // in the output, by projection index
  std::vector<std::pair<size_t, std::string>> metadata;  // place in the output, key
  bool rows_only = false;                                // count(*)
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
    auto visit = [&](std::span<const model::Record> records) {
      while (!records.empty()) {
        size_t count = std::min<size_t>(records.size(), STANDARD_VECTOR_SIZE);
        auto chunk = Decode(records.first(count), std::to_string(range.partition));
        if (chunk->size() > 0) ready_.push_back(std::move(chunk));
        records = records.subspan(count);
      }
    };
    MR_ASSIGN_OR_RETURN(
        range.from, log_.Read(topic_, range.partition, range.from, range.to, kBlockBytes, visit));
    return Status::Ok();
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
    chunk->SetCardinality(decoded.size());
    return chunk;
  }

  log::Log& log_;
  std::string topic_;
  std::unique_ptr<format::Decoder> decoder_;
  TopicColumns columns_;
  std::deque<Range> ranges_;
  std::deque<std::unique_ptr<duckdb::DataChunk>> ready_;
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
    const sql::MetadataColumn& meta = metadata[column - format.schema.size()];
    columns.metadata.emplace_back(columns.types.size(), meta.key);
    columns.types.push_back(meta.type);
  }
  if (columns.decoded.projection.empty()) decode(0);  // which records are rows, it decides
  return columns;
}

Status Register(log::Log& log, duck::Warehouse& warehouse, const std::string& schema,
                const std::string& name, const std::string& topic,
                const format::DecoderOptions& format,
                const std::vector<sql::MetadataColumn>& metadata = {}, std::string select = "",
                const FillColumn& fill = job::FillMetadata) {
  duck::VirtualTable table;
  table.schema = schema;
  table.name = name;
  table.columns = format.schema;
  for (const sql::MetadataColumn& meta : metadata) {
    table.columns.columns.push_back({meta.name, meta.type, true});
  }
  table.select = std::move(select);
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

Status RegisterTopicTables(const Project& project, log::Log& log, duck::Warehouse& warehouse) {
  for (const sql::Table* table : project.catalog().Tables()) {
    if (table->Option("connector") != "kafka" || table->Option("topic").empty()) continue;
    format::DecoderOptions options = format::DecoderOptionsOf(table->OptionValues());
    if (options.format.empty()) continue;
    options.schema = table->schema;
    MR_RETURN_IF_ERROR(Register(
        log, warehouse, "main", table->name, table->Option("topic"), options, table->metadata,
        table->computed.empty() && table->metadata.empty() ? "" : table->SelectList()));
  }
  return Status::Ok();
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
