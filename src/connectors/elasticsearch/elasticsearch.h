// Connectors "elasticsearch-7" and "opensearch": an index, with Flink's option names. Both servers
// speak the same bulk protocol.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::elasticsearch {

ConnectorEntry ElasticsearchConnector();
ConnectorEntry OpenSearchConnector();
Result<std::unique_ptr<Sink>> NewElasticsearchSink(const TableContext& table);

}  // namespace millrace::connectors::elasticsearch
