// 'connector' = 'kafka' with Flink's options, served by the embedded log (services.log).
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::kafka {

// Spec and factories as registered.
ConnectorEntry KafkaConnector();

// Source and sink over log::Log. A source without 'scan.startup.mode' is read from its first record
// on. Error kUnsupported when services.log is null; kBadOption for
// option values that contradict each other.
Result<std::unique_ptr<Source>> NewLogTopicSource(const TableContext& table);
// `upsert`: a record per PRIMARY KEY that changed, a tombstone where its row went.
Result<std::unique_ptr<Sink>> NewLogTopicSink(const TableContext& table, bool upsert = false);

}  // namespace millrace::connectors::kafka
