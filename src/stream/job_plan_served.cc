// The part of JobPlanBuilder for functions that a service answers (duck/served_function.h): each
// call becomes a LookupJoin that asks by the arguments and gives one more column, which stands for
// the call from there on.
#include <fmt/format.h>

#include <algorithm>
#include <duckdb/planner/expression/bound_function_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <duckdb/planner/logical_operator_visitor.hpp>
#include <duckdb/planner/operator/logical_filter.hpp>
#include <numeric>

#include "base/strings.h"
#include "duck/served_function.h"
#include "stream/job_plan_builder.h"
#include "stream/lookup_join.h"

namespace millrace::stream {

using duckdb::BoundReferenceExpression;
using duckdb::Expression;
using duckdb::idx_t;
using duckdb::LogicalOperator;
using duckdb::LogicalOperatorType;

namespace {

// A call without other served calls among its arguments; null: there is none.
const Expression* InnermostCall(const Expression& e) {
  const Expression* found = nullptr;
  duckdb::ExpressionIterator::EnumerateChildren(e, [&](const Expression& child) {
    if (!found) found = InnermostCall(child);
  });
  return !found && duck::IsServedCall(e) ? &e : found;
}

void Replace(duckdb::unique_ptr<Expression>& e, const Expression& call, idx_t column) {
  if (e->Equals(call)) {
    auto alias = e->GetAlias();
    e = duckdb::make_uniq<BoundReferenceExpression>(alias, call.return_type, column);
    return;
  }
  duckdb::ExpressionIterator::EnumerateChildren(
      *e, [&](duckdb::unique_ptr<Expression>& child) { Replace(child, call, column); });
}

bool RefersOnlyTo(const Expression& e, const std::function<std::optional<idx_t>(idx_t)>& place) {
  if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
    return place(e.Cast<BoundReferenceExpression>().index).has_value();
  }
  bool all = true;
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](const Expression& child) { all = all && RefersOnlyTo(child, place); });
  return all;
}

void Renumber(Expression& e, const std::function<std::optional<idx_t>(idx_t)>& place) {
  if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
    auto& reference = e.Cast<BoundReferenceExpression>();
    reference.index = *place(reference.index);
  }
  duckdb::ExpressionIterator::EnumerateChildren(e,
                                                [&](Expression& child) { Renumber(child, place); });
}

Status RefuseServedIn(const LogicalOperator& node) {
  Status status;
  duckdb::LogicalOperatorVisitor::EnumerateExpressions(
      const_cast<LogicalOperator&>(node), [&](duckdb::unique_ptr<Expression>* e) {
        const Expression* call = duck::FindServedCall(**e);
        if (!call || !status.ok()) return;
        const std::string name = duck::NameOfServed(*call);
        status =
            Refuse(name,
                   "is served over HTTP, and is not asked in a join's ON, an OVER, ORDER BY, "
                   "the filter of a rank or a correlated subquery",
                   "call it in a SELECT below: FROM (SELECT *, " + name + "(…) AS answer FROM …)");
      });
  return status;
}

Status RefuseServedBelow(const LogicalOperator& node) {
  MR_RETURN_IF_ERROR(RefuseServedIn(node));
  for (const auto& child : node.children) MR_RETURN_IF_ERROR(RefuseServedBelow(*child));
  return Status::Ok();
}

bool ReadsDelim(const LogicalOperator& node) {
  return node.type == LogicalOperatorType::LOGICAL_DELIM_GET ||
         std::any_of(node.children.begin(), node.children.end(),
                     [](const auto& child) { return ReadsDelim(*child); });
}

// Whether the node only chooses among its input's columns.
bool IsReferences(const LogicalOperator& node) {
  return node.type == LogicalOperatorType::LOGICAL_PROJECTION &&
         std::all_of(node.expressions.begin(), node.expressions.end(), [](const auto& e) {
           return e->GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF;
         });
}

// `columns`, and behind them the answers to the calls that refer to nothing else; `answered` keeps
// only those, as they are once these columns are chosen.
template <typename Answered>
duckdb::vector<idx_t> KeepAnswers(duckdb::vector<idx_t> columns, std::vector<Answered>& answered) {
  auto place = [&](idx_t column) -> std::optional<idx_t> {
    const auto at = std::find(columns.begin(), columns.end(), column);
    if (at == columns.end()) return std::nullopt;
    return static_cast<idx_t>(at - columns.begin());
  };
  std::vector<Answered> kept;
  for (Answered& known : answered) {  // its arguments may hold answers before it
    if (!RefersOnlyTo(*known.call, place)) continue;
    Renumber(*known.call, place);
    columns.push_back(known.column);
    kept.push_back({std::move(known.call), columns.size() - 1});
  }
  answered = std::move(kept);
  return columns;
}

}  // namespace

bool JobPlanBuilder::IsServedFilter(const LogicalOperator& node) {
  if (IsReferences(node)) return IsServedFilter(*node.children[0]);
  return node.type == LogicalOperatorType::LOGICAL_FILTER && !IsRankFilter(node) &&
         std::any_of(node.expressions.begin(), node.expressions.end(),
                     [](const auto& e) { return duck::FindServedCall(*e) != nullptr; });
}

Status JobPlanBuilder::CheckServedCalls(const LogicalOperator& node) {
  // Parts that are not visited node by node.
  if (IsTemporalJoin(node)) MR_RETURN_IF_ERROR(RefuseServedBelow(*node.children[1]));
  if (node.type == LogicalOperatorType::LOGICAL_DELIM_JOIN) {
    for (const auto& child : node.children) {
      if (ReadsDelim(*child)) MR_RETURN_IF_ERROR(RefuseServedBelow(*child));
    }
  }
  const bool asks = node.type == LogicalOperatorType::LOGICAL_PROJECTION ||
                    node.type == LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY ||
                    (node.type == LogicalOperatorType::LOGICAL_FILTER && !IsRankFilter(node));
  return asks ? Status::Ok() : RefuseServedIn(node);
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::AskServed(Stream stream, Expressions& expressions,
                                                         std::vector<Answered>* answered) {
  if (answered) {
    for (const Answered& known : *answered) {
      for (auto& e : expressions) Replace(e, *known.call, known.column);
    }
  }
  for (size_t i = 0; i < expressions.size();) {
    const Expression* found = InnermostCall(*expressions[i]);
    if (!found) {
      i++;
      continue;
    }
    const auto call = found->Copy();
    MR_ASSIGN_OR_RETURN(stream, AnswerOf(std::move(stream), *call));
    const idx_t column = stream.columns.size() - 1;
    for (auto& e : expressions) Replace(e, *call, column);
    if (answered) {
      for (Answered& known : *answered) Replace(known.call, *call, column);
      answered->push_back({call->Copy(), column});
    }
  }
  return stream;
}

// The stream's columns and the answer to `call`.
Result<JobPlanBuilder::Stream> JobPlanBuilder::AnswerOf(Stream stream, const Expression& call) {
  const std::string name = duck::NameOfServed(call);
  if (stream.changelog == ChangelogKind::kRetract) {
    return Refuse(name, "is served over HTTP, and cannot follow a query that updates its results",
                  "call it first, then aggregate or join");
  }
  const std::string table = name + "()";
  auto service = tables_.find(table);
  if (service == tables_.end() || !service->second.lookup) {
    return Refuse(name, "is served over HTTP, and there is nobody to ask here",
                  "test what lies around the call; only a running job asks");
  }
  const LookupPolicy& policy = *service->second.lookup;
  LookupJoinPlan plan;
  plan.table = table;
  plan.what = fmt::format("function \"{}\"", name);
  plan.left = true;
  plan.ask_nulls = policy.ask_nulls;
  plan.cache = policy.cache;
  plan.answer_types = {call.return_type};
  LookupUse use;
  use.table = table;

  Stream result;
  result.columns = stream.columns;
  Expressions input;
  for (idx_t c = 0; c < stream.columns.size(); c++) input.push_back(ColumnOf(stream, c));
  plan.kept = input.size();
  std::vector<std::string> arguments;
  const auto& children = call.Cast<duckdb::BoundFunctionExpression>().children;
  for (size_t a = 1; a < children.size(); a++) {  // the first one is the name
    if (Derive(*children[a], stream.columns, context_).pending) return RefusePendingWindow();
    use.keys.push_back(a - 1);
    plan.keys.push_back(input.size());
    arguments.push_back(children[a]->ToString());
    input.push_back(children[a]->Copy());
  }
  use.columns = {children.size() - 1};
  plan.on = Join(arguments, ", ");

  StreamColumn answer;
  answer.type = call.return_type;
  answer.name = name;
  answer.origin = ++last_origin_;
  result.columns.push_back(std::move(answer));
  Stream probe = Project(std::move(stream), std::move(input));
  plan.input_types = probe.types();
  probe = Partition(std::move(probe), plan.keys);
  auto* made = Add<LookupJoin>(std::move(plan));
  use.asker = made->id();
  plan_.lookups.push_back(std::move(use));
  probe.from->emitter().Add(made, 0);
  result.from = made;
  return result;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::FilterServed(const LogicalOperator& node,
                                                            std::vector<Answered>* answered) {
  for (const auto& e : node.expressions) MR_RETURN_IF_ERROR(CheckDeterministic(*e));
  if (node.type == LogicalOperatorType::LOGICAL_PROJECTION) {
    MR_ASSIGN_OR_RETURN(Stream stream, FilterServed(*node.children[0], answered));
    duckdb::vector<idx_t> columns;
    for (const auto& e : node.expressions) {
      columns.push_back(e->Cast<BoundReferenceExpression>().index);
    }
    if (answered) columns = KeepAnswers(std::move(columns), *answered);
    return KeepColumns(std::move(stream), columns);
  }
  MR_ASSIGN_OR_RETURN(Stream stream, Visit(*node.children[0]));
  const idx_t width = stream.columns.size();
  // What needs no answer first: rows that it leaves out are not asked for.
  Expressions plain, asking;
  for (const auto& e : node.expressions) {
    if (Derive(*e, stream.columns, context_).pending) return RefusePendingWindow();
    (duck::FindServedCall(*e) ? asking : plain).push_back(e->Copy());
  }
  if (!plain.empty()) Steps(stream).AddFilter(std::move(plain));
  std::vector<Answered> known;
  MR_ASSIGN_OR_RETURN(stream, AskServed(std::move(stream), asking, &known));
  Steps(stream).AddFilter(std::move(asking));

  duckdb::vector<idx_t> kept = node.Cast<duckdb::LogicalFilter>().projection_map;
  if (kept.empty()) {
    kept.resize(width);
    std::iota(kept.begin(), kept.end(), 0);
  }
  if (!answered) return KeepColumns(std::move(stream), kept);
  *answered = std::move(known);
  return KeepColumns(std::move(stream), KeepAnswers(std::move(kept), *answered));
}

}  // namespace millrace::stream
