// RunJoined: what a plan that joins streams makes of a record among all others, and its partners:
// the fewest other records with which it makes the same rows.
//
//   rows      what the plan makes of all records of its topics, less what it makes of them without
//             the record
//   partners  without one of them, a row would not be there, or be another. Found by halving what
//             is left as long as the rows are still made (QuickXplain: U. Junker, AAAI 2004), so no
//             operator needs to know of traces; it works for every join, and through views
//
// Where several records would each do (EXISTS), one of them is the partner. Records of the traced
// one's own topic are there only where the topic is read twice (a self join).
//
// Contract: one thread; reads the plan's topics through `access`, changes nothing.
#pragma once

#include "project/trace_run.h"

namespace millrace::project {

// Fills in stage.made, refused and, with `names_partners`, partners; or the note that says why they
// cannot be told.
Status RunJoined(const Project& project, const TraceRecord& record, const TraceAccess& access,
                 const CompilePlan& compile, bool names_partners, TraceStage& stage);

// The fewest of 0 … count - 1, in their order, with which `holds` is still true, as it is with all.
// For tests; `holds` may be asked `calls_max` times, then there is no answer.
using Holds = std::function<Result<bool>(const std::vector<size_t>& some)>;
Result<std::optional<std::vector<size_t>>> Fewest(size_t count, int calls_max, const Holds& holds);

}  // namespace millrace::project
