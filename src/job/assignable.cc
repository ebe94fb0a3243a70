#include "job/assignable.h"

#include <fmt/format.h>

#include "sql/types.h"

namespace millrace::job {

namespace {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;

// Kinds of values that INSERT does not turn into each other by itself.
enum class TypeFamily {
  kText,
  kBytes,
  kBoolean,
  kNumber,
  kDate,
  kTime,
  kTimestamp,
  kNested,
  kOther
};

TypeFamily FamilyOf(const LogicalType& type) {
  if (type.IsNumeric()) return TypeFamily::kNumber;
  if (type.IsNested()) return TypeFamily::kNested;
  switch (type.id()) {
    case LogicalTypeId::VARCHAR:
    case LogicalTypeId::CHAR:
      return TypeFamily::kText;
    case LogicalTypeId::BLOB:
      return TypeFamily::kBytes;
    case LogicalTypeId::BOOLEAN:
      return TypeFamily::kBoolean;
    case LogicalTypeId::DATE:
      return TypeFamily::kDate;
    case LogicalTypeId::TIME:
      return TypeFamily::kTime;
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_TZ:
      return TypeFamily::kTimestamp;
    default:
      return TypeFamily::kOther;
  }
}

// Flink's rule between kinds; within one, every number goes into every other where Flink wants the
// wider one, and what does not fit is a dead letter.
bool IsAssignable(const LogicalType& from, const LogicalType& to) {
  const TypeFamily given = FamilyOf(from);
  const TypeFamily wanted = FamilyOf(to);
  if (from.id() == LogicalTypeId::SQLNULL) return true;
  if (given == wanted) return given != TypeFamily::kNested || from.id() == to.id();
  if (given == TypeFamily::kTimestamp) {
    return wanted == TypeFamily::kDate || wanted == TypeFamily::kTime;
  }
  // DuckDB's other types: as far as it casts them.
  return given == TypeFamily::kOther && wanted != TypeFamily::kText;
}

}  // namespace

Status CheckAssignable(const LogicalType& from, const LogicalType& to, const std::string& column,
                       const std::string& table, const SourceSpan& at) {
  if (IsAssignable(from, to)) return Status::Ok();
  Status status(Code::kType,
                fmt::format("column \"{}\" of table \"{}\" is {}, but the query gives {}", column,
                            table, sql::ToFlinkType(to), sql::ToFlinkType(from)));
  const bool clock =
      FamilyOf(from) == TypeFamily::kTimestamp && FamilyOf(to) == TypeFamily::kNumber;
  return std::move(status)
      .WithHint(clock ? "write EXTRACT(EPOCH FROM …) for seconds since 1970"
                      : fmt::format("write CAST(… AS {})", sql::ToFlinkType(to)))
      .At(at);
}

}  // namespace millrace::job
