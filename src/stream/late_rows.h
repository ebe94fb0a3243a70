// LateRows: which rows come too late for what time has closed already, and where they go.
//
// A row is late when its time is before what is closed, or before what its own split had closed
// when the row was read (see LateCandidate). Late rows become dead letters, or are only counted
// where their table says so, or where they are taken back.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "stream/operator.h"

namespace millrace::stream {

class LateRows {
 public:
  // `frontier`: of the column whose values are judged. `stage`: of the dead letters.
  LateRows(ColumnFrontier frontier, std::string stage)
      : frontier_(std::move(frontier)), stage_(std::move(stage)) {}

  // Everything before this time is closed.
  model::EventTime closed_before() const { return closed_before_; }
  void Advance(const Frontiers& frontiers);
  int64_t lateness_us() const { return frontier_.lateness_us(); }
  // The same for one row: also what its own split had closed when it was read.
  model::EventTime ClosedFor(const LateCandidate* candidate) const {
    if (!candidate) return closed_before_;
    return std::max(closed_before_, frontier_.ForRow(candidate->source, candidate->frontier));
  }

  // Marks in `late` (one per row) the rows whose time is late, and puts them away; returns how
  // many they are. `reason` says why for a time.
  int64_t SetAside(const Batch& batch, const int64_t* times, const OperatorContext& context,
                   const std::function<std::string(int64_t time)>& reason,
                   std::vector<uint8_t>& late) const;
  // Puts one row away; `candidate`: its mark in the batch, or null.
  void Bury(const Batch& batch, uint32_t row, const LateCandidate* candidate,
            const OperatorContext& context, std::string reason) const;

  void Snapshot(state::StateWriter& writer, uint32_t operator_id) const;
  void Restore(const state::StateReader& reader, uint32_t operator_id);

 private:
  ColumnFrontier frontier_;
  std::string stage_;
  model::EventTime closed_before_ = model::kTimeMin;
};

// The mark of each row of a batch, asked for by ascending row.
class LateCandidates {
 public:
  explicit LateCandidates(const Batch& batch) : batch_(batch) {}
  const LateCandidate* Of(uint32_t row) {
    while (next_ < batch_.late.size() && batch_.late[next_].row < row) next_++;
    bool marked = next_ < batch_.late.size() && batch_.late[next_].row == row;
    return marked ? &batch_.late[next_] : nullptr;
  }

 private:
  const Batch& batch_;
  size_t next_ = 0;
};

}  // namespace millrace::stream
