#include "model/schema.h"

#include "base/strings.h"
#include "model/row_error.h"

namespace millrace::model {

int Schema::Find(std::string_view name) const {
  for (size_t i = 0; i < columns.size(); i++) {
    if (columns[i].name == name) return static_cast<int>(i);
  }
  for (size_t i = 0; i < columns.size(); i++) {
    if (EqualsIgnoreCase(columns[i].name, name)) return static_cast<int>(i);
  }
  return -1;
}

duckdb::vector<duckdb::LogicalType> Schema::Types() const {
  duckdb::vector<duckdb::LogicalType> types;
  for (const Column& c : columns) types.push_back(c.type);
  return types;
}

std::vector<std::string> Schema::Names() const {
  std::vector<std::string> names;
  for (const Column& c : columns) names.push_back(c.name);
  return names;
}

const char* RowErrorKindName(RowErrorKind kind) {
  switch (kind) {
    case RowErrorKind::kMalformed:
      return "malformed";
    case RowErrorKind::kType:
      return "type";
    case RowErrorKind::kNull:
      return "null";
    case RowErrorKind::kConstraint:
      return "constraint";
    case RowErrorKind::kTime:
      return "time";
    case RowErrorKind::kLate:
      return "late";
    case RowErrorKind::kRejected:
      return "rejected";
  }
  return "unknown";
}

}  // namespace millrace::model
