// The options that all tables over topics have, in the groups in which they are documented.
#pragma once

#include <vector>

#include "connectors/connector.h"

namespace millrace::connectors::kafka {

// topic, properties.bootstrap.servers
std::vector<model::OptionSpec> TopicPlace(const char* example);
// properties.num.partitions, .retention.…, properties.*
std::vector<model::OptionSpec> TopicThatIsMade(const char* retention_ms);
// scan.bounded.mode
model::OptionSpec BoundedMode();
// sink.delivery-guarantee, sink.transactional-id-prefix
std::vector<model::OptionSpec> Delivery();
// key.format, key.fields-prefix, value.fields-include of a table whose records have its key
std::vector<model::OptionSpec> UpsertKey();
// scan.parallelism, sink.parallelism, sink.buffer-flush.…
std::vector<model::OptionSpec> UpsertPace();
// sink.partitioner
model::OptionSpec Partitioner();
// sink.parallelism
model::OptionSpec SinkParallelism();

void Append(std::vector<model::OptionSpec>& to, std::vector<model::OptionSpec> more);

}  // namespace millrace::connectors::kafka
