// Frontiers: how far event time has come, per source, and what that means for a derived column.
//
// A source's frontier F promises that no row with an earlier event time will be accepted any more
// (Flink's watermark W is the frontier W + 1 ms). A column that is a non-decreasing function f of
// event time inherits the frontier f(F): so a group keyed by such a column is final once its key is
// before f(F). Several sources (union, join): the lowest of their frontiers.
//
// A source may give late rows time (its allowed lateness L): its columns then have the frontier
// F - L, so everything downstream waits for them; what can correct itself shows its results at
// Prompt(), and corrects them until then.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "model/position.h"

namespace millrace::stream {

using Frontiers = std::vector<model::EventTime>;  // by source index; then the epoch's clock

// The "source" of processing time: rows to come have a clock reading that is no earlier.
constexpr int kClockSource = -1;

struct FrontierTerm {
  int source = 0;
  std::function<model::EventTime(model::EventTime)> map;  // non-decreasing
  int64_t lateness_us = 0;  // rows of this source may come so much later than its frontier says
};

// The frontier of one column; no terms: the column has none.
struct ColumnFrontier {
  std::vector<FrontierTerm> terms;

  bool known() const { return !terms.empty(); }
  bool uses_clock() const {
    return std::any_of(terms.begin(), terms.end(),
                       [](const FrontierTerm& term) { return term.source == kClockSource; });
  }

  model::EventTime At(const Frontiers& frontiers) const {
    model::EventTime lowest = model::kTimeMax;
    for (const FrontierTerm& term : terms) {
      bool clock = term.source == kClockSource;
      model::EventTime frontier =
          clock ? frontiers.back() : frontiers[static_cast<size_t>(term.source)];
      lowest = std::min(lowest, Apply(term, frontier));
    }
    return lowest;
  }

  // The same as if no source were given time for late rows: when results are first complete.
  ColumnFrontier Prompt() const {
    ColumnFrontier result = *this;
    for (FrontierTerm& term : result.terms) term.lateness_us = 0;
    return result;
  }
  // The longest time that any source gives late rows.
  int64_t lateness_us() const {
    int64_t longest = 0;
    for (const FrontierTerm& term : terms) longest = std::max(longest, term.lateness_us);
    return longest;
  }

  // The frontier as it was for one row of `source` that was read at `frontier`.
  model::EventTime ForRow(int source, model::EventTime frontier) const {
    model::EventTime lowest = model::kTimeMax;
    for (const FrontierTerm& term : terms) {
      if (term.source == source) lowest = std::min(lowest, Apply(term, frontier));
    }
    return lowest;
  }

  // This column's frontier seen through one more non-decreasing function.
  ColumnFrontier Then(const std::function<model::EventTime(model::EventTime)>& next) const {
    ColumnFrontier result;
    for (const FrontierTerm& term : terms) {
      result.terms.push_back({term.source,
                              [map = term.map, next](model::EventTime t) { return next(map(t)); },
                              term.lateness_us});
    }
    return result;
  }

 private:
  // The ends of time stay what they are under every function.
  static model::EventTime Apply(const FrontierTerm& term, model::EventTime frontier) {
    if (frontier <= model::kTimeMin || frontier >= model::kTimeMax) return frontier;
    return term.map(frontier - term.lateness_us);
  }
};

}  // namespace millrace::stream
