// What the Kafka port knows of its clients, in SQL and as metrics:
//
//   millrace.consumer_groups, millrace.consumer_group_offsets, millrace.transactions
//   kafka_consumergroup_lag{consumergroup,topic,partition} and the others of kafka_exporter that
//   are about groups; millrace_kafka_connections, millrace_kafka_open_transactions,
//   millrace_kafka_oldest_transaction_seconds
//
// Contract: the server outlives every query and look; any thread asks.
#pragma once

#include <prometheus/collectable.h>

#include <memory>

#include "duck/warehouse.h"
#include "kafka/server.h"

namespace millrace::cli {

Status RegisterKafkaTables(duck::Warehouse& warehouse, kafka::KafkaServer& server);
std::shared_ptr<prometheus::Collectable> KafkaMetrics(kafka::KafkaServer& server);

}  // namespace millrace::cli
