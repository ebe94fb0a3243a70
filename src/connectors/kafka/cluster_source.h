// Source over a topic of a Kafka cluster: one split per partition, positions are offsets.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::kafka {

// Connects when it is first asked for its splits. Errors: kBadOption for properties that librdkafka
// does not take and options that contradict each other.
Result<std::unique_ptr<Source>> NewClusterSource(const TableContext& table);

}  // namespace millrace::connectors::kafka
