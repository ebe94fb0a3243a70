// PartitionTransform: how a column's value becomes the value of a partition.
//
// Source: Iceberg table specification, "Partition Transforms".
#pragma once

#include <duckdb.hpp>
#include <string>

#include "base/status.h"
#include "connectors/iceberg/table_metadata.h"

namespace millrace::connectors::iceberg {

struct PartitionTransform {
  std::string expression;  // in DuckDB's SQL, over the column
  duckdb::LogicalType result;
};

// Errors: kUnsupported for a transform, or a type under it, that we do not compute.
Result<PartitionTransform> PartitionTransformOf(const PartitionField& field,
                                                const IcebergSchema& schema);

}  // namespace millrace::connectors::iceberg
