#include "job/metadata_columns.h"

#include <algorithm>
#include <map>

#include "log/record_headers.h"

namespace millrace::job {

namespace {

// Kafka's record headers as a map; of several with one name the last, as in Flink.
duckdb::Value HeaderMap(std::string_view headers) {
  std::map<std::string, duckdb::Value> last;
  for (const auto& [name, value] : log::ParseRecordHeaders(headers)) {
    last[std::string(name)] = value ? duckdb::Value::BLOB_RAW(std::string(*value))
                                    : duckdb::Value(duckdb::LogicalType::BLOB);
  }
  duckdb::vector<duckdb::Value> names, values;
  for (auto& [name, value] : last) {
    names.emplace_back(name);
    values.push_back(std::move(value));
  }
  return duckdb::Value::MAP(duckdb::LogicalType::VARCHAR, duckdb::LogicalType::BLOB,
                            std::move(names), std::move(values));
}

const char* TimestampType(const model::Record& record) {
  if (record.append_time) return "LogAppendTime";
  return record.timestamp_ms > 0 ? "CreateTime" : "NoTimestampType";
}

}  // namespace

const std::vector<std::string>& MetadataKeys() {
  static const std::vector<std::string> kKeys = {"topic",     "partition",      "offset",
                                                 "timestamp", "timestamp-type", "headers"};
  return kKeys;
}

bool IsMetadataKey(const std::string& key) {
  return std::find(MetadataKeys().begin(), MetadataKeys().end(), key) != MetadataKeys().end();
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
  if (key == "timestamp-type" || key == "headers") {
    for (size_t row = 0; row < rows; row++) {
      const model::Record& record = records[row_record[row]];
      const duckdb::Value value =
          key == "headers" ? HeaderMap(record.headers) : duckdb::Value(TimestampType(record));
      column.SetValue(row, value.DefaultCastAs(column.GetType()));
    }
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
