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
    } else if (key == "timestamp-type") {
      value = duckdb::Value(TimestampType(record));
    } else if (key == "headers") {
      value = HeaderMap(record.headers);
    }
    column.SetValue(row, value.DefaultCastAs(column.GetType()));
  }
}

}  // namespace millrace::job
