// 'connector' = 'jdbc' with Flink's options: a sink into a real PostgreSQL, and look-ups in it.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::jdbc {

// Spec and factory as registered.
ConnectorEntry JdbcConnector();

// Error kBadOption for a url that cannot be used, kUnsupported for databases other than PostgreSQL.
Result<std::unique_ptr<Sink>> NewPostgresSink(const TableContext& table);
Result<std::unique_ptr<Lookup>> NewPostgresLookup(const TableContext& table,
                                                  const LookupQuery& query);

}  // namespace millrace::connectors::jdbc
