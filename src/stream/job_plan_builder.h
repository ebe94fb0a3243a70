// JobPlanBuilder: walks DuckDB's logical plan bottom-up and makes the operators. One method per
// logical operator; see job_plan.h for the contract.
#pragma once

#include <duckdb/planner/expression/bound_window_expression.hpp>
#include <duckdb/planner/logical_operator.hpp>
#include <duckdb/planner/operator/logical_aggregate.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "stream/aggregate_plan.h"
#include "stream/derived_frontier.h"
#include "stream/job_plan.h"
#include "stream/over_aggregate.h"
#include "stream/top_n.h"
#include "stream/transform.h"

namespace millrace::stream {

class JobPlanBuilder {
 public:
  JobPlanBuilder(duckdb::ClientContext& context, const std::map<std::string, ScanTable>& tables)
      : context_(context), tables_(tables) {}

  Result<JobPlan> Build(const duck::Plan& plan);

 private:
  // A stream being built: the operator that emits it, and what is known of its columns.
  struct Stream {
    Operator* from = nullptr;
    // `from` while nothing else reads it: further stateless steps are added to it.
    Transform* open = nullptr;
    std::vector<StreamColumn> columns;
    ChangelogKind changelog = ChangelogKind::kAppend;

    duckdb::vector<duckdb::LogicalType> types() const;
  };

  void CollectScans(const duckdb::LogicalOperator& node);
  Result<Stream> Visit(const duckdb::LogicalOperator& node);
  Result<Stream> VisitNode(const duckdb::LogicalOperator& node);
  Result<Stream> VisitScan(const duckdb::LogicalOperator& node);
  Result<Stream> VisitProjection(const duckdb::LogicalOperator& node);
  Result<Stream> VisitFilter(const duckdb::LogicalOperator& node);
  Result<Stream> VisitUnnest(const duckdb::LogicalOperator& node);
  Result<Stream> VisitAggregate(const duckdb::LogicalOperator& node);
  Result<Stream> VisitDistinct(const duckdb::LogicalOperator& node);
  Result<Stream> VisitUnion(const duckdb::LogicalOperator& node);
  Result<Stream> VisitJoin(const duckdb::LogicalOperator& node);
  Result<Stream> VisitEmpty(const duckdb::LogicalOperator& node);
  Stream UnionAll(std::vector<Stream> inputs);
  Result<Stream> AddGroupingSets(
      Stream input, const duckdb::LogicalAggregate& node, Expressions groups,
      std::vector<duckdb::unique_ptr<duckdb::BoundAggregateExpression>> calls);
  // job_plan_session.cc
  static Status RefusePendingWindow();
  static Status CheckNoPendingWindow(const Stream& stream);
  // Makes the hopping windows that the first `group_count` columns stand for; true when they stand
  // for sessions.
  Result<bool> MakePendingWindows(Stream& stream, size_t group_count);
  // The aggregation of `plan.calls` by sessions; `stream`: groups, then arguments and filters.
  Result<Stream> AddSession(Stream stream, AggregatePlan plan, size_t group_count);
  // job_plan_window.cc
  // Whether a filter keeps only the best ranks of the window function right below it.
  static bool IsRankFilter(const duckdb::LogicalOperator& filter);
  Result<Stream> VisitRankFilter(const duckdb::LogicalOperator& filter);
  Result<Stream> VisitLimit(const duckdb::LogicalOperator& node);
  Result<Stream> VisitWindow(const duckdb::LogicalOperator& node);
  // One OverAggregate for `windows`, one call of `plan` each; the result has the input's columns
  // (and some that were computed), then the calls' results.
  Result<Stream> AddOver(Stream input, OverPlan plan,
                         const std::vector<const duckdb::BoundWindowExpression*>& windows);
  // Fills in what `plan` says of the input; the result has the input's columns and the rank.
  Stream AddTopN(Stream input, TopNPlan plan,
                 const std::vector<const duckdb::Expression*>& partitions,
                 const std::vector<const duckdb::BoundOrderByNode*>& orders);
  // The stream with a column for each wanted expression: at places[i] for wanted[i].
  Stream WithColumns(Stream stream, const std::vector<const duckdb::Expression*>& wanted,
                     std::vector<duckdb::idx_t>& places);

  // The transform that further steps of `stream` go to.
  Transform& Steps(Stream& stream);
  Stream Project(Stream stream, Expressions expressions);
  Stream KeepColumns(Stream stream, const duckdb::vector<duckdb::idx_t>& columns);
  Result<Stream> Aggregate(Stream input, Expressions groups,
                           std::vector<duckdb::unique_ptr<duckdb::BoundAggregateExpression>> calls);
  // Makes an operator. Ids count from 1: 0 is the job's own part of the state.
  template <typename Op, typename... Args>
  Op* Add(Args&&... args) {
    auto id = static_cast<uint32_t>(plan_.operators.size() + 1);
    plan_.operators.push_back(std::make_unique<Op>(id, std::forward<Args>(args)...));
    return static_cast<Op*>(plan_.operators.back().get());
  }
  Status CheckDeterministic(const duckdb::Expression& expression) const;

  duckdb::ClientContext& context_;
  const std::map<std::string, ScanTable>& tables_;
  JobPlan plan_;
  int last_origin_ = 0;
  std::map<duckdb::idx_t, Stream> shared_;  // CTEs by index
};

// A refusal: `clause` is the keyword to point at in the user's text.
Status Refuse(const std::string& clause, const std::string& why, const std::string& instead);

}  // namespace millrace::stream
