// Top-N, ORDER BY … LIMIT: which run as a stream, and how.
#include <fmt/format.h>

#include <algorithm>
#include <duckdb/planner/expression/bound_between_expression.hpp>
#include <duckdb/planner/expression/bound_comparison_expression.hpp>
#include <duckdb/planner/expression/bound_constant_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression/bound_window_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <duckdb/planner/operator/list.hpp>
#include <limits>

#include "stream/job_plan_builder.h"
#include "stream/keep_first.h"
#include "stream/top_n.h"

namespace millrace::stream {

using duckdb::BoundReferenceExpression;
using duckdb::BoundWindowExpression;
using duckdb::Expression;
using duckdb::ExpressionClass;
using duckdb::ExpressionType;
using duckdb::idx_t;
using duckdb::LogicalOperator;
using duckdb::LogicalOperatorType;

std::optional<int64_t> ConstantInt(const Expression& e) {
  if (e.GetExpressionClass() != ExpressionClass::BOUND_CONSTANT) return std::nullopt;
  const duckdb::Value& value = e.Cast<duckdb::BoundConstantExpression>().value;
  if (value.IsNull() || !value.type().IsIntegral()) return std::nullopt;
  return value.GetValue<int64_t>();
}

namespace {

constexpr int64_t kNoBound = std::numeric_limits<int64_t>::max();

// Which ranks a filter lets through.
struct RankRange {
  int64_t first = 1;
  int64_t last = kNoBound;

  void AtLeast(int64_t rank) { first = std::max(first, rank); }
  void AtMost(int64_t rank) { last = std::min(last, rank); }
};

bool IsReference(const Expression& e, idx_t column) {
  return e.GetExpressionClass() == ExpressionClass::BOUND_REF &&
         e.Cast<BoundReferenceExpression>().index == column;
}

// Narrows `range` by a condition on column `rank`; false when the condition is another one.
bool Narrow(const Expression& condition, idx_t rank, RankRange& range) {
  if (condition.GetExpressionClass() == ExpressionClass::BOUND_BETWEEN) {
    const auto& between = condition.Cast<duckdb::BoundBetweenExpression>();
    auto low = ConstantInt(*between.lower);
    auto high = ConstantInt(*between.upper);
    if (!IsReference(*between.input, rank) || !low || !high) return false;
    range.AtLeast(between.lower_inclusive ? *low : *low + 1);
    range.AtMost(between.upper_inclusive ? *high : *high - 1);
    return true;
  }
  if (condition.GetExpressionClass() != ExpressionClass::BOUND_COMPARISON) return false;
  const auto& comparison = condition.Cast<duckdb::BoundComparisonExpression>();
  bool flipped = IsReference(*comparison.right, rank);
  auto constant = ConstantInt(flipped ? *comparison.left : *comparison.right);
  if ((!flipped && !IsReference(*comparison.left, rank)) || !constant) return false;
  ExpressionType type = flipped ? duckdb::FlipComparisonExpression(comparison.GetExpressionType())
                                : comparison.GetExpressionType();
  switch (type) {
    case ExpressionType::COMPARE_EQUAL:
      range.AtLeast(*constant);
      range.AtMost(*constant);
      return true;
    case ExpressionType::COMPARE_LESSTHAN:
      range.AtMost(*constant - 1);
      return true;
    case ExpressionType::COMPARE_LESSTHANOREQUALTO:
      range.AtMost(*constant);
      return true;
    case ExpressionType::COMPARE_GREATERTHAN:
      range.AtLeast(*constant + 1);
      return true;
    case ExpressionType::COMPARE_GREATERTHANOREQUALTO:
      range.AtLeast(*constant);
      return true;
    default:
      return false;
  }
}

std::optional<TopNPlan::Rank> RankOf(const BoundWindowExpression& window) {
  switch (window.GetExpressionType()) {
    case ExpressionType::WINDOW_ROW_NUMBER:
      return TopNPlan::Rank::kRowNumber;
    case ExpressionType::WINDOW_RANK:
      return TopNPlan::Rank::kRank;
    case ExpressionType::WINDOW_RANK_DENSE:
      return TopNPlan::Rank::kDenseRank;
    default:
      return std::nullopt;
  }
}

bool Mentions(const Expression& e, idx_t column) {
  if (IsReference(e, column)) return true;
  bool found = false;
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](const Expression& child) { found |= Mentions(child, column); });
  return found;
}

}  // namespace

JobPlanBuilder::Stream JobPlanBuilder::WithColumns(Stream stream,
                                                   const std::vector<const Expression*>& wanted,
                                                   std::vector<idx_t>& places) {
  Expressions all;
  for (idx_t c = 0; c < stream.columns.size(); c++) {
    all.push_back(duckdb::make_uniq<BoundReferenceExpression>(stream.columns[c].name,
                                                              stream.columns[c].type, c));
  }
  places.clear();
  for (const Expression* e : wanted) {
    auto same = std::find_if(all.begin(), all.end(), [&](const auto& other) {
      bool both_references = e->GetExpressionClass() == ExpressionClass::BOUND_REF &&
                             other->GetExpressionClass() == ExpressionClass::BOUND_REF;
      return both_references ? IsReference(*other, e->Cast<BoundReferenceExpression>().index)
                             : other->Equals(*e);
    });
    places.push_back(static_cast<idx_t>(same - all.begin()));
    if (same == all.end()) all.push_back(e->Copy());
  }
  return Project(std::move(stream), std::move(all));
}

bool JobPlanBuilder::IsRankFilter(const LogicalOperator& node) {
  const LogicalOperator& below = *node.children[0];
  if (below.type != LogicalOperatorType::LOGICAL_WINDOW || below.expressions.size() != 1) {
    return false;
  }
  if (!RankOf(below.expressions[0]->Cast<BoundWindowExpression>())) return false;
  RankRange range;
  idx_t rank = below.children[0]->types.size();
  for (const auto& condition : node.expressions) Narrow(*condition, rank, range);
  return range.last != kNoBound;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitRankFilter(const LogicalOperator& node) {
  const auto& filter = node.Cast<duckdb::LogicalFilter>();
  const LogicalOperator& below = *node.children[0];
  MR_RETURN_IF_ERROR(CheckDeterministic(*below.expressions[0]));
  const auto& window = below.expressions[0]->Cast<BoundWindowExpression>();
  MR_ASSIGN_OR_RETURN(Stream stream, Visit(*below.children[0]));
  const idx_t rank = stream.columns.size();

  RankRange range;
  Expressions rest;
  for (const auto& condition : node.expressions) {
    if (!Narrow(*condition, rank, range)) rest.push_back(condition->Copy());
  }
  const auto& kept = filter.projection_map;
  bool shows_rank = kept.empty() || std::find(kept.begin(), kept.end(), rank) != kept.end();
  for (const auto& condition : rest) shows_rank |= Mentions(*condition, rank);

  TopNPlan plan;
  plan.rank = *RankOf(window);
  plan.first = range.first;
  plan.last = range.last;
  plan.shows_rank = shows_rank;
  std::vector<const Expression*> partitions;
  for (const auto& e : window.partitions) partitions.push_back(e.get());
  std::vector<const duckdb::BoundOrderByNode*> orders;
  for (const auto& order : window.orders) orders.push_back(&order);
  stream = AddTopN(std::move(stream), std::move(plan), partitions, orders);
  if (!rest.empty()) Steps(stream).AddFilter(std::move(rest));
  return KeepColumns(std::move(stream), kept);
}

JobPlanBuilder::Stream JobPlanBuilder::AddTopN(
    Stream input, TopNPlan plan, const std::vector<const Expression*>& partitions,
    const std::vector<const duckdb::BoundOrderByNode*>& orders) {
  const idx_t input_columns = input.columns.size();
  std::vector<const Expression*> needed = partitions;
  for (const auto* order : orders) needed.push_back(order->expression.get());
  std::vector<idx_t> places;
  Stream stream = WithColumns(std::move(input), needed, places);

  plan.types = stream.types();
  plan.keys.assign(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(partitions.size()));
  std::sort(plan.keys.begin(), plan.keys.end());
  plan.keys.erase(std::unique(plan.keys.begin(), plan.keys.end()), plan.keys.end());
  for (size_t i = 0; i < orders.size(); i++) {
    plan.order_columns.push_back(places[partitions.size() + i]);
    plan.order.emplace_back(orders[i]->type, orders[i]->null_order);
  }
  for (const StreamColumn& column : stream.columns) plan.names.push_back(column.name);
  plan.input_retracts = stream.changelog == ChangelogKind::kRetract;
  for (idx_t key : plan.keys) {
    const StreamColumn& column = stream.columns[key];
    if (plan.input_retracts || column.window == WindowRole::kNone || !column.frontier.known()) {
      continue;
    }
    if (plan.pane < 0 || column.window == WindowRole::kEnd) plan.pane = static_cast<int>(key);
  }
  // Who comes first in the order of processing stays first.
  const bool first_wins = plan.rank == TopNPlan::Rank::kRowNumber && plan.first == 1 &&
                          plan.last == 1 && orders.size() == 1 && !plan.input_retracts &&
                          plan.pane < 0 && orders[0]->type != duckdb::OrderType::DESCENDING &&
                          stream.columns[plan.order_columns[0]].frontier.uses_clock();
  if (first_wins) return AddKeepFirst(std::move(stream), plan, input_columns);
  // Keep the last row by event time: Flink's deduplication.
  plan.last_wins = plan.rank == TopNPlan::Rank::kRowNumber && plan.first == 1 && plan.last == 1 &&
                   orders.size() == 1 && orders[0]->type == duckdb::OrderType::DESCENDING &&
                   stream.columns[plan.order_columns[0]].frontier.known();

  Stream result;
  result.columns = stream.columns;
  if (plan.pane >= 0) {
    plan.frontier = stream.columns[static_cast<size_t>(plan.pane)].frontier;
    plan_.needs_ticks |= plan.frontier.uses_clock();
    plan.early = options_.emit.early;
  }
  if (plan.pane < 0) plan.ttl_us = options_.state_ttl_us;
  if (plan.pane < 0 || plan.early) result.changelog = ChangelogKind::kRetract;
  for (idx_t c = 0; c < result.columns.size(); c++) {
    // A window's rows come out when it closes: only its bounds are still ahead of the frontier.
    bool bound = plan.pane >= 0 && result.columns[c].window != WindowRole::kNone &&
                 std::find(plan.keys.begin(), plan.keys.end(), c) != plan.keys.end();
    if (!bound) result.columns[c].frontier = {};
  }
  StreamColumn rank;
  rank.type = duckdb::LogicalType::BIGINT;
  rank.name = "rank";
  if (plan.shows_rank) result.columns.push_back(rank);
  bool shows_rank = plan.shows_rank;
  stream = Partition(std::move(stream), plan.keys);
  auto* made = Add<TopN>(std::move(plan));
  stream.from->emitter().Add(made, 0);
  result.from = made;
  if (result.columns.size() == input_columns + (shows_rank ? 1 : 0)) return result;
  // Columns that were computed for PARTITION BY or ORDER BY only.
  duckdb::vector<idx_t> kept;
  for (idx_t c = 0; c < input_columns; c++) kept.push_back(c);
  if (shows_rank) kept.push_back(result.columns.size() - 1);
  return KeepColumns(std::move(result), kept);
}

JobPlanBuilder::Stream JobPlanBuilder::AddKeepFirst(Stream input, const TopNPlan& top,
                                                    idx_t input_columns) {
  KeepFirstPlan plan;
  plan.types = top.types;
  plan.keys = top.keys;
  plan.names = top.names;
  plan.shows_rank = top.shows_rank;
  plan.ttl_us = options_.state_ttl_us;
  Stream result;
  result.columns = input.columns;
  duckdb::vector<idx_t> kept;
  for (idx_t c = 0; c < input_columns; c++) kept.push_back(c);
  if (plan.shows_rank) {
    StreamColumn rank;
    rank.type = duckdb::LogicalType::BIGINT;
    rank.name = "rank";
    kept.push_back(result.columns.size());
    result.columns.push_back(rank);
  }
  if (plan.ttl_us == 0) result.unique = plan.keys;
  Stream stream = Partition(std::move(input), plan.keys);
  auto* made = Add<KeepFirst>(std::move(plan));
  stream.from->emitter().Add(made, 0);
  result.from = made;
  return kept.size() == result.columns.size() ? result : KeepColumns(std::move(result), kept);
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitLimit(const LogicalOperator& node) {
  int64_t limit = kNoBound;
  int64_t offset = 0;
  std::vector<const duckdb::BoundOrderByNode*> orders;
  if (node.type == LogicalOperatorType::LOGICAL_TOP_N) {
    const auto& top = node.Cast<duckdb::LogicalTopN>();
    limit = static_cast<int64_t>(top.limit);
    offset = static_cast<int64_t>(top.offset);
    for (const auto& order : top.orders) orders.push_back(&order);
  } else {
    const auto& plain = node.Cast<duckdb::LogicalLimit>();
    bool has_offset = plain.offset_val.Type() != duckdb::LimitNodeType::UNSET;
    if (plain.limit_val.Type() != duckdb::LimitNodeType::CONSTANT_VALUE ||
        (has_offset && plain.offset_val.Type() != duckdb::LimitNodeType::CONSTANT_VALUE)) {
      return Refuse("LIMIT", "on a stream needs a number of rows", "write LIMIT 10");
    }
    limit = static_cast<int64_t>(plain.limit_val.GetConstantValue());
    if (has_offset) offset = static_cast<int64_t>(plain.offset_val.GetConstantValue());
  }
  if (limit > kNoBound - offset) {
    return Refuse("OFFSET", "without LIMIT on a stream is not supported", "add LIMIT");
  }
  MR_ASSIGN_OR_RETURN(Stream stream, Visit(*node.children[0]));
  TopNPlan plan;
  plan.first = offset + 1;
  plan.last = offset + limit;
  return AddTopN(std::move(stream), std::move(plan), {}, orders);
}

}  // namespace millrace::stream
