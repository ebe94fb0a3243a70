// Every metadata key in every type it may be declared with, against the cast of single values.
#include "job/metadata_columns.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace::job {
namespace {

using duckdb::LogicalType;
using duckdb::Value;

Value Expected(const std::string& key, const model::Record& record) {
  if (key == "offset") return Value::BIGINT(record.offset);
  if (key == "partition") return Value("7");
  if (key == "topic") return Value("a topic whose name is longer than a short string");
  return Value::TIMESTAMP(duckdb::timestamp_t(record.timestamp_ms * 1000));
}

TEST(FillMetadata, EqualsTheCastOfEachValue) {
  const std::vector<std::pair<std::string, LogicalType>> columns = {
      {"offset", LogicalType::BIGINT},       {"offset", LogicalType::INTEGER},
      {"offset", LogicalType::VARCHAR},      {"partition", LogicalType::INTEGER},
      {"partition", LogicalType::VARCHAR},   {"topic", LogicalType::VARCHAR},
      {"timestamp", LogicalType::TIMESTAMP}, {"timestamp", LogicalType::TIMESTAMP_TZ},
      {"timestamp", LogicalType::VARCHAR}};
  std::mt19937 random(3);
  for (const auto& [key, type] : columns) {
    for (size_t rows : std::vector<size_t>{0, 1, 5, STANDARD_VECTOR_SIZE}) {
      std::vector<model::Record> records(rows + 3);
      for (model::Record& record : records) {
        record.offset = random() % 1'000'000;
        record.timestamp_ms = 1'772'359'200'000 + random() % 1'000'000;
      }
      std::vector<uint32_t> row_record;  // some records are bad, some make two rows
      for (size_t row = 0; row < rows; row++) row_record.push_back(random() % records.size());
      duckdb::Vector column(type);
      FillMetadata(key, records, row_record, Expected("topic", {}).ToString(), "7", column);
      for (size_t row = 0; row < rows; row++) {
        ASSERT_EQ(column.GetValue(row), Expected(key, records[row_record[row]]).DefaultCastAs(type))
            << key << " as " << type.ToString() << ", row " << row << " of " << rows;
      }
    }
  }
}

}  // namespace
}  // namespace millrace::job
