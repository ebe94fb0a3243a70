#include <fmt/format.h>

#include <deque>

#include "duck/table_provider.h"
#include "project/ledger_report.h"

namespace millrace::project {

namespace {

using duckdb::LogicalType;
using duckdb::Value;
using job::Count;
using Row = std::vector<Value>;
using Expand = std::function<void(const job::LedgerEntry& entry, std::deque<Row>& rows)>;

constexpr int64_t kBlockBytes = 1 << 18;

// One pass over the topic, as far as it went when the pass began.
class LedgerScan : public duck::TableScan {
 public:
  LedgerScan(log::Log& log, Expand expand, std::vector<size_t> wanted)
      : log_(log), expand_(std::move(expand)), wanted_(std::move(wanted)) {}

  Status Next(duckdb::DataChunk& out) override {
    while (rows_.empty()) {
      MR_ASSIGN_OR_RETURN(bool more, ReadBlock());
      if (!more) return Status::Ok();
    }
    duckdb::idx_t count = 0;
    for (; count < STANDARD_VECTOR_SIZE && !rows_.empty(); count++, rows_.pop_front()) {
      for (size_t c = 0; c < wanted_.size(); c++) {
        out.data[c].SetValue(count, rows_.front()[wanted_[c]]);
      }
    }
    out.SetCardinality(count);
    return Status::Ok();
  }

 private:
  Result<bool> ReadBlock() {
    if (end_ < 0) {
      auto partition = log_.DescribePartition(job::kLedgerTopic, 0);
      if (!partition.ok()) {
        if (partition.status().code() == Code::kNotFound) return false;
        return partition.status();
      }
      next_ = partition->start_offset;
      end_ = partition->stable_offset;
    }
    if (next_ >= end_) return false;
    auto visit = [&](std::span<const model::Record> records) {
      for (const model::Record& record : records) {
        auto entry = job::LedgerEntry::FromJson(record.value);
        if (entry.ok()) expand_(*entry, rows_);
      }
    };
    MR_ASSIGN_OR_RETURN(model::Offset next,
                        log_.Read(job::kLedgerTopic, 0, next_, end_, kBlockBytes, visit));
    if (next <= next_) return false;
    next_ = next;
    return true;
  }

  log::Log& log_;
  const Expand expand_;
  const std::vector<size_t> wanted_;
  std::deque<Row> rows_;
  model::Offset next_ = 0;
  model::Offset end_ = -1;  // -1: not known yet
};

Value Time(int64_t ms) {
  return ms > 0 ? Value::TIMESTAMP(duckdb::timestamp_t(ms * 1000)) : Value(LogicalType::TIMESTAMP);
}

void StageRows(const job::LedgerEntry& entry, std::deque<Row>& rows) {
  for (const job::StageEntry& stage : entry.stages) {
    Row row = {Value(entry.job),
               Value(entry.run),
               Value::BIGINT(entry.from_epoch),
               Value::BIGINT(entry.to_epoch),
               Time(entry.from_ms),
               Time(entry.committed_ms),
               Value(stage.stage),
               Value(stage.name)};
    for (int64_t count : stage.counts.values) row.push_back(Value::BIGINT(count));
    row.push_back(Value::BIGINT(stage.counts.Missing()));
    rows.push_back(std::move(row));
  }
}

void OffsetRows(const job::LedgerEntry& entry, std::deque<Row>& rows) {
  for (const job::LedgerSplit& split : entry.splits) {
    model::Offset from = split.from;
    for (const job::LedgerSplit::Step& step : split.steps) {
      rows.push_back({Value(entry.job), Value(entry.run), Value::BIGINT(step.epoch),
                      Value(split.table),
                      split.topic.empty() ? Value(LogicalType::VARCHAR) : Value(split.topic),
                      Value(split.split), Value::BIGINT(from), Value::BIGINT(step.to),
                      Time(entry.committed_ms)});
      from = step.to;
    }
  }
}

void GapRows(const job::LedgerEntry& entry, std::deque<Row>& rows) {
  for (const job::LedgerGap& gap : entry.gaps) {
    rows.push_back({Value(entry.job), Value(entry.run), Value::BIGINT(gap.from_epoch),
                    Value::BIGINT(gap.to_epoch), Value(job::LedgerGapKindName(gap.kind)),
                    Value(gap.stage), Value(gap.name), Value::BIGINT(gap.rows), Value(gap.Text()),
                    Time(entry.committed_ms)});
  }
}

Status Register(log::Log& log, duck::Warehouse& warehouse, const char* name,
                const std::vector<std::pair<std::string, LogicalType>>& columns,
                const Expand& expand) {
  duck::VirtualTable table;
  table.schema = "millrace";
  table.name = name;
  for (const auto& [column, type] : columns) table.columns.columns.push_back({column, type, true});
  table.scan = [&log, expand](
                   const std::vector<size_t>& wanted) -> Result<std::unique_ptr<duck::TableScan>> {
    return std::unique_ptr<duck::TableScan>(new LedgerScan(log, expand, wanted));
  };
  return duck::RegisterTable(warehouse, std::move(table));
}

}  // namespace

Status RegisterLedgerTables(log::Log& log, duck::Warehouse& warehouse) {
  const LogicalType text = LogicalType::VARCHAR;
  const LogicalType number = LogicalType::BIGINT;
  const LogicalType time = LogicalType::TIMESTAMP;
  std::vector<std::pair<std::string, LogicalType>> stages = {
      {"job", text},      {"run", text},          {"from_epoch", number}, {"to_epoch", number},
      {"began_at", time}, {"committed_at", time}, {"stage", text},        {"name", text}};
  for (size_t c = 0; c < job::kCounts; c++) {
    stages.emplace_back(fmt::format("rows_{}", job::CountName(static_cast<Count>(c))), number);
  }
  stages.emplace_back("rows_missing", number);
  MR_RETURN_IF_ERROR(Register(log, warehouse, "ledger", stages, StageRows));
  MR_RETURN_IF_ERROR(Register(log, warehouse, "ledger_offsets",
                              {{"job", text},
                               {"run", text},
                               {"epoch", number},
                               {"table_name", text},
                               {"topic", text},
                               {"split", text},
                               {"from_offset", number},
                               {"to_offset", number},
                               {"committed_at", time}},
                              OffsetRows));
  return Register(log, warehouse, "ledger_gaps",
                  {{"job", text},
                   {"run", text},
                   {"from_epoch", number},
                   {"to_epoch", number},
                   {"kind", text},
                   {"stage", text},
                   {"name", text},
                   {"rows", number},
                   {"what", text},
                   {"committed_at", time}},
                  GapRows);
}

}  // namespace millrace::project
