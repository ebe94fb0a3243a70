#include "stream/aggregate_plan.h"

#include <algorithm>

#include "base/check.h"
#include "base/strings.h"
#include "stream/aggregates/shared_distinct.h"

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

namespace {
std::unique_ptr<Aggregate> Checked(Result<std::unique_ptr<Aggregate>> made) {
  MR_CHECK(made.ok(), "aggregates are checked when the plan is made");
  return std::move(*made);
}
}  // namespace

std::vector<std::unique_ptr<Aggregate>> AggregatePlan::MakeAggregates() const {
  std::vector<std::unique_ptr<Aggregate>> made;
  for (const Call& call : calls) {
    made.push_back(Checked(NewAggregate(*call.bound, call.columns, input_retracts, ttl_us > 0)));
  }
  return made;
}

std::vector<std::unique_ptr<Aggregate>> AggregatePlan::MakeAggregatesTogether() const {
  std::vector<std::unique_ptr<Aggregate>> made(calls.size());
  for (size_t i = 0; i < calls.size(); i++) {
    if (made[i]) continue;
    const std::vector<size_t> alike = DistinctsLike(i);
    if (alike.size() == 1) {
      made[i] =
          Checked(NewAggregate(*calls[i].bound, calls[i].columns, input_retracts, ttl_us > 0));
      continue;
    }
    std::vector<DistinctMember> members;
    for (size_t a : alike) {
      members.push_back({Checked(NewAggregateOfAll(*calls[a].bound, calls[a].columns, false)),
                         calls[a].columns.filter});
    }
    auto shared = NewSharedDistinct(std::move(members), calls[i].columns.argument,
                                    calls[i].bound->children[0]->return_type);
    for (size_t m = 0; m < alike.size(); m++) made[alike[m]] = std::move(shared[m]);
  }
  return made;
}

// Call `first` and those behind it that look at the same distinct values, and may share their set.
std::vector<size_t> AggregatePlan::DistinctsLike(size_t first) const {
  std::vector<size_t> alike = {first};
  auto shares = [&](const Call& call) {
    return CountsDistinct(*call.bound) && call.columns.more.empty() && !input_retracts &&
           ttl_us == 0;
  };
  if (!shares(calls[first])) return alike;
  for (size_t i = first + 1; i < calls.size() && alike.size() < kDistinctMembersMax; i++) {
    const bool same = calls[i].columns.argument == calls[first].columns.argument;
    if (same && shares(calls[i])) alike.push_back(i);
  }
  return alike;
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
