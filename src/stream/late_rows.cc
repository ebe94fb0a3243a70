#include "stream/late_rows.h"

#include <algorithm>
#include <cstring>

#include "stream/row_text.h"

namespace millrace::stream {

namespace {
constexpr const char* kClosedBeforeKey = "closed_before";
}

void LateRows::Advance(const Frontiers& frontiers) {
  closed_before_ = std::max(closed_before_, frontier_.At(frontiers));
}

int64_t LateRows::SetAside(const Batch& batch, const int64_t* times, const OperatorContext& context,
                           const std::function<std::string(int64_t time)>& reason,
                           std::vector<uint8_t>& late) const {
  LateCandidates candidates(batch);
  int64_t count = 0;
  for (uint32_t row = 0; row < batch.size(); row++) {
    const LateCandidate* candidate = candidates.Of(row);
    if (times[row] >= ClosedFor(candidate)) continue;
    late[row] = 1;
    count++;
    // What a row that is taken back was part of is final; its record says more than that.
    if (batch.weights && batch.weights[row] < 0) continue;
    Bury(batch, row, candidate, context, reason(times[row]));
  }
  return count;
}

void LateRows::Bury(const Batch& batch, uint32_t row, const LateCandidate* candidate,
                    const OperatorContext& context, std::string reason) const {
  if (candidate && !context.KeepsLate(candidate->source)) return;
  model::DeadLetter letter;
  letter.stage = stage_;
  letter.job = context.job;
  letter.kind = model::RowErrorKind::kLate;
  letter.reason = std::move(reason);
  if (candidate && batch.origin) {
    batch.origin->Describe(candidate->origin_row, letter);
  } else {
    letter.payload = RowText(*batch.rows, row);
  }
  context.dead_letters->Add(std::move(letter));
}

void LateRows::Snapshot(state::StateWriter& writer, uint32_t operator_id) const {
  writer.Put(operator_id, kClosedBeforeKey,
             {reinterpret_cast<const char*>(&closed_before_), sizeof closed_before_});
}

void LateRows::Restore(const state::StateReader& reader, uint32_t operator_id) {
  reader.Scan(operator_id, kClosedBeforeKey, [&](std::string_view, std::string_view value) {
    std::memcpy(&closed_before_, value.data(), sizeof closed_before_);
  });
}

}  // namespace millrace::stream
