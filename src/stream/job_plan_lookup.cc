// The part of JobPlanBuilder for lookup joins. The right side of such a join is no stream: what
// DuckDB planned there (a scan, maybe with filters and fewer columns) becomes keys to ask by, and
// conditions on what comes back.
#include <fmt/format.h>

#include <algorithm>
#include <duckdb/planner/expression/bound_cast_expression.hpp>
#include <duckdb/planner/expression/bound_comparison_expression.hpp>
#include <duckdb/planner/expression/bound_conjunction_expression.hpp>
#include <duckdb/planner/expression/bound_constant_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <duckdb/planner/operator/list.hpp>
#include <functional>

#include "base/strings.h"
#include "stream/job_plan_builder.h"
#include "stream/lookup_join.h"

namespace millrace::stream {

using duckdb::BoundComparisonExpression;
using duckdb::BoundReferenceExpression;
using duckdb::Expression;
using duckdb::ExpressionClass;
using duckdb::ExpressionType;
using duckdb::idx_t;
using duckdb::JoinCondition;
using duckdb::LogicalOperator;
using duckdb::LogicalOperatorType;

namespace {

constexpr const char* kClause = "FOR SYSTEM_TIME";

bool IsReference(const Expression& e) {
  return e.GetExpressionClass() == ExpressionClass::BOUND_REF;
}

idx_t ReferenceOf(const Expression& e) {
  return e.Cast<BoundReferenceExpression>().index;
}

void Renumber(Expression& e, const std::function<idx_t(idx_t)>& place) {
  if (IsReference(e)) {
    auto& reference = e.Cast<BoundReferenceExpression>();
    reference.index = place(reference.index);
  }
  duckdb::ExpressionIterator::EnumerateChildren(e,
                                                [&](Expression& child) { Renumber(child, place); });
}

// What stands to the right of a lookup join: columns of one table, and conditions on its rows, over
// the table's columns.
struct RightSide {
  std::string table;
  std::vector<size_t> columns;  // by output column: index into the table's schema
  Expressions conditions;
};

Result<RightSide> ReadRightSide(const LogicalOperator& node) {
  auto keep = [](RightSide& side, const duckdb::vector<idx_t>& kept) {
    if (kept.empty()) return;
    std::vector<size_t> columns;
    for (idx_t c : kept) columns.push_back(side.columns[c]);
    side.columns = std::move(columns);
  };
  if (node.type == LogicalOperatorType::LOGICAL_GET) {
    const auto& get = node.Cast<duckdb::LogicalGet>();
    if (get.function.name == duck::kScanFunction) {
      RightSide side;
      side.table = duck::ScannedTable(*get.bind_data);
      for (const auto& column : get.GetColumnIds()) {
        side.columns.push_back(column.IsVirtualColumn() ? 0 : column.GetPrimaryIndex());
      }
      keep(side, get.projection_ids);
      return side;
    }
  }
  if (node.type == LogicalOperatorType::LOGICAL_FILTER) {
    MR_ASSIGN_OR_RETURN(RightSide side, ReadRightSide(*node.children[0]));
    for (const auto& e : node.expressions) {
      side.conditions.push_back(e->Copy());
      Renumber(*side.conditions.back(), [&](idx_t c) { return side.columns[c]; });
    }
    keep(side, node.Cast<duckdb::LogicalFilter>().projection_map);
    return side;
  }
  const bool plain = node.type == LogicalOperatorType::LOGICAL_PROJECTION &&
                     std::all_of(node.expressions.begin(), node.expressions.end(),
                                 [](const auto& e) { return IsReference(*e); });
  if (plain) {
    MR_ASSIGN_OR_RETURN(RightSide side, ReadRightSide(*node.children[0]));
    std::vector<size_t> columns;
    for (const auto& e : node.expressions) columns.push_back(side.columns[ReferenceOf(*e)]);
    side.columns = std::move(columns);
    return side;
  }
  return Refuse(kClause, "AS OF processing time needs a plain table to ask",
                "name a table with CREATE TABLE there, not a view; compute in the SELECT");
}

bool IsWholeNumber(const duckdb::LogicalType& type) {
  return type.IsIntegral();
}

// The table's column that an expression is, or is but for its width: comparing that with a value is
// the same as comparing the column with the value in the column's own type, where it fits.
std::optional<size_t> KeyColumn(const Expression& e) {
  if (IsReference(e)) return ReferenceOf(e);
  if (e.GetExpressionClass() != ExpressionClass::BOUND_CAST) return std::nullopt;
  const auto& child = *e.Cast<duckdb::BoundCastExpression>().child;
  const bool wider =
      IsReference(child) && IsWholeNumber(child.return_type) && IsWholeNumber(e.return_type);
  return wider ? std::optional<size_t>(ReferenceOf(child)) : std::nullopt;
}

void SplitAtAnd(duckdb::unique_ptr<Expression> e, Expressions& parts) {
  if (e->GetExpressionType() != ExpressionType::CONJUNCTION_AND) {
    parts.push_back(std::move(e));
    return;
  }
  for (auto& child : e->Cast<duckdb::BoundConjunctionExpression>().children) {
    SplitAtAnd(std::move(child), parts);
  }
}

// The constant and the column of `column = constant`.
struct FixedKey {
  size_t column;
  duckdb::unique_ptr<Expression> value;
};
std::optional<FixedKey> AsFixedKey(const Expression& e) {
  if (e.GetExpressionType() != ExpressionType::COMPARE_EQUAL) return std::nullopt;
  const auto& comparison = e.Cast<BoundComparisonExpression>();
  for (bool flip : {false, true}) {
    const Expression& column = flip ? *comparison.right : *comparison.left;
    const Expression& value = flip ? *comparison.left : *comparison.right;
    if (IsReference(column) && value.GetExpressionClass() == ExpressionClass::BOUND_CONSTANT) {
      return FixedKey{ReferenceOf(column), value.Copy()};
    }
  }
  return std::nullopt;
}

}  // namespace

Result<JobPlanBuilder::Stream> JobPlanBuilder::LookupJoinOf(JoinShape shape, Stream left,
                                                            const LogicalOperator& right) {
  if (left.changelog == ChangelogKind::kRetract) {
    return Refuse(kClause, "AS OF processing time cannot follow a query that updates its results",
                  "look up first, then aggregate or join");
  }
  MR_ASSIGN_OR_RETURN(RightSide side, ReadRightSide(right));
  const ScanTable& table = tables_.at(side.table);
  if (!table.lookup) {
    return Refuse(
        kClause,
        fmt::format("AS OF processing time: the connector of table \"{}\" cannot be asked "
                    "by key",
                    side.table),
        "millrace connectors lists those that can (lookup)");
  }
  const idx_t left_width = left.columns.size();
  LookupJoinPlan plan;
  LookupUse use;
  use.table = plan.table = side.table;
  plan.left = shape.type == duckdb::JoinType::LEFT;
  plan.cache = table.lookup->cache;
  plan.bury_missing = table.lookup->bury_missing;

  // Conditions over (left columns, the table's columns): keys where they can be, else residual.
  Expressions key_values;
  std::vector<std::string> texts;
  auto add_key = [&](size_t column, duckdb::unique_ptr<Expression> value) {
    if (std::count(use.keys.begin(), use.keys.end(), column) > 0) return false;
    const model::Column& key = table.schema.columns[column];
    texts.push_back(fmt::format("{} = {}", key.name, value->ToString()));
    if (value->return_type != key.type) {
      value =
          duckdb::BoundCastExpression::AddCastToType(context_, std::move(value), key.type, true);
    }
    use.keys.push_back(column);
    plan.key_names.push_back(key.name);
    key_values.push_back(std::move(value));
    return true;
  };
  Expressions residual;
  for (auto& condition : shape.conditions) {
    Renumber(*condition.right, [&](idx_t c) { return side.columns[c]; });
    const auto column = KeyColumn(*condition.right);
    const bool is_key = column && condition.comparison == ExpressionType::COMPARE_EQUAL &&
                        add_key(*column, condition.left->Copy());
    if (is_key && IsReference(*condition.right)) continue;
    Renumber(*condition.right, [&](idx_t c) { return left_width + c; });
    residual.push_back(duckdb::make_uniq<BoundComparisonExpression>(
        condition.comparison, std::move(condition.left), std::move(condition.right)));
  }
  Expressions on_right;
  for (auto& e : side.conditions) SplitAtAnd(std::move(e), on_right);
  for (auto& e : on_right) {
    if (auto fixed = AsFixedKey(*e); fixed && add_key(fixed->column, std::move(fixed->value))) {
      continue;
    }
    Renumber(*e, [&](idx_t c) { return left_width + c; });
    residual.push_back(std::move(e));
  }
  for (auto& e : shape.residual) {
    Renumber(*e, [&](idx_t c) {
      return c < left_width ? c : left_width + side.columns[c - left_width];
    });
    residual.push_back(std::move(e));
  }
  if (use.keys.empty()) {
    return Refuse(kClause,
                  fmt::format("AS OF processing time needs a key to ask \"{}\" by", plan.table),
                  "compare a column of that table with one of the left side: ON o.currency = "
                  "r.currency");
  }
  for (const auto& e : residual) texts.push_back(e->ToString());
  plan.on = Join(texts, " AND ");

  // Columns that the output or the residual reads.
  std::vector<uint8_t> left_needed(left_width, shape.kept[0].empty());
  for (idx_t c : shape.kept[0]) left_needed[c] = 1;
  std::vector<uint8_t> right_needed(table.schema.size());
  duckdb::vector<idx_t> right_kept = shape.kept[1];
  if (right_kept.empty()) {
    for (idx_t c = 0; c < side.columns.size(); c++) right_kept.push_back(c);
  }
  for (idx_t c : right_kept) right_needed[side.columns[c]] = 1;
  for (auto& e : residual) {
    Renumber(*e, [&](idx_t c) {
      (c < left_width ? left_needed[c] : right_needed[c - left_width]) = 1;
      return c;
    });
  }
  Stream result;
  Expressions input;
  std::vector<idx_t> left_place(left_width);
  for (idx_t c = 0; c < left_width; c++) {
    if (!left_needed[c]) continue;
    left_place[c] = input.size();
    input.push_back(ColumnOf(left, c));
    result.columns.push_back(left.columns[c]);
  }
  plan.kept = input.size();
  std::vector<idx_t> right_place(table.schema.size());
  for (size_t c = 0; c < table.schema.size(); c++) {
    if (!right_needed[c]) continue;
    right_place[c] = result.columns.size();
    use.columns.push_back(c);
    StreamColumn column;
    column.type = table.schema.columns[c].type;
    column.name = table.schema.columns[c].name;
    column.origin = ++last_origin_;
    plan.answer_types.push_back(column.type);
    result.columns.push_back(std::move(column));
  }
  for (auto& e : residual) {
    Renumber(*e,
             [&](idx_t c) { return c < left_width ? left_place[c] : right_place[c - left_width]; });
  }
  plan.residual = std::move(residual);
  for (auto& value : key_values) {
    plan.keys.push_back(input.size());
    input.push_back(std::move(value));
  }
  duckdb::vector<idx_t> kept;
  for (idx_t c = 0; c < left_width && shape.kept[0].empty(); c++) kept.push_back(left_place[c]);
  for (idx_t c : shape.kept[0]) kept.push_back(left_place[c]);
  for (idx_t c : right_kept) kept.push_back(right_place[side.columns[c]]);

  Stream probe = Project(std::move(left), std::move(input));
  plan.input_types = probe.types();
  probe = Partition(std::move(probe), plan.keys);
  auto* made = Add<LookupJoin>(std::move(plan));
  use.asker = made->id();
  plan_.lookups.push_back(std::move(use));
  probe.from->emitter().Add(made, 0);
  result.from = made;
  return KeepColumns(std::move(result), kept);
}

}  // namespace millrace::stream
