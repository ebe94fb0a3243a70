#include "connectors/iceberg/partition_transform.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace millrace::connectors::iceberg {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;

namespace {

bool IsTime(const LogicalType& type) {
  return type == LogicalType::DATE || type == LogicalType::TIMESTAMP ||
         type == LogicalType::TIMESTAMP_TZ;
}

bool HasIdentity(const LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::BOOLEAN:
    case LogicalTypeId::INTEGER:
    case LogicalTypeId::BIGINT:
    case LogicalTypeId::DATE:
    case LogicalTypeId::TIME:
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_TZ:
    case LogicalTypeId::VARCHAR:
      return true;
    default:
      return false;
  }
}

// Whole units of time since 1970, rounded down, in UTC whatever the session says.
std::string UnitsSince1970(const std::string& column, int64_t unit_us) {
  const std::string us = "epoch_us(" + column + ")";
  return fmt::format("CAST(({0} - (({0} % {1}) + {1}) % {1}) // {1} AS INTEGER)", us, unit_us);
}

std::string Day(const std::string& column, const LogicalType& type) {
  if (type == LogicalType::DATE) return column;
  return "(DATE '1970-01-01' + " + UnitsSince1970(column, 86'400'000'000) + ")";
}

}  // namespace

Result<PartitionTransform> PartitionTransformOf(const PartitionField& field,
                                                const IcebergSchema& schema) {
  const IcebergField* source = FindField(schema, field.source_id);
  if (!source) {
    return Status(Code::kUnsupported, "the partition field \"" + field.name +
                                          "\" is of a column that does not exist any more");
  }
  const LogicalType type = DuckTypeOf(source->type);
  const std::string column = QuoteIdentifier(source->name);
  if (field.transform == "identity" && HasIdentity(type)) return PartitionTransform{column, type};
  if (IsTime(type)) {
    const std::string day = Day(column, type);
    if (field.transform == "day") return PartitionTransform{day, LogicalType::DATE};
    if (field.transform == "month") {
      return PartitionTransform{
          "CAST((year(" + day + ") - 1970) * 12 + month(" + day + ") - 1 AS INTEGER)",
          LogicalType::INTEGER};
    }
    if (field.transform == "year") {
      return PartitionTransform{"CAST(year(" + day + ") - 1970 AS INTEGER)", LogicalType::INTEGER};
    }
    if (field.transform == "hour" && type != LogicalType::DATE) {
      return PartitionTransform{UnitsSince1970(column, 3'600'000'000), LogicalType::INTEGER};
    }
  }
  return Status(Code::kUnsupported,
                fmt::format("the partition field \"{}\" is {} of a column of type {}", field.name,
                            field.transform, type.ToString()))
      .WithHint("identity, year, month, day and hour can be written");
}

}  // namespace millrace::connectors::iceberg
