// How the frontier of event time carries over to the value of an expression.
#pragma once

#include <duckdb/main/client_context.hpp>
#include <duckdb/planner/expression.hpp>
#include <optional>
#include <string>
#include <vector>

#include "stream/frontier.h"

namespace millrace::stream {

// A column that bounds windows made by a window table function.
enum class WindowRole { kNone, kStart, kEnd };

// What a column means whose windows only the aggregation above it can make. Until then it holds
// what the row brings: its time, or its time plus the gap.
struct PendingWindow {
  enum class Kind { kSessionStart, kSessionEnd, kHopStart, kMisused };
  Kind kind = Kind::kMisused;  // kMisused: computed from such a column
  int64_t gap_us = 0;          // of sessions
  int64_t slide_us = 0;        // of hopping windows
  int64_t size_us = 0;
  bool keyed_by_groups = false;  // sessions by whatever else is grouped by
  std::vector<int> keys = {};    // otherwise: origins of the columns
};

// What the builder knows of a column of a stream.
struct StreamColumn {
  duckdb::LogicalType type;
  std::string name;
  ColumnFrontier frontier;
  WindowRole window = WindowRole::kNone;
  std::optional<PendingWindow> pending = {};
  int origin = 0;         // columns of one origin hold the same value in a row; 0: none
  bool not_null = false;  // known to hold no NULL
};

// The frontier and role of an expression over these columns: known when the expression is a
// non-decreasing function of one column that has a frontier: the column itself, the mr_ window
// functions, time_bucket, date_trunc, ± a constant interval, casts between timestamp types (in the
// session's time zone; where clocks go back, the lowest value still to come).
StreamColumn Derive(const duckdb::Expression& expression, const std::vector<StreamColumn>& columns,
                    duckdb::ClientContext& context);

// The same for the elements of a list expression that is unnested (mr_hop_starts, …).
StreamColumn DeriveElement(const duckdb::Expression& list, const std::vector<StreamColumn>& columns,
                           duckdb::ClientContext& context);

// column + shift, with shift constant; nothing when the expression has another form.
struct ShiftedColumn {
  duckdb::idx_t column = 0;
  int64_t shift_us = 0;
};
std::optional<ShiftedColumn> AsShiftedColumn(const duckdb::Expression& expression,
                                             duckdb::ClientContext& context);

}  // namespace millrace::stream
