#include "job/metadata_columns.h"

namespace millrace::job {

bool IsMetadataKey(const std::string& key) {
  return key == "offset" || key == "partition" || key == "timestamp" || key == "topic";
}

void FillMetadata(const std::string& key, std::span<const model::Record> records,
                  const std::vector<uint32_t>& row_record, const std::string& topic,
                  const std::string& partition, duckdb::Vector& column) {
  for (size_t row = 0; row < row_record.size(); row++) {
    const model::Record& record = records[row_record[row]];
    duckdb::Value value;
    if (key == "offset") {
      value = duckdb::Value::BIGINT(record.offset);
    } else if (key == "partition") {
      value = duckdb::Value(partition);
    } else if (key == "timestamp") {
      value = duckdb::Value::TIMESTAMP(duckdb::timestamp_t(record.timestamp_ms * 1000));
    } else if (key == "topic") {
      value = duckdb::Value(topic);
    }
    column.SetValue(row, value.DefaultCastAs(column.GetType()));
  }
}

}  // namespace millrace::job
