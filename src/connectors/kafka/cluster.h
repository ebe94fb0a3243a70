// What 'kafka' and 'upsert-kafka' are on a target that does not embed them: topics of a real Kafka
// cluster, by librdkafka. Their own names, "kafka-cluster" and "upsert-kafka-cluster", say so for
// one table on any target.
#pragma once

#include "connectors/connector.h"

namespace millrace::connectors::kafka {

// Specs and factories as registered.
ConnectorEntry KafkaClusterConnector();
ConnectorEntry UpsertKafkaClusterConnector();

}  // namespace millrace::connectors::kafka
