// Column lineage: which columns of the scanned tables each result column of a query comes from.
//
// Read from DuckDB's bound plan, before the optimiser takes it apart: views, CTEs, subqueries and
// functions are resolved there, and every column is still the one that was written.
//
// Source: the words are those of OpenLineage's ColumnLineageDatasetFacet (transformation type
// DIRECT or INDIRECT, and subtype). DIRECT: the value goes into the result. INDIRECT: it decides
// which rows there are, or which value is taken.
#pragma once

#include <compare>
#include <set>
#include <string>
#include <vector>

#include "duck/planner.h"

namespace millrace::duck {

enum class Influence {
  kIdentity,
  kTransformation,
  kAggregation,
  kJoin,
  kGroupBy,
  kFilter,
  kSort,
  kWindow,       // PARTITION BY and ORDER BY of OVER
  kConditional,  // the condition of CASE
};
bool IsDirect(Influence influence);
const char* InfluenceName(Influence influence);  // "IDENTITY", "GROUP_BY", …

struct SourceColumn {
  std::string table;  // as the planner knows it
  std::string column;
  auto operator<=>(const SourceColumn&) const = default;
};

struct Dependency {
  SourceColumn from;
  Influence influence = Influence::kIdentity;
  bool masking = false;  // the value cannot be told from the result: a hash, a count
  auto operator<=>(const Dependency&) const = default;
};
using Dependencies = std::set<Dependency>;

struct TracedColumn {
  std::string name;
  duckdb::LogicalType type;
  Dependencies from;
};

struct QueryLineage {
  std::vector<TracedColumn> columns;
  Dependencies rows;             // indirect ones of all columns: filters, join keys, groups, order
  std::set<std::string> tables;  // that are read, be it only to count their rows
};

// What `outer` makes of dependencies: direct ones of direct ones stay direct, the stronger counts;
// an indirect one makes all indirect.
Dependencies Compose(Influence outer, const Dependencies& inner, bool masking = false);

// Errors: as Planner::PlanQuery; kUnsupported for a plan with an operator that it does not know.
Result<QueryLineage> TraceColumns(Planner& planner, const std::string& query);

// Of a bound expression whose BoundReference(c) stands for `inputs[c]`.
Dependencies TraceExpression(const duckdb::Expression& expression,
                             const std::vector<Dependencies>& inputs);

}  // namespace millrace::duck
