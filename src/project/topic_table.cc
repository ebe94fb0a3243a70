#include "project/topic_table.h"

#include <fmt/format.h>

#include <set>

#include "base/strings.h"
#include "connectors/schema_registry/schema_registry.h"
#include "duck/table_provider.h"
#include "format/decoder.h"
#include "format/format_options.h"
#include "job/job.h"
#include "job/metadata_columns.h"
#include "project/history/history_keeper.h"
#include "project/reconcile.h"
#include "project/topic_scan.h"

namespace millrace::project {

namespace {

Status Register(log::Log& log, duck::Warehouse& warehouse, const std::string& schema,
                const std::string& name, const std::string& topic,
                const format::DecoderOptions& format,
                const std::vector<sql::MetadataColumn>& metadata = {}, std::string select = "",
                const FillColumn& fill = job::FillMetadata, bool changes = false,
                std::string tail = "", const TableHistory* history = nullptr) {
  duck::VirtualTable table;
  table.schema = schema;
  table.name = name;
  table.columns = format.schema;
  for (const sql::MetadataColumn& meta : metadata) {
    table.columns.columns.push_back({meta.name, meta.type, true});
  }
  if (changes) {
    table.columns.columns.push_back({kWeight, duckdb::LogicalType::BIGINT, true});
    table.columns.columns.push_back({kOrder, duckdb::LogicalType::BIGINT, true});
  }
  table.select = std::move(select);
  table.tail = std::move(tail);
  table.scan = [&log, topic, format, metadata, fill](
                   const std::vector<size_t>& wanted) -> Result<std::unique_ptr<duck::TableScan>> {
    TopicColumns columns = ChooseColumns(format, metadata, wanted);
    columns.fill = fill;
    MR_ASSIGN_OR_RETURN(auto decoder, format::NewDecoder(columns.decoded));
    MR_ASSIGN_OR_RETURN(auto ranges, WholeTopic(log, topic));
    std::vector<std::unique_ptr<RecordReader>> readers;
    readers.push_back(NewLogReader(log, topic, std::move(ranges)));
    return std::unique_ptr<duck::TableScan>(
        new TopicScan(topic, std::move(decoder), std::move(columns), std::move(readers)));
  };
  if (history) table.split = [history] { return history->Split(); };
  return duck::RegisterTable(warehouse, std::move(table));
}

// Columns of a topic of Millrace's own; those named are BIGINT, the others text.
format::DecoderOptions OwnTopic(const std::vector<std::string>& names,
                                const std::set<std::string>& numbers) {
  format::DecoderOptions options;
  options.format = "json";
  for (const std::string& name : names) {
    options.schema.columns.push_back(
        {name, numbers.count(name) ? duckdb::LogicalType::BIGINT : duckdb::LogicalType::VARCHAR,
         true});
  }
  return options;
}

// The columns of millrace.dead_letters that the audit tells.
void FillFromBook(const DeadLetterBook& book, const std::string& column_name,
                  std::span<const model::Record> records, const std::vector<uint32_t>& row_record,
                  const std::string& partition, duckdb::Vector& column) {
  for (size_t row = 0; row < row_record.size(); row++) {
    LetterId id{std::stoi(partition), records[row_record[row]].offset};
    duckdb::Value value(id.ToString());
    if (column_name == "state") value = duckdb::Value(LetterStateName(book.MarkOf(id).state));
    if (column_name == "attempts") value = duckdb::Value::BIGINT(book.MarkOf(id).attempts);
    column.SetValue(row, value);
  }
}

}  // namespace

namespace {

// A table whose rows change is what is left of them: by key the last row, unless it was taken away;
// without one each row as often as it came more than it went.
Status RegisterChangingTable(const sql::Table& table, log::Log& log, duck::Warehouse& warehouse,
                             format::DecoderOptions options) {
  std::vector<std::string> keys, columns;
  for (const std::string& name : table.primary_key) {
    const int column = table.schema.Find(name);
    if (column < 0) return Status::Ok();  // no job can read it either, and says so
    options.key.push_back(static_cast<size_t>(column));
    keys.push_back(QuoteIdentifier(name));
  }
  if (options.upsert && keys.empty()) return Status::Ok();
  std::vector<sql::MetadataColumn> metadata;
  for (const sql::MetadataColumn& column : table.metadata) {
    // What the messages tell beside their rows is not shown.
    if (!job::IsMetadataKey(column.key)) return Status::Ok();
    metadata.push_back(column);
  }
  for (const std::string& name : table.schema.Names()) columns.push_back(QuoteIdentifier(name));
  for (const sql::MetadataColumn& column : metadata)
    columns.push_back(QuoteIdentifier(column.name));
  const std::string list = Join(columns, ", ");
  std::string select = table.SelectList() + " FROM (SELECT " + list;
  std::string tail;
  if (keys.empty()) {
    select += fmt::format(", unnest(range(CAST(sum({}) AS BIGINT)))", kWeight);
    tail = " GROUP BY " + list + ")";
  } else {
    tail =
        fmt::format(" QUALIFY row_number() OVER (PARTITION BY {} ORDER BY {} DESC) = 1 AND {} > 0)",
                    Join(keys, ", "), kOrder, kWeight);
  }
  return Register(log, warehouse, "main", table.name, table.Option("topic"), options, metadata,
                  select, job::FillMetadata, true, tail);
}

}  // namespace

Result<std::vector<TopicTable>> TopicTablesOf(const Project& project,
                                              const connectors::Services& services) {
  std::vector<TopicTable> tables;
  for (const sql::Table* table : project.grown_catalog().Tables()) {
    const bool upsert = table->Option("connector") == "upsert-kafka";
    if (!project.IsInLog(*table) || table->Option("topic").empty()) continue;
    format::DecoderOptions options = format::DecoderOptionsOf(table->OptionValues());
    if (options.format.empty()) continue;
    options.schema = table->schema;
    options.upsert = upsert;
    MR_ASSIGN_OR_RETURN(options.registry,
                        connectors::schema_registry::RegistryForDecoder(options, services));
    auto format = format::FindFormat(options.format);
    const bool changelog = format.ok() && (*format)->changelog != model::ChangelogKind::kAppend;
    tables.push_back({table, std::move(options), upsert || changelog});
  }
  return tables;
}

Status RegisterTopicTables(const Project& project, const connectors::Services& services,
                           const HistoryKeeper& history) {
  log::Log& log = *services.log;
  duck::Warehouse& warehouse = *services.warehouse;
  MR_ASSIGN_OR_RETURN(const auto tables, TopicTablesOf(project, services));
  for (const auto& [table, format, changes] : tables) {
    if (changes) {
      MR_RETURN_IF_ERROR(RegisterChangingTable(*table, log, warehouse, format));
      continue;
    }
    const bool as_stored = table->computed.empty() && table->metadata.empty();
    MR_RETURN_IF_ERROR(Register(log, warehouse, "main", table->name, table->Option("topic"), format,
                                table->metadata, as_stored ? "" : table->SelectList(),
                                job::FillMetadata, false, "", history.Find(table->name)));
  }
  return Status::Ok();
}

Status RegisterReconciliationTable(log::Log& log, duck::Warehouse& warehouse) {
  using duckdb::LogicalType;
  const LogicalType number = LogicalType::BIGINT;
  format::DecoderOptions options;
  options.format = "json";
  const std::vector<std::pair<std::string, LogicalType>> columns = {
      {"name", LogicalType::VARCHAR},
      {"time_ms", number},
      {"from_ms", number},
      {"to_ms", number},
      {"ok", LogicalType::BOOLEAN},
      {"source_rows", number},
      {"destination_rows", number},
      {"missing", number},
      {"extra", number},
      {"changed", number},
      {"divergence", LogicalType::DOUBLE},
      {"tolerance", LogicalType::DOUBLE},
      {"error", LogicalType::VARCHAR},
      {"differences", LogicalType::LIST(LogicalType::STRUCT({{"kind", LogicalType::VARCHAR},
                                                             {"key", LogicalType::VARCHAR},
                                                             {"source_rows", number},
                                                             {"destination_rows", number}}))}};
  for (const auto& [name, type] : columns) options.schema.columns.push_back({name, type, true});
  return Register(log, warehouse, "millrace", "reconciliations", kReconciliationTopic, options);
}

Status RegisterDeadLetterTables(log::Log& log, DeadLetterBook& book, duck::Warehouse& warehouse) {
  using duckdb::LogicalType;
  std::vector<sql::MetadataColumn> from_book;
  for (const char* name : {"id", "state", "attempts"}) {
    sql::MetadataColumn column;
    column.name = column.key = name;
    column.type = column.name == "attempts" ? LogicalType::BIGINT : LogicalType::VARCHAR;
    from_book.push_back(column);
  }
  // Whoever asks sees what was done up to now.
  auto fill = [&book](const std::string& key, std::span<const model::Record> records,
                      const std::vector<uint32_t>& row_record, const std::string&,
                      const std::string& partition, duckdb::Vector& column) {
    (void)book.Follow();  // an audit that cannot be read now leaves states as they were
    FillFromBook(book, key, records, row_record, partition, column);
  };
  MR_RETURN_IF_ERROR(Register(
      log, warehouse, "millrace", "dead_letters", job::kDeadLetterTopic,
      OwnTopic({"time_ms", "stage", "job", "table", "topic", "partition", "offset", "kind",
                "column", "reason", "value", "value_base64", "key", "key_base64", "version"},
               {"time_ms", "partition", "offset"}),
      from_book, "", fill));
  return Register(log, warehouse, "millrace", "dead_letter_audit", kDeadLetterAuditTopic,
                  OwnTopic({"id", "action", "time_ms", "who", "kind", "reason", "topic",
                            "partition", "offset", "sequence", "key", "key_base64", "before",
                            "before_base64", "after", "after_base64"},
                           {"time_ms", "partition", "offset", "sequence"}));
}

}  // namespace millrace::project
