// 'connector' = 'warehouse': rows into the embedded DuckDB database (services.warehouse).
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::warehouse {

// Spec and factory as registered.
ConnectorEntry WarehouseConnector();

// Also serves tables declared with 'connector' = 'jdbc': it reads 'table-name' where the options
// have it and nothing else. Error kUnsupported when services.warehouse is null.
Result<std::unique_ptr<Sink>> NewWarehouseSink(const TableContext& table);

}  // namespace millrace::connectors::warehouse
