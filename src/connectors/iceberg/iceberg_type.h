// The types and schemas of Iceberg tables, and what they are in DuckDB.
//
// Source: Iceberg table specification, "Schemas and Data Types", "Appendix C: JSON serialization".
#pragma once

#include <simdjson.h>

#include <string>
#include <vector>

#include "base/status.h"
#include "model/schema.h"

namespace millrace::connectors::iceberg {

struct IcebergField;

struct IcebergType {
  enum class Kind { kPrimitive, kStruct, kList, kMap };
  Kind kind = Kind::kPrimitive;
  std::string primitive = {};  // as written: "long", "decimal(12, 2)"
  // struct: its fields; list: "element"; map: "key" and "value".
  std::vector<IcebergField> fields;
};

struct IcebergField {
  int id = 0;
  std::string name;
  bool required = false;
  IcebergType type;
};

// A table's columns.
using IcebergSchema = std::vector<IcebergField>;

// Of a JSON schema or struct. Errors: kUnsupported for types that we cannot write; kCorruption.
Result<IcebergSchema> ParseSchema(const simdjson::dom::element& json);
// The JSON of a schema with the number `schema_id`.
std::string SchemaJson(const IcebergSchema& schema, int schema_id);
std::string FieldJson(const IcebergField& field);

// The type for a column of ours. Parts get the numbers `last_id` + 1 and so on; it is raised.
// Errors: kUnsupported.
Result<IcebergType> IcebergTypeOf(const duckdb::LogicalType& type, int& last_id);
// How DuckDB holds it.
duckdb::LogicalType DuckTypeOf(const IcebergType& type);
// Null: there is none of this name, ignoring case.
const IcebergField* FindField(const IcebergSchema& schema, const std::string& name);
// Of any depth.
const IcebergField* FindField(const IcebergSchema& schema, int id);
// DuckDB's option FIELD_IDS for COPY … TO a Parquet file.
std::string FieldIdsOption(const IcebergSchema& schema);

}  // namespace millrace::connectors::iceberg
