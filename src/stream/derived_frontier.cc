#include "stream/derived_frontier.h"

#include <duckdb/common/types/interval.hpp>
#include <duckdb/execution/expression_executor.hpp>
#include <duckdb/planner/expression/bound_cast_expression.hpp>
#include <duckdb/planner/expression/bound_constant_expression.hpp>
#include <duckdb/planner/expression/bound_function_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>

#include "duck/functions.h"
#include "duck/time_zone.h"

namespace millrace::stream {

using duckdb::BoundCastExpression;
using duckdb::BoundConstantExpression;
using duckdb::BoundFunctionExpression;
using duckdb::BoundReferenceExpression;
using duckdb::Expression;
using duckdb::ExpressionClass;
using duckdb::LogicalTypeId;

namespace {

bool IsTimestamp(const duckdb::LogicalType& type) {
  return type.id() == LogicalTypeId::TIMESTAMP || type.id() == LogicalTypeId::TIMESTAMP_TZ;
}

const BoundFunctionExpression* AsFunction(const Expression& e) {
  return e.GetExpressionClass() == ExpressionClass::BOUND_FUNCTION
             ? &e.Cast<BoundFunctionExpression>()
             : nullptr;
}

std::optional<int64_t> ConstantInt(const Expression& e) {
  if (e.GetExpressionClass() != ExpressionClass::BOUND_CONSTANT) return std::nullopt;
  const duckdb::Value& value = e.Cast<BoundConstantExpression>().value;
  if (value.IsNull() || !value.type().IsIntegral()) return std::nullopt;
  return value.GetValue<int64_t>();
}

// All arguments from `first` on as integers, or nothing.
std::optional<std::vector<int64_t>> ConstantInts(const BoundFunctionExpression& f, size_t first) {
  std::vector<int64_t> values;
  for (size_t i = first; i < f.children.size(); i++) {
    auto value = ConstantInt(*f.children[i]);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

// The constant of an INTERVAL without months, in microseconds.
std::optional<int64_t> ConstantInterval(const Expression& e) {
  if (e.GetExpressionClass() != ExpressionClass::BOUND_CONSTANT) return std::nullopt;
  const duckdb::Value& value = e.Cast<BoundConstantExpression>().value;
  if (value.IsNull() || value.type().id() != LogicalTypeId::INTERVAL) return std::nullopt;
  auto interval = value.GetValue<duckdb::interval_t>();
  if (interval.months != 0) return std::nullopt;
  return interval.micros + int64_t{interval.days} * duckdb::Interval::MICROS_PER_DAY;
}

// Replaces every column reference by a constant time.
void Substitute(duckdb::unique_ptr<Expression>& e, int64_t time) {
  if (e->GetExpressionClass() == ExpressionClass::BOUND_REF) {
    duckdb::timestamp_t ts(time);
    duckdb::Value value = e->return_type.id() == LogicalTypeId::TIMESTAMP_TZ
                              ? duckdb::Value::TIMESTAMPTZ(duckdb::timestamp_tz_t(ts))
                              : duckdb::Value::TIMESTAMP(ts);
    e = duckdb::make_uniq<BoundConstantExpression>(value);
    return;
  }
  duckdb::ExpressionIterator::EnumerateChildren(
      *e, [&](duckdb::unique_ptr<Expression>& child) { Substitute(child, time); });
}

// A function that evaluates `e` with its one column set to a time.
std::function<model::EventTime(model::EventTime)> Evaluator(const Expression& e,
                                                            duckdb::ClientContext& context) {
  std::shared_ptr<Expression> shared(e.Copy().release());
  return [shared, &context](model::EventTime time) -> model::EventTime {
    auto copy = shared->Copy();
    Substitute(copy, time);
    duckdb::Value result;
    if (!duckdb::ExpressionExecutor::TryEvaluateScalar(context, *copy, result) || result.IsNull()) {
      return model::kTimeMin;  // promises nothing
    }
    return result.GetValueUnsafe<int64_t>();  // of either kind of TIMESTAMP
  };
}

bool IsInstant(const duckdb::LogicalType& type) {
  return type.id() == LogicalTypeId::TIMESTAMP_TZ;
}

StreamColumn Through(const StreamColumn& from, const Expression& e, WindowRole role,
                     const std::function<model::EventTime(model::EventTime)>& map) {
  StreamColumn column;
  column.type = e.return_type;
  column.frontier = from.frontier.Then(map);
  column.window = role;
  return column;
}

// A time as a point in time, or the other way round: `e` is the cast. In UTC the number stays.
StreamColumn InOtherZone(StreamColumn from, const Expression& e, duckdb::ClientContext& context) {
  auto zone = duck::SessionTimeZone(context);
  if (!zone || IsInstant(from.type) == IsInstant(e.return_type)) {
    from.type = e.return_type;
    return from;
  }
  const bool local = IsInstant(from.type);
  return Through(from, e, WindowRole::kNone, [zone, local](model::EventTime t) {
    return local ? zone->LowestLocalFrom(t) : zone->LowestUtcFrom(t);
  });
}

}  // namespace

namespace {

// Functions that stand for a window the aggregation makes; nothing for others.
std::optional<StreamColumn> DerivePending(const Expression& e,
                                          const std::vector<StreamColumn>& columns,
                                          duckdb::ClientContext& context) {
  const BoundFunctionExpression* f = AsFunction(e);
  if (!f || f->children.size() < 2) return std::nullopt;
  const std::string& name = f->function.name;
  PendingWindow pending;
  bool hop = name == "mr_group_hop";
  if (name == "mr_session_start" || name == "mr_group_session_start") {
    pending.kind = PendingWindow::Kind::kSessionStart;
  } else if (name == "mr_session_end" || name == "mr_group_session_end") {
    pending.kind = PendingWindow::Kind::kSessionEnd;
  } else if (hop) {
    pending.kind = PendingWindow::Kind::kHopStart;
  } else {
    return std::nullopt;
  }
  pending.keyed_by_groups = name.starts_with("mr_group_");
  auto first = ConstantInt(*f->children[1]);
  auto second = hop ? ConstantInt(*f->children[2]) : 0;
  if (!first || !second) return std::nullopt;
  (hop ? pending.slide_us : pending.gap_us) = *first;
  pending.size_us = *second;
  for (size_t i = 2; i < f->children.size() && !hop; i++) {
    const Expression& key = *f->children[i];
    bool column = key.GetExpressionClass() == ExpressionClass::BOUND_REF;
    pending.keys.push_back(column ? columns[key.Cast<BoundReferenceExpression>().index].origin : 0);
  }
  StreamColumn column = Derive(*f->children[0], columns, context);
  if (column.pending) pending.kind = PendingWindow::Kind::kMisused;
  column.type = e.return_type;
  column.name = e.GetName();
  column.window = WindowRole::kNone;
  column.origin = 0;
  column.pending = std::move(pending);
  return column;
}

bool MentionsPending(const Expression& e, const std::vector<StreamColumn>& columns) {
  if (e.GetExpressionClass() == ExpressionClass::BOUND_REF) {
    return columns[e.Cast<BoundReferenceExpression>().index].pending.has_value();
  }
  bool found = false;
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](const Expression& child) { found |= MentionsPending(child, columns); });
  return found;
}

StreamColumn DeriveTime(const Expression& e, const std::vector<StreamColumn>& columns,
                        duckdb::ClientContext& context);

}  // namespace

StreamColumn Derive(const Expression& e, const std::vector<StreamColumn>& columns,
                    duckdb::ClientContext& context) {
  if (auto pending = DerivePending(e, columns, context)) return *pending;
  StreamColumn column = DeriveTime(e, columns, context);
  if (e.GetExpressionClass() == ExpressionClass::BOUND_REF) return column;
  column.origin = 0;
  column.pending.reset();
  if (MentionsPending(e, columns)) column.pending.emplace();
  return column;
}

namespace {

StreamColumn DeriveTime(const Expression& e, const std::vector<StreamColumn>& columns,
                        duckdb::ClientContext& context) {
  StreamColumn none;
  none.type = e.return_type;
  none.name = e.GetName();
  if (e.GetExpressionClass() == ExpressionClass::BOUND_REF) {
    StreamColumn column = columns[e.Cast<BoundReferenceExpression>().index];
    if (!e.alias.empty()) column.name = e.alias;
    return column;
  }
  auto named = [&](StreamColumn column) {
    column.name = e.GetName();
    return column;
  };
  if (e.GetExpressionClass() == ExpressionClass::BOUND_CAST) {
    const auto& cast = e.Cast<BoundCastExpression>();
    StreamColumn from = Derive(*cast.child, columns, context);
    if (!from.frontier.known() || !IsTimestamp(from.type) || !IsTimestamp(e.return_type))
      return none;
    return named(InOtherZone(from, e, context));
  }
  const BoundFunctionExpression* f = AsFunction(e);
  if (f && f->function.name == "mr_instant" && f->children.size() == 1) {
    StreamColumn from = Derive(*f->children[0], columns, context);
    return from.frontier.known() ? named(InOtherZone(from, e, context)) : none;
  }
  if (f && f->function.name == "mr_now") {
    none.frontier.terms.push_back({kClockSource, [](model::EventTime t) { return t; }});
    return none;
  }
  if (!f || f->children.empty() || !IsTimestamp(e.return_type)) return none;
  const std::string& name = f->function.name;
  StreamColumn first = Derive(*f->children[0], columns, context);
  if (name.rfind("mr_window_", 0) == 0 && first.frontier.known()) {
    auto args = ConstantInts(*f, 1);
    if (!args) return none;
    if (name == "mr_window_plus") {
      WindowRole role = first.window == WindowRole::kStart && (*args)[0] > 0 ? WindowRole::kEnd
                                                                             : WindowRole::kNone;
      return named(Through(first, e, role, [us = (*args)[0]](int64_t t) { return t + us; }));
    }
    int64_t size = (*args)[0];
    int64_t offset = (*args)[1];
    int64_t plus = name == "mr_window_start" ? 0 : name == "mr_window_end" ? size : size - 1000;
    WindowRole role = name == "mr_window_start" ? WindowRole::kStart
                      : name == "mr_window_end" ? WindowRole::kEnd
                                                : WindowRole::kNone;
    return named(Through(first, e, role, [size, offset, plus](int64_t t) {
      return duck::WindowStart(t, size, offset) + plus;
    }));
  }
  // DuckDB's own: the time is the only argument that is not constant.
  bool plus_minus = (name == "+" || name == "-") && f->children.size() == 2;
  if (!plus_minus && name != "time_bucket" && name != "date_trunc") return none;
  const Expression* time = nullptr;
  for (size_t i = 0; i < f->children.size(); i++) {
    const Expression& child = *f->children[i];
    if (child.GetExpressionClass() == ExpressionClass::BOUND_CONSTANT) continue;
    if (time || (name == "-" && i == 1)) return none;
    time = &child;
  }
  if (!time) return none;
  StreamColumn from = Derive(*time, columns, context);
  if (!from.frontier.known()) return none;
  // DuckDB's rounding of points in time goes backwards when the clocks do.
  if (!plus_minus && IsInstant(e.return_type) && duck::SessionTimeZone(context)) return none;
  // Evaluate only this function on the inner column's frontier.
  auto shell = e.Copy();
  duckdb::ExpressionIterator::EnumerateChildren(*shell, [&](duckdb::unique_ptr<Expression>& child) {
    if (child->GetExpressionClass() == ExpressionClass::BOUND_CONSTANT) return;
    child = duckdb::make_uniq<BoundReferenceExpression>(child->return_type, 0);
  });
  return named(Through(from, e, WindowRole::kNone, Evaluator(*shell, context)));
}

}  // namespace

StreamColumn DeriveElement(const Expression& list, const std::vector<StreamColumn>& columns,
                           duckdb::ClientContext& context) {
  StreamColumn none;
  none.type = duckdb::ListType::GetChildType(list.return_type);
  none.name = list.GetName();
  const BoundFunctionExpression* f = AsFunction(list);
  if (!f || f->children.empty()) return none;
  const std::string& name = f->function.name;
  if (name != "mr_hop_starts" && name != "mr_cumulate_ends") return none;
  StreamColumn time = Derive(*f->children[0], columns, context);
  auto args = ConstantInts(*f, 1);
  if (!time.frontier.known() || !args) return none;
  int64_t step = (*args)[0];
  int64_t size = (*args)[1];
  int64_t offset = (*args)[2];
  StreamColumn column = none;
  if (name == "mr_hop_starts") {
    column.window = WindowRole::kStart;
    column.frontier =
        time.frontier.Then([=](int64_t t) { return duck::HopFirstStart(t, step, size, offset); });
  } else {
    column.window = WindowRole::kEnd;
    column.frontier = time.frontier.Then(
        [=](int64_t t) { return duck::CumulateFirstEnd(t, step, size, offset); });
  }
  return column;
}

std::optional<ShiftedColumn> AsShiftedColumn(const Expression& e, duckdb::ClientContext& context) {
  if (!IsTimestamp(e.return_type)) return std::nullopt;
  if (e.GetExpressionClass() == ExpressionClass::BOUND_REF) {
    return ShiftedColumn{e.Cast<BoundReferenceExpression>().index, 0};
  }
  if (e.GetExpressionClass() == ExpressionClass::BOUND_CAST) {
    const Expression& child = *e.Cast<BoundCastExpression>().child;
    const bool other_zone = IsInstant(child.return_type) != IsInstant(e.return_type);
    if (other_zone && duck::SessionTimeZone(context)) return std::nullopt;
    return AsShiftedColumn(child, context);
  }
  const BoundFunctionExpression* f = AsFunction(e);
  if (!f || f->children.size() != 2) return std::nullopt;
  const std::string& name = f->function.name;
  if (name == "mr_window_plus") {
    auto column = AsShiftedColumn(*f->children[0], context);
    auto shift = ConstantInt(*f->children[1]);
    if (!column || !shift) return std::nullopt;
    return ShiftedColumn{column->column, column->shift_us + *shift};
  }
  if (name != "+" && name != "-") return std::nullopt;
  for (size_t i : {0, 1}) {
    auto interval = ConstantInterval(*f->children[1 - i]);
    if (!interval || (name == "-" && i == 1)) continue;
    auto column = AsShiftedColumn(*f->children[i], context);
    if (!column) continue;
    return ShiftedColumn{column->column, column->shift_us + (name == "-" ? -*interval : *interval)};
  }
  return std::nullopt;
}

}  // namespace millrace::stream
