#include "connectors/kafka/cluster.h"

#include "connectors/kafka/cluster_sink.h"
#include "connectors/kafka/cluster_source.h"
#include "connectors/kafka/topic_options.h"
#include "connectors/kafka/upsert_kafka.h"

namespace millrace::connectors::kafka {

namespace {

std::vector<model::OptionSpec> ClusterPlace(const char* topic) {
  return {
      {.name = "topic",
       .doc = "Name of the topic. A job waits until it exists; a sink's is made by brokers that "
              "create topics by themselves.",
       .required = true,
       .example = topic},
      {.name = "properties.bootstrap.servers",
       .doc = "Brokers of the cluster as host:port,…",
       .required = true,
       .example = "kafka:9092"},
      {.name = "properties.*",
       .doc = "Any other setting of Kafka's clients, by Java's names or librdkafka's; one that "
              "has no counterpart is refused with what to write instead. For example "
              "'properties.security.protocol', 'properties.sasl.jaas.config', "
              "'properties.isolation.level' (default read_committed), "
              "'properties.compression.type'."}};
}

std::vector<model::OptionSpec> ClusterBound() {
  return {
      {.name = "scan.bounded.mode",
       .type = OptionType::kEnum,
       .doc = "Where the source ends; latest-offset: at the end each partition has when the job "
              "starts.",
       .default_value = "unbounded",
       .choices = {"unbounded", "latest-offset", "group-offsets", "timestamp", "specific-offsets"}},
      {.name = "scan.bounded.timestamp-millis",
       .type = OptionType::kInt,
       .doc = "For mode timestamp: up to the first record not older than this many ms since "
              "1970."},
      {.name = "scan.bounded.specific-offsets",
       .doc = "For mode specific-offsets: for each partition the first offset not read.",
       .example = "partition:0,offset:42;partition:1,offset:300"}};
}

model::OptionSpec Discovery() {
  return {.name = "scan.topic-partition-discovery.interval",
          .type = OptionType::kDuration,
          .doc =
              "How often to ask for new partitions, which are read from their first record; 0: "
              "never.",
          .default_value = "5 s"};
}

model::OptionSpec Group() {
  return {.name = "properties.group.id",
          .doc =
              "Consumer group whose positions are committed after each checkpoint, for tools that "
              "show lag. The job goes by its own state, and takes no part in the group."};
}

std::vector<model::OptionSpec> ClusterDelivery() {
  return {{.name = "sink.delivery-guarantee",
           .type = OptionType::kEnum,
           .doc = "exactly-once: each epoch is a transaction, which readers see with "
                  "isolation.level=read_committed. at-least-once: without transactions; after a "
                  "crash the last epoch may be there twice. none: as at-least-once.",
           .default_value = "exactly-once",
           .choices = {"exactly-once", "at-least-once", "none"}},
          {.name = "sink.transactional-id-prefix",
           .doc = "Transactional id and consumer group of the sink are <prefix>-<job>-<table>; two "
                  "projects with the same names in one cluster need different ones.",
           .default_value = "millrace"}};
}

constexpr const char* kGuarantee =
    "A source reads the offsets that the job decided on, again after a crash the same, and "
    "committed "
    "records only. A sink writes an epoch and its number in one transaction.";

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "kafka-cluster";
  spec.summary = "Topics of a Kafka cluster: what 'kafka' is on a target that does not embed it.";
  spec.source = true;
  spec.sink = true;
  spec.source_bounded = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc = kGuarantee;
  spec.takes_format = true;
  spec.holds_bytes = true;
  spec.sink_takes_changelogs = true;
  spec.options = ClusterPlace("page-views");
  Append(
      spec.options,
      {Group(),
       {.name = "properties.auto.offset.reset",
        .type = OptionType::kEnum,
        .doc = "Where group-offsets starts when neither job nor group have a position yet.",
        .default_value = "latest",
        .choices = {"latest", "earliest", "none"}},
       {.name = "scan.startup.mode",
        .type = OptionType::kEnum,
        .doc = "Where a job that never read the topic begins. Partitions that appear later are "
               "read from their first record.",
        .default_value = "group-offsets",
        .choices = {"earliest-offset", "latest-offset", "group-offsets", "timestamp",
                    "specific-offsets"}},
       {.name = "scan.startup.timestamp-millis",
        .type = OptionType::kInt,
        .doc = "For mode timestamp: the first record not older than this many ms since 1970."},
       {.name = "scan.startup.specific-offsets",
        .doc = "For mode specific-offsets: an offset for each partition; where one is missing, the "
               "group's, else the first.",
        .example = "partition:0,offset:42;partition:1,offset:300"}});
  Append(spec.options, ClusterBound());
  spec.options.push_back(Discovery());
  spec.options.push_back(Partitioner());
  spec.options.push_back(SinkParallelism());
  Append(spec.options, ClusterDelivery());
  spec.example =
      "CREATE TABLE page_views (\n  user_id STRING,\n  url STRING,\n  event_time TIMESTAMP(3),\n"
      "  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND\n) WITH (\n"
      "  'connector' = 'kafka',\n  'topic' = 'page-views',\n"
      "  'properties.bootstrap.servers' = 'kafka:9092',\n"
      "  'properties.group.id' = 'analytics',\n"
      "  'scan.startup.mode' = 'earliest-offset',\n  'format' = 'json'\n);";
  return spec;
}

ConnectorSpec UpsertSpec() {
  ConnectorSpec spec;
  spec.name = "upsert-kafka-cluster";
  spec.summary =
      "A topic of a Kafka cluster as a table with a PRIMARY KEY: what 'upsert-kafka' is on a "
      "target "
      "that does not embed 'kafka'.";
  spec.source = true;
  spec.sink = true;
  spec.source_bounded = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc = std::string(kGuarantee) +
                       " It is read from its first record on; what compaction has removed was "
                       "superseded.";
  spec.takes_format = true;
  spec.holds_bytes = true;
  spec.sink_accepts_updates = true;
  spec.upserts = true;
  spec.options = ClusterPlace("rates");
  spec.options.push_back(Group());
  Append(spec.options, UpsertKey());
  Append(spec.options, ClusterBound());
  spec.options.push_back(Discovery());
  Append(spec.options, UpsertPace());
  Append(spec.options, ClusterDelivery());
  spec.example = UpsertKafkaConnector().spec.example;
  return spec;
}

}  // namespace

ConnectorEntry KafkaClusterConnector() {
  return {Spec(), NewClusterSource,
          [](const TableContext& table) { return NewClusterSink(table, false); }};
}

ConnectorEntry UpsertKafkaClusterConnector() {
  return {UpsertSpec(),
          [](const TableContext& table) -> Result<std::unique_ptr<Source>> {
            MR_RETURN_IF_ERROR(CheckUpsertTable(table));
            return NewClusterSource(table);
          },
          [](const TableContext& table) -> Result<std::unique_ptr<Sink>> {
            MR_RETURN_IF_ERROR(CheckUpsertTable(table));
            return NewClusterSink(table, true);
          }};
}

}  // namespace millrace::connectors::kafka
