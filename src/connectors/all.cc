// Every connector: one explicit list, because linkers drop what registers itself.
#include "base/strings.h"
#include "connectors/blackhole/blackhole.h"
#include "connectors/connector.h"
#include "connectors/datagen/datagen.h"
#include "connectors/delta/delta.h"
#include "connectors/ducklake/ducklake.h"
#include "connectors/elasticsearch/elasticsearch.h"
#include "connectors/filesystem/filesystem.h"
#include "connectors/http/http_function.h"
#include "connectors/iceberg/iceberg.h"
#include "connectors/jdbc/jdbc.h"
#include "connectors/kafka/cluster.h"
#include "connectors/kafka/kafka.h"
#include "connectors/kafka/upsert_kafka.h"
#include "connectors/print/print.h"
#include "connectors/redis/redis.h"
#include "connectors/warehouse/warehouse_sink.h"
#include "connectors/webhook/webhook.h"

namespace millrace::connectors {

const std::vector<ConnectorEntry>& AllConnectors() {
  static const std::vector<ConnectorEntry> kAll = {
      blackhole::BlackholeConnector(),
      datagen::DatagenConnector(),
      delta::DeltaConnector(),
      ducklake::DuckLakeConnector(),
      elasticsearch::ElasticsearchConnector(),
      elasticsearch::OpenSearchConnector(),
      filesystem::FilesystemConnector(),
      http::HttpFunctionConnector(),
      iceberg::IcebergConnector(),
      jdbc::JdbcConnector(),
      kafka::KafkaConnector(),
      kafka::KafkaClusterConnector(),
      kafka::UpsertKafkaConnector(),
      kafka::UpsertKafkaClusterConnector(),
      print::PrintConnector(),
      redis::RedisConnector(),
      warehouse::WarehouseConnector(),
      webhook::WebhookConnector(),
  };
  return kAll;
}

Result<const ConnectorEntry*> FindConnector(const std::string& name) {
  std::vector<std::string> names;
  for (const ConnectorEntry& entry : AllConnectors()) {
    if (entry.spec.name == name) return &entry;
    names.push_back(entry.spec.name);
  }
  return Status(Code::kUnknownOption, "there is no connector \"" + name + "\"")
      .WithHint(DidYouMean(name, names));
}

}  // namespace millrace::connectors
