// JobPlanBuilder: walks DuckDB's logical plan bottom-up and makes the operators. One method per
// logical operator; see job_plan.h for the contract.
#pragma once

#include <duckdb/planner/expression/bound_window_expression.hpp>
#include <duckdb/planner/joinside.hpp>
#include <duckdb/planner/logical_operator.hpp>
#include <duckdb/planner/operator/logical_aggregate.hpp>
#include <duckdb/planner/operator/logical_comparison_join.hpp>
#include <duckdb/planner/operator/logical_join.hpp>
#include <map>
#include <memory>
#include <optional>
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
  JobPlanBuilder(duckdb::ClientContext& context, const std::map<std::string, ScanTable>& tables,
                 const JobPlanOptions& options)
      : context_(context), tables_(tables), options_(options) {}

  Result<JobPlan> Build(const duck::Plan& plan);

 private:
  // A stream being built: the operator that emits it, and what is known of its columns.
  struct Stream {
    Operator* from = nullptr;
    // `from` while nothing else reads it: further stateless steps are added to it.
    Transform* open = nullptr;
    std::vector<StreamColumn> columns;
    ChangelogKind changelog = ChangelogKind::kAppend;
    // Columns that no two rows have in common, where some are known; none: it has one row at most.
    std::optional<std::vector<duckdb::idx_t>> unique;

    duckdb::vector<duckdb::LogicalType> types() const;
  };

  // What the query reads of each table goes to scans_; a table is a source once VisitScan asks.
  void CollectScans(const duckdb::LogicalOperator& node);
  size_t SourceOf(const std::string& table);
  Result<Stream> Visit(const duckdb::LogicalOperator& node);
  Result<Stream> VisitNode(const duckdb::LogicalOperator& node);
  Result<Stream> VisitScan(const duckdb::LogicalOperator& node);
  // What a scan gives of the columns of its SourceUse.
  static Expressions ScannedColumns(const duckdb::LogicalOperator& node, const SourceUse& use,
                                    const Stream& stream);
  // The rows of a source as they are read, with the columns of its SourceUse.
  Stream ReadSource(size_t source);
  // The same as rows that come and rows that are taken back, made once for all readers.
  Stream SourceRows(size_t source);
  Result<Stream> VisitProjection(const duckdb::LogicalOperator& node);
  Result<Stream> VisitFilter(const duckdb::LogicalOperator& node);
  Result<Stream> VisitUnnest(const duckdb::LogicalOperator& node);
  Result<Stream> VisitAggregate(const duckdb::LogicalOperator& node);
  Result<Stream> VisitDistinct(const duckdb::LogicalOperator& node);
  Result<Stream> VisitUnion(const duckdb::LogicalOperator& node);
  Result<Stream> VisitSetOperation(const duckdb::LogicalOperator& node);
  Result<Stream> VisitEmpty(const duckdb::LogicalOperator& node);
  Stream UnionAll(std::vector<Stream> inputs);
  Result<Stream> AddGroupingSets(
      Stream input, const duckdb::LogicalAggregate& node, Expressions groups,
      std::vector<duckdb::unique_ptr<duckdb::BoundAggregateExpression>> calls);
  // job_plan_shared.cc
  void FindEqualParts(const duckdb::LogicalOperator& root);
  // VisitNode, but an equal part that was made already is read again.
  Result<Stream> VisitOnce(const duckdb::LogicalOperator& node);
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
  // job_plan_over.cc
  Result<Stream> VisitWindow(const duckdb::LogicalOperator& node);
  bool RunsInTime(const Stream& stream, const duckdb::BoundWindowExpression& window) const;
  OverPlan PlanInTime(Stream& stream, const duckdb::BoundWindowExpression& window);
  // One OverAggregate for `windows`, one call of `plan` each; the result has the input's columns
  // (and some that were computed), then the calls' results.
  Result<Stream> AddOver(Stream input, OverPlan plan,
                         const std::vector<const duckdb::BoundWindowExpression*>& windows);
  // job_plan_updating_over.cc: one UpdatingOver for `windows`, which share partitions and order.
  Result<Stream> AddUpdatingOver(Stream input,
                                 const std::vector<const duckdb::BoundWindowExpression*>& windows);
  // job_plan_time_sort.cc
  Result<Stream> VisitOrderBy(const duckdb::LogicalOperator& node);
  // Fills in what `plan` says of the input; the result has the input's columns and the rank.
  Stream AddTopN(Stream input, TopNPlan plan,
                 const std::vector<const duckdb::Expression*>& partitions,
                 const std::vector<const duckdb::BoundOrderByNode*>& orders);
  // The same for the first row of each key in the order of processing.
  Stream AddKeepFirst(Stream input, const TopNPlan& top, duckdb::idx_t input_columns);
  // The stream with a column for each wanted expression: at places[i] for wanted[i].
  Stream WithColumns(Stream stream, const std::vector<const duckdb::Expression*>& wanted,
                     std::vector<duckdb::idx_t>& places);

  // job_plan_join.cc: joins of all kinds. Expressions of the conditions are over the columns of
  // their side, those of the residual over (left columns, right columns).
  struct JoinShape {
    duckdb::JoinType type = duckdb::JoinType::INNER;
    std::vector<duckdb::JoinCondition> conditions;
    Expressions residual;
    duckdb::vector<duckdb::idx_t> kept[2];  // columns of each side in the output; empty: all
    size_t correlated = 0;  // of the conditions, these many tie a subquery to its outer row
  };
  Result<Stream> VisitJoin(const duckdb::LogicalOperator& node);
  Result<Stream> VisitBelowJoin(const duckdb::LogicalOperator& node);
  Result<JoinShape> ShapeOf(const duckdb::LogicalOperator& node, duckdb::idx_t left_width);
  // Takes a condition over (left columns, right columns) apart at its ANDs.
  static void AddCondition(const duckdb::Expression& e, duckdb::idx_t left_width, JoinShape& shape);
  // IS NOT DISTINCT FROM is = where one of the two cannot be NULL.
  static void UseEquality(JoinShape& shape, const Stream& left, const Stream& right);
  Result<Stream> JoinStreams(JoinShape shape, Stream left, Stream right);
  Result<Stream> RegularJoinOf(JoinShape shape, Stream left, Stream right);
  // Whether a left row has one partner at most.
  static bool FindsOnePartner(const JoinShape& shape, const Stream& right);
  static duckdb::unique_ptr<duckdb::Expression> ColumnOf(const Stream& stream,
                                                         duckdb::idx_t column);

  // job_plan_temporal.cc: JOIN … FOR SYSTEM_TIME AS OF (duck/temporal_marks.h).
  static bool IsTemporalJoin(const duckdb::LogicalOperator& node);
  Result<Stream> VisitTemporalJoin(const duckdb::LogicalOperator& node);
  // job_plan_lookup.cc: the join with a table that is asked by key, not read.
  Result<Stream> LookupJoinOf(JoinShape shape, Stream left, const duckdb::LogicalOperator& right);
  // job_plan_served.cc: functions that a service answers.
  struct Answered {
    duckdb::unique_ptr<duckdb::Expression> call;
    duckdb::idx_t column;  // of the stream, which holds the answers
  };
  // A filter (not one on a rank) with served calls, or plain projections of such a filter.
  static bool IsServedFilter(const duckdb::LogicalOperator& node);
  // Refuses served calls where nobody would ask for them.
  static Status CheckServedCalls(const duckdb::LogicalOperator& node);
  // Puts columns in the place of all served calls in `expressions`: those of `answered`, and new
  // ones at the stream's end, which are added to it. Null: nothing is known, nor to be noted.
  Result<Stream> AskServed(Stream stream, Expressions& expressions,
                           std::vector<Answered>* answered = nullptr);
  Result<Stream> AnswerOf(Stream stream, const duckdb::Expression& call);
  // Such a node. `answered` not null: the filter's answers stay, as columns at the end.
  Result<Stream> FilterServed(const duckdb::LogicalOperator& node, std::vector<Answered>* answered);
  // job_plan_versions.cc: of event time, over a table or view whose rows have versions.
  struct Versions {
    Stream stream;     // the visible columns, then some that are only needed here
    size_t width = 0;  // of the visible columns
    std::vector<duckdb::idx_t> keys;
    duckdb::idx_t time = 0;
    std::optional<duckdb::idx_t> shown;  // BOOLEAN: whether the version is one, once it is found
  };
  Result<Versions> VisitVersions(const duckdb::LogicalOperator& node);
  Result<Versions> ScanVersions(const duckdb::LogicalOperator& node);
  Result<Versions> LastRowVersions(const duckdb::LogicalOperator& filter);
  // `versions` with other visible columns.
  Versions ProjectVersions(Versions versions, Expressions visible);
  Result<Stream> EventTimeJoin(JoinShape shape, Stream left, const duckdb::Expression& time,
                               const duckdb::LogicalOperator& right);

  // job_plan_interval_join.cc: joins with right.time - left.time in [lower, upper].
  struct TimeBound {
    duckdb::idx_t left = 0;  // time columns
    duckdb::idx_t right = 0;
    int64_t lower_us = 0;
    int64_t upper_us = 0;
  };
  std::optional<TimeBound> BoundInTime(const JoinShape& shape, const Stream& left,
                                       const Stream& right);
  Result<Stream> IntervalJoinOf(JoinShape shape, TimeBound time, Stream left, Stream right);

  // job_plan_subquery.cc: what DuckDB makes of IN, EXISTS and subqueries as values.
  Result<Stream> VisitDelimJoin(const duckdb::LogicalOperator& node);
  Result<Stream> VisitDelimGet();
  // The join of a correlated EXISTS without DELIM_GET, and the node that gives its right side.
  static std::optional<JoinShape> WithoutDelim(const duckdb::LogicalComparisonJoin& join,
                                               const duckdb::LogicalOperator*& rows);
  Result<Stream> MarkStreams(JoinShape shape, Stream left, Stream right);
  // job_plan_in_several.cc: the same for IN of several columns.
  Result<Stream> MarkSeveral(JoinShape shape, Stream left, Stream right);
  // The input of an aggregation; nothing when `node` is an ordinary one.
  Result<std::optional<Stream>> VisitSubqueryInput(const duckdb::LogicalAggregate& node);

  // The transform that further steps of `stream` go to.
  Transform& Steps(Stream& stream);
  Stream Project(Stream stream, Expressions expressions);
  Stream KeepColumns(Stream stream, const duckdb::vector<duckdb::idx_t>& columns);
  Result<Stream> Aggregate(Stream input, Expressions groups,
                           std::vector<duckdb::unique_ptr<duckdb::BoundAggregateExpression>> calls);
  // Sends every row to the shard that owns its key: what stands before each operator with state.
  Stream Partition(Stream stream, std::vector<duckdb::idx_t> keys);
  void FindStages();
  // Makes an operator. Ids count from 1 (0 is the job's own part of the state), by shard.
  template <typename Op, typename... Args>
  Op* Add(Args&&... args) {
    auto id = static_cast<uint32_t>((options_.shard.index << 20) + plan_.operators.size() + 1);
    plan_.operators.push_back(std::make_unique<Op>(id, std::forward<Args>(args)...));
    return static_cast<Op*>(plan_.operators.back().get());
  }
  Status CheckDeterministic(const duckdb::Expression& expression) const;

  duckdb::ClientContext& context_;
  const std::map<std::string, ScanTable>& tables_;
  JobPlanOptions options_;
  JobPlan plan_;
  std::vector<SourceUse> scans_;
  int last_origin_ = 0;
  std::map<duckdb::idx_t, Stream> shared_;  // CTEs by index
  std::map<size_t, Stream> normalized_;     // sources whose rows replace each other, by index
  std::vector<Stream> delims_;              // distinct outer columns of the subqueries around us
  int joins_above_ = 0;
  // Parts of the plan that are there more than once -> the one that stands for them.
  std::map<const duckdb::LogicalOperator*, const duckdb::LogicalOperator*> equal_parts_;
  std::map<const duckdb::LogicalOperator*, Stream> made_parts_;
};

// The value of an integer constant; nothing when the expression is something else.
std::optional<int64_t> ConstantInt(const duckdb::Expression& expression);
// A refusal: `clause` is the keyword to point at in the user's text.
Status Refuse(const std::string& clause, const std::string& why, const std::string& instead);

}  // namespace millrace::stream
