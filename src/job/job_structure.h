// JobStructure: what a job's state was made by, part by part, so that a changed query can be told
// apart from one whose state still fits.
//
// The query's plan is cut in two: the state's part (the topmost node that is no plain projection or
// filter, and everything below it) and the rest behind it, which keeps nothing. Names given to
// columns are no part of either; everything else that DuckDB would write down of the plan is:
// types, functions with their settings, constants, join conditions, the order of columns. What
// cannot be written down, or is shared between branches, counts as the state's part.
//
//   same      nothing that matters differs
//   keeps     only stateless steps behind the state differ, and the result only appends: rows from
//             now on are the new query's, those in the sink stay as the old one made them
//   backfill  anything else: the state of the old query is not that of the new one
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "duck/planner.h"
#include "state/state_store.h"

namespace millrace::job {

struct CompiledJob;

struct JobStructure {
  // By name, for people: "shards", "table \"orders\"", "the query's state" …
  std::map<std::string, std::string> parts;
  bool stateful = true;
  bool appends = true;  // the result never takes rows back

  bool empty() const { return parts.empty(); }
  std::string ToBytes() const;
  static JobStructure FromBytes(const std::string& bytes);  // empty when it is not one
};

struct StateFit {
  enum class Kind { kNew, kSame, kKeeps, kBackfill };
  Kind kind = Kind::kNew;
  std::vector<std::string> reasons;  // what differs, in words
};

// The two texts of a plan: see above. `plan` is changed and put back.
struct PlanTexts {
  std::string state;
  std::string rest;
};
PlanTexts DescribePlan(duck::Plan& plan, bool stateful);

// `texts`: of the plan that `job` was made from.
JobStructure StructureOf(const CompiledJob& job, const PlanTexts& texts);
StateFit Compare(const JobStructure& stored, const JobStructure& now);
// Whether `job` can go on with what `state` holds. kNew: it holds nothing.
StateFit FitOf(const state::StateReader& state, const CompiledJob& job);

}  // namespace millrace::job
