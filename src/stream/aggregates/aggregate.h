// Aggregate: the states of one aggregate function for many groups, in columns indexed by slot.
//
// Contract: slots come from a KeyTable. Resize before a new slot is used. Weights: +1 adds a value,
// -1 takes one away that was added before; an aggregate made for append-only input never sees -1.
// NULL arguments do not count, as in SQL. Save/Load keep one slot's state as bytes.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <duckdb/planner/expression/bound_aggregate_expression.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "state/state_store.h"

namespace millrace::stream {

// The rows of one call: row rows[i] of the chunk goes to slot slots[i] with weight weights[i].
struct AggregateInput {
  duckdb::DataChunk* chunk = nullptr;
  const uint32_t* rows = nullptr;
  const uint32_t* slots = nullptr;
  const int32_t* weights = nullptr;  // per entry; null: all +1
  uint32_t count = 0;
};

class Aggregate {
 public:
  virtual ~Aggregate() = default;
  virtual void Resize(uint32_t slots) = 0;
  virtual void Update(const AggregateInput& input) = 0;
  // Writes the results of slots[0..count) to rows 0..count of `result` (a flat vector).
  virtual void Finish(const uint32_t* slots, uint32_t count, duckdb::Vector& result) const = 0;
  // Forgets a slot (its group is gone); the slot may be used again.
  virtual void Reset(uint32_t slot) = 0;

  virtual void Save(uint32_t slot, std::string& out) const = 0;
  // Returns the bytes consumed.
  virtual size_t Load(uint32_t slot, std::string_view bytes) = 0;

  // Entries that do not fit into Save (sets of values): written as own state entries under
  // `prefix`, only those that changed since the last call.
  virtual void SnapshotEntries(state::StateWriter& writer, uint32_t operator_id,
                               std::string_view prefix) {
    (void)writer, (void)operator_id, (void)prefix;
  }
  virtual void RestoreEntries(const state::StateReader& reader, uint32_t operator_id,
                              std::string_view prefix) {
    (void)reader, (void)operator_id, (void)prefix;
  }

  virtual size_t bytes() const = 0;
};

// Where an aggregate finds its arguments and filter in the input chunk; -1: has none.
struct AggregateColumns {
  int argument = -1;  // the first one
  int filter = -1;
  std::vector<int> more = {};  // the other arguments, then what it is ordered by
};

// Makes the incremental form of a bound aggregate. `retracts`: the input may take rows away.
// `forgets`: slots are reset while they have rows.
// Error kUnsupported names the function and what is there.
Result<std::unique_ptr<Aggregate>> NewAggregate(const duckdb::BoundAggregateExpression& bound,
                                                const AggregateColumns& columns, bool retracts,
                                                bool forgets = false);
// The same as if it had neither DISTINCT nor a filter.
Result<std::unique_ptr<Aggregate>> NewAggregateOfAll(const duckdb::BoundAggregateExpression& bound,
                                                     const AggregateColumns& columns,
                                                     bool retracts);
// Whether it looks at each value once.
bool CountsDistinct(const duckdb::BoundAggregateExpression& bound);
// Whether NewAggregate would take it, without making one.
Status CheckAggregate(const duckdb::BoundAggregateExpression& bound);
// Whether it keeps all values of a group (see collected.h).
bool KeepsValues(const duckdb::BoundAggregateExpression& bound);

}  // namespace millrace::stream
