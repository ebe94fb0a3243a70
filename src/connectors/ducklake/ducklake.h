// 'connector' = 'ducklake': a table of a DuckLake, Parquet files whose catalog is a database.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::ducklake {

// Spec and factory as registered.
ConnectorEntry DuckLakeConnector();

Result<std::unique_ptr<Sink>> NewDuckLakeSink(const TableContext& table);

}  // namespace millrace::connectors::ducklake
