#include "connectors/changes_by_key.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "duck/warehouse.h"

namespace millrace::connectors {

namespace {

using duckdb::LogicalType;

constexpr const char* kWeight = "millrace_weight";
constexpr const char* kChange = "millrace_change";

model::Schema WithChange(model::Schema columns) {
  columns.columns.push_back({kWeight, LogicalType::INTEGER, false});
  columns.columns.push_back({kChange, LogicalType::BIGINT, false});
  return columns;
}

std::string List(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(QuoteIdentifier(name));
  return Join(quoted, ", ");
}

}  // namespace

ChangesByKey::ChangesByKey(duckdb::Connection& connection, model::Schema columns,
                           std::vector<std::string> key)
    : connection_(connection),
      columns_(std::move(columns)),
      key_(std::move(key)),
      rows_(connection, WithChange(columns_)) {}

void ChangesByKey::Gather(const SinkBatch& batch) {
  const duckdb::idx_t count = batch.rows->size();
  duckdb::DataChunk changes;
  changes.InitializeEmpty(WithChange(columns_).Types());
  for (size_t c = 0; c < columns_.size(); c++) changes.data[c].Reference(batch.rows->data[c]);
  duckdb::Vector weights(LogicalType::INTEGER), numbers(LogicalType::BIGINT);
  for (duckdb::idx_t r = 0; r < count; r++) {
    duckdb::FlatVector::GetData<int32_t>(weights)[r] = batch.weights ? (*batch.weights)[r] : 1;
    duckdb::FlatVector::GetData<int64_t>(numbers)[r] = next_change_++;
  }
  changes.data[columns_.size()].Reference(weights);
  changes.data[columns_.size() + 1].Reference(numbers);
  changes.SetCardinality(count);
  rows_.Gather(changes);
}

Status ChangesByKey::Settle() {
  MR_RETURN_IF_ERROR(rows_.Flush());
  const std::string columns = List(columns_.Names());
  // Equal rows cancel; of what is left, the last row to arrive is the key's.
  const std::string sql = fmt::format(
      "CREATE OR REPLACE TABLE changes AS SELECT {0}, sum({2}) AS millrace_sum, max({3}) AS "
      "millrace_last FROM gathered GROUP BY {0} HAVING millrace_sum <> 0; "
      "CREATE OR REPLACE TABLE keys AS SELECT DISTINCT {1} FROM changes; "
      "CREATE OR REPLACE TABLE fresh AS SELECT {0} FROM changes WHERE millrace_sum > 0 QUALIFY "
      "row_number() OVER (PARTITION BY {1} ORDER BY millrace_last DESC) = 1; "
      "DROP TABLE changes",
      columns, List(key_), kWeight, kChange);
  Status done = duck::Warehouse::QueryOn(connection_, sql).status();
  return done.ok() ? std::move(done) : std::move(done).WithRetry(Retry::kBackoff);
}

}  // namespace millrace::connectors
