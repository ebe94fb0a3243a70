// 'connector' = 'upsert-kafka' with Flink's options, served by the embedded log (services.log).
#pragma once

#include "connectors/connector.h"

namespace millrace::connectors::kafka {

// Spec and factories as registered.
ConnectorEntry UpsertKafkaConnector();

}  // namespace millrace::connectors::kafka
