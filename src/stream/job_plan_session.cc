// Windows that only the aggregation can make: sessions, and GROUP BY HOP(…).
#include <algorithm>
#include <duckdb/function/function_binder.hpp>
#include <duckdb/planner/expression/bound_constant_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>

#include "stream/job_plan_builder.h"
#include "stream/session_aggregate.h"

namespace millrace::stream {

using duckdb::BoundReferenceExpression;
using duckdb::idx_t;
using Kind = PendingWindow::Kind;

Status JobPlanBuilder::RefusePendingWindow() {
  return Refuse("SESSION",
                "windows exist only after GROUP BY: their bounds can be neither computed with nor "
                "passed on before it",
                "GROUP BY window_start, window_end and the PARTITION BY columns first; window_time "
                "is window_end - INTERVAL '0.001' SECOND");
}

Status JobPlanBuilder::CheckNoPendingWindow(const Stream& stream) {
  for (const StreamColumn& column : stream.columns) {
    if (column.pending) return RefusePendingWindow();
  }
  return Status::Ok();
}

Result<bool> JobPlanBuilder::MakePendingWindows(Stream& stream, size_t group_count) {
  bool session = false;
  int hop = -1;
  for (size_t c = 0; c < stream.columns.size(); c++) {
    const auto& pending = stream.columns[c].pending;
    if (!pending) continue;
    if (c >= group_count || pending->kind == Kind::kMisused) return RefusePendingWindow();
    if (!stream.columns[c].frontier.known()) {
      return Refuse("SESSION", "(and HOP) in GROUP BY needs a time column that has a watermark",
                    "declare WATERMARK FOR the column in CREATE TABLE");
    }
    if (pending->kind == Kind::kHopStart) {
      if (hop >= 0) return Refuse("HOP", "twice in one GROUP BY is not supported", "leave one");
      hop = static_cast<int>(c);
    } else {
      session = true;
    }
  }
  if (hop < 0) return session;
  if (session) return Refuse("SESSION", "and HOP in one GROUP BY is not supported", "leave one");

  // One row per window that holds the row's time.
  StreamColumn& column = stream.columns[static_cast<size_t>(hop)];
  PendingWindow window = *column.pending;
  column.pending.reset();
  duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> arguments;
  arguments.push_back(
      duckdb::make_uniq<BoundReferenceExpression>(column.type, static_cast<idx_t>(hop)));
  for (int64_t number : {window.slide_us, window.size_us, int64_t{0}}) {
    arguments.push_back(
        duckdb::make_uniq<duckdb::BoundConstantExpression>(duckdb::Value::BIGINT(number)));
  }
  duckdb::unique_ptr<duckdb::Expression> starts;
  context_.RunFunctionInTransaction([&] {
    duckdb::ErrorData error;
    starts = duckdb::FunctionBinder(context_).BindScalarFunction(DEFAULT_SCHEMA, "mr_hop_starts",
                                                                 std::move(arguments), error);
    if (error.HasError()) error.Throw();
  });
  StreamColumn start = DeriveElement(*starts, stream.columns, context_);
  start.name = column.name;
  Expressions lists;
  lists.push_back(std::move(starts));
  Steps(stream).AddUnnest(std::move(lists));
  stream.columns.push_back(start);
  Expressions kept;
  for (idx_t c = 0; c + 1 < stream.columns.size(); c++) {
    idx_t from = static_cast<int>(c) == hop ? stream.columns.size() - 1 : c;
    kept.push_back(duckdb::make_uniq<BoundReferenceExpression>(stream.columns[from].name,
                                                               stream.columns[from].type, from));
  }
  stream = Project(std::move(stream), std::move(kept));
  return false;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::AddSession(Stream stream, AggregatePlan aggregates,
                                                          size_t group_count) {
  if (stream.changelog == ChangelogKind::kRetract) {
    return Refuse("SESSION", "over a result that is updated is not supported",
                  "make the sessions first, and aggregate them");
  }
  if (options_.emit.early) {
    return Refuse("SESSION", "is shown when it is closed, not early",
                  "leave out 'emit' = 'update' (table.exec.emit.early-fire.enabled)");
  }
  SessionPlan plan;
  const PendingWindow* window = nullptr;
  for (size_t g = 0; g < group_count; g++) {
    const StreamColumn& column = stream.columns[g];
    aggregates.group_types.push_back(column.type);
    aggregates.group_names.push_back(column.name);
    if (!column.pending) continue;
    if (window &&
        (window->gap_us != column.pending->gap_us || window->keys != column.pending->keys)) {
      return Refuse("SESSION", "windows of two kinds in one GROUP BY are not supported",
                    "leave one");
    }
    window = &*column.pending;
    plan.frontier = column.frontier;
    plan_.needs_ticks |= plan.frontier.uses_clock();
    bool start = column.pending->kind == Kind::kSessionStart;
    (start ? plan.start_column : plan.end_column) = static_cast<int>(g);
  }
  plan.gap_us = window->gap_us;
  if (window->keyed_by_groups) {
    for (idx_t g = 0; g < group_count; g++) {
      if (!stream.columns[g].pending) plan.keys.push_back(g);
    }
  }
  for (int origin : window->keys) {
    auto group = std::find_if(
        stream.columns.begin(), stream.columns.begin() + static_cast<std::ptrdiff_t>(group_count),
        [&](const StreamColumn& column) { return origin != 0 && column.origin == origin; });
    if (group == stream.columns.begin() + static_cast<std::ptrdiff_t>(group_count)) {
      return Refuse("SESSION", "needs all its PARTITION BY columns in GROUP BY",
                    "GROUP BY window_start, window_end and the PARTITION BY columns");
    }
    plan.keys.push_back(static_cast<idx_t>(group - stream.columns.begin()));
  }
  plan.types = stream.types();

  Stream result;
  result.columns.assign(stream.columns.begin(),
                        stream.columns.begin() + static_cast<std::ptrdiff_t>(group_count));
  for (size_t g = 0; g < group_count; g++) {
    StreamColumn& column = result.columns[g];
    bool end = static_cast<int>(g) == plan.end_column;
    // A session's end is never before the frontier that is to close it; its start may be.
    if (!end) column.frontier = {};
    column.window = end ? WindowRole::kEnd : WindowRole::kNone;
    column.pending.reset();
    column.origin = 0;
  }
  for (const auto& call : aggregates.calls) {
    StreamColumn column;
    column.type = call.bound->return_type;
    column.name = call.bound->ToString();
    result.columns.push_back(std::move(column));
  }
  plan.aggregates = std::move(aggregates);
  stream = Partition(std::move(stream), plan.keys);
  auto* made = Add<SessionAggregate>(std::move(plan));
  stream.from->emitter().Add(made, 0);
  result.from = made;
  return result;
}

}  // namespace millrace::stream
