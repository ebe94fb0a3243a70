// The part of JobPlanBuilder for INTERSECT and EXCEPT (UNION is in job_plan.cc).
#include <duckdb/planner/operator/list.hpp>
#include <numeric>

#include "stream/job_plan_builder.h"
#include "stream/set_operation.h"

namespace millrace::stream {

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitSetOperation(
    const duckdb::LogicalOperator& node) {
  const bool all = node.Cast<duckdb::LogicalSetOperation>().setop_all;
  const bool intersect = node.type == duckdb::LogicalOperatorType::LOGICAL_INTERSECT;
  SetOperationPlan plan;
  plan.kind = intersect ? (all ? SetOperationKind::kIntersectAll : SetOperationKind::kIntersect)
                        : (all ? SetOperationKind::kExceptAll : SetOperationKind::kExcept);
  Stream inputs[2];
  for (size_t i : {0, 1}) {
    MR_ASSIGN_OR_RETURN(inputs[i], Visit(*node.children[i]));
    plan.retracts |= inputs[i].changelog == ChangelogKind::kRetract;
  }
  plan.types = inputs[0].types();
  plan.ttl_us = options_.state_ttl_us;
  Stream result;
  result.columns = inputs[0].columns;
  for (StreamColumn& column : result.columns) {
    column.frontier = {};
    column.window = WindowRole::kNone;
  }
  if (!all) {
    result.unique.emplace(result.columns.size());
    std::iota(result.unique->begin(), result.unique->end(), 0);
  }
  result.changelog = plan.Appends() ? ChangelogKind::kAppend : ChangelogKind::kRetract;
  std::vector<idx_t> all_columns(plan.types.size());
  std::iota(all_columns.begin(), all_columns.end(), 0);
  for (Stream& input : inputs) input = Partition(std::move(input), all_columns);
  auto* made = Add<SetOperation>(std::move(plan));
  for (size_t i : {0, 1}) inputs[i].from->emitter().Add(made, static_cast<int>(i));
  result.from = made;
  return result;
}

}  // namespace millrace::stream
