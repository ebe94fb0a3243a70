#include "project/topic_table.h"

#include <deque>

#include "duck/table_provider.h"
#include "format/decoder.h"
#include "job/job.h"

namespace millrace::project {

namespace {

constexpr int64_t kBlockBytes = 1 << 20;

// One pass over all partitions of a topic, as far as it went when the pass began.
class TopicScan : public duck::TableScan {
 public:
  TopicScan(log::Log& log, std::string topic, std::unique_ptr<format::Decoder> decoder,
            duckdb::vector<duckdb::LogicalType> types, bool rows_only)
      : log_(log),
        topic_(std::move(topic)),
        decoder_(std::move(decoder)),
        types_(std::move(types)),
        rows_only_(rows_only) {}

  Status Begin() {
    MR_ASSIGN_OR_RETURN(log::TopicInfo info, log_.Describe(topic_));
    for (int p = 0; p < info.config.partitions; p++) {
      MR_ASSIGN_OR_RETURN(log::PartitionInfo partition, log_.DescribePartition(topic_, p));
      ranges_.push_back({p, partition.start_offset, partition.end_offset});
    }
    return Status::Ok();
  }

  Status Next(duckdb::DataChunk& out) override {
    while (ready_.empty() && !ranges_.empty()) MR_RETURN_IF_ERROR(ReadBlock());
    if (ready_.empty()) return Status::Ok();
    if (rows_only_) {
      out.SetCardinality(ready_.front()->size());
    } else {
      out.Reference(*ready_.front());
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
        auto chunk = std::make_unique<duckdb::DataChunk>();
        chunk->Initialize(duckdb::Allocator::DefaultAllocator(), types_);
        errors_.clear();
        decoder_->Decode(records.first(count), *chunk, row_record_, errors_);
        if (chunk->size() > 0) ready_.push_back(std::move(chunk));
        records = records.subspan(count);
      }
    };
    MR_ASSIGN_OR_RETURN(
        range.from, log_.Read(topic_, range.partition, range.from, range.to, kBlockBytes, visit));
    return Status::Ok();
  }

  log::Log& log_;
  std::string topic_;
  std::unique_ptr<format::Decoder> decoder_;
  duckdb::vector<duckdb::LogicalType> types_;
  bool rows_only_;
  std::deque<Range> ranges_;
  std::deque<std::unique_ptr<duckdb::DataChunk>> ready_;
  std::unique_ptr<duckdb::DataChunk> current_;
  std::vector<uint32_t> row_record_;
  std::vector<model::RowError> errors_;
};

Status Register(log::Log& log, duck::Warehouse& warehouse, const std::string& schema,
                const std::string& name, const std::string& topic, format::DecoderOptions options) {
  duck::VirtualTable table;
  table.schema = schema;
  table.name = name;
  table.columns = options.schema;
  table.scan = [&log, topic, options](
                   const std::vector<size_t>& wanted) -> Result<std::unique_ptr<duck::TableScan>> {
    format::DecoderOptions own = options;
    own.projection = wanted.empty() ? std::vector<size_t>{0} : wanted;
    duckdb::vector<duckdb::LogicalType> types;
    for (size_t c : own.projection) types.push_back(own.schema.columns[c].type);
    MR_ASSIGN_OR_RETURN(auto decoder, format::NewDecoder(own));
    auto scan = std::make_unique<TopicScan>(log, topic, std::move(decoder), std::move(types),
                                            wanted.empty());
    MR_RETURN_IF_ERROR(scan->Begin());
    return std::unique_ptr<duck::TableScan>(std::move(scan));
  };
  return duck::RegisterTable(warehouse, std::move(table));
}

}  // namespace

Status RegisterTopicTables(const Project& project, log::Log& log, duck::Warehouse& warehouse) {
  for (const sql::Table* table : project.catalog().Tables()) {
    if (table->Option("connector") != "kafka" || table->Option("topic").empty()) continue;
    format::DecoderOptions options = format::DecoderOptionsOf(table->OptionValues());
    if (options.format.empty()) continue;
    options.schema = table->schema;
    MR_RETURN_IF_ERROR(
        Register(log, warehouse, "main", table->name, table->Option("topic"), std::move(options)));
  }
  format::DecoderOptions letters;
  letters.format = "json";
  using duckdb::LogicalType;
  for (const char* name : {"time_ms", "stage", "job", "table", "topic", "partition", "offset",
                           "kind", "column", "reason", "value", "value_base64"}) {
    std::string column = name;
    bool number = column == "time_ms" || column == "partition" || column == "offset";
    letters.schema.columns.push_back(
        {column, number ? LogicalType::BIGINT : LogicalType::VARCHAR, true});
  }
  return Register(log, warehouse, "millrace", "dead_letters", job::kDeadLetterTopic,
                  std::move(letters));
}

}  // namespace millrace::project
