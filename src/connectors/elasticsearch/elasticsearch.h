// Connectors "elasticsearch-7" and "opensearch": an index, with Flink's option names. Both servers
// speak the same bulk protocol.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::elasticsearch {

ConnectorEntry ElasticsearchConnector();
ConnectorEntry OpenSearchConnector();
Result<std::unique_ptr<Sink>> NewElasticsearchSink(const TableContext& table);
// Documents by their id, so the query must give the whole PRIMARY KEY and nothing else.
Result<std::unique_ptr<Lookup>> NewElasticsearchLookup(const TableContext& table,
                                                       const LookupQuery& query);

}  // namespace millrace::connectors::elasticsearch
