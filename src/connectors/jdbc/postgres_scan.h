// PostgresScan: a PostgreSQL table as a virtual table of the warehouse, so that queries and
// dashboards read what jobs wrote there.
//
// Each pass is one transaction that fetches the wanted columns in blocks. Conditions of the query
// are not sent along: the server gives all rows.
#pragma once

#include <memory>

#include "connectors/connector.h"
#include "duck/table_provider.h"

namespace millrace::connectors::jdbc {

// `table`: a table with connector 'jdbc'; its options say where it is. Nothing is asked of the
// server before the first pass, so it may be down now. Errors: kBadOption, as the sink's.
Result<duck::VirtualTable> PostgresVirtualTable(const TableContext& table);

}  // namespace millrace::connectors::jdbc
