#include "connectors/iceberg/partition_transform.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

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

// What is hashed, as mr_iceberg_bucket takes it; "": values of the type have no hash.
std::string Hashed(const std::string& column, const LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::INTEGER:
    case LogicalTypeId::BIGINT:
      return "CAST(" + column + " AS BIGINT)";
    case LogicalTypeId::DECIMAL:  // without its point, at which values may be too long to multiply
      return "CAST(replace(CAST(" + column + " AS VARCHAR), '.', '') AS HUGEINT)";
    case LogicalTypeId::DATE:
      return "CAST(" + column + " - DATE '1970-01-01' AS BIGINT)";
    case LogicalTypeId::TIME:
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_TZ:
      return "epoch_us(" + column + ")";
    case LogicalTypeId::UUID:
      return "unhex(replace(CAST(" + column + " AS VARCHAR), '-', ''))";
    case LogicalTypeId::VARCHAR:
    case LogicalTypeId::BLOB:
      return column;
    default:
      return "";
  }
}

// Of "bucket[16]": 16, if the name is `name`; else 0.
int32_t ParameterOf(const std::string& transform, const std::string& name) {
  if (!transform.starts_with(name + "[") || !transform.ends_with("]")) return 0;
  const char* first = transform.data() + name.size() + 1;
  const char* last = transform.data() + transform.size() - 1;
  int32_t number = 0;
  const auto [end, error] = std::from_chars(first, last, number);
  return error == std::errc() && end == last && number > 0 ? number : 0;
}

// The value, or text, that those of one partition begin with; nothing for other types.
std::optional<PartitionTransform> Truncated(const std::string& column, const LogicalType& type,
                                            int32_t width) {
  if (type == LogicalType::VARCHAR) {
    return PartitionTransform{fmt::format("left({}, {})", column, width), type};
  }
  if (type != LogicalType::INTEGER && type != LogicalType::BIGINT) return std::nullopt;
  // What would be below the lowest value wraps around, as it does in Java.
  const auto bits = type == LogicalType::INTEGER ? 32 : 64;
  const std::string exact =
      fmt::format("({0}::HUGEINT - (({0}::HUGEINT % {1}) + {1}) % {1})", column, width);
  const std::string lowest = bits == 32 ? "-2147483648" : "-9223372036854775808";
  const std::string all = bits == 32 ? "4294967296" : "18446744073709551616";
  return PartitionTransform{
      fmt::format("CAST(CASE WHEN {0} < {1}::HUGEINT THEN {0} + {2}::HUGEINT ELSE {0} END AS {3})",
                  exact, lowest, all, type.ToString()),
      type};
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
  if (const int32_t count = ParameterOf(field.transform, "bucket")) {
    const std::string hashed = Hashed(column, type);
    if (!hashed.empty()) {
      return PartitionTransform{fmt::format("mr_iceberg_bucket({}, {})", hashed, count),
                                LogicalType::INTEGER};
    }
  }
  if (const int32_t width = ParameterOf(field.transform, "truncate")) {
    if (auto truncated = Truncated(column, type, width)) return *truncated;
  }
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
      .WithHint(
          "identity, bucket, truncate (of texts, INT and BIGINT), year, month, day and hour can be "
          "written");
}

}  // namespace millrace::connectors::iceberg
