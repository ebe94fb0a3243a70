// How the columns that SQL declares become columns of an Iceberg table.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/iceberg/table_metadata.h"
#include "model/schema.h"

namespace millrace::connectors::iceberg {

struct MatchedColumns {
  IcebergSchema written;  // of each declared column, in its order; those that are missing, too
  IcebergSchema missing;  // what the table lacks, numbered behind its last column
};

// Names are compared as SQL does, without case. Errors: kFailedPrecondition for a column of another
// type, one that must not be NULL and is not declared, or not declared NOT NULL; kUnsupported.
Result<MatchedColumns> MatchColumns(const model::Schema& declared, const TableMetadata& table);

// The table's schema as JSON with `added` behind its columns, else as it is.
std::string SchemaWith(const TableMetadata& table, const IcebergSchema& added);

// A table of the declared columns, partitioned by the values of some.
// Errors: kUnsupported.
Status DescribeNewTable(const model::Schema& declared,
                        const std::vector<std::string>& partitioned_by, IcebergSchema& schema,
                        PartitionSpec& spec);

}  // namespace millrace::connectors::iceberg
