// JoinConditions: what a join asks of a pair beyond equal keys, evaluated a vector at a time.
//
// Contract: of one operator, on its thread. A pair on which a condition fails (a cast, an overflow)
// goes to the dead letters and is counted; the others go on: when a vector fails, its pairs are
// tried one by one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stream/operator.h"
#include "stream/transform.h"

namespace duckdb {
class ExpressionExecutor;
}

namespace millrace::stream {

class JoinConditions {
 public:
  enum class Outcome : uint8_t { kFalse, kTrue, kFailed };

  // `conditions` must outlive it. `stage`: of the dead letters.
  JoinConditions(const Expressions& conditions, const OperatorContext& context, std::string stage);
  ~JoinConditions();

  // One outcome for each row of `pairs`; true when all conditions are. Adds to `failed_rows`.
  const std::vector<Outcome>& Check(duckdb::DataChunk& pairs, int64_t& failed_rows);

 private:
  void CheckAll(duckdb::DataChunk& pairs);
  void CheckOneByOne(duckdb::DataChunk& pairs, int64_t& failed_rows);

  OperatorContext context_;
  std::string stage_;
  size_t conditions_;
  std::unique_ptr<duckdb::ExpressionExecutor> executor_;
  std::vector<Outcome> outcomes_;
};

}  // namespace millrace::stream
