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
       .doc =
           "Brokers as host:port,…; \"embedded\" for the embedded log on any target. On a target "
           "that embeds 'kafka' it is not looked at; on others 'kafka' is 'kafka-cluster'.",
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

std::vector<model::OptionSpec> UpsertKey() {
  return {
      {.name = "key.format",
       .doc = "Format of the record's key, which holds the columns of the PRIMARY KEY; its options "
              "begin with key.<format>.",
       .required = true,
       .example = "json"},
      {.name = "key.fields-prefix",
       .doc =
           "What the columns of the PRIMARY KEY have before the names in the record's key; needs "
           "'value.fields-include' = 'EXCEPT_KEY'."},
      {.name = "value.fields-include",
       .type = OptionType::kEnum,
       .doc = "Whether the value holds the columns of the PRIMARY KEY, too.",
       .default_value = "ALL",
       .choices = {"ALL", "EXCEPT_KEY"}}};
}

std::vector<model::OptionSpec> UpsertPace() {
  return {{.name = "scan.parallelism",
           .type = OptionType::kInt,
           .doc = "Accepted for Flink; parallelism.default says it."},
          SinkParallelism(),
          {.name = "sink.buffer-flush.max-rows",
           .type = OptionType::kInt,
           .doc = "Accepted for Flink; an epoch is one write."},
          {.name = "sink.buffer-flush.interval",
           .type = OptionType::kDuration,
           .doc = "Accepted for Flink; an epoch is one write."}};
}

model::OptionSpec Partitioner() {
  return {.name = "sink.partitioner",
          .type = OptionType::kEnum,
          .doc =
              "Where rows go: default is by key (murmur2, as Kafka's clients) or, without key, "
              "round robin.",
          .default_value = "default",
          .choices = {"default", "fixed", "round-robin"}};
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
