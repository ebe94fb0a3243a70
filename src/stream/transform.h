// Transform: a chain of stateless steps (filter, projection, unnest), evaluated by DuckDB's
// expression executor, a vector at a time.
//
// A row on which an expression fails (a cast, an overflow) goes to the dead letters; the others go
// through: when a batch fails, its rows are tried one by one.
#pragma once

#include <duckdb/planner/expression.hpp>
#include <memory>
#include <string>
#include <vector>

#include "stream/operator.h"

namespace millrace::stream {

using Expressions = duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>;

class Transform : public Operator {
 public:
  Transform(uint32_t id, duckdb::vector<duckdb::LogicalType> input_types);
  ~Transform() override;

  // Keeps rows for which every condition is true.
  void AddFilter(Expressions conditions);
  // Replaces the columns by the values of these expressions over them.
  void AddProjection(Expressions expressions);
  // Appends one column per list expression; a row becomes as many rows as its longest list has
  // elements, shorter lists are padded with NULL, rows with no elements vanish.
  void AddUnnest(Expressions lists);
  // Whoever reads the output only counts rows: equal ones need not be multiplied by an unnest one
  // by one, and come out as one row with a weight.
  void MergeEqualRows() { merges_ = true; }

  const duckdb::vector<duckdb::LogicalType>& output_types() const;

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  OperatorDescription Describe() const override;
  bool Forwards() const override { return true; }

 private:
  struct Step;
  struct Rows;
  void Run(size_t step, duckdb::DataChunk& in, const Rows& rows);
  void RunUnnest(size_t step, duckdb::DataChunk& in, const Rows& rows);
  void PrepareMerge(size_t unnest);
  void Collect(duckdb::DataChunk& out, const Rows& rows);
  void RunRowByRow(const Batch& batch);
  void BuryRow(const Batch& batch, duckdb::idx_t row, const std::string& why);
  void EmitCollected(const Batch& batch);

  duckdb::vector<duckdb::LogicalType> input_types_;
  std::vector<std::unique_ptr<Step>> steps_;
  bool has_unnest_ = false;
  bool merges_ = false;
  const Batch* batch_ = nullptr;  // in hand
  bool map_rows_ = false;  // this batch needs to know which input row each output row came from
  // What the chain produced from the current batch: emitted only once all of it succeeded.
  struct Output;
  std::vector<std::unique_ptr<Output>> outputs_;
  size_t outputs_used_ = 0;
};

}  // namespace millrace::stream
