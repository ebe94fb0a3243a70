// Equal parts of a query (a view that is read twice, say) are computed once.
//
// DuckDB's optimiser shares common parts too, but not those that read fields of a ROW.
#include <algorithm>
#include <duckdb/planner/operator/list.hpp>

#include "duck/planner.h"
#include "stream/job_plan_builder.h"

namespace millrace::stream {

using duckdb::Expression;
using duckdb::LogicalOperator;
using duckdb::LogicalOperatorType;

namespace {

bool SameExpressions(const duckdb::vector<duckdb::unique_ptr<Expression>>& a,
                     const duckdb::vector<duckdb::unique_ptr<Expression>>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x->return_type == y->return_type && x->Equals(*y);
  });
}

bool SameScan(const duckdb::LogicalGet& a, const duckdb::LogicalGet& b) {
  bool scans = a.function.name == duck::kScanFunction && b.function.name == duck::kScanFunction;
  if (!scans || duck::ScannedTable(*a.bind_data) != duck::ScannedTable(*b.bind_data)) return false;
  const auto& columns = a.GetColumnIds();
  return a.projection_ids == b.projection_ids && columns.size() == b.GetColumnIds().size() &&
         std::equal(columns.begin(), columns.end(), b.GetColumnIds().begin(),
                    [](const auto& x, const auto& y) {
                      return x.GetPrimaryIndex() == y.GetPrimaryIndex() &&
                             x.IsVirtualColumn() == y.IsVirtualColumn();
                    });
}

bool SameAggregate(const duckdb::LogicalAggregate& a, const duckdb::LogicalAggregate& b) {
  // Without groups its first row depends on what stands above.
  return !a.groups.empty() && SameExpressions(a.groups, b.groups) &&
         a.grouping_sets == b.grouping_sets && a.grouping_functions == b.grouping_functions;
}

bool SameJoin(const duckdb::LogicalComparisonJoin& a, const duckdb::LogicalComparisonJoin& b) {
  auto same_condition = [](const duckdb::JoinCondition& x, const duckdb::JoinCondition& y) {
    return x.comparison == y.comparison && x.left->Equals(*y.left) && x.right->Equals(*y.right);
  };
  bool plain = a.join_type == duckdb::JoinType::INNER || a.join_type == duckdb::JoinType::LEFT;
  return plain && a.join_type == b.join_type && !a.predicate && !b.predicate &&
         a.left_projection_map == b.left_projection_map &&
         a.right_projection_map == b.right_projection_map &&
         std::equal(a.conditions.begin(), a.conditions.end(), b.conditions.begin(),
                    b.conditions.end(), same_condition);
}

// Whether two parts of a plan give the same rows. False wherever that is not certain.
bool SameTree(const LogicalOperator& a, const LogicalOperator& b) {
  if (a.type != b.type || a.types != b.types || a.children.size() != b.children.size() ||
      !SameExpressions(a.expressions, b.expressions)) {
    return false;
  }
  bool same = false;
  switch (a.type) {
    case LogicalOperatorType::LOGICAL_GET:
      same = SameScan(a.Cast<duckdb::LogicalGet>(), b.Cast<duckdb::LogicalGet>());
      break;
    case LogicalOperatorType::LOGICAL_PROJECTION:
    case LogicalOperatorType::LOGICAL_UNNEST:
    case LogicalOperatorType::LOGICAL_WINDOW:
      same = true;
      break;
    case LogicalOperatorType::LOGICAL_FILTER:
      same = a.Cast<duckdb::LogicalFilter>().projection_map ==
             b.Cast<duckdb::LogicalFilter>().projection_map;
      break;
    case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
      same = SameAggregate(a.Cast<duckdb::LogicalAggregate>(), b.Cast<duckdb::LogicalAggregate>());
      break;
    case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
      same = SameJoin(a.Cast<duckdb::LogicalComparisonJoin>(),
                      b.Cast<duckdb::LogicalComparisonJoin>());
      break;
    default:
      return false;
  }
  for (size_t i = 0; same && i < a.children.size(); i++) {
    same = SameTree(*a.children[i], *b.children[i]);
  }
  return same;
}

// Where there is work to save: what keeps state.
bool WorthSharing(const LogicalOperator& node) {
  return node.type == LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY ||
         node.type == LogicalOperatorType::LOGICAL_COMPARISON_JOIN ||
         (node.type == LogicalOperatorType::LOGICAL_FILTER &&
          node.children[0]->type == LogicalOperatorType::LOGICAL_WINDOW);
}

void Collect(const LogicalOperator& node, std::vector<const LogicalOperator*>& found) {
  if (WorthSharing(node)) found.push_back(&node);
  for (const auto& child : node.children) Collect(*child, found);
}

}  // namespace

void JobPlanBuilder::FindEqualParts(const LogicalOperator& root) {
  std::vector<const LogicalOperator*> nodes;
  Collect(root, nodes);
  for (size_t i = 0; i < nodes.size(); i++) {
    if (equal_parts_.count(nodes[i])) continue;
    for (size_t j = i + 1; j < nodes.size(); j++) {
      if (equal_parts_.count(nodes[j]) || !SameTree(*nodes[i], *nodes[j])) continue;
      equal_parts_[nodes[i]] = nodes[i];
      equal_parts_[nodes[j]] = nodes[i];
    }
  }
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitOnce(const LogicalOperator& node) {
  auto part = equal_parts_.find(&node);
  if (part == equal_parts_.end()) return VisitNode(node);
  auto made = made_parts_.find(part->second);
  if (made == made_parts_.end()) {
    MR_ASSIGN_OR_RETURN(Stream stream, VisitNode(node));
    stream.open = nullptr;  // several readers: nobody may add steps to it
    made = made_parts_.emplace(part->second, std::move(stream)).first;
  }
  return made->second;
}

}  // namespace millrace::stream
