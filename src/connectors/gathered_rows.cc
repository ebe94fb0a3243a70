#include "connectors/gathered_rows.h"

#include <algorithm>
#include <duckdb/main/appender.hpp>

#include "base/strings.h"
#include "duck/door.h"
#include "duck/warehouse.h"

namespace millrace::connectors {

namespace {

constexpr duckdb::idx_t kFlushRows = 122'880;  // a row group of DuckDB

// For want of memory or disk: nothing else can go wrong.
Status MayPass(Status status) {
  return status.ok() ? std::move(status) : std::move(status).WithRetry(Retry::kBackoff);
}

}  // namespace

GatheredRows::GatheredRows(duckdb::Connection& connection, model::Schema columns)
    : connection_(connection), columns_(std::move(columns)) {
  NewRows();
}

Status GatheredRows::Open() {
  std::vector<std::string> columns;
  for (const model::Column& column : columns_.columns) {
    columns.push_back(QuoteIdentifier(column.name) + " " + column.type.ToString());
  }
  return duck::Warehouse::Execute(connection_,
                                  "CREATE TABLE gathered (" + Join(columns, ", ") + ")");
}

Status GatheredRows::MakeRoom() {
  return rows_->Count() < kFlushRows ? Status::Ok() : Flush();
}

void GatheredRows::Gather(duckdb::DataChunk& rows) {
  rows_->Append(rows);
  count_ += static_cast<int64_t>(rows.size());
}

void GatheredRows::GatherCopies(duckdb::DataChunk& rows, const std::vector<int32_t>& weights) {
  const bool all_once = std::all_of(weights.begin(), weights.end(), [](int w) { return w == 1; });
  if (all_once) return Gather(rows);
  std::vector<duckdb::sel_t> chosen;
  for (duckdb::idx_t r = 0; r < rows.size(); r++) {
    chosen.insert(chosen.end(), static_cast<size_t>(weights[r]), static_cast<duckdb::sel_t>(r));
  }
  duckdb::DataChunk part;
  part.InitializeEmpty(rows.GetTypes());
  for (size_t at = 0; at < chosen.size(); at += STANDARD_VECTOR_SIZE) {
    part.Slice(rows, duckdb::SelectionVector(chosen.data() + at),
               std::min<size_t>(STANDARD_VECTOR_SIZE, chosen.size() - at));
    Gather(part);
  }
}

// All or nothing.
Status GatheredRows::Flush() {
  if (rows_->Count() == 0) return Status::Ok();
  Status flushed = duck::AtTheDoor([&] {
    connection_.BeginTransaction();
    duckdb::Appender appender(connection_, "gathered");
    for (auto& chunk : rows_->Chunks()) appender.AppendDataChunk(chunk);
    appender.Close();
    connection_.Commit();
    return Status::Ok();
  });
  if (!flushed.ok()) {
    if (connection_.HasActiveTransaction()) connection_.Rollback();
    return MayPass(std::move(flushed));
  }
  NewRows();
  return Status::Ok();
}

Status GatheredRows::Forget() {
  NewRows();
  count_ = 0;
  // TRUNCATE would keep the memory.
  return MayPass(duck::Warehouse::Execute(
      connection_, "CREATE OR REPLACE TABLE gathered AS FROM gathered LIMIT 0"));
}

void GatheredRows::NewRows() {
  rows_ = std::make_unique<duckdb::ColumnDataCollection>(duckdb::Allocator::DefaultAllocator(),
                                                         columns_.Types());
}

}  // namespace millrace::connectors
