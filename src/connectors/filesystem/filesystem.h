// 'connector' = 'filesystem' with Flink's options: JSON lines, CSV, raw lines and Parquet files.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::filesystem {

// Spec and factories as registered.
ConnectorEntry FilesystemConnector();

Result<std::unique_ptr<Source>> NewFileSource(const TableContext& table);
Result<std::unique_ptr<Sink>> NewFileSink(const TableContext& table);
Result<std::unique_ptr<Lookup>> NewFileLookup(const TableContext& table, const LookupQuery& query);

}  // namespace millrace::connectors::filesystem
