// 'connector' = 'upsert-kafka': a topic as a table with a PRIMARY KEY, which is the records' key.
#include "connectors/kafka/upsert_kafka.h"

#include "connectors/kafka/kafka.h"
#include "connectors/kafka/topic_options.h"
#include "format/format_options.h"

namespace millrace::connectors::kafka {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "upsert-kafka";
  spec.summary =
      "A topic as a table with a PRIMARY KEY: a record is the new row of its key, one without "
      "value "
      "(a tombstone) takes the row away.";
  spec.source = true;
  spec.sink = true;
  spec.source_bounded = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "As kafka. A sink writes one record per key and epoch; a source is read from its first "
      "record "
      "on, and a record that says nothing new changes nothing.";
  spec.takes_format = true;
  spec.holds_bytes = true;
  spec.sink_accepts_updates = true;
  spec.upserts = true;
  spec.options = TopicPlace("rates");
  Append(spec.options, TopicThatIsMade("-1"));
  Append(spec.options, UpsertKey());
  spec.options.push_back(BoundedMode());
  Append(spec.options, UpsertPace());
  Append(spec.options, Delivery());
  spec.example =
      "CREATE TABLE rates (\n  currency STRING,\n  rate DECIMAL(10, 4),\n  changed TIMESTAMP(3),\n"
      "  WATERMARK FOR changed AS changed - INTERVAL '5' SECOND,\n"
      "  PRIMARY KEY (currency) NOT ENFORCED\n) WITH (\n"
      "  'connector' = 'upsert-kafka',\n  'topic' = 'rates',\n"
      "  'properties.bootstrap.servers' = 'kafka:9092',\n"
      "  'key.format' = 'json',\n  'value.format' = 'json'\n);";
  return spec;
}

Result<std::unique_ptr<Source>> NewSource(const TableContext& table) {
  MR_RETURN_IF_ERROR(CheckUpsertTable(table));
  return NewLogTopicSource(table);
}

Result<std::unique_ptr<Sink>> NewSink(const TableContext& table) {
  MR_RETURN_IF_ERROR(CheckUpsertTable(table));
  return NewLogTopicSink(table, true);
}

}  // namespace

Status CheckUpsertTable(const TableContext& table) {
  if (table.primary_key.empty()) {
    return Status(Code::kBadOption, "table \"" + table.name +
                                        "\" needs a PRIMARY KEY: with connector \"upsert-kafka\" "
                                        "it says which row a record is")
        .WithHint("add PRIMARY KEY (…) NOT ENFORCED to CREATE TABLE");
  }
  const std::string prefix = table.options.GetString("key.fields-prefix");
  if (!prefix.empty() && table.options.GetString("value.fields-include") != "EXCEPT_KEY") {
    return Status(Code::kBadOption, "table \"" + table.name +
                                        "\": 'key.fields-prefix' needs 'value.fields-include' = "
                                        "'EXCEPT_KEY'")
        .WithDetail("the value would have the prefixed names, the key the others");
  }
  for (const std::string& key : table.primary_key) {
    if (key.starts_with(prefix)) continue;
    return Status(Code::kBadOption, "column \"" + key + "\" of the primary key of table \"" +
                                        table.name +
                                        "\" does not begin with 'key.fields-prefix', "
                                        "\"" +
                                        prefix + "\"");
  }
  for (const char* option : {"key.format", "value.format", "format"}) {
    const std::string format = table.options.GetString(option);
    if (format.empty()) continue;
    MR_ASSIGN_OR_RETURN(const format::FormatSpec* spec, format::FindFormat(format));
    if (spec->changelog == model::ChangelogKind::kAppend) continue;
    return Status(Code::kBadOption, "table \"" + table.name + "\": '" + option + "' cannot be '" +
                                        format + "' with connector \"upsert-kafka\"")
        .WithDetail("what a record means follows from its key, so its parts are plain rows")
        .WithHint("use 'connector' = 'kafka'");
  }
  return Status::Ok();
}

ConnectorEntry UpsertKafkaConnector() {
  return {Spec(), NewSource, NewSink};
}

}  // namespace millrace::connectors::kafka
