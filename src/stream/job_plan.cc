#include "stream/job_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <duckdb/planner/expression/bound_aggregate_expression.hpp>
#include <duckdb/planner/expression/bound_constant_expression.hpp>
#include <duckdb/planner/expression/bound_function_expression.hpp>
#include <duckdb/planner/expression/bound_operator_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression/bound_unnest_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <duckdb/planner/operator/list.hpp>
#include <numeric>

#include "duck/door.h"
#include "duck/served_function.h"
#include "stream/changelog_normalize.h"
#include "stream/expressions.h"
#include "stream/group_aggregate.h"
#include "stream/job_plan_builder.h"
#include "stream/updating_window_aggregate.h"
#include "stream/window_aggregate.h"

namespace millrace::stream {

using duckdb::BoundAggregateExpression;
using duckdb::BoundReferenceExpression;
using duckdb::Expression;
using duckdb::idx_t;
using duckdb::LogicalOperator;
using duckdb::LogicalOperatorType;

Status Refuse(const std::string& clause, const std::string& why, const std::string& instead) {
  return Status(Code::kUnsupported, fmt::format("{} {}", clause, why))
      .WithDetail("clause: " + clause)
      .WithHint(instead);
}

namespace {
// Where these columns stand after a projection; nothing when one of them is gone.
std::optional<std::vector<idx_t>> PlacesOf(const std::vector<idx_t>& columns,
                                           const Expressions& projection) {
  std::vector<idx_t> places;
  for (idx_t column : columns) {
    auto found = std::find_if(projection.begin(), projection.end(), [&](const auto& e) {
      return e->GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF &&
             e->template Cast<BoundReferenceExpression>().index == column;
    });
    if (found == projection.end()) return std::nullopt;
    places.push_back(static_cast<idx_t>(found - projection.begin()));
  }
  return places;
}
}  // namespace

Result<JobPlan> BuildJobPlan(const duck::Plan& plan, duckdb::ClientContext& context,
                             const std::map<std::string, ScanTable>& tables,
                             const JobPlanOptions& options) {
  return duck::AtTheDoor(
      [&]() -> Result<JobPlan> { return JobPlanBuilder(context, tables, options).Build(plan); });
}

duckdb::vector<duckdb::LogicalType> JobPlanBuilder::Stream::types() const {
  duckdb::vector<duckdb::LogicalType> result;
  for (const StreamColumn& column : columns) result.push_back(column.type);
  return result;
}

Result<JobPlan> JobPlanBuilder::Build(const duck::Plan& plan) {
  CollectScans(*plan.root);
  FindEqualParts(*plan.root);
  MR_ASSIGN_OR_RETURN(Stream result, Visit(*plan.root));
  MR_RETURN_IF_ERROR(CheckNoPendingWindow(result));
  plan_.output = result.from;
  plan_.types = result.types();
  plan_.names = plan.names;
  for (const StreamColumn& column : result.columns) plan_.frontiers.push_back(column.frontier);
  plan_.changelog = result.changelog;
  FindStages();
  return std::move(plan_);
}

void JobPlanBuilder::FindStages() {
  std::map<const Operator*, size_t> place;
  for (size_t i = 0; i < plan_.operators.size(); i++) place[plan_.operators[i].get()] = i;
  plan_.stages.assign(plan_.operators.size(), 0);
  for (size_t i = 0; i < plan_.operators.size(); i++) {
    Operator& op = *plan_.operators[i];
    size_t next_stage = plan_.stages[i];
    for (JobPlan::ExchangePoint& point : plan_.exchanges) {
      if (point.exchange != &op) continue;
      point.stage = plan_.stages[i];
      next_stage++;
    }
    for (const Operator* next : op.emitter().Targets()) {
      size_t& stage = plan_.stages[place.at(next)];
      stage = std::max(stage, next_stage);
    }
  }
}

JobPlanBuilder::Stream JobPlanBuilder::Partition(Stream stream, std::vector<idx_t> keys) {
  if (options_.shard.count == 1) return stream;
  auto* exchange = Add<Exchange>(stream.types(), std::move(keys), options_.shard.count);
  stream.from->emitter().Add(exchange, 0);
  plan_.exchanges.push_back({exchange});
  stream.from = exchange;
  stream.open = nullptr;
  return stream;
}

namespace {
// What the scan says it reads of a column. DuckDB's optimiser names the fields of a ROW only when
// nothing above takes the whole value.
model::WantedFields WantedOf(const duckdb::ColumnIndex& column) {
  model::WantedFields wanted;
  for (const duckdb::ColumnIndex& field : column.GetChildIndexes()) {
    if (!field.HasPrimaryIndex()) return {};
    wanted.fields[field.GetPrimaryIndex()] = WantedOf(field);
  }
  return wanted;
}

void AddColumn(const duckdb::ColumnIndex& column, SourceUse& use) {
  const size_t index = column.GetPrimaryIndex();
  const auto at = std::lower_bound(use.columns.begin(), use.columns.end(), index);
  const auto place = at - use.columns.begin();
  if (at != use.columns.end() && *at == index) {
    use.fields[static_cast<size_t>(place)].Add(WantedOf(column));
    return;
  }
  use.columns.insert(at, index);
  use.fields.insert(use.fields.begin() + place, WantedOf(column));
}
}  // namespace

// All scans of a table share one source that delivers the columns any of them wants.
void JobPlanBuilder::CollectScans(const LogicalOperator& node) {
  if (node.type == LogicalOperatorType::LOGICAL_GET) {
    const auto& get = node.Cast<duckdb::LogicalGet>();
    if (get.function.name != duck::kScanFunction) return;
    const std::string& table = duck::ScannedTable(*get.bind_data);
    auto found = std::find_if(scans_.begin(), scans_.end(),
                              [&](const SourceUse& use) { return use.table == table; });
    if (found == scans_.end()) {
      scans_.push_back({table, {}, {}, {}});
      found = scans_.end() - 1;
    }
    for (const auto& column : get.GetColumnIds()) {
      if (!column.IsVirtualColumn()) AddColumn(column, *found);
    }
    const ScanTable& scan = tables_.at(table);
    if (scan.changelog == ChangelogKind::kUpsert) {
      for (size_t key : scan.key) AddColumn(duckdb::ColumnIndex(key), *found);
    }
  }
  for (const auto& child : node.children) CollectScans(*child);
}

size_t JobPlanBuilder::SourceOf(const std::string& table) {
  auto is_it = [&](const SourceUse& use) { return use.table == table; };
  auto found = std::find_if(plan_.sources.begin(), plan_.sources.end(), is_it);
  if (found != plan_.sources.end()) return static_cast<size_t>(found - plan_.sources.begin());
  plan_.sources.push_back(*std::find_if(scans_.begin(), scans_.end(), is_it));
  return plan_.sources.size() - 1;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::Visit(const LogicalOperator& node) {
  MR_ASSIGN_OR_RETURN(Stream stream, VisitOnce(node));
  // Columns of a window that is still to be made may only be carried to a GROUP BY.
  bool carries = node.type == LogicalOperatorType::LOGICAL_PROJECTION ||
                 node.type == LogicalOperatorType::LOGICAL_FILTER ||
                 node.type == LogicalOperatorType::LOGICAL_CTE_REF ||
                 node.type == LogicalOperatorType::LOGICAL_MATERIALIZED_CTE;
  if (!carries) MR_RETURN_IF_ERROR(CheckNoPendingWindow(stream));
  return stream;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitNode(const LogicalOperator& node) {
  for (const auto& expression : node.expressions) {
    MR_RETURN_IF_ERROR(CheckDeterministic(*expression));
  }
  MR_RETURN_IF_ERROR(CheckServedCalls(node));
  switch (node.type) {
    case LogicalOperatorType::LOGICAL_GET:
      return VisitScan(node);
    case LogicalOperatorType::LOGICAL_PROJECTION:
      return VisitProjection(node);
    case LogicalOperatorType::LOGICAL_FILTER:
      return IsRankFilter(node) ? VisitRankFilter(node) : VisitFilter(node);
    case LogicalOperatorType::LOGICAL_UNNEST:
      return VisitUnnest(node);
    case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
      return VisitAggregate(node);
    case LogicalOperatorType::LOGICAL_DISTINCT:
      return VisitDistinct(node);
    case LogicalOperatorType::LOGICAL_UNION:
      return VisitUnion(node);
    case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
    case LogicalOperatorType::LOGICAL_ANY_JOIN:
    case LogicalOperatorType::LOGICAL_CROSS_PRODUCT:
      return IsTemporalJoin(node) ? VisitTemporalJoin(node) : VisitJoin(node);
    case LogicalOperatorType::LOGICAL_DELIM_JOIN:
      return VisitDelimJoin(node);
    case LogicalOperatorType::LOGICAL_DELIM_GET:
      return VisitDelimGet();
    case LogicalOperatorType::LOGICAL_EXCEPT:
    case LogicalOperatorType::LOGICAL_INTERSECT:
      return VisitSetOperation(node);
    case LogicalOperatorType::LOGICAL_EMPTY_RESULT:
      return VisitEmpty(node);
    case LogicalOperatorType::LOGICAL_MATERIALIZED_CTE: {
      const auto& cte = node.Cast<duckdb::LogicalMaterializedCTE>();
      MR_ASSIGN_OR_RETURN(Stream stream, VisitBelowJoin(*node.children[0]));
      stream.open = nullptr;  // several readers: nobody may add steps to it
      shared_[cte.table_index] = std::move(stream);
      return Visit(*node.children[1]);
    }
    case LogicalOperatorType::LOGICAL_CTE_REF:
      return shared_.at(node.Cast<duckdb::LogicalCTERef>().cte_index);
    case LogicalOperatorType::LOGICAL_ORDER_BY:
      return VisitOrderBy(node);
    case LogicalOperatorType::LOGICAL_LIMIT:
    case LogicalOperatorType::LOGICAL_TOP_N:
      return VisitLimit(node);
    case LogicalOperatorType::LOGICAL_WINDOW:
      return VisitWindow(node);
    case LogicalOperatorType::LOGICAL_DUMMY_SCAN:
    case LogicalOperatorType::LOGICAL_EXPRESSION_GET:
    case LogicalOperatorType::LOGICAL_CHUNK_GET:
      return Refuse("VALUES", "beside a stream is not supported yet",
                    "use CASE, or IN with a list of constants");
    default:
      return Refuse(node.GetName(), "on a stream is not supported",
                    "see docs/reference/sql.md for what runs as a stream");
  }
}

Status JobPlanBuilder::CheckDeterministic(const Expression& expression) const {
  Status status;
  std::function<void(const Expression&)> check = [&](const Expression& e) {
    if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_FUNCTION) {
      const auto& f = e.Cast<duckdb::BoundFunctionExpression>().function;
      bool stable = f.GetStability() == duckdb::FunctionStability::CONSISTENT;
      if (!stable && f.name != "mr_now" && f.name != "error" && f.name != duck::kServedFunction &&
          status.ok()) {
        status =
            Refuse(f.name,
                   "gives another answer each time it is asked, so a result could not "
                   "be computed again after a crash",
                   "put the value into the event, or use CURRENT_TIMESTAMP (the epoch's clock)");
      }
    }
    duckdb::ExpressionIterator::EnumerateChildren(e, check);
  };
  check(expression);
  return status;
}

Transform& JobPlanBuilder::Steps(Stream& stream) {
  if (!stream.open) {
    Transform* transform = Add<Transform>(stream.types());
    stream.from->emitter().Add(transform, 0);
    stream.from = stream.open = transform;
  }
  return *stream.open;
}

JobPlanBuilder::Stream JobPlanBuilder::Project(Stream stream, Expressions expressions) {
  std::vector<StreamColumn> columns;
  for (const auto& e : expressions) columns.push_back(Derive(*e, stream.columns, context_));
  bool identity = expressions.size() == stream.columns.size();
  for (idx_t i = 0; i < expressions.size() && identity; i++) {
    identity = expressions[i]->GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF &&
               expressions[i]->Cast<BoundReferenceExpression>().index == i;
  }
  if (!identity) {
    if (stream.unique) stream.unique = PlacesOf(*stream.unique, expressions);
    Steps(stream).AddProjection(std::move(expressions));
  }
  for (StreamColumn& column : columns) {
    if (column.origin == 0) column.origin = ++last_origin_;
  }
  stream.columns = std::move(columns);
  return stream;
}

JobPlanBuilder::Stream JobPlanBuilder::KeepColumns(Stream stream,
                                                   const duckdb::vector<idx_t>& columns) {
  if (columns.empty()) return stream;
  Expressions references;
  for (idx_t c : columns) {
    references.push_back(duckdb::make_uniq<BoundReferenceExpression>(stream.columns[c].name,
                                                                     stream.columns[c].type, c));
  }
  return Project(std::move(stream), std::move(references));
}

JobPlanBuilder::Stream JobPlanBuilder::ReadSource(size_t source) {
  SourceUse& use = plan_.sources[source];
  const ScanTable& scan = tables_.at(use.table);
  Stream stream;
  stream.changelog = scan.changelog;
  for (size_t column : use.columns) {
    StreamColumn made;
    made.type = scan.schema.columns[column].type;
    made.name = scan.schema.columns[column].name;
    made.origin = ++last_origin_;
    if (static_cast<int>(column) == scan.time_column) {
      made.frontier.terms.push_back({static_cast<int>(source), [](model::EventTime t) { return t; },
                                     scan.allowed_lateness_us});
    }
    if (std::count(scan.clock_columns.begin(), scan.clock_columns.end(), column) > 0) {
      made.frontier.terms.push_back({kClockSource, [](model::EventTime t) { return t; }});
    }
    stream.columns.push_back(std::move(made));
  }
  Transform* transform = Add<Transform>(stream.types());
  use.consumers.push_back(transform);
  stream.from = stream.open = transform;
  return stream;
}

JobPlanBuilder::Stream JobPlanBuilder::SourceRows(size_t source) {
  const SourceUse& use = plan_.sources[source];
  const ScanTable& scan = tables_.at(use.table);
  if (scan.changelog != ChangelogKind::kUpsert) return ReadSource(source);
  if (auto made = normalized_.find(source); made != normalized_.end()) return made->second;
  Stream stream = ReadSource(source);
  std::vector<idx_t> keys;
  for (size_t key : scan.key) {
    auto at = std::find(use.columns.begin(), use.columns.end(), key);
    keys.push_back(static_cast<idx_t>(at - use.columns.begin()));
    stream.columns[keys.back()].not_null = true;
  }
  std::vector<std::string> names;
  for (const StreamColumn& column : stream.columns) names.push_back(column.name);
  stream = Partition(std::move(stream), keys);
  auto* normalize = Add<ChangelogNormalize>(use.table, std::move(names), stream.types(), keys,
                                            options_.state_ttl_us);
  stream.from->emitter().Add(normalize, 0);
  stream.from = normalize;
  stream.open = nullptr;
  stream.changelog = ChangelogKind::kRetract;
  stream.unique = std::move(keys);
  normalized_[source] = stream;
  return stream;
}

Expressions JobPlanBuilder::ScannedColumns(const LogicalOperator& node, const SourceUse& use,
                                           const Stream& stream) {
  Expressions wanted;
  for (const auto& column : node.Cast<duckdb::LogicalGet>().GetColumnIds()) {
    if (column.IsVirtualColumn()) {
      wanted.push_back(
          duckdb::make_uniq<duckdb::BoundConstantExpression>(duckdb::Value::BIGINT(0)));
      continue;
    }
    auto at = std::find(use.columns.begin(), use.columns.end(), column.GetPrimaryIndex());
    auto index = static_cast<idx_t>(at - use.columns.begin());
    wanted.push_back(duckdb::make_uniq<BoundReferenceExpression>(
        stream.columns[index].name, stream.columns[index].type, index));
  }
  return wanted;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitScan(const LogicalOperator& node) {
  const auto& get = node.Cast<duckdb::LogicalGet>();
  if (get.function.name == "unnest") {
    return Refuse("UNNEST", "of an expression beside a table is not supported",
                  "compute the array in a view first, SELECT …, expression AS parts, and then "
                  "CROSS JOIN UNNEST(parts)");
  }
  if (get.function.name != duck::kScanFunction) {
    return Refuse("FROM", fmt::format("{}() cannot be read as a stream", get.function.name),
                  "declare a table with CREATE TABLE … WITH ('connector' = …)");
  }
  const std::string& table = duck::ScannedTable(*get.bind_data);
  Stream stream = SourceRows(SourceOf(table));
  const auto use = std::find_if(plan_.sources.begin(), plan_.sources.end(),
                                [&](const SourceUse& s) { return s.table == table; });
  for (StreamColumn& column : stream.columns) column.origin = ++last_origin_;

  Expressions wanted = ScannedColumns(node, *use, stream);
  stream = Project(std::move(stream), std::move(wanted));
  return KeepColumns(std::move(stream), get.projection_ids);
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitProjection(const LogicalOperator& node) {
  Stream stream;
  std::vector<Answered> answered;
  if (IsServedFilter(*node.children[0])) {
    MR_ASSIGN_OR_RETURN(stream, FilterServed(*node.children[0], &answered));
  } else {
    MR_ASSIGN_OR_RETURN(stream, Visit(*node.children[0]));
  }
  Expressions expressions;
  for (const auto& e : node.expressions) expressions.push_back(e->Copy());
  MR_ASSIGN_OR_RETURN(stream, AskServed(std::move(stream), expressions, &answered));
  return Project(std::move(stream), std::move(expressions));
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitFilter(const LogicalOperator& node) {
  if (IsServedFilter(node)) return FilterServed(node, nullptr);
  MR_ASSIGN_OR_RETURN(Stream stream, Visit(*node.children[0]));
  Expressions conditions;
  for (const auto& e : node.expressions) {
    if (Derive(*e, stream.columns, context_).pending) return RefusePendingWindow();
    conditions.push_back(e->Copy());
    if (e->GetExpressionType() != duckdb::ExpressionType::OPERATOR_IS_NOT_NULL) continue;
    const auto& tested = *e->Cast<duckdb::BoundOperatorExpression>().children[0];
    if (tested.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
      stream.columns[tested.Cast<BoundReferenceExpression>().index].not_null = true;
    }
  }
  Steps(stream).AddFilter(std::move(conditions));
  return KeepColumns(std::move(stream), node.Cast<duckdb::LogicalFilter>().projection_map);
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitUnnest(const LogicalOperator& node) {
  MR_ASSIGN_OR_RETURN(Stream stream, Visit(*node.children[0]));
  Expressions lists;
  std::vector<StreamColumn> columns = stream.columns;
  for (const auto& e : node.expressions) {
    if (e->GetExpressionClass() != duckdb::ExpressionClass::BOUND_UNNEST) {
      return Refuse("UNNEST", "of this form is not supported", "unnest one array column");
    }
    const auto& unnest = e->Cast<duckdb::BoundUnnestExpression>();
    if (unnest.child->return_type.id() != duckdb::LogicalTypeId::LIST) {
      return Refuse("UNNEST", "needs an ARRAY column",
                    "unnest an ARRAY; MAP and ROW are not lists");
    }
    columns.push_back(DeriveElement(*unnest.child, stream.columns, context_));
    lists.push_back(unnest.child->Copy());
  }
  Steps(stream).AddUnnest(std::move(lists));
  stream.unique.reset();
  stream.columns = std::move(columns);
  return stream;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitAggregate(const LogicalOperator& node) {
  const auto& aggregate = node.Cast<duckdb::LogicalAggregate>();
  MR_ASSIGN_OR_RETURN(std::optional<Stream> subquery, VisitSubqueryInput(aggregate));
  Stream stream;
  if (subquery) {
    stream = std::move(*subquery);
  } else {
    MR_ASSIGN_OR_RETURN(stream, Visit(*node.children[0]));
  }
  std::vector<duckdb::unique_ptr<BoundAggregateExpression>> calls;
  for (const auto& e : node.expressions) {
    auto copy = e->Copy();
    calls.emplace_back(&copy.release()->Cast<BoundAggregateExpression>());
  }
  Expressions groups;
  for (const auto& e : aggregate.groups) groups.push_back(e->Copy());
  if (aggregate.grouping_sets.size() > 1 || !aggregate.grouping_functions.empty()) {
    return AddGroupingSets(std::move(stream), aggregate, std::move(groups), std::move(calls));
  }
  return Aggregate(std::move(stream), std::move(groups), std::move(calls));
}

// Each set is an aggregation of its own over the same input; all of them make the result.
Result<JobPlanBuilder::Stream> JobPlanBuilder::AddGroupingSets(
    Stream input, const duckdb::LogicalAggregate& node, Expressions groups,
    std::vector<duckdb::unique_ptr<BoundAggregateExpression>> calls) {
  input.open = nullptr;  // several readers
  std::vector<Stream> results;
  for (const duckdb::GroupingSet& set : node.grouping_sets) {
    Expressions own_groups;
    for (idx_t g : set) own_groups.push_back(groups[g]->Copy());
    // The total is a group like the others, as in Flink: without rows it is not there.
    if (set.empty()) own_groups.push_back(Constant(duckdb::Value::INTEGER(1)));
    std::vector<duckdb::unique_ptr<BoundAggregateExpression>> own_calls;
    for (const auto& call : calls) {
      auto copy = call->Copy();
      own_calls.emplace_back(&copy.release()->Cast<BoundAggregateExpression>());
    }
    MR_ASSIGN_OR_RETURN(Stream result,
                        Aggregate(input, std::move(own_groups), std::move(own_calls)));
    // All groups, NULL where this set has none, then aggregates and GROUPING().
    Expressions columns;
    idx_t next = set.empty() ? 1 : 0;
    for (idx_t g = 0; g < groups.size(); g++) {
      if (set.count(g)) {
        columns.push_back(
            duckdb::make_uniq<BoundReferenceExpression>(result.columns[next].type, next));
        next++;
      } else {
        columns.push_back(duckdb::make_uniq<duckdb::BoundConstantExpression>(
            duckdb::Value(groups[g]->return_type)));
      }
      columns.back()->alias = groups[g]->GetName();
    }
    for (; next < result.columns.size(); next++) {
      columns.push_back(
          duckdb::make_uniq<BoundReferenceExpression>(result.columns[next].type, next));
    }
    for (const auto& function : node.grouping_functions) {
      int64_t bits = 0;
      for (idx_t g : function) bits = bits * 2 + (set.count(g) ? 0 : 1);
      columns.push_back(
          duckdb::make_uniq<duckdb::BoundConstantExpression>(duckdb::Value::BIGINT(bits)));
    }
    results.push_back(Project(std::move(result), std::move(columns)));
  }
  return UnionAll(std::move(results));
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitDistinct(const LogicalOperator& node) {
  const auto& distinct = node.Cast<duckdb::LogicalDistinct>();
  if (distinct.distinct_type != duckdb::DistinctType::DISTINCT) {
    return Refuse("DISTINCT ON", "is not supported", "use GROUP BY with MIN or MAX");
  }
  MR_ASSIGN_OR_RETURN(Stream stream, Visit(*node.children[0]));
  if (stream.unique) return stream;
  Expressions groups;
  for (idx_t c = 0; c < stream.columns.size(); c++) {
    groups.push_back(duckdb::make_uniq<BoundReferenceExpression>(stream.columns[c].name,
                                                                 stream.columns[c].type, c));
  }
  return Aggregate(std::move(stream), std::move(groups), {});
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::Aggregate(
    Stream input, Expressions groups,
    std::vector<duckdb::unique_ptr<BoundAggregateExpression>> calls) {
  AggregatePlan plan;
  plan.input_retracts = input.changelog == ChangelogKind::kRetract;
  // The one row that a join relies on is there always; shard 0 owns it.
  const bool always_there = groups.empty() && joins_above_ > 0;
  plan.row_when_empty = always_there && options_.shard.index == 0;
  // One projection computes group columns, arguments and filters side by side, equal ones once.
  Expressions needed = std::move(groups);
  size_t group_count = needed.size();
  auto place_of = [&](const Expression& wanted) {
    size_t place = group_count;
    while (place < needed.size() && !needed[place]->Equals(wanted)) place++;
    if (place == needed.size()) needed.push_back(wanted.Copy());
    return static_cast<int>(place);
  };
  for (auto& call : calls) {
    MR_RETURN_IF_ERROR(CheckAggregate(*call));
    AggregateColumns columns;
    auto add = [&](const Expression& argument) {
      const int place = place_of(argument);
      if (columns.argument < 0) {
        columns.argument = place;
      } else {
        columns.more.push_back(place);
      }
    };
    for (const auto& child : call->children) add(*child);
    if (call->order_bys) {
      for (const auto& order : call->order_bys->orders) add(*order.expression);
    }
    if (call->filter) columns.filter = place_of(*call->filter);
    plan.calls.push_back({std::move(call), columns});
  }
  if (needed.empty()) {  // COUNT(*) of everything: keep the row count
    needed.push_back(duckdb::make_uniq<duckdb::BoundConstantExpression>(duckdb::Value::BIGINT(0)));
  }
  MR_ASSIGN_OR_RETURN(input, AskServed(std::move(input), needed));
  Stream stream = Project(std::move(input), std::move(needed));
  MR_ASSIGN_OR_RETURN(bool session, MakePendingWindows(stream, group_count));
  if (session) return AddSession(std::move(stream), std::move(plan), group_count);
  if (stream.open && plan.OnlyCounts()) stream.open->MergeEqualRows();

  int pane = -1;
  for (size_t g = 0; g < group_count; g++) {
    const StreamColumn& column = stream.columns[g];
    plan.group_types.push_back(column.type);
    plan.group_names.push_back(column.name);
    bool usable = column.window != WindowRole::kNone && column.frontier.known();
    bool better =
        pane < 0 || (column.window == WindowRole::kEnd &&
                     stream.columns[static_cast<size_t>(pane)].window != WindowRole::kEnd);
    if (usable && better) pane = static_cast<int>(g);
  }

  // The window alone spreads the work too; but groups that share all else belong together.
  std::vector<idx_t> keys;
  for (size_t g = 0; g < group_count; g++) {
    if (static_cast<int>(g) != pane || group_count == 1) keys.push_back(g);
  }
  stream = Partition(std::move(stream), std::move(keys));

  Stream result;
  result.columns.assign(stream.columns.begin(),
                        stream.columns.begin() + static_cast<std::ptrdiff_t>(group_count));
  for (const auto& call : plan.calls) {
    StreamColumn column;
    column.type = call.bound->return_type;
    column.name = call.bound->ToString();
    result.columns.push_back(std::move(column));
  }
  result.unique.emplace(group_count);
  std::iota(result.unique->begin(), result.unique->end(), 0);
  Operator* made = nullptr;
  if (pane >= 0) {
    ColumnFrontier frontier = stream.columns[static_cast<size_t>(pane)].frontier;
    if (plan.input_retracts && frontier.uses_clock()) {
      return Refuse("GROUP BY", "a window of processing time over rows that are taken back later",
                    "use a window of event time: a row that is taken back has to find its window");
    }
    plan_.needs_ticks |= frontier.uses_clock();
    const auto pane_column = static_cast<size_t>(pane);
    if (options_.emit.early || frontier.lateness_us() > 0) {
      if (plan.input_retracts) {
        return Refuse("GROUP BY",
                      "a window over rows that are taken back later, shown early or "
                      "corrected by late rows",
                      "leave \"millrace.emit\" and the allowed lateness out");
      }
      plan_.needs_ticks |= options_.emit.early_delay_us > 0 || options_.emit.late_delay_us > 0;
      result.changelog = ChangelogKind::kRetract;
      made = Add<UpdatingWindowAggregate>(std::move(plan), pane_column, std::move(frontier),
                                          options_.emit);
    } else {
      made = Add<WindowAggregate>(std::move(plan), pane_column, std::move(frontier));
    }
  } else {
    // Groups may change at any time, so no column of the result has a frontier.
    for (StreamColumn& column : result.columns) column.frontier = {};
    if (!always_there) plan.ttl_us = options_.state_ttl_us;
    if (!plan.Appends()) result.changelog = ChangelogKind::kRetract;
    made = Add<GroupAggregate>(std::move(plan));
  }
  stream.from->emitter().Add(made, 0);
  result.from = made;
  return result;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitUnion(const LogicalOperator& node) {
  std::vector<Stream> inputs;
  for (const auto& child : node.children) {
    MR_ASSIGN_OR_RETURN(Stream input, Visit(*child));
    inputs.push_back(std::move(input));
  }
  Stream result = UnionAll(std::move(inputs));
  if (node.Cast<duckdb::LogicalSetOperation>().setop_all) return result;
  Expressions groups;
  for (idx_t c = 0; c < result.columns.size(); c++) {
    groups.push_back(duckdb::make_uniq<BoundReferenceExpression>(result.columns[c].name,
                                                                 result.columns[c].type, c));
  }
  return Aggregate(std::move(result), std::move(groups), {});
}

JobPlanBuilder::Stream JobPlanBuilder::UnionAll(std::vector<Stream> inputs) {
  Stream result;
  result.columns = inputs[0].columns;
  for (StreamColumn& column : result.columns) column.origin = ++last_origin_;
  Transform* merged = Add<Transform>(inputs[0].types());
  for (size_t i = 0; i < inputs.size(); i++) {
    inputs[i].from->emitter().Add(merged, 0);
    if (inputs[i].changelog == ChangelogKind::kRetract) result.changelog = ChangelogKind::kRetract;
    if (i == 0) continue;
    for (size_t c = 0; c < result.columns.size(); c++) {
      StreamColumn& column = result.columns[c];
      const StreamColumn& other = inputs[i].columns[c];
      if (column.window != other.window) column.window = WindowRole::kNone;
      column.not_null &= other.not_null;
      if (!column.frontier.known() || !other.frontier.known()) {
        column.frontier = {};
        continue;
      }
      auto& terms = column.frontier.terms;
      terms.insert(terms.end(), other.frontier.terms.begin(), other.frontier.terms.end());
    }
  }
  result.from = merged;
  result.open = merged;
  return result;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitEmpty(const LogicalOperator& node) {
  Stream stream;
  for (const auto& type : node.types) {
    StreamColumn column;
    column.type = type;
    stream.columns.push_back(std::move(column));
  }
  stream.from = stream.open = Add<Transform>(stream.types());
  return stream;
}

}  // namespace millrace::stream
