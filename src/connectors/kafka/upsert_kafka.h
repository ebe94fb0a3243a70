// 'connector' = 'upsert-kafka' with Flink's options, served by the embedded log (services.log).
#pragma once

#include "connectors/connector.h"

namespace millrace::connectors::kafka {

// Whether key and formats of the table are such that a record's key says which row it is. Errors:
// kBadOption, with what is missing.
Status CheckUpsertTable(const TableContext& table);

// Spec and factories as registered.
ConnectorEntry UpsertKafkaConnector();

}  // namespace millrace::connectors::kafka
