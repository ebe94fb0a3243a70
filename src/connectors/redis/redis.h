// 'connector' = 'redis': hashes, texts and JSON documents of a Redis server, asked by key.
#pragma once

#include <memory>

#include "connectors/connector.h"
#include "connectors/lookup.h"

namespace millrace::connectors::redis {

// Spec and factory as registered.
ConnectorEntry RedisConnector();

// Errors: kBadOption for a url or key pattern that cannot be used, kUnsupported where the query
// does not give every column of the key pattern.
Result<std::unique_ptr<Lookup>> NewRedisLookup(const TableContext& table, const LookupQuery& query);

}  // namespace millrace::connectors::redis
