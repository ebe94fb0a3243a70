#include "project/history/segment_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <numeric>

#include "base/check.h"
#include "base/strings.h"
#include "duck/table_provider.h"
#include "env/files.h"
#include "job/metadata_columns.h"

namespace millrace::project {

using duckdb::FlatVector;
using duckdb::idx_t;

namespace {

constexpr int64_t kBlockBytes = 1 << 20;
// Who reads the bytes of records holds a row group in memory, for each of several files.
constexpr int64_t kRowGroupBytes = 8 << 20;
constexpr int64_t kRowGroupRowsMax = 122'880;

// What a pass found out, for who started it.
struct Findings {
  Status status;
  int64_t newest_ms = 0;
  int64_t undecoded = 0;
};

void SetBytes(duckdb::Vector& column, idx_t row, std::string_view bytes, bool there) {
  if (!there) {
    FlatVector::SetNull(column, row, true);
    return;
  }
  FlatVector::GetData<duckdb::string_t>(column)[row] =
      duckdb::StringVector::AddStringOrBlob(column, bytes.data(), bytes.size());
}

// The records as rows of a file, all columns.
class SegmentScan : public duck::TableScan {
 public:
  SegmentScan(log::Log& log, const HistoryTable& table, int partition, log::OffsetRange offsets,
              std::unique_ptr<format::Decoder> decoder, Findings& findings)
      : log_(log),
        table_(table),
        partition_(partition),
        offsets_(offsets),
        decoder_(std::move(decoder)),
        findings_(findings),
        physical_(table.format.schema.Types()),
        types_(table.Columns().Types()) {
    for (const auto& type : HistoryColumns().Types()) types_.push_back(type);
  }

  Status Next(duckdb::DataChunk& out) override {
    while (ready_.empty() && offsets_.from < offsets_.to) {
      findings_.status = ReadBlock();
      MR_RETURN_IF_ERROR(findings_.status);
    }
    if (ready_.empty()) return Status::Ok();
    current_ = std::move(ready_.front());  // lives until the next call
    ready_.pop_front();
    out.Reference(*current_);
    return Status::Ok();
  }

 private:
  Status ReadBlock() {
    Status prepared;
    auto visit = [&](std::span<const model::Record> records) {
      if (prepared.ok()) prepared = decoder_->Prepare(records);
      while (!records.empty() && prepared.ok()) {
        const size_t count = std::min(records.size(), decoder_->records_max());
        ready_.push_back(Decode(records.first(count)));
        records = records.subspan(count);
      }
    };
    MR_ASSIGN_OR_RETURN(offsets_.from, log_.Read(table_.topic, partition_, offsets_.from,
                                                 offsets_.to, kBlockBytes, visit));
    return prepared;
  }

  std::unique_ptr<duckdb::DataChunk> Decode(std::span<const model::Record> records) {
    auto chunk = std::make_unique<duckdb::DataChunk>();
    chunk->Initialize(duckdb::Allocator::DefaultAllocator(), types_);
    duckdb::DataChunk decoded;
    decoded.Initialize(duckdb::Allocator::DefaultAllocator(), physical_);
    errors_.clear();
    decoder_->Decode(records, decoded, row_record_, errors_);
    PlaceRows(records, decoded, *chunk);

    std::vector<uint32_t> each(records.size());
    std::iota(each.begin(), each.end(), 0);
    size_t column = physical_.size();
    for (const sql::MetadataColumn& meta : table_.metadata) {
      job::FillMetadata(meta.key, records, each, table_.topic, std::to_string(partition_),
                        chunk->data[column++]);
    }
    FillRecords(records, *chunk, column);
    chunk->SetCardinality(records.size());
    return chunk;
  }

  // Puts the decoded rows where their records are; the others' columns are NULL.
  void PlaceRows(std::span<const model::Record> records, duckdb::DataChunk& decoded,
                 duckdb::DataChunk& chunk) {
    const idx_t rows = decoded.size();
    MR_CHECK(rows <= records.size() && !decoder_->weights(), "a record is at most one row");
    decoded.Flatten();
    const bool all = rows == records.size();
    duckdb::SelectionVector from(records.size());
    if (!all) {
      // Behind the last row there is room for one of NULLs.
      for (auto& column : decoded.data) FlatVector::SetNull(column, rows, true);
    }
    idx_t row = 0;
    for (uint32_t i = 0; i < records.size(); i++) {
      is_row_[i] = row < rows && row_record_[row] == i;
      from.set_index(i, is_row_[i] ? row++ : rows);
    }
    for (size_t c = 0; c < physical_.size(); c++) {
      if (all) {
        chunk.data[c].Reference(decoded.data[c]);
      } else {
        chunk.data[c].Slice(decoded.data[c], from, records.size());
      }
    }
  }

  // HistoryColumns(), from `first` on.
  void FillRecords(std::span<const model::Record> records, duckdb::DataChunk& chunk, size_t first) {
    auto* column = &chunk.data[first];
    size_t error = 0;
    for (uint32_t i = 0; i < records.size(); i++) {
      const model::Record& record = records[i];
      FlatVector::GetData<int32_t>(column[0])[i] = partition_;
      FlatVector::GetData<int64_t>(column[1])[i] = record.offset;
      FlatVector::GetData<int64_t>(column[2])[i] = record.timestamp_ms;
      FlatVector::GetData<bool>(column[3])[i] = record.append_time;
      SetBytes(column[4], i, record.key, record.has_key);
      SetBytes(column[5], i, record.headers, true);
      findings_.newest_ms = std::max(findings_.newest_ms, record.timestamp_ms);
      std::string reason;
      if (error < errors_.size() && errors_[error].record_index == i) {
        const model::RowError& fault = errors_[error++];
        reason = fmt::format("{}: {}{}{}", model::RowErrorKindName(fault.kind), fault.column,
                             fault.column.empty() ? "" : ": ", fault.message);
      }
      SetBytes(column[6], i, reason, !is_row_[i]);
      SetBytes(column[7], i, record.value, record.has_value && (table_.with_bytes || !is_row_[i]));
      if (!is_row_[i]) findings_.undecoded++;
    }
  }

  log::Log& log_;
  const HistoryTable& table_;
  const int partition_;
  log::OffsetRange offsets_;  // still to be read
  std::unique_ptr<format::Decoder> decoder_;
  Findings& findings_;
  const duckdb::vector<duckdb::LogicalType> physical_;
  duckdb::vector<duckdb::LogicalType> types_;
  std::deque<std::unique_ptr<duckdb::DataChunk>> ready_;
  std::unique_ptr<duckdb::DataChunk> current_;
  std::vector<uint32_t> row_record_;
  std::vector<model::RowError> errors_;
  bool is_row_[STANDARD_VECTOR_SIZE] = {};  // by record of the chunk in hand
};

// Rows of a row group, by the mean size of the partition's records.
Result<int64_t> RowGroupRows(log::Log& log, const HistoryTable& table, int partition) {
  if (!table.with_bytes) return kRowGroupRowsMax;
  MR_ASSIGN_OR_RETURN(const auto info, log.DescribePartition(table.topic, partition));
  const int64_t records = std::max<int64_t>(1, info.end_offset - info.start_offset);
  const int64_t mean_bytes = std::max<int64_t>(1, info.size_bytes / records);
  return std::clamp<int64_t>(kRowGroupBytes / mean_bytes, STANDARD_VECTOR_SIZE, kRowGroupRowsMax);
}

}  // namespace

model::Schema HistoryTable::Columns() const {
  model::Schema columns = format.schema;
  for (const sql::MetadataColumn& meta : metadata) {
    columns.columns.push_back({meta.name, meta.type, true});
  }
  return columns;
}

Result<HistoryFile> WriteHistoryFile(log::Log& log, const HistoryTable& table, int partition,
                                     log::OffsetRange offsets, const std::string& directory,
                                     HistoryPlace& place, duck::Warehouse& database) {
  format::DecoderOptions options = table.format;
  options.projection.resize(options.schema.size());
  std::iota(options.projection.begin(), options.projection.end(), 0);
  Findings findings;
  duck::VirtualTable segment;
  segment.schema = "main";
  segment.name = "segment";
  segment.columns = table.Columns();
  for (const model::Column& column : HistoryColumns().columns) {
    segment.columns.columns.push_back(column);
  }
  segment.scan = [&](const std::vector<size_t>&) -> Result<std::unique_ptr<duck::TableScan>> {
    MR_ASSIGN_OR_RETURN(auto decoder, format::NewDecoder(options));
    return std::unique_ptr<duck::TableScan>(
        new SegmentScan(log, table, partition, offsets, std::move(decoder), findings));
  };
  MR_ASSIGN_OR_RETURN(const std::string staged, place.Stage(directory));
  MR_ASSIGN_OR_RETURN(const int64_t group_rows, RowGroupRows(log, table, partition));
  MR_RETURN_IF_ERROR(duck::RegisterTable(database, std::move(segment)));
  auto connection = database.Connect();
  Status copied = duck::Warehouse::Execute(
      *connection,
      fmt::format("COPY (SELECT * FROM segment) TO {} (FORMAT parquet, COMPRESSION zstd, "
                  "ROW_GROUP_SIZE {})",
                  QuoteLiteral(staged), group_rows));
  MR_RETURN_IF_ERROR(duck::UnregisterTable(database, "main", "segment"));
  MR_RETURN_IF_ERROR(findings.status);
  MR_RETURN_IF_ERROR(copied);

  HistoryFile file;
  file.directory = directory;
  file.partition = partition;
  file.offsets = offsets;
  file.newest_ms = findings.newest_ms;
  file.undecoded = findings.undecoded;
  MR_ASSIGN_OR_RETURN(file.bytes, env::FileSystem::Real()->Size(staged));
  MR_RETURN_IF_ERROR(place.Publish(staged, file.Path()));
  return file;
}

}  // namespace millrace::project
