// Versions of a table of the embedded warehouse; see connectors/table_versions.h.
#pragma once

#include <memory>

#include "connectors/table_versions.h"

namespace millrace::connectors::warehouse {

// Error kUnsupported when services.warehouse is null.
Result<std::unique_ptr<TableVersions>> OpenWarehouseVersions(const TableContext& table);

}  // namespace millrace::connectors::warehouse
