#include "job/row_checks.h"

#include <fmt/format.h>

namespace millrace::job {

RowChecks::RowChecks(duckdb::ClientContext& client,
                     std::vector<duckdb::unique_ptr<duckdb::Expression>> expressions,
                     std::vector<const sql::Check*> definitions)
    : expressions_(std::move(expressions)),
      definitions_(std::move(definitions)),
      executor_(client) {
  for (auto& e : expressions_) executor_.AddExpression(*e);
}

void RowChecks::Run(duckdb::DataChunk& rows,
                    const std::function<void(uint32_t row, const sql::Check& check)>& violated) {
  for (duckdb::idx_t c = 0; c < expressions_.size(); c++) {
    duckdb::Vector holds(duckdb::LogicalType::BOOLEAN);
    executor_.SetChunk(&rows);
    executor_.ExecuteExpression(c, holds);
    duckdb::UnifiedVectorFormat format;
    holds.ToUnifiedFormat(rows.size(), format);
    const auto* values = reinterpret_cast<const bool*>(format.data);
    for (uint32_t row = 0; row < rows.size(); row++) {
      duckdb::idx_t at = format.sel->get_index(row);
      if (format.validity.RowIsValid(at) && !values[at]) violated(row, *definitions_[c]);
    }
  }
}

std::string RowChecks::Reason(const sql::Check& check) {
  return fmt::format("constraint \"{}\" is violated: {}", check.name, check.flink.text);
}

}  // namespace millrace::job
