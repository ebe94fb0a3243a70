#include "connectors/elasticsearch/elasticsearch.h"

#include "connectors/lookup.h"
#include "connectors/rejections.h"

namespace millrace::connectors::elasticsearch {

namespace {

std::vector<OptionSpec> AllOptions() {
  std::vector<OptionSpec> options = {
      {.name = "hosts",
       .doc = "Where the cluster is: one URL or several, separated by semicolons.",
       .required = true,
       .example = "http://localhost:9200"},
      {.name = "index",
       .doc =
           "The index. {column} stands for that column's value, {column|yyyy-MM-dd} for its date "
           "or time in that pattern (y, M, d, H, m, s, S and quoted text).",
       .required = true,
       .example = "orders-{order_time|yyyy-MM-dd}"},
      {.name = "document-id.key-delimiter",
       .doc = "Between the values of the PRIMARY KEY in a document's id.",
       .default_value = "_"},
      {.name = "username", .doc = "Who to log in as."},
      {.name = "password", .doc = "Password of that user.", .secret = true},
      {.name = "connection.path-prefix",
       .doc = "Put before every path, for clusters behind a proxy."},
      {.name = "connection.request-timeout",
       .type = OptionType::kDuration,
       .doc = "How long one request may take; the job then tries again with growing pauses.",
       .default_value = "30 s"},
      {.name = "sink.bulk-flush.max-actions",
       .type = OptionType::kInt,
       .doc = "Documents of one request at most.",
       .default_value = "1000"},
      {.name = "sink.bulk-flush.max-size",
       .type = OptionType::kBytes,
       .doc = "Size of one request at most; a single larger document is still sent.",
       .default_value = "2 mb"},
      {.name = "sink.bulk-flush.interval",
       .type = OptionType::kDuration,
       .doc = "Accepted for Flink; documents are sent at the end of each epoch."},
      {.name = "sink.bulk-flush.backoff.strategy",
       .doc = "Accepted for Flink; the job retries with growing pauses until the cluster answers."},
      {.name = "sink.bulk-flush.backoff.max-retries",
       .type = OptionType::kInt,
       .doc = "Accepted for Flink, see the strategy."},
      {.name = "sink.bulk-flush.backoff.delay",
       .type = OptionType::kDuration,
       .doc = "Accepted for Flink, see the strategy."},
      {.name = "sink.delivery-guarantee", .doc = "Accepted for Flink; it is exactly once."},
      {.name = "sink.parallelism",
       .type = OptionType::kInt,
       .doc = "Accepted for Flink; one writer is enough."},
      OnRejectOption(),
      {.name = "format",
       .type = OptionType::kEnum,
       .doc = "How rows become documents.",
       .default_value = "json",
       .choices = {"json"}},
      {.name = "json.*",
       .doc = "Options of that format. The cluster recognises times only in 'ISO-8601', unless the "
              "index's mapping says otherwise.",
       .example = "'json.timestamp-format.standard' = 'ISO-8601'"},
  };
  const std::vector<OptionSpec> lookup = LookupOptions();
  options.insert(options.end(), lookup.begin(), lookup.end());
  return options;
}

ConnectorSpec Spec(const std::string& name, const std::string& summary) {
  ConnectorSpec spec;
  spec.name = name;
  spec.summary = summary;
  spec.sink = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "With a PRIMARY KEY a document's external version is that of its epoch, without one its id "
      "follows from epoch and row; so writing an epoch again changes nothing. When all of it is "
      "there, its number is noted in the index millrace-commits. Documents of one epoch become "
      "visible one by one.";
  spec.sink_accepts_updates = true;
  spec.lookup = true;
  spec.options = AllOptions();
  spec.example =
      "CREATE TABLE order_search (\n  order_id STRING,\n  customer STRING,\n  total DOUBLE,\n"
      "  PRIMARY KEY (order_id) NOT ENFORCED\n) WITH (\n  'connector' = '" +
      name +
      "',\n  'hosts' = 'http://localhost:9200',\n  'index' = 'orders',\n"
      "  'username' = 'millrace',\n  'password' = '${env:SEARCH_PASSWORD}'\n);";
  return spec;
}

}  // namespace

ConnectorEntry ElasticsearchConnector() {
  return {
      Spec("elasticsearch-7", "An index of Elasticsearch 7 or later, with Flink's option names."),
      nullptr, NewElasticsearchSink, NewElasticsearchLookup};
}

ConnectorEntry OpenSearchConnector() {
  return {Spec("opensearch", "An index of OpenSearch, with Flink's option names."), nullptr,
          NewElasticsearchSink, NewElasticsearchLookup};
}

}  // namespace millrace::connectors::elasticsearch
