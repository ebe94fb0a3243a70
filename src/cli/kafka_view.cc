#include "cli/kafka_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "duck/table_provider.h"
#include "serve/metric_families.h"

namespace millrace::cli {

namespace {

using duckdb::LogicalType;
using duckdb::Value;
using kafka::ServerState;
using Rows = std::vector<std::vector<Value>>;

model::Schema Columns(const std::vector<std::pair<const char*, LogicalType>>& columns) {
  model::Schema schema;
  for (const auto& [name, type] : columns) schema.columns.push_back({name, type, true});
  return schema;
}

Value TextOrNull(const std::string& text) {
  return text.empty() ? Value(LogicalType::VARCHAR) : Value(text);
}

Value CountOrNull(const std::optional<int64_t>& count) {
  return count ? Value::BIGINT(*count) : Value(LogicalType::BIGINT);
}

Value TimeOrNull(int64_t wall_ms) {
  return wall_ms > 0 ? Value::TIMESTAMP(duckdb::timestamp_t(wall_ms * 1000))
                     : Value(LogicalType::TIMESTAMP);
}

Rows GroupRows(const ServerState& state) {
  Rows rows;
  for (const ServerState::Group& group : state.groups) {
    rows.push_back({Value(group.id), Value(group.state), Value(group.protocol),
                    TextOrNull(group.assignor),
                    Value::BIGINT(static_cast<int64_t>(group.members.size()))});
  }
  return rows;
}

Rows OffsetRows(const ServerState& state) {
  Rows rows;
  for (const ServerState::GroupOffset& offset : state.offsets) {
    rows.push_back({Value(offset.group), Value(offset.at.topic),
                    Value::INTEGER(offset.at.partition), CountOrNull(offset.committed),
                    CountOrNull(offset.log_end), CountOrNull(offset.lag()),
                    TextOrNull(offset.client_id), TimeOrNull(offset.commit_ms)});
  }
  return rows;
}

Rows TransactionRows(const ServerState& state) {
  Rows rows;
  for (const ServerState::Transaction& transaction : state.transactions) {
    std::vector<std::string> partitions;
    for (const auto& at : transaction.partitions) {
      partitions.push_back(fmt::format("{}/{}", at.topic, at.partition));
    }
    rows.push_back({Value(transaction.id), Value::BIGINT(transaction.producer_id),
                    Value::INTEGER(transaction.epoch), Value(transaction.state),
                    TimeOrNull(transaction.started_ms), Value::BIGINT(transaction.timeout_ms),
                    Value(Join(partitions, ", "))});
  }
  return rows;
}

// Names and labels as kafka_exporter (github.com/danielqsj/kafka_exporter) has them, so that
// dashboards and alerts that are made for it work.
class Metrics : public prometheus::Collectable {
 public:
  explicit Metrics(kafka::KafkaServer& server) : server_(server) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    const ServerState state = server_.State();
    serve::MetricFamilies families;
    for (const ServerState::Group& group : state.groups) {
      families.AddGauge("kafka_consumergroup_members", "Amount of members in a consumer group",
                        {{"consumergroup", group.id}}, static_cast<double>(group.members.size()));
    }
    AddOffsets(state, families);
    families.AddGauge("millrace_kafka_connections", "Connections of Kafka clients", {},
                      state.connections);
    int64_t oldest_ms = state.now_ms;
    for (const auto& transaction : state.transactions) {
      oldest_ms = std::min(oldest_ms, transaction.started_ms);
    }
    families.AddGauge("millrace_kafka_open_transactions",
                      "Transactions that are open, or not ended in every partition", {},
                      static_cast<double>(state.transactions.size()));
    families.AddGauge("millrace_kafka_oldest_transaction_seconds",
                      "For how long the oldest of them has been open; 0: there is none", {},
                      static_cast<double>(state.now_ms - oldest_ms) / 1000);
    return families.Take();
  }

 private:
  static void AddOffsets(const ServerState& state, serve::MetricFamilies& families) {
    std::map<std::pair<std::string, std::string>, int64_t> sums;  // by group and topic
    for (const ServerState::GroupOffset& offset : state.offsets) {
      const serve::MetricLabels labels = {{"consumergroup", offset.group},
                                          {"topic", offset.at.topic},
                                          {"partition", std::to_string(offset.at.partition)}};
      if (offset.committed) {
        families.AddGauge("kafka_consumergroup_current_offset",
                          "Current Offset of a ConsumerGroup at Topic/Partition", labels,
                          static_cast<double>(*offset.committed));
      }
      if (const auto lag = offset.lag()) {
        families.AddGauge("kafka_consumergroup_lag",
                          "Current Approximate Lag of a ConsumerGroup at Topic/Partition", labels,
                          static_cast<double>(*lag));
        sums[{offset.group, offset.at.topic}] += *lag;
      }
    }
    for (const auto& [of, lag] : sums) {
      families.AddGauge("kafka_consumergroup_lag_sum",
                        "Current Approximate Lag of a ConsumerGroup at Topic for all partitions",
                        {{"consumergroup", of.first}, {"topic", of.second}},
                        static_cast<double>(lag));
    }
  }

  kafka::KafkaServer& server_;
};

}  // namespace

Status RegisterKafkaTables(duck::Warehouse& warehouse, kafka::KafkaServer& server) {
  const LogicalType text = LogicalType::VARCHAR;
  const LogicalType count = LogicalType::BIGINT;
  const LogicalType number = LogicalType::INTEGER;
  const LogicalType time = LogicalType::TIMESTAMP;
  using Make = Rows (*)(const ServerState&);
  auto add = [&](const char* name, model::Schema columns, Make make) {
    auto rows = [&server, make]() -> Result<Rows> { return make(server.State()); };
    return duck::RegisterTable(
        warehouse, duck::RowsTable("millrace", name, std::move(columns), std::move(rows)));
  };
  MR_RETURN_IF_ERROR(add("consumer_groups",
                         Columns({{"group_id", text},
                                  {"state", text},
                                  {"protocol", text},
                                  {"assignor", text},
                                  {"members", count}}),
                         GroupRows));
  MR_RETURN_IF_ERROR(add("consumer_group_offsets",
                         Columns({{"group_id", text},
                                  {"topic", text},
                                  {"partition", number},
                                  {"committed_offset", count},
                                  {"log_end_offset", count},
                                  {"lag", count},
                                  {"client_id", text},
                                  {"committed_at", time}}),
                         OffsetRows));
  return add("transactions",
             Columns({{"transactional_id", text},
                      {"producer_id", count},
                      {"epoch", number},
                      {"state", text},
                      {"started_at", time},
                      {"timeout_ms", count},
                      {"partitions", text}}),
             TransactionRows);
}

std::shared_ptr<prometheus::Collectable> KafkaMetrics(kafka::KafkaServer& server) {
  return std::make_shared<Metrics>(server);
}

}  // namespace millrace::cli
