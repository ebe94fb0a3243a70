// Source over Parquet files: one split per file, positions are row numbers.
//
// Files are read by DuckDB; columns are found by name and cast to the declared types; columns of
// PARTITIONED BY come from the directory names (key=value). A file is complete when it is seen.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::filesystem {

Result<std::unique_ptr<Source>> NewParquetSource(const TableContext& table);

}  // namespace millrace::connectors::filesystem
