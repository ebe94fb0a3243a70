// ORDER BY without LIMIT: a sort by event time can run as a stream, any other needs a last row.
#include <duckdb/planner/operator/logical_order.hpp>

#include "stream/job_plan_builder.h"
#include "stream/time_sort.h"

namespace millrace::stream {

using duckdb::idx_t;

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitOrderBy(const duckdb::LogicalOperator& node) {
  const auto& sort = node.Cast<duckdb::LogicalOrder>();
  MR_ASSIGN_OR_RETURN(Stream stream, Visit(*node.children[0]));
  const char* instead =
      "order by event time first, ascending; or leave it out, and sort when you query the table "
      "this job writes";
  if (stream.changelog == ChangelogKind::kRetract) {
    return Refuse("ORDER BY",
                  "of a result that is updated needs all rows, and there is no last one",
                  "leave it out, and sort when you query the table this job writes");
  }
  const idx_t input_columns = stream.columns.size();
  std::vector<const duckdb::Expression*> needed;
  TimeSortPlan plan;
  for (const auto& order : sort.orders) {
    needed.push_back(order.expression.get());
    plan.order.emplace_back(order.type, order.null_order);
  }
  std::vector<idx_t> places;
  stream = WithColumns(std::move(stream), needed, places);
  const StreamColumn& time = stream.columns[places[0]];
  const bool is_time =
      time.frontier.known() && (time.type.id() == duckdb::LogicalTypeId::TIMESTAMP ||
                                time.type.id() == duckdb::LogicalTypeId::TIMESTAMP_TZ);
  if (!is_time || sort.orders[0].type != duckdb::OrderType::ASCENDING) {
    return Refuse("ORDER BY", "needs all rows, and a stream has no last one", instead);
  }
  plan.types = stream.types();
  for (const StreamColumn& column : stream.columns) plan.names.push_back(column.name);
  plan.order_columns.assign(places.begin(), places.end());
  plan.frontier = time.frontier;
  plan_.needs_ticks |= plan.frontier.uses_clock();

  Stream result;
  result.columns = stream.columns;
  result.unique = stream.unique;
  for (idx_t c = 0; c < result.columns.size(); c++) {
    // Rows were held back until their time: that of another column may have passed since.
    if (c != places[0]) result.columns[c].frontier = {};
  }
  stream = Partition(std::move(stream), {});  // one order of all rows: one shard
  auto* made = Add<TimeSort>(std::move(plan));
  stream.from->emitter().Add(made, 0);
  result.from = made;
  duckdb::vector<idx_t> kept = sort.projection_map;
  if (kept.empty()) {
    for (idx_t c = 0; c < input_columns; c++) kept.push_back(c);
  }
  return KeepColumns(std::move(result), kept);
}

}  // namespace millrace::stream
