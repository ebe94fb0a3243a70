// FieldGenerator: the values of one column as a pure function of (seed, column name, row number).
#pragma once

#include <duckdb.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/connector.h"

namespace millrace::connectors::datagen {

struct FieldGenerator {
  duckdb::LogicalType type;
  uint64_t salt = 0;  // seed and column name
  double null_rate = 0;
  // Sequence.
  bool sequence = false;
  int64_t start = 0;
  int64_t end = 0;
  // Random.
  double min = 0;
  double max = 0;
  int64_t min_int = 0;  // whole numbers, exact beyond 2^53
  int64_t max_int = 0;
  int64_t length = 100;
  int64_t max_past_us = 0;
  std::vector<std::string> values;

  // Errors: kUnsupported for types that cannot be made up, kBadOption for bounds out of order.
  static Result<FieldGenerator> New(const TableContext& table, const model::Column& column);

  // Writes the value of row `number` (whose moment is row_time_us) into `to` at `row`.
  void Fill(int64_t number, int64_t row_time_us, duckdb::Vector& to, duckdb::idx_t row) const;
};

}  // namespace millrace::connectors::datagen
