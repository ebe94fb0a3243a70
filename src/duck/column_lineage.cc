#include "duck/column_lineage.h"

#include <fmt/format.h>

#include <algorithm>
#include <duckdb/catalog/catalog_entry/table_catalog_entry.hpp>
#include <duckdb/planner/expression/list.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <duckdb/planner/operator/list.hpp>
#include <map>

#include "duck/bound_query.h"
#include "duck/temporal_marks.h"

namespace millrace::duck {

namespace {

using duckdb::ColumnBinding;
using duckdb::Expression;
using duckdb::ExpressionClass;
using duckdb::LogicalOperator;
using duckdb::LogicalOperatorType;

void Add(Dependencies& to, const Dependencies& more) {
  to.insert(more.begin(), more.end());
}

bool Masks(const std::string& function) {
  static const std::set<std::string> kMasking = {
      "md5",    "md5_number", "sha1", "sha224", "sha256",
      "sha384", "sha512",     "hash", "count",  "approx_count_distinct"};
  return kMasking.count(function) > 0;
}

// Finds what a column of an expression stands for.
class ColumnLookup {
 public:
  virtual ~ColumnLookup() = default;
  virtual Dependencies Find(const Expression& column) const = 0;
};

Dependencies Of(const Expression& e, const ColumnLookup& columns);

Dependencies OfOrders(const duckdb::vector<duckdb::BoundOrderByNode>& orders, Influence influence,
                      const ColumnLookup& columns) {
  Dependencies all;
  for (const auto& order : orders) Add(all, Compose(influence, Of(*order.expression, columns)));
  return all;
}

Dependencies OfAggregate(const duckdb::BoundAggregateExpression& call,
                         const ColumnLookup& columns) {
  Dependencies all;
  for (const auto& child : call.children) {
    Add(all, Compose(Influence::kAggregation, Of(*child, columns), Masks(call.function.name)));
  }
  if (call.filter) Add(all, Compose(Influence::kFilter, Of(*call.filter, columns)));
  if (call.order_bys) Add(all, OfOrders(call.order_bys->orders, Influence::kSort, columns));
  return all;
}

Dependencies OfWindow(const duckdb::BoundWindowExpression& call, const ColumnLookup& columns) {
  Dependencies all;
  const Influence value = call.aggregate ? Influence::kAggregation : Influence::kTransformation;
  const bool masking = call.aggregate && Masks(call.aggregate->name);
  for (const auto& child : call.children) Add(all, Compose(value, Of(*child, columns), masking));
  for (const auto& key : call.partitions) Add(all, Compose(Influence::kWindow, Of(*key, columns)));
  Add(all, OfOrders(call.orders, Influence::kWindow, columns));
  Add(all, OfOrders(call.arg_orders, Influence::kSort, columns));
  if (call.default_expr) {
    Add(all, Compose(Influence::kTransformation, Of(*call.default_expr, columns)));
  }
  if (call.filter_expr) Add(all, Compose(Influence::kFilter, Of(*call.filter_expr, columns)));
  for (const auto* bound : {&call.start_expr, &call.end_expr, &call.offset_expr}) {
    if (*bound) Add(all, Compose(Influence::kWindow, Of(**bound, columns)));
  }
  return all;
}

Dependencies OfCase(const duckdb::BoundCaseExpression& choice, const ColumnLookup& columns) {
  Dependencies all;
  for (const auto& check : choice.case_checks) {
    Add(all, Compose(Influence::kConditional, Of(*check.when_expr, columns)));
    Add(all, Compose(Influence::kTransformation, Of(*check.then_expr, columns)));
  }
  Add(all, Compose(Influence::kTransformation, Of(*choice.else_expr, columns)));
  return all;
}

Dependencies Of(const Expression& e, const ColumnLookup& columns) {
  bool masking = false;
  switch (e.GetExpressionClass()) {
    case ExpressionClass::BOUND_COLUMN_REF:
    case ExpressionClass::BOUND_REF:
      return columns.Find(e);
    case ExpressionClass::BOUND_AGGREGATE:
      return OfAggregate(e.Cast<duckdb::BoundAggregateExpression>(), columns);
    case ExpressionClass::BOUND_WINDOW:
      return OfWindow(e.Cast<duckdb::BoundWindowExpression>(), columns);
    case ExpressionClass::BOUND_CASE:
      return OfCase(e.Cast<duckdb::BoundCaseExpression>(), columns);
    case ExpressionClass::BOUND_FUNCTION: {
      const std::string& name = e.Cast<duckdb::BoundFunctionExpression>().function.name;
      // Its arguments are all of the table's columns, whatever the query reads of them.
      if (name == kVersionFunction) return {};
      masking = Masks(name);
      break;
    }
    default:
      break;
  }
  Dependencies all;
  duckdb::ExpressionIterator::EnumerateChildren(e, [&](const Expression& child) {
    Add(all, Compose(Influence::kTransformation, Of(child, columns), masking));
  });
  return all;
}

class PositionLookup : public ColumnLookup {
 public:
  explicit PositionLookup(const std::vector<Dependencies>& inputs) : inputs_(inputs) {}
  Dependencies Find(const Expression& column) const override {
    return inputs_.at(column.Cast<duckdb::BoundReferenceExpression>().index);
  }

 private:
  const std::vector<Dependencies>& inputs_;
};

// Walks a bound plan from its leaves up. A binding names a column of one operator in the whole
// plan, so what is known of columns needs no scopes.
class PlanWalk : public ColumnLookup {
 public:
  // Returns the indirect dependencies of the operator's rows.
  Dependencies Walk(LogicalOperator& op);
  Dependencies OfBinding(const ColumnBinding& binding) const {
    auto found = columns_.find(KeyOf(binding));
    return found == columns_.end() ? Dependencies() : found->second;
  }
  Dependencies Find(const Expression& column) const override {
    return OfBinding(column.Cast<duckdb::BoundColumnRefExpression>().binding);
  }
  const std::set<std::string>& tables() const { return tables_; }
  // Operators that it did not know.
  const std::set<std::string>& unknown() const { return unknown_; }

 private:
  using Key = std::pair<duckdb::idx_t, duckdb::idx_t>;
  static Key KeyOf(const ColumnBinding& b) { return {b.table_index, b.column_index}; }
  void Set(duckdb::idx_t table, duckdb::idx_t column, Dependencies from) {
    columns_[{table, column}] = std::move(from);
  }
  void SetExpressions(duckdb::idx_t table, const LogicalOperator& op) {
    for (size_t i = 0; i < op.expressions.size(); i++) Set(table, i, Of(*op.expressions[i], *this));
  }

  void Scan(duckdb::LogicalGet& get);
  void Filter(LogicalOperator& op, Dependencies& rows);
  void Aggregate(duckdb::LogicalAggregate& op, Dependencies& rows);
  Dependencies Join(LogicalOperator& op);
  Dependencies SetOperation(duckdb::LogicalSetOperation& op);
  Dependencies Cte(duckdb::LogicalMaterializedCTE& op);
  Dependencies CteReference(duckdb::LogicalCTERef& op);

  struct CteResult {
    std::vector<Dependencies> columns;
    Dependencies rows;
  };
  std::map<Key, Dependencies> columns_;
  std::map<duckdb::idx_t, CteResult> ctes_;
  std::vector<std::vector<Dependencies>> outer_columns_;  // of the delim joins around
  std::set<std::string> tables_;
  std::set<std::string> unknown_;
};

void PlanWalk::Scan(duckdb::LogicalGet& get) {
  std::string table;
  if (get.function.name == kScanFunction) {
    table = ScannedTable(*get.bind_data);
  } else if (auto entry = get.GetTable()) {
    table = entry->name;
  }
  Dependencies inputs;  // of a function over the rows of a query
  for (auto& child : get.children) {
    for (const ColumnBinding& b : child->GetColumnBindings()) Add(inputs, OfBinding(b));
  }
  if (!table.empty()) tables_.insert(table);
  const auto& ids = get.GetColumnIds();
  for (size_t i = 0; i < ids.size(); i++) {
    if (table.empty() || ids[i].IsVirtualColumn()) {
      Set(get.table_index, i, Compose(Influence::kTransformation, inputs));
    } else {
      const std::string& column = get.names[ids[i].GetPrimaryIndex()];
      Set(get.table_index, i, {{{table, column}, Influence::kIdentity, false}});
    }
  }
}

// A condition over both sides of FROM a, b is what ON would say.
bool SpansCrossProduct(const Expression& condition, LogicalOperator& below) {
  if (below.type != LogicalOperatorType::LOGICAL_CROSS_PRODUCT) return false;
  if (SpansCrossProduct(condition, *below.children[0])) return true;
  size_t sides = 0;
  for (auto& child : below.children) {
    std::set<duckdb::idx_t> tables;
    for (const ColumnBinding& b : child->GetColumnBindings()) tables.insert(b.table_index);
    bool touches = false;
    duckdb::ExpressionIterator::VisitExpression<duckdb::BoundColumnRefExpression>(
        condition, [&](const duckdb::BoundColumnRefExpression& ref) {
          touches = touches || tables.count(ref.binding.table_index);
        });
    sides += touches;
  }
  return sides == 2;
}

void PlanWalk::Filter(LogicalOperator& op, Dependencies& rows) {
  auto one = [&](const Expression& e) {
    const bool joins = SpansCrossProduct(e, *op.children[0]);
    Add(rows, Compose(joins ? Influence::kJoin : Influence::kFilter, Of(e, *this)));
  };
  std::function<void(const Expression&)> conjuncts = [&](const Expression& e) {
    if (e.GetExpressionType() != duckdb::ExpressionType::CONJUNCTION_AND) return one(e);
    for (const auto& part : e.Cast<duckdb::BoundConjunctionExpression>().children) {
      conjuncts(*part);
    }
  };
  for (const auto& e : op.expressions) conjuncts(*e);
}

void PlanWalk::Aggregate(duckdb::LogicalAggregate& op, Dependencies& rows) {
  for (size_t i = 0; i < op.groups.size(); i++) {
    Dependencies from = Of(*op.groups[i], *this);
    Add(rows, Compose(Influence::kGroupBy, from));
    Set(op.group_index, i, std::move(from));
  }
  SetExpressions(op.aggregate_index, op);
  for (size_t i = 0; i < op.grouping_functions.size(); i++) {
    Dependencies from;
    for (auto group : op.grouping_functions[i]) {
      Add(from, Compose(Influence::kGroupBy, OfBinding({op.group_index, group})));
    }
    Set(op.groupings_index, i, std::move(from));
  }
}

Dependencies PlanWalk::Join(LogicalOperator& op) {
  Dependencies left_rows = Walk(*op.children[0]);
  const bool delim = op.type == LogicalOperatorType::LOGICAL_DELIM_JOIN;
  if (delim) {
    auto& outer = outer_columns_.emplace_back();
    for (const auto& e : op.Cast<duckdb::LogicalComparisonJoin>().duplicate_eliminated_columns) {
      outer.push_back(Of(*e, *this));
    }
  }
  Dependencies right_rows = Walk(*op.children[1]);
  if (delim) outer_columns_.pop_back();
  Dependencies conditions;
  if (op.type == LogicalOperatorType::LOGICAL_ANY_JOIN) {
    Add(conditions,
        Compose(Influence::kJoin, Of(*op.Cast<duckdb::LogicalAnyJoin>().condition, *this)));
  } else if (op.type != LogicalOperatorType::LOGICAL_CROSS_PRODUCT &&
             op.type != LogicalOperatorType::LOGICAL_POSITIONAL_JOIN) {
    auto& join = op.Cast<duckdb::LogicalComparisonJoin>();
    for (const auto& condition : join.conditions) {
      Add(conditions, Compose(Influence::kJoin, Of(*condition.left, *this)));
      Add(conditions, Compose(Influence::kJoin, Of(*condition.right, *this)));
    }
    if (join.predicate) Add(conditions, Compose(Influence::kJoin, Of(*join.predicate, *this)));
  }
  const bool marks = op.type != LogicalOperatorType::LOGICAL_CROSS_PRODUCT &&
                     op.type != LogicalOperatorType::LOGICAL_POSITIONAL_JOIN;
  const auto type = marks ? op.Cast<duckdb::LogicalJoin>().join_type : duckdb::JoinType::INNER;
  if (type == duckdb::JoinType::MARK || type == duckdb::JoinType::SINGLE) {
    // The rows are those of the left side; only what the right side gives depends on it.
    Add(conditions, right_rows);
    if (type == duckdb::JoinType::MARK) {
      Set(op.Cast<duckdb::LogicalJoin>().mark_index, 0, conditions);
    } else {
      for (const ColumnBinding& b : op.children[1]->GetColumnBindings()) {
        Add(columns_[KeyOf(b)], conditions);
      }
    }
    return left_rows;
  }
  Add(left_rows, right_rows);
  Add(left_rows, conditions);
  return left_rows;
}

Dependencies PlanWalk::SetOperation(duckdb::LogicalSetOperation& op) {
  Dependencies rows;
  const bool keeps_all = op.type == LogicalOperatorType::LOGICAL_UNION;
  for (size_t c = 0; c < op.children.size(); c++) {
    Add(rows, Walk(*op.children[c]));
    auto bindings = op.children[c]->GetColumnBindings();
    for (size_t i = 0; i < op.column_count; i++) {
      Dependencies from = OfBinding(bindings[i]);
      if (!op.setop_all) Add(rows, Compose(Influence::kGroupBy, from));
      if (c == 0) {
        Set(op.table_index, i, std::move(from));
      } else if (keeps_all) {
        Add(columns_[{op.table_index, i}], from);
      } else {
        Add(rows, Compose(Influence::kFilter, from));
      }
    }
  }
  return rows;
}

Dependencies PlanWalk::Cte(duckdb::LogicalMaterializedCTE& op) {
  CteResult result;
  result.rows = Walk(*op.children[0]);
  for (const ColumnBinding& b : op.children[0]->GetColumnBindings()) {
    result.columns.push_back(OfBinding(b));
  }
  ctes_[op.table_index] = std::move(result);
  return Walk(*op.children[1]);
}

Dependencies PlanWalk::CteReference(duckdb::LogicalCTERef& op) {
  auto cte = ctes_.find(op.cte_index);
  if (cte == ctes_.end()) {
    unknown_.insert("a recursive CTE");
    return {};
  }
  const auto& columns = cte->second.columns;
  // Correlated columns stand behind those of the query.
  for (size_t i = 0; i < op.chunk_types.size() && i < columns.size(); i++) {
    Set(op.table_index, i, columns[i]);
  }
  return cte->second.rows;
}

Dependencies PlanWalk::Walk(LogicalOperator& op) {
  switch (op.type) {
    case LogicalOperatorType::LOGICAL_JOIN:
    case LogicalOperatorType::LOGICAL_DELIM_JOIN:
    case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
    case LogicalOperatorType::LOGICAL_ANY_JOIN:
    case LogicalOperatorType::LOGICAL_ASOF_JOIN:
    case LogicalOperatorType::LOGICAL_CROSS_PRODUCT:
    case LogicalOperatorType::LOGICAL_POSITIONAL_JOIN:
      return Join(op);
    case LogicalOperatorType::LOGICAL_UNION:
    case LogicalOperatorType::LOGICAL_EXCEPT:
    case LogicalOperatorType::LOGICAL_INTERSECT:
      return SetOperation(op.Cast<duckdb::LogicalSetOperation>());
    case LogicalOperatorType::LOGICAL_MATERIALIZED_CTE:
      return Cte(op.Cast<duckdb::LogicalMaterializedCTE>());
    case LogicalOperatorType::LOGICAL_CTE_REF:
      return CteReference(op.Cast<duckdb::LogicalCTERef>());
    default:
      break;
  }
  Dependencies rows;
  for (auto& child : op.children) Add(rows, Walk(*child));
  switch (op.type) {
    case LogicalOperatorType::LOGICAL_GET:
      Scan(op.Cast<duckdb::LogicalGet>());
      break;
    case LogicalOperatorType::LOGICAL_PROJECTION:
      SetExpressions(op.Cast<duckdb::LogicalProjection>().table_index, op);
      break;
    case LogicalOperatorType::LOGICAL_WINDOW:
      SetExpressions(op.Cast<duckdb::LogicalWindow>().window_index, op);
      break;
    case LogicalOperatorType::LOGICAL_UNNEST:
      SetExpressions(op.Cast<duckdb::LogicalUnnest>().unnest_index, op);
      break;
    case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
      Aggregate(op.Cast<duckdb::LogicalAggregate>(), rows);
      break;
    case LogicalOperatorType::LOGICAL_FILTER:
      Filter(op, rows);
      break;
    case LogicalOperatorType::LOGICAL_ORDER_BY:
      Add(rows, OfOrders(op.Cast<duckdb::LogicalOrder>().orders, Influence::kSort, *this));
      break;
    case LogicalOperatorType::LOGICAL_TOP_N:
      Add(rows, OfOrders(op.Cast<duckdb::LogicalTopN>().orders, Influence::kSort, *this));
      break;
    case LogicalOperatorType::LOGICAL_DISTINCT: {
      auto& distinct = op.Cast<duckdb::LogicalDistinct>();
      for (const auto& e : distinct.distinct_targets) {
        Add(rows, Compose(Influence::kGroupBy, Of(*e, *this)));
      }
      if (distinct.order_by) {
        Add(rows, OfOrders(distinct.order_by->orders, Influence::kSort, *this));
      }
      break;
    }
    case LogicalOperatorType::LOGICAL_DELIM_GET: {
      auto& get = op.Cast<duckdb::LogicalDelimGet>();
      if (outer_columns_.empty()) break;
      const auto& outer = outer_columns_.back();
      for (size_t i = 0; i < get.chunk_types.size() && i < outer.size(); i++) {
        Set(get.table_index, i, outer[i]);
      }
      break;
    }
    case LogicalOperatorType::LOGICAL_EXPRESSION_GET: {
      auto& values = op.Cast<duckdb::LogicalExpressionGet>();
      for (const auto& row : values.expressions) {
        for (size_t i = 0; i < row.size(); i++) {
          Add(columns_[{values.table_index, i}], Of(*row[i], *this));
        }
      }
      break;
    }
    case LogicalOperatorType::LOGICAL_LIMIT:
    case LogicalOperatorType::LOGICAL_SAMPLE:
    case LogicalOperatorType::LOGICAL_DUMMY_SCAN:
    case LogicalOperatorType::LOGICAL_EMPTY_RESULT:
    case LogicalOperatorType::LOGICAL_CHUNK_GET:
      break;
    default:
      unknown_.insert(op.GetName());
  }
  return rows;
}

}  // namespace

bool IsDirect(Influence influence) {
  return influence <= Influence::kAggregation;
}

const char* InfluenceName(Influence influence) {
  switch (influence) {
    case Influence::kIdentity:
      return "IDENTITY";
    case Influence::kTransformation:
      return "TRANSFORMATION";
    case Influence::kAggregation:
      return "AGGREGATION";
    case Influence::kJoin:
      return "JOIN";
    case Influence::kGroupBy:
      return "GROUP_BY";
    case Influence::kFilter:
      return "FILTER";
    case Influence::kSort:
      return "SORT";
    case Influence::kWindow:
      return "WINDOW";
    case Influence::kConditional:
      return "CONDITIONAL";
  }
  return "?";
}

Dependencies Compose(Influence outer, const Dependencies& inner, bool masking) {
  Dependencies all;
  for (Dependency dependency : inner) {
    if (!IsDirect(outer)) {
      dependency.influence = outer;
    } else if (IsDirect(dependency.influence)) {
      dependency.influence = std::max(outer, dependency.influence);
    }
    dependency.masking = dependency.masking || masking;
    all.insert(std::move(dependency));
  }
  return all;
}

Dependencies TraceExpression(const Expression& expression,
                             const std::vector<Dependencies>& inputs) {
  return Of(expression, PositionLookup(inputs));
}

Result<QueryLineage> TraceColumns(Planner& planner, const std::string& query) {
  QueryLineage lineage;
  PlanWalk walk;
  MR_RETURN_IF_ERROR(WithBoundQuery(planner.connection(), query, [&](duckdb::Planner& binder) {
    lineage.rows = walk.Walk(*binder.plan);
    auto bindings = binder.plan->GetColumnBindings();
    for (size_t i = 0; i < binder.names.size(); i++) {
      lineage.columns.push_back({binder.names[i], binder.types[i], walk.OfBinding(bindings[i])});
    }
  }));
  lineage.tables = walk.tables();
  if (!walk.unknown().empty()) {
    return Status(Code::kUnsupported, fmt::format("the lineage of a query with {} cannot be told",
                                                  *walk.unknown().begin()));
  }
  return lineage;
}

}  // namespace millrace::duck
