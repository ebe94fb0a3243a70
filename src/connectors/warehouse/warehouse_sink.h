// 'connector' = 'warehouse': rows into the embedded DuckDB database
// (services.warehouse), and look-ups in it.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::warehouse {

// Spec and factory as registered.
ConnectorEntry WarehouseConnector();

// Also serves tables declared with 'connector' = 'jdbc': it reads 'table-name' where the options
// have it and nothing else. Error kUnsupported when services.warehouse is null.
Result<std::unique_ptr<Sink>> NewWarehouseSink(const TableContext& table);
// Asks the table's rows as they are committed at that moment; one that is not there has none.
Result<std::unique_ptr<Lookup>> NewWarehouseLookup(const TableContext& table,
                                                   const LookupQuery& query);

}  // namespace millrace::connectors::warehouse
