// Batch: what flows between operators: columns, a weight per row, and, rarely, marks on rows that
// came behind their own split's frontier.
//
// Shape: at most STANDARD_VECTOR_SIZE rows. An operator may read a batch, never change it.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <string>
#include <vector>

#include "model/dead_letter.h"
#include "model/position.h"

namespace millrace::stream {

// Finds the record that a row of a source batch was decoded from. Lives as long as the batch.
class RowOrigin {
 public:
  virtual ~RowOrigin() = default;
  // Fills table, topic, partition, offset and payload of the dead letter for source row `row`.
  virtual void Describe(uint32_t row, model::DeadLetter& letter) const = 0;
};

// A row whose event time is before the frontier its split had already reached when it was read.
// Whether it is late is decided by the operator that holds windows: late for a window w if
// w's frontier, computed from `frontier`, has passed it.
struct LateCandidate {
  uint32_t row = 0;         // in this batch, ascending; several may share an origin after unnest
  uint32_t origin_row = 0;  // in the source batch
  int source = 0;           // index of the job's source
  model::EventTime frontier = 0;
};

struct Batch {
  duckdb::DataChunk* rows = nullptr;  // not owned
  const int32_t* weights = nullptr;   // one per row; null: every row is +1 (append-only)
  std::vector<LateCandidate> late;    // by row; nearly always empty
  const RowOrigin* origin = nullptr;  // null once rows no longer map to source records

  duckdb::idx_t size() const { return rows->size(); }
};

}  // namespace millrace::stream
