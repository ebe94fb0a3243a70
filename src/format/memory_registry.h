// What the tests of formats share that ask a schema registry and an oracle in Python.
#pragma once

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "format/row_fixture.h"

namespace millrace::format {

// Knows the schemas it is given; their numbers count from 1.
class MemoryRegistry : public SchemaRegistry {
 public:
  Result<RegisteredSchema> Find(int32_t id) override {
    if (!reachable) return Status(Code::kUnavailable, "nobody answers").WithRetry(Retry::kBackoff);
    if (id < 1 || static_cast<size_t>(id) > schemas.size()) {
      return Status(Code::kNotFound, "no such schema");
    }
    return schemas[static_cast<size_t>(id) - 1];
  }
  Result<int32_t> Register(const std::string& subject, const RegisteredSchema& schema) override {
    subjects.push_back(subject);
    schemas.push_back(schema);
    return static_cast<int32_t>(schemas.size());
  }

  Result<int32_t> Latest(const std::string& subject) override {
    const auto last = std::find(subjects.rbegin(), subjects.rend(), subject);
    if (last == subjects.rend()) return Status(Code::kNotFound, "no such subject");
    return static_cast<int32_t>(subjects.rend() - last);
  }

  std::vector<RegisteredSchema> schemas;
  std::vector<std::string> subjects;
  bool reachable = true;
};

inline std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

inline std::string ToHex(std::string_view bytes) {
  std::string hex;
  for (char byte : bytes) hex += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  return hex;
}

// {"columns": [{"name", "type" (DuckDB's), "nullable"}]}
inline model::Schema ColumnsOf(simdjson::dom::element json, duckdb::Connection& connection) {
  model::Schema schema;
  for (simdjson::dom::element column : json["columns"].get_array()) {
    const std::string type(column["type"].get_string().value());
    schema.columns.push_back({std::string(column["name"].get_string().value()),
                              connection.Query("SELECT NULL::" + type)->types[0],
                              column["nullable"].get_bool().value()});
  }
  return schema;
}

// The entries of a MAP have no order.
inline duckdb::Value WithMapsSorted(const duckdb::Value& value) {
  const duckdb::LogicalType& type = value.type();
  if (value.IsNull() || !type.IsNested()) return value;
  const bool is_struct = type.id() == duckdb::LogicalTypeId::STRUCT;
  duckdb::vector<duckdb::Value> parts;
  for (const duckdb::Value& part : is_struct ? duckdb::StructValue::GetChildren(value)
                                             : duckdb::ListValue::GetChildren(value)) {
    parts.push_back(WithMapsSorted(part));
  }
  if (is_struct) return duckdb::Value::STRUCT(type, std::move(parts));
  const duckdb::LogicalType& element = duckdb::ListType::GetChildType(type);
  if (type.id() == duckdb::LogicalTypeId::LIST) {
    return duckdb::Value::LIST(element, std::move(parts));
  }
  std::sort(parts.begin(), parts.end(), [](const duckdb::Value& a, const duckdb::Value& b) {
    return a.ToString() < b.ToString();
  });
  return duckdb::Value::MAP(element, std::move(parts));
}

inline void ExpectSame(RowFixture& expected, RowFixture& actual, const std::string& about) {
  for (RowFixture* rows : {&expected, &actual}) {
    for (const auto& error : rows->errors) {
      FAIL() << error.column << ": " << error.message << "\n" << about;
    }
  }
  ASSERT_EQ(expected.size(), actual.size()) << about;
  for (size_t row = 0; row < expected.size(); row++) {
    for (size_t i = 0; i < expected.chunk().ColumnCount(); i++) {
      const duckdb::Value want = WithMapsSorted(expected.Value(i, row));
      const duckdb::Value got = WithMapsSorted(actual.Value(i, row));
      ASSERT_TRUE(duckdb::Value::NotDistinctFrom(want, got))
          << "row " << row << " column " << i << ": " << want.ToString() << " became "
          << got.ToString() << "\n"
          << about;
    }
  }
}

// The chunk's rows, record by record.
inline std::vector<std::string> EncodeAll(Encoder& encoder, duckdb::DataChunk& chunk) {
  std::string bytes;
  std::vector<size_t> ends;
  encoder.EncodeChunk(chunk, "", bytes, ends);
  std::vector<std::string> records;
  size_t start = 0;
  for (size_t end : ends) {
    records.push_back(bytes.substr(start, end - start));
    start = end;
  }
  return records;
}

}  // namespace millrace::format
