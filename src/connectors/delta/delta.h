// 'connector' = 'delta': a table of Delta Lake, Parquet files with a transaction log beside them.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::delta {

// Spec and factory as registered.
ConnectorEntry DeltaConnector();

Result<std::unique_ptr<Sink>> NewDeltaSink(const TableContext& table);

}  // namespace millrace::connectors::delta
