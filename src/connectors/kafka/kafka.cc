#include "connectors/kafka/kafka.h"

#include "connectors/kafka/topic_options.h"

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
  spec.holds_bytes = true;
  spec.sink_takes_changelogs = true;
  spec.options = TopicPlace("page-views");
  Append(spec.options, {{.name = "properties.group.id",
                         .doc = "Consumer group; the job's checkpoints hold its position."},
                        {.name = "properties.auto.offset.reset",
                         .type = OptionType::kEnum,
                         .doc = "Where group-offsets starts when the job has no position yet.",
                         .default_value = "latest",
                         .choices = {"latest", "earliest", "none"}}});
  Append(spec.options, TopicThatIsMade("604800000"));
  Append(spec.options,
         {{.name = "scan.startup.mode",
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
           .example = "partition:0,offset:42;partition:1,offset:300"}});
  spec.options.push_back(BoundedMode());
  Append(spec.options, {{.name = "scan.topic-partition-discovery.interval",
                         .type = OptionType::kDuration,
                         .doc = "Accepted for Flink; new partitions are found within a second."}});
  spec.options.push_back(Partitioner());
  spec.options.push_back(SinkParallelism());
  Append(spec.options, {{.name = "sink.semantic",
                         .type = OptionType::kEnum,
                         .doc = "Older name of sink.delivery-guarantee.",
                         .choices = {"exactly-once", "at-least-once", "none"}}});
  Append(spec.options, Delivery());
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
