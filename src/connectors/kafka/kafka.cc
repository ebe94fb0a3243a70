#include "connectors/kafka/kafka.h"

namespace millrace::connectors::kafka {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "kafka";
  spec.summary =
      "Topics with Flink's option names; on the embedded target they live in Millrace's own log.";
  spec.source = true;
  spec.sink = true;
  spec.source_bounded = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "Sources read by offset. Sinks number their records per partition, so that a repeated epoch "
      "is not written twice, and record each finished epoch in a topic of their own.";
  spec.takes_format = true;
  spec.sink_takes_changelogs = true;
  spec.options = {
      {.name = "topic",
       .doc = "Name of the topic; created when it does not exist.",
       .required = true,
       .example = "page-views"},
      {.name = "properties.bootstrap.servers",
       .doc = "Brokers as host:port,…; not used by the embedded log.",
       .example = "kafka:9092"},
      {.name = "properties.group.id",
       .doc = "Consumer group; the job's checkpoints hold its position."},
      {.name = "properties.auto.offset.reset",
       .type = OptionType::kEnum,
       .doc = "Where group-offsets starts when the job has no position yet.",
       .default_value = "latest",
       .choices = {"latest", "earliest", "none"}},
      {.name = "properties.num.partitions",
       .type = OptionType::kInt,
       .doc = "Partitions of a topic that the table creates.",
       .default_value = "1"},
      {.name = "properties.retention.ms",
       .type = OptionType::kInt,
       .doc = "How long a topic that the table creates keeps records, in ms; -1: for ever.",
       .default_value = "604800000"},
      {.name = "properties.retention.bytes",
       .type = OptionType::kInt,
       .doc = "How many bytes per partition such a topic keeps; -1: no limit.",
       .default_value = "-1"},
      {.name = "properties.*",
       .doc = "Any other setting of Kafka's clients; the embedded log needs none of them."},
      {.name = "scan.startup.mode",
       .type = OptionType::kEnum,
       .doc = "Where a job that never read the topic begins. Topics and partitions that appear "
              "later are read from their first record.",
       .default_value = "group-offsets",
       .choices = {"earliest-offset", "latest-offset", "group-offsets", "timestamp",
                   "specific-offsets"}},
      {.name = "scan.startup.timestamp-millis",
       .type = OptionType::kInt,
       .doc = "For mode timestamp: the first record not older than this many ms since 1970."},
      {.name = "scan.startup.specific-offsets",
       .doc = "For mode specific-offsets: an offset for each partition.",
       .example = "partition:0,offset:42;partition:1,offset:300"},
      {.name = "scan.bounded.mode",
       .type = OptionType::kEnum,
       .doc = "Where the source ends; latest-offset: at the end the topic has when the job starts.",
       .default_value = "unbounded",
       .choices = {"unbounded", "latest-offset"}},
      {.name = "scan.topic-partition-discovery.interval",
       .type = OptionType::kDuration,
       .doc = "Accepted for Flink; new partitions are found within a second."},
      {.name = "sink.partitioner",
       .type = OptionType::kEnum,
       .doc = "Where rows go: default is by key (murmur2, as Kafka's clients) or, without key, "
              "round robin.",
       .default_value = "default",
       .choices = {"default", "fixed", "round-robin"}},
      {.name = "sink.parallelism",
       .type = OptionType::kInt,
       .doc = "Accepted for Flink; one writer is enough."},
      {.name = "sink.semantic",
       .type = OptionType::kEnum,
       .doc = "Older name of sink.delivery-guarantee.",
       .choices = {"exactly-once", "at-least-once", "none"}},
      {.name = "sink.delivery-guarantee",
       .type = OptionType::kEnum,
       .doc = "Accepted for Flink; the embedded log always gives exactly-once.",
       .default_value = "exactly-once",
       .choices = {"exactly-once", "at-least-once", "none"}},
      {.name = "sink.transactional-id-prefix",
       .doc = "Accepted for Flink; the embedded log knows a writer by job and table."},
  };
  spec.example =
      "CREATE TABLE page_views (\n  user_id STRING,\n  url STRING,\n  event_time TIMESTAMP(3),\n"
      "  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND\n) WITH (\n"
      "  'connector' = 'kafka',\n  'topic' = 'page-views',\n"
      "  'properties.bootstrap.servers' = 'kafka:9092',\n"
      "  'scan.startup.mode' = 'earliest-offset',\n  'format' = 'json'\n);";
  return spec;
}

}  // namespace

ConnectorEntry KafkaConnector() {
  return {Spec(), NewLogTopicSource,
          [](const TableContext& table) { return NewLogTopicSink(table); }};
}

}  // namespace millrace::connectors::kafka
