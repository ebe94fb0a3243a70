#include "connectors/kafka/topic_options.h"

#include <iterator>

namespace millrace::connectors::kafka {

std::vector<model::OptionSpec> TopicPlace(const char* example) {
  return {
      {.name = "topic",
       .doc = "Name of the topic; created when it does not exist.",
       .required = true,
       .example = example},
      {.name = "properties.bootstrap.servers",
       .doc = "Brokers as host:port,…; not used by the embedded log.",
       .example = "kafka:9092"},
  };
}

std::vector<model::OptionSpec> TopicThatIsMade(const char* retention_ms) {
  return {
      {.name = "properties.num.partitions",
       .type = OptionType::kInt,
       .doc = "Partitions of a topic that the table creates.",
       .default_value = "1"},
      {.name = "properties.retention.ms",
       .type = OptionType::kInt,
       .doc = "How long a topic that the table creates keeps records, in ms; -1: for ever.",
       .default_value = retention_ms},
      {.name = "properties.retention.bytes",
       .type = OptionType::kInt,
       .doc = "How many bytes per partition such a topic keeps; -1: no limit.",
       .default_value = "-1"},
      {.name = "properties.*",
       .doc = "Any other setting of Kafka's clients; the embedded log needs none of them."},
  };
}

model::OptionSpec BoundedMode() {
  return {
      .name = "scan.bounded.mode",
      .type = OptionType::kEnum,
      .doc = "Where the source ends; latest-offset: at the end the topic has when the job starts.",
      .default_value = "unbounded",
      .choices = {"unbounded", "latest-offset"}};
}

std::vector<model::OptionSpec> Delivery() {
  return {
      {.name = "sink.delivery-guarantee",
       .type = OptionType::kEnum,
       .doc = "Accepted for Flink; the embedded log always gives exactly-once.",
       .default_value = "exactly-once",
       .choices = {"exactly-once", "at-least-once", "none"}},
      {.name = "sink.transactional-id-prefix",
       .doc = "Accepted for Flink; the embedded log knows a writer by job and table."},
  };
}

model::OptionSpec SinkParallelism() {
  return {.name = "sink.parallelism",
          .type = OptionType::kInt,
          .doc = "Accepted for Flink; one writer is enough."};
}

void Append(std::vector<model::OptionSpec>& to, std::vector<model::OptionSpec> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace millrace::connectors::kafka
