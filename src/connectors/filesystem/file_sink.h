// The file sink, with the file system to write to (tests give one that fails).
#pragma once

#include <memory>

#include "connectors/connector.h"
#include "env/files.h"

namespace millrace::connectors::filesystem {

// Parquet files are written by DuckDB and so always to the machine's own files.
Result<std::unique_ptr<Sink>> NewFileSinkOn(const TableContext& table, env::FileSystem& files);

}  // namespace millrace::connectors::filesystem
