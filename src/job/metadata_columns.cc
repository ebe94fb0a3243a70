#include "job/metadata_columns.h"

namespace millrace::job {

bool IsMetadataKey(const std::string& key) {
  return key == "offset" || key == "partition" || key == "timestamp" || key == "topic";
}

void FillMetadata(const std::string& key, std::span<const model::Record> records,
                  const std::vector<uint32_t>& row_record, const std::string& topic,
                  const std::string& partition, duckdb::Vector& column) {
  const duckdb::idx_t rows = row_record.size();
  if (key == "topic" || key == "partition") {
    duckdb::Vector same(
        duckdb::Value(key == "topic" ? topic : partition).DefaultCastAs(column.GetType()));
    duckdb::VectorOperations::Copy(same, column, rows, 0, 0);
    return;
  }
  const bool offsets = key == "offset";
  duckdb::Vector numbers(offsets ? duckdb::LogicalType::BIGINT : duckdb::LogicalType::TIMESTAMP,
                         rows);
  auto* values = duckdb::FlatVector::GetData<int64_t>(numbers);
  for (size_t row = 0; row < rows; row++) {
    const model::Record& record = records[row_record[row]];
    values[row] = offsets ? record.offset : record.timestamp_ms * 1000;
  }
  duckdb::Vector as_declared(column.GetType(), rows);
  duckdb::VectorOperations::DefaultCast(numbers, as_declared, rows);
  duckdb::VectorOperations::Copy(as_declared, column, rows, 0, 0);
}

}  // namespace millrace::job
