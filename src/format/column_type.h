// ColumnType: what a format needs to know of a column's type: which kind of value it holds, and how
// to name it to a user.
#pragma once

#include <duckdb.hpp>
#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::format {

enum class ColumnKind : uint8_t {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat,
  kDouble,
  kDecimal,
  kString,
  kBytes,
  kDate,
  kTime,
  kTimestamp,
  kTimestampTz,
  kList,    // one child: the element
  kStruct,  // a child per field, named by field_names
  kMap,     // two children: key (always kString) and value
};

struct ColumnType {
  ColumnKind kind = ColumnKind::kString;
  duckdb::PhysicalType physical = duckdb::PhysicalType::VARCHAR;
  uint8_t width = 0;  // kDecimal
  uint8_t scale = 0;  // kDecimal
  std::vector<std::string> field_names;
  // "\"name\":", as most JSON documents write a field; empty for a name that has to be escaped.
  std::vector<std::string> quoted_names;
  std::vector<ColumnType> children;

  bool scalar() const { return kind < ColumnKind::kList; }
};

// Errors: kUnsupported, naming the type, for types that no text format carries.
Result<ColumnType> MakeColumnType(const duckdb::LogicalType& type);

// As Flink names it: "INT", "DECIMAL(10, 2)", "ROW".
std::string TypeName(const ColumnType& type);
// "an INT", "a STRING".
std::string TypeNameWithArticle(const ColumnType& type);

}  // namespace millrace::format
