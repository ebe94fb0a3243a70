// The part of JobPlanBuilder for JOIN … FOR SYSTEM_TIME AS OF an event time: what has versions (a
// table with a PRIMARY KEY and a watermark, a view that keeps the last row of each key by event
// time), and the join with them.
#include <fmt/format.h>

#include <algorithm>
#include <duckdb/planner/expression/bound_comparison_expression.hpp>
#include <duckdb/planner/expression/bound_conjunction_expression.hpp>
#include <duckdb/planner/expression/bound_constant_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression/bound_window_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <duckdb/planner/operator/list.hpp>

#include "base/strings.h"
#include "stream/job_plan_builder.h"
#include "stream/temporal_join.h"

namespace millrace::stream {

using duckdb::BoundReferenceExpression;
using duckdb::Expression;
using duckdb::ExpressionType;
using duckdb::idx_t;
using duckdb::JoinCondition;
using duckdb::LogicalOperator;
using duckdb::LogicalOperatorType;

namespace {

Status RefuseVersions(const std::string& why) {
  return Refuse("FOR SYSTEM_TIME", "AS OF event time " + why,
                "join a table with PRIMARY KEY and WATERMARK, or a view of the last row of each "
                "key: SELECT … FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) "
                "AS n FROM t) WHERE n = 1");
}

duckdb::unique_ptr<Expression> Reference(const StreamColumn& column, idx_t place) {
  return duckdb::make_uniq<BoundReferenceExpression>(column.name, column.type, place);
}

std::optional<idx_t> ReferenceOf(const Expression& e) {
  if (e.GetExpressionClass() != duckdb::ExpressionClass::BOUND_REF) return std::nullopt;
  return e.Cast<BoundReferenceExpression>().index;
}

void ShiftReferencesFrom(Expression& e, idx_t first, idx_t by) {
  if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
    auto& reference = e.Cast<BoundReferenceExpression>();
    if (reference.index >= first) reference.index += by;
  }
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](Expression& child) { ShiftReferencesFrom(child, first, by); });
}

duckdb::unique_ptr<Expression> AllOf(Expressions conditions) {
  auto all = std::move(conditions[0]);
  for (size_t i = 1; i < conditions.size(); i++) {
    all = duckdb::make_uniq<duckdb::BoundConjunctionExpression>(
        ExpressionType::CONJUNCTION_AND, std::move(all), std::move(conditions[i]));
  }
  return all;
}

// A comparison of the rank (column `rank`) with 1 that only the first row passes.
bool KeepsTheFirst(const Expression& e, idx_t rank) {
  if (e.GetExpressionClass() != duckdb::ExpressionClass::BOUND_COMPARISON) return false;
  const auto& comparison = e.Cast<duckdb::BoundComparisonExpression>();
  const bool compares = comparison.GetExpressionType() == ExpressionType::COMPARE_EQUAL ||
                        comparison.GetExpressionType() == ExpressionType::COMPARE_LESSTHANOREQUALTO;
  const auto& right = *comparison.right;
  return compares && ReferenceOf(*comparison.left) == rank &&
         right.GetExpressionClass() == duckdb::ExpressionClass::BOUND_CONSTANT &&
         right.ToString() == "1";
}

}  // namespace

JobPlanBuilder::Versions JobPlanBuilder::ProjectVersions(Versions versions, Expressions visible) {
  Versions result;
  result.width = visible.size();
  const auto& columns = versions.stream.columns;
  auto keep = [&](idx_t place) {
    visible.push_back(Reference(columns[place], place));
    return visible.size() - 1;
  };
  for (idx_t key : versions.keys) result.keys.push_back(keep(key));
  result.time = keep(versions.time);
  if (versions.shown) result.shown = keep(*versions.shown);
  const ChangelogKind changelog = versions.stream.changelog;
  result.stream = Project(std::move(versions.stream), std::move(visible));
  result.stream.changelog = changelog;
  return result;
}

Result<JobPlanBuilder::Versions> JobPlanBuilder::VisitVersions(const LogicalOperator& node) {
  for (const auto& e : node.expressions) MR_RETURN_IF_ERROR(CheckDeterministic(*e));
  switch (node.type) {
    case LogicalOperatorType::LOGICAL_GET:
      return ScanVersions(node);
    case LogicalOperatorType::LOGICAL_PROJECTION: {
      MR_ASSIGN_OR_RETURN(Versions versions, VisitVersions(*node.children[0]));
      Expressions visible;
      for (const auto& e : node.expressions) visible.push_back(e->Copy());
      return ProjectVersions(std::move(versions), std::move(visible));
    }
    case LogicalOperatorType::LOGICAL_FILTER:
      break;
    default:
      return RefuseVersions("needs the versions of a table on its right side");
  }
  const auto& filter = node.Cast<duckdb::LogicalFilter>();
  Versions versions;
  Expressions conditions;
  if (IsRankFilter(node)) {
    MR_ASSIGN_OR_RETURN(versions, LastRowVersions(node));
  } else {
    MR_ASSIGN_OR_RETURN(versions, VisitVersions(*node.children[0]));
    for (const auto& e : node.expressions) conditions.push_back(e->Copy());
  }
  Expressions visible;
  for (idx_t c = 0; c < versions.width; c++) {
    const bool kept = filter.projection_map.empty();
    if (kept) visible.push_back(Reference(versions.stream.columns[c], c));
  }
  for (idx_t c : filter.projection_map) {
    visible.push_back(Reference(versions.stream.columns[c], c));
  }
  if (conditions.empty()) return ProjectVersions(std::move(versions), std::move(visible));
  // A version that does not pass is still what ends the one before it.
  if (versions.shown) {
    conditions.push_back(Reference(versions.stream.columns[*versions.shown], *versions.shown));
  }
  Expressions all;
  for (idx_t c = 0; c < versions.stream.columns.size(); c++) {
    all.push_back(Reference(versions.stream.columns[c], c));
  }
  versions.shown = all.size();
  all.push_back(AllOf(std::move(conditions)));
  const ChangelogKind changelog = versions.stream.changelog;
  versions.stream = Project(std::move(versions.stream), std::move(all));
  versions.stream.changelog = changelog;
  return ProjectVersions(std::move(versions), std::move(visible));
}

Result<JobPlanBuilder::Versions> JobPlanBuilder::ScanVersions(const LogicalOperator& node) {
  const auto& get = node.Cast<duckdb::LogicalGet>();
  if (get.function.name != duck::kScanFunction) {
    return RefuseVersions("needs the versions of a table on its right side");
  }
  const std::string table = duck::ScannedTable(*get.bind_data);
  const ScanTable& scan = tables_.at(table);
  if (scan.key.empty() || scan.time_column < 0 || scan.changelog == ChangelogKind::kRetract) {
    return RefuseVersions(fmt::format("needs versions, but table \"{}\" has {}", table,
                                      scan.key.empty() ? "no PRIMARY KEY"
                                      : scan.time_column < 0
                                          ? "no WATERMARK"
                                          : "rows that are taken back as they came (SET "
                                            "'table.exec.source.cdc-events-duplicate' = 'false')"));
  }
  const size_t source = SourceOf(table);
  Versions versions;
  versions.stream = ReadSource(source);
  const SourceUse& use = plan_.sources[source];
  auto place = [&](size_t column) {
    auto at = std::find(use.columns.begin(), use.columns.end(), column);
    return static_cast<idx_t>(at - use.columns.begin());
  };
  for (size_t key : scan.key) versions.keys.push_back(place(key));
  versions.time = place(static_cast<size_t>(scan.time_column));
  Expressions wanted = ScannedColumns(node, use, versions.stream);
  if (!get.projection_ids.empty()) {
    Expressions kept;
    for (idx_t c : get.projection_ids) kept.push_back(wanted[c]->Copy());
    wanted = std::move(kept);
  }
  return ProjectVersions(std::move(versions), std::move(wanted));
}

// ROW_NUMBER() OVER (PARTITION BY keys ORDER BY time DESC) = 1: each row is a version of its key.
Result<JobPlanBuilder::Versions> JobPlanBuilder::LastRowVersions(const LogicalOperator& filter) {
  const LogicalOperator& below = *filter.children[0];
  const auto& window = below.expressions[0]->Cast<duckdb::BoundWindowExpression>();
  MR_RETURN_IF_ERROR(CheckDeterministic(window));
  const bool last_row = window.GetExpressionType() == ExpressionType::WINDOW_ROW_NUMBER &&
                        window.orders.size() == 1 && !window.partitions.empty() &&
                        window.orders[0].type == duckdb::OrderType::DESCENDING;
  MR_ASSIGN_OR_RETURN(Stream stream, Visit(*below.children[0]));
  const idx_t rank = stream.columns.size();
  Expressions conditions;
  bool first = false;
  for (const auto& e : filter.expressions) {
    if (KeepsTheFirst(*e, rank)) {
      first = true;
    } else {
      conditions.push_back(e->Copy());
    }
  }
  if (!last_row || !first || stream.changelog != ChangelogKind::kAppend) {
    return RefuseVersions("needs a view that keeps the last row of each key by event time");
  }
  std::vector<const Expression*> needed;
  for (const auto& e : window.partitions) needed.push_back(e.get());
  needed.push_back(window.orders[0].expression.get());
  std::vector<idx_t> places;
  Versions versions;
  versions.stream = WithColumns(std::move(stream), needed, places);
  versions.keys.assign(places.begin(), places.end() - 1);
  versions.time = places.back();
  if (!versions.stream.columns[versions.time].frontier.known()) {
    return RefuseVersions("needs a view that keeps the last row of each key by event time");
  }
  // Its visible columns: the input's, the rank (1 in every version).
  Expressions visible;
  for (idx_t c = 0; c < rank; c++) visible.push_back(Reference(versions.stream.columns[c], c));
  visible.push_back(duckdb::make_uniq<duckdb::BoundConstantExpression>(duckdb::Value::BIGINT(1)));
  if (!conditions.empty()) {
    return RefuseVersions("needs a view without further conditions beside that on ROW_NUMBER()");
  }
  return ProjectVersions(std::move(versions), std::move(visible));
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::EventTimeJoin(JoinShape shape, Stream left,
                                                             const Expression& time,
                                                             const LogicalOperator& right_node) {
  if (left.changelog != ChangelogKind::kAppend) {
    return Refuse("FOR SYSTEM_TIME", "AS OF for rows that are updated later is not supported",
                  "join the events first, and aggregate what comes out");
  }
  joins_above_++;
  Result<Versions> visited = VisitVersions(right_node);
  joins_above_--;
  MR_ASSIGN_OR_RETURN(Versions versions, std::move(visited));
  const idx_t left_width = left.columns.size();
  const idx_t right_width = versions.width;

  TemporalJoinPlan plan;
  plan.keeps_left = shape.type == duckdb::JoinType::LEFT;
  // For each key of the versions the expression that is equal to it.
  std::vector<const Expression*> needed(versions.keys.size(), nullptr);
  std::vector<const JoinCondition*> rest;
  for (const JoinCondition& condition : shape.conditions) {
    const auto right = ReferenceOf(*condition.right);
    size_t key = versions.keys.size();
    for (size_t k = 0; right && k < versions.keys.size(); k++) {
      const auto& columns = versions.stream.columns;
      if (columns[*right].origin == columns[versions.keys[k]].origin) key = k;
    }
    if (condition.comparison == ExpressionType::COMPARE_EQUAL && key < needed.size() &&
        !needed[key]) {
      needed[key] = condition.left.get();
    } else {
      rest.push_back(&condition);
    }
  }
  std::vector<std::string> key_names;
  for (size_t k = 0; k < needed.size(); k++) {
    key_names.push_back(versions.stream.columns[versions.keys[k]].name);
    if (needed[k]) continue;
    return Refuse("FOR SYSTEM_TIME",
                  fmt::format("AS OF event time needs an equality with each column of the key, but "
                              "has none with \"{}\"",
                              key_names.back()),
                  "add it to ON: without it several rows would be valid at a time");
  }
  plan.key_names = Join(key_names, ", ");
  needed.push_back(&time);
  std::vector<idx_t> places;
  left = WithColumns(std::move(left), needed, places);
  plan.sides[0].keys.assign(places.begin(), places.end() - 1);
  plan.sides[0].time = places.back();
  plan.sides[1].keys = versions.keys;
  plan.sides[1].time = versions.time;
  const idx_t right_start = left.columns.size();
  for (const JoinCondition* condition : rest) {
    auto right = condition->right->Copy();
    ShiftReferencesFrom(*right, 0, right_start);
    plan.residual.push_back(duckdb::make_uniq<duckdb::BoundComparisonExpression>(
        condition->comparison, condition->left->Copy(), std::move(right)));
  }
  for (auto& e : shape.residual) {
    ShiftReferencesFrom(*e, left_width, right_start - left_width);
    plan.residual.push_back(std::move(e));
  }
  if (versions.shown) {
    plan.residual.push_back(
        Reference(versions.stream.columns[*versions.shown], right_start + *versions.shown));
  }

  Stream sides[2] = {std::move(left), std::move(versions.stream)};
  Stream result;
  result.unique = sides[0].unique;
  for (size_t i : {0, 1}) {
    TemporalJoinPlan::Side& side = plan.sides[i];
    side.types = sides[i].types();
    side.frontier = sides[i].columns[side.time].frontier;
    side.time_name = sides[i].columns[side.time].name;
    plan_.needs_ticks |= side.frontier.uses_clock();
    for (StreamColumn column : sides[i].columns) {
      side.names.push_back(column.name);
      const bool is_time = i == 0 && result.columns.size() == side.time;
      if (!is_time) column.frontier = {};
      column.window = is_time ? column.window : WindowRole::kNone;
      if (i == 1 && plan.keeps_left) column.not_null = false;
      result.columns.push_back(std::move(column));
    }
  }
  // Rows wait for both sides.
  auto& terms = result.columns[plan.sides[0].time].frontier.terms;
  const auto& other = plan.sides[1].frontier.terms;
  terms.insert(terms.end(), other.begin(), other.end());
  for (size_t i : {0, 1}) sides[i] = Partition(std::move(sides[i]), plan.sides[i].keys);
  auto* made = Add<TemporalJoin>(std::move(plan));
  for (size_t i : {0, 1}) sides[i].from->emitter().Add(made, static_cast<int>(i));
  result.from = made;

  duckdb::vector<idx_t> kept;
  for (size_t i : {0, 1}) {
    const auto& map = shape.kept[i];
    const idx_t start = i == 0 ? 0 : right_start;
    const idx_t width = i == 0 ? left_width : right_width;
    for (idx_t c = 0; c < (map.empty() ? width : map.size()); c++) {
      kept.push_back(start + (map.empty() ? c : map[c]));
    }
  }
  return KeepColumns(std::move(result), kept);
}

}  // namespace millrace::stream
