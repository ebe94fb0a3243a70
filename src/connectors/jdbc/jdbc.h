// 'connector' = 'jdbc' with Flink's options: a sink into a real PostgreSQL.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::jdbc {

// Spec and factory as registered.
ConnectorEntry JdbcConnector();

// Error kBadOption for a url that cannot be used, kUnsupported for databases other than PostgreSQL.
Result<std::unique_ptr<Sink>> NewPostgresSink(const TableContext& table);

}  // namespace millrace::connectors::jdbc
