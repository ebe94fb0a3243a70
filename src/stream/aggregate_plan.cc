#include "stream/aggregate_plan.h"

#include <algorithm>

#include "base/check.h"
#include "base/strings.h"

namespace millrace::stream {

duckdb::vector<duckdb::LogicalType> AggregatePlan::OutputTypes() const {
  duckdb::vector<duckdb::LogicalType> types = group_types;
  for (const Call& call : calls) types.push_back(call.bound->return_type);
  return types;
}

bool AggregatePlan::OnlyCounts() const {
  return std::all_of(calls.begin(), calls.end(), [](const Call& call) {
    const std::string& name = call.bound->function.name;
    return (name == "count" || name == "count_star") && !call.bound->IsDistinct();
  });
}

std::vector<std::unique_ptr<Aggregate>> AggregatePlan::MakeAggregates() const {
  std::vector<std::unique_ptr<Aggregate>> made;
  for (const Call& call : calls) {
    auto aggregate = NewAggregate(*call.bound, call.columns, input_retracts);
    MR_CHECK(aggregate.ok(), "aggregates are checked when the plan is made");
    made.push_back(std::move(*aggregate));
  }
  return made;
}

std::string AggregatePlan::Describe() const {
  std::vector<std::string> texts;
  for (const Call& call : calls) {
    texts.push_back(call.bound->ToString());
    if (KeepsValues(*call.bound)) texts.back() += " (keeps the values, aggregates them anew)";
  }
  std::string what = texts.empty() ? "distinct rows" : Join(texts, ", ");
  return group_names.empty() ? what : "by " + Join(group_names, ", ") + ": " + what;
}

}  // namespace millrace::stream
