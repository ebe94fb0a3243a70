#include "stream/join_conditions.h"

#include <duckdb/common/error_data.hpp>
#include <duckdb/execution/expression_executor.hpp>

#include "stream/row_text.h"

namespace millrace::stream {

using duckdb::DataChunk;
using duckdb::idx_t;

JoinConditions::JoinConditions(const Expressions& conditions, const OperatorContext& context,
                               std::string stage)
    : context_(context),
      stage_(std::move(stage)),
      conditions_(conditions.size()),
      executor_(std::make_unique<duckdb::ExpressionExecutor>(*context.client)) {
  for (const auto& condition : conditions) executor_->AddExpression(*condition);
}

JoinConditions::~JoinConditions() = default;

const std::vector<JoinConditions::Outcome>& JoinConditions::Check(DataChunk& pairs,
                                                                  int64_t& failed_rows) {
  outcomes_.assign(pairs.size(), Outcome::kTrue);
  try {
    CheckAll(pairs);
  } catch (const std::exception&) {
    CheckOneByOne(pairs, failed_rows);
  }
  return outcomes_;
}

void JoinConditions::CheckAll(DataChunk& pairs) {
  for (idx_t e = 0; e < conditions_; e++) {
    duckdb::Vector condition(duckdb::LogicalType::BOOLEAN);
    executor_->SetChunk(&pairs);
    executor_->ExecuteExpression(e, condition);
    duckdb::UnifiedVectorFormat format;
    condition.ToUnifiedFormat(pairs.size(), format);
    const bool* values = reinterpret_cast<const bool*>(format.data);
    for (idx_t row = 0; row < pairs.size(); row++) {
      const idx_t at = format.sel->get_index(row);
      if (!format.validity.RowIsValid(at) || !values[at]) outcomes_[row] = Outcome::kFalse;
    }
  }
}

void JoinConditions::CheckOneByOne(DataChunk& pairs, int64_t& failed_rows) {
  duckdb::SelectionVector one(1);
  for (idx_t row = 0; row < pairs.size(); row++) {
    one.set_index(0, row);
    DataChunk single;
    single.InitializeEmpty(pairs.GetTypes());
    single.Slice(pairs, one, 1);
    single.SetCardinality(1);
    single.Flatten();
    outcomes_[row] = Outcome::kTrue;
    try {
      for (idx_t e = 0; e < conditions_ && outcomes_[row] == Outcome::kTrue; e++) {
        duckdb::Vector condition(duckdb::LogicalType::BOOLEAN);
        executor_->SetChunk(&single);
        executor_->ExecuteExpression(e, condition);
        const duckdb::Value value = condition.GetValue(0);
        if (value.IsNull() || !value.GetValue<bool>()) outcomes_[row] = Outcome::kFalse;
      }
    } catch (const std::exception& e) {
      outcomes_[row] = Outcome::kFailed;
      failed_rows++;
      model::DeadLetter letter;
      letter.stage = stage_;
      letter.job = context_.job;
      letter.kind = model::RowErrorKind::kType;
      letter.reason = duckdb::ErrorData(e).RawMessage();
      letter.payload = RowText(single, 0);
      context_.dead_letters->Add(std::move(letter));
    }
  }
}

}  // namespace millrace::stream
