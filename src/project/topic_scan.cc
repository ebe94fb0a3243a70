#include "project/topic_scan.h"

#include <algorithm>

namespace millrace::project {

namespace {

constexpr int64_t kBlockBytes = 1 << 20;

class LogReader : public RecordReader {
 public:
  LogReader(log::Log& log, std::string topic, std::vector<PartitionRange> ranges)
      : log_(log), topic_(std::move(topic)), ranges_(ranges.begin(), ranges.end()) {}

  Result<bool> Next(const Visit& visit) override {
    while (!ranges_.empty() && ranges_.front().from >= ranges_.front().to) ranges_.pop_front();
    if (ranges_.empty()) return false;
    PartitionRange& range = ranges_.front();
    MR_ASSIGN_OR_RETURN(range.from,
                        log_.Read(topic_, range.partition, range.from, range.to, kBlockBytes,
                                  [&](std::span<const model::Record> records) {
                                    visit(range.partition, records);
                                  }));
    return true;
  }

 private:
  log::Log& log_;
  const std::string topic_;
  std::deque<PartitionRange> ranges_;
};

}  // namespace

Result<std::vector<PartitionRange>> WholeTopic(log::Log& log, const std::string& topic) {
  std::vector<PartitionRange> ranges;
  MR_ASSIGN_OR_RETURN(log::TopicInfo info, log.Describe(topic));
  for (int p = 0; p < info.config.partitions; p++) {
    MR_ASSIGN_OR_RETURN(log::PartitionInfo partition, log.DescribePartition(topic, p));
    ranges.push_back({p, partition.start_offset, partition.stable_offset});
  }
  return ranges;
}

std::unique_ptr<RecordReader> NewLogReader(log::Log& log, std::string topic,
                                           std::vector<PartitionRange> ranges) {
  return std::make_unique<LogReader>(log, std::move(topic), std::move(ranges));
}

TopicColumns ChooseColumns(const format::DecoderOptions& format,
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

TopicScan::TopicScan(std::string topic, std::unique_ptr<format::Decoder> decoder,
                     TopicColumns columns, std::vector<std::unique_ptr<RecordReader>> readers)
    : topic_(std::move(topic)),
      decoder_(std::move(decoder)),
      columns_(std::move(columns)),
      readers_(std::move(readers)) {}

Status TopicScan::Next(duckdb::DataChunk& out) {
  while (ready_.empty() && reading_ < readers_.size()) MR_RETURN_IF_ERROR(ReadBlock());
  if (ready_.empty()) return Status::Ok();
  if (!columns_.rows_only) {
    for (duckdb::idx_t c = 0; c < out.ColumnCount(); c++) {
      out.data[c].Reference(ready_.front()->data[c]);
    }
  }
  out.SetCardinality(ready_.front()->size());
  current_ = std::move(ready_.front());  // lives until the next call
  ready_.pop_front();
  return Status::Ok();
}

Status TopicScan::ReadBlock() {
  Status prepared;
  auto visit = [&](int partition, std::span<const model::Record> records) {
    if (!prepared.ok()) return;
    prepared = decoder_->Prepare(records);
    while (!records.empty() && prepared.ok()) {
      size_t count = std::min(records.size(), decoder_->records_max());
      auto chunk = Decode(records.first(count), std::to_string(partition));
      if (chunk->size() > 0) ready_.push_back(std::move(chunk));
      records = records.subspan(count);
    }
  };
  MR_ASSIGN_OR_RETURN(const bool more, readers_[reading_]->Next(visit));
  if (!more) reading_++;
  return prepared;
}

std::unique_ptr<duckdb::DataChunk> TopicScan::Decode(std::span<const model::Record> records,
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
      duckdb::FlatVector::GetData<int64_t>(chunk->data[place])[row] = weights ? (*weights)[row] : 1;
    }
    if (columns_.order >= 0) {
      const auto place = static_cast<size_t>(columns_.order);
      duckdb::FlatVector::GetData<int64_t>(chunk->data[place])[row] = rows_read_;
    }
  }
  chunk->SetCardinality(decoded.size());
  return chunk;
}

}  // namespace millrace::project
