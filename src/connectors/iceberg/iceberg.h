// 'connector' = 'iceberg': a table of an Iceberg catalog, Parquet files whose snapshots are kept by
// a REST service.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::iceberg {

// Spec and factory as registered.
ConnectorEntry IcebergConnector();

Result<std::unique_ptr<Sink>> NewIcebergSink(const TableContext& table);

}  // namespace millrace::connectors::iceberg
