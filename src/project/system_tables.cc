#include "project/system_tables.h"

#include "duck/table_provider.h"
#include "project/runtime.h"

namespace millrace::project {

namespace {

using duckdb::LogicalType;
using duckdb::Value;
using Rows = std::vector<std::vector<Value>>;

model::Schema Columns(const std::vector<std::pair<const char*, LogicalType>>& columns) {
  model::Schema schema;
  for (const auto& [name, type] : columns) schema.columns.push_back({name, type, true});
  return schema;
}

Value Time(model::EventTime frontier) {
  bool known = frontier > model::kTimeMin && frontier < model::kTimeMax;
  // A frontier is the watermark + 1 ms.
  return known ? Value::TIMESTAMP(duckdb::timestamp_t(frontier - 1000))
               : Value(LogicalType::TIMESTAMP);
}

Result<Rows> JobRows(Runtime& runtime) {
  Rows rows;
  for (const job::JobStatus& s : runtime.JobStatuses()) {
    rows.push_back({Value(s.name),
                    Value(job::JobStateName(s.state)),
                    Value(s.sink_table),
                    Value::BIGINT(s.epoch),
                    Value::BIGINT(s.checkpoint_epoch),
                    Value::BIGINT(s.rows_in),
                    Value::BIGINT(s.rows_out),
                    Value::BIGINT(s.rows_filtered),
                    Value::BIGINT(s.rows_late),
                    Value::BIGINT(s.rows_dead_lettered),
                    Value::BIGINT(s.rows_rejected),
                    Value::BIGINT(s.state_rows),
                    Value::BIGINT(s.state_bytes),
                    Value::BIGINT(s.lag_rows),
                    Time(s.frontier),
                    Value::DOUBLE(s.latency_p50_ms),
                    Value::DOUBLE(s.latency_p99_ms),
                    Value::DOUBLE(s.checkpoint_ms),
                    Value(s.guarantee),
                    s.error.ok() ? Value(LogicalType::VARCHAR) : Value(s.error.message())});
  }
  return rows;
}

Result<Rows> SourceRows(Runtime& runtime) {
  Rows rows;
  for (const job::JobStatus& job : runtime.JobStatuses()) {
    for (const job::SourceStatus& s : job.sources) {
      rows.push_back({Value(job.name), Value(s.table),
                      s.topic.empty() ? Value(LogicalType::VARCHAR) : Value(s.topic),
                      Value::BIGINT(s.rows_in), Value::BIGINT(s.dead_lettered),
                      Value::BIGINT(s.dropped), Value::BIGINT(s.warned), Value::BIGINT(s.lag_rows),
                      Time(s.frontier)});
    }
  }
  return rows;
}

Result<Rows> DriftRows(Runtime& runtime) {
  Rows rows;
  for (const JobStatement& statement : runtime.project().jobs()) {
    const auto job = runtime.FindJob(statement.settings.name);
    if (!job) continue;
    for (const job::TableDrift& found : job->drift()) {
      for (const format::FieldDrift& field : found.fields) {
        rows.push_back(
            {Value(statement.settings.name), Value(found.table),
             found.topic.empty() ? Value(LogicalType::VARCHAR) : Value(found.topic),
             Value(field.field),
             field.type ? Value(format::DeclaredType(*field.type)) : Value(LogicalType::VARCHAR),
             Value::BIGINT(field.values), Value::BIGINT(field.first_offset)});
      }
    }
  }
  return rows;
}

Result<Rows> StageRows(Runtime& runtime) {
  Rows rows;
  for (const job::JobStatus& job : runtime.JobStatuses()) {
    for (const job::StageEntry& stage : job.stages) {
      std::vector<Value> row = {Value(job.name), Value(stage.stage), Value(stage.name),
                                Value::BIGINT(job.stages_since)};
      for (int64_t count : stage.counts.values) row.push_back(Value::BIGINT(count));
      row.push_back(Value::BIGINT(stage.counts.Missing()));
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

model::Schema StageColumns() {
  model::Schema schema = Columns({{"job", LogicalType::VARCHAR},
                                  {"stage", LogicalType::VARCHAR},
                                  {"name", LogicalType::VARCHAR},
                                  {"since_epoch", LogicalType::BIGINT}});
  for (size_t c = 0; c < job::kCounts; c++) {
    const std::string name = job::CountName(static_cast<job::Count>(c));
    schema.columns.push_back({"rows_" + name, LogicalType::BIGINT, true});
  }
  schema.columns.push_back({"rows_missing", LogicalType::BIGINT, true});
  return schema;
}

Result<Rows> TopicRows(Runtime& runtime) {
  Rows rows;
  for (const log::TopicInfo& topic : runtime.log().Topics()) {
    for (int p = 0; p < topic.config.partitions; p++) {
      MR_ASSIGN_OR_RETURN(log::PartitionInfo info, runtime.log().DescribePartition(topic.name, p));
      rows.push_back({Value(topic.name), Value::INTEGER(p), Value::BIGINT(info.start_offset),
                      Value::BIGINT(info.end_offset), Value::BIGINT(info.size_bytes)});
    }
  }
  return rows;
}

}  // namespace

Status RegisterSystemTables(Runtime& runtime) {
  const LogicalType text = LogicalType::VARCHAR;
  const LogicalType count = LogicalType::BIGINT;
  const LogicalType time = LogicalType::TIMESTAMP;
  const LogicalType number = LogicalType::DOUBLE;
  auto& warehouse = runtime.warehouse();
  MR_RETURN_IF_ERROR(
      duck::RegisterTable(warehouse, duck::RowsTable("millrace", "jobs",
                                                     Columns({{"name", text},
                                                              {"state", text},
                                                              {"sink", text},
                                                              {"epoch", count},
                                                              {"checkpoint_epoch", count},
                                                              {"rows_in", count},
                                                              {"rows_out", count},
                                                              {"rows_filtered", count},
                                                              {"rows_late", count},
                                                              {"rows_dead_lettered", count},
                                                              {"rows_rejected", count},
                                                              {"state_rows", count},
                                                              {"state_bytes", count},
                                                              {"lag_rows", count},
                                                              {"watermark", time},
                                                              {"latency_p50_ms", number},
                                                              {"latency_p99_ms", number},
                                                              {"checkpoint_ms_max", number},
                                                              {"guarantee", text},
                                                              {"error", text}}),
                                                     [&runtime] { return JobRows(runtime); })));
  MR_RETURN_IF_ERROR(
      duck::RegisterTable(warehouse, duck::RowsTable("millrace", "sources",
                                                     Columns({{"job", text},
                                                              {"table_name", text},
                                                              {"topic", text},
                                                              {"rows_in", count},
                                                              {"rows_dead_lettered", count},
                                                              {"rows_dropped", count},
                                                              {"violations_warned", count},
                                                              {"lag_rows", count},
                                                              {"watermark", time}}),
                                                     [&runtime] { return SourceRows(runtime); })));
  MR_RETURN_IF_ERROR(
      duck::RegisterTable(warehouse, duck::RowsTable("millrace", "drift",
                                                     Columns({{"job", text},
                                                              {"table_name", text},
                                                              {"topic", text},
                                                              {"field", text},
                                                              {"type", text},
                                                              {"times_seen", count},
                                                              {"first_offset", count}}),
                                                     [&runtime] { return DriftRows(runtime); })));
  MR_RETURN_IF_ERROR(
      duck::RegisterTable(warehouse, duck::RowsTable("millrace", "stages", StageColumns(),
                                                     [&runtime] { return StageRows(runtime); })));
  return duck::RegisterTable(warehouse,
                             duck::RowsTable("millrace", "topics",
                                             Columns({{"topic", text},
                                                      {"partition", LogicalType::INTEGER},
                                                      {"start_offset", count},
                                                      {"end_offset", count},
                                                      {"size_bytes", count}}),
                                             [&runtime] { return TopicRows(runtime); }));
}

}  // namespace millrace::project
