#include "project/history/history_rows.h"

#include "duck/table_provider.h"

namespace millrace::project {

using duckdb::LogicalType;
using duckdb::Value;

Status RegisterHistoryRows(const HistoryKeeper& keeper, log::Log& log, duck::Warehouse& warehouse) {
  const model::Schema columns = {{{"topic", LogicalType::VARCHAR, true},
                                  {"table_name", LogicalType::VARCHAR, true},
                                  {"partition", LogicalType::INTEGER, true},
                                  {"files", LogicalType::BIGINT, true},
                                  {"bytes", LogicalType::BIGINT, true},
                                  {"from_offset", LogicalType::BIGINT, true},
                                  {"to_offset", LogicalType::BIGINT, true}}};
  const auto rows = [&keeper, &log]() -> Result<std::vector<std::vector<Value>>> {
    std::vector<std::vector<Value>> all;
    for (const auto& [name, table] : keeper.tables()) {
      const std::string& topic = table->table().topic;
      const auto info = log.Describe(topic);
      if (!info.ok()) continue;  // deleted
      for (int p = 0; p < info->config.partitions; p++) {
        const TableHistory::Description found = table->Describe(p);
        const bool any = found.files > 0;
        all.push_back({Value(topic), Value(name), Value::INTEGER(p), Value::BIGINT(found.files),
                       Value::BIGINT(found.bytes),
                       any ? Value::BIGINT(found.covered_from) : Value(LogicalType::BIGINT),
                       any ? Value::BIGINT(found.covered_to) : Value(LogicalType::BIGINT)});
      }
    }
    return all;
  };
  return duck::RegisterTable(warehouse,
                             duck::RowsTable("millrace", "topic_history", columns, rows));
}

}  // namespace millrace::project
